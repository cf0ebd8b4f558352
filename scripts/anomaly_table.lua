-- Strange rows in a table. A detector learns rows that are normal; the error with which it rebuilds a row is its score,
-- and the columns with the largest errors say why. With labels it learns half of the normal rows, and the rest is
-- judged. Without, the rows are halves, each judged by a detector that has learnt the other: a net knows a strange row
-- that it has learnt. Scores are in thresholds: above 1 a row is an alarm.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"
local faulty_pump = require "experiment.faulty_pump"
local reports = require "experiment.report"

local run <close> = experiment.start{
  name = "anomaly_table",
  about = "Find the strange rows of a table: a CSV file becomes a detector, with a page of what it finds.",
  argument = "file",
  options = {
    {"file", nil, "a CSV file (default: a drawn one, a pump's sensors with faults)", "text"},
    {"label", nil, "the column of labels, by name or number: 0, or the most frequent text, is normal", "text"},
    {"normal", nil, "the label that is normal", "text"},
    {"categorical", nil, "columns of texts, with commas between them", "text"},
    {"columns", nil, "only these columns, with commas between them", "text"},
    {"ignore", nil, "all columns but these: times, numbers of rows", "text"},
    {"quantile", 0.99, "fraction of the normal rows below the threshold", "fraction"},
    {"ensemble", 1, "nets in the detector"},
    {"steps", 6000, "training steps of a net, at most"},
    {"score", "mean", "of the errors of a row", {"mean", "max", "scaled"}},
    {"show", 12, "how many of the strangest rows are shown"},
  },
  training = false, data = false,
  check = function(o)
    if not o.file and (o.label or o.columns or o.ignore or o.categorical) then
      return "--label, --columns, --ignore and --categorical are for a file"
    end
    if o.columns and o.ignore then return "--columns and --ignore are given, expected one of them" end
    return o.normal and not o.label and "--normal is for --label" or nil
  end,
}
local o = run.options

-- ---- the table: x [n x d], NaN where a cell is missing ----

local function texts(list)
  if not list then return nil end
  local parts = {}
  for part in list:gmatch("[^,]+") do parts[#parts + 1] = part end
  return parts
end

if not o.file then
  run:write("pump.csv", faulty_pump(3200))
  o.file, o.label, o.categorical, o.ignore = run:path("pump.csv"), "fault", "mode", "time"
end
local x, info = moon.data.csv(o.file, {
  label = o.label, columns = texts(o.columns), ignore = texts(o.ignore), categorical = texts(o.categorical),
})
if not x then error(info, 0) end

-- For people. In the detector a column without a name has its number.
local function name_of(c) return info.header and info.columns[c] or "column " .. info.columns[c] end


-- The names of the rows' labels, in their order, and for each label how many rows have it.
local function read_labels()
  local list, counts = info.labels:totable(), {}
  for i, v in ipairs(list) do
    if v ~= v then error(("%s: row %d has no label"):format(o.file, i), 0) end
    list[i] = info.classes and info.classes[math.tointeger(v) + 1] or ("%g"):format(v)
    counts[list[i]] = (counts[list[i]] or 0) + 1
  end
  return list, counts
end

-- The label that is normal: 0, or the most frequent text.
local function normal_label(counts)
  local names, found = {}, o.normal or "0"
  for name in pairs(counts) do names[#names + 1] = name end
  table.sort(names, function(a, b) return counts[a] > counts[b] or counts[a] == counts[b] and a < b end)
  if info.classes and not o.normal then found = names[1] end
  if counts[found] then return found end
  error(("%s: no row has the label '%s', expected --normal with one of %s%s"):format(o.file, found,
    table.concat(names, ", ", 1, math.min(10, #names)), #names > 10 and " ..." or ""), 0)
end

local labels, counts, normal
if o.label then
  labels, counts = read_labels()
  normal = normal_label(counts)
end
-- ---- the detectors ----

-- Pairs of lists: the numbers of rows that are learnt, and of those that are judged by what is learnt from them.
local function divide()
  local strange, usual = {}, {}
  for i = 1, #x do table.insert(labels and labels[i] ~= normal and strange or usual, i) end
  if #usual < 20 then error(("%s: %d rows are normal, expected at least 20"):format(o.file, #usual), 0) end
  local order = moon.tensor(usual):index(moon.randperm(#usual))
  local first, second = order:rows(1, #usual // 2):totable(), order:rows(#usual // 2 + 1, #usual):totable()
  if not labels then return {{first, second}, {second, first}} end
  return {{first, table.move(strange, 1, #strange, #second + 1, second)}}
end

-- Without labels nobody has taken out the rows with a broken sensor, and a few numbers of another order of magnitude
-- spoil scaling and net. What lies 30 deviations from the median, by the quartiles, is learnt as missing.
local far = 30
local function without_far(rows)
  local z = moon.scaler(rows, {method = "robust"}):apply(rows)
  return z:abs():gt(far):where(0 / 0, rows)
end

local function fit(rows)
  if not labels then rows = without_far(rows) end
  return moon.detector.fit(rows, {
    columns = info.columns, categories = info.categories, quantile = o.quantile, ensemble = o.ensemble,
    steps = o.steps, score = o.score, seed = o.seed, threads = o.threads,
  })
end

-- One entry for each judged row, in the order of the file.
local judged = {} -- {row =, score =, alarm =, label =, errors = of the columns, detector =}

local function judge(detector, numbers)
  local rows = x:index(numbers)
  local scores, alarms, errors = detector:scores(rows), detector:alarms(rows), detector:features(rows):totable()
  for i, number in ipairs(numbers) do
    number = math.tointeger(number)
    local score = scores[i] / detector.threshold
    judged[#judged + 1] = {
      row = number, score = score == score and score or math.huge, alarm = alarms[i] == 1, errors = errors[i],
      label = labels and labels[number], detector = detector,
    }
  end
end

local warned
moon.set_log(function(line) warned = warned or line end) -- few rows for the threshold
local detector
for _, pair in ipairs(divide()) do
  detector = fit(x:index(pair[1]))
  judge(detector, pair[2])
end
if not labels then detector = fit(x) end -- the one that is saved
moon.set_log(nil)
run:save(detector, "detector")
table.sort(judged, function(a, b) return a.row < b.row end)

-- A list of what f gives for each judged row, or for those that `which` chooses.
local function collect(f, which)
  local list = {}
  for _, j in ipairs(judged) do
    if not which or which(j) then list[#list + 1] = f(j) end
  end
  return list
end

local function score_of(j) return j.score end
local function is_alarm(j) return j.alarm end
local function is_strange(j) return j.label and j.label ~= normal end

-- ---- how good it is ----

local report = reports.new(run, "Strange rows of " .. (o.file:match("[^/]+$") or o.file))
report:say("%s has %d rows of %d columns; %d cells are missing.%s", o.file, #x, x:size(2), info.missing,
  normal and (" Normal is '%s', which %d rows have."):format(normal, counts[normal]) or "")
if labels then
  report:say("The detector has learnt half of the normal rows. The other half and all that have another label are "
    .. "judged: %d rows.", #judged)
else
  report:say("Each half of the rows is judged by a detector that has learnt the other; the saved one has learnt all.")
end
local calibration = detector:calibration()
report:say("A score of 1 is the threshold: %g %% of %d normal rows that were held out lie below it. Of others like "
  .. "them %.2f to %.2f %% should be alarms.", 100 * o.quantile, calibration.rows, 100 * calibration.interval[1],
  100 * calibration.interval[2])
if warned then report:say("%s.", (warned:gsub("^warning: ", "A warning: "))) end
run:figure("threshold", detector.threshold)
run:figure("rows judged", #judged, "%d")
run:figure("alarms", #collect(score_of, is_alarm), "%d")

-- Why a row is strange: its columns, first the guiltiest.
local function reasons(j, count) return j.detector:explain(x[j.row], math.min(count, x:size(2))) end

-- For the alarms with a label: the column that is named first most often.
local function named_first(label)
  local times, most = {}, nil
  for _, j in ipairs(judged) do
    if j.label == label and j.alarm then
      local name = name_of(reasons(j, 1)[1].index)
      times[name] = (times[name] or 0) + 1
      if not most or times[name] > times[most] then most = name end
    end
  end
  return most and ("%s (%d)"):format(most, times[most]) or ""
end

-- A row for each label, the normal one first: how many of its rows are alarms.
local function of_labels()
  local rows, place = {{"label", "rows judged", "alarms", "share", "named first most often"}}, {}
  for _, j in ipairs(judged) do
    if not place[j.label] then
      place[j.label] = #rows + 1
      rows[#rows + 1] = {j.label, 0, 0, 0}
    end
    local row = rows[place[j.label]]
    row[2], row[3] = row[2] + 1, row[3] + (j.alarm and 1 or 0)
  end
  for i = 2, #rows do rows[i][4], rows[i][5] = rows[i][3] / rows[i][2], named_first(rows[i][1]) end
  table.insert(rows, 2, table.remove(rows, place[normal]))
  return rows
end

-- What is caught, at which cost: as figures, and for every threshold as a curve.
local function draw_roc()
  local scores, strange = moon.tensor(collect(score_of)), moon.tensor(collect(function(j)
    return is_strange(j) and 1 or 0
  end))
  local count = strange:sum()
  local caught = #collect(score_of, function(j) return j.alarm and is_strange(j) end) / count
  local false_alarms = #collect(score_of, function(j) return j.alarm and not is_strange(j) end) / (#judged - count)
  local auc, roc = moon.metrics.auc(scores, strange), moon.metrics.roc(scores, strange)
  run:figure("AUC", auc, "%.4f")
  run:figure("caught", caught, "%.4f")
  run:figure("false alarms", false_alarms, "%.4f")
  run:columns("roc", {"threshold", "false alarms", "caught"}, {roc.thresholds, roc.fpr, roc.tpr})
  report:plot("lines", "roc", {
    {x = roc.fpr, y = roc.tpr, label = ("scores, area %.4f"):format(auc)},
    {x = {0, 1}, y = {0, 1}, label = "chance"},
    {x = {0, 1}, y = {caught, caught}, label = ("alarms: %.1f %% caught, %.1f %% false"):format(100 * caught,
      100 * false_alarms)},
  }, {title = "ROC curve", xlabel = "share of the normal rows above a threshold",
    ylabel = "share of the strange rows above it", legend = "bottom right", width = 700,
    caption = "Every threshold: how many of the strange rows lie above it, and how many of the normal ones"})
end

if labels then
  report:heading("What is caught")
  report:table("labels", of_labels(), {nil, "%d", "%d", "%.3f"}, "Alarms among the judged rows of each label")
  if #collect(score_of, is_strange) > 0 then draw_roc() end
end

-- ---- the scores ----

-- The share of rows in bins of the logarithm, because scores differ by powers of ten.
local bins = 40
local function histogram(which, low, high, label)
  local x_bins, y, list = {}, {}, collect(score_of, which)
  local width = (math.log(high) - math.log(low)) / bins
  for i = 1, bins + 1 do x_bins[i], y[i] = low * math.exp((i - 1) * width), 0 end
  for _, score in ipairs(list) do
    local place = (math.log(math.max(low, math.min(high, score))) - math.log(low)) / width
    local i = math.min(bins, math.floor(place) + 1)
    y[i] = y[i] + 100 / #list
  end
  return {x = x_bins, y = y, label = ("%s (%d)"):format(label, #list), style = "steps"}
end

local function histograms()
  local finite = collect(score_of, function(j) return j.score < math.huge end)
  local low, high = math.max(1e-6, math.min(0.5, table.unpack(finite, 1, 1))), 2
  for _, score in ipairs(finite) do low, high = math.max(1e-6, math.min(low, score)), math.max(high, score) end
  local list = {histogram(function(j) return not is_strange(j) end, low, high, labels and "normal" or "rows")}
  if #collect(score_of, is_strange) > 0 then list[2] = histogram(is_strange, low, high, "strange") end
  local top = 0
  for _, h in ipairs(list) do top = math.max(top, moon.tensor(h.y):max()) end
  list[#list + 1] = {x = {1, 1}, y = {0, top}, label = "threshold"}
  return list
end

report:heading("Scores")
report:plot("lines", "scores", histograms(), {
  title = "Scores of the judged rows", xlabel = "score: 1 is the threshold", logx = true,
  ylabel = labels and "% of the rows with this label" or "% of the rows",
  caption = "Histogram of the scores: rows to the right of the threshold are alarms",
})
run:columns("scores", {"row", "score", "alarm", labels and "label"}, {
  collect(function(j) return j.row end), collect(score_of), collect(function(j) return j.alarm and 1 or 0 end),
  labels and collect(function(j) return j.label end),
})

-- ---- the guilty columns ----

-- The mean share of each column in the errors of the rows that `which` chooses.
local function shares(which)
  local errors = collect(function(j) return j.errors end, which)
  if #errors == 0 then return nil end
  errors = moon.tensor(errors)
  return (errors / errors:sum(2):reshape(#errors, 1)):nanmean(1):totable()
end

local most_bars = 12
local of_alarms, of_others = shares(is_alarm), shares(function(j) return not j.alarm end)

local function guilty_columns()
  local order, names, here, others = {}, {}, {}, {}
  for c = 1, x:size(2) do order[c] = c end
  table.sort(order, function(a, b) return of_alarms[a] > of_alarms[b] or of_alarms[a] == of_alarms[b] and a < b end)
  for i, c in ipairs(order) do
    names[i], here[i], others[i] = name_of(c), 100 * of_alarms[c], of_others and 100 * of_others[c] or 0
  end
  return names, here, others
end

if of_alarms then
  local names, here, others = guilty_columns()
  run:columns("columns", {"column", "% of alarms' errors", "% of other rows' errors"}, {names, here, others})
  local function first(list) return table.move(list, 1, math.min(most_bars, #list), 1, {}) end
  report:heading("Guilty columns")
  report:plot("bars", "columns", first(names), {
    {y = first(here), label = "in alarms"}, {y = first(others), label = "in other rows"},
  }, {
    title = "Share of the columns in the errors", ylabel = "mean share of a row's error [%]", width = 1100,
    legend = "top right",
    caption = "Which part of a row's error each column has, on average over the alarms, and over the other rows",
  })
end

-- ---- the strangest rows ----

table.sort(judged, function(a, b) return a.score > b.score or a.score == b.score and a.row < b.row end)
local most_reasons, least_share = 3, 0.1
local list = {{"row", "score", labels and "label" or "alarm", "column", "value", "expected", "share of the error"}}
for i = 1, math.min(o.show, #judged) do
  local j = judged[i]
  for k, r in ipairs(reasons(j, most_reasons)) do
    if k == 1 or r.share >= least_share then
      list[#list + 1] = {
        k == 1 and j.row or "", k == 1 and ("%.3g"):format(j.score) or "",
        k == 1 and (labels and j.label or j.alarm and "yes" or "no") or "", name_of(r.index), r.value, r.expected,
        r.outside and "far outside" or ("%.0f %%"):format(100 * r.share),
      }
    end
  end
end
report:heading("The strangest rows")
report:table("strangest", list, {nil, nil, nil, nil, "%.5g", "%.5g"}, "Row 1 is the first below the names. The "
  .. "columns are those with the largest errors: what they have, and what the detector expected beside the others")
report:heading("The detector")
report.page:code(("%s\n\nmoonglass-anomaly score %s new.csv --why"):format(detector, run:path("detector.safetensors")))
report:finish("anomaly_table.html", "The page of this table")

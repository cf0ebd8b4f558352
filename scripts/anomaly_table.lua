-- Strange rows in a table. A detector learns rows that are normal; the error with which it rebuilds a row is its score,
-- and the columns with the largest errors say why. With labels, it learns a half of the normal rows, and the rest is
-- judged. Without, the rows are halves, each judged by a detector that has learnt the other: a net knows a strange row
-- that it has learnt. Scores are in thresholds: above 1 a row is an alarm.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "anomaly_table",
  about = "Find the strange rows of a table: a CSV file becomes a detector, with a page of what it finds.",
  options = {
    {"file", nil, "a CSV file (default: a drawn table with faults)", "text"},
    {"label", nil, "the column of labels, by name or number: 0 or the first text is normal", "text"},
    {"normal", nil, "the label that is normal", "text"},
    {"categorical", nil, "columns of texts, with commas between them", "text"},
    {"columns", nil, "only these columns, with commas between them", "text"},
    {"quantile", 0.99, "fraction of the normal rows below the threshold", "fraction"},
    {"nets", 1, "nets in the detector"},
    {"score", "mean", "of the errors of a row", {"mean", "max", "scaled"}},
    {"show", 12, "how many of the strangest rows are shown"},
    {"reasons", 3, "how many columns are named for each"},
  },
  training = false, data = false,
  check = function(o) return not o.file and (o.label or o.columns or o.categorical) and
    "--label, --columns and --categorical are for --file" end,
}
local o = run.options

-- ---- the table ----

local function texts(list)
  if not list then return nil end
  local parts = {}
  for part in list:gmatch("[^,]+") do parts[#parts + 1] = part end
  return parts
end

-- A machine's sensors, which depend on its load and on the weather. 40 of 3000 rows have a fault: a sensor that shows
-- what it showed at another time, so that each number is as usual, but not beside the others.
local function draw_table()
  local n, names = 3000, {"power", "current", "speed", "flow", "pressure", "inlet", "outlet", "vibration"}
  local code = moon.randn(n, 2)
  local mixing = moon.tensor{{2, 2, 1, 1.5, 1, 0, 1, 0.5}, {0, 0.2, 0, 0.3, -0.5, 2, 1.5, 0}}
  local x = code:matmul(mixing):add_(moon.randn(n, #names):mul_(0.15))
  x:mul_(moon.tensor{20, 4, 150, 3, 0.4, 4, 5, 0.2}):add_(moon.tensor{120, 25, 1450, 30, 6, 18, 41, 1.1})
  local labels, order = moon.zeros(n), moon.randperm(n):totable()
  for i = 1, 40 do
    local row, other, column = math.tointeger(order[i]), math.tointeger(order[i + 40]), i % #names + 1
    x[row][column], labels[row] = x:get(other, column), 1
  end
  return x, {columns = names, labels = labels, categories = {}}
end

local function read_table()
  local x, info = moon.data.csv(o.file, {
    label = math.tointeger(tonumber(o.label)) or o.label, columns = texts(o.columns),
    categorical = texts(o.categorical),
  })
  if not x then error(info, 0) end
  return x, info
end

local x, info
if o.file then x, info = read_table() else x, info = draw_table() end

-- 1 for each row whose label is not the normal one; nil without labels.
local function strange_rows()
  if not info.labels then return nil end
  local normal = o.normal and (tonumber(o.normal) or o.normal) or 0
  for i, class in ipairs(info.classes or {}) do
    if class == o.normal then normal = i - 1 end
  end
  if type(normal) == "string" then
    error(("--normal %s: no row has this label (known: %s)"):format(normal, table.concat(info.classes or {}, ", ")), 0)
  end
  return info.labels:ne(normal)
end

local strange = strange_rows()

-- Pairs of lists: the numbers of rows that are learnt, and of those that are judged by what is learnt from them.
local function divide()
  local strange_ones, normal = {}, {}
  for i = 1, #x do table.insert(strange and strange[i] == 1 and strange_ones or normal, i) end
  if #normal < 20 then error(("%d rows are normal, expected at least 20"):format(#normal), 0) end
  local order = moon.tensor(normal):index(moon.randperm(#normal))
  local first, second = order:rows(1, #normal // 2):totable(), order:rows(#normal // 2 + 1, #normal):totable()
  if not strange then return {{first, second}, {second, first}} end
  return {{first, table.move(strange_ones, 1, #strange_ones, #second + 1, second)}}
end

local pairs_of_rows = divide()

-- ---- the detectors ----

local function fit(rows)
  local d = moon.detector.fit(rows, {
    columns = info.columns, categories = info.categories, quantile = o.quantile, ensemble = o.nets, score = o.score,
    seed = o.seed, threads = o.threads,
  })
  return d
end

-- Of all that are judged: row numbers, scores, alarms, errors of columns, detectors.
local judged, judges, parts = {}, {}, {scores = {}, alarms = {}, features = {}}
moon.set_log(function(line) run:remark("%s", line) end) -- a warning, if there are few rows for the threshold
local detector
for _, pair in ipairs(pairs_of_rows) do
  detector = fit(x:index(pair[1]))
  local rows = x:index(pair[2])
  table.insert(parts.scores, detector:scores(rows) / detector.threshold)
  table.insert(parts.alarms, detector:alarms(rows))
  table.insert(parts.features, detector:features(rows) / detector.threshold)
  for _, i in ipairs(pair[2]) do
    judged[#judged + 1], judges[#judges + 1] = math.tointeger(i), detector
  end
end
if not strange then detector = fit(x) end -- the one that is saved
moon.set_log(nil)
run:save(detector, "detector")

local rows = x:index(judged)
local scores, alarms = moon.cat(parts.scores, 1), moon.cat(parts.alarms, 1)
local features = moon.cat(parts.features, 1)
local odd = strange and strange:index(judged)
local calibration = detector:calibration()
run:print(("%d rows of %d columns, %s missing cells; %d rows are judged"):format(#x, x:size(2), info.missing or "no",
  #judged))
run:figure("threshold", detector.threshold)
run:say("Of other normal rows %.2f to %.2f %% are alarms, by the %d rows that set the threshold.",
  100 * calibration.interval[1], 100 * calibration.interval[2], calibration.rows)
local page = moon.page(o.file and ("Strange rows of %s"):format(o.file) or "Strange rows of a drawn table")

-- Prints and writes a table, and puts it on the page.
local function show(name, list, formats, caption)
  run:table(name, list, formats, caption)
  local shown = {list[1]}
  for i = 2, #list do
    shown[i] = {}
    for k, v in ipairs(list[i]) do
      shown[i][k] = formats[k] and type(v) == "number" and formats[k]:format(v) or v
    end
  end
  page:text(caption .. "."):table(shown)
end

local function draw(kind, name, ...)
  local options = select(-1, ...)
  if run:plot(kind, name, ...) then page:picture(run:read(name .. ".png"), options.caption) end
end

-- The rows of a tensor where the mask is v.
local function where(t, mask, v)
  local numbers = {}
  for i, m in ipairs(mask:totable()) do
    if m == v then numbers[#numbers + 1] = i end
  end
  return t:index(numbers)
end

run:figure("alarms", math.tointeger(alarms:sum()), "%d")
if odd then
  local caught, false_alarms = where(alarms, odd, 1), where(alarms, odd, 0)
  run:figure("AUC", moon.metrics.auc(scores, odd), "%.4f")
  run:figure("caught", caught:mean(), "%.4f")
  run:figure("false alarms", false_alarms:mean(), "%.4f")
  show("confusion", {
    {"rows", "alarms", "no alarms"},
    {"normal", false_alarms:sum(), #false_alarms - false_alarms:sum()},
    {"strange", caught:sum(), #caught - caught:sum()},
  }, {nil, "%d", "%d"}, "Judged rows above and below the threshold")
end

-- ---- the strangest rows and their columns ----

local _, places = scores:topk(math.min(o.show, #scores))
local list = {{"row", "score", odd and "label" or "alarm"}}
for i = 1, o.reasons do list[1][#list[1] + 1] = "reason " .. i end
for i, place in ipairs(places:totable()) do
  place = math.tointeger(place)
  list[i + 1] = {judged[place], scores[place], odd and (odd[place] == 1 and "strange" or "normal") or alarms[place]}
  for _, r in ipairs(judges[place]:explain(rows[place], math.min(o.reasons, x:size(2)))) do
    table.insert(list[i + 1], ("%s %.4g, expected %.4g (%.0f %%)"):format(r.name, r.value, r.expected, 100 * r.share))
  end
end
show("strangest", list, {"%d", "%.4g"}, "The strangest rows, and the columns with the largest errors: value, expected "
  .. "value, share of the error")

-- The share of each column in the errors of the alarms, and in those of the other rows.
local function shares(of)
  local sums = of:sum(1)
  local total = sums:sum()
  return total > 0 and (sums / total):totable() or nil
end

local most_bars = 20
local of_alarms = alarms:sum() > 0 and shares(where(features, alarms, 1))
local of_others = alarms:mean() < 1 and shares(where(features, alarms, 0))

local function largest_shares()
  local order = {}
  for c = 1, x:size(2) do order[c] = c end
  table.sort(order, function(a, b) return of_alarms[a] > of_alarms[b] or (of_alarms[a] == of_alarms[b] and a < b) end)
  local names, here, others = {}, {}, {}
  for i = 1, math.min(most_bars, #order) do
    names[i], here[i] = detector.columns[order[i]], of_alarms[order[i]]
    others[i] = of_others and of_others[order[i]] or 0
  end
  return names, here, others
end

if of_alarms then
  local names, here, others = largest_shares()
  draw("bars", "columns", names, {{y = here, label = "alarms"}, {y = others, label = "other rows"}}, {
    title = "Share of the columns in the errors", ylabel = "share", width = 1000,
    caption = "The guilty columns: the share of each in the errors of the alarms, and in those of the other rows",
  })
end

-- ---- every score ----

-- The base-10 logarithm: scores differ by powers of ten.
local function logs(t) return t:clone():clamp_(1e-12, 1e30):log():div_(math.log(10)) end

local known = where(scores, scores:isnan(), 0)
local low, high = logs(known):min(), math.max(logs(known):max(), logs(known):min() + 1e-3)
local function densities()
  local function density(t, label) return {values = logs(t), label = label} end
  if not odd then return {density(known, "rows")} end
  return {density(where(scores, odd, 0), "normal"), density(where(scores, odd, 1), "strange")}
end

draw("histogram", "scores", densities(), {
  title = "Scores; the threshold is at 0", xlabel = "log10 of the score in thresholds",
  ylabel = "share of the rows per unit", range = {low, high}, style = "steps", bins = 60,
  caption = "Histogram of the scores, in powers of ten of the threshold: above 0 a row is an alarm",
})
if odd then
  local roc = moon.metrics.roc(scores, odd)
  run:columns("roc", {"threshold", "false alarms", "caught"}, {roc.thresholds, roc.fpr, roc.tpr})
  draw("lines", "roc", {
    {x = roc.fpr, y = roc.tpr, label = ("scores, area %.4f"):format(moon.metrics.auc(scores, odd))},
    {x = {0, 1}, y = {0, 1}, label = "chance"},
  }, {title = "ROC curve", xlabel = "false alarms", ylabel = "caught", legend = "bottom right", width = 700,
    caption = "Every threshold: the rate of false alarms, and of strange rows that are caught"})
end
run:columns("scores", {"row", "score", "alarm"}, {judged, scores, alarms})
page:code(tostring(detector))
run:write("anomaly_table.html", page:html(), "The page of this table")

--- The command `moonglass-anomaly fit`: rows of a CSV file to a detector's file. Returns the function that fit.c calls
-- with the list of arguments; it returns the exit status. What has failed is told on the standard error.
local moon = require "moonglass"
local terminal = require "moonglass.support.terminal"
local read_arguments = require "anomaly.arguments"

local function say(...) io.stderr:write("moonglass-anomaly: ", string.format(...), "\n") end

-- "1 row", "3 rows"
local function counted(n, what) return ("%d %s%s"):format(n, what, n == 1 and "" or "s") end

-- ---- rows ----

local function read(o)
  return moon.data.csv(o.rows, {columns = o.columns, ignore = o.ignore, label = o.label, categorical = o.categorical,
    missing = o.missing, delimiter = o.delimiter})
end

-- The number of the label that normal rows have; or nil and a message. Texts have become numbers of classes.
local function normal_label(o, info)
  local wanted = o.normal or "0"
  if not info.classes then
    local number = tonumber(wanted)
    if number then return number end
    return nil, ("--normal is '%s', and the labels in column %s are numbers"):format(wanted, o.label)
  end
  for i, name in ipairs(info.classes) do
    if name == wanted then return i - 1 end
  end
  return nil, ("%s: no row has the label '%s' in column %s; its labels are %s: name the normal one by --normal"):format(
    o.rows, wanted, o.label, table.concat(info.classes, ", "))
end

-- Numbers of the rows that are trained on, of normal rows that are kept for a test, and of anomalies.
local function divide(labels, normal)
  local train, kept, anomalies = {}, {}, {}
  local normal_rows = {}
  for i, label in ipairs(labels:totable()) do
    local list = label == normal and normal_rows or anomalies
    list[#list + 1] = i
  end
  if #normal_rows == 0 then return train, kept, anomalies end
  for i, k in ipairs(moon.randperm(#normal_rows):totable()) do
    local list = i % 5 == 0 and kept or train
    list[#list + 1] = normal_rows[k]
  end
  return train, kept, anomalies
end

-- ---- the detector ----

local function fit(o, x, info)
  return moon.detector.fit(x, {columns = info.columns, categories = info.categories, quantile = o.quantile,
    ensemble = o.ensemble, score = o.score, epochs = o.epochs, seed = o.seed or 0, threads = o.threads,
    verbose = not o.quiet and terminal.is_terminal() and 1 or 0})
end

local function share(alarms) return ("%.1f %% (%d of %d)"):format(100 * alarms:mean(), alarms:sum(), #alarms) end

-- How the detector does on rows that it has not seen.
local function report_test(detector, x, kept, anomalies)
  if #kept == 0 or #anomalies == 0 then
    print("no AUC: it takes normal rows and anomalies")
    return
  end
  local normal, strange = x:index(kept), x:index(anomalies)
  local scores = moon.cat{detector:scores(normal), detector:scores(strange)}
  local positive = moon.cat{moon.zeros(#kept), moon.ones(#anomalies)}
  print(("AUC %.4f, of %s against %s that were kept for this test"):format(moon.metrics.auc(scores, positive),
    #anomalies == 1 and "1 anomaly" or #anomalies .. " anomalies", counted(#kept, "normal row")))
  print(("alarms: %s of the anomalies, %s of these normal rows"):format(share(detector:alarms(strange)),
    share(detector:alarms(normal))))
end

local function report_rows(o, x, info)
  print(("%s: %s, %s%s"):format(o.rows, counted(#x, "row"), counted(#info.columns, "column"),
    info.missing > 0 and ", " .. counted(info.missing, "missing cell") or ""))
end

local function report_detector(o, detector)
  local c = detector:calibration()
  print(("threshold %.6g: %.3g %% of normal rows are below it"):format(detector.threshold, 100 * c.quantile))
  print(("false alarms among %d rows that were held out: %.2f %% (%.2f to %.2f %% of others)"):format(c.rows,
    100 * c.rate, 100 * c.interval[1], 100 * c.interval[2]))
  print(("written: %s"):format(o.output))
end

-- Train, save, tell. Returns true; or nil and a message.
local function run(o)
  local x, info = read(o)
  if not x then return nil, info end
  if not o.quiet then report_rows(o, x, info) end
  moon.seed(o.seed or 0)
  local train, kept, anomalies = x, {}, {}
  if o.label then
    local normal, message = normal_label(o, info)
    if not normal then return nil, message end
    local list
    list, kept, anomalies = divide(info.labels, normal)
    if #list == 0 then return nil, ("%s: no row has the label of normal rows, which are trained on"):format(o.rows) end
    train = x:index(list)
  end
  local detector = fit(o, train, info)
  local saved, message = detector:save(o.output)
  if not saved then return nil, message end
  if o.quiet then return true end
  report_detector(o, detector)
  if o.label then report_test(detector, x, kept, anomalies) end
  return true
end

return function(words)
  local o, message = read_arguments(words)
  local status = 2
  if o and o.help then return -1 end
  if o then
    o, message = run(o)
    status = 1
  end
  if o then return 0 end
  say("%s", message)
  return status
end

-- Anomalies in a sensor's series. A row is a window of the series, the last numbers before a point in time; a detector
-- learns windows of the first part, in which little is wrong, and scores every window. The score at a time is that of
-- the window which ends there: what a program would say that watches the sensor. Some alarms in a row are an event.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"
local reports = require "experiment.report"

local run <close> = experiment.start{
  name = "series",
  about = "Find what is strange in a sensor's series: windows over it, a detector, scores over time.",
  argument = "file",
  options = {
    {"file", nil, "a CSV file with a header (default: a drawn series with faults)", "text"},
    {"column", "value", "the column of the numbers: a name, or its place from 1"},
    {"time", nil, "the column of the times, if the events should have them: texts or numbers", "text"},
    {"normal", nil, "learn another CSV file of the same sensor, not the first part of --file", "text"},
    {"train", 0.4, "the first part of the series, which is learnt; 1: all of it", "share"},
    {"window", 96, "numbers in a window"},
    {"steps", 2500, "training steps of a net, at most"},
    {"ensemble", 1, "nets in the detector"},
    {"quantile", 0.99, "fraction of the normal windows below the threshold", "fraction"},
    {"least", 5, "alarms in a row that make an event"},
    {"show", 6, "how many of the strangest windows are drawn"},
  },
  training = false, data = false,
}
local o = run.options

-- ---- the series: [T x 1] ----

-- Days of 100 numbers, two waves and noise. From the middle on, something is wrong five times: {kind, first, last}.
local function draw_series()
  local n, day = 9000, 100
  local t = moon.arange(0, n):mul_(2 * math.pi / day)
  local x = t:map(math.sin) + (t * 3):map(math.cos) * 0.3 + moon.randn(n) * 0.05
  local faults = {{"spike", 4575, 4577}, {"jump", 5550, 5650}, {"stuck", 6430, 6490}, {"twice as fast", 7350, 7450},
    {"noise", 8325, 8375}}
  local wrong = {
    spike = function(_, v) return v + 2 end, jump = function(_, v) return v + 1 end,
    stuck = function() return x[6429] end, noise = function(_, v) return v + 0.6 * moon.randn(1)[1] end,
    ["twice as fast"] = function(i) return math.sin(2 * t[i]) end,
  }
  for _, fault in ipairs(faults) do
    for i = fault[2], fault[3] do x[i] = wrong[fault[1]](i, x[i]) end
  end
  return x:reshape(n, 1), faults
end

-- Also the texts of its column of times, or nil.
local function read_series(path, time)
  local x, info = moon.data.csv(path, {columns = {o.column}, label = time})
  if not x then error(info, 0) end
  if #x < 2 * o.window then error(("%s: %d rows, expected at least two windows"):format(path, #x), 0) end
  local times, texts = time and info.labels:totable(), info.classes
  for i, v in ipairs(times or {}) do times[i] = texts and texts[math.tointeger(v) + 1] or v end
  return x, times
end

local series, times, faults
if o.file then series, times = read_series(o.file, o.time) else series, faults = draw_series() end
local count, n = #series, o.window
local learnt = o.normal and read_series(o.normal) or series:rows(1, math.max(2 * n, math.floor(count * o.train)))
run:print(("%d numbers; learnt are %s"):format(count, o.normal and ("the %d of %s"):format(#learnt, o.normal)
  or ("the first %d of them"):format(#learnt)))

-- ---- the detector ----

-- Windows overlap, so those that are held out for the threshold are other parts of the series, not some of all windows.
-- Gaps do not count.
local warned
moon.set_log(function(line) warned = warned or line end) -- few windows for the threshold
local detector = moon.detector.fit(learnt:windows(n), {
  quantile = o.quantile, ensemble = o.ensemble, steps = o.steps, seed = o.seed, threads = o.threads,
})
moon.set_log(nil)
local windows = series:windows(n, 1)
local scores, alarms = detector:scores(windows), detector:alarms(windows):totable()
run:save(detector, "detector")

-- Window i ends at number i + n - 1.
local ends = moon.arange(n, count + 1)

-- {first, last, peak}: the times of the first and the last alarm, and the window with the largest score.
local function find_events()
  local events, first = {}, nil
  for i = 1, #alarms + 1 do
    if alarms[i] == 1 then
      first = first or i
    elseif first then
      if i - first >= o.least then
        local peak = first - 1 + math.tointeger(scores:rows(first, i - 1):argmax())
        events[#events + 1] = {first = first + n - 1, last = i + n - 2, peak = peak, score = scores[peak]}
      end
      first = nil
    end
  end
  return events
end

local events = find_events()
table.sort(events, function(a, b) return a.score > b.score end)

-- ---- what was found ----

local rows = {{"event", "first alarm", "last alarm", "score", "of the threshold", times and "since"}}
for i, e in ipairs(events) do
  rows[i + 1] = {i, e.first, e.last, e.score, e.score / detector.threshold, times and times[e.first]}
end
local report = reports.new(run, o.file and ("%s: %s"):format(o.file, o.column) or "A drawn series")
if warned then report:say("%s.", (warned:gsub("^warning: ", "A warning: "))) end
report:table("events", rows, {nil, nil, nil, "%.4g", "%.1f"}, "Events: at least " .. o.least .. " alarms in a row")
run:figure("threshold", detector.threshold)
run:figure("events", #events, "%d")
if not o.normal and #learnt < count then
  local later = scores:rows(#learnt - n + 2, #scores)
  run:figure("alarms after what is learnt", later:gt(detector.threshold):mean(), "%.4f")
end

-- An event is of a fault if it begins during the fault, or at most a window later.
local function found_at(fault)
  for _, e in ipairs(events) do
    if e.last >= fault[2] and e.first <= fault[3] + n then return e end
  end
end

if faults then
  local found, of_faults = {{"fault", "first", "last", "first alarm"}}, {}
  for i, fault in ipairs(faults) do
    local e = found_at(fault)
    if e then of_faults[e] = true end
    found[i + 1] = {fault[1], fault[2], fault[3], e and math.max(e.first, fault[2]) or "none"}
  end
  report:table("faults", found, {}, "What is wrong in the drawn series, and when the first alarm came")
  local caught, false_events = 0, 0
  for i = 2, #found do caught = caught + (found[i][4] ~= "none" and 1 or 0) end
  for _, e in ipairs(events) do false_events = false_events + (of_faults[e] and 0 or 1) end
  run:figure("faults found", caught, "%d")
  run:figure("false events", false_events, "%d")
  report:say("%d of %d faults were found; %d other events.", caught, #faults, false_events)
end

-- ---- pictures: the series and its scores over time; the strangest windows ----

local marked = moon.full(0 / 0, count)
for _, e in ipairs(events) do
  for i = e.first, e.last do marked[i] = series:get(i, 1) end
end
local over_time = {{y = series:reshape(-1), label = o.file and o.column or "drawn"}}
if #events > 0 then over_time[2] = {y = marked, label = "events"} end
run:columns("scores", {"time", "value", "score", "alarm"}, {ends, series:rows(n, count):reshape(-1), scores, alarms})
report:plot("panels", "series", {
  {series = over_time, title = "the series", xrange = {1, count}, legend = "top left"},
  {series = {{x = ends, y = scores, label = "score"}, {x = {1, count}, y = {detector.threshold, detector.threshold},
    label = "threshold"}}, title = "score of the window that ends here", xrange = {1, count}, logy = true,
    legend = "top left"},
}, {columns = 1, width = 1200, height = 700, caption = "The series with its events, and below the score of the window "
  .. "that ends at each time: what lies above the threshold is an alarm"})

-- What the detector expected in a window.
local function expected(row)
  local list = {}
  for _, reason in ipairs(detector:explain(row, n)) do list[reason.index] = reason.expected end
  return list
end

-- The windows with the largest scores that do not overlap.
local function strangest()
  local chosen, taken = {}, {}
  for _, place in ipairs(select(2, scores:topk(#scores)):totable()) do
    local i, free = math.tointeger(place), true
    for _, other in ipairs(taken) do free = free and math.abs(other - i) >= n end
    if free then
      taken[#taken + 1] = i
      local row = windows:batch(i, 1)
      chosen[#chosen + 1] = {title = ("at %d, score %.3g"):format(i + n - 1, scores[i]), legend = "below", series = {
        {x = moon.arange(i, i + n), y = row[1], label = "window"},
        {x = moon.arange(i, i + n), y = expected(row[1]), label = "expected"},
      }}
    end
    if #taken == o.show then break end
  end
  return chosen
end

report:plot("panels", "strangest", strangest(), {columns = 3, width = 1500,
  caption = "The windows with the largest scores that do not overlap, and what the detector expected"})
report.page:code(tostring(detector))
report:finish("series.html", "The page of this series")

--- moon.plot.bars: groups of bars, with a label below each group.
local axes = require "moonglass.plot.axes"
local checks = require "moonglass.plot.checks"
local errors = require "moonglass.support.errors"
local gnuplot = require "moonglass.plot.gnuplot"
local options = require "moonglass.support.options"

local bars = {}

-- ---- heights ----

---One colour of bars of `moon.plot.bars`.
---@class moonglass.BarSeries
---@field y moonglass.Numbers required: one for each label; NaN and infinity are left out
---@field label string? in the legend
local series_rules = {y = {"any", required = true}, label = {"text"}}

local function read_series(what, element, n, o)
  local s = options.checker(what, series_rules)(element)
  local y, count = checks.numbers(what, "y", s.y)
  if count ~= n then errors.raise("%s: y has %d numbers, expected one for each of the %d labels", what, count, n) end
  checks.drawable(what, n, y, y, {logy = o.logy})
  return y, s.label
end

-- The centres of the i-th bar in each of n groups 0, 1, ...; room: the width of a bar, many: the bars in a group.
local function middles(n, i, many, room)
  local x = {}
  for k = 1, n do x[k] = k - 1 + (i - (many + 1) / 2) * room end
  return x
end

local function has_negative(list, n)
  for i = 1, n do
    if checks.is_finite(list[i]) and list[i] < 0 then return true end
  end
  return false
end

-- ---- labels ----

-- A label takes about 7 pixels per character. Labels that would touch are rotated.
local function are_crowded(labels, width)
  local widest = 0
  for _, label in ipairs(labels) do
    for line in tostring(label):gmatch("[^\n]+") do widest = math.max(widest, utf8.len(line)) end
  end
  return widest * 7 > 0.75 * width / #labels
end

local function most_lines(labels)
  local most = 1
  for _, label in ipairs(labels) do most = math.max(most, 1 + select(2, tostring(label):gsub("\n", ""))) end
  return most
end

local function add_labels(script, what, labels, width, xlabel)
  local tics = {}
  for i, label in ipairs(labels) do
    -- In a tic's label % starts a format, so it is escaped as "\045".
    local text = checks.text(what, ("labels[%d]"):format(i), label):gsub("\\045", "%0%0")
    tics[i] = ("%s %d"):format(text, i - 1)
  end
  local crowded, lines = are_crowded(labels, width), most_lines(labels)
  script:add("set xtics %s scale 0 (%s)", crowded and "rotate by -35 left" or "norotate", table.concat(tics, ", "))
  -- gnuplot leaves room for one line only, so add room for the others.
  if lines > 1 and not crowded then script:add("set bmargin %d", lines + (xlabel and 2 or 1)) end
end

-- ---- bars ----

--- Adds axes and bars to a script. The axes are at most `width` pixels wide.
function bars.add(script, what, labels, list, o, legend, width)
  checks.filled(what, "labels", labels)
  checks.filled(what, "series", list)
  local n, room, curves = #labels, 0.8 / #list, {}
  local negative, labelled, extent = false, false, {y = {}}
  for i, element in ipairs(list) do
    local place = ("%s: series %d"):format(what, i)
    local y, label = read_series(place, element, n, o)
    curves[i] = ("%s using 1:2 with boxes fill solid 0.9 noborder linetype %d %s"):format(
      script:block(n, middles(n, i, #list, room), y), axes.line_type(i - 1), checks.legend_entry(place, "label", label))
    axes.extend(extent.y, y, n)
    negative, labelled = negative or has_negative(y, n), labelled or label
  end
  axes.add(script, what, o, labelled and legend, false, extent)
  add_labels(script, what, labels, width, o.xlabel)
  script:add("set boxwidth %s absolute\nset grid noxtics\nset xrange [-0.6:%d.6]", gnuplot.number(room), n - 1)
  if not (o.yrange or o.logy or negative) then script:add("set yrange [0:*]") end
  axes.add_plot(script, curves)
end

bars.rules = axes.rules{yrange = axes.ranges.yrange, logy = axes.logs.logy}

---Options of `moon.plot.bars`.
---@class moonglass.BarsOptions: moonglass.AxesOptions, moonglass.SizeOptions
---@field yrange number[]? {from, to}
---@field logy boolean|number? a logarithmic axis: true, or the base
local check = options.checker("plot.bars", axes.rules(bars.rules, axes.size))

---Bars in groups, one group for each label. Each series is {y =, label =}, with one bar in each group.
---@name moon.plot.bars(path, labels, series, options)
---@param path string
---@param labels (string|number)[] one below each group
---@param series moonglass.BarSeries[]
---@param options moonglass.BarsOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function bars.draw(path, labels, series, given)
  local o = check(given)
  return axes.draw("plot.bars", path, o, function(script)
    bars.add(script, "plot.bars", labels, series, o, "right", o.width)
  end)
end

return bars

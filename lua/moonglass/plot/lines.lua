--- moon.plot.lines: curves over one pair of axes.
local axes = require "moonglass.plot.axes"
local checks = require "moonglass.plot.checks"
local errors = require "moonglass.support.errors"
local options = require "moonglass.support.options"

local lines = {}

local styles = {
  lines = "lines linewidth 2", points = "points pointtype 7 pointsize 0.6", steps = "steps linewidth 2",
  linespoints = "linespoints linewidth 2 pointtype 7 pointsize 0.6",
}

---One curve of `moon.plot.lines`.
---@class moonglass.LineSeries
---@field y moonglass.Numbers required; nil, NaN and infinity make a gap
---@field x moonglass.Numbers? 1 to n if not given
---@field label string? in the legend
---@field style "lines"|"points"|"linespoints"|"steps"? default "lines"
local series_rules = {
  x = {"any"}, y = {"any", required = true}, label = {"text"},
  style = {{"lines", "points", "linespoints", "steps"}, "lines"},
}

local function count_up(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

local function read_series(what, element, o)
  local s = options.checker(what, series_rules)(element)
  local y, n = checks.numbers(what, "y", s.y)
  local x, x_n = count_up(n), n
  if s.x ~= nil then x, x_n = checks.numbers(what, "x", s.x) end
  if x_n ~= n then errors.raise("%s: x has %d numbers, expected %d, as many as y", what, x_n, n) end
  checks.drawable(what, n, x, y, o)
  -- A line with a single point would be invisible.
  return {x = x, y = y, n = n, label = s.label, style = n == 1 and "points" or s.style, counts = s.x == nil}
end

local most_counted = 10 -- up to so many whole numbers each have a tic

--- Adds axes and curves to a script.
function lines.add(script, what, list, o, legend)
  checks.filled(what, "series", list)
  local curves, labelled, few = {}, false, true
  local extent = {x = {}, y = {}}
  for i, element in ipairs(list) do
    local place = ("%s: series %d"):format(what, i)
    local s = read_series(place, element, o)
    curves[i] = ("%s using 1:2 with %s linetype %d %s"):format(script:block(s.n, s.x, s.y), styles[s.style],
      axes.line_type(i - 1), checks.legend_entry(place, "label", s.label))
    axes.extend(extent.x, s.x, s.n)
    axes.extend(extent.y, s.y, s.n)
    labelled, few = labelled or s.label, few and s.counts and s.n <= most_counted
  end
  axes.add(script, what, o, labelled and legend, true, extent)
  if few and not o.logx then script:add("set xtics 1") end -- there is no epoch 1.5
  axes.add_plot(script, curves)
end

lines.rules = axes.rules(axes.ranges, axes.logs)

---Options of `moon.plot.lines`.
---@class moonglass.LinesOptions: moonglass.AxesOptions, moonglass.SizeOptions
---@field xrange number[]? {from, to}; nil for the data's limit
---@field yrange number[]? {from, to}
---@field logx boolean|number? a logarithmic axis: true, or the base
---@field logy boolean|number? a logarithmic axis: true, or the base
local check = options.checker("plot.lines", axes.rules(lines.rules, axes.size))

---Curves over one pair of axes. Each is {y =, x =, label =, style =}.
---@name moon.plot.lines(path, series, options)
---@param path string
---@param series moonglass.LineSeries[]
---@param options moonglass.LinesOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function lines.draw(path, series, given)
  local o = check(given)
  return axes.draw("plot.lines", path, o, function(script) lines.add(script, "plot.lines", series, o, "right") end)
end

return lines

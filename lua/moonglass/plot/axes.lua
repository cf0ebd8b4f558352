--- A pair of axes: options, look, colours.
local checks = require "moonglass.plot.checks"
local errors = require "moonglass.support.errors"
local gnuplot = require "moonglass.plot.gnuplot"
local options = require "moonglass.support.options"

local axes = {}

-- ---- colours ----

-- Ten calm colours. Any two are at least 33 apart in CIE 1976 L*a*b*.
axes.colours = {
  0x2b6cb0, 0xe8862e, 0x43a04a, 0xc93c3c, 0x9a63c0, 0x70472f, 0xec92c0, 0x868a8e, 0xd2bd3c, 0x36b6c6,
}

--- gnuplot's number for the colour of the i-th curve or class, from 0. After ten, the colours repeat.
function axes.line_type(i) return i % #axes.colours + 1 end

-- ---- options ----

-- Legends inside the axes are transparent.
local legends = {right = "outside right top", below = "outside below center horizontal height 0.5"}
for _, place in ipairs{"top left", "top right", "bottom left", "bottom right"} do
  legends[place] = ('inside %s opaque fillcolor rgb "#60ffffff"'):format(place)
end
local legend_names = {"right", "below", "top left", "top right", "bottom left", "bottom right", "none"}

axes.ranges = {xrange = {"list"}, yrange = {"list"}}
axes.logs = {logx = {"any"}, logy = {"any"}}

---Options of every plot: the size of the picture.
---@class moonglass.SizeOptions
---@field width integer? default 800, 100 to 10000: pixels
---@field height integer? default 600, 100 to 10000: pixels
axes.size = {width = {"count", 800}, height = {"count", 600}}

---Options of every pair of axes.
---@class moonglass.AxesOptions
---@field title string?
---@field xlabel string?
---@field ylabel string?
---@field legend "right"|"below"|"top left"|"top right"|"bottom left"|"bottom right"|"none"? the place of the legend

--- The rules for the options of all axes, and for those in the given tables.
function axes.rules(...)
  local all = {title = {"text"}, xlabel = {"text"}, ylabel = {"text"}, legend = {legend_names}}
  for _, rules in ipairs{...} do
    for name, rule in pairs(rules) do all[name] = rule end
  end
  return all
end

local function check_size(what, o)
  for _, name in ipairs{"width", "height"} do
    if o[name] < 100 or o[name] > 10000 then
      errors.raise("%s: %s is %d, expected 100 to 10000", what, name, o[name])
    end
  end
end

local function check_path(what, path)
  if type(path) ~= "string" or path == "" or path:find("\0") then
    errors.raise("%s: path is %s, expected the name of a file", what, options.show(path))
  end
end

-- ---- settings ----

local function range_text(what, name, range, log)
  local ends = {}
  for i = 1, 2 do
    local v = range and range[i]
    if v ~= nil and not (type(v) == "number" and checks.fits(v, log)) then
      errors.raise("%s: %s[%d] is %s, expected a finite number%s", what, name, i, options.show(v),
        log and " above 0" or "")
    end
    ends[i] = v and gnuplot.number(v) or "*"
  end
  if range and range[1] and range[1] == range[2] then
    errors.raise("%s: %s is from %s to %s, expected two different numbers", what, name, ends[1], ends[2])
  end
  return ("[%s:%s]"):format(ends[1], ends[2])
end

local function log_base(what, name, v)
  if v == true then return 10 end
  if type(v) == "number" and v > 1 and checks.is_finite(v) then return v end
  errors.raise("%s: %s is %s, expected true, false or a base above 1", what, name, options.show(v))
end

-- ---- logarithmic axes ----

local least_tics = 3

-- The multiples of `step` from low to high.
local function multiples(step, low, high)
  local list = {}
  for k = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) do list[#list + 1] = k * step end
  return list
end

-- The powers of `base` from low to high, times each factor. If there are many powers, only every second, third, ...
local function powers(base, low, high, factors)
  local first = math.floor(math.log(low) / math.log(base) + 1e-9)
  local last = math.ceil(math.log(high) / math.log(base) - 1e-9)
  local list, stride = {}, math.max(1, math.ceil((last - first) / 10))
  for k = first, last, stride do
    for _, factor in ipairs(factors) do
      local v = factor * base ^ k
      if v >= low * (1 - 1e-9) and v <= high * (1 + 1e-9) then list[#list + 1] = v end
    end
  end
  return list
end

-- At least three numbers for the tics from low to high: powers of the base; if these are too few, also their double and
-- fivefold for powers of ten; else steps of equal size.
local function log_tics(base, low, high)
  local list = powers(base, low, high, {1})
  if #list < least_tics and base == 10 then list = powers(10, low, high, {1, 2, 5}) end
  local step = 10 ^ math.ceil(math.log(high - low, 10))
  while #list < least_tics do
    for _, part in ipairs{1, 0.5, 0.2} do
      list = #list < least_tics and multiples(part * step, low, high) or list
    end
    step = step / 10
  end
  return list
end

--- The smallest and the largest number that a logarithmic axis can show, among those known so far and those of a list.
function axes.extend(extent, list, n)
  for i = 1, n do
    local v = list[i]
    if checks.fits(v, true) then
      extent[1], extent[2] = math.min(extent[1] or v, v), math.max(extent[2] or v, v)
    end
  end
end

-- The ends of a logarithmic axis: those of the options, else those of the numbers with some room. With room a single
-- number has an axis, and gnuplot's rounding cannot drop a tic at the end.
local function log_range(range, extent, tight)
  local low, high = extent[1], extent[2]
  local room = low == high and 2 or tight and 1 + 1e-6 or math.exp(0.04 * (math.log(high) - math.log(low)))
  if low / room > 0 then low = low / room end
  if checks.is_finite(high * room) then high = high * room end
  local from, to = range and range[1], range and range[2]
  if from and high <= from then high = 10 * from end
  if to and low >= to then low = to / 10 end
  return {from or low, to or high}
end

local function add_log_axis(script, what, axis, o, extent, tight)
  local name, base = axis .. "range", log_base(what, "log" .. axis, o["log" .. axis])
  range_text(what, name, o[name], true)
  local range = log_range(o[name], extent, tight)
  local tics = {}
  for i, v in ipairs(log_tics(base, math.min(range[1], range[2]), math.max(range[1], range[2]))) do
    tics[i] = gnuplot.number(v)
  end
  script:add("set logscale %s %s", axis, gnuplot.number(base))
  script:add('set %stics (%s)', axis, table.concat(tics, ", "))
  script:add('set format %s "%%g"', axis)
  script:add("set %s %s noextend", name, range_text(what, name, range, true))
end

-- Panels follow each other in one script, so every setting of a plot is reset here.
local look = [[
set border 3 linecolor rgb "#909090" linewidth 1
set grid xtics ytics back linetype 1 linecolor rgb "#e4e4e4" linewidth 1
set tics nomirror out scale 0.5 textcolor rgb "#404040"
set xtics autofreq norotate
set ytics autofreq
set bmargin
set style fill transparent solid 0.35 noborder
unset logscale]]

--- All settings of a pair of axes. legend: the default place of the legend; nil: there is none. tight: the x axis ends
-- with the data, while y goes on to the next tic. extent: for each logarithmic axis, "x" or "y", its smallest and its
-- largest number.
function axes.add(script, what, o, legend, tight, extent)
  script:add(look)
  for name, size in pairs{title = 12, xlabel = 10, ylabel = 10} do
    script:add('set %s %s textcolor rgb "#202020" font "sans,%d"', name, checks.text(what, name, o[name] or ""), size)
  end
  for _, axis in ipairs{"x", "y"} do
    local range, is_tight = axis .. "range", axis == "x" and tight
    if o["log" .. axis] then
      add_log_axis(script, what, axis, o, extent[axis], is_tight)
    else
      script:add('set format %s "%% h"', axis) -- gnuplot's default gives all powers the same digits
      script:add("set %s %s%s", range, range_text(what, range, o[range]), is_tight and " noextend" or "")
    end
  end
  local place = legends[legend and o.legend or legend]
  if not place then return script:add("set key off") end
  script:add("set key on noopaque height 0 %s Left reverse samplen 1.5 spacing 1.2", place)
end

--- The command that plots a list of curves.
function axes.add_plot(script, curves) script:add("plot " .. table.concat(curves, ", ")) end

--- Draws a picture. add(script) adds axes and curves to its script. true | nil, message, code
function axes.draw(what, path, o, add)
  check_path(what, path)
  check_size(what, o)
  local script = gnuplot.new_script()
  for i, colour in ipairs(axes.colours) do script:add('set linetype %d linecolor rgb "#%06x"', i, colour) end
  add(script)
  return script:draw(what, path, o.width, o.height)
end

return axes

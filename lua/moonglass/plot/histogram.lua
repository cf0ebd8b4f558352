--- moon.plot.histogram: distributions over one pair of axes.
local axes = require "moonglass.plot.axes"
local checks = require "moonglass.plot.checks"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

local histogram = {}

-- ---- counting ----

local function each_finite(list, n, f)
  for i = 1, n do
    if checks.is_finite(list[i]) then f(list[i]) end
  end
end

-- f(v) for each finite number of a list, or of a tensor of any shape. A tensor is read in parts, since a list of its
-- numbers would be large.
local function each_number(s, f)
  if not native.is_tensor(s.values) then
    local list, n = checks.numbers(s.what, "values", s.values)
    return each_finite(list, n, f)
  end
  local flat, part = s.values:reshape(-1), 65536
  for first = 1, #flat, part do
    local last = math.min(first + part - 1, #flat)
    each_finite(flat:rows(first, last):totable(), last - first + 1, f)
  end
end

-- The smallest and the largest number of all.
local function extent(list)
  local low, high = math.huge, -math.huge
  for _, s in ipairs(list) do
    local any = false
    each_number(s, function(v) low, high, any = math.min(low, v), math.max(high, v), true end)
    if not any then errors.raise("%s: there is nothing to draw, expected finite numbers", s.what) end
  end
  if low == high then return low - 0.5, high + 0.5 end
  return low, high
end

-- The number of values in each bin, as numpy.histogram counts: the last bin includes its right end, and values outside
-- do not count. As a density the bins have an area of 1.
local function heights(s, low, high, o)
  local counts, total, scale = {}, 0, o.bins / (high - low)
  for i = 1, o.bins do counts[i] = 0 end
  each_number(s, function(v)
    if v < low or v > high then return end
    local i = math.min(math.floor((v - low) * scale) + 1, o.bins)
    counts[i], total = counts[i] + 1, total + 1
  end)
  if total == 0 then
    errors.raise("%s: no number lies from %g to %g, expected at least one in range", s.what, low, high)
  end
  for i = 1, o.density and o.bins or 0 do counts[i] = counts[i] * scale / total end
  return counts
end

-- ---- drawing ----

-- The floor of all bins: 0, or on a logarithmic axis half of the lowest bin.
local function find_floor(all, log)
  if not log then return 0 end
  local lowest = math.huge
  for _, counts in ipairs(all) do
    for _, count in ipairs(counts) do
      if count > 0 then lowest = math.min(lowest, count) end
    end
  end
  return lowest / 2
end

-- The outline of the bins, from the floor to the floor.
local function outline(counts, low, high, floor)
  local x, y = {low}, {floor}
  for i, count in ipairs(counts) do
    for k = i - 1, i do
      x[#x + 1], y[#y + 1] = low + (high - low) * k / #counts, math.max(count, floor)
    end
  end
  x[#x + 1], y[#y + 1] = high, floor
  return x, y
end

-- The option range, or else the range of all numbers.
local function find_range(what, list, range)
  if not range then return extent(list) end
  local low, high = range[1], range[2]
  if math.type(low) and math.type(high) and checks.is_finite(low) and checks.is_finite(high) and low < high then
    return low, high
  end
  errors.raise("%s: range is {%s, %s}, expected two finite numbers, the smaller first", what, options.show(low),
    options.show(high))
end

local function add(script, what, list, o)
  local all, curves, labelled = {}, {}, false
  local low, high = find_range(what, list, o.range)
  for i, s in ipairs(list) do all[i] = heights(s, low, high, o) end
  local floor, drawn = find_floor(all, o.logy), {y = {}}
  for i, s in ipairs(list) do
    local x, y = outline(all[i], low, high, floor)
    axes.extend(drawn.y, y, #y)
    local block = script:block(#x, x, y)
    local curve = ("%s using 1:2 with %%s linetype %d %%s"):format(block, axes.line_type(i - 1))
    labelled = labelled or s.label
    local title, filled = checks.legend_entry(s.what, "label", s.label), o.style == "filled"
    if filled then curves[#curves + 1] = curve:format("filledcurves closed", title) end
    curves[#curves + 1] = curve:format("lines linewidth 1.5", filled and "notitle" or title)
  end
  o.yrange = o.yrange or {floor}
  axes.add(script, what, o, labelled and "right", true, drawn)
  axes.add_plot(script, curves)
end

---One distribution of `moon.plot.histogram`.
---@class moonglass.Distribution
---@field values moonglass.Numbers required: of any shape; NaN and infinity do not count
---@field label string? in the legend
local distribution_rules = {values = {"any", required = true}, label = {"text"}}

local function read_distributions(what, list)
  checks.filled(what, "distributions", list)
  local result = {}
  for i, element in ipairs(list) do
    local place = ("%s: distribution %d"):format(what, i)
    result[i] = options.checker(place, distribution_rules)(element)
    result[i].what = place
  end
  return result
end

---Options of `moon.plot.histogram`.
---@class moonglass.HistogramOptions: moonglass.AxesOptions, moonglass.SizeOptions
---@field bins integer? default 50, at most 10000
---@field density boolean? default true: each has an area of 1; false: counts
---@field range number[]? {from, to} of the bins; the range of all numbers if not given
---@field style "filled"|"steps"? default "filled"
---@field xrange number[]? {from, to} of the axis
---@field yrange number[]? {from, to}
---@field logy boolean|number? a logarithmic axis: true, or the base
local check = options.checker("plot.histogram", axes.rules(axes.size, axes.ranges, {
  bins = {"count", 50}, density = {"flag", true}, range = {"list"}, style = {{"filled", "steps"}, "filled"},
  logy = axes.logs.logy,
}))

---Histograms of distributions, over one pair of axes. Each is {values =, label =}.
---@name moon.plot.histogram(path, distributions, options)
---@param path string
---@param distributions moonglass.Distribution[]
---@param options moonglass.HistogramOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function histogram.draw(path, distributions, given)
  local what, o = "plot.histogram", check(given)
  if o.bins > 10000 then errors.raise("%s: bins is %d, expected at most 10000", what, o.bins) end
  o.ylabel = o.ylabel or (o.density and "density" or "count")
  local list = read_distributions(what, distributions)
  return axes.draw(what, path, o, function(script) add(script, what, list, o) end)
end

return histogram

--- moon.plot.scatter and moon.plot.regions: points of classes in the plane, and a classifier's regions around them.
local axes = require "moonglass.plot.axes"
local checks = require "moonglass.plot.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local gnuplot = require "moonglass.plot.gnuplot"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

local classes = {}

-- ---- points ----

-- gnuplot's numbers of shapes: one for the first ten classes, another for the next ten, and so on.
local shapes = {7, 5, 9, 11, 13}

-- The points of each class: a list of {class=, x=, y=, n=} in the order of the classes.
local function by_class(points, numbers)
  local groups, list = {}, {}
  for i = 1, points.n do
    local class = numbers[i]
    local group = groups[class]
    if not group then
      group = {class = class, x = {}, y = {}, n = 0}
      groups[class], list[#list + 1] = group, group
    end
    group.n = group.n + 1
    group.x[group.n], group.y[group.n] = points.x[i], points.y[i]
  end
  table.sort(list, function(a, b) return a.class < b.class end)
  return list
end

local function class_entry(what, o, class)
  local name = o.labels and o.labels[class + 1]
  return checks.legend_entry(what, ("labels[%d]"):format(class + 1), name == nil and class or name)
end

-- Many points are drawn small.
local function point_size(o, n) return o.size or math.max(0.35, 0.9 - n / 4000) end

-- The curves that draw the groups, with white rings if the points shall stand out. The legend's entries always have the
-- same size, since points may be small.
local function point_curves(script, what, groups, o, size, ringed)
  local curves, entries = {}, {}
  for i, group in ipairs(groups) do
    local shape, line = shapes[group.class // #axes.colours % #shapes + 1], axes.line_type(group.class)
    local points = ("%s using 1:2 with points pointtype %d pointsize %%s %%s notitle"):format(
      script:block(group.n, group.x, group.y), shape)
    if ringed then curves[#curves + 1] = points:format(gnuplot.number(size * 1.5), 'linecolor rgb "#ffffff"') end
    curves[#curves + 1] = points:format(gnuplot.number(size), "linetype " .. line)
    entries[i] = ("keyentry with points pointtype %d pointsize 1.1 linetype %d %s"):format(shape, line,
      class_entry(what, o, group.class))
  end
  return table.move(entries, 1, #entries, #curves + 1, curves)
end

-- ---- scatter ----

-- The middle one of the finite numbers; nil if there is none.
local function median(list, n)
  local sorted = {}
  for i = 1, n do
    if checks.is_finite(list[i]) then sorted[#sorted + 1] = list[i] end
  end
  table.sort(sorted)
  return sorted[(#sorted + 1) // 2]
end

-- The name of each class amid its points.
local function add_names(script, what, groups, o)
  script:add('set style textbox opaque noborder fillcolor rgb "#ffffff" margins 0.5, 0.3')
  for _, group in ipairs(groups) do
    local x, y = median(group.x, group.n), median(group.y, group.n)
    local name = o.labels and o.labels[group.class + 1]
    if x and y then
      script:add('set label %s at %s, %s center front boxed font "sans:Bold,14" textcolor rgb "#202020"',
        checks.text(what, ("labels[%d]"):format(group.class + 1), name == nil and group.class or name),
        gnuplot.number(x), gnuplot.number(y))
    end
  end
end

local function zeros(n)
  local list = {}
  for i = 1, n do list[i] = 0 end
  return list
end

local point_rules = {labels = {"texts"}, size = {"positive"}}
local name_rules = {named = {"flag", false}}

---Options of `moon.plot.scatter`.
---@class moonglass.ScatterOptions: moonglass.AxesOptions, moonglass.SizeOptions
---@field labels string[]? names of class 0, class 1 and so on
---@field size number? above 0: the size of the points; 1 is about 7 pixels
---@field named boolean? default false; true: each class's name also stands amid its points
---@field xrange number[]? {from, to}
---@field yrange number[]? {from, to}
---@field logx boolean|number? a logarithmic axis: true, or the base
---@field logy boolean|number? a logarithmic axis: true, or the base
local scatter_options = options.checker("plot.scatter", axes.rules(axes.ranges, axes.logs, axes.size, point_rules,
  name_rules))

---Points in the plane, the rows of x, with a colour for each class in y.
---@name moon.plot.scatter(path, x, y, options)
---@param path string
---@param x moonglass.Tensor [n x 2]
---@param y moonglass.Numbers? [n], class numbers from 0; nil: one colour for all
---@param options moonglass.ScatterOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function classes.scatter(path, x, y, given)
  local what, o = "plot.scatter", scatter_options(given)
  local points = checks.points(what, x)
  checks.drawable(what .. ": x", points.n, points.x, points.y, o)
  local numbers = y ~= nil and checks.classes(what, "y", y, points.n) or zeros(points.n)
  return axes.draw(what, path, o, function(script)
    local groups = by_class(points, numbers)
    local curves = point_curves(script, what, groups, o, point_size(o, points.n))
    local extent = {x = {}, y = {}}
    axes.extend(extent.x, points.x, points.n)
    axes.extend(extent.y, points.y, points.n)
    axes.add(script, what, o, y ~= nil and "right", false, extent)
    if o.named and y ~= nil then add_names(script, what, groups, o) end
    axes.add_plot(script, curves)
  end)
end

-- ---- regions ----

-- The ends of an axis: those of the numbers, with a margin on both sides.
local function frame(list, n, margin)
  local low, high = math.huge, -math.huge
  for i = 1, n do
    if checks.is_finite(list[i]) then low, high = math.min(low, list[i]), math.max(high, list[i]) end
  end
  local more = high > low and margin * (high - low) or 1
  return {low - more, high + more}
end

-- The centre of the i-th of `steps` cells.
local function middle(range, i, steps) return range[1] + (i - 0.5) * (range[2] - range[1]) / steps end

-- The centres of steps x steps cells as a tensor [steps^2 x 2], row by row from the bottom.
local function cell_middles(xs, ys, steps)
  local line = core.linspace(middle(xs, 1, steps), middle(xs, steps, steps), steps):reshape(steps, 1)
  local lines = {}
  for i = 1, steps do lines[i] = core.cat({line, core.full(middle(ys, i, steps), steps, 1)}, 2) end
  return core.cat(lines, 1)
end

-- A function from points to a net's classes: the place of its largest output.
local function of_net(what, net)
  return function(points)
    local outputs = net:predict(points)
    if native.is_tensor(outputs) and outputs:rank() == 2 and outputs:size(2) > 1 then return outputs:argmax(2) - 1 end
    errors.raise("%s: the net gave %s, expected an output for each of two classes or more; else give a function", what,
      checks.show(outputs))
  end
end

local function as_function(what, classify)
  if type(classify) == "function" then return classify end
  if native.is_net(classify) or type(classify) == "table" and type(classify.predict) == "function" then
    return of_net(what, classify)
  end
  errors.raise("%s: classify is %s, expected a function or a net", what, options.show(classify))
end

-- A tint: a fraction `share` of the colour, the rest white.
local function tint(colour, share)
  local mixed = 0
  for shift = 16, 0, -8 do
    mixed = mixed << 8 | math.floor(255.5 - share * (255 - (colour >> shift & 255)))
  end
  return mixed
end

-- The curve that fills the cells, with a palette of tints: values 0, 1, ... are its colours.
local function add_cells(script, numbers, xs, ys, steps)
  local columns, stops, n = {}, {}, #axes.colours
  for column = 1, steps do
    local list = {}
    for line = 1, steps do list[line] = numbers[(line - 1) * steps + column] % n end
    columns[column] = list
  end
  for i, colour in ipairs(axes.colours) do stops[i] = ('%d "#%06x"'):format(i - 1, tint(colour, 0.35)) end
  script:add("set palette model RGB maxcolors %d defined (%s)", n, table.concat(stops, ", "))
  script:add("set cbrange [-0.5:%d.5]\nunset colorbox", n - 1)
  local function place(range, column)
    return ("(%s + $%d * %s)"):format(gnuplot.number(middle(range, 1, steps)), column,
      gnuplot.number((range[2] - range[1]) / steps))
  end
  return ("%s matrix using %s:%s:3 with image notitle"):format(script:block(steps, table.unpack(columns)),
    place(xs, 1), place(ys, 2))
end

---Options of `moon.plot.regions`.
---@class moonglass.RegionsOptions: moonglass.AxesOptions, moonglass.SizeOptions
---@field labels string[]? names of class 0, class 1 and so on
---@field size number? above 0: the size of the points; 1 is about 7 pixels
---@field steps integer? default 200, 2 to 2000: places per side
---@field margin number? default 0.1, at least 0: the margin around the points, as a fraction of their extent
local regions_options = options.checker("plot.regions", axes.rules(axes.size, point_rules, {
  steps = {"count", 200}, margin = {"number", 0.1},
}))

local function check_regions(what, o)
  if o.steps < 2 or o.steps > 2000 then errors.raise("%s: steps is %d, expected 2 to 2000", what, o.steps) end
  if o.margin < 0 then errors.raise("%s: margin is %g, expected at least 0", what, o.margin) end
end

---The regions that a classifier assigns to each class, with points of known classes on top. `classify` maps points [m x
---2] to m class numbers, or is a net, whose largest output counts.
---@name moon.plot.regions(path, classify, x, y, options)
---@param path string
---@param classify moonglass.Net|fun(points: moonglass.Tensor): moonglass.Numbers from [m x 2] to m class numbers
---@param x moonglass.Tensor [n x 2]
---@param y moonglass.Numbers [n], class numbers from 0
---@param options moonglass.RegionsOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function classes.regions(path, classify, x, y, given)
  local what, o = "plot.regions", regions_options(given)
  check_regions(what, o)
  local points = checks.points(what, x)
  checks.drawable(what .. ": x", points.n, points.x, points.y, o)
  local groups = by_class(points, checks.classes(what, "y", y, points.n))
  local xs, ys = frame(points.x, points.n, o.margin), frame(points.y, points.n, o.margin)
  local cells = as_function(what, classify)(cell_middles(xs, ys, o.steps))
  cells = checks.classes(what, "what classify gave", cells, o.steps * o.steps)
  o.xrange, o.yrange = xs, ys
  return axes.draw(what, path, o, function(script)
    local image = add_cells(script, cells, xs, ys, o.steps)
    local curves = point_curves(script, what, groups, o, point_size(o, points.n), true)
    axes.add(script, what, o, "right")
    script:add("unset grid")
    axes.add_plot(script, {image, table.unpack(curves)})
  end)
end

return classes

--- moon.plot.panels: small plots in one picture.
local axes = require "moonglass.plot.axes"
local bars = require "moonglass.plot.bars"
local checks = require "moonglass.plot.checks"
local lines = require "moonglass.plot.lines"
local options = require "moonglass.support.options"

local panels = {}

---One plot of `moon.plot.panels`. It takes the options of lines, or with labels those of bars, but not the size.
---@class moonglass.Panel: moonglass.AxesOptions
---@field series (moonglass.LineSeries|moonglass.BarSeries)[] required
---@field labels (string|number)[]? below groups of bars
---@field xrange number[]? {from, to}
---@field yrange number[]? {from, to}
---@field logx boolean|number? a logarithmic axis: true, or the base
---@field logy boolean|number? a logarithmic axis: true, or the base
local line_rules = axes.rules(lines.rules, {series = {"list", required = true}})
local bar_rules = axes.rules(bars.rules, {series = {"list", required = true}, labels = {"texts", required = true}})

local function add_panel(script, what, panel, width)
  local is_bars = type(panel) == "table" and panel.labels ~= nil
  local o = options.checker(what, is_bars and bar_rules or line_rules)(panel)
  if is_bars then
    bars.add(script, what, o.labels, o.series, o, "top right", width)
  else
    lines.add(script, what, o.series, o, "top right")
  end
end

---Options of `moon.plot.panels`.
---@class moonglass.PanelsOptions
---@field title string?
---@field columns integer? about as many as lines if not given
---@field width integer? of the whole picture; 360 pixels per panel if not given
---@field height integer? of the whole picture; 270 pixels per panel if not given
local check = options.checker("plot.panels", {
  title = {"text"}, columns = {"count"}, width = {"count"}, height = {"count"},
})

---Small plots in one picture, line by line from the left. Each is {series =, title =, ...}, with options of lines, or
---with `labels` also of bars.
---@name moon.plot.panels(path, list, options)
---@param path string
---@param list moonglass.Panel[]
---@param options moonglass.PanelsOptions?
---@return true? ok nil if gnuplot is missing or fails, or the file cannot be written
---@return string? message
---@return moonglass.Code? code
function panels.draw(path, list, given)
  local what, o = "plot.panels", check(given)
  checks.filled(what, "panels", list)
  local columns = math.min(o.columns or math.ceil(math.sqrt(#list)), #list)
  local rows = math.ceil(#list / columns)
  o.width, o.height = o.width or 360 * columns, o.height or 270 * rows
  return axes.draw(what, path, o, function(script)
    script:add("set multiplot layout %d,%d%s", rows, columns,
      o.title and " title " .. checks.text(what, "title", o.title) .. ' font "sans,13"' or "")
    for i, panel in ipairs(list) do
      add_panel(script, ("%s: panel %d"):format(what, i), panel, o.width / columns)
    end
    script:add("unset multiplot")
  end)
end

return panels

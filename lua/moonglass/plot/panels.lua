--- Panels: many small plots in one picture.
local axes = require "moonglass.plot.axes"
local bars = require "moonglass.plot.bars"
local given = require "moonglass.plot.given"
local lines = require "moonglass.plot.lines"
local options = require "moonglass.support.options"

local panels = {}

local line_rules = axes.rules(lines.rules, {series = {"list", required = true}})
local bar_rules = axes.rules(bars.rules, {series = {"list", required = true}, labels = {"list", required = true}})

local function add_panel(script, what, panel, width)
  local is_bars = type(panel) == "table" and panel.labels ~= nil
  local o = options.checker(what, is_bars and bar_rules or line_rules)(panel)
  if is_bars then
    bars.add(script, what, o.labels, o.series, o, "top right", width)
  else
    lines.add(script, what, o.series, o, "top right")
  end
end

local check = options.checker("plot.panels", {
  title = {"text"}, columns = {"count"}, width = {"count"}, height = {"count"},
})

--- A list of panels, line by line from the left: each is {series=, title=, ...} with any option of lines, or with
-- labels= as well any of bars, but no size. options: title, columns (else about as many as lines), and width and height
-- of the whole picture (else 360 x 270 pixels a panel).
function panels.draw(path, list, choices)
  local what, o = "plot.panels", check(choices)
  given.check_filled(what, "panels", list)
  local columns = math.min(o.columns or math.ceil(math.sqrt(#list)), #list)
  local rows = math.ceil(#list / columns)
  o.width, o.height = o.width or 360 * columns, o.height or 270 * rows
  return axes.draw(what, path, o, function(script)
    script:add("set multiplot layout %d,%d%s", rows, columns,
      o.title and " title " .. given.text(what, "title", o.title) .. ' font "sans,13"' or "")
    for i, panel in ipairs(list) do
      add_panel(script, ("%s: panel %d"):format(what, i), panel, o.width / columns)
    end
    script:add("unset multiplot")
  end)
end

return panels

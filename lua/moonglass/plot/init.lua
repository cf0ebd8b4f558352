--- moon.plot: plots as PNG files, drawn by the program gnuplot.
--   assert(moon.plot.lines("loss.png", {{y = history.loss, label = "training"}}, {xlabel = "epoch", logy = true}))
-- Each function returns true | nil, message, code, and leaves a whole file or none. Arguments are checked before
-- anything is written, and texts are shown as they are. All take the options
--   title, xlabel, ylabel, width=800, height=600 (pixels), xrange, yrange: {from, to}, where nil is up to the data,
--   legend: "right" (outside), "below", "top left", "top right", "bottom left", "bottom right", "none"
-- Those with numbers on both axes also take logx, logy: true, or the base. Exceptions stand above the functions.
-- A plot's file is loaded when it is first drawn: most programs that load the library draw none.

---Plots as PNG files, drawn by the program gnuplot (Debian: gnuplot-nox).
---@class moonglass.plot
local plot = {}

local function draw(file, kind, ...) return require("moonglass.plot." .. file)[kind](...) end

function plot.lines(path, series, options) return draw("lines", "draw", path, series, options) end
function plot.bars(path, labels, series, options) return draw("bars", "draw", path, labels, series, options) end
function plot.panels(path, list, options) return draw("panels", "draw", path, list, options) end
function plot.histogram(path, distributions, options) return draw("histogram", "draw", path, distributions, options) end
function plot.scatter(path, x, y, options) return draw("classes", "scatter", path, x, y, options) end
function plot.regions(path, classify, x, y, options)
  return draw("classes", "regions", path, classify, x, y, options)
end

return plot

--- moon.plot: plots as PNG files, drawn by the program gnuplot.
--   assert(moon.plot.lines("loss.png", {{y = history.loss, label = "training"}}, {xlabel = "epoch", logy = true}))
-- Each function returns true | nil, message, code, and leaves a whole file or none. Arguments are checked before
-- anything is written, and texts are shown as they are. All take the options
--   title, xlabel, ylabel, width=800, height=600 (pixels), xrange, yrange: {from, to}, where nil is up to the data,
--   legend: "right" (outside), "below", "top left", "top right", "bottom left", "bottom right", "none"
-- Those with numbers on both axes also take logx, logy: true, or the base. Exceptions stand above the functions.
local bars = require "moonglass.plot.bars"
local classes = require "moonglass.plot.classes"
local histogram = require "moonglass.plot.histogram"
local lines = require "moonglass.plot.lines"
local panels = require "moonglass.plot.panels"

---Plots as PNG files, drawn by the program gnuplot (Debian: gnuplot-nox).
---@class moonglass.plot
return {
  lines = lines.draw, bars = bars.draw, panels = panels.draw, histogram = histogram.draw, scatter = classes.scatter,
  regions = classes.regions,
}

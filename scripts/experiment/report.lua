--- A page of a run's results: what is printed, written as CSV or drawn also stands on the page, in this order.
--   local report = require("experiment.report").new(run, "A drawn series")
--   report:table("events", rows, {nil, "%d"}, "What was found")
--   report:plot("lines", "roc", series, {caption = "..."})
--   report:finish("series.html", "The page of this series")
local moon = require "moonglass"

local report = {}

local Report = {}
Report.__index = Report

function report.new(run, title) return setmetatable({run = run, page = moon.page(title)}, Report) end

--- Prints a sentence about the results, and puts it on the page.
function Report:say(format, ...)
  self.run:say(format, ...)
  self.page:text(format:format(...))
end

--- run:table, and the table with its caption on the page. Formats are for numbers.
function Report:table(name, rows, formats, caption)
  local shown = {rows[1]}
  for i = 2, #rows do
    shown[i] = {}
    for k, v in ipairs(rows[i]) do
      shown[i][k] = formats[k] and type(v) == "number" and formats[k]:format(v) or v
    end
  end
  self.run:table(name, rows, formats, caption)
  self.page:text(caption .. "."):table(shown)
end

--- run:plot; if there is gnuplot, the picture with its caption is on the page.
function Report:plot(kind, name, ...)
  if self.run:plot(kind, name, ...) then
    self.page:picture(self.run:read(name .. ".png"), (select(-1, ...)).caption)
  end
end

function Report:heading(text) self.page:heading(text) end

--- Writes the page. caption: for the page of experiments.lua.
function Report:finish(name, caption) self.run:write(name, self.page:html(), caption) end

return report

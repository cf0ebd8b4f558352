-- Draws README's picture of speed, scripts/pictures/speed.png, from the figures in recorded.csv:
--   build/moonglass scripts/bench/picture.lua
-- To record new figures, copy build/bench/results.csv there, and change machine and date in the READMEs.
local moon = require "moonglass"

local folder = arg[0]:match("^(.*/)") or "./"
package.path = folder .. "?.lua;" .. package.path
local report = require "report"
local results = require "results"

local file <close> = assert(io.open(folder .. "recorded.csv"))
local panels = report.panels(results.read(file:read("a")))
local titles = {"An epoch, 1 thread", "An epoch, 2 threads", "From the shell to the pictures"}
for i, title in ipairs(titles) do panels[i].title = title end
local path = arg[1] or folder .. "../pictures/speed.png"
assert(moon.plot.panels(path, panels, {columns = 3, width = 1200, height = 340}))

--- The callback of moon.callbacks.show: reconstructions in the terminal, redrawn in place after each epoch.
local compatibility = require "moonglass.net.compatibility"
local errors = require "moonglass.support.errors"
local graphics = require "moonglass.pictures.graphics"
local image = require "moonglass.pictures.image"
local monitor = require "moonglass.net.callbacks.monitor"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local show = require "moonglass.pictures.show"
local terminal = require "moonglass.support.terminal"

local Show = {writes = true}
Show.__index = Show

function Show:check(state) compatibility.check_pictures("callbacks.show", state.net, self.x) end

function Show:on_train_begin() self.drawn = nil end

-- Removes the lines of the last picture; the lines below it move up.
local function erase(self, screen)
  local below = terminal.lines_written - self.drawn
  if below + self.height >= screen then return end
  terminal.write(("\27[%dA\r\27[%dM"):format(below + self.height, self.height))
  if below > 0 then terminal.write(("\27[%dB"):format(below)) end
end

-- How many tiles of x stand side by side in so many characters.
local function tiles_in(width, x, how)
  local tile = math.floor(math.sqrt(x:numel() // #x) + 0.5) + 1
  local cells = how.method == "blocks" and tile or math.max(1, tile // graphics.cell.width)
  return math.max(1, (width - 1) // cells)
end

-- on_epoch_end on a terminal.
local function draw(self, state)
  local o, x = self.options, self.x
  if state.epoch % o.every ~= 0 and state.epoch ~= state.epochs then return end
  local screen, width = terminal.size()
  local how = show.how(o.method, true)
  local rows = x:rows(1, math.min(#x, o.columns or tiles_in(width, x, how)))
  local text, lines = graphics.encode(image.rows{rows, state.net:predict(rows:reshape(#rows, -1))}, how)
  if self.drawn then erase(self, screen) end
  terminal.write(text)
  self.drawn, self.height = terminal.lines_written, lines
end

---Options of `moon.callbacks.show`.
---@class moonglass.LiveOptions
---@field every integer? default 1: epochs from one picture to the next; the last epoch is always shown
---@field columns integer? the number of rows of x shown; as many as fit if not given
---@field method "kitty"|"iterm2"|"sixel"|"blocks"|"ascii"? detected from the environment if not given
local show_options = options.checker("callbacks.show", {
  every = {"count", 1}, columns = {"count"}, method = {graphics.methods},
})

return function(x, given)
  local self = setmetatable({x = x, options = show_options(given)}, Show)
  if not native.is_tensor(x) then errors.raise("callbacks.show: x is %s, expected a tensor", options.show(x)) end
  if terminal.is_terminal() then self.on_epoch_end = draw end
  return monitor.built_in(self)
end

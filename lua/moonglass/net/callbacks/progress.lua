--- moon.callbacks.progress: a bar that is redrawn in place on a terminal, one line an epoch anywhere else.
local core = require "moonglass.core"
local log = require "moonglass.support.log"
local monitor = require "moonglass.net.callbacks.monitor"
local options = require "moonglass.support.options"
local progress_text = require "moonglass.net.callbacks.progress_text"
local terminal = require "moonglass.support.terminal"

---@class moonglass.callbacks
local callbacks = {}

local redraw_seconds = 0.1
local measure_seconds = 2

local Progress = {started = 0, drawn = 0, open = false, writes = true}
Progress.__index = Progress

function Progress:on_epoch_begin()
  self.started = self.clock()
  self.drawn = self.started
end

-- Asking for the width takes some milliseconds, so it is done seldom.
local function measure(self, now)
  if self.measured and now - self.measured < measure_seconds then return end
  self.measured, self.columns = now, select(2, terminal.size())
end

-- on_batch_end of a bar.
local function redraw(self, state)
  local now = self.clock()
  if now - self.drawn < redraw_seconds then return end
  self.drawn, self.open = now, true
  measure(self, now)
  self.write("\r" .. progress_text.bar(state, now - self.started, self.columns) .. "\27[K")
end

function Progress:on_epoch_end(state)
  local begin, ending = "", "\n"
  if self.on_batch_end then begin, ending = "\r", "\27[K\n" end
  self.write(begin .. progress_text.line(state) .. ending)
  self.open = false
end

function Progress:on_train_end(state)
  if state.stopped then self.write(state.stopped .. "\n") end
end

function Progress:on_abort()
  if self.open then self.write("\n") end
  self.open = false
end

---Options of `moon.callbacks.progress`.
---@class moonglass.ProgressOptions
---@field bar boolean? default true: a bar that is redrawn; false: one line per epoch
---@field terminal boolean? is the output a terminal? Detected if not given
---@field write (fun(text: string))? writes the text; default: the function of `moon.set_log`, or standard output
---@field clock (fun(): number)? default `moon.clock`: seconds
local progress_options = options.checker("progress", {
  bar = {"flag", true}, terminal = {"flag"}, write = {"function"}, clock = {"function", core.clock},
})

---A progress bar on a terminal, one line per epoch elsewhere. The option `verbose` of `fit` adds it.
---@param options moonglass.ProgressOptions?
---@return moonglass.Callback callback
function callbacks.progress(given)
  local o = progress_options(given)
  local to_log = not o.write and log.writer()
  local self = setmetatable({write = o.write or to_log or terminal.write, clock = o.clock}, Progress)
  local on_terminal = o.terminal
  if on_terminal == nil then on_terminal = o.bar and not to_log and terminal.is_terminal() end
  if o.bar and not to_log and on_terminal then self.on_batch_end = redraw end
  return monitor.built_in(self)
end

return callbacks

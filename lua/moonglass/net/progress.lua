--- Progress of a training in words: a bar redrawn in place on a terminal, one line an epoch anywhere else.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local host = require "moonglass.support.host"
local monitor = require "moonglass.net.monitor"
local options = require "moonglass.support.options"
local terminal = require "moonglass.support.terminal"

local progress = {}

local redraw_seconds = 0.1
local measure_seconds = 2
local bar_width = 20

-- Where lines go: what set_log was given, else the host's log, else nil: standard output.
local log = core.log

--- moon.set_log(f): f(line) gets the lines that a fit with verbose > 0 prints, without newlines; nil: where the host
-- wants them, and standard output if it has not said.
function progress.set_log(f)
  if f ~= nil and type(f) ~= "function" then
    errors.raise("set_log: got %s, expected a function or nil", options.show(f))
  end
  log = f or core.log
end

--- Words that a fit has for its user beside its lines, as one line: to the log, else to standard error.
function progress.warn(words)
  if log then
    log("warning: " .. words)
  elseif host.io and host.io.stderr then
    host.io.stderr:write("moonglass: warning: ", words, "\n")
  end
end

--- 75 -> "1:15", 4000 -> "1:06:40"
function progress.time(seconds)
  local s = math.floor(seconds + 0.5)
  if s >= 3600 then return ("%d:%02d:%02d"):format(s // 3600, s // 60 % 60, s % 60) end
  return ("%d:%02d"):format(s // 60, s % 60)
end

-- The last epoch's, which stays until there is another.
local function last_val_loss(state)
  local list = state.history and state.history.val_loss
  return state.val_loss or (list and list[#list])
end

-- "epoch 3/20"; where the net was trained before, by calls that counted from 1 as well, how many there are in all.
local function epoch_text(state)
  local all = state.trained and state.trained > state.epoch and (" (%d in all)"):format(state.trained) or ""
  return ("epoch %d/%d%s"):format(state.epoch, state.epochs, all)
end

--- The line of an epoch under way, `seconds` after its start, in less than `columns` (80) characters: the bar gives way
-- first.
function progress.bar(state, seconds, columns)
  local done = state.batch / state.batches
  local rows = math.min(state.batch * state.batch_size, state.rows)
  local rate = rows / math.max(seconds, 1e-9)
  local val_loss = last_val_loss(state)
  local head = epoch_text(state) .. " "
  local tail = (" %d/%d  loss %.4f%s  %.0f rows/s  %s left"):format(state.batch, state.batches, state.loss,
    val_loss and ("  val_loss %.4f"):format(val_loss) or "", rate, progress.time((state.rows - rows) / rate))
  local room = math.min(bar_width, (columns or 80) - 1 - #head - #tail - 2)
  if room < 1 then return (head .. tail:sub(2)):sub(1, math.max((columns or 80) - 1, 0)) end
  local filled = math.floor(done * room)
  return ("%s[%s%s]%s"):format(head, ("="):rep(filled), (" "):rep(room - filled), tail)
end

--- The line of an epoch that is over.
function progress.line(state)
  local validation = state.val_loss and ("  val_loss %.4f"):format(state.val_loss) or ""
  return ("%s  %d batches  loss %.4f%s  %.0f rows/s  %.2f s"):format(epoch_text(state), state.batch, state.loss,
    validation, state.rows_per_second, state.seconds)
end

local progress_options = options.checker("progress", {
  bar = {"flag", true}, terminal = {"flag"}, write = {"function"}, clock = {"function", core.clock},
})

-- A log gets lines, each when it is whole.
local function write_log(text)
  local line = text:match("^\r?(.-)\n$")
  if line and line ~= "" then log(line) end
end

--- A callback. bar=false: lines only; terminal: is the output one (else found out); write(text), clock() -> seconds.
function progress.new(given)
  local o = progress_options(given)
  local to_log = log and not o.write
  o.write = o.write or (log and write_log or terminal.write)
  local in_place = o.bar and not to_log and (o.terminal or (o.terminal == nil and terminal.is_terminal()))
  local self = {}
  local started, drawn, open = 0, 0, false
  local columns, measured

  -- Asking for the width takes some milliseconds.
  local function measure(now)
    if measured and now - measured < measure_seconds then return end
    measured = now
    columns = select(2, terminal.size())
  end

  function self.on_epoch_begin()
    started = o.clock()
    drawn = started
  end

  if in_place then
    function self.on_batch_end(_, state)
      local now = o.clock()
      if now - drawn < redraw_seconds then return end
      drawn, open = now, true
      measure(now)
      o.write("\r" .. progress.bar(state, now - started, columns) .. "\27[K")
    end
  end

  function self.on_epoch_end(_, state)
    o.write((in_place and "\r" or "") .. progress.line(state) .. (in_place and "\27[K\n" or "\n"))
    open = false
  end

  function self.on_train_end(_, state)
    if state.stopped then o.write(state.stopped .. "\n") end
  end

  function self.on_abort()
    if open then o.write("\n") end
    open = false
  end

  return monitor.built_in(self)
end

return progress

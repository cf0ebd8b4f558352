--- Callbacks for fit. A callback is a function(state), called after each epoch, or a table with any of
-- check (raises what is wrong, before anything is trained, opened or written), on_train_begin, on_epoch_begin,
-- on_batch_end, on_epoch_end, on_checkpoint (when all on_epoch_end have run), on_train_end, on_abort (self, state); one
-- that remembers something has snapshot and restore, see snapshots.lua.
-- state: net, opt, epoch, epochs, batch, batches, batch_size, rows, validation (is there any), loss, val_loss, seconds,
-- rows_per_second, seed, history, callbacks, initial_epoch, resumed; on_batch_end also sees batch_loss, and its loss is
-- the mean so far.
-- state.stop = true ends the training.
local checks = require "moonglass.support.checks"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local fitting = require "moonglass.net.fitting"
local host = require "moonglass.support.host"
local monitor = require "moonglass.net.monitor"
local native = require "moonglass.support.native"
local numeral = require "moonglass.support.numeral"
local options = require "moonglass.support.options"
local progress = require "moonglass.net.progress"
local schedules = require "moonglass.net.schedules"
local snapshots = require "moonglass.net.snapshots"

local io = host.io

local callbacks = {progress = progress.new}
for name, constructor in pairs(schedules) do callbacks[name] = constructor end

local function check_path(what, path, needs_io)
  local lacking = files.lacking(what, needs_io)
  if lacking then errors.raise(lacking) end
  if type(path) ~= "string" then errors.raise("%s: path is %s, expected a text", what, options.show(path)) end
  checks.path(what, path) -- a zero byte would end it, and so name another file
end

-- A result of the file functions: nil, message becomes an error.
local function must(what, ok, message)
  if not ok then errors.raise("%s: %s", what, message) end
end

-- Before the training: may the file be written?
local function check_writable(what, path, in_place)
  local obstacle = errors.guard(files.unwritable, path, in_place)
  must(what, not obstacle, obstacle)
end

local most_checked = 1000 -- a training that is to go on until it is stopped may have any number of epochs

-- The same for what is written after every so many epochs, to path_of(epoch).
local function check_epochs(what, state, every, path_of)
  local first, before = state.initial_epoch // every * every + every, nil
  for epoch = first, math.max(first, math.min(state.epochs, first + (most_checked - 1) * every)), every do
    local path = path_of(epoch)
    if path == before then return end
    check_writable(what, path)
    before = path
  end
end

-- ---- csv_logger ----

local csv_options = options.checker("csv_logger", {append = {"flag", false}})

local csv_columns = "epoch,loss,val_loss,seconds"
local csv_head = csv_columns .. "\n"

local function csv_number(v) return v and numeral("%.9g", v) or "" end

local function csv_line(epoch, loss, val_loss, seconds)
  return ("%d,%s,%s,%s\n"):format(epoch, csv_number(loss), csv_number(val_loss), csv_number(seconds))
end

-- The epochs `from` to `to` of a history that may have begun later.
local function csv_of_history(history, from, to)
  local lines, before = {}, history.epochs - #history.loss
  for epoch = math.max(from, before + 1), math.min(to, history.epochs) do
    local i = epoch - before
    lines[#lines + 1] = csv_line(epoch, history.loss[i], history.val_loss[i], history.epoch_seconds[i])
  end
  return table.concat(lines)
end

local function csv_epoch(line) return line and math.tointeger(tonumber(line:match("^(%d+),"))) or 0 end

-- The text as of the end of an epoch, without lines of later ones after it or a last one that was cut off; and the
-- epoch of its last line.
local function csv_up_to(text, epoch)
  local lines = {}
  for line in text:gmatch("[^\n]*\n") do lines[#lines + 1] = line end
  while csv_epoch(lines[#lines]) > epoch do lines[#lines] = nil end
  return table.concat(lines), csv_epoch(lines[#lines])
end

-- What reading and writing an open file gives does not name it, as open's message does.
local function must_of_file(path, ok, message) must("csv_logger", ok, ("%s: %s"):format(path, message)) end

-- A file's text, "" if there is none. Errors are raised.
local function read_file(path)
  local file, message, code = io.open(path, "rb")
  if not file and code == 2 then return "" end -- ENOENT
  must("csv_logger", file, message)
  local text
  text, message = file:read("a")
  file:close()
  must_of_file(path, text, message)
  return text
end

-- A file with other columns is not ours: it is neither appended to nor overwritten. A first line without its end may be
-- ours, cut off; some programs put a byte-order mark before it.
local function csv_check_columns(path, text)
  local first, ending = text:gsub("^\xEF\xBB\xBF", ""):match("^([^\r\n]*)(\r?\n?)")
  if first == csv_columns or (ending == "" and csv_columns:sub(1, #first) == first) then return end
  errors.raise("csv_logger: %s has the columns '%s', expected '%s': give another path, or move that file away", path,
    (first:sub(1, 80):gsub("[^ -~]", "?")), csv_columns)
end

-- Is the line complete? A number may be cut off within its exponent.
local function csv_is_whole(line)
  local seconds = line:match("^%d+,[^,]*,[^,]*,([^,]+)$")
  return seconds ~= nil and tonumber(seconds) ~= nil
end

-- The text, its last line ended by a newline, or removed if it was cut off.
local function csv_mended(text)
  local before, last = text:match("^(.-)([^\n]*)$")
  if last == "" then return text end
  if before == "" then return last == csv_columns and csv_head or "" end
  return csv_is_whole(last) and text .. "\n" or before
end

local function csv_mend(path)
  local text = read_file(path)
  local kept = csv_mended(text)
  if kept ~= text then must("csv_logger", files.write(path, kept)) end
end

-- A training that was killed may have logged epochs that its checkpoint does not have, or have lost some that it has.
local function csv_resume(path, state)
  local text = read_file(path)
  local kept, last = csv_up_to(text, state.initial_epoch)
  if kept == "" then kept = csv_head end
  kept = kept .. csv_of_history(state.history, last + 1, state.initial_epoch)
  if kept ~= text then must("csv_logger", files.write(path, kept)) end
end

--- One line an epoch: epoch,loss,val_loss,seconds. append=true writes behind what is in the file; if its last line was
-- cut off, that line is removed. A resumed training always appends, behind the line of its last epoch.
function callbacks.csv_logger(path, given)
  check_path("csv_logger", path, true)
  local o = csv_options(given)
  local self, file = {}, nil

  local function write(text)
    local ok, message = file:write(text)
    if ok then ok, message = file:flush() end
    must_of_file(path, ok, message)
  end

  function self.check()
    check_writable("csv_logger", path, true)
    csv_check_columns(path, read_file(path))
  end

  function self.on_train_begin(_, state)
    if state.resumed then csv_resume(path, state) elseif o.append then csv_mend(path) end
    local message
    file, message = io.open(path, (o.append or state.resumed) and "a" or "w")
    must("csv_logger", file, message)
    if file:seek("end") == 0 then write(csv_head) end
  end

  function self.on_epoch_end(_, state) write(csv_line(state.epoch, state.loss, state.val_loss, state.seconds)) end

  function self.on_abort()
    if file then file:close() end
    file = nil
  end

  function self.on_train_end()
    local ended = file
    file = nil
    must_of_file(path, ended:close())
  end
  return monitor.built_in(self)
end

-- ---- early_stopping ----

-- Clones of a net's parameters, taken into `kept` again if that is given.
local function keep_parameters(net, kept)
  kept = kept or {}
  for i, parameter in ipairs(net:parameters()) do
    if kept[i] then kept[i]:copy_(parameter.value) else kept[i] = parameter.value:clone() end
  end
  return kept
end

local function restore_parameters(net, kept)
  for i, parameter in ipairs(net:parameters()) do parameter.value:copy_(kept[i]) end
end

-- What was kept when a checkpoint was saved: into copies of the net's parameters.
local function put_back(copies, tensors)
  for i, t in ipairs(copies) do t:copy_(tensors[("best_%d"):format(i)]) end
  return copies
end

local function of_best_weights(message)
  return "early_stopping: the best weights in the checkpoint are not those of the net: " .. message
end

local stopping_options = options.checker("early_stopping", {
  monitor = {monitor.figures, "val_loss"}, patience = {"size", 0}, min_delta = {"number", 0},
  restore_best = {"flag", false},
})

--- As Keras's: a value improves if value + |min_delta| < best; `patience` epochs in a row without it end the training
-- (the first epoch never does). restore_best gives the net the weights of its best epoch at the end of training.
-- The table tells best, best_epoch and stopped_epoch afterwards. A value that is NaN never improves: where all are,
-- there is no best epoch, and history.warning says so.
function callbacks.early_stopping(given)
  local o = stopping_options(given)
  local self = {name = "early_stopping"}
  local wait, kept

  function self.check(_, state) monitor.check(self, state, o.monitor) end

  function self.on_train_begin()
    wait, kept = 0, nil
    self.best, self.best_epoch, self.stopped_epoch = math.huge, nil, nil
  end

  -- Of a resumed training too: one that had ended does not go on.
  local function stop_if_over(state)
    if wait >= math.max(o.patience, 1) and state.epoch > 1 then self.stopped_epoch, state.stop = state.epoch, true end
  end

  function self.on_epoch_end(_, state)
    local value = monitor.value(self.name, state, o.monitor)
    wait = wait + 1
    if monitor.improves(value, self.best, o.min_delta) then
      self.best, self.best_epoch, wait = value, state.epoch, 0
      if o.restore_best then kept = keep_parameters(state.net, kept) end
    end
    stop_if_over(state)
  end

  function self.on_train_end(_, state)
    if kept then restore_parameters(state.net, kept) end
    if not self.best_epoch and state.epoch > state.initial_epoch then
      monitor.warn_none(self.name, state, o.monitor, "there is no best epoch, and the weights are those of the last")
    end
  end

  function self.snapshot()
    local tensors = {}
    for i, t in ipairs(kept or {}) do tensors[("best_%d"):format(i)] = t end
    return {wait = wait, best = self.best, best_epoch = self.best_epoch}, tensors
  end

  function self.restore(_, values, tensors, state)
    wait, self.best, self.best_epoch = values.wait, values.best, values.best_epoch
    if o.restore_best and tensors.best_1 then
      kept = errors.guard_by(of_best_weights, nil, nil, put_back, keep_parameters(state.net), tensors)
    end
    stop_if_over(state)
  end

  return monitor.built_in(self)
end

-- ---- checkpoint ----

local checkpoint_options = options.checker("checkpoint", {
  every = {"count", 1}, best = {"flag", false}, monitor = {monitor.figures}, keep = {"count", 1},
})

-- Of a path, string.format's %d, as in %03d, stands for the epoch, and %% for a %; nothing else may follow a %.
local directive = "%%%d*[d%%]"

local function check_directives(path)
  for found in path:gmatch("%%%d*.?") do
    if found ~= "%%" and not found:find("^%%0?%d?%d?d$") then
      errors.raise("checkpoint: path '%s' has %s, expected %%d or %%03d for the epoch, %%%% for a %%", path, found)
    end
  end
end

local function path_of_epoch(path, epoch)
  return (path:gsub(directive, function(found) return found:format(epoch) end))
end

--- moon.checkpoint.save after every `every` epochs, when all callbacks have seen the epoch; best=true: only when the
-- monitor (val_loss, without validation loss) is the lowest so far, which NaN never is. A %d in the path becomes the
-- epoch, %% a %. keep=3: the two before the last stay as path.1 and path.2, for moon.checkpoint.latest.
function callbacks.checkpoint(path, given)
  check_path("checkpoint", path)
  check_directives(path)
  local o = checkpoint_options(given)
  if o.keep > 10 then errors.raise("checkpoint: keep is %d, expected 1 to 10", o.keep) end
  if o.keep > 1 and path_of_epoch(path, 1) ~= path_of_epoch(path, 2) then
    errors.raise("checkpoint: keep goes with one path for all epochs, and '%s' is another for each", path)
  end
  local self = {name = "checkpoint"}
  local best, due = math.huge, false

  local function figure(state) return o.monitor or (state.val_loss and "val_loss" or "loss") end

  function self.check(_, state)
    checks.state(self.name, state)
    snapshots.check(state.callbacks)
    monitor.check(self, state, o.monitor)
    check_epochs(self.name, state, o.every, function(epoch) return path_of_epoch(path, epoch) end)
    for i = 1, o.keep - 1 do check_writable(self.name, ("%s.%d"):format(path_of_epoch(path, 1), i)) end
  end

  function self.on_epoch_end(_, state)
    due = false
    if state.epoch % o.every ~= 0 then return end
    local value = monitor.value(self.name, state, figure(state))
    local lowest = monitor.improves(value, best, 0)
    if lowest then best = value end
    due = lowest or not o.best
  end

  function self.on_checkpoint(_, state)
    if not due then return end
    local name = path_of_epoch(path, state.epoch)
    if o.keep > 1 then must(self.name, errors.guard(files.file_rotate, name, o.keep)) end
    must(self.name, require("moonglass.net.checkpoint").save(name, state))
  end

  function self.on_train_end(_, state)
    local seen = state.epoch // o.every > state.initial_epoch // o.every
    if o.best and best == math.huge and seen then
      monitor.warn_none(self.name, state, figure(state), "there is no best epoch, and nothing was saved")
    end
  end

  function self.snapshot() return {best = best} end
  function self.restore(_, values) best = values.best end
  return monitor.built_in(self)
end

-- ---- reconstructions ----

--- After each epoch, dir/epoch_001.png and so on: the rows of x over what the net makes of them. dir must exist.
function callbacks.reconstructions(dir, x)
  check_path("reconstructions", dir)
  if not native.is_tensor(x) then errors.raise("reconstructions: x is %s, expected a tensor", options.show(x)) end
  local self = {}

  local function path(epoch) return ("%s/epoch_%03d.png"):format(dir, epoch) end

  function self.check(_, state)
    fitting.pictures("reconstructions", state.net, x)
    check_epochs("reconstructions", state, 1, path)
  end

  function self.on_epoch_end(_, state)
    local picture = require("moonglass.pictures.image").rows{x, state.net:predict(x:reshape(#x, -1))}
    must("reconstructions", files.png_write(path(state.epoch), picture))
  end
  return monitor.built_in(self)
end

--- Reconstructions of the rows of x in the terminal, redrawn in place; see show.lua.
function callbacks.show(x, given) return require("moonglass.pictures.show").live(x, given) end

return callbacks

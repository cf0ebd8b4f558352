--- Callbacks for fit. A callback is a function(state), called after each epoch, or a table with any of
-- on_train_begin, on_epoch_begin, on_batch_end, on_epoch_end, on_train_end, on_abort (self, state).
-- state: net, opt, epoch, epochs, batch, batches, batch_size, rows, loss, val_loss, seconds, rows_per_second, seed,
-- history; on_batch_end also sees batch_loss, and its loss is the mean so far. state.stop = true ends the training.
local core = require "moonglass.core"
local errors = require "moonglass.errors"
local native = require "moonglass.native"
local options = require "moonglass.options"
local progress = require "moonglass.progress"

local callbacks = {progress = progress.new}

local function check_path(what, path)
  if type(path) ~= "string" then errors.raise("%s: path is %s, expected a text", what, options.show(path)) end
end

-- A result of the file functions: nil, message becomes an error.
local function must(what, ok, message)
  if not ok then errors.raise("%s: %s", what, message) end
end

-- The watched figure; its absence is a mistake in the script.
local function monitored(what, state, monitor)
  local value = state[monitor]
  if value == nil then errors.raise("%s: monitor is %s, but fit has no validation", what, monitor) end
  return value
end

-- ---- csv_logger ----

local csv_options = options.checker("csv_logger", {append = {"flag", false}})

local function csv_number(v) return v and ("%.9g"):format(v) or "" end

--- One line an epoch: epoch,loss,val_loss,seconds. append=true goes on with a file, for a resumed training.
function callbacks.csv_logger(path, given)
  check_path("csv_logger", path)
  local o = csv_options(given)
  local self, file = {}, nil

  local function write(text)
    local ok, message = file:write(text, "\n")
    if ok then ok, message = file:flush() end
    must("csv_logger", ok, message)
  end

  function self.on_train_begin()
    local message
    file, message = io.open(path, o.append and "a" or "w")
    must("csv_logger", file, message)
    if file:seek("end") == 0 then write("epoch,loss,val_loss,seconds") end
  end

  function self.on_epoch_end(_, state)
    write(("%d,%s,%s,%s"):format(state.epoch, csv_number(state.loss), csv_number(state.val_loss),
      csv_number(state.seconds)))
  end

  local function close()
    if file then file:close() end
    file = nil
  end
  self.on_train_end, self.on_abort = close, close
  return self
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

local stopping_options = options.checker("early_stopping", {
  monitor = {{"val_loss", "loss"}, "val_loss"}, patience = {"size", 0}, min_delta = {"number", 0},
  restore_best = {"flag", false},
})

--- As Keras's: a value improves if value + |min_delta| < best; `patience` epochs in a row without it end the training
-- (the first epoch never does). restore_best gives the net the weights of its best epoch at the end of training.
-- The table tells best, best_epoch and stopped_epoch afterwards.
function callbacks.early_stopping(given)
  local o = stopping_options(given)
  local self = {}
  local wait, kept

  function self.on_train_begin()
    wait, kept = 0, nil
    self.best, self.best_epoch, self.stopped_epoch = math.huge, nil, nil
  end

  function self.on_epoch_end(_, state)
    local value = monitored("early_stopping", state, o.monitor)
    wait = wait + 1
    local improves = value + math.abs(o.min_delta) < self.best
    if improves then self.best, wait = value, 0 end
    -- The first epoch seen is the best so far, even if its value is not a number.
    if improves or not self.best_epoch then
      self.best_epoch = state.epoch
      if o.restore_best then kept = keep_parameters(state.net, kept) end
    end
    if wait >= o.patience and not improves and state.epoch > 1 then
      self.stopped_epoch, state.stop = state.epoch, true
    end
  end

  function self.on_train_end(_, state)
    if kept then restore_parameters(state.net, kept) end
  end

  return self
end

-- ---- checkpoint ----

local checkpoint_options = options.checker("checkpoint", {
  every = {"count", 1}, best = {"flag", false}, monitor = {{"val_loss", "loss"}},
})

--- moon.checkpoint.save after every `every` epochs; best=true: only when the monitor (val_loss, without validation
-- loss) is the lowest so far. A %d in the path becomes the epoch.
function callbacks.checkpoint(path, given)
  check_path("checkpoint", path)
  local o = checkpoint_options(given)
  local best = math.huge
  return {
    on_epoch_end = function(_, state)
      if state.epoch % o.every ~= 0 then return end
      local value = monitored("checkpoint", state, o.monitor or (state.val_loss and "val_loss" or "loss"))
      local lowest = value < best -- false for NaN, which is never the best
      if o.best and not lowest then return end
      local name = path:gsub("%%0?%d*d", function(format) return format:format(state.epoch) end)
      must("checkpoint", require("moonglass.checkpoint").save(name, state))
      if lowest then best = value end
    end,
  }
end

-- ---- reconstructions ----

--- After each epoch, dir/epoch_001.png and so on: the rows of x over what the net makes of them. dir must exist.
function callbacks.reconstructions(dir, x)
  check_path("reconstructions", dir)
  if not native.is_tensor(x) then errors.raise("reconstructions: x is %s, expected a tensor", options.show(x)) end
  return {
    on_epoch_end = function(_, state)
      local picture = require("moonglass.image").rows{x, state.net:predict(x)}
      must("reconstructions", core.png_write(("%s/epoch_%03d.png"):format(dir, state.epoch), picture))
    end,
  }
end

return callbacks

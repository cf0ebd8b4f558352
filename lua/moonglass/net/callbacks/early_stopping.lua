--- moon.callbacks.early_stopping: ends a training that no longer improves.
local errors = require "moonglass.support.errors"
local monitor = require "moonglass.net.callbacks.monitor"
local net_state = require "moonglass.net.state"
local options = require "moonglass.support.options"

---The callback that `moon.callbacks.early_stopping` makes.
---@class moonglass.EarlyStopping: moonglass.Callback
---@field best number the best value; infinity before the first, with mode "max" -infinity
---@field best_epoch integer? the epoch of the best value; nil if the value was NaN in every epoch (`history.warning`)
---@field stopped_epoch integer? the epoch after which it ended the training; nil if it did not

---@class moonglass.callbacks
local callbacks = {}

-- Clones of a net's weights; `kept`, if given, is filled again.
local function keep_weights(net, kept)
  kept = kept or {}
  for i, t in ipairs(net_state.tensors(net)) do
    if kept[i] then kept[i]:copy_(t) else kept[i] = t:clone() end
  end
  return kept
end

local function restore_weights(net, kept)
  for i, t in ipairs(net_state.tensors(net)) do t:copy_(kept[i]) end
end

-- The tensors of a snapshot, and from them the weights again.
local function tensor_name(i) return ("best_%d"):format(i) end

local function named(kept)
  local tensors = {}
  for i, t in ipairs(kept or {}) do tensors[tensor_name(i)] = t end
  return tensors
end

local function fill(clones, tensors)
  for i, t in ipairs(clones) do t:copy_(tensors[tensor_name(i)]) end
  return clones
end

local function about_best_weights(message)
  return "early_stopping: the best weights in the checkpoint are not those of the net: " .. message
end

local function from_checkpoint(net, tensors)
  if not tensors[tensor_name(1)] then return nil end
  return errors.guard_by(about_best_weights, nil, nil, fill, keep_weights(net), tensors)
end

local function warn_none(self, state, figure)
  if state.epoch <= state.initial_epoch then return end
  monitor.warn_none(self.name, state, figure, "there is no best epoch, and the weights are those of the last")
end

---Options of `moon.callbacks.early_stopping`.
---@class moonglass.EarlyStoppingOptions
---@field monitor moonglass.Figure? default "val_loss": or the name of a metric, `val_NAME` of the validation rows
---@field mode moonglass.MonitorMode? default "auto": "max" for accuracies, and names with auc, f1 and the like
---@field patience integer? default 0: end the training after this many epochs in a row without a better value
---@field min_delta number? default 0: a value is better if it is by more than |min_delta|
---@field restore_best boolean? default false; true: the net gets the weights of its best epoch at the end
local stopping_options = options.checker("early_stopping", {
  monitor = monitor.rule("val_loss"), mode = monitor.mode_rule, patience = {"size", 0}, min_delta = {"number", 0},
  restore_best = {"flag", false},
})

---End the training when the monitored value no longer improves: Keras's EarlyStopping. An epoch whose value is NaN is
---never the best, not even the first. An epoch without validation does not count for a figure of validation.
---@param options moonglass.EarlyStoppingOptions?
---@return moonglass.EarlyStopping callback
function callbacks.early_stopping(given)
  local o = stopping_options(given)
  local self = {name = "early_stopping"}
  local mode -- "min" or "max"
  local wait, kept -- epochs since the last improvement; the weights of the best epoch

  function self.check(_, state) monitor.check(self, state, o.monitor) end

  function self.on_train_begin(_, state)
    mode = monitor.mode(o.mode, o.monitor, state)
    wait, kept = 0, nil
    self.best, self.best_epoch, self.stopped_epoch = monitor.worst(mode), nil, nil
  end

  -- Also for a resumed training: one that had ended does not go on.
  local function stop_if_over(state)
    if wait >= math.max(o.patience, 1) and state.epoch > 1 then self.stopped_epoch, state.stop = state.epoch, true end
  end

  function self.on_epoch_end(_, state)
    local value = monitor.value(self.name, state, o.monitor)
    if not value then return end
    wait = wait + 1
    if monitor.improves(value, self.best, o.min_delta, mode) then
      self.best, self.best_epoch, wait = value, state.epoch, 0
      if o.restore_best then kept = keep_weights(state.net, kept) end
    end
    stop_if_over(state)
  end

  function self.on_train_end(_, state)
    if kept then restore_weights(state.net, kept) end
    if not self.best_epoch then warn_none(self, state, o.monitor) end
  end

  function self.snapshot() return {wait = wait, best = self.best, best_epoch = self.best_epoch}, named(kept) end

  function self.restore(_, values, tensors, state)
    wait, self.best, self.best_epoch = values.wait, values.best, values.best_epoch
    if o.restore_best then kept = from_checkpoint(state.net, tensors) end
    stop_if_over(state)
  end
  return monitor.built_in(self)
end

return callbacks

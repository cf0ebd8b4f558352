--- Learning-rate schedules, as callbacks: they set opt.lr before each epoch. step_decay and cosine are functions of the
-- epoch, from 1, and of the base rate: the optimizer's rate when the training begins, which it gets back at the end.
-- All continue exactly from a checkpoint.
local errors = require "moonglass.support.errors"
local monitor = require "moonglass.net.callbacks.monitor"
local options = require "moonglass.support.options"

---@class moonglass.callbacks
local schedules = {}

local function rate_of(what, opt)
  if type(opt.lr) ~= "number" then
    errors.raise("%s: the optimizer's lr is %s, expected a number", what, options.show(opt.lr))
  end
  return opt.lr
end

local function check_lowest(what, lr_min)
  if lr_min < 0 then errors.raise("%s: lr_min is %g, expected at least 0", what, lr_min) end
end

-- A callback that sets the rate of each epoch to rate(base, epoch).
local function of_epoch(name, rate)
  local self = {name = name}
  local base

  function self.check(_, state) rate_of(name, state.opt) end
  function self.on_train_begin(_, state) base = rate_of(name, state.opt) end
  function self.on_epoch_begin(_, state) state.opt.lr = rate(base, state.epoch) end

  local function give_back(_, state)
    if base then state.opt.lr = base end
    base = nil
  end
  self.on_train_end, self.on_abort = give_back, give_back

  function self.snapshot() return {base = base} end
  function self.restore(_, values) base = values.base end
  return monitor.built_in(self)
end

-- ---- step_decay ----

---Options of `moon.callbacks.step_decay`.
---@class moonglass.StepDecayOptions
---@field every integer required: the number of epochs between changes
---@field factor number required, above 0
local step_options = options.checker("step_decay", {
  every = {"count", required = true}, factor = {"positive", required = true},
})

---Multiply the learning rate by `factor` after every `every` epochs: base factor^floor((epoch - 1) / every). The base
---rate returns at the end of the training.
---@param options moonglass.StepDecayOptions
---@return moonglass.Callback callback
function schedules.step_decay(given)
  local o = step_options(given)
  return of_epoch("step_decay", function(base, epoch) return base * o.factor ^ ((epoch - 1) // o.every) end)
end

-- ---- cosine ----

---Options of `moon.callbacks.cosine`.
---@class moonglass.CosineOptions
---@field epochs integer required: the rate reaches lr_min in the epoch after these and stays there
---@field lr_min number? default 0, at least 0
---@field warmup integer? default 0: epochs in which the rate first rises to the base rate; fewer than `epochs`
local cosine_options = options.checker("cosine", {
  epochs = {"count", required = true}, lr_min = {"number", 0}, warmup = {"size", 0},
})

---Lower the learning rate along half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5), after a
---linear warmup (Goyal et al. 2017, arXiv 1706.02677). The base rate returns at the end of the training.
---@param options moonglass.CosineOptions
---@return moonglass.Callback callback
function schedules.cosine(given)
  local o = cosine_options(given)
  check_lowest("cosine", o.lr_min)
  if o.warmup >= o.epochs then
    errors.raise("cosine: warmup is %d, expected less than the %d epochs", o.warmup, o.epochs)
  end
  return of_epoch("cosine", function(base, epoch)
    if epoch <= o.warmup then return base * epoch / (o.warmup + 1) end
    local share = math.min((epoch - 1 - o.warmup) / (o.epochs - o.warmup), 1)
    return o.lr_min + (base - o.lr_min) * (1 + math.cos(math.pi * share)) / 2
  end)
end

-- ---- reduce_on_plateau ----

---Options of `moon.callbacks.reduce_on_plateau`.
---@class moonglass.ReduceOnPlateauOptions
---@field monitor moonglass.Figure? default "val_loss": or the name of a metric, `val_NAME` of the validation rows
---@field mode moonglass.MonitorMode? default "auto": "max" for accuracies, and names with auc, f1 and the like
---@field factor number? default 0.1, above 0 and below 1
---@field patience integer? default 10: epochs in a row without a better value before the rate falls
---@field min_delta number? default 1e-4: a value is better if it is by more than |min_delta|
---@field cooldown integer? default 0: epochs after a change in which patience does not count
---@field lr_min number? default 0: the lowest rate
local plateau_options = options.checker("reduce_on_plateau", {
  monitor = monitor.rule("val_loss"), mode = monitor.mode_rule, factor = {"fraction", 0.1}, patience = {"size", 10},
  min_delta = {"number", 1e-4}, cooldown = {"size", 0}, lr_min = {"number", 0},
})

---Multiply the learning rate by `factor` when the monitored value no longer improves: Keras's ReduceLROnPlateau. The
---last rate stays at the end of the training.
---@param options moonglass.ReduceOnPlateauOptions?
---@return moonglass.Callback callback
function schedules.reduce_on_plateau(given)
  local o = plateau_options(given)
  check_lowest("reduce_on_plateau", o.lr_min)
  local self = {name = "reduce_on_plateau"}
  local mode, best, wait, cooldown

  function self.check(_, state)
    monitor.check(self, state, o.monitor)
    rate_of(self.name, state.opt)
  end

  function self.on_train_begin(_, state)
    mode = monitor.mode(o.mode, o.monitor, state)
    best, wait, cooldown = monitor.worst(mode), 0, 0
  end

  local function reduce(opt)
    local lr = rate_of(self.name, opt)
    if lr <= o.lr_min then return end
    opt.lr = math.max(lr * o.factor, o.lr_min)
    wait, cooldown = 0, o.cooldown
  end

  function self.on_epoch_end(_, state)
    local value = monitor.value(self.name, state, o.monitor)
    if not value then return end
    if cooldown > 0 then cooldown = cooldown - 1 end
    if monitor.improves(value, best, o.min_delta, mode) then
      best, wait = value, 0
    elseif cooldown == 0 then
      wait = wait + 1
      if wait >= o.patience then reduce(state.opt) end
    end
  end

  function self.snapshot() return {best = best, wait = wait, cooldown = cooldown} end
  function self.restore(_, values) best, wait, cooldown = values.best, values.wait, values.cooldown end
  return monitor.built_in(self)
end

-- ---- learning_rate ----

---Set the learning rate before each epoch by a function of the epoch and of the current rate: Keras's
---LearningRateScheduler, but the epoch counts from 1. The last rate stays at the end of the training.
---@param f fun(epoch: integer, lr: number): number
---@return moonglass.Callback callback
function schedules.learning_rate(f)
  if type(f) ~= "function" then errors.raise("learning_rate: got %s, expected a function", options.show(f)) end
  return {
    check = function(_, state) rate_of("learning_rate", state.opt) end,
    on_epoch_begin = function(_, state)
      local lr = f(state.epoch, rate_of("learning_rate", state.opt))
      if type(lr) ~= "number" or not (lr >= 0 and lr < math.huge) then
        errors.raise("learning_rate: the function gave %s, expected a number of at least 0", options.show(lr))
      end
      state.opt.lr = lr
    end,
  }
end

return schedules

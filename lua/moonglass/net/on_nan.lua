--- fit's option on_nan: watches a training for numbers that are not finite, and goes back to the last finite weights.
-- After a loss that is not finite nothing is updated. But a step with a finite loss can make a weight infinite or NaN:
-- an infinite input before a sigmoid does. So copies of the weights and moments are kept while all of them are finite.
local divergence = require "moonglass.net.divergence"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local net_state = require "moonglass.net.state"

local on_nan = {}

-- ---- the last finite weights ----

-- Copying more often would cost a noticeable part of the training.
local batches_between_copies = 256

local Finite = {}
Finite.__index = Finite

-- All tensors that a step changes.
local function tensors_of(net, opt)
  local list = net_state.tensors(net)
  if native.is_optimizer(opt) then
    for _, moments in ipairs(opt:moments(net:parameters())) do
      for _, t in pairs(moments) do list[#list + 1] = t end
    end
  end
  return list
end

-- Are all tensors finite now? A sum of finite floats in double precision is finite.
function Finite:is_finite()
  for _, t in ipairs(self.tensors) do
    local sum = t:sum()
    if sum - sum ~= 0 then return false end
  end
  return true
end

-- Copies the present tensors, which are finite: those after `epoch`. A layer that is no longer frozen has new ones.
function Finite:keep(epoch)
  local now = tensors_of(self.net, self.opt)
  if #now ~= #self.tensors then self.tensors, self.kept = now, nil end
  self.kept = self.kept or {}
  for i, t in ipairs(self.tensors) do
    if self.kept[i] then self.kept[i]:copy_(t) else self.kept[i] = t:clone() end
  end
  self.epoch, self.batches = epoch, 0
  self.steps = native.is_optimizer(self.opt) and self.opt:steps() or nil
end

-- After so many batches more: is a new copy due?
function Finite:is_due(batches)
  self.batches = self.batches + batches
  return self.batches >= batches_between_copies
end

-- Puts the copies back, if there are any. Returns the epoch after which they were made.
function Finite:go_back()
  for i, t in ipairs(self.kept or {}) do self.tensors[i]:copy_(t) end
  if self.steps then self.opt:set_steps(self.steps) end
  return self.epoch
end

-- Weights that are not finite at the beginning leave nothing to go back to: epoch stays nil.
local function new_finite(net, opt, epoch)
  local self = setmetatable({tensors = tensors_of(net, opt), net = net, opt = opt, batches = 0}, Finite)
  if self:is_finite() then self:keep(epoch) end
  return self
end

-- ---- watching a run ----

-- In words, which weights the training leaves: those of the last whole step if they are finite.
local function weights_left(run, state)
  if run.finite:is_finite() then return "" end
  local epoch = run.finite:go_back()
  if not epoch then return "" end
  if epoch == state.initial_epoch then return ". The weights are again those that fit began with" end
  return (". The weights are again those after epoch %d"):format(epoch)
end

-- Ends the training, with an error or by a stop.
local function diverged(run, state, what, cause)
  cause = run.group:cause(cause or divergence.cause(run))
  local message = ("fit: %s: %s"):format(what, cause) .. weights_left(run, state)
  if run.on_nan == "error" then errors.raise(message) end
  state.stop, state.stopped, state.history.stopped = true, message, message
end

--- Begins to watch a run, unless its on_nan is "ignore": sets run.finite, and run.began_finite.
function on_nan.watch(run, state)
  if run.on_nan == "ignore" then return end
  run.finite = errors.guard(new_finite, run.net, run.opt, state.initial_epoch)
  run.began_finite = run.finite.epoch ~= nil
end

--- The loss of a batch is NaN or infinite. The batch is the `count` rows from `first` on, in this epoch's order.
function on_nan.bad_loss(run, state, value, first, count)
  local what = ("loss is %s after batch %d of epoch %d"):format(value ~= value and "nan" or "infinite", state.batch,
    state.epoch)
  if state.batch > 1 or state.epoch > state.initial_epoch + 1 then return diverged(run, state, what) end
  local cause = divergence.at_first(run, run.data:batch(run.group:own_rows(run, first, count)))
  diverged(run, state, what .. ", before any update", cause)
end

local function check_weights(run, state)
  run.checked = state.epoch
  if run.finite:is_finite() then return true end
  diverged(run, state, ("weights, or the optimizer's moments, are not finite after epoch %d"):format(state.epoch))
end

--- Checks the weights now and then, and always before they go into a checkpoint.
function on_nan.check_after_epoch(run, state)
  local finite = run.finite
  if not finite or state.stopped then return end
  local due, last = finite:is_due(state.batch), state.epoch == state.epochs
  if not (due or last or #run.listeners.on_checkpoint > 0) then return end
  if check_weights(run, state) and due and not last then finite:keep(state.epoch) end
end

--- Checks the weights once more if a callback ended the training after an epoch without a check.
function on_nan.check_at_end(run, state)
  if run.finite and not state.stopped and run.checked ~= state.epoch then check_weights(run, state) end
end

return on_nan

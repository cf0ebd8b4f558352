--- What ranks check and exchange before a distributed fit or evaluate: all must mean the same, and begin with rank 0's
-- state.
local broadcasts = require "moonglass.net.distributed.broadcasts"
local describe = require "moonglass.net.describe"
local equal = require "moonglass.net.distributed.equal"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local passes = require "moonglass.net.passes"

local Group = {}

--- Only native passes can be divided among ranks.
function Group:check_native(net, loss, opt)
  if passes.all_native(net, loss, opt) then return end
  local part = not native.is_loss(loss) and "the loss" or "the optimizer"
  for i = 1, #net do
    if not native.is_layer(net:layer(i)) then part = ("layer %d (%s)"):format(i, describe.layer(net:layer(i))) end
  end
  errors.raise("%s: %s is written in Lua, expected native layers, loss and optimizer: one process alone can train this "
    .. "net", self.what, part)
end

-- The rows that each rank has, as a list; nil if a rank has none.
local function shards_of(counts, i)
  local list = {}
  for rank, of in ipairs(counts) do
    list[rank] = of[i]
    if of[i] == 0 then return nil end
  end
  return list
end

--- If the ranks have rows of their own: tells the datasets how many the others have.
function Group:shard(sharded, data, validation)
  self:agree(true)
  local first = self:from_first(sharded)
  self:agree(sharded == first, ("%s: sharded is %s, but %s on rank 0: give all ranks the same"):format(self.what,
    tostring(sharded), tostring(first)))
  self.sharded = sharded
  if not sharded then return end
  local counts = self:all{data:rows(), validation and validation:rows() or 0}
  data:set_shards(shards_of(counts, 1))
  local of_validation = shards_of(counts, 2)
  if of_validation then validation:set_shards(of_validation) end
end

--- The callbacks that this rank has, and its verbose: only rank 0 writes and prints.
function Group:callbacks_of(callbacks, verbose)
  if self.first then return callbacks, verbose end
  local list = {}
  for _, callback in ipairs(callbacks) do
    if type(callback) ~= "table" or not callback.writes then list[#list + 1] = callback end
  end
  return list, 0
end

local function facts_of_fit(run, state, o)
  local facts = equal.facts(run.net, run.loss, {"x", "y", "the weights of rows", "the x of validation",
    "the y of validation", "the weights of validation"}, run.tensors, o.sharded)
  equal.add_optimizer(facts, run.opt)
  for _, name in ipairs{"epochs", "batch_size"} do equal.add(facts, name, state[name]) end
  for _, name in ipairs{"shuffle", "on_nan", "mask"} do equal.add(facts, name, run[name]) end
  equal.add(facts, "validation_freq", run.validation_freq)
  equal.add(facts, "metrics", run.meter and run.meter.names or "not given")
  equal.add(facts, "resume", state.resumed and "given" or "not given")
  return facts
end

-- Rank 0's weights, moments, seed and progress are everyone's.
local function take_from_first(group, run, state)
  broadcasts.weights(group, run.net)
  broadcasts.optimizer(group, run.net, run.opt)
  broadcasts.history(group, state.history)
  if state.resumed then run.remembered = broadcasts.remembered(group, run.remembered or {}) end
  local first = group:from_first{seed = run.seed, epoch = state.initial_epoch}
  run.seed, state.seed = first.seed, first.seed
  state.epoch, state.initial_epoch = first.epoch, first.epoch
end

--- Before the first epoch of a prepared run: all ranks must mean the same training, and begin it with the same state.
function Group:begin(run, state, o)
  equal.check(self, self:protect(facts_of_fit, run, state, o)) -- a source may fail to give its first rows
  take_from_first(self, run, state)
  self:agree_on_events(run.listeners, o.callbacks)
  run.step = self:stepper(run.step)
end

--- Before an evaluation: all ranks must have the same weights, and mean the same rows and loss.
function Group:begin_evaluation(net, x, y, w, loss, o)
  local facts = self:protect(equal.facts, net, loss, {"x", "y", "the weights of rows"}, {x, y, w}, o.sharded)
  for _, name in ipairs{"batch_size", "mask"} do equal.add(facts, name, o[name]) end
  equal.add(facts, "metrics", o.meter and o.meter.names or "not given")
  equal.check(self, facts)
  self:agree(broadcasts.has_same_weights(self, net),
    "evaluate: the net's weights are not those of rank 0: load or train it on all ranks")
end

return Group

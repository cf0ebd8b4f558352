--- What the ranks of a distributed fit or evaluate decide together, so that all do the same at the same time. The
-- engine adds up the gradients (net:set_reducer).
local Group = require "moonglass.net.distributed.group"
local core = require "moonglass.core"
local describe = require "moonglass.net.describe"
local equal = require "moonglass.net.distributed.equal"
local errors = require "moonglass.support.errors"
local listeners = require "moonglass.net.listeners"
local native = require "moonglass.support.native"
local passes = require "moonglass.net.passes"
local share = require "moonglass.net.distributed.share"

local ranks = {}

--- The group of the call `what` with the user's options `given`, and a value to close; nil: this process is alone.
function ranks.join(what, given)
  local group = Group.of(what, given)
  return group, group and group:enter()
end

--- A value to close: meanwhile steps of the net are of all ranks together.
function ranks.reduce(group, net) return group:reduce(net) end

-- ---- before the training ----

--- Only native passes can be divided among ranks.
function ranks.check_native(group, net, loss, opt)
  if passes.all_native(net, loss, opt) then return end
  local part = not native.is_loss(loss) and "the loss" or "the optimizer"
  for i = 1, #net do
    if not native.is_layer(net:layer(i)) then part = ("layer %d (%s)"):format(i, describe.layer(net:layer(i))) end
  end
  errors.raise("%s: %s is written in Lua, expected native layers, loss and optimizer: one process alone can train this "
    .. "net", group.what, part)
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

--- If the ranks have rows of their own: tells the datasets how many the others have. A meeting.
function ranks.shard(group, sharded, data, validation)
  group:agree(true)
  local first = group:from_first(sharded)
  group:agree(sharded == first, ("%s: sharded is %s, but %s on rank 0: give all ranks the same"):format(group.what,
    tostring(sharded), tostring(first)))
  if not sharded then return end
  local counts = group:all{data:rows(), validation and validation:rows() or 0}
  data:set_shards(shards_of(counts, 1))
  local of_validation = shards_of(counts, 2)
  if of_validation then validation:set_shards(of_validation) end
end

local grain = 8 -- the engine cuts a batch at multiples of so many rows

--- The most rows of a batch that this rank computes.
function ranks.own_part(group, run)
  local own = #run.x
  if own < run.rows then return math.min(own, run.batch * own // run.rows + 2) end
  local grains = -(-run.batch // grain)
  return math.min(run.batch, grain * -(-grains // group.size))
end

--- The callbacks that this rank has, and its verbose: only rank 0 writes and prints.
function ranks.callbacks_of(group, callbacks, verbose)
  if group.first then return callbacks, verbose end
  local list = {}
  for _, callback in ipairs(callbacks) do
    if type(callback) ~= "table" or not callback.writes then list[#list + 1] = callback end
  end
  return list, 0
end

local function facts_of_fit(run, state, o)
  local facts = equal.facts(run.net, run.loss, {"x", "y", "the x of validation", "the y of validation"},
    {run.x, run.y, run.xv, run.yv}, o.sharded)
  equal.add_optimizer(facts, run.opt)
  for _, name in ipairs{"epochs", "batch_size"} do equal.add(facts, name, state[name]) end
  for _, name in ipairs{"shuffle", "on_nan"} do equal.add(facts, name, run[name]) end
  equal.add(facts, "resume", state.resumed and "given" or "not given")
  return facts
end

-- Rank 0's weights, moments, seed and progress are everyone's.
local function take_from_first(group, run, state)
  share.weights(group, run.net)
  share.optimizer(group, run.net, run.opt)
  share.history(group, state.history)
  if state.resumed then run.remembered = share.remembered(group, run.remembered or {}) end
  local first = group:from_first{seed = run.seed, epoch = state.initial_epoch}
  run.seed, state.seed = first.seed, first.seed
  state.epoch, state.initial_epoch = first.epoch, first.epoch
end

-- ---- callbacks ----

local function hears_batches(callbacks)
  for _, callback in ipairs(callbacks) do
    if type(callback) == "table" and callback.on_batch_end and not callback.writes then return true end
  end
  return false
end

--- Rank 0 decides for all whether the training ends, and the learning rate.
function ranks.follow_first(group, state)
  local first = group:from_first{stop = state.stop and true or false, lr = state.opt.lr, stopped = state.stopped}
  state.stop, state.stopped = first.stop, first.stopped
  if first.stopped then state.history.stopped = first.stopped end
  share.set_rate(state.opt, first.lr)
end

-- Which code computes here: kernels for other instructions may round otherwise.
local function kernels()
  local info = core.info()
  return ("%s, BLIS %s %s"):format(info.simd, info.blis, info.blis_config)
end

local function check_weights(group, state)
  local same = share.has_same_weights(group, state.net)
  local own, first = kernels(), group:from_first(kernels())
  local reason = own == first and "a callback has changed them on some ranks only"
    or ("the kernels here (%s) are not those there (%s)"):format(own, first)
  group:agree(same, ("%s: after epoch %d the weights are not, bit for bit, those of rank 0: %s"):format(group.what,
    state.epoch, reason))
end

-- The callbacks of early_stopping on other ranks may have kept other weights than rank 0's.
local function end_with_first(group, state)
  if group:any(not share.has_same_weights(group, state.net)) then share.weights(group, state.net) end
end

local after = {on_epoch_end = check_weights, on_train_end = end_with_first}

-- The functions of an event as a single one, after which all ranks agree.
local function shared(group, list, finish)
  return {function(state)
    group:protect(listeners.fire, list, state)
    ranks.follow_first(group, state)
    if finish then finish(group, state) end
  end}
end

local events = {"on_train_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_checkpoint", "on_train_end"}

-- An event that no rank hears costs nothing. Of batches, what only writes is rank 0's own matter.
local function share_events(group, lists, callbacks)
  local heard = {
    on_batch_end = group:any(hears_batches(callbacks)), on_checkpoint = group:any(#lists.on_checkpoint > 0),
  }
  for _, event in ipairs(events) do
    if heard[event] ~= false then lists[event] = shared(group, lists[event], after[event]) end
  end
end

--- Before the first epoch of a prepared run: all ranks must mean the same training, and begin it with the same state.
function ranks.begin(group, run, state, o)
  equal.check(group, facts_of_fit(run, state, o))
  take_from_first(group, run, state)
  share_events(group, run.listeners, o.callbacks)
  run.step = group:stepper(run.step)
end

-- ---- numbers that are not finite ----

local function is_about_rows(cause) return cause:find("^x has ") or cause:find("^the targets have ") end

--- The cause that all ranks give. If they have rows of their own, it may be in the rows of one. A meeting.
function ranks.cause(group, cause)
  group:agree(true)
  local causes = group:all(cause)
  local found, same = nil, true
  for i, theirs in ipairs(causes) do
    same = same and theirs == causes[1]
    if not found and is_about_rows(theirs) then found = i end
  end
  if same or not found then return causes[1] end
  return ("%s, on rank %d"):format(causes[found], found - 1)
end

-- ---- evaluation ----

--- The mean objective over all rows of a dataset, those of all ranks.
function ranks.evaluate(group, net, data, loss, batch)
  local reducer <close> = group:reduce(net) -- luacheck: ignore reducer
  local ok, value = errors.caught(passes.evaluate_rows, net, data, loss, batch)
  if not ok then group:refused(value) end
  return value
end

--- Before an evaluation: all ranks must have the same weights, and mean the same rows and loss.
function ranks.begin_evaluation(group, net, x, y, loss, o)
  local facts = equal.facts(net, loss, {"x", "y"}, {x, y}, o.sharded)
  equal.add(facts, "batch_size", o.batch_size)
  equal.check(group, facts)
  group:agree(share.has_same_weights(group, net),
    "evaluate: the net's weights are not those of rank 0: load or train it on all ranks")
end

return ranks

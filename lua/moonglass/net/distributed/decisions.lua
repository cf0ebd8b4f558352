--- What the ranks of a distributed fit decide together while they train, so that all do the same at the same time.
local broadcasts = require "moonglass.net.distributed.broadcasts"
local core = require "moonglass.core"
local listeners = require "moonglass.net.listeners"

local Group = {}

-- ---- callbacks ----

local function hears_batches(callbacks)
  for _, callback in ipairs(callbacks) do
    if type(callback) == "table" and callback.on_batch_end and not callback.writes then return true end
  end
  return false
end

--- Rank 0 decides for all whether the training ends, and the learning rate.
function Group:follow_first(state)
  local first = self:from_first{stop = state.stop and true or false, lr = state.opt.lr, stopped = state.stopped}
  state.stop, state.stopped = first.stop, first.stopped
  if first.stopped then state.history.stopped = first.stopped end
  broadcasts.set_rate(state.opt, first.lr)
end

-- Which code computes here: kernels for other instructions may round otherwise.
local function kernels()
  local info = core.info()
  return ("%s, BLIS %s %s"):format(info.simd, info.blis, info.blis_config)
end

local function check_weights(group, state)
  local same = broadcasts.has_same_weights(group, state.net)
  local own, first = kernels(), group:from_first(kernels())
  local reason = own == first and "a callback has changed them on some ranks only"
    or ("the kernels here (%s) are not those there (%s)"):format(own, first)
  group:agree(same, ("%s: after epoch %d the weights are not, bit for bit, those of rank 0: %s"):format(group.what,
    state.epoch, reason))
end

-- The callbacks of early_stopping on other ranks may have kept other weights than rank 0's.
local function end_with_first(group, state)
  if group:any(not broadcasts.has_same_weights(group, state.net)) then broadcasts.weights(group, state.net) end
end

local after = {on_epoch_end = check_weights, on_train_end = end_with_first}

-- The functions of an event as a single one, after which all ranks agree.
local function agreed(group, list, finish)
  return {function(state)
    group:protect(listeners.fire, list, state)
    group:follow_first(state)
    if finish then finish(group, state) end
  end}
end

local events = {"on_train_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_checkpoint", "on_train_end"}

--- Puts what all ranks agree on behind the functions of each event. An event that no rank hears costs nothing. Of
-- batches, what only writes is rank 0's own matter.
function Group:agree_on_events(lists, callbacks)
  local heard = {
    on_batch_end = self:any(hears_batches(callbacks)), on_checkpoint = self:any(#lists.on_checkpoint > 0),
  }
  for _, event in ipairs(events) do
    if heard[event] ~= false then lists[event] = agreed(self, lists[event], after[event]) end
  end
end

-- ---- numbers that are not finite ----

local function is_about_rows(cause) return cause:find("^x has ") or cause:find("^the targets have ") end

--- The cause that all ranks give. If they have rows of their own, it may be in the rows of one.
function Group:cause(cause)
  self:agree(true)
  local causes = self:all(cause)
  local found, same = nil, true
  for i, theirs in ipairs(causes) do
    same = same and theirs == causes[1]
    if not found and is_about_rows(theirs) then found = i end
  end
  if same or not found then return causes[1] end
  return ("%s, on rank %d"):format(causes[found], found - 1)
end

return Group

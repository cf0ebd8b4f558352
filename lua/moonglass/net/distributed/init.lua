--- The option distributed of fit and evaluate: the ranks of a run train one net together, each with its share of every
-- batch. Every function here has the group of the ranks as its first argument. In a process alone that is nil, and the
-- function does what fit did without ranks; otherwise ranks.lua does it, which is loaded by the first such call.
local passes = require "moonglass.net.passes"
local log = require "moonglass.support.log"

local distributed = {}
local ranks

--- The group of the call `what` with the user's options `given`, and a value to close; nil: this process is alone.
function distributed.join(what, given)
  if type(given) ~= "table" or not (given.distributed or given.sharded) then return nil end
  ranks = ranks or require "moonglass.net.distributed.ranks"
  return ranks.join(what, given)
end

-- Without a group these do nothing.
for _, name in ipairs{"reduce", "check_native", "shard", "begin", "follow_first", "begin_evaluation"} do
  distributed[name] = function(group, ...)
    if group then return ranks[name](group, ...) end
  end
end

--- f(...), which a rank may fail alone: then all raise its error.
function distributed.together(group, f, ...)
  if group then return group:protect(f, ...) end
  return f(...)
end

--- A warning, which rank 0 writes for all.
function distributed.warn(group, words)
  if not group or group.first then log.warn(words) end
end

--- The callbacks that this rank has, and its verbose.
function distributed.callbacks_of(group, callbacks, verbose)
  if group then return ranks.callbacks_of(group, callbacks, verbose) end
  return callbacks, verbose
end

--- The most rows of a batch that this rank computes.
function distributed.own_part(group, run) return group and ranks.own_part(group, run) or run.batch end

--- The cause of a loss that is not finite, as all ranks give it.
function distributed.cause(group, cause) return group and ranks.cause(group, cause) or cause end

--- The mean objective over all rows of a dataset, those of all ranks.
function distributed.evaluate(group, net, data, loss, batch)
  if group then return ranks.evaluate(group, net, data, loss, batch) end
  return passes.evaluate_rows(net, data, loss, batch)
end

return distributed

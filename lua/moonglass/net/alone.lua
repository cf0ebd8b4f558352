--- A process alone, as the group that trains or evaluates. fit and evaluate talk to a group by these methods; that of
-- several ranks, which has all of them and more, is in distributed/.
local passes = require "moonglass.net.passes"

local alone = {size = 1, first = true} -- first: it is rank 0, which writes and prints

local function nothing() end

--- Can the group train this net? Are x, y, the net and the options the same on all ranks? Here they are.
alone.check_native, alone.shard, alone.begin, alone.begin_evaluation = nothing, nothing, nothing, nothing

--- Rank 0's state.stop and learning rate are everyone's.
alone.follow_first = nothing

--- A value to close: meanwhile steps of the net are of all ranks together.
alone.with_reducer = nothing

--- f(...), which may fail on one rank: then all raise its error.
function alone.protect(_, f, ...) return f(...) end

--- The callbacks that this rank has, and its verbose.
function alone.callbacks_of(_, callbacks, verbose) return callbacks, verbose end

--- The most rows of a batch that this rank computes.
function alone.largest_slice(_, run) return run.batch end

--- Which rows of this rank's dataset are in the batch of `count` rows from `first` on: the first, and how many.
function alone.own_rows(_, _, first, count) return first, count end

--- The cause of a loss that is not finite, as all ranks give it.
function alone.cause(_, cause) return cause end

--- The mean objective over all rows of a dataset, those of all ranks. meter (or nil) counts the batches.
function alone.evaluate(_, net, data, loss, batch, meter) return passes.evaluate_rows(net, data, loss, batch, meter) end

--- Two lists of numbers, added up over all ranks.
function alone.add_up(_, sums, weights) return sums, weights end

--- Values of functions of `rows` rows, as all ranks give them: means over their rows.
function alone.mean(_, values) return values end

return alone

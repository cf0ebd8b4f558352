--- net:evaluate and net:evaluate_rows: the objective over rows, in inference.
local checks = require "moonglass.support.checks"
local compatibility = require "moonglass.net.compatibility"
local datasets = require "moonglass.net.datasets"
local errors = require "moonglass.support.errors"
local heads = require "moonglass.net.heads"
local join = require "moonglass.net.join"
local last_activation = require "moonglass.net.last_activation"
local native = require "moonglass.support.native"
local new_meter = require "moonglass.net.meter"
local options = require "moonglass.support.options"
local passes = require "moonglass.net.passes"
local resolve = require "moonglass.net.resolve"
local weights = require "moonglass.net.weights"

---@class moonglass.Net
local Net = {}

local default_batch = 32

---Options of `net:evaluate`.
---@class moonglass.EvaluateOptions
---@field loss moonglass.LossName|moonglass.AnyLoss? the loss of the last `fit` if not given; required before the first
---@field batch_size integer? default 32
---@field mask boolean? default false; true: NaN is a cell that is missing, as in `fit`
---@field metrics moonglass.Metrics? more figures, as in `fit`; they come as the second result
---@field sample_weight moonglass.Tensor? [rows]: the loss of each row is multiplied by its weight, then averaged
---@field class_weight table<integer, number>? by class number, from 0, as in `fit`
---@field distributed moonglass.mpi? each process of the run computes some of the rows
---@field sharded boolean? default false: every rank has all rows; true: x and y are this rank's own rows
local evaluate_options = options.checker("evaluate", {
  loss = {"any"}, batch_size = {"count", default_batch}, mask = {"flag", false}, metrics = {"any"},
  sample_weight = {"any"}, class_weight = {"any"},
  distributed = {"any"}, sharded = {"flag", false},
})

-- The rows as a dataset, the loss, the options, the weights and the targets. o.meter is for the metrics; nil without
-- any.
local function prepare(net, x, y, given, group)
  local o = evaluate_options(given)
  if o.loss == nil and net.loss == nil then
    errors.raise("evaluate: option loss is missing, and the net has not been fitted (known: %s)", resolve.loss_names())
  end
  local loss = resolve.loss("evaluate", o.loss or net.loss)
  o.meter = new_meter("evaluate", net, loss, o.metrics, passes.all_native(net, loss))
  group:check_native(net, loss)
  passes.check_mask("evaluate", o.mask, net, loss)
  heads.check_weights("evaluate", loss, o)
  y = heads.targets("evaluate", loss, y)
  last_activation.check("evaluate", net, loss)
  -- The core checks the rows in its own passes, but not before other ranks wait for them, or a source is read.
  local first = group.size > 1 or not native.is_net(net) or native.is_source(x)
  if first then datasets.check("evaluate", net, loss, x, y) end
  local data = datasets.make("evaluate", loss, x, y, o.mask)
  local w = weights.of("evaluate", net, x, y, o)
  if w then
    passes.check_weights("evaluate", loss)
    data:set_weights(w)
  end
  group:shard(o.sharded, data)
  return data, loss, o, w, y
end

---The objective in inference, averaged over the rows, penalties included; with `mask` a mean is over all cells that are
---present, in batches of any size. In `net:evaluate(x, options)` the target is
---x.
---@param x moonglass.Rows [rows x in]
---@param y moonglass.Rows? targets, as for `fit`
---@param options moonglass.EvaluateOptions?
---@return number objective averaged over the rows
---@return table<string, number>? metrics by name; none without metrics
---@overload fun(self: moonglass.Net, x: moonglass.Rows, options: moonglass.EvaluateOptions): number, table?
function Net:evaluate(x, y, given)
  checks.net("evaluate", self)
  y, given = datasets.arguments(y, given)
  local group, leave <close> = join("evaluate", given) -- luacheck: ignore leave
  local data, loss, o, w, targets = group:protect(prepare, self, x, y, given, group)
  group:begin_evaluation(self, x, targets, w, loss, o)
  local objective = group:evaluate(self, data, loss, o.batch_size, o.meter)
  if not o.meter then return objective end -- alone: a session would print a nil beside it
  return objective, o.meter:finish(group, self, x, targets)
end

---The objective over all rows of a dataset, in inference.
---@param data moonglass.Dataset
---@param loss moonglass.LossName|moonglass.AnyLoss
---@param batch integer? default 32
---@return number objective
function Net:evaluate_rows(data, loss, batch)
  local given = loss
  loss, batch = resolve.loss("evaluate", loss), batch or default_batch
  if not math.tointeger(batch) or batch < 1 then
    errors.raise("evaluate: batch is %s, expected a whole number of at least 1", options.show(batch))
  end
  compatibility.check_first_dataset("evaluate", self, data, given, loss)
  return passes.evaluate_rows(self, data, loss, batch)
end

return Net

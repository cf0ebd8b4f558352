--- net:step and net:step_rows: one training step.
local checks = require "moonglass.support.checks"
local compatibility = require "moonglass.net.compatibility"
local errors = require "moonglass.support.errors"
local heads = require "moonglass.net.heads"
local passes = require "moonglass.net.passes"
local resolve = require "moonglass.net.resolve"

---@class moonglass.Net
local Net = {}

---One training step on one batch. A step whose objective is NaN or infinite changes nothing.
---@param x moonglass.Tensor [rows x in]
---@param y moonglass.Tensor|moonglass.Tensor[]? the targets; nil: x itself; with `moon.heads` a list of them
---@param loss moonglass.LossName|moonglass.AnyLoss
---@param optimizer moonglass.AnyOptimizer an object, which keeps its moments between steps
---@return number objective before the update, penalties included
function Net:step(x, y, loss, opt)
  checks.net("step", self)
  checks.is_tensor("step", "x", x)
  local given = loss
  loss, opt = resolve.of_step("step", loss, opt)
  y = heads.targets("step", loss, y)
  if y ~= nil then checks.is_tensor("step", "y", y) end
  compatibility.check_first_batch("step", self, given, loss, x, y)
  return passes.step(self, x, y, loss, opt)
end

---One training step on rows of a dataset, in its current order.
---@param data moonglass.Dataset
---@param first integer the first row
---@param count integer the number of rows
---@param loss moonglass.LossName|moonglass.AnyLoss
---@param optimizer moonglass.AnyOptimizer
---@return number objective before the update, penalties included
function Net:step_rows(data, first, count, loss, opt)
  local given = loss
  loss, opt = resolve.of_step("step", loss, opt)
  compatibility.check_first_dataset("step", self, data, given, loss)
  return errors.guard(passes.step_of_rows(self, loss, opt), self, data, first, count, loss, opt)
end

return Net

--- net:step and net:step_rows: one training step.
local checks = require "moonglass.support.checks"
local compatibility = require "moonglass.net.compatibility"
local errors = require "moonglass.support.errors"
local parts = require "moonglass.net.parts"
local passes = require "moonglass.net.passes"

local Net = {}

--- One training step on a batch: x [rows x in], y [rows x out] or class numbers [rows]; y nil: the target is x.
-- Returns the objective before the update, penalties included. If it is not finite, nothing is updated.
function Net:step(x, y, loss, opt)
  checks.net("step", self)
  checks.is_tensor("step", "x", x)
  if y ~= nil then checks.is_tensor("step", "y", y) end
  local given = loss
  loss, opt = parts.of_step("step", loss, opt)
  compatibility.check_first_batch("step", self, given, loss, x, y)
  return passes.step(self, x, y, loss, opt)
end

--- One training step on `count` rows from `first` on, in the dataset's present order.
function Net:step_rows(data, first, count, loss, opt)
  local given = loss
  loss, opt = parts.of_step("step", loss, opt)
  compatibility.check_first_dataset("step", self, data, given, loss)
  return errors.guard(passes.step_of_rows(self, loss, opt), self, data, first, count, loss, opt)
end

return Net

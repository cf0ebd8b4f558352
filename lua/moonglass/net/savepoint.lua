--- The weights of a net and the moments of its optimiser as they were when all of them were finite numbers, to go back
-- to. By a loss that is not finite nothing is updated; but a step whose loss still is can make a weight infinite or
-- nan: behind a sigmoid an infinite input does it.
local native = require "moonglass.support.native"

local savepoint = {}

-- A copy after fewer batches would cost a part of the training that is felt.
local batches_between = 256

local Savepoint = {}
Savepoint.__index = Savepoint

-- All tensors that a step changes.
local function tensors_of(net, opt)
  local list, parameters = {}, net:parameters()
  for i, parameter in ipairs(parameters) do list[i] = parameter.value end
  if native.is_optimizer(opt) then
    for _, moments in ipairs(opt:moments(parameters)) do
      for _, t in pairs(moments) do list[#list + 1] = t end
    end
  end
  return list
end

--- One of the present state. That need not be finite: then there is nothing to go back to, and epoch is nil.
function savepoint.new(net, opt, epoch)
  local self = setmetatable({tensors = tensors_of(net, opt), opt = opt, batches = 0}, Savepoint)
  if self:is_whole() then self:take(epoch) end
  return self
end

--- Are all of them finite? A sum of finite floats, in double precision, is.
function Savepoint:is_whole()
  for _, t in ipairs(self.tensors) do
    local sum = t:sum()
    if sum - sum ~= 0 then return false end
  end
  return true
end

--- Keep the present state, which is whole: that after an epoch.
function Savepoint:take(epoch)
  self.kept = self.kept or {}
  for i, t in ipairs(self.tensors) do
    if self.kept[i] then self.kept[i]:copy_(t) else self.kept[i] = t:clone() end
  end
  self.epoch, self.batches = epoch, 0
  self.steps = native.is_optimizer(self.opt) and self.opt:steps() or nil
end

--- After so many batches more: were there enough since the last time?
function Savepoint:is_due(batches)
  self.batches = self.batches + batches
  return self.batches >= batches_between
end

--- Put back what was kept, if there is anything. The epoch after which that was.
function Savepoint:go_back()
  for i, t in ipairs(self.kept or {}) do self.tensors[i]:copy_(t) end
  if self.steps then self.opt:set_steps(self.steps) end
  return self.epoch
end

return savepoint

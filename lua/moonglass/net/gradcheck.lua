--- moon.gradcheck: numeric gradients against those of backward, for a net, a layer or a loss.
-- The objective is loss(net(x), target) + penalties; without a loss, a fixed weighted sum of the outputs. The numeric
-- derivative is a five-point difference, whose error is of order eps^4, so that float32 allows a large eps. Inputs must
-- be more than 2 eps away from a kink, such as that of relu at 0.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local mixed = require "moonglass.net.mixed"
local native = require "moonglass.support.native"
local net_state = require "moonglass.net.state"
local options = require "moonglass.support.options"
local sequential = require "moonglass.net.sequential"

---Options of `moon.gradcheck`.
---@class moonglass.GradcheckOptions
---@field loss moonglass.AnyLoss? a fixed weighted sum of the outputs if not given
---@field target moonglass.Tensor? required with a loss
---@field eps number? default 0.03, above 0: the step of the differences; kinks must be more than twice as far away
---@field samples integer? default 64: the number of elements checked in each tensor, evenly spread
---@field tolerance number? default 0.01, above 0: the largest relative error that passes
---@field seed integer? default 1: for the noise
local check_options = options.checker("gradcheck", {
  loss = {"any"}, target = {"any"}, eps = {"positive", 0.03}, samples = {"count", 64}, tolerance = {"positive", 1e-2},
  seed = {"seed", 1},
})

-- The sum of y[i] cos(0.7 i): all weights differ, so that two mistakes cannot cancel.
local function weighted_sum()
  local weights
  return {
    forward = function(_, y)
      weights = core.arange(1, y:numel() + 1, 1):map(function(i) return math.cos(0.7 * i) end)
      weights = weights:reshape(table.unpack(y.shape))
      return (y * weights):sum()
    end,
    backward = function() return weights end,
  }
end

local function as_net(subject)
  if native.is_net(subject) or mixed.is_mixed(subject) then return subject end
  if not native.is_layer(subject) and type(subject) ~= "table" then
    errors.raise("gradcheck: net is %s, expected a net or a layer", options.show(subject))
  end
  return errors.guard_as("gradcheck", "sequential", sequential, {subject})
end

-- The same noise in every run of the net.
local function objective(net, loss, x, target, seed)
  net:seed(seed)
  return loss:forward(net:forward(x, true), target) + net:penalty()
end

-- The numeric derivative with respect to flat[i], which keeps its value.
local function slope(run, flat, i, eps)
  local v = flat[i]
  local function at(offset)
    flat[i] = v + offset
    return run()
  end
  local near, far = at(eps) - at(-eps), at(2 * eps) - at(-2 * eps)
  flat[i] = v
  return (8 * near - far) / (12 * eps)
end

---The worst element of one tensor.
---@class moonglass.GradcheckDetail
---@field name string "input", or the parameter's name
---@field checked integer the number of elements checked
---@field error number the largest relative error
---@field index integer? the element with that error
---@field numeric number? its slope by differences
---@field analytic number? its slope by `backward`

-- Compares one tensor's gradient in up to `samples` elements, evenly spread.
local function compare(name, value, gradient, run, o)
  local n = value:numel()
  local flat, analytic = value:reshape(n), gradient:clone():reshape(n)
  local found = {name = name, checked = 0, error = 0}
  -- Differences are relative to the tensor's large entries, but never to less than float32 can resolve.
  local largest = n > 0 and analytic:abs():max() or 0
  local floor = math.max(0.5 * largest, 2e-3 * (1 + math.abs(run())))
  for k = 0, math.min(n, o.samples) - 1 do
    local i = 1 + k * n // math.min(n, o.samples)
    local numeric = slope(run, flat, i, o.eps)
    local err = math.abs(numeric - analytic[i]) / math.max(floor, math.abs(numeric) + math.abs(analytic[i]))
    found.checked = found.checked + 1
    if err > found.error or err ~= err then
      found.error, found.index, found.numeric, found.analytic = err, i, numeric, analytic[i]
    end
    if err ~= err then break end
  end
  return found
end

---The result of a gradient check. `tostring` makes a table of it.
---@class moonglass.GradcheckDetails
---@field passed boolean true if the largest error is within the tolerance
---@field [integer] moonglass.GradcheckDetail the input first, then each parameter
local Details = {}

function Details.__tostring(details)
  local lines = {}
  for i, d in ipairs(details) do
    lines[i] = ("%-16s %4d checked, largest error %.2e"):format(d.name, d.checked, d.error)
    if d.index then
      lines[i] = lines[i] .. (" at %d: numeric %.6g, analytic %.6g"):format(d.index, d.numeric, d.analytic)
    end
  end
  return table.concat(lines, "\n")
end

-- The parameters that are not frozen: the others have no gradient.
local function trained(net)
  local list = {}
  for _, parameter in ipairs(net:parameters()) do
    if parameter.trainable ~= false then list[#list + 1] = parameter end
  end
  return list
end

local function check_arguments(x, o)
  if not native.is_tensor(x) or x.dtype ~= "float32" then
    errors.raise("gradcheck: x is %s, expected a float32 tensor", options.show(x))
  end
  if o.loss ~= nil and o.target == nil then errors.raise("gradcheck: option target is missing, expected with loss") end
  local own = type(o.loss) == "table" and o.loss.forward and o.loss.backward
  if o.loss ~= nil and not (native.is_loss(o.loss) or own) then
    errors.raise("gradcheck: loss is %s, expected a loss object, or a table with forward and backward",
      options.show(o.loss))
  end
end

---Compare `backward` with numeric gradients, to test a layer or a loss written in Lua.
---@name moon.gradcheck(subject, x, options)
---@param subject moonglass.AnyLayer a net or a layer, also one written in Lua
---@param x moonglass.Tensor [rows x in], float32
---@param options moonglass.GradcheckOptions?
---@return number error the largest relative error
---@return moonglass.GradcheckDetails details
local function gradcheck(subject, x, given)
  local o = check_options(given)
  check_arguments(x, o)
  local net, loss = as_net(subject), o.loss or weighted_sum()
  x = x:clone()
  local function run() return objective(net, loss, x, o.target, o.seed) end
  local restore = net_state.keep_buffers(net)
  local unchanged <close> = setmetatable({}, {__close = restore}) -- luacheck: ignore
  errors.guard(run)
  local dx = net:backward(loss:backward()):clone()
  local parameters, gradients = trained(net), {}
  for i, parameter in ipairs(parameters) do gradients[i] = parameter.grad:clone() end
  local details = setmetatable({compare("input", x, dx, run, o)}, Details)
  for i, parameter in ipairs(parameters) do
    details[i + 1] = compare(parameter.name, parameter.value, gradients[i], run, o)
  end
  local worst = 0
  for _, d in ipairs(details) do
    if d.error > worst or d.error ~= d.error then worst = d.error end
    if worst ~= worst then break end
  end
  details.passed = worst <= o.tolerance
  return worst, details
end

return gradcheck

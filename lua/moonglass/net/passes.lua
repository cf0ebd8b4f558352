--- One training step, and one evaluation over all rows: in the core if net, loss and optimizer are all native, from Lua
-- otherwise. Both give the same numbers.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local net_state = require "moonglass.net.state"
local options = require "moonglass.support.options"

local passes = {}

-- The core's own methods, copied before this library replaces some of them.
local native_net = {}
for name, method in pairs(core.methods["moonglass.net"]) do native_net[name] = method end

--- Are net, loss and optimizer native, so that the core can run the pass? opt may be nil.
function passes.all_native(net, loss, opt)
  return native.is_net(net) and native.is_loss(loss) and (opt == nil or native.is_optimizer(opt))
end

--- A mask works in the core only.
function passes.check_mask(what, mask, net, loss, opt)
  if not mask or passes.all_native(net, loss, opt) then return end
  local name = not native.is_net(net) and "a layer" or not native.is_loss(loss) and "the loss" or "the optimizer"
  errors.raise("%s: mask is true, but %s is written in Lua, expected native ones: fill_nan fills missing cells", what,
    name)
end

-- A native loss decides itself how bytes count. A loss in Lua gets floats, except for class numbers.
local function as_target(loss, t)
  if native.is_loss(loss) or t:rank() == 1 then return t end
  return checks.fractions(t)
end

--- Only a native loss takes weights of rows.
function passes.check_weights(what, loss)
  if native.is_loss(loss) then return end
  errors.raise("%s: rows have weights, but the loss is written in Lua, expected a native one: give the weights as a "
    .. "column of y, which the loss multiplies by", what)
end

local function objective(net, loss, prediction, target, w)
  if w then passes.check_weights("step", loss) end
  local value = loss:forward(prediction, target, w)
  if type(value) ~= "number" then
    errors.raise("loss: its value is %s, expected a number", options.show(value))
  end
  return value + net:penalty()
end

-- The parameters that a step updates: an optimizer in Lua does not ask which ones are frozen.
local function trained(net)
  local all, list = net:parameters(), {}
  for _, parameter in ipairs(all) do
    if parameter.trainable ~= false then list[#list + 1] = parameter end
  end
  if #all > 0 and #list == 0 then
    errors.raise("step: all layers are frozen, expected one to train: set a layer's trainable to true")
  end
  return list
end

-- x [rows x in], y [rows x out] or class numbers [rows], w weights [rows] or nil. meter (or nil) counts the batch.
local function step_in_lua(net, x, y, w, loss, opt, meter)
  local parameters = trained(net)
  local restore = net_state.keep_buffers(net)
  local prediction = net:forward(x, true)
  local value = objective(net, loss, prediction, y, w)
  if value - value ~= 0 then -- as in the core: nothing changes after a NaN or an infinity
    restore()
    return value
  end
  local gradient = loss:backward()
  if not native.is_tensor(gradient) then
    errors.raise("loss: its gradient is %s, expected a tensor of the prediction's shape", options.show(gradient))
  end
  net:backward(gradient)
  if meter then meter:take(prediction, y, #x, value, net:penalty()) end
  opt:step(parameters)
  return value
end

local function step_rows_in_lua(net, data, first, count, loss, opt, meter)
  local x, y = data:batch(first, count, true)
  return step_in_lua(net, x, as_target(loss, y or x), data:weights(first, count), loss, opt, meter)
end

local function evaluate_rows_in_lua(net, data, loss, batch, meter)
  local rows, sum = data:rows(), 0
  for first = 1, rows, batch do
    local count = math.min(batch, rows - first + 1)
    local x, y = data:batch(first, count, true)
    local prediction, target = net:forward(x, false), as_target(loss, y or x)
    local value = objective(net, loss, prediction, target, data:weights(first, count))
    if meter then meter:take(prediction, target, count, value, net:penalty()) end
    sum = sum + value * count
  end
  return sum / rows
end

--- One step on x [rows x in] and y (nil: the target is x). Returns the objective before the update.
function passes.step(net, x, y, loss, opt)
  if passes.all_native(net, loss, opt) then return errors.guard(native_net.step, net, x, y, loss, opt) end
  return errors.guard(step_in_lua, net, x, as_target(loss, y or checks.fractions(x)), nil, loss, opt)
end

--- f(net, dataset, first, count, loss, opt) -> objective: one step on `count` rows of a dataset, with these. Unguarded:
-- fit calls it once a batch. meter (or nil) counts the batches, in the core while it is attached.
function passes.step_of_rows(net, loss, opt, meter)
  if passes.all_native(net, loss, opt) then return native_net.step_rows end
  if not meter then return step_rows_in_lua end
  return function(n, data, first, count, l, o) return step_rows_in_lua(n, data, first, count, l, o, meter) end
end

--- net:predict for another function, `what`.
function passes.predict(what, net, x, given)
  if not native.is_source(x) then checks.is_tensor(what, "x", x) end
  return errors.guard_as(what, "predict", net.predict, net, x, given)
end

--- The mean objective over all rows of a dataset, in inference. meter (or nil) counts the batches.
function passes.evaluate_rows(net, data, loss, batch, meter)
  local attached <close> = meter and meter:attach(net) -- luacheck: ignore attached
  if passes.all_native(net, loss) then return errors.guard(native_net.evaluate_rows, net, data, loss, batch) end
  return errors.guard(evaluate_rows_in_lua, net, data, loss, batch, meter)
end

return passes

--- moon.sequential{layer, layer, ...}: a net. Of native layers only, it is native and runs in C; with a layer written
-- in Lua among them it is walked from Lua, with the same methods and the same numbers.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local mixed = require "moonglass.net.mixed"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local summary = require "moonglass.net.summary"
local train = require "moonglass.net.train"
local weights = require "moonglass.net.weights"

-- What this library adds to native nets, or puts in front of the core's own.
local methods = core.methods["moonglass.net"]
for _, name in ipairs{"fit", "evaluate", "step", "step_rows", "evaluate_rows"} do methods[name] = train[name] end
methods.summary, methods.save, methods.load = summary.of, files.net_save, weights.load
methods.loss, methods.optimizer = false, false -- fields that a net has after fit; nil before
methods.shares = false -- of a slice: what it shares, in words

local core_slice = methods.slice

--- METHOD net:slice(i, j): layers i to j as a net of their own, sharing the parameters.
function methods.slice(net, ...)
  local slice = errors.guard(core_slice, net, ...)
  slice.shares = ("layers %d to %d of another net"):format(...)
  return slice
end

local function is_lua_layer(v)
  return type(v) == "table" and type(v.forward) == "function" and type(v.backward) == "function"
end

-- Layers one after the other; a net among them stands for its layers.
local function flatten(list, into)
  for i = 1, #list do
    local element = list[i]
    if native.is_net(element) or mixed.is_mixed(element) then
      for k = 1, #element do into[#into + 1] = element:layer(k) end
    elseif native.is_layer(element) or is_lua_layer(element) then
      into[#into + 1] = element
    else
      errors.raise("sequential: element %d is %s, expected a layer, a net or a table with forward and backward", i,
        options.show(element))
    end
  end
  return into
end

local function check_list(list)
  if type(list) ~= "table" then
    errors.raise("sequential: got %s, expected a list of layers: sequential{layer, layer}", options.show(list))
  end
  local n = #list
  if n == 0 then errors.raise("sequential: the list is empty, expected at least one layer") end
  for key in pairs(list) do
    if not (math.type(key) == "integer" and key >= 1 and key <= n) then
      errors.raise("sequential: unknown key '%s', expected a list of layers", tostring(key))
    end
  end
end

local function sequential(layers)
  check_list(layers)
  local list = flatten(layers, {})
  for _, layer in ipairs(list) do
    if not native.is_layer(layer) then return mixed.new(list) end
  end
  return errors.guard(core.net, list)
end

return sequential

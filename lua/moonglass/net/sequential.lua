--- moon.sequential{layer, layer, ...}: a net. Of native layers only, it is native and runs in C; with a layer written
-- in Lua among them it is walked from Lua, with the same methods and the same numbers.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local halves = require "moonglass.net.halves"
local mixed = require "moonglass.net.mixed"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

-- What this library adds to native nets, or puts in front of the core's own methods.
local methods = core.methods["moonglass.net"]
local function add(more)
  for name, method in pairs(more) do methods[name] = method end
end
add(require "moonglass.net.methods")
add(require("moonglass.net.load").Net)
add(require "moonglass.net.save")
methods.loss, methods.optimizer = false, false -- fields that a net has after fit; nil before
methods.shares = false -- a slice's field: what it shares, in words

local core_slice, core_clone = methods.slice, methods.clone

--- Layers i to j as a net that shares the parameters.
function methods.slice(net, ...)
  local slice = errors.guard(core_slice, net, ...)
  slice.shares = ("layers %d to %d of another net"):format(...)
  return slice
end

--- A copy with its own parameters, and its own halves if it is an autoencoder. It has the loss, but not the optimizer,
-- whose moments belong to the parameters that it has updated.
function methods.clone(net)
  local copy = halves.restore(errors.guard(core_clone, net))
  copy.loss = net.loss
  return copy
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
  return mixed.compose(flatten(layers, {}))
end

return sequential

--- moon.branches{layers, layers, ...}: branches with a common input, as an element of moon.sequential.
local branching = require "moonglass.net.branching"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local mixed = require "moonglass.net.mixed"
local sequential = require "moonglass.net.sequential"

local function is_element(v)
  return native.is_layer(v) or native.is_net(v) or mixed.is_mixed(v) or type(v) == "table" and v.forward ~= nil
end

local function in_branch(text, k)
  return (errors.prefix(("branches: branch %d: "):format(k), text):gsub("(branch %d+: )sequential: ", "%1", 1))
end

-- A branch as a net; false for one without layers.
local function as_net(k, v)
  if is_element(v) then v = {v} end
  if type(v) ~= "table" then
    errors.raise("branches: branch %d is %s, expected a list of layers, a layer or a net", k, options.show(v))
  end
  if next(v) == nil then return false end
  return errors.guard_by(in_branch, k, nil, sequential, v)
end

---Branches: each gets the same rows, and their outputs stand side by side, [rows x the sum of their widths]. The result
---is an element of `moon.sequential`, or of an autoencoder's encoder or decoder. A branch without layers, {}, hands on
---its input. In a native net they become its layers, with a `branch` between two and a `join` behind the last.
---@name moon.branches(layers)
---@param layers (moonglass.AnyLayer[]|moonglass.AnyLayer)[] at least two: a list of layers, a net or a layer each
---@return moonglass.Branches branches
return function(layers)
  if type(layers) ~= "table" or is_element(layers) then
    errors.raise("branches: got %s, expected a list of branches: branches{{layer, layer}, {layer}}",
      options.show(layers))
  end
  local count, parts = #layers, {}
  for key in pairs(layers) do
    if not (math.type(key) == "integer" and key >= 1 and key <= count) then
      errors.raise("branches: unknown key '%s', expected a list of branches", tostring(key))
    end
  end
  if count < 2 then errors.raise("branches: the list has %d, expected at least two branches", count) end
  for k = 1, count do parts[k] = as_net(k, layers[k]) end
  return branching.new(parts)
end

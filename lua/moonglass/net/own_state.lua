--- What a file holds of a layer written in Lua: its parameters, and the state that it offers by two methods:
-- state() -> {name = tensor, number, text or boolean}, and load_state(t), which takes such a table.
local branching = require "moonglass.net.branching"
local describe = require "moonglass.net.describe"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

local own_state = {}

local plain = {number = true, string = true, boolean = true}

-- Layer i of a net, and the function that the user called, for messages.
local function refuse(at, message, ...)
  errors.raise("%s: layer %d (%s): " .. message, at.what, at.i, describe.layer(at.layer), ...)
end

local function in_layer(text, at) return ("in layer %d (%s): %s"):format(at.i, describe.layer(at.layer), text) end

local function call(at, method) return errors.guard_by(in_layer, at, nil, at.layer[method], at.layer) end

local function check_methods(at)
  for name, partner in pairs{state = "load_state", load_state = "state"} do
    local f = at.layer[name]
    if f ~= nil and type(f) ~= "function" then
      refuse(at, "%s is %s, expected a method; a field needs another name", name, options.show(f))
    end
    if f and at.layer[partner] == nil then refuse(at, "it has %s, but no %s, expected both", name, partner) end
  end
end

-- Names are a part of the tensors' names in a file.
local function check_name(at, where, name)
  if type(name) == "string" and name:find("^[%w_][%w_.-]*$") then return end
  refuse(at, "%s has the name %s, expected letters, digits, '_', '.' and '-'", where, options.show(name))
end

local function is_text(v) return utf8.len(v) and not v:find("\0", 1, true) end

local function check_value(at, name, v)
  if not (native.is_tensor(v) or plain[type(v)]) then
    refuse(at, "%s of its state is %s, expected a tensor, a number, a text or a boolean", name, options.show(v))
  end
  if type(v) == "string" and not is_text(v) then
    refuse(at, "%s of its state is a text that is not UTF-8 or has a zero byte, which files cannot hold", name)
  end
end

local function check_own_name(at)
  local name = at.layer.name
  if type(name) == "string" and not is_text(name) then
    refuse(at, "its name is not UTF-8 or has a zero byte, which files cannot hold")
  end
end

local function parameters_of(at)
  local parameters = {}
  for k, parameter in ipairs(at.layer.parameters and call(at, "parameters") or {}) do
    check_name(at, ("parameter %d"):format(k), parameter.name)
    if parameters[parameter.name] then refuse(at, "two parameters have the name '%s'", parameter.name) end
    if not native.is_tensor(parameter.value) then
      refuse(at, "the value of parameter '%s' is %s, expected a tensor", parameter.name,
        options.show(parameter.value))
    end
    parameters[parameter.name] = parameter.value
  end
  return parameters
end

local function state_of(at)
  if not at.layer.state then return nil end
  local state = call(at, "state")
  if type(state) ~= "table" then refuse(at, "state gave %s, expected a table", options.show(state)) end
  for name, v in pairs(state) do
    check_name(at, "an entry of its state", name)
    check_value(at, name, v)
  end
  return state
end

--- The parameters by name, and the state, or nil if it offers none. Raises for what a file cannot hold. The tensors are
-- not copied. what: the function that the user called; the layer is net's i-th.
function own_state.take(what, net, i)
  local at = {what = what, layer = net:layer(i), i = i}
  check_methods(at)
  check_own_name(at)
  local parameters, state = parameters_of(at), state_of(at)
  for name, v in pairs(state or {}) do
    if parameters[name] and not rawequal(parameters[name], v) then
      refuse(at, "'%s' is a parameter, and another value in its state, expected another name", name)
    end
  end
  return parameters, state
end

-- The same for the nets that are a layer's branches.
local function check_branches(what, branches)
  for _, part in ipairs(branches.parts) do
    if part then own_state.check(what, part) end
  end
end

--- Raises if the net has a layer in Lua that a file cannot hold, or whose state would not come back.
function own_state.check(what, net)
  for i = 1, #net do
    local layer = net:layer(i)
    if branching.is(layer) then
      check_branches(what, layer)
    elseif not native.is_layer(layer) then
      own_state.take(what, net, i)
    end
  end
end

--- The same state with copies of its tensors.
function own_state.copy(state)
  local copy = {}
  for name, v in pairs(state) do copy[name] = native.is_tensor(v) and v:clone() or v end
  return copy
end

--- Calls load_state of layer i. Returns nothing, or in words, why it failed.
function own_state.give(net, i, state)
  local layer = net:layer(i)
  local ok, raised = errors.caught(layer.load_state, layer, state)
  return not ok and in_layer(errors.text(raised), {layer = layer, i = i}) or nil
end

return own_state

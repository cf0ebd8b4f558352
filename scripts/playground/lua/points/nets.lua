--- The net of a room, and the code that makes the same net in the exported script.
--   nets.new(settings, classes) -> net
--   nets.text(host, settings, classes) -> code that defines `net`
--   nets.loss(classes), nets.optimizer(settings) -> an object, and the same as an expression of Lua
local moon = require "moonglass"
local script = require "playground.script"
local start_weights = require "playground.points.sets.start_weights"

local nets = {}

-- The output: tanh for -1 and 1, softmax for three classes, linear for values.
local outputs = {[2] = {1, "tanh"}, [3] = {3, "softmax"}, [0] = {1, "linear"}}
local penalties = {L1 = "weight_l1", L2 = "weight_l2"}

-- {inputs, units, activation} for each layer, and the penalty's option, if there is one.
local function layers_of(s, classes)
  local list, width = {}, #s.features
  for _, units in ipairs(s.hidden) do
    list[#list + 1] = {width, units, s.activation}
    width = units
  end
  local output = outputs[classes]
  list[#list + 1] = {width, output[1], output[2]}
  return list, s.regularisation_rate > 0 and penalties[s.regularisation] or nil
end

function nets.new(s, classes)
  local list, penalty = layers_of(s, classes)
  local layers = {}
  for i, layer in ipairs(list) do
    local options = {activation = layer[3]}
    if penalty then options[penalty] = s.regularisation_rate end
    layers[i] = moon.dense(layer[1], layer[2], options)
  end
  local net = moon.sequential(layers)
  start_weights(net, s.seed)
  return net
end

function nets.text(host, s, classes)
  local list, penalty = layers_of(s, classes)
  local lines = {}
  for i, layer in ipairs(list) do
    local cost = penalty and (", %s = %s"):format(penalty, script.number(s.regularisation_rate)) or ""
    lines[i] = ('  moon.dense(%d, %d, {activation = "%s"%s}),\n'):format(layer[1], layer[2], layer[3], cost)
  end
  return script.functions(host.source("playground.points.sets.start_weights"))
    .. "\nlocal net = moon.sequential{\n" .. table.concat(lines) .. "}\n"
    .. ("start_weights(net, %d)\n"):format(s.seed)
end

function nets.loss(classes)
  if classes == 3 then return moon.cross_entropy(), "moon.cross_entropy()" end
  return moon.mse(), "moon.mse()"
end

function nets.optimizer(s)
  return moon[s.optimizer]{lr = s.rate}, ("moon.%s{lr = %s}"):format(s.optimizer, script.number(s.rate))
end

return nets

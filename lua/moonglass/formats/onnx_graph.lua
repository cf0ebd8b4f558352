--- The graph of a net's inference as an ONNX model, for onnx.lua. Field numbers are those of onnx.proto. The weights
-- are initializers with the names of the saved net, "0.weight" [out x in].
local core = require "moonglass.core"
local describe = require "moonglass.net.describe"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local protobuf = require "moonglass.formats.protobuf"
local weight_names = require "moonglass.formats.weight_names"

local onnx_graph = {}

local message = protobuf.message

-- For each version of the operators, the oldest version of the file format that has it ("Versioning" in the ONNX
-- documentation). The operators used here are the same in all of them, except for Gelu, which is new in 20.
onnx_graph.first_opset, onnx_graph.last_opset = 11, 23
local formats = {6, 7, 7, 7, 8, 8, 8, 8, 9, 9, 10, 10, 11}
local gelu_opset = 20

-- ---- messages ----

local types = {float = 1, int64 = 7} -- TensorProto.DataType

local function tensor_message(name, dims, kind, raw)
  local m = message()
  for _, n in ipairs(dims) do m:integer(1, n) end
  return m:integer(2, types[kind]):bytes(8, name):bytes(9, raw)
end

local function attribute_message(name, v)
  local m = message():bytes(1, name)
  if math.type(v) == "integer" then return m:integer(3, v):integer(20, 2) end
  return m:float(2, v):integer(20, 1)
end

local function node_message(node)
  local m = message()
  for _, name in ipairs(node.inputs) do m:bytes(1, name) end
  for _, name in ipairs(node.outputs) do m:bytes(2, name) end
  m:bytes(3, node.name):bytes(4, node.operator)
  for _, pair in ipairs(node.attributes) do m:bytes(5, attribute_message(pair[1], pair[2])) end
  return m
end

-- A float matrix with any number of rows; width 0: of any width.
local function value_message(name, width)
  local columns = width > 0 and message():integer(1, width) or message():bytes(2, "width")
  local shape = message():bytes(1, message():bytes(2, "batch")):bytes(1, columns)
  local kind = message():bytes(1, message():integer(1, types.float):bytes(2, shape))
  return message():bytes(1, name):bytes(2, kind)
end

-- The elements as little-endian floats, in parts, since each element of a part is on Lua's stack.
local function raw_floats(t)
  local flat, step, parts = t:reshape(-1), 512, {}
  for i = 1, #flat, step do
    local part = flat:rows(i, math.min(i + step - 1, #flat)):totable()
    parts[#parts + 1] = string.pack("<" .. ("f"):rep(#part), table.unpack(part))
  end
  return table.concat(parts)
end

-- ---- the graph ----

local Graph = {}
Graph.__index = Graph

local function new_graph(net, opset)
  local tensors = net:archive()
  return setmetatable({
    net = net, opset = opset, tensors = tensors, names = weight_names(net, tensors),
    nodes = {}, initializers = {}, written = {}, layer = 0,
  }, Graph)
end

--- Adds a node. attributes: {{name, integer or float}, ...}. Returns the names of its outputs.
function Graph:node(operator, inputs, attributes, outputs)
  local name = ("layer%d_%s_%d"):format(self.layer, operator, #self.nodes + 1)
  local node = {operator = operator, name = name, inputs = inputs, outputs = {}, attributes = attributes or {}}
  for i = 1, outputs or 1 do node.outputs[i] = i == 1 and name or ("%s_%d"):format(name, i) end
  self.nodes[#self.nodes + 1] = node
  return table.unpack(node.outputs)
end

-- Adds an initializer, once however often it is used. raw: the function that gives its bytes.
function Graph:initializer(name, dims, kind, raw)
  if not self.written[name] then
    self.written[name] = true
    self.initializers[#self.initializers + 1] = tensor_message(name, dims, kind, raw())
  end
  return name
end

--- The saved net's tensor of that name.
function Graph:weight(name)
  local t = self.tensors[name]
  return self:initializer(name, t.shape, "float", function() return raw_floats(t) end)
end

--- A single number.
function Graph:constant(name, x)
  return self:initializer(name, {}, "float", function() return string.pack("<f", x) end)
end

-- The first place of this layer in the net, or nil.
local function find_layer(net, layer)
  for i = 1, #net do
    if net:layer(i) == layer then return i end
  end
end

--- The name of a dense layer's weight, and whether it is transposed. A tied layer uses its owner's weight, transposed;
-- if the owner is not in this net, the copy that is saved with the layer.
function Graph:weight_of(layer, i)
  local owner = layer.tied and find_layer(self.net, layer.tied)
  if owner then return self:weight(self.names[owner].weight), 0 end
  return self:weight(self.names[i].weight), 1
end

-- ---- activations: each takes the graph and the name of its input ----

local function operator(name, ...)
  local attributes = {...}
  return function(graph, x) return graph:node(name, {x}, attributes) end
end

local activations = {
  linear = function(_, x) return x end,
  relu = operator "Relu",
  sigmoid = operator "Sigmoid",
  tanh = operator "Tanh",
  softplus = operator "Softplus",
  softmax = operator("Softmax", {"axis", 1}),
  elu = operator("Elu", {"alpha", 1.0}),
  leaky_relu = operator("LeakyRelu", {"alpha", 0.2}),
  selu = operator("Selu", {"alpha", 1.67326324}, {"gamma", 1.05070099}),
}

function activations.silu(graph, x) return graph:node("Mul", {x, graph:node("Sigmoid", {x})}) end

-- z Phi(z) = z (0.5 + 0.5 erf(z / sqrt 2)), exactly, as the operator's default.
function activations.gelu(graph, x)
  if graph.opset >= gelu_opset then return graph:node("Gelu", {x}) end
  local scaled = graph:node("Mul", {x, graph:constant("gelu.sqrt_half", math.sqrt(0.5))})
  local half = graph:constant("gelu.half", 0.5)
  local erf = graph:node("Mul", {graph:node("Erf", {scaled}), half})
  return graph:node("Mul", {x, graph:node("Add", {erf, half})})
end

-- ---- layers: each takes the graph, the name of its input, itself and its input's width ----

local layers = {}

function layers.dense(graph, x, layer)
  local i = find_layer(graph.net, layer) -- the first place of a layer that is in the net twice
  local weight, transposed = graph:weight_of(layer, i)
  local inputs = {x, weight, layer.bias and graph:weight(graph.names[i].bias) or nil}
  return activations[layer.activation](graph, graph:node("Gemm", inputs, {{"transB", transposed}}))
end

function layers.activation(graph, x, layer) return activations[layer.activation](graph, x) end

-- How many elements of a row are kept in inference.
local function kept(layer, width)
  local n = math.floor(layer.alpha * layer.k + 0.5)
  return width > 0 and math.min(n, width) or n
end

-- Keeps the largest elements in place and sets the others to 0. Of equal elements the first is kept, as in TopK.
function layers.k_sparse(graph, x, layer, width)
  local k = kept(layer, width)
  local count = graph:initializer("k_sparse." .. k, {1}, "int64", function() return string.pack("<i8", k) end)
  local values, index = graph:node("TopK", {x, count}, {{"axis", 1}}, 2)
  local zeros = graph:node("ConstantOfShape", {graph:node("Shape", {x})})
  return graph:node("ScatterElements", {zeros, index, values}, {{"axis", 1}})
end

-- These are identities in inference.
local function pass(_, x) return x end
layers.dropout, layers.gaussian_noise, layers.masking_noise, layers.salt_pepper_noise = pass, pass, pass, pass

-- ---- what cannot be exported ----

local function layer_obstacle(layer, width)
  if not native.is_layer(layer) then return "is written in Lua: other runtimes cannot run it" end
  local kind = layer:kind()
  if not layers[kind] then return ("has no counterpart in ONNX here (known: %s)"):format(options.names(layers)) end
  local activation = (kind == "dense" or kind == "activation") and layer.activation
  if activation and not activations[activation] then
    return ("activation '%s' has no counterpart in ONNX here (known: %s)"):format(activation,
      options.names(activations))
  end
  if kind == "k_sparse" and width == 0 and layer.alpha > 1 then
    return "with alpha above 1 needs rows of a known width, and this net takes any"
  end
end

-- For each layer, the width of its input; 0 if any width fits.
local function widths(net)
  local list, width = {}, net:inputs()
  for i = 1, #net do
    list[i] = width
    local layer = net:layer(i)
    if native.is_layer(layer) and layer:kind() == "dense" then width = layer.out end
  end
  return list
end

--- In words, why a net cannot be exported; nil if it can.
function onnx_graph.obstacle(net)
  local width = widths(net)
  for i = 1, #net do
    local layer = net:layer(i)
    local why = layer_obstacle(layer, width[i])
    if why then return ("layer %d (%s) %s"):format(i, describe.layer(layer), why) end
  end
end

-- ---- the model ----

-- The last node gives "output". A graph without nodes gets an Identity.
local function finish_graph(graph, top)
  if top == "input" then graph:node("Identity", {top}) end
  graph.nodes[#graph.nodes].outputs[1] = "output"
end

local function build_graph(net, opset)
  local graph, x, width = new_graph(net, opset), "input", widths(net)
  for i = 1, #net do
    local layer = net:layer(i)
    graph.layer = i
    x = layers[layer:kind()](graph, x, layer, width[i])
  end
  finish_graph(graph, x)
  return graph
end

local function graph_message(graph, name)
  local m = message()
  for _, node in ipairs(graph.nodes) do m:bytes(1, node_message(node)) end
  m:bytes(2, name)
  for _, initializer in ipairs(graph.initializers) do m:bytes(5, initializer) end
  m:bytes(11, value_message("input", graph.net:inputs()))
  return m:bytes(12, value_message("output", graph.net:outputs()))
end

local doc = "A net of Moonglass. Rows of float32; images of bytes go in as value / 255."

--- The message of a whole model. o: opset, name.
function onnx_graph.model(net, o)
  local operators = message():bytes(1, ""):integer(2, o.opset)
  local format = formats[o.opset - onnx_graph.first_opset + 1]
  return message():integer(1, format):bytes(2, "moonglass"):bytes(3, core.info().version):integer(5, 1)
    :bytes(6, doc):bytes(7, graph_message(build_graph(net, o.opset), o.name)):bytes(8, operators)
end

return onnx_graph

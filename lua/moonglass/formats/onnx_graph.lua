--- The graph of a net's inference, node by node, for onnx.lua. The weights are initializers with the names of the saved
-- net, "0.weight" [out x in].
local describe = require "moonglass.net.describe"
local model = require "moonglass.formats.onnx_model"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local weight_names = require "moonglass.formats.weight_names"

local onnx_graph = {}

onnx_graph.first_opset, onnx_graph.last_opset = model.first_opset, model.last_opset
local gelu_opset, layer_norm_opset = 20, 17 -- where these are new; the other operators are the same in all versions

-- ---- the graph ----

local Graph = {}
Graph.__index = Graph

--- An empty graph.
function onnx_graph.new(opset)
  return setmetatable({opset = opset, nodes = {}, initializers = {}, written = {}, layer = 0, metadata = {},
    inputs = {}, outputs = {}}, Graph)
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
    self.initializers[#self.initializers + 1] = {name = name, dims = dims, kind = kind, raw = raw()}
  end
  return name
end

--- The saved net's tensor of that name.
function Graph:weight(name)
  local t = self.tensors[name]
  return self:initializer(self.prefix .. name, t.shape, "float", function() return model.raw_floats(t) end)
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

--- The node that was added last gives this output. Width nil: [batch].
function Graph:output(name, width)
  self.nodes[#self.nodes].outputs[1] = name
  self.outputs[#self.outputs + 1] = {name = name, width = width}
end

-- ---- activations: each takes the graph, the name of its input, and the layer ----

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
  selu = operator("Selu", {"alpha", 1.67326324}, {"gamma", 1.05070099}),
}

function activations.elu(graph, x, layer) return graph:node("Elu", {x}, {{"alpha", layer.alpha + 0.0}}) end

function activations.leaky_relu(graph, x, layer)
  return graph:node("LeakyRelu", {x}, {{"alpha", layer.negative_slope + 0.0}})
end

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
  return activations[layer.activation](graph, graph:node("Gemm", inputs, {{"transB", transposed}}), layer)
end

function layers.activation(graph, x, layer) return activations[layer.activation](graph, x, layer) end

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

-- In inference the code is the means, the first half of a row.
function layers.gaussian_code(graph, x, layer)
  local function bound(n)
    return graph:initializer("gaussian_code." .. n, {1}, "int64", function() return string.pack("<i8", n) end)
  end
  return graph:node("Slice", {x, bound(0), bound(layer.k), bound(1)})
end

-- The names of a layer's tensors in the graph.
local function tensors_of(graph, layer, ...)
  local names, list = graph.names[find_layer(graph.net, layer)], {}
  for i, name in ipairs{...} do list[i] = graph:weight(names[name]) end
  return table.unpack(list)
end

function layers.batch_norm(graph, x, layer)
  local inputs = {x, tensors_of(graph, layer, "weight", "bias", "running_mean", "running_var")}
  return graph:node("BatchNormalization", inputs, {{"epsilon", layer.eps}})
end

-- [batch x n] -> [batch x 1]: the mean of each row.
local function row_means(graph, x, n)
  local share = graph:initializer("layer_norm.share." .. n, {n, 1}, "float", function()
    return string.pack("<f", 1 / n):rep(n)
  end)
  return graph:node("MatMul", {x, share})
end

function layers.layer_norm(graph, x, layer)
  local weight, bias = tensors_of(graph, layer, "weight", "bias")
  if graph.opset >= layer_norm_opset then
    return graph:node("LayerNormalization", {x, weight, bias}, {{"axis", 1}, {"epsilon", layer.eps}})
  end
  local rest = graph:node("Sub", {x, row_means(graph, x, layer.n)})
  local variance = row_means(graph, graph:node("Mul", {rest, rest}), layer.n)
  local eps = graph:constant(("layer_norm.eps.%.9g"):format(layer.eps), layer.eps)
  local deviation = graph:node("Sqrt", {graph:node("Add", {variance, eps})})
  return graph:node("Add", {graph:node("Mul", {graph:node("Div", {rest, deviation}), weight}), bias})
end

-- These are identities in inference.
local function pass(_, x) return x end
layers.dropout, layers.gaussian_noise, layers.masking_noise, layers.salt_pepper_noise = pass, pass, pass, pass

-- How layers hang together: a net has them only together with others.
local structures = {}

-- The next branch begins with the common input.
function structures.branch(graph, x, layer)
  table.insert(graph.open, x)
  return graph.taken[graph.layer - layer.back]
end

function structures.join(graph, x, layer)
  local open, count = graph.open, layer.heads
  local inputs = table.move(open, #open - count + 2, #open, 1, {})
  for _ = 2, count do table.remove(open) end
  inputs[count] = x
  return graph:node("Concat", inputs, {{"axis", 1}})
end

-- ---- what cannot be exported ----

local function layer_obstacle(layer, width)
  if not native.is_layer(layer) then return "is written in Lua: other runtimes cannot run it" end
  local kind = layer:kind()
  if not layers[kind] and not structures[kind] then
    return ("has no counterpart in ONNX here (known: %s)"):format(options.names(layers))
  end
  local activation = (kind == "dense" or kind == "activation") and layer.activation
  if activation and not activations[activation] then
    return ("activation '%s' has no counterpart in ONNX here (known: %s)"):format(activation,
      options.names(activations))
  end
  if kind == "k_sparse" and width == 0 and layer.alpha > 1 then
    return "with alpha above 1 needs rows of a known width, and this net takes any"
  end
end

--- In words, why a net cannot be exported; nil if it can.
function onnx_graph.obstacle(net)
  local width = describe.all_widths(net)
  for i = 1, #net do
    local layer = net:layer(i)
    local why = layer_obstacle(layer, width[i])
    if why then return ("layer %d (%s) %s"):format(i, describe.layer(layer), why) end
  end
end

-- ---- a net ----

local function has_batch_norm(net)
  for i = 1, #net do
    if net:layer(i):kind() == "batch_norm" then return true end
  end
end

--- Adds a net, folded, behind the value x. Returns the name of its output. prefix: before the names of its weights.
function Graph:add_net(x, net, prefix)
  if has_batch_norm(net) then net = net:fold() end
  local width = describe.all_widths(net)
  self.net, self.prefix, self.tensors, self.open, self.taken = net, prefix, net:archive(), {}, {}
  self.names = weight_names(net, self.tensors)
  for i = 1, #net do
    local layer = net:layer(i)
    self.layer, self.taken[i] = i, x
    local add = layers[layer:kind()] or structures[layer:kind()]
    x = add(self, x, layer, width[i])
  end
  return x
end

--- The graph of a net: "input" to "output". A graph without nodes gets an Identity.
function onnx_graph.of_net(net, opset)
  local graph = onnx_graph.new(opset)
  graph.inputs[1] = {name = "input", width = net:inputs()}
  if graph:add_net("input", net, "") == "input" then graph:node("Identity", {"input"}) end
  graph:output("output", net:outputs())
  graph.doc = "A net of Moonglass. Rows of float32; images of bytes go in as value / 255."
  return graph
end

return onnx_graph

--- A graph as the message of an ONNX model, for onnx.lua. Field numbers are those of onnx.proto.
local core = require "moonglass.core"
local protobuf = require "moonglass.formats.protobuf"

local onnx_model = {}

local message = protobuf.message

-- For each version of the operators, the oldest version of the file format that has it ("Versioning" in the ONNX
-- documentation).
onnx_model.first_opset, onnx_model.last_opset = 11, 23
local formats = {6, 7, 7, 7, 8, 8, 8, 8, 9, 9, 10, 10, 11}

-- TensorProto.DataType
onnx_model.types = {float = 1, int64 = 7, bool = 9, double = 11}
local types = onnx_model.types

local function tensor_message(tensor)
  local m = message()
  for _, n in ipairs(tensor.dims) do m:integer(1, n) end
  return m:integer(2, types[tensor.kind]):bytes(8, tensor.name):bytes(9, tensor.raw)
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

-- Floats with any number of rows, of one number each if width is nil, of any width if it is 0.
local function value_message(value)
  local shape = message():bytes(1, message():bytes(2, "batch"))
  if value.width then
    shape:bytes(1, value.width > 0 and message():integer(1, value.width) or message():bytes(2, "width"))
  end
  local kind = message():bytes(1, message():integer(1, types.float):bytes(2, shape))
  return message():bytes(1, value.name):bytes(2, kind)
end

--- The elements as little-endian floats, in parts, since each element of a part is on Lua's stack.
function onnx_model.raw_floats(t)
  local flat, step, parts = t:reshape(-1), 512, {}
  for i = 1, #flat, step do
    local part = flat:rows(i, math.min(i + step - 1, #flat)):totable()
    parts[#parts + 1] = string.pack("<" .. ("f"):rep(#part), table.unpack(part))
  end
  return table.concat(parts)
end

local function graph_message(graph, name)
  local m = message()
  for _, node in ipairs(graph.nodes) do m:bytes(1, node_message(node)) end
  m:bytes(2, name)
  for _, tensor in ipairs(graph.initializers) do m:bytes(5, tensor_message(tensor)) end
  for _, value in ipairs(graph.inputs) do m:bytes(11, value_message(value)) end
  for _, value in ipairs(graph.outputs) do m:bytes(12, value_message(value)) end
  return m
end

--- The message of a whole model. name: the graph's. graph.metadata: a list of {key, text}.
function onnx_model.message(graph, name)
  local operators = message():bytes(1, ""):integer(2, graph.opset)
  local format = formats[graph.opset - onnx_model.first_opset + 1]
  local m = message():integer(1, format):bytes(2, "moonglass"):bytes(3, core.info().version):integer(5, 1)
    :bytes(6, graph.doc):bytes(7, graph_message(graph, name)):bytes(8, operators)
  for _, pair in ipairs(graph.metadata) do m:bytes(14, message():bytes(1, pair[1]):bytes(2, pair[2])) end
  return m
end

return onnx_model

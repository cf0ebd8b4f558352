-- moon.onnx: a reader in this file parses the exported file, and plain Lua runs its graph, operator by operator. The
-- results are compared with the net's. Also net:load, which reads PyTorch's files into a net. `make test-interop` tests
-- both with the other programs.
local lfs = require "lfs"
local core = require "moonglass.core"
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"

local failure = expect.failure

local files = dofile "spec/support/files.lua"
local formulas = dofile "spec/support/formulas.lua"
local known = dofile "spec/support/known.lua"
local samples = dofile "spec/support/samples.lua"
local exists = lfs.attributes

-- ---- reading Protocol Buffers ----

local function read_varint(text, at)
  local n, shift = 0, 0
  while true do
    local byte = text:byte(at)
    n, shift, at = n | (byte & 127) << shift, shift + 7, at + 1
    if byte < 128 then return n, at end
  end
end

-- {[field] = {values in order}}: integers, floats, and strings for texts and messages alike.
local function decode(text)
  local fields, at = setmetatable({}, {__index = function() return {} end}), 1
  while at <= #text do
    local key, value, length
    key, at = read_varint(text, at)
    if key & 7 == 0 then
      value, at = read_varint(text, at)
    elseif key & 7 == 5 then
      value, at = string.unpack("<f", text, at)
    else
      assert.equal(2, key & 7, "wire type")
      length, at = read_varint(text, at)
      assert.is_true(at + length - 1 <= #text, "a field ends behind its message")
      value, at = text:sub(at, at + length - 1), at + length
    end
    local list = rawget(fields, key >> 3) or {}
    fields[key >> 3], list[#list + 1] = list, value
  end
  return fields
end

local function decode_all(list)
  local out = {}
  for i, text in ipairs(list) do out[i] = decode(text) end
  return out
end

-- ---- reading ONNX ----

local function read_attributes(list)
  local attributes = {}
  for _, a in ipairs(decode_all(list)) do
    local is_float = a[20][1] == 1
    assert.equal(is_float and 1 or 2, a[20][1])
    attributes[a[1][1]] = is_float and a[2][1] or a[3][1]
  end
  return attributes
end

-- "batch x 784" of a float32 matrix.
local function read_value(text)
  local value = decode(text)
  local kind = decode(decode(value[2][1])[1][1])
  assert.equal(1, kind[1][1])
  local dims = {}
  for i, dim in ipairs(decode_all(decode(kind[2][1])[1])) do dims[i] = tostring(dim[1][1] or dim[2][1]) end
  return {name = value[1][1], shape = table.concat(dims, " x ")}
end

local function read_tensor(text)
  local t = decode(text)
  return {name = t[8][1], dims = t[1], type = t[2][1], raw = t[9][1]}
end

local function read_graph(text)
  local g = decode(text)
  local graph = {name = g[2][1], nodes = {}, tensors = {}, names = {}, inputs = g[11], outputs = g[12]}
  for i, node in ipairs(decode_all(g[1])) do
    graph.nodes[i] = {
      inputs = node[1], outputs = node[2], name = node[3][1], operator = node[4][1],
      attributes = read_attributes(node[5]),
    }
  end
  for i, initializer in ipairs(g[5]) do
    local t = read_tensor(initializer)
    graph.tensors[t.name], graph.names[i] = t, t.name
  end
  return graph
end

local function operators(graph)
  local list = {}
  for i, node in ipairs(graph.nodes) do list[i] = node.operator end
  return table.concat(list, " ")
end

-- ---- running the graph: matrices are lists of rows ----

local function each(x, f)
  local out = {}
  for i, row in ipairs(x) do
    out[i] = {}
    for j, v in ipairs(row) do out[i][j] = f(v, i, j) end
  end
  return out
end

-- An operator of matrices, of which one may be a row, a column or a number.
local function pairwise(f)
  local function at(m, i, j)
    if type(m) ~= "table" then return m end
    local row = m[#m == 1 and 1 or i]
    return row[#row == 1 and 1 or j]
  end
  local function size(m) return type(m) == "table" and #m or 1, type(m) == "table" and #m[1] or 1 end
  return function(_, ...)
    local all, rows, columns, out = {...}, 1, 1, {}
    for _, m in ipairs(all) do
      local r, c = size(m)
      rows, columns = math.max(rows, r), math.max(columns, c)
    end
    for i = 1, rows do
      out[i] = {}
      for j = 1, columns do
        local values = {}
        for k, m in ipairs(all) do values[k] = at(m, i, j) end
        out[i][j] = f(table.unpack(values))
      end
    end
    return out
  end
end

local function elementwise(f)
  return function(attributes, x) return each(x, function(v) return f(v, attributes) end) end
end

-- All other operators are activations, computed by their formulas.
local run = setmetatable({
  Identity = elementwise(function(v) return v end),
  Elu = elementwise(function(v, a) return v > 0 and v or a.alpha * (math.exp(v) - 1) end),
  LeakyRelu = elementwise(function(v, a) return v > 0 and v or a.alpha * v end),
  Selu = elementwise(function(v, a) return a.gamma * (v > 0 and v or a.alpha * (math.exp(v) - 1)) end),
  Erf = elementwise(formulas.erf),
  Gelu = elementwise(formulas.activations.gelu.element),
  Add = pairwise(function(a, b) return a + b end),
  Sub = pairwise(function(a, b) return a - b end),
  Div = pairwise(function(a, b) return a / b end),
  Less = pairwise(function(a, b) return a < b end),
  Greater = pairwise(function(a, b) return a > b end),
  And = pairwise(function(a, b) return a and b end),
  Or = pairwise(function(a, b) return a or b end),
  Where = pairwise(function(condition, a, b) if condition then return a end return b end),
  Not = elementwise(function(v) return not v end),
  Abs = elementwise(math.abs),
  Sqrt = elementwise(math.sqrt),
  IsNaN = elementwise(function(v) return v ~= v end),
  Reshape = function(_, x) return x end, -- used only for [n x 1] to [n]
  Mul = pairwise(function(a, b) return a * b end),
}, {__index = function(_, operator)
  for _, formula in pairs(formulas.activations) do
    if formula.onnx == operator then return elementwise(formula.element) end
  end
end})

function run.Gemm(attributes, x, w, bias)
  local out = {}
  for i, row in ipairs(x) do
    out[i] = {}
    for j = 1, attributes.transB == 1 and #w or #w[1] do
      local sum = bias and bias[1][j] or 0
      for k, v in ipairs(row) do sum = sum + v * (attributes.transB == 1 and w[j][k] or w[k][j]) end
      out[i][j] = sum
    end
  end
  return out
end

-- 1 is float, 11 double; a float keeps 24 bits of a number.
function run.Cast(attributes, x)
  return each(x, function(v)
    if type(v) == "boolean" then return v and 1 or 0 end
    return attributes.to == 1 and string.unpack("<f", string.pack("<f", v)) or v
  end)
end

function run.MatMul(_, a, b)
  local out = {}
  for i, row in ipairs(a) do
    out[i] = {}
    for j = 1, #b[1] do
      out[i][j] = 0
      for k, v in ipairs(row) do out[i][j] = out[i][j] + v * b[k][j] end
    end
  end
  return out
end

function run.Softmax(attributes, x)
  assert.equal(1, attributes.axis)
  local sums = {}
  for i, row in ipairs(x) do
    sums[i] = 0
    for _, v in ipairs(row) do sums[i] = sums[i] + math.exp(v) end
  end
  return each(x, function(v, i) return math.exp(v) / sums[i] end)
end

function run.Concat(attributes, ...)
  assert.equal(1, attributes.axis)
  local out = {}
  for i = 1, #(...) do
    out[i] = {}
    for _, m in ipairs{...} do table.move(m[i], 1, #m[i], #out[i] + 1, out[i]) end
  end
  return out
end

function run.BatchNormalization(attributes, x, scale, bias, mean, variance)
  return each(x, function(v, _, j)
    return (v - mean[1][j]) / math.sqrt(variance[1][j] + attributes.epsilon) * scale[1][j] + bias[1][j]
  end)
end

function run.LayerNormalization(attributes, x, scale, bias)
  assert.equal(1, attributes.axis)
  local means, variances = {}, {}
  for i, row in ipairs(x) do
    local sum, squares = 0, 0
    for _, v in ipairs(row) do sum = sum + v end
    for _, v in ipairs(row) do squares = squares + (v - sum / #row) ^ 2 end
    means[i], variances[i] = sum / #row, squares / #row
  end
  return each(x, function(v, i, j)
    return (v - means[i]) / math.sqrt(variances[i] + attributes.epsilon) * scale[1][j] + bias[1][j]
  end)
end

function run.TopK(attributes, x, k)
  assert.equal(1, attributes.axis)
  local values, places = {}, {}
  for i, row in ipairs(x) do
    places[i], values[i] = {}, {}
    assert.is_true(k[1][1] <= #row, "TopK of more than there are")
    for j = 1, #row do places[i][j] = j end
    table.sort(places[i], function(a, b) return row[a] > row[b] or (row[a] == row[b] and a < b) end)
    for j = #row, k[1][1] + 1, -1 do places[i][j] = nil end
    for j, place in ipairs(places[i]) do values[i][j] = row[place] end
  end
  return values, places
end

function run.Slice(_, x, first, last, axis)
  assert.equal(1, axis[1][1])
  local out = {}
  for i, row in ipairs(x) do out[i] = table.move(row, first[1][1] + 1, last[1][1], 1, {}) end
  return out
end

run.Shape = function(_, x) return x end -- used only for ConstantOfShape, which makes zeros
run.ConstantOfShape = elementwise(function() return 0 end)

function run.ScatterElements(attributes, x, places, values)
  assert.equal(1, attributes.axis)
  local out = each(x, function(v) return v end)
  each(places, function(place, i, j) out[i][place] = values[i][j] end)
  return out
end

-- An initializer as a number, or a list of rows.
local function tensor_value(t)
  local format, size = "<f", 4
  if t.type == 7 then format, size = "<i8", 8 end
  if t.type == 11 then format, size = "<d", 8 end
  local columns = t.dims[#t.dims] or 1
  local rows = {}
  for i = 0, #t.raw // size - 1 do
    local row = i // columns + 1
    rows[row] = rows[row] or {}
    rows[row][i % columns + 1] = string.unpack(format, t.raw, i * size + 1)
  end
  return t.dims[1] and rows or rows[1][1]
end

-- The graph's values by name for these rows. A name must be defined once, before it is used.
local function evaluate_all(graph, rows)
  local values = {input = rows}
  for name, t in pairs(graph.tensors) do values[name] = tensor_value(t) end
  for _, node in ipairs(graph.nodes) do
    local arguments = {}
    for i, name in ipairs(node.inputs) do arguments[i] = assert(values[name], name .. " is not there yet") end
    local results = {run[node.operator](node.attributes, table.unpack(arguments))}
    for i, name in ipairs(node.outputs) do
      assert.is_nil(values[name], name)
      values[name] = results[i]
    end
  end
  return values
end

local function evaluate(graph, rows) return moon.tensor(evaluate_all(graph, rows).output) end

-- ---- exporting ----

local path = os.tmpname()
teardown(function() os.remove(path) end)

local function export(net, given)
  assert.is_true(moon.onnx.export(path, net, given))
  assert.is_true(assert(moon.onnx.encode(net, given)) == files.read(path), "encode and export differ")
  local model = decode(files.read(path))
  return read_graph(model[7][1]), model
end

-- The exported graph gives the net's outputs.
local function check(net, x, given)
  local graph = export(net, given)
  local worst = (evaluate(graph, x:totable()) - net:predict(x)):abs():max()
  assert.is_true(worst <= 1e-5, ("largest difference %g"):format(worst))
  return graph
end

local function bytes_of(t)
  local list = t:reshape(-1):totable()
  return string.pack("<" .. ("f"):rep(#list), table.unpack(list))
end

-- What a graph of a detector says of rows: scores [n], features [n x width], alarms [n], as nested lists.
local function check_detector(d, x, given)
  local graph = export(d, given)
  local values = evaluate_all(graph, x:totable())
  local width, features, scores = d.width, d:features(x), d:scores(x)
  local alarms = d.threshold and d:alarms(x)
  local function near(expected, got, what)
    local same = expected == got or (expected ~= expected and got ~= got)
    assert(same or math.abs(expected - got) <= 1e-5 * math.max(1, math.abs(expected)),
      ("%s: %s, in ONNX %s"):format(what, expected, got))
  end
  for i = 1, #x do
    near(scores[i], values.scores[i][1], "score of row " .. i)
    for j = 1, width do near(features:get(i, j), values.features[i][j], ("error of row %d, column %d"):format(i, j)) end
    if alarms then assert.equal(alarms[i], values.alarms[i][1], "alarm of row " .. i) end
  end
  assert.equal(d.threshold ~= nil, values.alarms ~= nil)
  return graph
end

describe("moon.onnx.export:", function()
  before_each(function() moon.seed(3) end)

  it("the model has a name, a producer and versions", function()
    local _, model = export(moon.sequential{moon.dense(3, 2)})
    assert.same({8}, model[1])
    assert.same({"moonglass"}, model[2])
    assert.same({moon.info().version}, model[3])
    assert.is_truthy(model[6][1]:find("value / 255", 1, true))
    local operator_sets = decode_all(model[8])
    assert.equal(1, #operator_sets)
    assert.same({""}, operator_sets[1][1])
    assert.same({17}, operator_sets[1][2])
  end)

  it("inputs and outputs, with a batch of any size", function()
    local graph = export(moon.sequential{moon.dense(300, 4), moon.dense(4, 2)}, {name = "Größe"})
    assert.equal("Größe", graph.name)
    assert.same({{name = "input", shape = "batch x 300"}}, {read_value(graph.inputs[1])})
    assert.same({{name = "output", shape = "batch x 2"}}, {read_value(graph.outputs[1])})
    assert.same({1, 1}, {#graph.inputs, #graph.outputs})
    local anything = export(moon.sequential{moon.activation("tanh")})
    assert.equal("batch x width", read_value(anything.inputs[1]).shape)
    assert.equal("batch x width", read_value(anything.outputs[1]).shape)
  end)

  it("initializers are the saved net's tensors, byte for byte", function()
    local net = moon.sequential{moon.dense(300, 5, {activation = "relu"}), moon.dense(5, 3, {bias = false})}
    local graph = export(net)
    assert.same({"0.weight", "0.bias", "2.weight"}, graph.names)
    local first, second = net:layer(1), net:layer(2)
    for name, t in pairs{["0.weight"] = first.weight:t(), ["0.bias"] = first.bias, ["2.weight"] = second.weight:t()} do
      assert.same(t.shape, graph.tensors[name].dims)
      assert.equal(1, graph.tensors[name].type)
      assert.is_true(bytes_of(t) == graph.tensors[name].raw, name)
    end
    assert.equal("Gemm Relu Gemm", operators(graph))
    assert.same({"layer2_Gemm_3", "2.weight"}, {graph.nodes[3].name, graph.nodes[3].inputs[2]})
    assert.is_nil(graph.nodes[3].inputs[3])
  end)

  it("numbers that are not finite are unchanged", function()
    local net = moon.sequential{moon.dense(2, 2)}
    net:layer(1).weight = moon.tensor{{1 / 0, -1 / 0}, {0 / 0, -0.0}}
    local values = tensor_value(export(net).tensors["0.weight"])
    assert.same({1 / 0, -1 / 0}, {values[1][1], values[2][1]})
    assert.is_true(values[1][2] ~= values[1][2])
    assert.equal("-0.0", tostring(values[2][2]))
  end)

  for name, formula in pairs(formulas.activations) do
    it(name .. ", in a dense layer and as a layer", function()
      local x, own = moon.randn(6, 5) * 3, formula.onnx
      local graph = check(moon.sequential{moon.dense(5, 4, {activation = name})}, x)
      assert.equal(("Gemm " .. own):gsub(" $", ""), operators(graph))
      graph = check(moon.sequential{moon.activation(name)}, x)
      assert.equal(own == "" and "Identity" or own, operators(graph))
    end)
  end

  it("parameters of activations", function()
    local x = moon.randn(6, 5) * 3
    for name, options in pairs{elu = {alpha = 0.25}, leaky_relu = {negative_slope = 0.05}} do
      check(moon.sequential{moon.activation(name, options)}, x)
      options.activation, options.bias_init = name, "ones"
      check(moon.sequential{moon.dense(5, 4, options)}, x)
    end
  end)

  for _, kind in ipairs(moon.registered("layers")) do
    local net = samples.net(kind, 5)
    if net and moon.onnx.export(path, net) then -- registry_spec reports a missing sample
      it("the layer " .. kind, function() check(moon.sequential{net, moon.dense(5, 3)}, moon.randn(6, 5)) end)
    end
  end

  it("gelu is one operator from version 20 on", function()
    local net, x = moon.sequential{moon.activation("gelu")}, moon.randn(4, 3)
    assert.equal("Mul Erf Mul Add Mul", operators(check(net, x, {opset = 19})))
    assert.equal("Gelu", operators(check(net, x, {opset = 20})))
  end)

  it("layer_norm is one operator from version 17 on", function()
    local net, x = moon.sequential{moon.layer_norm(3)}, moon.randn(4, 3) * 2 + 5
    net:layer(1).weight, net:layer(1).bias = moon.rand(3), moon.rand(3)
    assert.equal("MatMul Sub Mul MatMul Add Sqrt Div Mul Add", operators(check(net, x, {opset = 16})))
    assert.equal("LayerNormalization", operators(check(net, x, {opset = 17})))
  end)

  it("each version of the operators has its format", function()
    local formats = {}
    for opset = 11, 23 do
      local _, model = export(moon.sequential{moon.dense(2, 2)}, {opset = opset})
      assert.equal(opset, decode(model[8][1])[2][1])
      formats[#formats + 1] = model[1][1]
    end
    assert.equal("6 7 7 7 8 8 8 8 9 9 10 10 11", table.concat(formats, " "))
  end)

  it("deep autoencoders, and their halves", function()
    local ae, x = moon.autoencoder.deep{input = 12, hidden = {7, 6}, code = 3}, moon.rand(9, 12)
    check(ae, x)
    check(ae.encoder, x)
    local graph = check(ae.decoder, ae:encode(x))
    assert.equal("batch x 3", read_value(graph.inputs[1]).shape)
  end)

  it("branches", function()
    local tanh = {activation = "tanh"}
    local inner = moon.branches{{}, moon.dense(4, 3, tanh)}
    local net = moon.sequential{moon.dense(6, 5, tanh),
      moon.branches{{}, {moon.dense(5, 4, tanh), inner, moon.k_sparse(3, {alpha = 2})}, {moon.dropout(0.5),
        moon.dense(5, 2, {activation = "softmax"})}}, moon.k_sparse(5, {alpha = 2})}
    local graph = check(net, moon.randn(9, 6))
    assert.equal("Gemm Tanh Gemm Tanh Gemm Tanh Concat TopK Shape ConstantOfShape ScatterElements Gemm Softmax Concat "
      .. "TopK Shape ConstantOfShape ScatterElements", operators(graph))
    check(net:slice(2, #net), moon.randn(3, 5))
  end)

  it("layers used only in training are not exported", function()
    local makers = {moon.dropout, moon.gaussian_noise, moon.masking_noise, moon.salt_pepper_noise}
    local list = {}
    for i, make in ipairs(makers) do list[2 * i - 1], list[2 * i] = make(0.5), moon.dense(3, 3) end
    assert.equal("Gemm Gemm Gemm Gemm", operators(check(moon.sequential(list), moon.randn(4, 3))))
    assert.equal("Identity", operators(check(moon.sequential{moon.dropout(0.5)}, moon.randn(4, 3))))
    local ae = moon.autoencoder.denoising{input = 6, hidden = 4, noise = moon.gaussian_noise(0.3)}
    assert.equal("Gemm Relu Gemm Sigmoid", operators(check(ae, moon.rand(5, 6))))
  end)

  it("tied and repeated layers share an initializer", function()
    local first = moon.dense(6, 4, {activation = "tanh"})
    local net = moon.sequential{moon.dense(4, 6, {tied = first}), first, moon.dense(4, 6, {tied = first}), first}
    first.bias = moon.rand(4)
    local graph = check(net, moon.randn(5, 4))
    table.sort(graph.names)
    assert.same({"0.bias", "1.bias", "1.weight", "3.bias"}, graph.names)
    assert.same({4, 6}, graph.tensors["1.weight"].dims)
  end)

  it("a half gets a copy of a weight of the other half", function()
    local ae = moon.autoencoder.deep{input = 8, hidden = {6}, code = 3, tied = true}
    assert.equal(6, #check(ae, moon.rand(4, 8)).names)
    local graph = check(ae.decoder, moon.rand(4, 3))
    assert.same({6, 3}, graph.tensors["0.weight"].dims)
  end)

  it("k-sparse codes keep the first of equal elements", function()
    local x = moon.tensor{{1, 3, 3, 2, 3}, {0, 0, 0, 0, 0}, {-5, -1, -2, -1, -7}, {1, 2, 3, 4, 5}}
    for _, k in ipairs{1, 2, 5} do check(moon.sequential{moon.k_sparse(k)}, x) end
    local ae = moon.autoencoder.sparse{input = 5, hidden = 8, k = 3}
    assert.equal("Gemm TopK Shape ConstantOfShape ScatterElements Gemm Sigmoid", operators(check(ae, x)))
    for _, alpha in ipairs{1.5, 2.5, 9} do -- 3, 5 and all
      check(moon.sequential{moon.dense(5, 6), moon.k_sparse(2, {alpha = alpha})}, x)
    end
  end)
end)

describe("moon.onnx.export refuses", function()
  -- nil, message, code, and no file
  local function refused(net, given)
    os.remove(path)
    local ok, message, code = moon.onnx.export(path, net, given)
    assert.is_nil(ok)
    assert.is_nil(exists(path))
    return {message, code}
  end

  it("layers written in Lua", function()
    local square = {name = "square", forward = function(_, x) return x * x end, backward = function() end}
    assert.same({n = 3, nil, "onnx.encode: layer 2 (square) is written in Lua: other runtimes cannot run it", "type"},
      table.pack(moon.onnx.encode(moon.sequential{moon.dense(3, 2), square})))
    assert.same({"onnx.export: layer 2 (square) is written in Lua: other runtimes cannot run it", "type"},
      refused(moon.sequential{moon.dense(3, 2), square}))
  end)

  -- registry_spec reports other kinds.
  local function exported(family, make)
    local list = {}
    for _, name in ipairs(moon.registered(family)) do
      local layer = make(name)
      if layer and moon.onnx.export(path, moon.sequential{layer}) then list[#list + 1] = name end
    end
    table.sort(list)
    return "(known: " .. table.concat(list, ", ") .. ")"
  end

  it("unknown kinds and activations", function()
    local layers = exported("layers", function(kind) return (samples.layer(kind, 4)) end)
    local activations = exported("activations", moon.activation)
    local net, methods = moon.sequential{moon.dense(3, 2)}, core.methods["moonglass.layer"]
    local kind = methods.kind
    methods.kind = function() return "maxout" end
    local answer = refused(net)
    methods.kind = kind
    assert.same({"onnx.export: layer 1 (maxout 3->2) has no counterpart in ONNX here "
      .. layers, "type"}, answer)
    methods.activation = "mish"
    answer = refused(net)
    methods.activation = nil
    assert.same({"onnx.export: layer 1 (dense 3->2) activation 'mish' has no counterpart in ONNX here "
      .. activations, "type"}, answer)
  end)

  it("k-sparse codes whose k depends on an unknown width", function()
    assert.same({"onnx.export: layer 1 (k_sparse) with alpha above 1 needs rows of a known width, and this net takes "
      .. "any", "type"}, refused(moon.sequential{moon.k_sparse(2, {alpha = 2})}))
  end)

  it("invalid arguments", function()
    local net = moon.sequential{moon.dense(3, 2)}
    local function why(...) return failure(moon.onnx.export, ...) end
    assert.equal("onnx.export: path is nil, expected the name of a file", why(nil, net))
    assert.equal("onnx.export: the path holds a zero byte", why("a\0b", net))
    assert.equal("onnx.export: net is a moonglass.layer, expected a net or a detector", why(path, moon.dense(3, 2)))
    assert.equal("onnx.export: opset is 10, expected 11 to 23", why(path, net, {opset = 10}))
    assert.equal("onnx.export: opset is 24, expected 11 to 23", why(path, net, {opset = 24}))
    assert.equal("onnx.export: opset is '17', expected a whole number of at least 1", why(path, net, {opset = "17"}))
    assert.equal("onnx.export: name is '', expected a text in UTF-8", why(path, net, {name = ""}))
    assert.equal("onnx.export: name is '\xff', expected a text in UTF-8", why(path, net, {name = "\xff"}))
    assert.equal(known.fill "onnx.export: unknown option 'version' (known: <OnnxOptions>)",
      why(path, net, {version = 1}))
  end)
end)

describe("moon.onnx.export writes whole files:", function()
  local net = moon.sequential{moon.dense(30, 20)}

  it("it gives a message if it cannot", function()
    local ok, message, code = moon.onnx.export("/nowhere/at/all.onnx", net)
    assert.is_nil(ok)
    assert.equal("onnx.export: cannot write '/nowhere/at/all.onnx': No such file or directory", message)
    assert.equal("I/O", code)
    local folder = os.tmpname()
    os.remove(folder)
    assert(lfs.mkdir(folder))
    ok, message, code = moon.onnx.export(folder, net)
    assert(lfs.rmdir(folder))
    assert.is_nil(ok)
    assert.equal(("onnx.export: cannot write '%s': Is a directory"):format(folder), message)
    assert.equal("I/O", code)
  end)

  it("it gives a message in a host where Lua may not write files", function()
    local library = require "moonglass.support.files"
    local lacking = library.lacking
    library.lacking = function(what) return what .. ": no files here" end
    local answer = {moon.onnx.export(path, net)}
    library.lacking = lacking
    assert.same({nil, "onnx.export: no files here", "I/O"}, answer)
  end)

  it("a refusal leaves the old file", function()
    files.write(path, "old")
    assert.is_nil(moon.onnx.export(path, moon.sequential{moon.k_sparse(2, {alpha = 2})}))
    assert.equal("old", files.read(path))
    assert.is_true(moon.onnx.export(path, net))
  end)
end)

describe("net:load takes parameters by PyTorch's names:", function()
  before_each(function() moon.seed(4) end)

  local function small() return moon.sequential{moon.dense(3, 4, {activation = "relu"}), moon.dense(4, 2)} end

  local function torch_tensors()
    return {
      ["0.weight"] = moon.randn(4, 3), ["0.bias"] = moon.randn(4), ["2.weight"] = moon.randn(2, 4),
      ["2.bias"] = moon.randn(2),
    }
  end

  local function save(tensors) assert(moon.safetensors.save(path, tensors)) end

  -- nil, message, code; and the parameters are unchanged.
  local function refused(net, given)
    local before = {}
    for i, parameter in ipairs(net:parameters()) do before[i] = parameter.value:clone() end
    local ok, message, code = net:load(path, given)
    assert.is_nil(ok)
    for i, parameter in ipairs(net:parameters()) do assert.is_true(parameter.value == before[i], parameter.name) end
    assert.equal("format", code)
    local place = "'" .. path .. "'"
    assert.equal(place, message:sub(1, #place))
    return message:sub(#place + 1)
  end

  it("weights are transposed into the net's tensors", function()
    local net, tensors, x = small(), torch_tensors(), moon.randn(5, 3)
    local weight = net:layer(1).weight
    save(tensors)
    assert.is_true(net:load(path))
    assert.is_true(weight == tensors["0.weight"]:t())
    local hidden = (x:matmul(tensors["0.weight"]:t()) + tensors["0.bias"]):relu()
    assert.is_true(net:predict(x):allclose(hidden:matmul(tensors["2.weight"]:t()) + tensors["2.bias"], 1e-5, 1e-6))
  end)

  it("a prefix selects a module in a larger file", function()
    local ae, all = moon.autoencoder.plain{input = 6, hidden = 4}, {other = moon.ones(1)}
    for half, inner in pairs{encoder = {4, 6}, decoder = {6, 4}} do
      all[half .. ".0.weight"], all[half .. ".0.bias"] = moon.randn(inner[1], inner[2]), moon.randn(inner[1])
    end
    save(all)
    assert.is_true(ae.encoder:load(path, {prefix = "encoder."}))
    assert.is_true(ae.decoder:load(path, {prefix = "decoder."}))
    assert.is_true(ae:layer(1).weight == all["encoder.0.weight"]:t())
    assert.is_true(ae:layer(2).bias == all["decoder.0.bias"])
    assert.equal(" below 'coder.': layer 1 (dense): tensor '0.weight' [4 x 6] is missing",
      refused(ae.encoder, {prefix = "coder."}))
  end)

  it("nothing changes when a tensor does not match", function()
    local net, tensors = small(), torch_tensors()
    tensors["2.bias"] = nil
    save(tensors)
    assert.equal(": layer 2 (dense): tensor '2.bias' [2] is missing", refused(net))
    tensors["2.bias"] = moon.zeros(3)
    save(tensors)
    assert.equal(": layer 2 (dense): tensor '2.bias' is [3], expected [2] float32", refused(net))
    tensors["2.bias"], tensors["4.weight"] = moon.zeros(2), moon.zeros(2, 2)
    save(tensors)
    assert.equal(": tensor '4.weight' belongs to no layer of this net", refused(net))
    files.write(path, "no tensors")
    assert.is_truthy(refused(net):find("^: "))
    local ok, _, code = net:load("/nowhere/at/all.safetensors")
    assert.is_nil(ok)
    assert.equal("I/O", code)
  end)

  it("both copies of a tied weight in the file must be equal", function()
    local ae, w = moon.autoencoder.plain{input = 5, hidden = 3, tied = true}, moon.randn(3, 5)
    local tensors = {
      ["0.weight"] = w, ["0.bias"] = moon.randn(3), ["2.weight"] = w:t(), ["2.bias"] = moon.randn(5),
    }
    w:set(0 / 0, 2, 2)
    tensors["2.weight"]:set(0 / 0, 2, 2)
    save(tensors)
    assert.is_true(ae:load(path))
    assert.equal(w:get(3, 5), ae:layer(2).weight:get(5, 3))
    tensors["2.weight"]:set(1, 1, 1)
    ae:layer(1).weight:fill_(2)
    save(tensors)
    assert.equal(": layer 2 (dense): tensor '2.weight' differs from the other copy of the same weights in this "
      .. "net", refused(ae))
    tensors["2.weight"]:set(w:get(1, 1), 1, 1)
    save{["0.weight"] = tensors["2.weight"], ["0.bias"] = tensors["2.bias"]}
    assert.is_true(ae.decoder:load(path)) -- the owner is outside this net, and still gets the weight
    assert.equal(w:get(3, 4), ae:layer(1).weight:get(4, 3))
  end)

  it("options are checked", function()
    assert.equal(known.fill "load: unknown option 'strict' (known: <LoadOptions>)",
      failure(function() return small():load(path, {strict = true}) end))
  end)
end)

describe("moon.onnx.export of a detector:", function()
  local x, far

  before_each(function()
    moon.seed(8)
    local units = moon.tensor{1, 100, 0.01, 0}
    x = moon.randn(40, 4) * units + moon.tensor{5, -1e5, 0, 7}
    far = moon.randn(12, 4) * units * 3 + moon.tensor{5, -1e5, 0, 7}
    for i = 1, 12, 3 do far:set(0 / 0, i, 1 + i % 4) end
    for j = 1, 4 do far:set(0 / 0, 2, j) end
    far:set(1e9, 5, 2)
    far:set(-1 / 0, 6, 3)
  end)

  local function net(activation)
    return moon.sequential{moon.dense(4, 3, {activation = activation}), moon.dense(3, 4)}
  end

  for _, score in ipairs{"mean", "max", "scaled"} do
    for _, missing in ipairs{"skip", "fill"} do
      it(("the score %s, missing cells: %s; one net and three"):format(score, missing), function()
        local options = {scaler = moon.scaler(x), score = score, missing = missing}
        for _, nets in ipairs{net("relu"), {net("gelu"), net("elu"), net("tanh")}} do
          local d = moon.detector(nets, options)
          core.detector_spread(d, {0.5, 2, 1, 0.125})
          d.threshold = moon.metrics.quantile(d:scores(x), 0.5)
          check_detector(d, far)
          check_detector(d, x, {opset = 11})
        end
      end)
    end
  end

  it("its names, widths and metadata; without scaler and threshold, too", function()
    local d = moon.detector(net("relu"), {columns = {"a", "b", "c", "größe"}})
    local graph, model = check_detector(d, far), decode(files.read(path))
    assert.same({name = "input", shape = "batch x 4"}, read_value(graph.inputs[1]))
    local outputs = {}
    for i, output in ipairs(graph.outputs) do
      local value = read_value(output)
      outputs[i] = value.name .. ": " .. value.shape
    end
    assert.equal("features: batch x 4, scores: batch", table.concat(outputs, ", "))
    local metadata = {}
    for _, pair in ipairs(decode_all(model[14])) do metadata[pair[1][1]] = pair[2][1] end
    assert.same({["column.1"] = "a", ["column.2"] = "b", ["column.3"] = "c", ["column.4"] = "größe"}, metadata)
    d.threshold = 0.125
    export(d)
    metadata = {}
    for _, pair in ipairs(decode_all(decode(files.read(path))[14])) do metadata[pair[1][1]] = pair[2][1] end
    assert.equal("0.125", metadata.threshold)
  end)

  it("refuses a scaled score without spread", function()
    local d = moon.detector(net("relu"), {score = "scaled"})
    local ok, message = moon.onnx.export(path, d)
    assert.is_nil(ok)
    assert.equal("onnx.export: the score 'scaled' needs spread: calibrate the detector first", message)
  end)
end)

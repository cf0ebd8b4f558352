-- samples.lua - a sample call of every function, method and metamethod of the core, with fresh objects. What is not
-- here is found missing by those who go through all of them (refusals.lua, finalisers.lua).
local core = require "moonglass.core"
local moon = require "moonglass"

local samples = {}

samples.shapes = "spec/fixtures/shapes/"

-- A name that no one else has a copy of: beyond 40 bytes Lua does not share strings.
local function own_name(letter) return letter:rep(60) end

--- Small objects that fit one another; what ends with path is where a file may be written or lies already.
function samples.objects(folder)
  moon.seed(1)
  local o = {x = moon.rand(3, 4), u = moon.rand(3, 4), v = moon.rand(4, 3), square = moon.rand(3, 3),
    bytes = moon.full(7, 3, 4, {dtype = "uint8"}), path = (folder or "") .. "written", file = (folder or "") .. "there"}
  o.layer, o.loss, o.opt = core.dense(4, 4, {activation = "sigmoid"}), core.mse(), core.adam()
  o.net = core.net{o.layer, core.dense(4, 4)}
  o.data = core.dataset(o.x, o.u)
  o.list = function() return o.net:parameters() end
  return o
end

local function sorted(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function none() end
local function other(o) return o.u end

--- By class, then by name: what a method takes behind its object.
samples.methods = {
  ["moonglass.tensor"] = {
    allclose = other, copy_ = other, equal = other, matmul = function(o) return o.v end,
    clamp = function() return 0.2, 0.8 end, pow = function() return 2 end, topk = function() return 2 end,
    get = function() return 1, 2 end, set = function() return 5, 1, 2 end, size = function() return 1 end,
    rows = function() return 1, 2 end, reshape = function() return 2, -1 end, index = function() return {3, 1, 3} end,
    fill_ = function() return 7 end, map = function() return function(v) return v + 1 end end,
    t = none, numel = none, rank = none, clone = none, float = none, byte = none, zero_ = none, totable = none,
  },
  ["moonglass.layer"] = {
    forward = function(o) return o.x, true end, backward = function(o) o.layer:forward(o.x) return o.u end,
    parameters = none, kind = none, seed = function() return 3 end,
    penalty = function(o) o.layer:forward(o.x) end,
  },
  ["moonglass.loss"] = {
    forward = function(o) return o.x, o.u end, backward = function(o) o.loss:forward(o.x, o.u) end, kind = none,
  },
  ["moonglass.optimizer"] = {
    step = function(o) return o.list() end, moments = function(o) return o.list() end,
    state = function(o) return o.list() end, steps = none, set_steps = function() return 2 end, kind = none,
  },
  ["moonglass.net"] = {
    forward = function(o) return o.x, true end, backward = function(o) o.net:forward(o.x) return o.u end,
    predict = function(o) return o.x, {batch_size = 2} end, errors = function(o) return o.x, {batch_size = 2} end,
    step = function(o) return o.x, o.u, o.loss, o.opt end,
    step_rows = function(o) return o.data, 1, 2, o.loss, o.opt end,
    evaluate_rows = function(o) return o.data, o.loss, 2 end, plan = function(o) return 4, o.loss, o.opt end,
    parameters = none, penalty = function(o) o.net:forward(o.x) end, seed = function() return 3 end,
    layer = function() return 2 end, slice = function() return 1, 1 end, clone = none, inputs = none, outputs = none,
    encoder_layers = none, set_encoder_layers = function() return 1 end, archive = none, summary = none,
    save = function(o) return o.path end,
    load = function(o) assert(o.net:save(o.file)) return o.file end,
    fit = function(o) return o.x, o.u, {loss = o.loss, optimizer = o.opt, batch_size = 2, epochs = 2, verbose = 0} end,
    evaluate = function(o) return o.x, o.u, {loss = o.loss, batch_size = 2} end,
  },
  ["moonglass.dataset"] = {
    batch = function() return 1, 2 end, rows = none, shuffle = function() return 1, 2 end, unshuffle = none,
  },
}

local of_tensors = samples.methods["moonglass.tensor"]
for _, name in ipairs{"add", "sub", "mul", "div", "eq", "ne", "lt", "le", "gt", "ge", "maximum", "minimum"} do
  of_tensors[name] = other
end
for _, name in ipairs{"sum", "mean", "min", "max", "var", "std", "norm", "argmax"} do of_tensors[name] = none end
for _, name in ipairs{"neg", "exp", "log", "sqrt", "abs", "sign", "square", "floor"} do of_tensors[name] = none end
for _, name in ipairs(core.registered("activations")) do of_tensors[name] = none end
-- In place: the same arguments.
for _, name in ipairs{"add", "sub", "mul", "div", "maximum", "minimum", "neg", "exp", "log", "sqrt", "abs", "sign",
  "square", "floor", "clamp", "pow", table.unpack(core.registered("activations"))} do
  of_tensors[name .. "_"] = of_tensors[name]
end

--- What the functions of the core take.
samples.core = {
  tensor = function() return {{1, 2}, {3, 4}} end, zeros = function() return 2, 3 end,
  ones = function() return {2, 3, dtype = "uint8"} end, full = function() return 7, 2, 3 end,
  arange = function() return 1, 9, 2 end, linspace = function() return 0, 1, 5 end, eye = function() return 3 end,
  rand = function() return 2, 3 end, randn = function() return 2, 3 end, randperm = function() return 9 end,
  neighbours = function(o) return o.x, o.u, 2 end,
  cat = function(o) return {o.x, o.u, o.x}, 2 end, eigh = function(o) return o.square end,
  print_options = function() return {precision = 4} end,
  layer = function() return "dense", 3, 2 end, loss = function() return "mse" end,
  optimizer = function() return "adam" end, dense = function(o) return 4, 4, {tied = o.layer, activation = "gelu"} end,
  activation = function() return "relu" end, dropout = function() return 0.5 end,
  gaussian_noise = function() return 0.1 end, masking_noise = function() return 0.1 end,
  salt_pepper_noise = function() return 0.1 end, k_sparse = function() return 2 end,
  net = function(o) return {o.layer, core.dense(4, 4)} end, dataset = function(o) return o.x, o.u end,
  net_from = function(o) return o.net:archive() end,
  info = none, registered = function() return "layers" end, seed = function() return 5 end, draw_seed = none,
  clock = none, interrupt = none, limits = function() return {memory = 0} end, set_threads = function() return 1 end,
  nearest = function() return "colour", {own_name "c", "color", size = true} end,
  idx = function() return samples.shapes .. "t10k-images-idx3-ubyte" end,
  idx_load = function() return samples.shapes .. "t10k-images-idx3-ubyte" end,
  png_encode = function(o) return o.x end, png_decode = function(o) return core.png_encode(o.x) end,
  png_write = function(o) return o.path, o.x end,
  png_read = function(o) assert(core.png_write(o.file, o.x)) return o.file end,
  safetensors_save = function(o)
    return o.path, {[own_name "b"] = o.x, [own_name "a"] = o.bytes}, {[own_name "k"] = own_name "t"}
  end,
  safetensors_load = function(o) assert(core.safetensors_save(o.file, {x = o.x}, {k = "t"})) return o.file end,
  load_net = function(o) assert(o.net:save(o.file)) return o.file end,
  file_kind = function() return samples.shapes end, file_access = function() return samples.shapes end,
  file_write = function(o) return o.path, {own_name "a", "", own_name "b"} end,
  file_rotate = function(o) assert(core.file_write(o.file, {"text"})) return o.file, 2 end,
  log = function() return "a line" end,
}
for _, family in ipairs{"losses", "optimizers"} do
  for _, name in ipairs(core.registered(family)) do samples.core[name] = none end
end

--- Every class's metamethods: {f =, take =}, take giving all that f is called with.
local function op(f, take) return {f = f, take = take} end
local function self(noun) return function(o) return o[noun] end end

local function text_of(noun) return op(tostring, self(noun)) end
local function call_of(noun) return op(function(v) return v(1) end, self(noun)) end
local function length_of(noun) return op(function(v) return #v end, self(noun)) end
local function read(v, k) return v[k] end
local function write(v, k, value) v[k] = value end
local function two(o) return o.x, o.u end

samples.meta = {
  ["moonglass.tensor"] = {
    __add = {op(function(a, b) return a + b end, two), op(function(a) return a + 5 end, two),
      op(function(a) return 5 + a end, two)},
    __sub = {op(function(a, b) return a - b end, two)}, __mul = {op(function(a, b) return a * b end, two)},
    __div = {op(function(a, b) return a / b end, two), op(function(a) return 1 / a end, two)},
    __unm = {op(function(a) return -a end, two)}, __pow = {op(function(a) return a ^ 2 end, two)},
    __eq = {op(function(a, b) return a == b end, two)}, __lt = {op(function(a, b) return a < b end, two)},
    __le = {op(function(a, b) return a <= b end, two)}, __len = {length_of "x"}, __tostring = {text_of "x"},
    __index = {op(read, function(o) return o.x, 2 end), op(read, function(o) return o.x, "shape" end),
      op(read, function(o) return o.x, "dtype" end), op(read, function(o) return o.x, "shap" end)},
    __newindex = {op(write, function(o) return o.x, 2, o.u:rows(1, 1):reshape(4) end),
      op(write, function(o) return o.x, 2, 7 end)},
  },
  ["moonglass.layer"] = {
    __tostring = {text_of "layer"}, __call = {call_of "layer"},
    __eq = {op(function(a, b) return a == b end, function(o) return o.layer, o.net:layer(1) end)},
  },
  ["moonglass.loss"] = {__tostring = {text_of "loss"}, __call = {call_of "loss"}},
  ["moonglass.optimizer"] = {__tostring = {text_of "opt"}},
  ["moonglass.net"] = {
    __tostring = {text_of "net"}, __call = {call_of "net"}, __len = {length_of "net"},
    __index = {op(read, function(o) return o.net, "encoder" end), op(read, function(o) return o.net, "fitt" end)},
    __newindex = {op(write, function(o) return o.net, own_name "f", o.x end)},
  },
  ["moonglass.dataset"] = {
    __tostring = {text_of "data"}, __len = {length_of "data"},
    __index = {op(read, function(o) return o.data, "rowz" end)},
  },
}

-- Options, parameters and their gradients, each read, and set to what it is; and a name that is near to one.
local function add_fields(class, noun, near, names)
  local meta = samples.meta[class]
  meta.__index, meta.__newindex = {}, {}
  for _, name in ipairs(names) do
    table.insert(meta.__index, op(read, function(o) return o[noun], name end))
    table.insert(meta.__newindex, op(write, function(o) return o[noun], name, o[noun][name] end))
  end
  table.insert(meta.__index, op(read, function(o) return o[noun], near end))
  table.insert(meta.__newindex, op(write, function(o) return o[noun], near, 1 end))
end

add_fields("moonglass.layer", "layer", "wieght", {"in", "out", "activation", "tied", "weight", "bias", "weight_grad"})
add_fields("moonglass.loss", "loss", "reductoin", {"reduction"})
add_fields("moonglass.optimizer", "opt", "lrr", sorted(core.adam():state()))

samples.nouns = {["moonglass.tensor"] = "x", ["moonglass.layer"] = "layer", ["moonglass.loss"] = "loss",
  ["moonglass.optimizer"] = "opt", ["moonglass.net"] = "net", ["moonglass.dataset"] = "data"}

-- Fields that a net may lack are declared among its methods.
local function add_methods(list, class, methods, missing)
  for _, name in ipairs(sorted(methods)) do
    local f, take = methods[name], samples.methods[class][name]
    if f and not take then missing[#missing + 1] = class .. ":" .. name end
    if f and take then
      list[#list + 1] = {name = class .. ":" .. name, f = f, take = function(o)
        return o[samples.nouns[class]], take(o)
      end}
    end
  end
end

local releasing = {__gc = true, __close = true}

local function add_metamethods(list, class, meta, missing)
  for _, name in ipairs(sorted(meta)) do
    local calls = samples.meta[class][name]
    if type(meta[name]) == "function" and not releasing[name] and not calls then
      missing[#missing + 1] = class .. "." .. name
    end
    for i, call in ipairs(calls or {}) do
      list[#list + 1] = {name = ("%s.%s (%d)"):format(class, name, i), f = call.f, take = call.take}
    end
  end
end

--- Everything that the core has: a list of {name =, f =, take = a function of objects that gives f's arguments}, and a
--- list of the names that have no sample.
function samples.all()
  local list, missing = {}, {}
  for _, name in ipairs(sorted(core)) do
    local take = samples.core[name]
    if type(core[name]) == "function" and not take then missing[#missing + 1] = "core." .. name end
    if take then list[#list + 1] = {name = "core." .. name, f = core[name], take = take} end
  end
  local o = samples.objects()
  for _, class in ipairs(sorted(samples.nouns)) do
    add_methods(list, class, core.methods[class], missing)
    add_metamethods(list, class, getmetatable(o[samples.nouns[class]]), missing)
  end
  return list, missing
end

return samples

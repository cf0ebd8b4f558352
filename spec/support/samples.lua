-- A sample call of every function, method and metamethod of the core, and a sample of every layer. Specs use them for
-- numeric gradients, refused allocations and finalisers. Most samples are made from the annotations, by the types of
-- the parameters. The others are in the tables below. registry_spec.lua tells which samples are missing; the other
-- specs leave those out. Only the core is required here.
local annotations = require "moonglass.help.annotations"
local core = require "moonglass.core"
local files = dofile "spec/support/files.lua"
local sorted_keys = dofile "spec/support/sorted_keys.lua"

local samples = {}

local here = "spec/support/samples.lua"

samples.shapes = "spec/fixtures/shapes/"

-- A name without other copies: Lua does not share strings longer than 40 bytes.
local function own_name(letter) return letter:rep(60) end

--- Small objects that match each other. Fields that end in "path" name files that may be written or exist already.
function samples.objects(folder)
  core.seed(1)
  local o = {x = core.rand(3, 4), u = core.rand(3, 4), v = core.rand(4, 3), square = core.rand(3, 3),
    bytes = core.full(7, 3, 4, {dtype = "uint8"}), path = (folder or "") .. "written", file = (folder or "") .. "there"}
  o.layer, o.loss, o.opt = core.dense(4, 4, {activation = "sigmoid"}), core.mse(), core.adam()
  o.net = core.net{o.layer, core.dense(4, 4)}
  o.data = core.dataset(o.x, o.u)
  o.scaler = core.new_scaler("standard", 4)
  if not pcall(core.scaler_add, o.scaler, o.x) then core.scaler_add(o.scaler, o.x) end -- after core.interrupt()
  core.scaler_finish(o.scaler)
  o.detector = core.new_detector({o.net}, {offset = {0, 1, 2, 3}, low = {0, 0, 0, 0}, high = {1, 1, 1, 1}})
  o.detector.threshold = 0.5
  local u = o.u
  o.source = core.source(3, 4, function(first, n) return u:rows(first, first + n - 1) end, 2)
  o.list = function() return o.net:parameters() end
  return o
end

--- An object of each class in the annotations, by the class's name.
function samples.of_classes()
  local moon = require "moonglass"
  local x = moon.seed(1) or moon.rand(8, 4)
  local labels = moon.tensor({0, 1, 0, 1, 0, 1, 0, 1}, {dtype = "uint8"})
  return {
    Tensor = x, Layer = moon.dense(4, 2), Loss = moon.mse(), Optimizer = moon.adam(), Dataset = moon.dataset(x),
    Net = moon.sequential{moon.dense(4, 2)}, Autoencoder = moon.autoencoder.plain{input = 4, hidden = 2},
    Variational = moon.autoencoder.variational{input = 4, hidden = {3}, code = 2},
    Pca = moon.pca(x, 2), Dictionary = moon.dictionary(x, {atoms = 2, l1 = 0.1}), Knn = moon.knn(x, labels),
    Probe = moon.probe(x, labels, {epochs = 1}), Scaler = moon.scaler(x), Page = moon.page("a page"),
    Detector = moon.detector(moon.sequential{moon.dense(4, 4)}),
    Source = x:windows(2),
  }
end

local function none() end

-- ---- from the annotations ----

-- Values by type: a parameter gets the first one whose name is in its type.
local of_type = {
  {"moonglass%.Tensor", function(o) return o.u end}, {"moonglass%.Loss", function(o) return o.loss end},
  {"moonglass%.Optimizer", function(o) return o.opt end}, {"moonglass%.Layer", function(o) return o.layer end},
  {"moonglass%.Net", function(o) return o.net end}, {"integer", function() return 1 end},
  {"number", function() return 0.5 end}, {"boolean", function() return true end},
}

local function value_of(type)
  for _, entry in ipairs(of_type) do
    if type:find(entry[1]) then return entry[2] end
  end
end

-- A function of objects that returns the required arguments of a function; nil if it cannot be made.
local function take_from(f)
  local values = {}
  for _, p in ipairs(f.params) do
    if p.name == "..." then return nil end
    if not p.optional then
      values[#values + 1] = value_of(p.type)
      if not values[#values] then return nil end
    end
  end
  if #values == 0 then return none end
  return function(o)
    local given = {}
    for i, value in ipairs(values) do given[i] = value(o) end
    return table.unpack(given)
  end
end

-- Functions by path, "Tensor:add" or "moon.zeros"; and the required options of each kind of layer, loss and optimiser.
local taken, documented, required = {}, {}, {}

local function snake(name) return (name:gsub("%u", "_%0"):sub(2):lower()) end

-- The annotations are freed afterwards, because finalisers.lua runs a full collection at each allocation.
local function read_annotations()
  local interface = annotations.parse(files.read(assert(package.searchpath("moonglass.help.meta", package.path))))
  for _, f in ipairs(interface.functions) do taken[f.path], documented[f.path] = take_from(f), true end
  for _, class in ipairs(interface.classes) do
    local name = class.name:match("^moonglass%.(%w+)Options$")
    local list = {}
    for _, field in ipairs(class.fields) do
      if field.text:find("^required") then list[#list + 1] = {name = field.name, type = field.type} end
    end
    if name then required[snake(name)] = list end
  end
end
read_annotations()

-- ---- layers ----

-- Values of required options, by type.
local option_values = {integer = 2, number = 0.4, boolean = true, ["moonglass.ActivationName"] = "tanh"}

-- Additional options of a layer's sample, so that more of its code runs.
samples.layer_options = {dense = {activation = "tanh"}}

--- The required options of a kind of layer, for rows of `width`; nil and what is missing.
function samples.required_options(kind, width)
  local options = {}
  for _, field in ipairs(required[kind] or {}) do
    local is_width = field.name == "in" or field.name == "out" or field.name == "n"
    options[field.name] = is_width and width or option_values[field.type]
    if options[field.name] == nil then
      return nil, ("layer %s: a value for its option %s, to samples.layer_options in %s"):format(kind, field.name, here)
    end
  end
  return options
end

--- A layer of that kind, for rows of `width` and as many outputs if the kind can; nil and what is missing.
function samples.layer(kind, width)
  local options, missing = samples.required_options(kind, width)
  local more = samples.layer_options[kind]
  if not options and not more then return nil, missing end
  options = options or {}
  for name, v in pairs(more or {}) do options[name] = v end
  local ok, layer = pcall(core.layer, kind, options)
  if ok then return layer end
  if tostring(layer):find("memory", 1, true) then error(layer, 0) end -- refused by the test, not by the options
  return nil, ("layer %s: options that it takes (%s), to samples.layer_options in %s"):format(kind, layer, here)
end

-- Layers from rows of `width` to as many outputs, for kinds whose input and output differ.
samples.stacks = {
  gaussian_code = function(width) return {core.dense(width, 2 * width), core.gaussian_code(width)} end,
}

--- A net from rows of `width` to as many outputs, with a layer of that kind; nil and what is missing.
function samples.net(kind, width)
  if samples.stacks[kind] then return core.net(samples.stacks[kind](width)) end
  local layer, missing = samples.layer(kind, width)
  return layer and core.net{layer}, missing
end

-- ---- calls ----

local function other(o) return o.u end

--- By class, then by name: a method's arguments after the object, if they cannot be made from its annotation.
samples.methods = {
  ["moonglass.tensor"] = {
    matmul = function(o) return o.v end, clamp = function() return 0.2, 0.8 end, topk = function() return 2 end,
    get = function() return 1, 2 end, set = function() return 5, 1, 2 end, rows = function() return 1, 2 end,
    reshape = function() return 2, -1 end, index = function() return {3, 1, 3} end,
    columns = function() return {3, 1, 3} end, pow = function() return 2 end,
    map = function() return function(v) return v + 1 end end, equal = other, windows = function() return 2, 1 end,
  },
  ["moonglass.layer"] = {
    forward = function(o) return o.x, true end, backward = function(o) o.layer:forward(o.x) return o.u end,
    parameters = none, buffers = none, kind = none, seed = function() return 3 end,
    penalty = function(o) o.layer:forward(o.x) end,
  },
  ["moonglass.loss"] = {
    forward = function(o) return o.x, o.u, core.tensor{1, 2, 0} end,
    backward = function(o) o.loss:forward(o.x, o.u) end, kind = none,
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
    parameters = none, buffers = none, penalty = function(o) o.net:forward(o.x) end, seed = function() return 3 end,
    layer = function() return 2 end, slice = function() return 1, 1 end, clone = none, inputs = none, outputs = none,
    encoder_layers = none, set_encoder_layers = function() return 1 end, archive = none, bytes = none, summary = none,
    save = function(o) return o.path end,
    load = function(o) assert(o.net:save(o.file)) return o.file end,
    fit = function(o) return o.x, o.u, {loss = o.loss, optimizer = o.opt, batch_size = 2, epochs = 2, verbose = 0} end,
    evaluate = function(o) return o.x, o.u, {loss = o.loss, batch_size = 2} end, set_reducer = none,
  },
  ["moonglass.dataset"] = {
    batch = function() return 1, 2 end, rows = none, shuffle = function() return 1, 2 end, unshuffle = none,
    own_rows = none, set_shards = function() return {3} end,
    set_mask = function() return true end, set_weights = function() return core.tensor{1, 2, 0} end,
    weights = function(o) o.data:set_weights(core.ones(3)) return 1, 2 end,
  },
  ["moonglass.scaler"] = {
    apply = function(o) return o.x end, invert = function(o) return o.u end,
  },
  ["moonglass.detector"] = {
    scores = function(o) return o.x end, features = function(o) return o.x end, outside = function(o) return o.x end,
    alarms = function(o) return o.x end, explain = function(o) return o.x:rows(1, 1), 2 end, bytes = none,
    save = function(o) return o.path end,
  },
  ["moonglass.source"] = {
    batch = function() return 2, 2 end, rows = function() return 2, 3 end, size = function() return 2 end,
  },
}

-- A new one each time: finalisers.lua takes fields away.
local function csv_config()
  return {header = 1, columns = {own_name "a", "b"}, missing = {own_name "n"}, categories = {}}
end

local function written_csv(o)
  assert(core.file_write(o.file, {own_name "a", ",b\n1,2\n3,", own_name "n", "\n"}))
  return o.file
end

local function opened(o) return assert(core.csv_open(written_csv(o), csv_config())) end

--- The arguments of functions of the core, if they cannot be made from their annotations.
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
  net = function(o) return {o.layer, core.dense(4, 4)} end, dataset = function(o) return o.x, o.u end,
  new_scaler = function() return "minmax", 3 end,
  new_heads = function(o) return {{own_name "a", o.loss, 3, 1}, {own_name "b", core.cross_entropy(), 1, 0.5}} end,
  scaler_add = function(o) return core.new_scaler("robust", 4), o.x end,
  scaler_finish = function(o)
    local scaler = core.new_scaler("robust", 4)
    core.scaler_add(scaler, o.x)
    return scaler
  end,
  new_detector = function(o)
    return {o.net}, {score = "scaled", missing = "fill", margin = 2, offset = {0, 1, 2, 3}, scale = {1, 2, 3, 4},
      spread = {1, 1, 1, 1}, low = {0, 0, 0, 0}, high = {1, 1, 1, 1}, columns = {own_name "a", "b", "c", "d"},
      categories = {{"x", {"1"}}, {"y", {"2", "3"}}}}
  end,
  detector_spread = function(o) return o.detector, {1, 2, 3, 4} end,
  detector_range = function(o) return o.detector, {1, 2, 3, 4}, {2, 3, 4, 5}, 1 end,
  detector_calibration = function(o) return o.detector, 0.9, 10, 1 end,
  detector_text = function(o) return o.detector, own_name "k", own_name "t" end,
  net_from = function(o) return o.net:archive() end, net_from_bytes = function(o) return o.net:bytes() end,
  layer_modules = function(o) return o.layer end,
  registered = function() return "layers" end, options = function() return "layers", "dense" end,
  limits = function() return {memory = 0} end, reduce = function(o) return nil, o.x end,
  digest = function(o) return {o.x} end,
  source = function(o) return 3, 4, function(first, n) return o.x:rows(first, first + n - 1) end, 2 end,
  set_again = function() return function(v) error(v, 0) end end,
  nearest = function() return "colour", {own_name "c", "color", size = true} end,
  csv_open = function(o) return written_csv(o), csv_config() end,
  csv_read = function(o) return opened(o), core.zeros(2, 2) end,
  csv_skip = function(o) return opened(o), 1 end, csv_most_rows = function(o) return opened(o) end,
  csv_tell = function(o) return opened(o) end, csv_seek = function(o) return opened(o), 63, 2 end,
  csv_columns = function(o) return opened(o) end, csv_categories = function(o) return opened(o) end,
  csv_classes = function(o) return opened(o) end, csv_state = function(o) return opened(o) end,
  idx_load = function() return samples.shapes .. "t10k-images-idx3-ubyte" end,
  folder_list = function() return samples.shapes end,
  picture_kind = function(o) assert(core.png_write(o.file, o.x)) return o.file end,
  picture_resize = function() return core.zeros(2, 3, {dtype = "uint8"}), core.zeros(4, 4, {dtype = "uint8"}), true end,
  npy_save = function(o) return o.path, o.x end,
  npy_load = function(o) assert(core.npy_save(o.file, o.x)) return o.file end,
  png_encode = function(o) return o.x end, png_decode = function(o) return core.png_encode(o.x) end,
  png_write = function(o) return o.path, o.x end,
  png_read = function(o) assert(core.png_write(o.file, o.x)) return o.file end,
  safetensors_save = function(o)
    return o.path, {[own_name "b"] = o.x, [own_name "a"] = o.bytes}, {[own_name "k"] = own_name "t"}
  end,
  safetensors_encode = function(o) return {[own_name "b"] = o.x, [own_name "a"] = o.bytes}, {[own_name "k"] = "t"} end,
  safetensors_decode = function(o) return core.safetensors_encode({x = o.x}, {k = "t"}) end,
  safetensors_load = function(o) assert(core.safetensors_save(o.file, {x = o.x}, {k = "t"})) return o.file end,
  load_net = function(o) assert(o.net:save(o.file)) return o.file end,
  file_kind = function() return samples.shapes end, file_access = function() return samples.shapes end,
  file_write = function(o) return o.path, {own_name "a", "", own_name "b"} end,
  file_rotate = function(o) assert(core.file_write(o.file, {"text"})) return o.file, 2 end,
  log = function() return "a line" end,
}

local function is_registered(family, name)
  for _, known in ipairs(core.registered(family)) do
    if known == name then return true end
  end
  return false
end

-- "moonglass.tensor", "add" -> "Tensor:add"
local function path_of(class, name) return class:match("%l+$"):gsub("^%l", string.upper) .. ":" .. name end

--- A method's arguments after the object, or nil. The variant in place takes the same.
function samples.take_of_method(class, name)
  local of, plain = samples.methods[class], name:gsub("_$", "")
  if is_registered("activations", plain) then return none end
  return of[name] or of[plain] or taken[path_of(class, name)] or taken[path_of(class, plain)]
end

--- The arguments of a function of the core, or nil.
function samples.take_of_core(name)
  if samples.core[name] then return samples.core[name] end
  if is_registered("layers", name) then
    return samples.required_options(name, 4) and function() return (samples.required_options(name, 4)) end
  end
  if is_registered("losses", name) or is_registered("optimizers", name) then return none end
  return taken["moon." .. name]
end

--- The metamethods of every class: {f =, take =}; take returns all arguments of f.
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
    __newindex = {op(write, function(o) return o.net, own_name "f", o.x end),
      op(write, function(o) return o.net, "trainable", false end)},
  },
  ["moonglass.dataset"] = {
    __tostring = {text_of "data"}, __len = {length_of "data"},
    __index = {op(read, function(o) return o.data, "rowz" end)},
  },
  ["moonglass.scaler"] = {
    __tostring = {text_of "scaler"},
    __index = {op(read, function(o) return o.scaler, "offset" end), op(read, function(o) return o.scaler, "ofset" end)},
  },
  ["moonglass.detector"] = {
    __tostring = {text_of "detector"},
    __index = {op(read, function(o) return o.detector, "columns" end),
      op(read, function(o) return o.detector, "net" end),
      op(read, function(o) return o.detector, "scaler" end), op(read, function(o) return o.detector, "colums" end)},
    __newindex = {op(write, function(o) return o.detector, "threshold", 0.25 end),
      op(write, function(o) return o.detector, "width", 2 end)},
  },
  ["moonglass.source"] = {
    __tostring = {text_of "source"}, __len = {length_of "source"},
    __index = {op(read, function(o) return o.source, "shape" end), op(read, function(o) return o.source, "dtype" end),
      op(read, function(o) return o.source, "shap" end)},
  },
}

-- Options, parameters and gradients: each is read and set to its value. Also a misspelt name.
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

add_fields("moonglass.layer", "layer", "wieght", {"in", "out", "activation", "tied", "weight", "bias", "weight_grad",
  "trainable", "weight_l2"})
add_fields("moonglass.loss", "loss", "reductoin", {"reduction"})
add_fields("moonglass.optimizer", "opt", "lrr", sorted_keys(core.adam():state()))

samples.nouns = {["moonglass.tensor"] = "x", ["moonglass.layer"] = "layer", ["moonglass.loss"] = "loss",
  ["moonglass.optimizer"] = "opt", ["moonglass.net"] = "net", ["moonglass.dataset"] = "data",
  ["moonglass.scaler"] = "scaler", ["moonglass.detector"] = "detector", ["moonglass.source"] = "source"}

-- Fields that a net may lack are declared as false among its methods.
local function add_methods(list, class, methods, missing)
  for _, name in ipairs(sorted_keys(methods)) do
    local f, take = methods[name], samples.take_of_method(class, name)
    -- All methods of tensors are public: interface_spec reports those that are not documented.
    if f and not take and (documented[path_of(class, name)] or class ~= "moonglass.tensor") then
      missing[#missing + 1] = ("%s:%s: what it takes, to samples.methods in %s"):format(class, name, here)
    elseif f and take then
      list[#list + 1] = {name = class .. ":" .. name, f = f, take = function(o)
        return o[samples.nouns[class]], take(o)
      end}
    end
  end
end

local releasing = {__gc = true, __close = true}

local function add_metamethods(list, class, meta, missing)
  for _, name in ipairs(sorted_keys(meta)) do
    local calls = samples.meta[class][name]
    if type(meta[name]) == "function" and not releasing[name] and not calls then
      missing[#missing + 1] = ("%s.%s: a call, to samples.meta in %s"):format(class, name, here)
    end
    for i, call in ipairs(calls or {}) do
      list[#list + 1] = {name = ("%s.%s (%d)"):format(class, name, i), f = call.f, take = call.take}
    end
  end
end

--- Everything in the core: a list of {name =, f =, take = a function of objects that returns f's arguments}; and a list
--- of missing samples, each with the place where it belongs.
function samples.all()
  local list, missing = {}, {}
  for _, name in ipairs(sorted_keys(core)) do
    local take = samples.take_of_core(name)
    if type(core[name]) == "function" and not take then
      missing[#missing + 1] = ("core.%s: what it takes, to samples.core in %s"):format(name, here)
    elseif type(core[name]) == "function" then
      list[#list + 1] = {name = "core." .. name, f = core[name], take = take}
    end
  end
  local o = samples.objects()
  for _, class in ipairs(sorted_keys(samples.nouns)) do
    add_methods(list, class, core.methods[class], missing)
    add_metamethods(list, class, getmetatable(o[samples.nouns[class]]), missing)
  end
  return list, missing
end

return samples

-- Turn bytes into a program of random calls. A call is a function of the library, or a method of a live object, with
-- arguments: numbers at the edges, known names, results of earlier calls, tables of these. A call may raise an error,
-- which must be a text. It must not damage the state.
local moon = require "moonglass"
local core = require "moonglass.core"

-- ---- functions ----

-- Left out: set_threads would start up to 256 threads, and limits could only be lowered.
local left_out = {set_threads = true, limits = true, set_log = true, info = true, interactive = true}

local functions, methods = {}, {}

local function gather(name, v, seen)
  if type(v) == "function" then
    functions[#functions + 1] = {name = name, f = v}
  elseif type(v) == "table" and not seen[v] then
    seen[v] = true
    local meta = getmetatable(v)
    if meta and meta.__call then functions[#functions + 1] = {name = name, f = v} end
    local keys = {}
    for key in pairs(v) do
      if type(key) == "string" and not left_out[key] then keys[#keys + 1] = key end
    end
    table.sort(keys)
    for _, key in ipairs(keys) do gather(name .. "." .. key, v[key], seen) end
  end
end

gather("moon", moon, {})
for class, list in pairs(core.methods) do
  methods[class] = {}
  for name in pairs(list) do methods[class][#methods[class] + 1] = name end
  table.sort(methods[class])
end

local operators = {
  function(a, b) return a + b end, function(a, b) return a - b end, function(a, b) return a * b end,
  function(a, b) return a / b end, function(a) return -a end, function(a) return #a end,
  function(a, b) return a == b end, function(a, b) return a[b] end, function(a, b) a[b] = 1 end,
  function(a) return tostring(a) end, function(a, b) return a < b end, function(a, b) return a .. b end,
  function(a, b) a.weight = b end, function(a, b) a.lr = b end, function(a) return a.shape end,
}

-- No program is run and the terminal is not used.
os.execute, io.popen, os.exit = nil, nil, nil -- luacheck: ignore 122

-- ---- arguments ----

local numbers = {
  0, 1, 2, 3, 4, 5, 7, 8, 16, 0.5, 0.25, 1e-3, 1e-7, -1, -2, 255, 256, 1000, 65536, 2 ^ 24, 2 ^ 31 - 1, 2 ^ 31,
  1 << 31, 1 << 32, 2 ^ 53, math.maxinteger, math.mininteger, 1e18, 1e300, 1 / 0, -1 / 0, 0 / 0, -0.0, 1.5,
}

local texts = {
  "", "3", "a.png", "b.safetensors", "c.idx", "d.onnx", "e.csv", "sum", "mean", "batchmean", "uint8", "float32",
  "none", "each", "all", "loss", "val_loss", "train", "test", "weight", "bias", "__index", "__gc", "__metatable",
  "0.weight", "checkpoint.safetensors", "%d.safetensors", "a\0b", "\xff", ("long"):rep(100), "%s%n", ".", "x",
}
for _, family in ipairs{"layers", "losses", "optimizers", "activations", "inits"} do
  local ok, list = pcall(core.registered, family)
  for _, name in ipairs(ok and list or {}) do texts[#texts + 1] = name end
end

local keys = {
  "input", "hidden", "code", "encoder", "decoder", "noise", "activation", "init", "bias", "tied", "activity_l1",
  "activity_reduction", "weight_l1", "weight_l2", "kl_weight", "kl_target", "contractive", "lr", "beta1", "beta2",
  "eps", "momentum", "weight_decay", "nesterov", "reduction", "from_logits", "delta", "loss", "optimizer", "epochs",
  "batch_size", "shuffle", "seed", "validation", "validation_split", "callbacks", "verbose", "threads", "on_nan",
  "resume", "initial_epoch", "history", "dtype", "shape", "columns", "pad", "normalize", "n", "classes", "k", "alpha",
  "clip", "net", "opt", "epoch", "patience", "min_delta", "monitor", "restore_best", "every", "best", "append", "dim",
  "opset", "name", "prefix", "forward", "backward", "parameters", "components", "iterations", "l1", "step", "p",
  "sigma", "largest", "in", "out", "snapshot", "restore", "on_epoch_end", "on_batch_end",
  "label_smoothing", "sample_weight", "class_weight",
}

-- ---- reading the program ----

local program, at, live

local function byte()
  at = at + 1
  return program:byte(at) or 0
end

local function pick(list) return list[byte() % #list + 1] end

local argument

local function list_of(depth)
  local t = {}
  for i = 1, byte() % 5 do t[i] = argument(depth - 1) end
  return t
end

local function options_of(depth)
  local t = {}
  for _ = 1, byte() % 5 do t[pick(keys)] = argument(depth - 1) end
  return t
end

-- A function that returns its arguments, raises an error, or yields outside a coroutine.
local called_back = {
  function(...) return ... end, function() return nil end, function() error("called back", 0) end,
  function() error({}, 0) end, function(x) return x end, function() return 0 end,
  function() return coroutine.yield() end, function() collectgarbage() end,
}

-- Small shapes come often, because they match each other.
function argument(depth)
  local kind = byte() % 16
  if kind < 4 and #live > 0 then return pick(live) end
  if kind < 7 then return byte() % 6 end
  if kind < 9 then return pick(numbers) end
  if kind < 11 then return pick(texts) end
  if kind == 11 then return nil end
  if kind == 12 then return byte() % 2 == 0 end
  if depth <= 0 then return pick(numbers) end
  if kind == 13 then return list_of(depth) end
  if kind == 14 then return options_of(depth) end
  return pick(called_back)
end

-- ---- arguments that probably fit ----

local function live_of(class)
  local found = {}
  for _, v in ipairs(live) do
    local meta = type(v) == "userdata" and getmetatable(v)
    if meta and meta.__name == "moonglass." .. class then found[#found + 1] = v end
  end
  return found[byte() % math.max(#found, 1) + 1]
end

local sizes = {4, 4, 4, 4, 4, 2, 3, 1}
local activations = core.registered("activations")

-- One argument for each letter.
local fitting = {
  t = function() return live_of("tensor") end, n = function() return live_of("net") end,
  l = function() return live_of("layer") end, o = function() return live_of("optimizer") end,
  s = function() return live_of("loss") end, i = function() return pick(sizes) end,
  f = function() return pick(numbers) end, b = function() return byte() % 2 == 0 end,
  a = function() return pick(activations) end, d = function() return byte() % 2 + 1 end,
}

local names_of_files = {"a.png", "b.safetensors", "c.safetensors", "d.onnx", "b.safetensors"}

function fitting.p() return byte() % 8 == 0 and pick(texts) or pick(names_of_files) end

function fitting.T() return {fitting.t(), fitting.t()} end -- a list of tensors

function fitting.L() -- a list of layers
  local list = {}
  for i = 1, byte() % 3 + 1 do list[i] = fitting.l() end
  return list
end

function fitting.D()
  return {activation = fitting.a(), bias = fitting.b(), tied = byte() % 8 == 0 and fitting.l() or nil}
end

function fitting.F()
  local t = {loss = fitting.s(), optimizer = fitting.o(), epochs = byte() % 3 + 1, verbose = 0}
  if byte() % 2 == 0 then t.batch_size = pick(sizes) end
  if byte() % 4 == 0 then t.validation_split = 0.5 end
  if byte() % 4 == 0 then t.callbacks = {pick(called_back), moon.callbacks.early_stopping{monitor = "loss"}} end
  if byte() % 4 == 0 then t.callbacks = {moon.callbacks.checkpoint("c.safetensors")} end
  if byte() % 4 == 0 then t[pick(keys)] = argument(1) end
  return t
end

function fitting.E() return {loss = fitting.s(), batch_size = pick(sizes)} end
function fitting.P() return {input = 4, hidden = pick(sizes)} end
function fitting.A() return {input = 4, hidden = {3}, code = pick(sizes), activation = fitting.a()} end
function fitting.N() return {input = 4, hidden = 2, noise = moon.masking_noise(0.5)} end
function fitting.C() return {net = fitting.n(), opt = fitting.o(), epoch = byte()} end

-- The letters of each function's arguments. For a method the object comes first.
local likely = {
  ["moon.dense"] = "iiD", ["moon.activation"] = "a", ["moon.sequential"] = "L", ["moon.cat"] = "Td",
  ["moon.linspace"] = "ffi", ["moon.pca"] = "td", ["moon.gradcheck"] = "lt", ["moon.eigh"] = "t",
  ["moon.autoencoder.plain"] = "P", ["moon.autoencoder.deep"] = "A", ["moon.autoencoder.denoising"] = "N",
  ["moon.checkpoint.save"] = "pC", ["moon.checkpoint.load"] = "p", ["moon.load"] = "p", ["moon.onnx.export"] = "pn",
  ["moon.safetensors.save"] = "pT", ["moon.png.write"] = "pt", ["moon.png.encode"] = "t", ["moon.image.grid"] = "t",
  ["moon.image.rows"] = "T", ["moon.metrics.mse"] = "tt", ["moon.metrics.psnr"] = "tt", ["moon.probe"] = "tt",
  ["tensor.matmul"] = "tt", ["tensor.get"] = "tii", ["tensor.set"] = "tfii", ["tensor.rows"] = "tii",
  ["tensor.index"] = "tt", ["tensor.copy_"] = "tt", ["tensor.add_"] = "ttf", ["tensor.reshape"] = "tii",
  ["tensor.topk"] = "td", ["tensor.sum"] = "td", ["tensor.argmax"] = "td",
  ["layer.forward"] = "ltb", ["layer.backward"] = "lt", ["loss.forward"] = "stt", ["loss.backward"] = "s",
  ["net.forward"] = "ntb", ["net.backward"] = "nt", ["net.predict"] = "nt", ["net.errors"] = "nt",
  ["net.step"] = "nttso", ["net.fit"] = "nttF", ["net.evaluate"] = "nttE", ["net.slice"] = "nii", ["net.save"] = "np",
  ["net.load"] = "np", ["net.plan"] = "niso", ["net.summary"] = "n", ["net.archive"] = "n",
}
local likely_names = {}
for name in pairs(likely) do likely_names[#likely_names + 1] = name end
table.sort(likely_names)

local by_name = {}
for _, entry in ipairs(functions) do by_name[entry.name] = entry.f end

-- A function, and arguments that may fit.
local function likely_call()
  local name = pick(likely_names)
  local arguments, n = {}, 0
  for letter in likely[name]:gmatch(".") do
    n = n + 1
    arguments[n] = fitting[letter]()
  end
  local f = by_name[name]
  if not f and arguments[1] ~= nil then f = arguments[1][name:match("%.(.*)$")] end
  return f, arguments, n
end

-- ---- calling ----

local function keep(ok, ...)
  if not ok then
    local message = ...
    assert(message == nil or type(message) == "string" or type(message) == "table", "an error that is no text")
    return
  end
  for i = 1, math.min(select("#", ...), 3) do
    local v = select(i, ...)
    if v ~= nil and type(v) ~= "boolean" then
      if #live < 12 then live[#live + 1] = v else live[at % 12 + 1] = v end
    end
  end
end

local function methods_of(v)
  if type(v) ~= "userdata" then return nil end
  local meta = getmetatable(v)
  return type(meta) == "table" and methods[meta.__name]
end

local function call_something()
  local f, first
  local kind = byte() % 4
  local object = kind > 0 and #live > 0 and pick(live) or nil
  local list = methods_of(object)
  if kind == 3 and object ~= nil then
    f, first = pick(operators), object
  elseif list then
    f, first = object[pick(list)], object
  else
    f = pick(functions).f
  end
  local arguments, n = {first}, first ~= nil and 1 or 0
  for _ = 1, byte() % 4 do
    n = n + 1
    arguments[n] = argument(2)
  end
  keep(pcall(f, table.unpack(arguments, 1, n)))
end

local function call()
  if byte() % 4 == 0 then return call_something() end
  local ok, f, arguments, n = pcall(likely_call)
  if ok and f then keep(pcall(f, table.unpack(arguments, 1, n))) end
end

-- The values that a program starts with.
local function beginnings()
  local ae = moon.autoencoder.plain{input = 4, hidden = 2}
  return {ae, moon.rand(4, 4), moon.adam(), moon.mse(), moon.rand(4), ae:layer(1), ae:layer(2), moon.rand(4, 4)}
end

local names = {}
for i, v in ipairs(functions) do names[i] = v.name end

return function(bytes)
  program, at, live = bytes, 0, beginnings()
  moon.seed(1)
  local ok, message = pcall(function()
    while at < #program do call() end
  end)
  live = nil
  collectgarbage()
  assert(ok, message)
  local check = moon.ones(2, 2)
  assert(check:sum() == 4 and moon.rand(3):max() < 1, "the state is damaged")
end, names

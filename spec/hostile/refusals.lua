-- Out of memory at every point, from Lua. engine/lua_refusal_test.c runs this file and passes `host`:
--   host.attempt(door, first, width, f, ...)   pcall(f, ...) while calls of an allocator are refused
--   host.bits(t)                               a tensor's shape and bytes
--   host.check(condition, text)
-- A case makes objects and does one thing to them. It runs first without refusals, which gives the right result. Then
-- it runs on new objects with the k-th call refused, for k = 1, 2, 3 ... until nothing is refused. Each run must give
-- the right result or a message that memory ran out, and leave the objects as before or as after a whole step; a second
-- try must give the right result.
local host = ...
local core = require "moonglass.core"
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"
local paths = dofile("spec/support/paths.lua")(moon)
local samples = dofile "spec/support/samples.lua"
local sorted_keys = dofile "spec/support/sorted_keys.lua"

local folder = os.tmpname()
os.remove(folder)
local function path_of(name) return folder .. "-" .. name end

-- ---- everything visible of a value, as a text ----

local digest

-- Nets trained by separate calls of forward, backward and update: they may have gradients before a step.
local in_parts = setmetatable({}, {__mode = "k"})

local digest_of = {
  ["moonglass.tensor"] = function(t) return t.dtype .. host.bits(t) end,
  ["moonglass.net"] = function(net)
    local texts = {#net, net:encoder_layers()}
    for _, p in ipairs(net:parameters()) do texts[#texts + 1] = p.name .. host.bits(p.value) .. host.bits(p.grad) end
    if in_parts[net] then return digest(net:archive()) end
    return table.concat(texts, " ")
  end,
  ["moonglass.layer"] = function(layer)
    local texts = {tostring(layer)}
    for _, p in ipairs(layer:parameters()) do texts[#texts + 1] = p.name .. host.bits(p.value) end
    return table.concat(texts, " ")
  end,
  ["moonglass.optimizer"] = function(opt) return digest(opt:state()) end,
  ["moonglass.scaler"] = function(s) return tostring(s) .. digest(s.count) end,
  ["moonglass.dataset"] = function(data)
    local n = data:rows()
    return digest{data:weights(1, n) or 0, data:batch(1, n)}
  end,
}

local function by_text(a, b) return tostring(a) < tostring(b) end

function digest(v)
  local of = digest_of[(getmetatable(v) or {}).__name]
  if of then return of(v) end
  if type(v) == "number" then return ("%a"):format(v) end
  if type(v) ~= "table" then return type(v) == "function" and "" or tostring(v) end
  local keys, texts = {}, {}
  for key in pairs(v) do keys[#keys + 1] = key end
  table.sort(keys, by_text)
  for _, key in ipairs(keys) do
    if key ~= "epoch_seconds" then texts[#texts + 1] = tostring(key) .. "=" .. digest(v[key]) end
  end
  return "{" .. table.concat(texts, ";") .. "}"
end

-- The objects of a case. An optimizer includes its moments, a path the contents of the file.
local function state_of(o)
  local texts = {digest(o)}
  if o.opt then texts[2] = digest(o.opt:moments(o.net:parameters())) end
  if o.path then texts[#texts + 1] = files.read_if_there(o.path) or "none" end
  return table.concat(texts, "|")
end

-- ---- cases ----

local cases = {}

-- make() returns objects, act(objects, watch) a result. If act takes several steps, it calls watch() after each.
local function case(name, make, act) cases[#cases + 1] = {name = name, make = make, act = act} end

local function tensors()
  moon.seed(1)
  return {x = moon.rand(3, 4), u = moon.rand(3, 4), v = moon.rand(4, 3), bytes = moon.full(7, 3, 4, {dtype = "uint8"})}
end

-- registry_spec.lua names those without a sample.
for _, name in ipairs(sorted_keys(core.methods["moonglass.tensor"])) do
  local method, take = core.methods["moonglass.tensor"][name], samples.take_of_method("moonglass.tensor", name)
  if take then case("t:" .. name, tensors, function(o) return {method(o.x, take(o))} end) end
end

for _, name in ipairs{"sum", "mean", "min", "max", "var", "std", "norm", "argmax"} do
  case(("t:%s(1)"):format(name), tensors, function(o) return o.x[name](o.x, 1) end)
end

case("operators", tensors, function(o)
  local x, u = o.x, o.u
  return {x + u, x - 1, 2 * x, x / u, -x, x ^ 2, x == u, #x, tostring(x), x[2], x[2][3], x.shape, x.dtype, o.bytes + x,
    x:matmul(o.v[1]:reshape(-1):rows(1, 3):reshape(3, 1):t():t():index{1, 2, 3, 1})}
end)
case("t[i] = v", tensors, function(o) o.x[2] = o.u[1] end)

local function small_net(activation)
  return moon.sequential{moon.gaussian_noise(0.1), moon.dense(6, 4, {activation = activation, activity_l1 = 1e-4}),
    moon.dense(4, 6, {activation = "sigmoid"})}
end

local function training()
  moon.seed(2)
  local net = small_net("relu")
  local o = {net = net, x = moon.rand(8, 6), opt = moon.adam(), loss = moon.bce()}
  o.data = core.dataset(o.x)
  o.data:shuffle(1, 1)
  return o
end

-- Functions of the core that are not tested like this, or have a case further down.
local elsewhere = {}
for _, name in ipairs{"clock", "limits", "set_threads", "interrupt", "cat", "eigh", "net", "net_from", "dataset",
  "idx_load", "npy_load", "npy_save", "png_read", "png_write", "png_decode", "png_encode",
  "safetensors_load", "safetensors_save", "load_net",
  "file_kind", "file_access", "folder_list", "picture_kind", "file_write", "file_rotate",
  "methods", "public"} do elsewhere[name] = true end

for _, name in ipairs(sorted_keys(core)) do
  local take = samples.take_of_core(name)
  if take and not elsewhere[name] then
    case("core." .. name, function()
      local given = table.pack(take(samples.objects(path_of "")))
      moon.seed(4)
      return given
    end, function(given)
      local result = core[name](table.unpack(given, 1, given.n))
      return name == "info" or result
    end)
  end
end

case("cat", tensors, function(o) return moon.cat({o.x, o.u, o.x}, 2) end)
case("eigh", tensors, function(o) return {moon.eigh(o.v:matmul(o.x))} end)
case("dataset", tensors, function(o)
  local data = core.dataset(o.x, o.u)
  data:shuffle(1, 1)
  return {data:batch(1, 2)}
end)

for _, kind in ipairs(core.registered("layers")) do
  local function make() moon.seed(5) return {x = moon.rand(4, 5)} end
  if samples.net(kind, 5) then case("a net of " .. kind, make, function(o)
    moon.seed(6)
    local penalties = {activation = "sigmoid", kl_weight = 0.1, weight_l1 = 0.1, weight_l2 = 0.1}
    local layer = kind == "dense" and moon.dense(5, 5, penalties) or samples.net(kind, 5)
    local net = moon.sequential{layer, moon.dense(5, 2)}
    net:seed(1)
    local y = net:forward(o.x, true)
    return {y, net:backward(y), net:parameters(), net:penalty(), tostring(net), net:slice(1, 1):predict(o.x)}
  end) end
end

-- A new coroutine has a small stack, which must grow for the options.
case("options in a coroutine", function() return {} end, function()
  moon.seed(5)
  return coroutine.wrap(function() return moon.dense(3, 2, {bias = false}):parameters() end)()
end)

for _, loss in ipairs(core.registered("losses")) do
  case("loss:" .. loss, tensors, function(o)
    local l = core.loss(loss)
    return {l:forward(o.x, o.u), l:backward(), l:forward(o.x, o.bytes), tostring(l)}
  end)
end

case("autoencoder", function() moon.seed(7) return {} end, function()
  moon.seed(7)
  local ae = moon.autoencoder.sparse{input = 6, hidden = 3, l1 = 1e-5}
  local x = moon.rand(4, 6)
  return {ae:encode(x), ae:decode(ae:encode(x)), ae:reconstruct(x), ae:errors(x), tostring(ae:summary())}
end)

-- Two batches, so two whole steps.
local function fit(o, watch, net, loss)
  return net:fit(o.x, {loss = loss, optimizer = o.opt, batch_size = 4, seed = 3, callbacks = {{on_batch_end = watch}}})
end

case("fit", training, function(o, watch) return fit(o, watch, o.net, o.loss) end)
case("fit, steps", training, function(o, watch)
  local first = o.net:step_rows(o.data, 1, 4, o.loss, o.opt)
  watch()
  return {first, o.net:step(o.x, nil, o.loss, o.opt)}
end)
case("fit, a layer and a loss in Lua", function()
  moon.seed(8)
  local double = {forward = function(_, x) return x * 2 end, backward = function(_, dy) return dy * 2 end}
  local o = {net = small_net("tanh"), x = moon.rand(8, 6), opt = moon.sgd{lr = 0.1}}
  in_parts[o.net] = true
  function o.mixed() return moon.sequential{o.net:layer(1), o.net:layer(2), double, o.net:layer(3)} end
  return o
end, function(o, watch)
  return fit(o, watch, o.mixed(), function(p, t) return (p - t):square():mean(), (p - t) * (2 / p:numel()) end)
end)
case("evaluate, predict", training, function(o)
  return {o.net:evaluate(o.x, {loss = o.loss}), o.net:predict(o.x, {batch_size = 3})}
end)

-- ---- cases with files ----

-- Objects, and the path of a file that exists.
local function over(name, make)
  return function()
    local o = make()
    o.path = path_of(name)
    files.write(o.path, "what was there")
    return o
  end
end

local shapes = samples.shapes
case("idx.gz", function() return {} end, function()
  return assert(moon.data.idx(shapes .. "train-labels-idx1-ubyte.gz"))
end)
case("png encode, decode", tensors, function(o) return moon.png.decode(moon.png.encode(o.x)) end)
case("image.grid", tensors, function(o) return moon.image.grid(o.x, {shape = {2, 2}}) end)
case("core.file_write", over("text", training), function(o)
  return assert(core.file_write(o.path, {"a text", "", "more"}))
end)
case("core.file_rotate", function()
  local o = {file = path_of("rotated")}
  files.write(o.file, "a text")
  return o
end, function(o) return assert(core.file_rotate(o.file, 2)) end)
case("core.folder_list", function() return {} end, function()
  return assert(core.folder_list(shapes))
end)
case("core.picture_kind", function() return {} end, function()
  return assert(core.picture_kind(shapes .. "train-labels-idx1-ubyte.gz"))
end)
local pictures = path_of("pictures")
assert(os.execute(("mkdir -p '%s/a' '%s/b'"):format(pictures, pictures)))
assert(moon.png.write(pictures .. "/a/1.png", moon.rand(3, 4)))
assert(moon.png.write(pictures .. "/b/1.png", moon.rand(5, 4)))
case("data.images", function() return {} end, function()
  local x, info = assert(moon.data.images(pictures, {size = {2, 2}}))
  return {x, info.labels, info.names, info.classes}
end)
case("net:clone", training, function(o) return {o.net:clone():predict(o.x)} end)

-- Functions that take a path. A reader reads a sample, which is kept; a writer overwrites another file. Callbacks
-- train, and plots start a program.
for _, name in ipairs(paths.readers) do
  local entry, path = paths.entries[name], path_of(name)
  assert(paths.write_sample(entry, paths.objects(), path))
  case(name, paths.objects, function(o) return assert(entry.read(o, path)) end)
end
for _, name in ipairs(paths.names) do
  local entry = paths.entries[name]
  if entry.write and not entry.draws and not entry.raises then
    case(name, over(name, paths.objects), function(o) return assert(entry.write(o, o.path)) end)
  end
end

-- ---- the sweeps ----

local function nothing() end

-- The outcome of a case without refusals: its result, and all states in which it may stop, with the first and the last.
local function rehearse(c)
  local o = c.make()
  local want = {stops = {}, first = state_of(o)}
  want.stops[want.first] = true
  o = c.make() -- reading the moments has created them
  want.result = digest(c.act(o, nothing))
  want.last = state_of(o)
  want.stops[want.last] = true
  o = c.make()
  c.act(o, function() want.stops[state_of(o)] = true end)
  return want
end

-- Return what is wrong, or nil; and whether anything was refused.
local function try(c, want, door, first, width)
  local o = c.make()
  local refused, ok, result = host.attempt(door, first, width, c.act, o, nothing)
  local state = state_of(o)
  if not ok then
    if refused == 0 then return "failed without a refusal: " .. tostring(result), false end
    if type(result) ~= "string" or not result:find("memory", 1, true) then return tostring(result), true end
  elseif digest(result) ~= want.result or state ~= want.last then
    return "another result", refused > 0
  end
  if not want.stops[state] then return "an object has changed", refused > 0 end
  if ok or state ~= want.first then o = c.make() end -- else the random stream must be unchanged too
  if digest(c.act(o, nothing)) ~= want.result or state_of(o) ~= want.last then return "the next try differs", true end
  return nil, refused > 0
end

-- Bytes in use by the engine's objects.
local function held()
  collectgarbage()
  collectgarbage()
  return core.info().memory
end

local function sweep(c, door, width, stride)
  local want, k, points, wrong, more = rehearse(c), 1, 0, nil, true
  while more and not wrong do
    wrong, more = try(c, want, door, k, width)
    if more then points = points + 1 end
    host.check(not wrong, ("%s, %s call %d, %s: %s"):format(c.name, door, k, width == 0 and "forever" or width, wrong))
    k = k + stride
  end
  return points
end

-- The number of calls that a case makes at that door.
local function calls_of(c, door)
  local low, high = 0, 1
  while host.attempt(door, high, 1, c.act, c.make(), nothing) > 0 do low, high = high, high * 2 end
  while high - low > 1 do
    local middle = (low + high) // 2
    if host.attempt(door, middle, 1, c.act, c.make(), nothing) > 0 then low = middle else high = middle end
  end
  return low
end

-- The suite tries a sample of each case's points, spread evenly. The next run of the case starts at another point.
local sample = 12
local function stride_of(c, door) return host.full and 1 or calls_of(c, door) // sample + 1 end

core.rand(2, 2):matmul(core.rand(2, 2)) -- the context's first product through BLIS makes a table that stays

local total = 0
local function sweep_all(door)
  for _, c in ipairs(cases) do
    local began, points, before = os.clock(), {}, held()
    local stride = stride_of(c, door)
    for i, width in ipairs{1, 2, 0} do points[i] = sweep(c, door, width, stride) end
    host.check(held() == before, ("%s, %s: %d bytes leaked"):format(c.name, door, held() - before))
    total = total + points[1] + points[2] + points[3]
    if host.full then
      print(("  %-36s %-6s %7d once %7d twice %7d forever  %5.1f s"):format(c.name, door, points[1], points[2],
        points[3], os.clock() - began))
    end
  end
  collectgarbage()
end

sweep_all("lua")
if host.malloc then sweep_all("malloc") end
if host.full then print(("%d points refused"):format(total)) end
local made = {"text", "rotated", "rotated.1", "there", "there.1", "written", table.unpack(paths.names)}
for _, name in ipairs(made) do os.remove(path_of(name)) end
for _, name in ipairs{"/a/1.png", "/a", "/b/1.png", "/b", ""} do os.remove(pictures .. name) end

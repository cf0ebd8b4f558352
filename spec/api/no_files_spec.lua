-- The Lua library in restricted hosts: a core without files, no io, os or debug library, no standard descriptors.
-- engine/lua_host_test.c tests how a host in C gets such a core.
local core = require "moonglass.core"
local expect = dofile "spec/support/expect.lua"
local files = dofile "spec/support/files.lua"

local failure = expect.failure

-- The functions that a core opened without files lacks.
local file_functions = {
  "idx_load", "npy_load", "npy_save", "folder_list", "picture_kind", "png_read", "png_write",
  "safetensors_load", "safetensors_save", "load_net",
  "csv_open",
}

local function copy(t)
  local result = {}
  for k, v in pairs(t) do result[k] = v end
  return result
end

local function core_without_files()
  local c = copy(core)
  for _, name in ipairs(file_functions) do
    assert(core[name], name)
    c[name] = nil
  end
  function c.info()
    local info = core.info()
    info.files = false
    return info
  end
  return c
end

-- Globals without the named libraries.
local function world_without(...)
  local world = copy(_G)
  for _, name in ipairs{...} do world[name] = nil end
  world._G = world
  return world
end

-- The classes to whose methods, in tables of the core, the library adds its own.
local classes = {"moonglass.net", "moonglass.detector"}

-- Load the library again, with that core and those globals. restore() removes what it has put into the core's tables.
local function load_library(c, world)
  local before = {}
  for _, class in ipairs(classes) do
    before[class] = copy(core.methods[class])
    if not c.info().files then core.methods[class].save = nil end
  end
  local loaded = {["moonglass.core"] = c}
  world.package = {loaded = loaded}
  function world.require(name)
    if loaded[name] == nil then
      local path = assert(package.searchpath(name, package.path))
      loaded[name] = assert(loadfile(path, "t", world))(name, path)
    end
    return loaded[name]
  end
  local function restore()
    for class, known in pairs(before) do
      local methods = core.methods[class]
      for name in pairs(copy(methods)) do methods[name] = known[name] end
      for name, method in pairs(known) do methods[name] = method end
    end
  end
  local ok, moon = pcall(world.require, "moonglass")
  if ok then return moon, restore end
  restore()
  error(moon, 0)
end

-- Call body(moon, path) with that library and a temporary file; whatever happens, both are gone afterwards.
local function with_library(c, world, body)
  local moon, restore = load_library(c, world)
  local path = os.tmpname()
  local ok, message = pcall(body, moon, path)
  os.remove(path)
  restore()
  if not ok then error(message, 0) end
end

describe("a host without files", function()
  local moon, restore
  setup(function() moon, restore = load_library(core_without_files(), world_without("io", "os", "debug")) end)
  teardown(function() restore() end)

  it("builds, fits and predicts", function()
    local x = moon.rand(40, 9)
    local ae = moon.autoencoder.deep{input = 9, hidden = {8}, code = 4}
    local history = ae:fit(x, {
      loss = "mse", epochs = 30, validation_split = 0.2, optimizer = moon.adam{lr = 0.02},
      callbacks = {moon.callbacks.early_stopping{patience = 50}, moon.callbacks.cosine{epochs = 30}},
    })
    assert.is_true(history.loss[30] < history.loss[1])
    assert.equal(9, ae:predict(x):size(2))
    assert.equal(4, ae:encode(x):size(2))
    assert.near(ae:evaluate(x, {loss = "mse"}), moon.metrics.mse(ae:reconstruct(x), x), 1e-6)
    local bytes = moon.png.encode(moon.image.grid(x))
    assert.is_true(moon.png.decode(bytes) == moon.image.grid(x))
    assert.matches("\n237 parameters, ", tostring(ae:summary()))
  end)

  it("hands nets and tensors over as bytes", function()
    local x = moon.rand(3, 9)
    local ae = moon.autoencoder.plain{input = 9, hidden = 4}
    local again = assert(moon.load_bytes(ae:bytes()))
    assert.is_true(again:predict(x) == ae:predict(x) and again:encode(x) == ae:encode(x))
    assert.is_true(moon.safetensors.decode(moon.safetensors.encode{x = x}).x == x)
    assert.matches("^\8\8\18\9moonglass", moon.onnx.encode(ae))
  end)

  -- What is wrong with the result of a function that takes a path; nil if it is right.
  local function wrong(name, entry, o)
    local ok, result, message, code = pcall(entry.read or entry.write, o, "f")
    local text = tostring(ok and message or result)
    if ok and result ~= nil then return name .. " worked" end
    if ok and code ~= "I/O" then return ("%s: code %s"):format(name, tostring(code)) end
    if not ok and not entry.raises then return ("%s raised '%s'"):format(name, text) end
    if not text:find(": this host has opened Moonglass without files$") then return ("%s: '%s'"):format(name, text) end
  end

  it("gets nil, the reason and a code from functions that read or write files; callbacks raise it", function()
    local paths = dofile("spec/support/paths.lua")(moon)
    local list, o = {}, paths.objects()
    for _, name in ipairs(paths.names) do
      if not name:find("resumed") then list[#list + 1] = wrong(name, paths.entries[name], o) end -- needs a checkpoint
    end
    assert.equal("", table.concat(list, "\n"))
    assert.equal("data.idx: this host has opened Moonglass without files", select(2, moon.data.idx("f")))
    assert.equal("csv_logger: this host has opened Moonglass without files", failure(moon.callbacks.csv_logger, "f"))
  end)

  it("may ask for progress, and fit continues", function()
    local net = moon.sequential{moon.dense(3, 3)}
    for verbose = 0, 2 do
      assert.equal(1, net:fit(moon.rand(4, 3), {loss = "mse", verbose = verbose}).epochs)
    end
  end)
end)

describe("a host with files but without io", function()
  it("loads and saves nets; functions that need io say so", function()
    with_library(core, world_without("io", "os", "debug"), function(moon, path)
      local net = moon.sequential{moon.dense(3, 2)}
      local x = moon.rand(4, 3)
      assert.is_true(net:save(path))
      assert.is_true(moon.load(path):predict(x) == net:predict(x))
      assert.same({n = 3, nil, "data.mnist: this host has no io library", "I/O"},
        table.pack(moon.data.mnist("train")))
      assert.equal("csv_logger: this host has no io library", failure(moon.callbacks.csv_logger, path))
    end)
  end)
end)

-- A part that is loaded at its first use would be missing then: only moon.help and moon.show are.
describe("a host that takes require and package away once the library is loaded", function()
  it("exports, plots and letters pictures", function()
    local world = world_without()
    with_library(core, world, function(moon, path)
      world.require, world.package = nil, nil
      local net = moon.sequential{moon.dense(3, 2)}
      assert.is_true(moon.onnx.export(path, net))
      for kind, draw in pairs(moon.plot) do assert.matches("^plot." .. kind .. ": %l+ is ", failure(draw, 3)) end
      assert.equal(2, moon.image.grid(moon.rand(4, 9), {title = "four"}):rank())
      local layer = {forward = function(_, x) return x end, backward = function(_, dy) return dy end}
      local mixed = moon.sequential{moon.dense(3, 3), layer}
      assert.equal(1, #mixed:slice(1, 1))
    end)
  end)
end)

describe("the lines of a fit", function()
  local moon = require "moonglass"

  local function lines_of(verbose, log)
    local written = {}
    local before = io.stdout
    local sink = {write = function(_, text) written[#written + 1] = text end, flush = function() end}
    io.stdout = sink -- luacheck: ignore 122
    moon.set_log(log)
    local net = moon.sequential{moon.dense(3, 3)}
    local ok, message = pcall(net.fit, net, moon.rand(4, 3), {loss = "mse", epochs = 2, verbose = verbose})
    io.stdout = before -- luacheck: ignore 122
    moon.set_log(nil)
    assert.is_true(ok, message)
    return written
  end

  it("are not printed by default, with or without a log", function()
    local logged = {}
    assert.same({}, lines_of(nil))
    assert.same({}, lines_of(nil, function(line) logged[#logged + 1] = line end))
    assert.same({}, logged)
  end)

  it("go to standard output, or only to the log", function()
    assert.equal(2, #lines_of(2))
    for verbose = 1, 2 do
      local logged = {}
      assert.same({}, lines_of(verbose, function(line) logged[#logged + 1] = line end))
      assert.equal(2, #logged)
      assert.matches("^epoch 2/2  1 batches  loss %d", logged[2])
      assert.is_nil(logged[2]:find("[\r\n\27]"))
    end
    assert.equal("set_log: got 3, expected a function or nil", failure(moon.set_log, 3))
  end)
end)

describe("a process without standard descriptors", function()
  it("trains, saves and loads", function()
    local script, out = os.tmpname(), os.tmpname()
    local file = assert(io.open(script, "w"))
    assert(file:write([[
      local moon, out = require "moonglass", ...
      local x = moon.rand(32, 6)
      local ae = moon.autoencoder.plain{input = 6, hidden = 3}
      ae:fit(x, {loss = "mse", epochs = 2, verbose = 1})
      assert(ae:save(out))
      os.exit(assert(moon.load(out)):predict(x) == ae:predict(x) and 7 or 1, true)
    ]]))
    file:close()
    local lua = os.getenv("LUA") or "lua5.4"
    local _, how, status = os.execute(("%s %s %s <&- >&- 2>&-"):format(files.quote(lua), script, out))
    os.remove(script)
    os.remove(out)
    assert.same({"exit", 7}, {how, status})
  end)
end)

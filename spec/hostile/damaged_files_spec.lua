-- Hostile files and paths through Lua: loaders run no code; names are only data; a checkpoint with any bit flipped is
-- refused or read correctly; paths that are not files give nil, message, code. hostile_test.c tests the formats.
local files = dofile "spec/support/files.lua"
local lfs = require "lfs"
local moon = require "moonglass"
local paths = dofile("spec/support/paths.lua")(moon)

local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"

local folder, remove_folder

local function path_of(name) return folder .. "/" .. name end

local function make_folder() folder, remove_folder = files.folder() end

local hostile_names = {
  "../../x", "/etc/x", "__index", "__newindex", "__gc", "__close", "__metatable", "__name", "__mode", "__call", "_G",
  "_ENV", "os.exit()", "$(touch x)", "`touch x`", "%s%n", "%d", "a\nb", "", ".", "..", "require", "0", "-1", "nan",
}

-- ---- loading runs no code ----

local forbidden = {
  _G = {"load", "loadfile", "dofile", "loadstring", "require"},
  os = {"execute", "remove", "rename", "tmpname", "exit", "getenv", "setlocale"},
  io = {"open", "popen", "lines", "input", "output", "read", "write", "tmpfile"},
  package = {"loadlib", "searchpath"},
  debug = {"sethook", "setmetatable", "setupvalue", "setuservalue"},
}

-- Call f(...) while every function that runs code or opens files from Lua is replaced by one that records and raises.
local function without_code(f, ...)
  local saved, called = {}, {}
  for library, names in pairs(forbidden) do
    for _, name in ipairs(names) do
      saved[#saved + 1] = {_G[library], name, _G[library][name]}
      rawset(_G[library], name, function()
        called[#called + 1] = library .. "." .. name
        error("code was run: " .. name)
      end)
    end
  end
  local results = table.pack(pcall(f, ...))
  for _, entry in ipairs(saved) do rawset(entry[1], entry[2], entry[3]) end
  assert.same({}, called)
  assert(results[1], results[2])
  return table.unpack(results, 2, results.n)
end

local function trained_checkpoint(path, options)
  moon.seed(2)
  local net = moon.sequential{moon.dense(2, 1, {activation = "relu"}), moon.dense(1, 2)}
  options = options or {}
  options.callbacks = options.callbacks or {moon.callbacks.early_stopping{monitor = "loss", restore_best = true}}
  table.insert(options.callbacks, moon.callbacks.checkpoint(path))
  options.epochs, options.seed, options.loss, options.verbose = 1, 3, "mse", 0
  options.optimizer = options.optimizer or moon.sgd{momentum = 0.5}
  net:fit(moon.rand(4, 2), options)
end

describe("loading runs no code from #hostile", function()
  setup(make_folder)
  teardown(function() remove_folder() end)

  it("a good and a damaged net", function()
    local ae = moon.autoencoder.denoising{input = 4, hidden = 2, noise = moon.gaussian_noise(0.1)}
    assert(ae:save(path_of("net")))
    assert.truthy(without_code(moon.load, path_of("net")))
    assert.is_true(without_code(ae.load, ae, path_of("net")))
    local bytes = files.read(path_of("net"))
    for at = 1, #bytes, 7 do
      files.write(path_of("net"), bytes:sub(1, at - 1), string.char(bytes:byte(at) ~ 1), bytes:sub(at + 1))
      without_code(moon.load, path_of("net"))
    end
  end)

  it("a good and a damaged checkpoint", function()
    trained_checkpoint(path_of("checkpoint"))
    assert.truthy(without_code(moon.checkpoint.load, path_of("checkpoint")))
    local bytes = files.read(path_of("checkpoint"))
    for at = 1, #bytes, 7 do
      files.write(path_of("checkpoint"), bytes:sub(1, at - 1), string.char(bytes:byte(at) ~ 4), bytes:sub(at + 1))
      without_code(moon.checkpoint.load, path_of("checkpoint"))
    end
  end)

  -- Call f(name, entry, objects, bytes of its sample) for each reader of files.
  local function each_reader(f)
    for _, name in ipairs(paths.readers) do
      local entry, o = paths.entries[name], paths.objects()
      assert(paths.write_sample(entry, o, path_of "sample"))
      f(name, entry, o, files.read(path_of "sample"))
    end
  end

  it("good files, damaged files and files of code, in every reader", function()
    local tried = 0
    each_reader(function(name, entry, o, bytes)
      local path = path_of "file"
      local function read(content)
        files.write(path, content)
        return (without_code(entry.read, o, path))
      end
      local whole = read(bytes)
      assert(whole and (not entry.gives or entry.gives(whole)), name .. " reads something else")
      for at = 1, #bytes, 7 do read(bytes:sub(1, at - 1) .. string.char(bytes:byte(at) ~ 1) .. bytes:sub(at + 1)) end
      for _, code in ipairs{string.dump(function() os.exit(1) end), "os.exit(1)"} do
        assert.is_nil(read(code), name .. " takes a chunk of Lua")
      end
      tried = tried + 1
    end)
    assert.truthy(without_code(moon.png.decode, moon.png.encode(moon.zeros(2, 2))))
    assert.is_true(tried >= 7)
  end)

  it("files that are cut or have a bit flipped, which every reader reads or refuses without a leak", function()
    each_reader(function(name, entry, o, bytes)
      local path = path_of "file"
      local function try(content)
        files.write(path, content)
        local ok, result, message, code = pcall(entry.read, o, path)
        assert(ok, ("%s raised: %s"):format(name, result))
        local is_told = code == "format" and type(message) == "string" and message:find(path, 1, true)
        assert(result ~= nil or is_told, ("%s: code %s, %s"):format(name, code, message))
      end
      try(bytes)
      collectgarbage()
      local before, step = moon.info().memory, #bytes // 200 + 1
      for n = 0, #bytes - 1, step do try(bytes:sub(1, n)) end
      for at = 1, #bytes, step do
        try(bytes:sub(1, at - 1) .. string.char(bytes:byte(at) ~ 1 << at // step % 8) .. bytes:sub(at + 1))
      end
      collectgarbage()
      collectgarbage()
      assert(moon.info().memory <= before, name .. " holds memory")
    end)
  end)
end)

-- ---- names are only data ----

describe("names are only data: #hostile", function()
  local tree = lfs.currentdir()

  -- Two nested temporary folders, so that a name with ".." reaches only our files.
  setup(function()
    make_folder()
    for _, name in ipairs{"outer", "outer/inner"} do assert(lfs.mkdir(path_of(name))) end
    assert(lfs.chdir(path_of "outer/inner"))
  end)

  teardown(function()
    assert(lfs.chdir(tree))
    remove_folder()
  end)

  -- What a name could have changed.
  local function world()
    local names = {}
    for _, place in ipairs{".", "..", "../.."} do
      for name in lfs.dir(place) do names[#names + 1] = place .. "/" .. name end
    end
    table.sort(names)
    return {
      names = names, string_index = getmetatable("").__index == string, globals = moon ~= nil and _G.x,
      table_metatable = getmetatable({}), core = getmetatable(require "moonglass.core"),
    }
  end

  local function keeps(f)
    return function()
      files.write(path_of("a"), "")
      local before = world()
      f()
      collectgarbage()
      assert.same(before, world())
    end
  end

  it("of tensors and of metadata", keeps(function()
    local tensors, metadata = {}, {}
    for i, name in ipairs(hostile_names) do tensors[name], metadata[name] = moon.full(i, 2), "text " .. i end
    assert(moon.safetensors.save(path_of("a"), tensors, metadata))
    local read, texts = assert(moon.safetensors.load(path_of("a")))
    assert.is_nil(getmetatable(read))
    assert.is_nil(getmetatable(texts))
    for i, name in ipairs(hostile_names) do
      assert.equal(i, rawget(read, name):get(1))
      assert.equal("text " .. i, rawget(texts, name))
    end
    local count = 0
    for _ in pairs(read) do count = count + 1 end
    assert.equal(#hostile_names, count)
    assert.is_nil((moon.load(path_of("a"))))
    assert.is_nil((moon.checkpoint.load(path_of("a"))))
  end))

  it("of layers", keeps(function()
    for _, name in ipairs(hostile_names) do
      local net = moon.sequential{moon.dense(2, 2, {name = name})}
      assert(net:save(path_of("a")))
      local copy = assert(moon.load(path_of("a")))
      assert.equal(name ~= "" and name or nil, copy:layer(1).name)
      assert.is_string(tostring(copy))
    end
  end))

  -- A file of a net with one layer and this text as its architecture.
  local function load_architecture(text)
    assert(moon.safetensors.save(path_of("a"), {["0.weight"] = moon.zeros(2, 2), ["0.bias"] = moon.zeros(2)},
      {moonglass = text, checkpoint = "1", epoch = "0"}))
    local net, message, code = moon.load(path_of("a"))
    if not net then assert.equal("format", code) end
    local c, why = moon.checkpoint.load(path_of("a"))
    assert.equal(net ~= nil, c ~= nil)
    return net, message, why
  end

  local one = '{"version":1,"encoder":0,"layers":[{"kind":"%s","options":{"in":2,"out":2%s}}]}'

  it("of options, kinds and fields of the architecture", keeps(function()
    assert.truthy(load_architecture(one:format("dense", "")))
    for _, name in ipairs(hostile_names) do
      local quoted = name:gsub("\n", "\\n")
      local _, message = load_architecture(one:format("dense", (',"%s":1'):format(quoted)))
      assert.truthy(message:find("unknown option", 1, true), message)
      _, message = load_architecture(one:format(quoted, ""))
      assert.truthy(message:find("unknown layer", 1, true), message)
      for _, option in ipairs{"activation", "init", "activity_reduction"} do
        local net = load_architecture(one:format("dense", (',"%s":"%s"'):format(option, quoted)))
        assert.is_true(net == nil or name == "", option)
      end
    end
  end))

  it("of the state of callbacks and of the options of the optimizer", keeps(function()
    local remembering = {name = "__gc"}
    function remembering.snapshot()
      local values, tensors = {}, {}
      for i, name in ipairs(hostile_names) do
        if name ~= "" then values[name], tensors[name] = i % 2 == 0 and i or "'" .. name, moon.full(i, 1) end
      end
      return values, tensors
    end
    function remembering.restore() end
    trained_checkpoint(path_of("a"), {callbacks = {remembering}})
    local c = assert(moon.checkpoint.load(path_of("a")))
    local remembered = c.callbacks["__gc.1"]
    assert.is_nil(getmetatable(c.callbacks))
    assert.is_nil(getmetatable(remembered.values))
    for i, name in ipairs(hostile_names) do
      if name ~= "" then
        assert.equal(i % 2 == 0 and i or "'" .. name, rawget(remembered.values, name))
        assert.equal(i, rawget(remembered.tensors, name):get(1))
      end
    end
    local tensors, metadata = assert(moon.safetensors.load(path_of("a")))
    for _, name in ipairs(hostile_names) do
      if name ~= "" then
        metadata["opt.option." .. name] = "1"
        assert(moon.safetensors.save(path_of("a"), tensors, metadata))
        local none, message, code = moon.checkpoint.load(path_of("a"))
        assert.is_nil(none)
        assert.equal("format", code)
        assert.truthy(message:find("unknown option", 1, true), message)
        metadata["opt.option." .. name] = nil
        for _, key in ipairs{"opt.kind", "opt.steps", "epoch", "seed", "history.epochs"} do
          local was = metadata[key]
          metadata[key] = name
          assert(moon.safetensors.save(path_of("a"), tensors, metadata))
          none, message, code = moon.checkpoint.load(path_of("a"))
          -- "0" and "-1" are whole numbers.
          if none then assert.truthy(math.tointeger(tonumber(name)), key) else assert.equal("format", code, message) end
          metadata[key] = was
        end
      end
    end
  end))
end)

-- ---- checkpoints, bit by bit ----

-- Patterns of the entries with a meaning; others may be dropped.
local function is_known(key)
  if key == "epoch" or key == "seed" or key == "opt.kind" or key == "opt.steps" then return true end
  return key:find("^opt%.option%.") or key:find("^history%.") or key:find("^callback%.[%w_]+%.%d+%.")
end

local function same_text(a, b) return a == b or (tonumber(a) ~= nil and tonumber(a) == tonumber(b)) end

-- A checkpoint that was read has everything that its file has, and can be written.
local function expect_right(path, c)
  local tensors, metadata = assert(moon.safetensors.load(path))
  assert(moon.checkpoint.save(path, c))
  local again, texts = assert(moon.safetensors.load(path))
  -- Without the entry "opt.kind" there is no optimizer, and without "history.epochs" no history; then their other
  -- entries are dropped too. Lists and the state of callbacks are texts that are written anew.
  for key, text in pairs(metadata) do
    local orphan = key:find("^opt%.") and not c.opt or key:find("^history") and not c.history
    if is_known(key) and not orphan then
      local now = texts[key]
      assert(now, key .. " is lost")
      local rewritten = key:find("^history%.") or key:find("^callback")
      assert(rewritten or same_text(text, now), ("%s: %s became %s"):format(key, text, now))
    end
  end
  for name, t in pairs(tensors) do
    local now, orphan = again[name], name:find("^opt%.") and not c.opt or not name:find("^[%d]")
    assert(now or orphan, name .. " is lost")
    assert(not now or (t:ne(now) - t:ne(t)):sum() == 0, name)
  end
end

describe("a checkpoint #hostile", function()
  setup(make_folder)
  teardown(function() remove_folder() end)

  -- Saving waits for the disk; lazy skips that.
  local function try(bytes, lazy)
    local path = path_of("c")
    files.write(path, bytes)
    local c, message, code = moon.checkpoint.load(path)
    if c then
      if not lazy then expect_right(path, c) end
      return true
    end
    assert.equal("format", code)
    assert.truthy(message:find(path, 1, true))
    return false
  end

  it("that is cut at any byte is refused", function()
    trained_checkpoint(path_of("whole"))
    local bytes = files.read(path_of("whole"))
    assert.is_true(try(bytes))
    for n = 0, #bytes - 1 do assert.is_false(try(bytes:sub(1, n))) end
  end)

  it("with any bit flipped is refused or read correctly, without a leak", function()
    local bytes = files.read(path_of("whole"))
    collectgarbage()
    local before, taken, header = moon.info().memory, 0, 8 + ("<I8"):unpack(bytes)
    for at = 1, #bytes do
      for bit = 0, 7 do
        local flipped = bytes:sub(1, at - 1) .. string.char(bytes:byte(at) ~ 1 << bit) .. bytes:sub(at + 1)
        -- All bits of the data are alike, so every eighth is enough.
        if try(flipped, at > header and bit ~= at % 8) then taken = taken + 1 end
      end
    end
    collectgarbage()
    assert.is_true(moon.info().memory <= before)
    assert.is_true(taken < 8 * #bytes / 2, ("%d of %d bits were taken"):format(taken, 8 * #bytes))
  end)
end)

-- ---- paths ----

describe("a path that is not a regular file #hostile", function()
  setup(function()
    make_folder()
    files.write(path_of("plain"), "plain")
    assert(lfs.mkdir(path_of("folder")))
    assert(os.execute(("mkfifo '%s'"):format(path_of("fifo"))))
    for to, from in pairs{to_fifo = "fifo", dangling = "nowhere/x", itself = "itself", circle_1 = "circle_2",
      circle_2 = "circle_1", zero = "/dev/zero", full = "/dev/full"} do
      assert(lfs.link(from, path_of(to), true))
    end
  end)
  teardown(function() remove_folder() end)

  it("gives nil, message, code in every loader and saver, without waiting", function()
    local output, errors, status = files.run(
      ("timeout 100 %s spec/hostile/paths.lua '%s'"):format(files.quote(program), folder))
    assert.equal(0, status, errors .. output:sub(-500))
    local wrong, right = {}, 0
    for line in output:gmatch("[^\n]+") do
      if line:find("^ok ") then right = right + 1 else wrong[#wrong + 1] = line end
    end
    assert.same({}, wrong)
    assert.is_true(right > 230, right .. " were tried")
  end)
end)

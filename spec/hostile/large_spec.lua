-- Large data: plain IDX files of bytes, NPY files and safetensors of bytes or float32 are mapped, not copied, and nets
-- train on them as on any other tensor.
local lfs = require "lfs"
local moon = require "moonglass"

local shapes = "spec/fixtures/shapes"
local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"
local pixels = 784

local disk = dofile "spec/support/files.lua"
local read_file, write_file = disk.read, disk.write

local function header(rows) return string.pack(">I4I4I4", 0x802, rows, pixels) end

-- Rows of noise, the same in each call.
local function noise(rows)
  math.randomseed(5)
  local list = {}
  for i = 1, rows * pixels // 8 do list[i] = string.pack("i8", math.random(0)) end
  return table.concat(list)
end

-- Files of less than 1 MB are copied; this one has 2.4 MB.
local some = 3000
local bytes = noise(some)

local function held() return moon.info().memory end

local function collect()
  collectgarbage()
  collectgarbage()
end

-- The same rows in the engine's memory: read from a gzip file.
local function copied(path)
  assert(os.execute(("gzip -1 -c '%s' >'%s.gz'"):format(path, path)))
  local before = held()
  local x = assert(moon.data.idx(path .. ".gz"))
  os.remove(path .. ".gz")
  assert.is_true(held() - before >= x:numel())
  return x
end

local function train(x, y)
  moon.seed(3)
  local net = moon.sequential{
    moon.dense(pixels, 16, {activation = "relu"}), moon.dense(16, pixels, {activation = "sigmoid"}),
  }
  local history = net:fit(x, y or x, {loss = "bce", epochs = 2, batch_size = 100, seed = 9})
  return net, history.loss[2]
end

local function assert_trains_alike(x, y)
  local a, a_loss = train(x)
  local b, b_loss = train(y)
  assert.equal(a_loss, b_loss)
  for i, p in ipairs(a:parameters()) do assert.is_true(p.value:equal(b:parameters()[i].value), p.name) end
  assert.is_true(a:predict(x):equal(b:predict(y)))
  assert.equal(a:evaluate(x), b:evaluate(y))
end

local path

-- By how many bytes the memory of a program has grown, by a field of /proc/self/status, since its code set `before` to
-- resident().
local function growth(field, code)
  local script = path .. ".lua"
  write_file(script, ([[
    local moon = require "moonglass"
    local function resident()
      local file = io.open "/proc/self/status"
      return file and tonumber(file:read("a"):match(%q)) or 0
    end
  ]]):format(field .. ":%s*(%d+)") .. code .. "\nprint((resident() - before) * 1024 // 1)\n")
  local pipe = assert(io.popen(("%s '%s' 2>&1"):format(disk.quote(program), script)))
  local output = pipe:read("a")
  pipe:close()
  os.remove(script)
  return assert(tonumber(output), output)
end

before_each(function()
  path = os.tmpname()
  write_file(path, header(some), bytes)
end)

after_each(function() os.remove(path) end)

describe("a plain IDX file of bytes", function()
  it("does not count against the memory limit, and has the bytes of the file", function()
    collect()
    local before = held()
    local x = assert(moon.data.idx(path))
    assert.is_true(held() - before < 2000)
    assert.same({some, pixels}, x.shape)
    assert.equal("uint8", x.dtype)
    for _, i in ipairs{1, 4000, #bytes} do
      assert.equal(bytes:byte(i), x:get((i - 1) // pixels + 1, (i - 1) % pixels + 1))
    end
    assert.is_true(x:equal(copied(path)))
  end)

  it("loads under a memory limit smaller than its size", function()
    collect()
    moon.limits{memory = held() + 500000}
    local x, problem = moon.data.idx(path)
    moon.limits{memory = 0}
    assert.is_truthy(x, problem)
    assert.same({some, pixels}, x.shape)
  end)

  it("leaks nothing when memory runs out", function()
    local files = lfs.attributes("/proc/self/fd", "mode") and function()
      local n = 0
      for _ in lfs.dir("/proc/self/fd") do n = n + 1 end
      return n
    end or function() return 0 end
    collect()
    local before, open, failures = held(), files(), 0
    for more = 1, 2000, 8 do
      moon.limits{memory = before + more}
      local ok, x = pcall(moon.data.idx, path)
      moon.limits{memory = 0}
      if ok and x then break end
      failures = failures + 1
      assert.equal(before, held())
      assert.equal(open, files())
    end
    assert.is_true(failures > 3 and failures < 200)
  end)

  it("is copied when it is small or has another element type", function()
    write_file(path, header(100), bytes:sub(1, 100 * pixels))
    collect()
    local before = held()
    local x = assert(moon.data.idx(path))
    assert.is_true(held() - before >= 100 * pixels)
    assert.same({100, pixels}, x.shape)
    write_file(path, string.pack(">I4I4I4", 0xB02, some // 2, pixels), bytes)
    x = assert(moon.data.idx(path))
    assert.equal("float32", x.dtype)
    assert.equal((string.unpack(">i2", bytes, 11)), x[1][6])
  end)

  it("is not changed by writing to the tensor", function()
    local x = assert(moon.data.idx(path))
    local other = assert(moon.data.idx(path))
    x[1][1] = (bytes:byte(1) + 1) % 256
    x:rows(2, some):fill_(7)
    assert.equal((bytes:byte(1) + 1) % 256, x[1][1])
    assert.equal(7, x:get(some, pixels))
    assert.equal(bytes:byte(1), other[1][1])
    assert.equal(bytes:byte(-1), other:get(some, pixels))
    x, other = nil, nil -- luacheck: ignore 311
    collect()
    assert.is_true(read_file(path) == header(some) .. bytes)
  end)

  it("can be used after its file and the first tensor are gone", function()
    local row = assert(moon.data.idx(path)):rows(some, some)
    os.remove(path)
    write_file(path, "another file of this name")
    collect()
    assert.same({bytes:byte(-pixels, -1)}, row:reshape(pixels):totable())
  end)

  it("gives the same trained bits as a copy", function()
    local x = assert(moon.data.idx(path))
    assert_trains_alike(x, copied(path))
  end)

  it("is refused when header and size differ", function()
    local function refused(part, ...)
      write_file(path, ...)
      local x, problem, code = moon.data.idx(path)
      assert.is_nil(x)
      assert.equal("format", code)
      assert.is_truthy(problem:find(part, 1, true), problem)
    end
    refused("truncated: header promises 2352784 bytes of data, the file holds 2352000", header(some + 1), bytes)
    refused("trailing bytes: header promises 2351216 bytes of data, the file holds 2352000", header(some - 1), bytes)
    refused("not an IDX file", "\1\1\1\1", bytes)
  end)
end)

-- A sparse file of 300 MB: it has few rows and takes little space on the disk.
describe("NPY and safetensors files", function()
  -- 2.4 MB of bytes, 9.4 MB of floats; the floats of safetensors behind another tensor.
  local picture = moon.tensor({1, 2, 3}, {dtype = "uint8"})
  local function values() return moon.data.idx(path):float() / 255 end

  local function load_npy() return moon.data.npy(path) end
  local function load_safetensors() return assert(moon.safetensors.load(path)).x end
  local files = {
    {"NPY of float32", function(x) return moon.npy.save(path, x) end, load_npy},
    {"NPY of bytes", function(x) return moon.npy.save(path, (x * 255):byte()) end, load_npy},
    {"safetensors of float32", function(x)
      return moon.safetensors.save(path, {first = moon.rand(33), picture = picture, x = x})
    end, load_safetensors},
    {"safetensors of bytes", function(x)
      return moon.safetensors.save(path, {first = moon.rand(33), picture = picture, x = (x * 255):byte()})
    end, load_safetensors},
  }

  for _, case in ipairs(files) do
    local name, save, load = table.unpack(case)

    it(name .. ": do not count as memory, and train as a copy of them", function()
      assert(save(values()))
      collect()
      local before = held()
      local x = assert(load())
      assert.is_true(held() - before < 20000)
      assert.same({some, pixels}, x.shape)
      assert_trains_alike(x, x:clone())
    end)

    it(name .. ": writing changes memory only, and the file may be replaced", function()
      assert(save(values()))
      local on_disk = read_file(path)
      local x = assert(load())
      local copy = x:clone()
      copy:set(1, 1, 1)
      x:set(1, 1, 1)
      assert.equal(on_disk, read_file(path))
      assert(moon.npy.save(path, moon.zeros(some, pixels)))
      assert.is_true(x == copy)
    end)
  end

  it("a changed bit in a mapped tensor of ours is found by its checksum", function()
    assert(moon.safetensors.save(path, {x = values()}))
    local whole = read_file(path)
    for _, at in ipairs{#whole, #whole // 2} do
      write_file(path, whole:sub(1, at - 1) .. string.char(whole:byte(at) ~ 1) .. whole:sub(at + 1))
      collect()
      local before = held()
      local x, problem, code = moon.safetensors.load(path)
      assert.is_nil(x)
      assert.equal("format", code)
      assert.is_truthy(problem:find("damaged: the checksum of tensor 'x'", 1, true), problem)
      collect()
      assert.is_true(held() <= before)
    end
  end)

  it("floats that are not at a multiple of four bytes are copied", function()
    local x = moon.rand(600, 600)
    assert(moon.npy.save(path, x))
    local data = read_file(path):sub(129)
    local text = "{'descr': '<f4', 'fortran_order': False, 'shape': (600, 600), }\n"
    write_file(path, "\x93NUMPY\1\0" .. ("<s2"):pack(text .. (" "):rep(-(#text + 10) % 4 + 1)) .. data)
    collect()
    local before = held()
    local y = assert(moon.data.npy(path))
    assert.is_true(held() - before >= 600 * 600 * 4)
    assert.is_true(x == y)
  end)
end)

describe("a file of 256 MB and more", function()
  local rows, every = 400000, 1000

  before_each(function()
    local file = assert(io.open(path, "wb"))
    assert(file:write(header(rows)))
    for i = 0, rows // every - 1 do
      assert(file:seek("set", 12 + i * every * pixels))
      assert(file:write(bytes:sub(i * pixels + 1, (i + 1) * pixels)))
    end
    assert(file:seek("set", 12 + rows * pixels - 1))
    assert(file:write("\9"))
    file:close()
  end)

  it("gives the same rows as memory, after writes too", function()
    local x = assert(moon.data.idx(path))
    local part = x:rows(1, 2500)
    assert.equal(bytes:byte(pixels + 1), part[every + 1][1])
    assert_trains_alike(part, part:clone())
    part[3]:fill_(200)
    part[every + 1][5] = 100
    x:rows(rows - 1, rows):fill_(50)
    assert_trains_alike(part, part:clone())
    local last = x:rows(rows - 300, rows)
    assert.equal(50, last:get(301, pixels))
    assert_trains_alike(last, last:clone())
  end)

  it("gives wide rows, and rows to several worker threads", function()
    local x = assert(moon.data.idx(path))
    local wide = x:rows(1, 1000):reshape(100, 7840)
    local net = moon.sequential{moon.dense(7840, 3)}
    assert.is_true(net:predict(wide):equal(net:predict(wide:clone())))
    moon.set_threads(3)
    local part = x:rows(999, 2500)
    local ok, problem = pcall(assert_trains_alike, part, part:clone())
    moon.set_threads(1)
    assert(ok, problem)
  end)

  it("does not become resident while a net trains on it", function()
    local grown = growth("VmRSS", ([[
      local x = assert(moon.data.idx(%q))
      local net = moon.sequential{moon.dense(784, 8), moon.dense(8, 784, {activation = "sigmoid"})}
      local few = x:rows(1, 1000)
      net:fit(few, few, {loss = "bce", batch_size = 100})
      local before = resident()
      net:fit(x, x, {loss = "bce", batch_size = 100, epochs = 1,
        callbacks = {{on_batch_end = function(_, state) state.stop = state.batch == 400 end}}})
    ]]):format(path))
    -- The order of 400000 rows takes 1.6 MB; 40000 rows were read.
    assert.is_true(grown < 16e6, grown)
  end)
end)

-- A sparse NPY file of 320 MB, of float32 in C order: a row of 100 numbers each 1000 rows, and zeros.
describe("an NPY file of 256 MB and more", function()
  local rows, width, every = 800000, 100, 1000
  local drawn

  before_each(function()
    moon.seed(4)
    drawn = moon.rand(rows // every, width)
    local text = ("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }"):format(rows, width)
    local begin = "\x93NUMPY\1\0" .. string.pack("<s2", text .. (" "):rep(-(#text + 11) % 64) .. "\n")
    local file = assert(io.open(path, "wb"))
    assert(file:write(begin))
    for i = 1, #drawn do
      assert(file:seek("set", #begin + (i - 1) * every * width * 4))
      assert(file:write(string.pack("<" .. ("f"):rep(width), table.unpack(drawn[i]:totable()))))
    end
    assert(file:seek("set", #begin + rows * width * 4 - 1))
    assert(file:write("\0"))
    file:close()
  end)

  local function assert_same_training(a, b)
    for threads = 1, 3, 2 do
      local nets = {}
      for i, x in ipairs{a, b} do
        moon.seed(3)
        nets[i] = moon.autoencoder.plain{input = x:size(2), hidden = 4}
        nets[i]:fit(x, {loss = "bce", batch_size = 60, seed = 9, threads = threads})
      end
      for i, p in ipairs(nets[1]:parameters()) do
        assert.is_true(p.value:equal(nets[2]:parameters()[i].value), p.name)
      end
      assert.equal(nets[1]:evaluate(a), nets[1]:evaluate(b))
      assert.is_true(nets[1]:predict(a):equal(nets[1]:predict(b)))
      assert.is_true(nets[1]:errors(a):equal(nets[1]:errors(b)))
    end
  end

  it("gives the same rows and windows as memory, after writes too", function()
    local part = assert(moon.data.npy(path)):rows(1, 2500)
    assert.is_true(part:rows(every + 1, every + 1):equal(drawn:rows(2, 2)))
    assert_same_training(part, part:clone())
    part[3]:fill_(0.5)
    part[every + 1][5] = 0.25
    assert_same_training(part, part:clone())
    assert_same_training(part:windows(3, 2), part:clone():windows(3, 2))
  end)

  it("does not become resident while a net trains on it, evaluates and predicts", function()
    local grown = growth("VmHWM", ([[
      local x = assert(moon.data.npy(%q))
      local net = moon.autoencoder.plain{input = 400, hidden = 4}
      local w = x:windows(4)
      net:fit(w:rows(1, 1000), {loss = "bce", batch_size = 100})
      net:errors(w:rows(1, 20000))
      local before = resident()
      net:fit(w, {batch_size = 100, callbacks = {{on_batch_end = function(_, s) s.stop = s.batch == 400 end}}})
      local some = w:rows(200001, 300000)
      net:evaluate(some)
      net:errors(some)
    ]]):format(path))
    -- The order of 800000 rows takes 3.2 MB; 140 MB of the file were read.
    assert.is_true(grown < 24e6, grown)
  end)
end)

describe("scripts/large.lua", function()
  local function run(arguments)
    local command = ("%s scripts/large.lua --data %s %s 2>&1"):format(disk.quote(program), shapes, arguments)
    local pipe = assert(io.popen(command))
    local output = pipe:read("a")
    local _, _, status = pipe:close()
    return output, status
  end

  local function has(text, part)
    assert.is_truthy(text:find(part, 1, true), ("expected %q in:\n%s"):format(part, text))
  end

  it("makes a data set, trains on it and removes it", function()
    os.remove(path)
    local output, status = run(("--gigabytes 0.004 --steps 25 --every 0 --file %s"):format(path))
    assert.equal(0, status, output)
    has(output, "5102 images of 784 pixels; memory held by Moonglass: 0.")
    has(output, "step 25  loss ")
    assert.is_nil(output:find("step 26", 1, true))
    has(output, "for a file of 4 MB")
    assert.is_nil(lfs.attributes(path, "mode"))
  end)

  it("keeps the file with --keep and uses an existing file", function()
    os.remove(path)
    local output, status = run(("--gigabytes 0.002 --steps 2 --keep --file %s"):format(path))
    assert.equal(0, status, output)
    assert.same({2551, 28, 28}, assert(moon.data.idx(path)).shape)
    output, status = run(("--in-order --epochs 2 --threads 2 --file %s"):format(path))
    assert.equal(0, status, output)
    has(output, "using " .. path)
    assert.equal("file", lfs.attributes(path, "mode"))
  end)

  it("trains on rows and on windows of an NPY file", function()
    os.remove(path)
    local output, status = run(("--format npy --width 10 --gigabytes 0.002 --steps 9 --keep --file %s"):format(path))
    assert.equal(0, status, output)
    has(output, "50000 rows of 10 numbers; memory held by Moonglass: 0.0 MB")
    has(output, "step 9  loss ")
    output, status = run(("--format npy --window 5 --file %s"):format(path))
    assert.equal(0, status, output)
    has(output, "10000 rows of 50 numbers")
  end)

  it("reports a mistake in one line", function()
    local output, status = run("--gigabytes 0")
    assert.equal(2, status)
    has(output, "large: ")
    has(output, "'0' is not a number of 0.0001 to 3000")
    output, status = run("--gigabytes 0.001 --file /nowhere/at/all")
    assert.equal(1, status)
    has(output, "large: ")
    write_file(path, "no IDX file")
    output, status = run("--file " .. path)
    assert.equal(1, status)
    has(output, "not an IDX file")
    assert.equal("no IDX file", read_file(path))
  end)

  it("prints its options with --help", function()
    local output, status = run("--help")
    assert.equal(0, status)
    for _, name in ipairs{"gigabytes", "epochs", "steps", "batch", "threads", "file", "keep", "in-order", "format",
      "width", "window"} do
      has(output, "--" .. name)
    end
  end)
end)

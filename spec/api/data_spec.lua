-- moon.data: where it looks for MNIST, damaged data sets, data/fetch.sh with local mirrors, the synthetic sets.
local lfs = require "lfs"
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"

local message, has = expect.raised, expect.has

local shapes = "spec/fixtures/shapes"
local images_name, labels_name = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"

local disk = dofile "spec/support/files.lua"
local known = dofile "spec/support/known.lua"
local read_file, write_file = disk.read, disk.write

local function images_file(n, h, w, bytes)
  return string.pack(">I4I4I4I4", 0x803, n, h, w) .. (bytes or ("\7"):rep(n * h * w))
end

local function labels_file(n) return string.pack(">I4I4", 0x801, n) .. ("\3"):rep(n) end

-- test(dir) in a new folder with the given test files, which is removed afterwards.
local function with_folder(files, test)
  local dir = os.tmpname()
  os.remove(dir)
  assert(lfs.mkdir(dir))
  for name, text in pairs(files) do write_file(dir .. "/" .. name, text) end
  local ok, problem = pcall(test, dir)
  for name in lfs.dir(dir) do os.remove(dir .. "/" .. name) end
  lfs.rmdir(dir)
  assert(ok, problem)
end

describe("data.mnist", function()
  it("reads gzipped and plain files", function()
    local x, y = assert(moon.data.mnist(shapes, "train"))
    assert.same({40, 784}, x.shape)
    assert.same({40}, y.shape)
    assert.equal("uint8", x.dtype)
    assert.equal("uint8", y.dtype)
    assert.same({0, 1, 2, 3, 4, 0}, y:rows(1, 6):totable())
    x, y = assert(moon.data.mnist(shapes, "test"))
    assert.same({20, 784}, x.shape)
    assert.same({20}, y.shape)
  end)

  it("gives the bytes of the file, one row per image", function()
    local x = assert(moon.data.mnist(shapes, "test"))
    local bytes = read_file(shapes .. "/" .. images_name):sub(17)
    for _, i in ipairs{1, 15 * 28 + 14, 784} do
      assert.equal(bytes:byte(i), x[1][i])
      assert.equal(bytes:byte(19 * 784 + i), x[20][i])
    end
  end)

  it("accepts file names made by unpackers", function()
    local images, labels = images_file(3, 2, 2), labels_file(3)
    with_folder({["t10k-images.idx3-ubyte"] = images, ["t10k-labels.idx1-ubyte"] = labels}, function(dir)
      local x, y = assert(moon.data.mnist(dir, "test"))
      assert.same({3, 4}, x.shape)
      assert.same({3, 3, 3}, y:totable())
    end)
    for _, name in ipairs{"t10k-images.idx3-ubyte", "t10k-images-idx3-ubyte"} do -- in a folder with the file's name
      with_folder({["t10k-labels-idx1-ubyte"] = labels}, function(dir)
        local inner = dir .. "/t10k-images-idx3-ubyte"
        lfs.mkdir(inner)
        write_file(inner .. "/" .. name, images)
        local x = assert(moon.data.mnist(dir, "test"))
        os.remove(inner .. "/" .. name)
        assert.same({3, 4}, x.shape)
      end)
    end
  end)

  it("names a page for EMNIST, whose code reads it", function()
    local text = read_file("data/README.md"):match("```lua\n(.-)```")
    local images_of, labels_of = assert(load(text .. "return emnist_images, emnist_labels"))()
    local bytes = string.pack(">I4I4I4I4", 0x803, 2, 2, 2) .. "abcdefgh"
    with_folder({
      ["emnist-letters-test-images-idx3-ubyte"] = bytes, ["emnist-letters-test-labels-idx1-ubyte"] = labels_file(2),
    }, function(dir)
      local x, problem, code = moon.data.mnist(dir, "test")
      assert.is_nil(x)
      assert.equal("I/O", code)
      has(problem, "it has emnist-letters-test-images-idx3-ubyte; EMNIST's pictures are transposed, and its letters "
        .. "count from 1: read them by moon.data.idx, as data/README.md shows")
      local images = images_of(dir .. "/emnist-letters-test-images-idx3-ubyte")
      assert.equal("uint8", images.dtype)
      assert.same({{97, 99, 98, 100}, {101, 103, 102, 104}}, images:totable())
      assert.same({2, 2}, labels_of(dir .. "/emnist-letters-test-labels-idx1-ubyte", 1):totable())
    end)
  end)

  it("takes only the split", function()
    assert.has_no_error(function() moon.data.mnist("train") end)
    has(message(moon.data.mnist, "valid"), "data.mnist: split is 'valid' (known: test, train; a folder stands before")
    has(message(moon.data.mnist, shapes, "valid"), "split is 'valid' (known: test, train; a folder stands before it)")
    has(message(moon.data.mnist, 7, "test"), "folder is 7, expected the name of a folder")
  end)

  it("reads images of other sizes", function()
    with_folder({[images_name] = images_file(3, 4, 5), [labels_name] = labels_file(3)}, function(dir)
      assert.same({3, 20}, assert(moon.data.mnist(dir, "test")).shape)
    end)
  end)

  it("says which file is missing, where, and how to get it", function()
    with_folder({[images_name] = images_file(3, 4, 5)}, function(dir)
      local x, problem, code = moon.data.mnist(dir, "test")
      assert.is_nil(x)
      assert.equal("I/O", code)
      has(problem, "no readable t10k-labels-idx1-ubyte, plain or .gz, in " .. dir)
      has(problem, "data/fetch.sh")
      has(problem, "dataset-fashion-mnist")
      has(select(2, moon.data.mnist(dir, "train")), "train-images-idx3-ubyte")
    end)
    has(select(2, moon.data.mnist("/nowhere", "test")), "in /nowhere")
  end)

  -- A folder with these files is refused as a bad file, and the message has the part.
  local function refuses(content, part)
    with_folder(content, function(dir)
      local x, problem, code = moon.data.mnist(dir, "test")
      assert.is_nil(x)
      assert.equal("format", code)
      has(problem, part)
    end)
  end

  it("passes on the reader's message about a bad file", function()
    refuses({[images_name] = "no IDX file at all", [labels_name] = labels_file(3)}, images_name)
    refuses({[images_name] = images_file(3, 4, 5, "\1\2\3"), [labels_name] = labels_file(3)}, images_name)
    refuses({[images_name] = images_file(3, 4, 5), [labels_name] = labels_file(3):sub(1, -2)}, labels_name)
  end)

  it("rejects a truncated gzip file", function()
    local whole = read_file(shapes .. "/train-images-idx3-ubyte.gz")
    refuses({[images_name .. ".gz"] = whole:sub(1, #whole // 2), [labels_name] = labels_file(40)}, images_name)
  end)

  it("rejects files that are not images with labels", function()
    local function problem_with(images, labels)
      local result
      with_folder({[images_name] = images, [labels_name] = labels}, function(dir)
        local x, problem, code = moon.data.mnist(dir, "test")
        assert.is_nil(x)
        assert.equal("format", code)
        result = problem
      end)
      return result
    end
    has(problem_with(labels_file(3), labels_file(3)), "holds [3] uint8, expected images [n x height x width] uint8")
    has(problem_with(images_file(3, 2, 2), images_file(3, 2, 2)), "expected a label for each of the 3 images")
    has(problem_with(images_file(3, 2, 2), labels_file(4)), "holds [4] uint8, expected a label for each")
    has(problem_with(images_file(0, 28, 28), labels_file(0)), "holds [0 x 28 x 28] uint8")
    local int16 = string.pack(">I4I4I4I4", 0xB03, 1, 1, 1) .. "\0\1"
    has(problem_with(int16, labels_file(1)), "holds [1 x 1 x 1], expected images")
  end)
end)

describe("data.find", function()
  it("describes the set in a given folder", function()
    local dir, description = assert(moon.data.find(shapes))
    assert.equal(shapes, dir)
    assert.equal("a set in MNIST's format in " .. shapes, description)
  end)

  it("knows MNIST and Fashion-MNIST by their first test labels", function()
    local sets = {
      ["MNIST"] = {7, 2, 1, 0, 4, 1, 4, 9, 5, 9}, ["Fashion-MNIST"] = {9, 2, 1, 1, 6, 1, 4, 6, 5, 7},
    }
    for name, labels in pairs(sets) do
      with_folder({
        [images_name] = "", ["train-images-idx3-ubyte"] = "", ["train-labels-idx1-ubyte"] = "",
        [labels_name] = string.pack(">I4I4", 0x801, 10) .. string.char(table.unpack(labels)),
      }, function(dir)
        assert.equal(name .. " in " .. dir, (select(2, assert(moon.data.find(dir)))))
      end)
    end
  end)

  it("needs all four files", function()
    with_folder({[images_name] = images_file(3, 4, 5), [labels_name] = labels_file(3)}, function(dir)
      local found, problem, code = moon.data.find(dir)
      assert.is_nil(found)
      assert.equal("I/O", code)
      has(problem, "train-images-idx3-ubyte")
    end)
  end)

  -- In a separate program, because it depends on the environment and the current folder.
  local function find(cwd, environment)
    local here = lfs.currentdir()
    local code = 'print(select(2, require "moonglass".data.find()))'
    local path = os.getenv("LUA_PATH_5_4") or here .. "/lua/?.lua;" .. here .. "/lua/?/init.lua;;"
    local cpath = os.getenv("LUA_CPATH_5_4") or here .. "/build/lib/?.so;;"
    local lua = os.getenv("LUA") or "lua5.4"
    local command = ("cd '%s' && env -u MOONGLASS_DATA LUA_PATH_5_4=%s LUA_CPATH_5_4=%s %s %s -e '%s' 2>&1")
      :format(cwd, disk.quote(path), disk.quote(cpath), environment or "", disk.quote(lua), code)
    local pipe = assert(io.popen(command))
    local text = pipe:read("a")
    pipe:close()
    return (text:gsub("\n$", ""))
  end

  it("uses MOONGLASS_DATA only, if it is set", function()
    local absolute = lfs.currentdir() .. "/" .. shapes
    assert.equal("a set in MNIST's format in " .. absolute, find("/", ("MOONGLASS_DATA='%s'"):format(absolute)))
    has(find("/", "MOONGLASS_DATA=/nowhere"), "in /nowhere (from MOONGLASS_DATA): run data/fetch.sh")
  end)

  it("finds only the named set, and lists the searched places", function()
    with_folder({}, function(dir)
      local names = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", images_name, labels_name}
      local label_bytes = {7, 2, 1, 0, 4, 1, 4, 9, 5, 9} -- the first test labels of MNIST
      for i = 11, 20 do label_bytes[i] = 0 end
      for _, name in ipairs(names) do write_file(dir .. "/" .. name, read_file(shapes .. "/" .. name)) end
      write_file(dir .. "/" .. labels_name, string.pack(">I4I4", 0x801, 20), string.char(table.unpack(label_bytes)))
      assert.same({dir, "MNIST in " .. dir}, {moon.data.find(dir, "MNIST")})
      assert.equal("0 1 2 3 4 5 6 7 8 9", table.concat(moon.data.classes(dir), " "))
      local found, problem, code = moon.data.find(dir, "Fashion-MNIST")
      assert.same({nil, "I/O"}, {found, code})
      has(problem, ("data.find: Fashion-MNIST is not in %s (it has MNIST): install Debian's package "):format(dir))
      for _, name in ipairs(names) do os.remove(dir .. "/" .. name) end
    end)
    has(select(2, moon.data.find(shapes, "MNIST")), "(it has a set in MNIST's format)")
    has(select(2, moon.data.find("/nowhere", "MNIST")),
      "MNIST is not in /nowhere (not all files are there): run data/fetch.sh, or name a")
    assert.is_nil(moon.data.classes(shapes))
    assert.is_nil(moon.data.classes("/nowhere"))
    assert.has_error(function() moon.data.find(nil, "mnist") end,
      "data.find: name is 'mnist'; did you mean 'MNIST'? (known: Fashion-MNIST, MNIST)")
  end)

  it("takes data/mnist below the current folder, unless it is incomplete", function()
    with_folder({}, function(dir)
      local inner = dir .. "/data/mnist"
      assert(lfs.mkdir(dir .. "/data") and lfs.mkdir(inner))
      local names = {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", images_name, labels_name}
      local ok, problem = pcall(function()
        for _, name in ipairs(names) do write_file(inner .. "/" .. name, read_file(shapes .. "/" .. name)) end
        assert.equal("a set in MNIST's format in data/mnist", find(dir))
        os.remove(inner .. "/" .. labels_name)
        has(find(dir), "no readable t10k-labels-idx1-ubyte, plain or .gz, in data/mnist")
      end)
      for _, name in ipairs(names) do os.remove(inner .. "/" .. name) end
      lfs.rmdir(inner)
      lfs.rmdir(dir .. "/data")
      assert(ok, problem)
    end)
  end)
end)

describe("data/fetch.sh", function()
  local function fetch(arguments)
    local pipe = assert(io.popen(("sh data/fetch.sh %s 2>&1"):format(arguments)))
    local text = pipe:read("a")
    return text, select(3, pipe:close())
  end

  it("keeps no file that has the wrong sum, is not gzipped or is missing", function()
    with_folder({}, function(mirror)
      local gz = "train-images-idx3-ubyte.gz"
      local cases = {
        {"train-images-idx3-ubyte: not from file://" .. mirror}, {"is not a gzip file", "no gzip"},
        {"has the wrong SHA-256 sum", read_file(shapes .. "/" .. gz)},
      }
      for _, case in ipairs(cases) do
        if case[2] then write_file(mirror .. "/" .. gz, case[2]) end
        with_folder({}, function(dir)
          local text, status = fetch(("--mirror file://%s %s"):format(mirror, dir))
          assert.equal(1, status)
          has(text, case[1])
          has(text, "no mirror gave train-images-idx3-ubyte")
          for name in lfs.dir(dir) do assert.is_truthy(name == "." or name == "..", name) end
        end)
      end
    end)
  end)

  it("explains its options", function()
    local text, status = fetch("--wrong")
    has(text, "unknown option --wrong")
    has(text, "usage: fetch.sh [--mirror URL]... [FOLDER]")
    assert.equal(2, status)
  end)
end)

describe("data.idx", function()
  it("keeps the file's shape", function()
    assert.same({20, 28, 28}, assert(moon.data.idx(shapes .. "/" .. images_name)).shape)
    local x, problem, code = moon.data.idx("/nowhere/file")
    assert.is_nil(x)
    assert.equal("I/O", code)
    has(problem, "/nowhere/file")
  end)
end)

describe("synthetic data", function()
  local sets = {spirals = 3, circles = 2, blobs = 3}

  for name, classes in pairs(sets) do
    local make = moon.data[name]

    it(("%s: shapes, types, classes"):format(name), function()
      local x, y = make{seed = 1}
      assert.same({100 * classes, 2}, x.shape)
      assert.equal("float32", x.dtype)
      assert.same({100 * classes}, y.shape)
      assert.equal("uint8", y.dtype)
      x, y = make{n = 4, classes = 5, seed = 1}
      assert.same({20, 2}, x.shape)
      assert.same({0, 0, 0, 0, 1}, y:rows(1, 5):totable())
      assert.equal(4, y:max())
    end)

    it(("%s: a seed repeats the points and does not advance the stream"):format(name), function()
      moon.seed(5)
      local expected = moon.rand(3)
      moon.seed(5)
      local a = make{n = 10, seed = 1}
      assert.is_true(moon.rand(3):equal(expected))
      assert.is_true(a:equal((make{n = 10, seed = 1})))
      assert.is_false(a:equal((make{n = 10, seed = 2})))
    end)

    it(("%s: without a seed the points come from the context's stream"):format(name), function()
      moon.seed(5)
      local a, b = make{n = 10}, make{n = 10}
      moon.seed(5)
      assert.is_true(a:equal((make{n = 10})))
      assert.is_false(a:equal(b))
    end)

    it(("%s: options are checked"):format(name), function()
      has(message(make, {points = 3}), known.fill "unknown option 'points' (known: <SpiralsOptions>)")
      has(message(make, {n = 0}), "n is 0, expected a whole number of at least 1")
      has(message(make, {noise = -1}), "noise is -1, expected at least 0")
      has(message(make, {classes = 257}), "classes is 257, expected at most 256")
      has(message(make, {seed = "a"}), "seed is 'a', expected a whole number")
    end)
  end

  it("spirals follow the lecture's formula", function()
    local x = moon.data.spirals{n = 5, classes = 2, noise = 0, seed = 1}
    for class = 0, 1 do
      for i = 0, 4 do
        local r, t = i / 4, 4 * class + 4 * i / 4
        assert.near(r * math.sin(t), x[class * 5 + i + 1][1], 1e-6)
        assert.near(r * math.cos(t), x[class * 5 + i + 1][2], 1e-6)
      end
    end
  end)

  it("noise is normal with the given deviation", function()
    local x = moon.data.blobs{n = 20000, classes = 1, noise = 0.5, seed = 3}
    local noise = (x - moon.tensor{1, 0}) / 0.5
    assert.near(0, noise:mean(), 0.02)
    assert.near(1, noise:std(), 0.02)
    assert.near(0.6827, noise:abs():lt(1):mean(), 0.01)
    assert.near(3, noise:square():square():mean(), 0.15)
  end)

  it("circles lie on their rings", function()
    local x = moon.data.circles{n = 8, classes = 2, noise = 0, seed = 1}
    local radius = x:square():sum(2):sqrt()
    assert.is_true(radius:rows(1, 8):allclose(moon.full(0.5, 8), 1e-6))
    assert.is_true(radius:rows(9, 16):allclose(moon.ones(8), 1e-6))
  end)
end)

-- scripts/spirals.lua, activations.lua and by_hand.lua as programs; and the lecture's published losses on its points,
-- which are read from the folder MOONGLASS_REFERENCE, if it is set.
local lfs = require "lfs"
local moon = require "moonglass"

local shapes = "spec/fixtures/shapes"
local reference = os.getenv("MOONGLASS_REFERENCE")
local runs = dofile("spec/support/script_runs.lua")(after_each, "--threads 1")
local folder, succeed = runs.folder, runs.succeeds

-- ---- output files ----

-- The numbers of each column by name, and the list of names.
local function read_csv(name)
  local columns, names = {}, nil
  for line in io.lines(folder .. "/" .. name) do
    local fields = {}
    for field in (line .. ","):gmatch("([^,]*),") do fields[#fields + 1] = field end
    if names then
      for k, field in ipairs(fields) do table.insert(columns[names[k]], tonumber(field) or field) end
    else
      names = fields
      for _, field in ipairs(names) do columns[field] = {} end
    end
  end
  return columns, names
end

local function read_figures()
  local columns, figures = read_csv("figures.csv"), {}
  for i, name in ipairs(columns.figure) do figures[name] = columns.value[i] end
  return figures
end

local function picture(name, height, width)
  local t = assert(moon.png.read(folder .. "/" .. name .. ".png"))
  assert.equal(height, t:size(1))
  assert.equal(width, t:size(2))
  assert.is_true(t:max() - t:min() > 200)
  return t
end

local function load_net(name) return assert(moon.load(folder .. "/" .. name .. ".safetensors")) end

-- The fraction of the picture's pixels with about this colour.
local function share_of(t, colour)
  return t:reshape(-1, 3):float():sub_(moon.tensor(colour)):abs():max(2):le(2):mean()
end

-- ---- the lecture's points ----

local function load_points(name)
  local file = reference and moon.safetensors.load(("%s/%s.safetensors"):format(reference, name))
  return file, file and file.y:byte()
end

-- weight_l2 c costs c sum W^2; the lecture's penalty is half its 1e-3.
local published = {
  spirals_noise02 = {weight_l2 = 0.5e-3, accuracy = 0.493333, [101] = 0.787938, [191] = 0.786302},
  spirals_noise03 = {weight_l2 = 0, accuracy = 0.486667, [101] = 0.811478, [191] = 0.810101},
}

describe("the lecture's points:", function()
  for name, expected in pairs(published) do
    it(name .. ", 200 losses of softmax regression", function()
      local file, y = load_points(name)
      if not file then return pending(name .. ".safetensors is not here: set MOONGLASS_REFERENCE") end
      local net = moon.sequential{moon.dense(2, 3, {activation = "softmax", weight_l2 = expected.weight_l2})}
      net:layer(1).weight = file.w
      local loss, opt = moon.cross_entropy(), moon.sgd{lr = 1}
      assert.equal(200, #file.losses)
      for step = 1, 200 do
        local got = net:step(file.x, y, loss, opt)
        assert.near(file.losses[step], got, 1e-5)
        if expected[step] then assert.near(expected[step], got, 2e-5) end -- the first weights differ
      end
      assert.near(expected.accuracy, moon.metrics.accuracy(net:predict(file.x), y), 1e-5)
    end)
  end

  it("0.2453 and 98 % for the net with a hidden layer, after 9000 steps", function()
    local file, y = load_points("spirals_noise02")
    if not file then return pending("spirals_noise02.safetensors is not here: set MOONGLASS_REFERENCE") end
    moon.seed(1)
    local net = moon.sequential{
      moon.dense(2, 100, {activation = "relu", weight_l2 = 0.5e-3}),
      moon.dense(100, 3, {activation = "softmax", weight_l2 = 0.5e-3}),
    }
    local history = net:fit(file.x, y, {
      loss = "cross_entropy", optimizer = moon.sgd{lr = 1}, epochs = 9000, batch_size = #y, shuffle = false,
    })
    assert.near(0.2453, history.loss[9000], 2e-3)
    assert.is_true(moon.metrics.accuracy(net:predict(file.x), y) >= 0.98 - 1e-6)
  end)
end)

-- ---- spirals.lua ----

describe("scripts/spirals.lua", function()
  -- Compare its figures with the nets that it saved, on the same points.
  local function check_nets(set, given, seed, penalty)
    given.seed = seed
    local x, y = moon.data[set](given)
    given.seed = seed + 1000
    local test_x, test_y = moon.data[set](given)
    local figures, history = read_figures(), read_csv("history.csv")
    for _, name in ipairs{"softmax", "net"} do
      local net = load_net(name)
      assert.near(moon.metrics.accuracy(net:predict(x), y), figures[name .. " accuracy"], 1e-6)
      assert.near(moon.metrics.accuracy(net:predict(test_x), test_y), figures[name .. " test accuracy"], 1e-6)
      assert.near(history[name][#history[name]], figures[name .. " loss"], 1e-6)
      -- The reported loss is that before the last step, computed here from its definition.
      local squares = 0
      for i = 1, #net do squares = squares + net:layer(i).weight:square():sum() end
      local likelihood = 0
      for i, row in ipairs(net:predict(x):totable()) do
        likelihood = likelihood + math.log(row[math.tointeger(y[i]) + 1]) / #y
      end
      assert.near(penalty / 2 * squares - likelihood, figures[name .. " loss"], 0.01)
    end
    return figures, history
  end

  it("trains both nets on all points, and draws points, regions and losses", function()
    local output = succeed("spirals", "--n 60 --steps 600 --seed 3")
    local figures, history = check_nets("spirals", {n = 60}, 3, 1e-3)
    assert.equal(600, #history.epoch)
    assert.is_true(figures["softmax test accuracy"] < 0.65 and figures["net test accuracy"] > 0.85)
    assert.is_truthy(output:find("\nspirals: softmax loss 0.%d%d%d%d, softmax accuracy 0.%d%d%d, "))
    assert.same({2, 3}, load_net("softmax"):layer(1).weight.shape)
    assert.same({2, 100}, load_net("net"):layer(1).weight.shape)
    picture("points", 560, 640)
    picture("loss", 600, 800)
    for _, name in ipairs{"softmax-regions", "net-regions"} do
      local t = picture(name, 560, 640)
      for class, tint in ipairs{{0xb5, 0xcc, 0xe3}, {0xf7, 0xd5, 0xb6}, {0xbd, 0xdf, 0xc0}} do
        local share = share_of(t, tint)
        assert(share > 0.05, ("%s: %.3f of the picture is class %d's"):format(name, share, class - 1))
      end
    end
  end)

  it("reaches 98 % of the test points, with minibatches too", function()
    succeed("spirals", "--method adam")
    local figures, history = check_nets("spirals", {n = 300}, 42, 1e-3)
    assert.equal(320, #history.epoch) -- 9000 steps, 28.125 an epoch
    assert.is_true(figures["net test accuracy"] >= 0.98)
    assert.near(0.2444, figures["net loss"], 3e-3) -- the loss of gradient descent
  end)

  it("trains on the points of a file, from the file's first weights", function()
    local path = os.tmpname()
    local x, y = moon.data.spirals{n = 20, seed = 8}
    assert(moon.safetensors.save(path, {x = x, y = y:float(), w = moon.full(0.5, 2, 3)}))
    succeed("spirals", ("--points %s --steps 3 --n 30 --seed 2"):format(path))
    local columns = read_csv("points.csv")
    for i = 1, 60 do
      assert.near(x:get(i, 2), columns.x2[i], 1e-6)
      assert.equal(y[i], columns.class[i])
    end
    -- From equal weights: the logarithm of 3, and the penalty.
    assert.near(math.log(3) + 0.5e-3 * 6 * 0.25, read_csv("history.csv").softmax[1], 1e-5)
    assert(moon.safetensors.save(path, {x = x}))
    os.execute(("rm -rf '%s'"):format(folder))
    runs.fails("spirals", "--points " .. path, 1, "expected tensors x [n x 2] and y [n]")
    os.remove(path)
    runs.fails("spirals", "--points " .. path, 1, path)
  end)

  for name, expected in pairs(published) do
    it("reproduces the losses published for " .. name, function()
      if not load_points(name) then return pending(name .. ".safetensors is not here: set MOONGLASS_REFERENCE") end
      succeed("spirals", ("--points %s/%s.safetensors --steps 200 --penalty %g"):format(reference, name,
        2 * expected.weight_l2))
      local losses, file = read_csv("history.csv").softmax, load_points(name)
      for step = 1, 200 do assert.near(file.losses[step], losses[step], 1e-5) end
      assert.near(expected.accuracy, read_figures()["softmax accuracy"], 1e-5)
    end)
  end

  it("has other data sets, and options for noise, penalty, width and rate", function()
    succeed("spirals", "--set circles --n 40 --noise 0.03 --method sgd --batch 20 --steps 400 --hidden 30 --penalty 0 "
      .. "--lr 0.5 --seed 5")
    local figures, history = check_nets("circles", {n = 40, noise = 0.03}, 5, 0)
    assert.equal(100, #history.epoch)
    assert.is_true(figures["softmax test accuracy"] < 0.7 and figures["net test accuracy"] > 0.9)
    assert.same({30, 2}, load_net("net"):layer(2).weight.shape)
  end)

  it("refuses bad options", function()
    runs.rejects("spirals", "--set moons", "--set", "spirals", "circles", "blobs")
    runs.rejects("spirals", "--method newton", "--method", "batch", "sgd", "adam")
    runs.rejects("spirals", "--n 0", "--n: '0' is not a whole number of at least 1")
    runs.rejects("spirals", "--steps 1.5", "--steps: '1.5' is not a whole number of at least 1")
    runs.rejects("spirals", "--penalty -1", "--penalty: '-1' is not a number of at least 0")
    runs.rejects("spirals", "--noise x", "--noise: 'x' is not a number of at least 0")
    runs.rejects("spirals", "--lr 0", "--lr: '0' is not a number above 0")
    runs.rejects("spirals", "--data x", "unknown option '--data'")
    runs.fails("spirals", "--n 5 --lr 1e30", 1, "fit: loss is")
    assert.is_nil(lfs.attributes(folder .. "/figures.csv", "mode"))
  end)
end)

-- ---- activations.lua ----

describe("scripts/activations.lua", function()
  it("draws and tabulates each registered activation and its derivative", function()
    succeed("activations", "--points 801")
    local values, names = read_csv("activations.csv")
    local registered = moon.registered("activations")
    assert.equal(1 + 2 * #registered, #names)
    local rows = math.ceil(#registered / 4)
    picture("activations", 270 * rows, 360 * 4)

    local z, step = values.z, 0.01
    for _, name in ipairs(registered) do
      local y, derivative = values[name], values[name .. "'"]
      assert.equal(801, #y)
      local off = 0
      for i = 2, 800 do
        local slope = (y[i + 1] - y[i - 1]) / (z[i + 1] - z[i - 1])
        if math.abs(z[i]) > 1.5 * step then off = math.max(off, math.abs(slope - derivative[i])) end -- kinks at 0
      end
      assert(off < 2e-4, ("the derivative of %s is off by %g"):format(name, off))
    end
    -- Values at -1, 0 and 1, from tables of e and of the normal distribution.
    local known = {
      linear = {-1, 0, 1}, relu = {0, 0, 1}, sigmoid = {0.268941, 0.5, 0.731059}, tanh = {-0.761594, 0, 0.761594},
      softplus = {0.313262, 0.693147, 1.313262}, elu = {-0.632121, 0, 1}, leaky_relu = {-0.2, 0, 1},
      selu = {-1.111331, 0, 1.050701}, gelu = {-0.158655, 0, 0.841345}, silu = {-0.268941, 0, 0.731059},
      softmax = {0.268941, 0.5, 0.731059},
    }
    for name, expected in pairs(known) do
      for k, at in ipairs{301, 401, 501} do assert.near(expected[k], values[name][at], 2e-6) end
    end
    assert.equal(0, values["relu'"][401])
    local ranges = read_csv("ranges.csv")
    assert.same(registered, ranges.activation)
    for i, name in ipairs(registered) do
      assert.near(math.max(table.unpack(values[name .. "'"])), ranges["largest derivative"][i], 1e-6)
    end
  end)

  it("refuses bad options", function()
    runs.rejects("activations", "--from 1 --to 1", "--from has to be below --to")
    runs.rejects("activations", "--points 0", "--points: '0' is not a whole number of at least 1")
    runs.rejects("activations", "--to nan", "--to: 'nan' is not a finite number")
  end)
end)

-- ---- by_hand.lua ----

describe("scripts/by_hand.lua", function()
  it("gives the same losses and weights by hand and with layers", function()
    succeed("by_hand", ("--data %s --steps 100 --batch 4"):format(shapes))
    local figures = read_figures()
    for name, steps in pairs{classifier = 100, autoencoder = 10} do
      local values = read_csv(name .. ".csv")
      assert.equal(steps, #values.step)
      for i, by_hand in ipairs(values["by hand"]) do
        assert.near(by_hand, values["in layers"][i], 1e-5 * by_hand)
      end
      assert.is_true(values["by hand"][steps] < 0.95 * values["by hand"][1])
      assert.near(math.max(table.unpack(values.apart)), figures[name .. " losses apart"], 1e-9)
      assert.is_true(figures[name .. " losses apart"] <= 1e-5)
      assert.is_true(figures[name .. " weights apart"] <= 1e-5)
    end
    picture("losses", 360, 900)

    -- Line by line of tiles: the test images, by hand, in layers.
    local drawn = assert(moon.png.read(folder .. "/reconstructions.png"))
    drawn = runs.tiles(drawn, 2 * (3 * 29 + 1), 2 * (20 * 29 + 1))
    local test = assert(moon.data.mnist(shapes, "test"))
    local again = load_net("autoencoder"):predict(test)
    local expected = moon.image.rows({test, again, again}, {scale = 2})
    assert.is_true((drawn:float() - expected:float()):abs():max() <= 1)
  end)

  it("refuses bad options", function()
    runs.rejects("by_hand", "--steps x", "--steps: 'x' is not a whole number of at least 1")
    runs.rejects("by_hand", "--images 0", "--images: '0' is not a whole number of at least 1")
    runs.rejects("by_hand", "--epochs 3", "unknown option '--epochs'")
    assert.equal("", runs.fails("by_hand", "--data /nowhere", 1, "train-images-idx3-ubyte", "/nowhere"))
    assert.is_nil(lfs.attributes(folder, "mode"))
  end)
end)

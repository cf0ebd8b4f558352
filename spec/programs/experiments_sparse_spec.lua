-- Sparse codes and dictionaries, and scripts/sparse.lua and sparse_coding.lua, run as programs.
local moon = require "moonglass"

local shapes = "spec/fixtures/shapes"
local files = dofile("spec/support/files.lua")
local known = dofile "spec/support/known.lua"
local read_file = files.read

-- ---- sparse codes ----

-- Rows [n x d], atoms [k x d] of length 1 that overlap, and l1.
local function small_problem()
  moon.seed(5)
  local atoms = (moon.randn(12, 8) + moon.randn(8)):t()
  atoms:div_(atoms:square():sum(1):sqrt_())
  return moon.randn(20, 8), atoms:t(), 0.3
end

local function each_element(t, f)
  for i = 1, #t do
    for j = 1, t:size(2) do f(t:get(i, j), i, j) end
  end
end

describe("dictionary.soft_threshold", function()
  it("shrinks towards 0, but not beyond", function()
    local t = moon.tensor{{-3, -0.5, 0, 0.2}, {0.5, 0.75, 2, -0.75}}
    assert.same({{-2.5, 0, 0, 0}, {0, 0.25, 1.5, -0.25}}, moon.dictionary.soft_threshold(t, 0.5):totable())
    assert.same({{0, 0, 0, 0}, {0, 0.25, 1.5, 0}}, moon.dictionary.soft_threshold(t, 0.5, true):totable())
    assert.equal(-3, t:get(1, 1))
  end)
end)

describe("dictionary.objective", function()
  it("is 1/2 |x - z D|^2 + l1 |z|_1, the mean over the rows", function()
    local x, atoms = moon.tensor{{1, 2}, {0, -1}}, moon.tensor{{1, 0}, {0.6, 0.8}, {0, 1}}
    local z = moon.tensor{{1, 0, -2}, {0, 0.5, 0}}
    -- x - z D: {0, 4} and {-0.3, -1.4}; |z|: 3 and 0.5
    assert.near(((16 + 0.09 + 1.96) / 2 + 0.25 * 3.5) / 2, moon.dictionary.objective(x, atoms, z, 0.25), 1e-6)
    local bytes = moon.tensor({{255, 51}, {0, 102}}, {dtype = "uint8"})
    assert.near((0.5 * (1.04 + 0.16)) / 2, moon.dictionary.objective(bytes, atoms, moon.zeros(2, 3), 0.25), 1e-6)
  end)
end)

describe("dictionary.codes", function()
  it("finds the optimum: the gradient is 0 where a code is not 0, and at most l1 where it is", function()
    local x, atoms, l1 = small_problem()
    local zeros, others = 0, 0
    for _, method in ipairs{"ista", "fista"} do
      local z = moon.dictionary.codes(x, atoms, {l1 = l1, steps = 3000, method = method})
      local slope = (x - z:matmul(atoms)):matmul(atoms:t())
      each_element(z, function(v, i, j)
        local s = slope:get(i, j)
        if v == 0 then
          zeros = zeros + 1
          assert.is_true(math.abs(s) <= l1 + 1e-3)
        else
          others = others + 1
          assert.near(v > 0 and l1 or -l1, s, 1e-3)
        end
      end)
    end
    assert.is_true(zeros > 100 and others > 100)
  end)

  it("finds the optimum among codes >= 0", function()
    local x, atoms, l1 = small_problem()
    local z = moon.dictionary.codes(x, atoms, {l1 = l1, steps = 3000, nonnegative = true})
    local slope = (x - z:matmul(atoms)):matmul(atoms:t())
    local zeros = 0
    each_element(z, function(v, i, j)
      assert.is_true(v >= 0)
      if v == 0 then
        zeros = zeros + 1
        assert.is_true(slope:get(i, j) <= l1 + 1e-3)
      else
        assert.near(l1, slope:get(i, j), 1e-3)
      end
    end)
    assert.is_true(zeros > 50 and zeros < 230)
  end)

  it("are the soft threshold of the products for orthogonal atoms", function()
    local x = moon.tensor{{1, -0.2, 3}, {-2, 0.5, 0}}
    local z = moon.dictionary.codes(x, moon.eye(3), {l1 = 0.25})
    assert.is_true(z:allclose(moon.tensor{{0.75, 0, 2.75}, {-1.75, 0.25, 0}}, 0, 1e-5))
    -- A step goes nearly all of the way: 1/L, L being little more than the largest eigenvalue.
    local one = moon.dictionary.codes(moon.ones(1, 200), moon.eye(200), {l1 = 0.25, steps = 1})
    assert.is_true(one:min() > 0.95 * 0.75 and one:max() <= 0.75)
  end)

  it("are found by ISTA with a falling objective, and by FISTA in far fewer steps", function()
    local x, atoms, l1 = small_problem()
    local function objectives(method)
      local z, values = moon.dictionary.codes(x, atoms, {l1 = l1, steps = 120, method = method, record = true})
      assert.equal(120, #values)
      assert.near(moon.dictionary.objective(x, atoms, z, l1), values[120], 1e-9)
      return values
    end
    local ista, fista = objectives("ista"), objectives("fista")
    local start = moon.dictionary.objective(x, atoms, moon.zeros(20, 12), l1)
    assert.is_true(ista[1] < start and ista[1] == fista[1])
    for i = 2, 120 do assert.is_true(ista[i] <= ista[i - 1] + 1e-6) end
    assert.is_true(ista[120] < 0.99 * ista[5])
    local needed = 1
    while fista[needed] > ista[120] do needed = needed + 1 end
    assert.is_true(needed < 60, ("FISTA needed %d steps"):format(needed))
  end)

  it("does not overshoot when all atoms are equal", function()
    local x, atoms = moon.tensor{{3, 4}}, moon.full(math.sqrt(0.5), 50, 2)
    local z, values = moon.dictionary.codes(x, atoms, {l1 = 0.1, steps = 100, method = "ista", record = true})
    for i = 2, 100 do assert.is_true(values[i] <= values[i - 1] + 1e-5) end
    assert.near(7 * math.sqrt(0.5) - 0.1, z:sum(), 1e-3)
  end)

  it("starts from given codes, and takes bytes as value/255", function()
    local x, atoms, l1 = small_problem()
    local best = moon.dictionary.codes(x, atoms, {l1 = l1, steps = 3000})
    local copy = best:clone()
    local again = moon.dictionary.codes(x, atoms, {l1 = l1, steps = 1, start = best})
    assert.is_true(again:allclose(best, 0, 1e-5))
    assert.is_true(best:equal(copy))
    local bytes = moon.rand(4, 8):mul_(255):byte()
    assert.is_true(moon.dictionary.codes(bytes, atoms, {l1 = 0.01}):allclose(
      moon.dictionary.codes(bytes / 255, atoms, {l1 = 0.01}), 0, 1e-6))
  end)

  it("names mistakes", function()
    local x, atoms = moon.ones(2, 3), moon.ones(4, 3)
    local codes = moon.dictionary.codes
    assert.has_error(function() codes(x, atoms, {}) end, "dictionary.codes: option l1 is missing")
    assert.has_error(function() codes(x, atoms, {l1 = 0}) end, "dictionary.codes: l1 is 0, expected a number above 0")
    assert.has_error(function() codes(x, atoms, {l1 = 1, method = "lars"}) end,
      known.fill "dictionary.codes: method is 'lars' (known: <CodesOptions.method>)")
    assert.has_error(function() codes(x, moon.ones(4, 2), {l1 = 1}) end,
      "dictionary.codes: x is [2 x 3], expected [rows x 2]")
    assert.has_error(function() codes(x, atoms, {l1 = 1, start = moon.ones(3, 4)}) end,
      "dictionary.codes: start has 3 rows, expected the 2 of x")
    assert.has_error(function() codes(3, atoms, {l1 = 1}) end, "dictionary.codes: x is 3, expected a tensor")
  end)
end)

-- Rows that are sums of two out of eight atoms each, and the atoms [8 x 16].
local function planted(n)
  moon.seed(9)
  local atoms = moon.randn(8, 16)
  for j = 1, 8 do atoms[j]:div_(atoms[j]:norm()) end
  local codes = moon.zeros(n, 8)
  for i = 1, n do
    local order = moon.randperm(8):totable()
    codes:set(1.2, i, math.tointeger(order[1]))
    codes:set(-1.8, i, math.tointeger(order[2]))
  end
  return codes:matmul(atoms), atoms
end

describe("dictionary", function()
  it("recovers the atoms of its rows", function()
    local x, atoms = planted(600)
    local values = {}
    moon.seed(3)
    local learnt = moon.dictionary(x, {
      atoms = 8, l1 = 0.3, epochs = 10, batch_size = 64, seed = 3,
      on_epoch = function(d, epoch) values[epoch] = moon.dictionary.objective(x, d.atoms, d:encode(x), d.l1) end,
    })
    assert.equal(10, #values)
    local given = moon.dictionary.objective(x, atoms, moon.dictionary.codes(x, atoms, {l1 = 0.3}), 0.3)
    assert.is_true(values[10] < values[1] and values[10] < given)
    for j = 1, 8 do assert.near(1, learnt.atoms[j]:norm(), 1e-5) end
    local likeness = atoms:matmul(learnt.atoms:t()):abs()
    for j = 1, 8 do assert.is_true(likeness[j]:max() > 0.97, ("atom %d: %g"):format(j, likeness[j]:max())) end
  end)

  it("encodes, decodes and measures errors, for any batch size", function()
    local x = planted(50)
    local d = moon.dictionary(x, {atoms = 5, l1 = 0.1, seed = 1})
    local z = d:encode(x)
    assert.is_true(z:equal(moon.dictionary.codes(x, d.atoms, {l1 = 0.1})))
    assert.is_true(d:decode(z):equal(z:matmul(d.atoms)))
    assert.is_true(d:reconstruct(x, {batch_size = 7}):allclose(d:decode(z), 0, 1e-5))
    local expected = (d:decode(z) - x):square():mean(2)
    assert.is_true(d:errors(x, {batch_size = 49}):allclose(expected, 1e-4, 1e-6))
    assert.equal("dictionary of 5 atoms of 16, l1 0.1", tostring(d))
  end)

  it("repeats itself with the same seed only", function()
    local x = planted(50)
    local found = {}
    for i, seed in ipairs{4, 4, 5} do
      moon.seed(seed)
      found[i] = moon.dictionary(x, {atoms = 5, l1 = 0.1, batch_size = 8}).atoms
    end
    assert.is_true(found[1]:equal(found[2]))
    assert.is_false(found[1]:equal(found[3]))
    moon.seed(4)
    assert.equal(found[1], moon.dictionary.learn(x, {atoms = 5, l1 = 0.1, batch_size = 8}).atoms)
  end)

  it("restarts an atom that no row uses", function()
    -- Each row has one atom's direction and the penalty leaves the random atoms unused.
    local x = moon.eye(4) * 2
    moon.seed(2)
    local d = moon.dictionary(x, {atoms = 4, l1 = 1.9, epochs = 10, nonnegative = true})
    assert.is_true(d:encode(x):max(1):gt(0):sum() == 4)
  end)

  it("refuses rows with NaN", function()
    assert.has_error(function() moon.dictionary(moon.full(0 / 0, 4, 3), {atoms = 2, l1 = 0.1}) end,
      "dictionary: x has nan in row 1, column 1, expected finite numbers, of at most 1e+15")
    assert.has_error(function() moon.dictionary(moon.ones(4, 3), {l1 = 0.1}) end, "dictionary: option atoms is missing")
    assert.has_error(function() moon.dictionary(moon.ones(4), {atoms = 2, l1 = 0.1}) end,
      "dictionary: x is [4], expected [rows x width]")
    local d = moon.dictionary(moon.ones(4, 3), {atoms = 2, l1 = 0.1})
    assert.has_error(function() d:encode(moon.ones(4, 2)) end, "encode: x is [4 x 2], expected [rows x 3]")
  end)
end)

-- ---- the scripts ----

local runs = dofile("spec/support/script_runs.lua")(after_each, "--data " .. shapes)
local folder, train = runs.folder, runs.succeeds

local function figures()
  local list = {}
  for line in io.lines(folder .. "/figures.csv") do
    local name, value = line:match("^(.*),([^,]*)$")
    list[name] = tonumber(value)
  end
  return list
end

local function test_images() return (assert(moon.data.mnist(shapes, "test"))) end

-- The first layers' weights of the nets, and lines of the 20 test images.
local function check_pictures(nets, names, test)
  local learnt = assert(moon.data.mnist(shapes, "train"))
  local parts, deviation, lines = {}, learnt:std(1), {test}
  for i, net in ipairs(nets) do
    local dead, count = moon.metrics.dead_units(net:encode(learnt))
    local title = ("%d units, %s, %d dead%s\ngrey 0, white > 0, black < 0"):format(#dead, names[i], count,
      count > 0 and " (crossed out)" or "")
    parts[i] = moon.image.grid(net:layer(1).weight:t() * deviation,
      {normalize = "signed", scale = 2, crossed = dead, title = title})
    lines[i + 1] = net:predict(test)
  end
  local picture, at = assert(moon.png.read(folder .. "/filters.png")):t(), 1
  for _, part in ipairs(parts) do
    assert.is_true(picture:rows(at, at + part:size(2) - 1):t():clone():equal(part))
    at = at + part:size(2) + 24
  end
  assert.equal(at - 24, #picture + 1)
  local expected = moon.image.rows(lines, {scale = 2})
  picture = assert(moon.png.read(folder .. "/reconstructions.png"))
  assert.is_true(runs.tiles(picture, #expected, expected:size(2)):equal(expected))
end

local function check_plots(...)
  for _, name in ipairs{...} do
    local plot = assert(moon.png.read(("%s/%s.png"):format(folder, name)))
    assert.is_true(plot:size(1) > 100 and plot:size(2) > 100 and plot:max() - plot:min() > 200)
  end
end

describe("scripts/sparse.lua", function()
  it("trains both nets, and measures the sparsity of their codes", function()
    local output = train("sparse", "--epochs 3 --batch 8 --l1 0.01 --code 10")
    local test, found, nets = test_images(), figures(), {}
    local names = {"standard", "batchmean", "sum"}
    for i, name in ipairs(names) do
      local net = assert(moon.load(("%s/%s.safetensors"):format(folder, name)))
      local code = net:encode(test)
      assert.same({20, 10}, code.shape)
      local sum, zeros = 0, 0
      each_element(code, function(v)
        sum, zeros = sum + math.abs(v), zeros + (v == 0 and 1 or 0)
      end)
      assert.near(sum / 200, found[name .. " mean code"], 1e-5)
      assert.near(zeros / 200, found[name .. " zeros"], 1e-6)
      assert.near(moon.bce():forward(net:predict(test), test / 255), found[name .. " without penalty"], 1e-6)
      -- Of a batch the mean over its images, or their sum; evaluate weighs batches of 8, 8 and 4 by their rows.
      local penalty = 0
      if i == 2 then penalty = 0.01 * sum / 20 end
      for first = 1, i == 3 and 20 or 0, 8 do
        local last = math.min(first + 7, 20)
        penalty = penalty + 0.01 * code:rows(first, last):sum() * (last - first + 1) / 20
      end
      assert.near(found[name .. " without penalty"] + penalty, found[name .. " test loss"], 1e-5)
      local of_train = net:encode((assert(moon.data.mnist(shapes, "train"))))
      assert.equal(select(2, moon.metrics.dead_units(of_train)), found[name .. " dead code units"])
      local history = read_file(("%s/%s-history.csv"):format(folder, name))
      assert.near(tonumber(history:match("\n3,[^,]*,([^,]*)")), found[name .. " test loss"], 1e-6)
      nets[i] = net
    end
    assert.is_true(found["batchmean mean code"] < found["standard mean code"])
    assert.is_true(found["sum mean code"] < found["batchmean mean code"])
    check_pictures(nets, names, test)
    check_plots("codes", "loss")
    assert.is_truthy(output:find("standard test loss", 1, true))
    assert.is_nil(output:find("has died", 1, true))
  end)

  it("starts both from the same weights: without a penalty they stay equal", function()
    train("sparse", "--epochs 2 --l1 0 --hidden 12 --code 4 --layers all --reduction sum")
    local standard = assert(moon.load(folder .. "/standard.safetensors"))
    local sparse = assert(moon.load(folder .. "/sparse.safetensors")):parameters()
    assert.equal(4, #standard)
    for i, p in ipairs(standard:parameters()) do assert.is_true(p.value:equal(sparse[i].value)) end
  end)

  it("detects a dead code, and reports the loss of the mean image", function()
    local output = train("sparse", "--epochs 2 --batch 4 --lr 0.05 --l1 100 --code 6 --reduction batchmean")
    assert.is_truthy(output:find("The sparse net's code has died, %d of 6 units are always 0: its loss without penalty "
      .. "is 0%.%d+, and the mean image alone has 0%.%d+%."))
    assert.is_nil(output:find("The standard net's code has died", 1, true))
    local image = (assert(moon.data.mnist(shapes, "train")) / 255):mean(1)
    local same = moon.zeros(20, 784) + image
    assert.near(moon.bce():forward(same, test_images() / 255), figures()["test loss of the mean image"], 1e-5)
  end)

  it("can penalise all hidden layers", function()
    train("sparse", "--epochs 2 --batch 4 --l1 0.01 --reduction batchmean --layers all --hidden 12 --code 4")
    local net, x, sum = assert(moon.load(folder .. "/sparse.safetensors")), test_images(), 0
    for i = 1, 3 do sum = sum + net:slice(1, i):predict(x):abs():sum() end
    local found = figures()
    assert.near(0.01 * sum / 20, found["sparse test loss"] - found["sparse without penalty"], 1e-4)
  end)

  it("penalises the named layers", function()
    for layers, numbers in pairs{encoder = {1, 2}, ["1,3"] = {1, 3}} do
      train("sparse", "--epochs 2 --batch 4 --l1 0.01 --reduction batchmean --hidden 12 --code 4 --layers " .. layers)
      local net, x, sum = assert(moon.load(folder .. "/sparse.safetensors")), test_images(), 0
      for _, i in ipairs(numbers) do sum = sum + net:slice(1, i):predict(x):abs():sum() end
      local found = figures()
      assert.near(0.01 * sum / 20, found["sparse test loss"] - found["sparse without penalty"], 1e-4)
    end
  end)

  it("can sum the penalty over the batch, which makes it as many times as strong as there are rows", function()
    train("sparse", "--epochs 2 --batch 8 --l1 0.01 --reduction sum --code 5")
    local sum = read_file(folder .. "/sparse.safetensors")
    train("sparse", "--epochs 2 --batch 8 --l1 0.08 --reduction batchmean --code 5")
    local a, b = figures(), assert(moon.load(folder .. "/sparse.safetensors"))
    assert.is_true(#sum > 0 and a["sparse zeros"] >= 0)
    local path = folder .. "/sum.safetensors"
    dofile("spec/support/files.lua").write(path, sum)
    local code = assert(moon.load(path)):encode(test_images())
    assert.is_true(code:allclose(b:encode(test_images()), 1e-3, 1e-4))
  end)

  it("can keep the k largest, or penalise the means", function()
    train("sparse", "--epochs 2 --kind k --k 3 --code 12")
    local found = figures()
    assert.near(0.75, found["sparse zeros"], 1e-6)
    -- A unit that is never among the k largest is dead, as a ReLU that is always 0.
    local net = assert(moon.load(folder .. "/sparse.safetensors"))
    local of_train = net:encode((assert(moon.data.mnist(shapes, "train"))))
    assert.equal(select(2, moon.metrics.dead_units(of_train)), found["sparse dead code units"])
    assert.equal(0, found["standard zeros"])
    train("sparse", "--epochs 30 --batch 8 --kind kl --kl-target 0.1 --kl-weight 1 --code 6 --lr 0.02")
    found = figures()
    assert.is_true(math.abs(found["sparse mean code"] - 0.1) < 0.05)
    assert.is_true(found["standard mean code"] > 0.2)
  end)

  it("refuses mistakes before it writes", function()
    for arguments, message in pairs{
      ["--kind l2"] = "--kind: 'l2' is not one of l1, kl, k; did you mean 'l1'?",
      ["--kind k --k 40"] = "--k is 40, but the code has 32 units",
      ["--layers middle"] = "--layers: 'middle' is not code, encoder, all, or a list of layers like 1,3",
      ["--hidden 9 --layers 2,5"] = "--layers has 5, but the net has 4 layers",
      ["--kl-target 1"] = "--kl-target: '1' is not a number above 0 and below 1",
      ["--l1 -1"] = "--l1: '-1' is not a number of at least 0",
    } do
      runs.rejects("sparse", arguments, ("sparse: %s (--help lists the options)\n"):format(message))
    end
  end)
end)

describe("scripts/sparse_coding.lua", function()
  it("learns a dictionary and an autoencoder, and compares them", function()
    train("sparse_coding", "--atoms 12 --l1 0.05 --passes 3 --epochs 30 --batch 8 --lr 0.003")
    local test, found = test_images(), figures()
    local ae = assert(moon.load(folder .. "/model.safetensors"))
    local zeros = ae:encode(test):eq(0):mean()
    assert.is_true(zeros < 0.9)
    assert.near(zeros, found["autoencoder zeros"], 1e-6)
    assert.near(ae:errors(test):mean() * 784, found["autoencoder squared error"], 1e-3)
    local lengths = ae:layer(1).weight:square():sum(1):sqrt()
    local objective = ae:errors(test):mean() * 784 / 2 + 0.05 * (ae:encode(test) * lengths):sum() / 20
    assert.near(objective, found["autoencoder F"], 1e-3)
    -- The autoencoder's training loss is 2 F.
    local trained_on = ae:errors(test):mean() * 784 + 2 * 0.05 * ae:encode(test):sum() / 20
    assert.near(trained_on, tonumber(read_file(folder .. "/history.csv"):match("\n30,[^,]*,([^,]*)")), 1e-3)

    local passes = {}
    for pass, value in read_file(folder .. "/dictionary.csv"):gmatch("\n(%d+),([^\n]+)") do
      passes[tonumber(pass)] = tonumber(value)
    end
    assert.equal(3, #passes)
    assert.near(passes[3], found["dictionary F"], 1e-4)
    assert.is_true(passes[3] < passes[1])
    assert.is_true(found["dictionary F"] < found["autoencoder F"])
    local above = "%s after 50 steps above the least F by"
    assert.is_true(found[above:format("FISTA")] < 0.5 * found[above:format("ISTA")])

    local saved = assert(moon.safetensors.load(folder .. "/dictionary.safetensors")).atoms
    assert.same({12, 784}, saved.shape)
    local codes = moon.dictionary.codes(test, saved, {l1 = 0.05, nonnegative = true})
    assert.near(moon.dictionary.objective(test, saved, codes, 0.05), found["dictionary F"], 1e-3)
    assert.equal(1 + 200, select(2, read_file(folder .. "/convergence.csv"):gsub("\n", "")))

    local atoms = assert(moon.png.read(folder .. "/atoms.png"))
    local left = runs.tiles(atoms, 2 * (3 * 29 + 1), 2 * (4 * 29 + 1), true)
    local dead = moon.metrics.dead_units(moon.dictionary.codes(test, saved, {l1 = 0.05, nonnegative = true}))
    assert.is_true(left:equal(moon.image.grid(saved * moon.data.mnist(shapes, "train"):std(1),
      {normalize = "signed", scale = 2, crossed = dead})))
    local line = 2 * 29
    local picture = runs.tiles(assert(moon.png.read(folder .. "/reconstructions.png")), 3 * line + 2, 2 * (20 * 29 + 1))
    assert.is_true(picture:rows(2 * line + 1, 3 * line + 2):equal(moon.image.rows({ae:predict(test)}, {scale = 2})))
    assert.is_true(picture:rows(1, line + 2):equal(moon.image.rows({test}, {scale = 2})))
    check_plots("convergence")
  end)

  it("takes codes of both signs", function()
    train("sparse_coding", "--atoms 2 --epochs 1 --batch 8 --signed")
    local signed = figures()["dictionary F"]
    train("sparse_coding", "--atoms 2 --epochs 1 --batch 8")
    assert.is_true(math.abs(signed - figures()["dictionary F"]) > 0.1)
  end)

  it("refuses mistakes before it writes", function()
    for arguments, message in pairs{
      ["--atoms 0"] = "--atoms: '0' is not a whole number of at least 1",
      ["--l1 0"] = "--l1: '0' is not a number above 0",
    } do
      runs.rejects("sparse_coding", arguments, ("sparse_coding: %s (--help lists the options)\n"):format(message))
    end
  end)
end)

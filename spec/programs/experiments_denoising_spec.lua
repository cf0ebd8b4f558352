-- scripts/denoising.lua and memorise.lua, run as programs on the shapes of spec/fixtures.
local lfs = require "lfs"
local moon = require "moonglass"

local shapes = "spec/fixtures/shapes"
local read_file = dofile("spec/support/files.lua").read
local runs = dofile("spec/support/script_runs.lua")(after_each, "--data " .. shapes)
local folder, succeeds, rejects, has = runs.folder, runs.succeeds, runs.rejects, runs.has

local read_csv, figures = runs.csv, runs.figures

local function picture(name) return assert(moon.png.read(folder .. "/" .. name)) end

-- A plot of the usual size that is not empty.
local function check_plot(name)
  local plot = picture(name)
  assert.same({600, 800}, {plot:size(1), plot:size(2)})
  assert.is_true(plot:max() == 255 and plot:min() < 100)
end

local function fractions(images) return images:float() / 255 end
local test = assert(moon.data.mnist(shapes, "test"))
local few = assert(moon.data.mnist(shapes, "train")):rows(1, 8)

-- The tiles of line i of a picture of 20 images at twice their size, as [20 x 784] of 0 to 1.
local function line_of_picture(rows, i)
  local tiles = {}
  for k = 1, 20 do
    local pixels = {}
    for y = 0, 27 do
      local row = rows[2 * (1 + (i - 1) * 29 + y) + 1]
      for x = 0, 27 do pixels[#pixels + 1] = row[2 * (1 + (k - 1) * 29 + x) + 1] / 255 end
    end
    tiles[k] = pixels
  end
  return moon.tensor(tiles)
end

local function squared_error(a, b) return (a - b):square():mean() end

-- The tiles of filters.png: each shows the unit's weights as image.grid draws them, or a cross. Return the number of
-- crosses.
local function crosses_in(filters, weight, plain)
  local crossed = moon.image.grid(weight, {normalize = "signed", scale = 2, crossed = moon.ones(#weight)})
  local columns, count = math.ceil(math.sqrt(#weight)), 0
  for i = 0, #weight - 1 do
    local y, x = 58 * (i // columns), 58 * (i % columns)
    local function tile(tiles) return tiles:rows(y + 1, y + 60):t():rows(x + 1, x + 60) end
    if tile(filters):equal(tile(crossed)) then
      count = count + 1
    else
      assert.is_true(tile(filters):equal(tile(plain)), "unit " .. i + 1)
    end
  end
  return count
end

describe("scripts/denoising.lua", function()
  local function check_files(first_layer)
    local net = assert(moon.load(folder .. "/model.safetensors"))
    assert.same({784, 128}, net:layer(first_layer).weight.shape)
    assert.equal(first_layer + 3, #net)
    assert.equal(2, assert(moon.checkpoint.load(folder .. "/model.run-checkpoint")).epoch)
    assert.equal(3, #read_csv("history.csv"))
    local filters = runs.tiles(picture("filters.png"), 2 * (11 * 29 + 1), 2 * (12 * 29 + 1), true)
    local weight = net:layer(first_layer).weight:t() * assert(moon.data.mnist(shapes, "train")):std(1)
    local plain = moon.image.grid(weight, {normalize = "signed", scale = 2})
    assert.equal(figures()["dead units of hidden layer 1"], crosses_in(filters, weight, plain))
    check_plot("loss.png")
    return net
  end

  -- Compare the picture's three lines, of all 20 test images, with the figures. Bytes are rounded by up to half a step.
  local function check_picture(net, clipped)
    local rows = runs.tiles(picture("denoised.png"), 2 * (3 * 29 + 1), 2 * (20 * 29 + 1)):totable()
    local clean, noisy, output = line_of_picture(rows, 1), line_of_picture(rows, 2), line_of_picture(rows, 3)
    assert.is_true(clean:allclose(fractions(test), 0, 1e-6))
    if not clipped then return end
    assert.is_true(net:predict(noisy):allclose(output, 0, 0.02))
    local f = figures()
    local before, after = squared_error(noisy, clean), squared_error(output, clean)
    assert.near(before, f["squared error a pixel of the input"], 1e-3)
    assert.near(after, f["squared error a pixel of the output"], 1e-3)
    assert.near(after / before, f.ratio, 2e-2)
    assert.near(-10 * math.log(before, 10), f["PSNR of the input"], 0.1)
    assert.near(-10 * math.log(after, 10), f["PSNR of the output"], 0.1)
    assert.near(net:evaluate(noisy, clean, {loss = "bce"}), f["noisy test loss"], 5e-3)
  end

  it("trains with input noise, reports and writes its files", function()
    local output = succeeds("denoising", "--epochs 2")
    has(output, "gaussian_noise 0.4 clip {0, 1}")
    has(output, ("\ndenoising: training loss %.4f, noisy test loss %.4f, "):format(figures()["training loss"],
      figures()["noisy test loss"]))
    check_picture(check_files(2), true)
  end)

  it("can draw the noise once, with a clean target", function()
    local output = succeeds("denoising", "--epochs 2 --once")
    assert.is_nil(output:find("gaussian_noise", 1, true))
    check_picture(check_files(1), true)
  end)

  it("learns to remove noise; noise drawn once is memorised", function()
    local options = "--epochs 120 --hidden 64 --lr 0.003 --batch 20 "
    succeeds("denoising", options)
    local fresh = figures()
    assert.is_true(fresh.ratio < 0.25, fresh.ratio)
    succeeds("denoising", options .. "--once")
    local once = figures()
    -- With a noisy target the loss could not be this small.
    assert.is_true(once["training loss"] < 0.1, once["training loss"])
    assert.is_true(once["noisy test loss"] > 1.5 * fresh["noisy test loss"])
  end)

  it("has other kinds of noise", function()
    -- The mean squared change of a pixel: p x^2 where it becomes 0; p / 2 (x^2 + (1 - x)^2) where 0 or 1.
    local x, p = fractions(test), 0.3
    local expected = {
      masking = p * x:square():mean(), salt_pepper = p / 2 * (x:square() + (1 - x):square()):mean(),
    }
    for kind, error in pairs(expected) do
      succeeds("denoising", ("--epochs 2 --noise %s --amount %g"):format(kind, p))
      assert.near(error, figures()["squared error a pixel of the input"], 0.06 * error)
      check_picture(check_files(2), true)
    end
  end)

  it("does not clip Gaussian noise with --no-clip", function()
    succeeds("denoising", "--epochs 2 --no-clip --amount 0.5")
    check_picture(check_files(2), false)
    assert.near(0.25, figures()["squared error a pixel of the input"], 0.01) -- the variance
  end)

  it("repeats itself byte for byte, with the same seed only", function()
    local weights, reports = {}, {}
    for i, seed in ipairs{7, 7, 8} do
      succeeds("denoising", "--epochs 1 --hidden 8 --code 4 --once --seed " .. seed)
      weights[i], reports[i] = read_file(folder .. "/model.safetensors"), read_file(folder .. "/figures.csv")
    end
    assert.is_true(weights[1] == weights[2] and reports[1] == reports[2])
    assert.is_false(weights[1] == weights[3] or reports[1] == reports[3])
  end)

  it("resumes with the same noise", function()
    for _, more in ipairs{"", "--once"} do
      local options = "--hidden 8 --code 4 " .. more
      succeeds("denoising", "--epochs 4 " .. options)
      local whole = read_file(folder .. "/model.safetensors")
      succeeds("denoising", "--epochs 2 " .. options)
      has(succeeds("denoising", "--epochs 4 --resume " .. options), "\nepoch 3/4")
      assert.is_true(whole == read_file(folder .. "/model.safetensors"))
    end
  end)

  it("fails on bad options", function()
    rejects("denoising", "--noise rain", "--noise")
    rejects("denoising", "--amount -1", "--amount: '-1' is not a number of at least 0")
    rejects("denoising", "--noise masking --amount 1.5", "--amount is 1.5, but a probability is at most 1")
    rejects("denoising", "--clip --no-clip", "--clip and --no-clip exclude each other")
    rejects("denoising", "--noise masking --clip", "--clip and --no-clip are for --noise gaussian")
    rejects("denoising", "--hidden 0", "is not a list of widths like 256,128")
  end)
end)

describe("scripts/memorise.lua", function()
  local small = "--images 8 --hidden 60 --code 4 --lr 0.003 --epochs 100 "

  -- Both nets by name, and the rows of the table, compared with their files.
  local function check_files(against)
    local rows = read_csv("errors.csv")
    assert.equal(3, #rows)
    for i, name in ipairs{"memorising", against} do
      local net, row = assert(moon.load(("%s/%s.safetensors"):format(folder, name))), rows[i + 1]
      assert.equal(name, row[1])
      assert.near(net:evaluate(few, {loss = "bce"}), row[2], 1e-5)
      assert.near(net:evaluate(test, {loss = "bce"}), row[3], 1e-5)
      assert.near(row[3] - row[2], row[4], 1e-6)
      assert.near(net:errors(few):mean() * 784, row[5], 1e-3)
      assert.near(net:errors(test):mean() * 784, row[6], 1e-3)
      assert.near(row[3], figures()[name .. " test loss"], 1e-6)
      assert.is_truthy(lfs.attributes(("%s/%s-history.csv"):format(folder, name), "mode"))
    end
    local drawn = runs.tiles(picture("reconstructions.png"), 2 * (3 * 29 + 1), 2 * (20 * 29 + 1))
    assert.is_true(drawn:max() - drawn:min() == 255)
    check_plot("curves.png")
    local curves = read_csv("curves.csv")
    assert.same({"epoch", "memorising training images", "memorising test images", against .. " training images",
      against .. " test images"}, curves[1])
    assert.near(rows[2][2], curves[#curves][2], 1e-5)
    assert.near(rows[2][3], curves[#curves][3], 1e-5)
    return rows[2], rows[3]
  end

  it("memorises, and less so with noise", function()
    local output = succeeds("memorise", small)
    local memorising, noise = check_files("noise")
    has(output, ("memorise: memorising training loss %.4f, memorising test loss %.4f, "):format(memorising[2],
      memorising[3]))
    assert.is_true(memorising[3] > 3 * memorising[2])
    assert.is_true(noise[2] > memorising[2])
    assert.is_true(noise[6] - noise[5] < memorising[6] - memorising[5])
  end)

  it("can use a penalty against memorising", function()
    succeeds("memorise", small .. "--against penalty --decay 5")
    local memorising, penalty = check_files("penalty")
    assert.is_true(penalty[4] < memorising[4])
    local function size(name)
      return assert(moon.load(("%s/%s.safetensors"):format(folder, name))):layer(1).weight:norm()
    end
    assert.is_true(size("penalty") < size("memorising"))
  end)

  it("can use early stopping against memorising", function()
    succeeds("memorise", small .. "--against stopping --patience 3")
    local memorising, stopping = check_files("stopping")
    assert.is_true(stopping[3] < memorising[3])
    local both, best, at = read_csv("memorising-history.csv"), math.huge, nil
    local stopped = read_csv("stopping-history.csv")
    -- The same net until it stopped, three epochs after its best test loss.
    for i = 2, #stopped do
      assert.near(both[i][3], stopped[i][3], 1e-9)
      if stopped[i][3] < best then best, at = stopped[i][3], i end
    end
    assert.is_true(#stopped < #both)
    assert.equal(at + 3, #stopped)
    assert.near(best, stopping[3], 1e-6)
  end)

  it("resumes, including its curves", function()
    local options = "--hidden 8 --code 2 "
    succeeds("memorise", options .. "--epochs 6")
    local whole = {}
    local names = {"memorising.safetensors", "noise.safetensors", "errors.csv", "curves.png"}
    for _, name in ipairs(names) do whole[name] = read_file(folder .. "/" .. name) end
    succeeds("memorise", options .. "--epochs 3")
    os.remove(folder .. "/noise.run-checkpoint") -- as if the script had ended between the two nets
    has(succeeds("memorise", options .. "--epochs 6 --resume"), "\nepoch 4/6")
    for _, name in ipairs(names) do assert.is_true(whole[name] == read_file(folder .. "/" .. name), name) end
  end)

  it("takes fewer images than a batch", function()
    succeeds("memorise", "--hidden 8 --code 2 --epochs 2 --images 5")
    has(read_file(folder .. "/errors.csv"), "memorising")
  end)

  it("fails on bad options", function()
    rejects("memorise", "--against magic", "--against")
    rejects("memorise", "--masked 2", "--masked: '2' is not a number from 0 to 1")
    rejects("memorise", "--images 0", "--images: '0' is not a whole number of at least 1")
  end)
end)

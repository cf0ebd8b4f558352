-- plain.lua and deep.lua, run as programs on the shapes of spec/fixtures.
local lfs = require "lfs"
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"

local has = expect.has

local shapes = "spec/fixtures/shapes"
local files = dofile("spec/support/files.lua")
local lua = files.quote(os.getenv("LUA") or "lua5.4")
local program = files.quote(os.getenv("MOONGLASS_BIN") or "build/moonglass")

local read_file = files.read
local runs = dofile("spec/support/script_runs.lua")(after_each, "")

local function exists(path) return lfs.attributes(path, "mode") ~= nil end

local function remove(path)
  if lfs.symlinkattributes(path, "mode") == "directory" then
    for name in lfs.dir(path) do
      if name ~= "." and name ~= ".." then remove(path .. "/" .. name) end
    end
    lfs.rmdir(path)
  else
    os.remove(path)
  end
end

-- stdout, stderr, exit status.
local function run(runner, arguments)
  return files.run(("env -u MOONGLASS_DATA %s %s"):format(runner, arguments))
end

local function lines_of(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

local folder

before_each(function()
  folder = os.tmpname()
  os.remove(folder)
end)

after_each(function() remove(folder) end)

local function train(runner, script, more)
  local output, errors, status = run(runner, ("scripts/%s.lua --data %s --out %s/a/b --epochs 2 %s"):format(script,
    shapes, folder, more or ""))
  assert.equal("", errors)
  assert.equal(0, status)
  return output, folder .. "/a/b/"
end

local function is_drawn(picture) return picture:max() - picture:min() == 255 end

-- A file of figures as {name = value}.
local function figures_of(out)
  local figures = {}
  for i, line in ipairs(lines_of(out .. "figures.csv")) do
    local name, value = line:match("^([^,]+),([^,]+)$")
    if i == 1 then assert.same({"figure", "value"}, {name, value}) else figures[name] = tonumber(value) end
  end
  return figures
end

-- The files of a run whose first layer has this many units.
local function check_files(out, units)
  local names = {}
  for name in lfs.dir(out) do names[#names + 1] = name end
  table.sort(names)
  assert.same({".", "..", "contents.txt", "figures.csv", "filters.png", "history.csv", "loss.png",
    "model.run-checkpoint", "model.run-checkpoint.1", "model.safetensors", "reconstructions.png"}, names)

  local test = assert(moon.data.mnist(shapes, "test"))
  local picture = assert(moon.png.read(out .. "reconstructions.png"))
  local net = assert(moon.load(out .. "model.safetensors"))
  assert.is_true(picture:equal(moon.image.rows({test, net:predict(test)},
    {scale = 2, titles = {"original", "reconstruction"}})))
  assert.is_true(is_drawn(picture))

  -- Dead units are counted, and their tiles are crosses.
  local train_set = assert(moon.data.mnist(shapes, "train"))
  local dead, count = moon.metrics.dead_units(net:slice(1, 1):predict(train_set))
  local name = #net == 2 and "dead code units" or "dead units of hidden layer 1"
  assert.equal(count, figures_of(out)[name])
  local expected = moon.image.grid(net:layer(1).weight:t() * train_set:std(1),
    {normalize = "signed", scale = 2, crossed = dead})
  assert.equal(math.ceil(math.sqrt(units)) * 58 + 2, expected:size(2))
  local filters = assert(moon.png.read(out .. "filters.png"))
  assert.is_true(runs.tiles(filters, #expected, expected:size(2), true):equal(expected))

  local plot = assert(moon.png.read(out .. "loss.png"))
  assert.same({600, 800}, {plot:size(1), plot:size(2)})
  assert.is_true(plot:max() == 255 and plot:min() < 100)
  assert.equal(2, assert(moon.checkpoint.load(out .. "model.run-checkpoint")).epoch)

  local lines = lines_of(out .. "history.csv")
  assert.equal(3, #lines)
  assert.equal("epoch,loss,val_loss", lines[1])
  for i = 1, 2 do
    local epoch, loss, val_loss = lines[i + 1]:match("^(%d+),([%d.e+-]+),([%d.e+-]+)$")
    assert.equal(tostring(i), epoch)
    assert.is_true(tonumber(loss) > 0 and tonumber(val_loss) > 0)
  end
  return net
end

describe("scripts/plain.lua", function()
  it("trains, reports and writes its files", function()
    local output, out = train(program, "plain")
    assert.equal("a set in MNIST's format in spec/fixtures/shapes: 40 training images and 20 test images of 784 pixels",
      output:match("^[^\n]*"))
    local net = check_files(out, 32)
    local test = assert(moon.data.mnist(shapes, "test"))
    local figures = figures_of(out)
    local train_set = assert(moon.data.mnist(shapes, "train"))
    assert.near(net:errors(test):mean() * 784, figures["squared error a test image"], 1e-3)
    assert.near(net:errors(train_set):mean() * 784, figures["squared error a training image"], 1e-3)
    has(output, ("squared error a test image %.2f, "):format(figures["squared error a test image"]))
    local dead, dark = output:match("Dead output pixels: (%d+) of 784 are 0 for all test images, and (%d+) of these")
    assert.equal(net:predict(test):max(1):eq(0):sum(), tonumber(dead))
    assert.is_true(tonumber(dark) <= tonumber(dead))
    assert.equal(tonumber(dead), figures["dead output pixels"])
    assert.equal(net:encode(train_set):max(1):eq(0):sum(), figures["dead code units"])
  end)

  it("takes other outputs, losses and sizes", function()
    local output, out = train(lua, "plain", "--output sigmoid --loss bce --hidden 9 --batch 7")
    assert.is_nil(output:find("ead output pixels"))
    local net = check_files(out, 9)
    local y = net:predict((assert(moon.data.mnist(shapes, "test"))))
    assert.is_true(y:min() > 0 and y:max() < 1)
  end)

  it("ties the weights", function()
    local _, out = train(program, "plain", "--tied --hidden 5")
    check_files(out, 5)
    local tensors = assert(moon.safetensors.load(out .. "model.safetensors"))
    assert.same({5, 784}, tensors["0.weight"].shape)
    assert.is_true(tensors["0.weight"]:t():equal(tensors["2.weight"]))
  end)

  it("adds a contractive penalty to its loss", function()
    local _, out = train(program, "plain", "--contractive 0.5 --hidden 5")
    local net = check_files(out, 5)
    local test = assert(moon.data.mnist(shapes, "test"))
    local weight = net:layer(1).weight
    -- A ReLU unit's derivatives with respect to the input are its weights where it is above 0, else 0.
    local active = net:encode(test):gt(0)
    local penalty = 0.5 * (active:matmul(weight:square():sum(1):reshape(5, 1))):sum() / 20
    assert.is_true(penalty > 0.01)
    local val_loss = tonumber(lines_of(out .. "history.csv")[3]:match("^[^,]*,[^,]*,([^,]*)"))
    assert.near(net:errors(test):mean() * 784 + penalty, val_loss, 1e-3)
  end)
end)

describe("scripts/deep.lua", function()
  it("trains, reports and writes its files", function()
    local output, out = train(lua, "deep")
    local net = check_files(out, 128)
    local test = assert(moon.data.mnist(shapes, "test"))
    local loss = output:match("\ndeep: training loss [%d.]+, test loss ([%d.]+),")
    assert.near(net:evaluate(test, {loss = "bce"}), tonumber(loss), 6e-5)
    assert.near(figures_of(out)["test loss"], tonumber(loss), 6e-5)
    assert.near(tonumber(loss), tonumber(lines_of(out .. "history.csv")[3]:match("^[^,]*,[^,]*,([^,]*)")), 6e-5)
    assert.equal(32, net:encode(test):size(2))
  end)

  it("takes a list of widths", function()
    local _, out = train(program, "deep", "--hidden 50,20 --code 3")
    local net = check_files(out, 50)
    assert.equal(6, #net)
    assert.equal(3, net:encode((assert(moon.data.mnist(shapes, "test")))):size(2))
  end)

  it("repeats itself byte for byte, with the same seed only", function()
    local weights = {}
    for i, seed in ipairs{7, 7, 8} do
      local _, out = train(program, "deep", "--seed " .. seed)
      weights[i] = read_file(out .. "model.safetensors")
    end
    assert.is_true(weights[1] == weights[2])
    assert.is_false(weights[1] == weights[3])
  end)
end)

describe("scripts/deep.lua: long trainings", function()
  local arguments = ("scripts/deep.lua --data %s --hidden 20 --code 4 --batch 8 --epochs 60"):format(shapes)
  local schedule = " --schedule plateau --patience 50 --lr 0.01"

  local function deep(out, more)
    local output, errors, status = run(program, ("%s --out %s %s"):format(arguments, out, more))
    assert.equal("", errors)
    assert.equal(0, status)
    return output
  end

  -- Killed by SIGKILL in one of the epochs after the 15th.
  local function kill_on_the_way(out, more)
    local log = os.tmpname()
    os.execute(([[
      ( %s %s --out %s %s >%s 2>&1 & pid=$!
        tries=0
        until grep -q '^epoch 15/' %s || [ $tries = 500 ]; do sleep 0.01; tries=$((tries + 1)); done
        kill -9 $pid; wait $pid ) 2>/dev/null]]):format(program, arguments, out, more, log, log))
    os.remove(log)
    local epoch = assert(moon.checkpoint.load(out .. "/model.run-checkpoint")).epoch
    assert.is_true(epoch >= 14 and epoch < 60, ("killed after epoch %d"):format(epoch))
    assert.is_false(exists(out .. "/model.safetensors"))
    return epoch
  end

  local function losses(out) return lines_of(out .. "/history.csv") end

  it("resumes bit for bit after a kill", function()
    deep(folder .. "/whole", schedule)
    local epoch = kill_on_the_way(folder .. "/halves", schedule)
    local output = deep(folder .. "/halves", schedule .. " --resume")
    has(output, ("\nepoch %d/60"):format(epoch + 1))
    assert.is_nil(output:find(("\nepoch %d/60"):format(epoch), 1, true))
    assert.equal(61, #losses(folder .. "/whole"))
    for _, name in ipairs{"model.safetensors", "history.csv", "figures.csv", "reconstructions.png", "loss.png"} do
      assert.is_true(read_file(folder .. "/whole/" .. name) == read_file(folder .. "/halves/" .. name), name)
    end
  end)

  -- All files except checkpoints, which have times, and demo's page, which shows them.
  local function content(out)
    local all = {}
    for name in lfs.dir(out) do
      if not name:find("^%.%.?$") and not name:find("%.run%-checkpoint") and not name:find("%.html$") then
        all[name] = read_file(out .. "/" .. name)
      end
    end
    return all
  end

  -- Kill it after longer and longer times, until it ends by itself. Return the number of kills.
  local function run_with_kills(command)
    local seconds, kills = 0.05, 0
    while true do
      local _, errors, status = files.run(("timeout -s KILL %.3f %s --resume"):format(seconds, command))
      if status == 0 then return kills end
      assert.equal(137, status, errors)
      seconds, kills = seconds * 1.15, kills + 1
    end
  end

  it("resume bit for bit after many kills, also in scripts of several nets", function()
    for script, options in pairs{
      features = "--epochs 30 --hidden 20 --plane-hidden 20 --code 5 --steps 3 --side 3 --schedule cosine",
      demo = "--epochs 4", denoising = "--epochs 60 --once --schedule plateau --patience 50",
      sparse = "--epochs 30 --hidden 20 --code 5 --layers encoder",
      variational = "--epochs 30 --hidden 20 --plane-hidden 20 --code 5 --steps 3 --side 3",
      winner_take_all = "--epochs 40 --code 20", -- these two have a layer in Lua
      categorical = "--epochs 40 --hidden 20 --variables 4 --classes 3 --side 3",
    } do
      local command = ("%s scripts/%s.lua --data %s --batch 8 --threads 1 %s --out %s/%s"):format(program, script,
        shapes, options, folder, script)
      local _, errors, status = files.run(command .. "-whole")
      assert.equal("", errors)
      assert.equal(0, status)
      local kills = run_with_kills(command)
      assert.is_true(kills >= 2, ("%s was killed %d times only"):format(script, kills))
      local whole, resumed = content(("%s/%s-whole"):format(folder, script)), content(("%s/%s"):format(folder, script))
      for name in pairs(resumed) do assert.is_truthy(whole[name], name) end
      for name, bytes in pairs(whole) do assert.is_true(bytes == resumed[name], script .. ": " .. name) end
    end
  end)

  it("resumes from the checkpoint before a damaged one", function()
    deep(folder .. "/whole", "--epochs 6")
    deep(folder .. "/halves", "--epochs 4")
    local newest = folder .. "/halves/model.run-checkpoint"
    local bytes = read_file(newest)
    local file = assert(io.open(newest, "wb"))
    file:write(bytes:sub(1, -2), string.char(bytes:byte(-1) ~ 1))
    file:close()
    local output = deep(folder .. "/halves", "--epochs 6 --resume")
    has(output, "going on from the checkpoint before: '" .. newest .. "': damaged: ")
    has(output, "\nepoch 4/6")
    assert.same(losses(folder .. "/whole"), losses(folder .. "/halves"))
    assert.is_true(read_file(folder .. "/whole/model.safetensors") == read_file(folder .. "/halves/model.safetensors"))
  end)

  it("stops when the test loss no longer falls, and keeps the best net", function()
    deep(folder, "--lr 0.05 --patience 3")
    local best, best_epoch, lines = math.huge, 0, losses(folder)
    for i = 2, #lines do
      local val_loss = tonumber(lines[i]:match("([^,]*)$"))
      if val_loss < best then best, best_epoch = val_loss, i - 1 end
    end
    assert.is_true(#lines - 1 < 60)
    assert.equal(best_epoch + 3, #lines - 1)
    local net = assert(moon.load(folder .. "/model.safetensors"))
    assert.near(best, net:evaluate((assert(moon.data.mnist(shapes, "test"))), {loss = "bce"}), 1e-6)
    assert.near(best, figures_of(folder .. "/")["test loss"], 1e-6)
  end)

  it("refuses to resume another net or seed, and starts anew without --resume", function()
    deep(folder, "--epochs 2")
    local checkpoint = read_file(folder .. "/model.run-checkpoint")
    for _, other in ipairs{"--code 5", "--seed 43"} do
      local _, errors, status = run(program, ("%s --out %s --resume %s"):format(arguments, folder, other))
      assert.equal(1, status)
      has(errors, ("deep: %s/model.run-checkpoint has another net or seed"):format(folder))
      assert.is_true(checkpoint == read_file(folder .. "/model.run-checkpoint"))
    end
    local stale = folder .. "/stale.run-checkpoint"
    local file = assert(io.open(stale, "w"))
    file:close()
    has(deep(folder, "--epochs 3 --resume"), "\nepoch 3/3")
    assert.is_true(exists(stale))
    has(deep(folder, "--epochs 3"), "\nepoch 1/3")
    assert.is_false(exists(stale))
  end)
end)

describe("a script without gnuplot", function()
  it("says so once, and writes its other pictures and numbers", function()
    for script, made in pairs{
      deep = {"history.csv", "figures.csv", "reconstructions.png"}, anomaly = {"roc.csv", "errors.csv", "others.png"},
      features = {"plane.csv", "components.csv", "map.png"}, memorise = {"curves.csv", "reconstructions.png"},
      sparse = {"quantiles.csv", "filters.png"}, demo = {"demo.html"}, variational = {"plain-plane.csv", "samples.png"},
    } do
      local more = script == "anomaly" and " --against digits --normal 0,1,2" or ""
      local output, errors, status = files.run(("env -u MOONGLASS_DATA PATH=/nowhere %s scripts/%s.lua --data %s "
        .. "--out %s/%s --batch 8 --epochs 1%s"):format(program, script, shapes, folder, script, more))
      assert.equal("", errors)
      assert.equal(0, status)
      has(output, "there is no program gnuplot (Debian's package gnuplot-nox)")
      assert.equal(1, select(2, output:gsub("no plots: ", "")))
      for _, name in ipairs(made) do
        local path = ("%s/%s/%s"):format(folder, script, name)
        assert.is_true((lfs.attributes(path, "size") or 0) > 40, path)
      end
    end
  end)
end)

describe("both scripts", function()
  -- It fails with one line and the status, and writes nothing.
  local function rejects(script, arguments, status, ...)
    for _, runner in ipairs{lua, program} do
      local output, errors, got = run(runner, ("scripts/%s.lua --out %s %s"):format(script, folder, arguments))
      for _, part in ipairs{...} do has(errors, part) end
      assert.is_truthy(errors:find("^" .. script .. ": [^\n]+\n$"), ("expected one line, got:\n%s"):format(errors))
      assert.equal(status, got)
      assert.equal("", output)
      assert.is_false(exists(folder))
    end
  end

  for _, script in ipairs{"plain", "deep"} do
    it(("%s: --help"):format(script), function()
      local output, errors, status = run(program, ("scripts/%s.lua --help"):format(script))
      for _, name in ipairs{"epochs", "batch", "hidden", "lr", "seed", "threads", "data", "out"} do
        has(output, "--" .. name)
      end
      has(output, "default: out/" .. script)
      assert.equal("", errors)
      assert.equal(0, status)
    end)

    it(("%s: bad options"):format(script), function()
      local data = "--data " .. shapes
      rejects(script, "--wrong 3", 2, "unknown option '--wrong'")
      rejects(script, "extra", 2, "too many arguments")
      rejects(script, "--epochs", 2, "--epochs")
      rejects(script, "--epochs 0", 2, "--epochs: '0' is not a whole number of at least 1")
      rejects(script, "--batch 2.5", 2, "--batch: '2.5' is not a whole number of at least 1")
      rejects(script, "--hidden x", 2, "--hidden: 'x' is not a")
      rejects(script, "--lr nan", 2, "--lr: 'nan' is not a number above 0")
      rejects(script, "--lr -1", 2, "--lr: '-1' is not a number above 0")
      rejects(script, "--lr 1e999", 2, "--lr: '1e999' is not a number above 0")
      rejects(script, "--seed x", 2, "--seed: 'x' is not a whole number")
      rejects(script, "--threads 1000", 2, "--threads: '1000' is not a whole number of 1 to 256")
      rejects(script, data .. " --batch 41", 1, "--batch is 41, expected at most the 40 training images")
      rejects(script, "--data /nowhere", 1, "train-images-idx3-ubyte", "/nowhere", "data/fetch.sh")
    end)

    it(("%s: an output folder that cannot be made"):format(script), function()
      local file = os.tmpname()
      local _, errors, status = run(program, ("scripts/%s.lua --data %s --out %s/below"):format(script, shapes, file))
      os.remove(file)
      has(errors, ("%s: cannot make the folder %s: "):format(script, file))
      assert.equal(1, status)
    end)

    it(("%s: a training that diverges ends with one line and no files"):format(script), function()
      local _, errors, status = run(program, ("scripts/%s.lua --data %s --out %s --lr 1e38 --epochs 9"):format(script,
        shapes, folder))
      assert.is_truthy(errors:find("^" .. script .. ": [^\n]+\n$"), errors)
      has(errors, "fit: loss is")
      assert.equal(1, status)
      assert.is_false(exists(folder .. "/model.safetensors"))
      assert.is_false(exists(folder .. "/history.csv"))
    end)
  end

  it("use only the named data set", function()
    local command = "scripts/deep.lua --out %s --dataset %s --data %s"
    for _, name in ipairs{"mnist", "fashion"} do
      local output, errors, status = run(program, command:format(folder, name, shapes))
      has(errors, ("deep: data.find: %s is not in %s (it has a set in MNIST's format)"):format(
        name == "mnist" and "MNIST" or "Fashion-MNIST", shapes))
      assert.same({"", 1, false}, {output, status, exists(folder)})
    end
    has(select(2, run(program, ("scripts/deep.lua --out %s --dataset mnist --data /nowhere"):format(folder))),
      "MNIST is not in /nowhere (not all files are there)")
  end)

  it("print their figures in lines that programs can read", function()
    local output = train(program, "deep")
    for line in output:match("\n(deep: .*)\nin "):gmatch("[^\n]+") do assert.is_true(#line <= 100, line) end
  end)

  it("plain: choices, and their combinations", function()
    rejects("plain", "--output tanh", 2, "--output", "relu", "sigmoid", "linear")
    rejects("plain", "--loss mae", 2, "--loss", "mse", "bce")
    rejects("plain", "--loss bce", 2, "--loss bce needs probabilities: --output sigmoid")
  end)

  it("deep: lists of widths", function()
    for _, text in ipairs{"''", "128,", ",128", "128,0", "128,,64", "a,b"} do
      rejects("deep", "--hidden " .. text, 2, "is not a list of widths like 256,128")
    end
  end)
end)

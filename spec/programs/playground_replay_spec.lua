-- Random clicks with a fixed seed in the playground's rooms, while the net trains and stops anywhere: the exported
-- script always gives the losses of the page's newest event, to the last digit.
local moon = require "moonglass"
local playground = dofile "spec/support/playground_host.lua"

local folder = "spec/fixtures/shapes"
local train, train_labels = moon.data.mnist(folder, "train")
local test, test_labels = moon.data.mnist(folder, "test")

local random = math.random
local function pick(list) return list[random(#list)] end

-- ---- what is clicked ----

local function widths()
  local list = {}
  for i = 1, random(0, 4) do list[i] = random(8) end
  return list
end

local points = {
  {"problem", function() return pick{"circle", "xor", "gauss", "spiral", "spirals3", "plane", "gaussian"} end},
  {"noise", function() return random(0, 10) * 5 end},
  {"ratio", function() return random(9) * 10 end},
  {"batch", function() return random(30) end},
  {"seed", function() return random(0, 999) end},
  {"features", function() return pick{{"x1", "x2"}, {"x1x2"}, {"sinx1", "x2sq", "x1"}} end},
  {"hidden", widths},
  {"activation", function() return pick{"tanh", "relu", "sigmoid", "linear"} end},
  {"optimizer", function() return pick{"sgd", "adam"} end},
  {"regularisation", function() return pick{"none", "L1", "L2"} end},
  {"regularisation_rate", function() return pick{0, 0.001, 0.1} end},
  {"rate", function() return pick{0.00001, 0.003, 0.01, 0.03, 0.1} end},
}

local pictures = {
  {"kind", function() return pick{"plain", "deep", "denoising", "sparse", "variational"} end},
  {"hidden", function() return pick{0, 5, 12} end},
  {"code", function() return random(2, 6) end},
  {"rows", function() return 40 end},
  {"activation", function() return pick{"relu", "elu", "tanh"} end},
  {"noise", function() return pick{"gaussian", "masking", "salt_pepper"} end},
  {"noise_level", function() return random(0, 20) / 20 end},
  {"sparsity", function() return pick{"l1", "kl", "k"} end},
  {"loss", function() return pick{"bce", "mse"} end},
  {"batch", function() return pick{1, 8, 32} end},
  {"optimizer", function() return pick{"adam", "sgd", "rmsprop"} end},
  {"seed", function() return random(0, 999) end},
  {"rate", function() return pick{0.0001, 0.001, 0.01} end},
}

local function some(settings, most)
  local result = {}
  for _ = 1, random(0, most) do
    local entry = pick(settings)
    result[entry[1]] = entry[2]()
  end
  return result
end

local function place() return random() * 12 - 6 end

local function own_points()
  local list = {}
  for i = 1, random(0, 40) do list[i] = {place(), place(), pick{-1, 1}} end
  return {["do"] = "points", list = list, own_labels = "two"}
end

local function own_pictures()
  local n, bytes = random(25), {}
  for i = 1, n * 784 do bytes[i] = string.char(random(0, 255)) end
  return {["do"] = "own", n = n, images = table.concat(bytes)}
end

local function edit()
  return {["do"] = "edit", layer = random(3), from = random(0, 3), to = random(3), value = random() * 4 - 2}
end

local function click_of(settings)
  local own = settings == points and own_points or own_pictures
  local rate = settings[#settings][2]
  local function set_rate() return {["do"] = "set", settings = {rate = rate()}} end
  local function run() return {["do"] = "run"} end
  local list = {
    run, run, run, set_rate, set_rate, own, edit, edit, edit,
    function() return {["do"] = "pause"} end,
    function() return {["do"] = "step"} end,
    function() return {["do"] = "samples"} end,
    function() return {["do"] = "set", settings = some(settings, 3)} end,
    function() return {["do"] = "reset", seed = pick{false, 7} or nil} end,
    function() return {["do"] = "point", x = place(), y = place(), label = pick{-1, 1, 0}} end,
  }
  return pick(list)()
end

-- ---- playing ----

-- Clicks that are wrong for the net as it is are refused. Between them training goes on, and stops anywhere.
local function play(host, settings)
  for _ = 1, random(3, 30) do
    pcall(host.ask, host, click_of(settings))
    host.due_every = pick{1, 2, 3, 7, 50}
    for _ = 1, random(0, 3) do
      if random(2) == 1 then host:frame() else host:turn(1) end
    end
  end
end

-- The script's text and the newest event: in any order, in the middle of an epoch, and after a last edit.
local function newest(host)
  local text
  local first = random(2) == 1
  if first then host:ask{["do"] = "pause"} else host:frame() end
  local ok, answer = pcall(host.ask, host, {["do"] = "export", what = "script"})
  text = ok and answer.text
  if first then host:frame() end
  assert.is_true(ok or answer:find("there are no points", 1, true) ~= nil, answer)
  return text, host.events.epoch
end

-- The lines that the script prints. Its pictures are those of the fixture, wherever the set of this name is.
local function run_script(text)
  text = text:gsub("moon%.data%.mnist%(", ("%%0%q, "):format(folder))
  local lines = {}
  local globals = setmetatable({print = function(line) lines[#lines + 1] = line end}, {__index = _G})
  assert(load(text, "=exported", "t", globals))()
  return table.concat(lines, "\n")
end

-- The lines of the page's event. Before the first epoch of pictures the page has no loss.
local function lines_of(event, printed)
  local loss = event.loss and ("%.17g"):format(event.loss) or printed:match "\nloss (%S+)"
  local test_loss = event.test_loss and ("\ntest loss %.17g"):format(event.test_loss) or ""
  local parts = event.kl and ("\nreconstruction %.17g\nkl %.17g"):format(event.reconstruction, event.kl) or ""
  return ("epoch %d\nloss %s%s%s"):format(event.epoch, loss, test_loss, parts)
end

-- How many of the trainings were repeated; the others have failed, or have no points.
local function replay(settings, kind, rounds)
  local repeated = 0
  for seed = 1, rounds do
    math.randomseed(seed)
    local host = playground.new{data = {train, train_labels, test, test_labels, "shapes"}}
    host.functions.bytes = function(bytes) return bytes end
    host:ask{["do"] = "open", slot = kind, room = kind, settings = some(settings, 6)}
    if kind == "autoencoder" then host:ask{["do"] = "watch", panels = {"samples"}} end
    play(host, settings)
    local text, event = newest(host)
    if text and not host.events.failure then
      local printed = run_script(text)
      assert.equal(lines_of(event, printed), printed, "the clicks of seed " .. seed)
      repeated = repeated + 1
    end
    host:finish()
  end
  return repeated
end

describe("the playground's script after random clicks", function()
  local threads = moon.info().threads
  setup(function() moon.set_threads(1) end)
  teardown(function() moon.set_threads(threads) end)

  it("repeats the room of points", function() assert.is_true(replay(points, "points", 80) > 40) end)

  it("repeats the room of autoencoders", function()
    assert.is_true(replay(pictures, "autoencoder", 25) > 12)
  end)
end)

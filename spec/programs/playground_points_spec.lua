-- The playground's session, its trainer, the exported script and the room "points", with a host made of Lua.
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"
local expect = dofile "spec/support/expect.lua"
local playground = dofile "spec/support/playground_host.lua"

local has = expect.has
local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"

-- A session with an open room "points".
local function open(settings, o)
  local host = playground.new(o)
  host:ask{["do"] = "open", slot = "points", room = "points", settings = settings}
  return host
end

local function set(host, settings) return host:ask{["do"] = "set", settings = settings} end

-- Run the exported script. Return its epoch, loss and test loss.
local function run_export(host)
  local path = os.tmpname()
  files.write(path, host:ask{["do"] = "export", what = "script"}.text)
  local output, errors, status = files.run(files.quote(program) .. " " .. path)
  os.remove(path)
  assert.equal("", errors)
  assert.equal(0, status)
  local test_loss = output:match "test loss (%S+)"
  return math.tointeger(output:match "epoch (%d+)"), tonumber(output:match "\nloss (%S+)"), tonumber(test_loss)
end

local function assert_replays(host)
  local event = host:frame().epoch
  local epoch, loss, test_loss = run_export(host)
  assert.equal(event.epoch, epoch)
  assert.equal(event.loss, loss)
  assert.equal(event.test_loss, test_loss)
  return event
end

describe("the playground's session", function()
  it("sends everything of a new room, and the weights and losses of the net while it trains", function()
    local host = open()
    local events = host:frame()
    assert.equal("points", events.schema.room)
    assert.equal(0, events.epoch.epoch)
    assert.same({250, 2}, events.points.train.shape)
    assert.same({7, 24, 24}, events.features.maps.shape)
    assert.same({6, 24, 24}, events.units.maps.shape)
    assert.same({100, 100}, events.units.output.shape)
    local before, loss = events.weights.layers[1].weight, events.epoch.loss
    host:train_to(20)
    assert.is_false(host.events.state.running)
    assert.is_true(host.events.epoch.loss < loss)
    assert.is_false(host.events.weights.layers[1].weight == before)
  end)

  it("computes only what is watched", function()
    local host = open()
    host:ask{["do"] = "watch", panels = {"weights"}}
    host:train_to(3)
    assert.is_nil(host.events.units)
    assert.is_nil(host.events.points)
    assert.is_table(host.events.weights)
    has(host:refusal{["do"] = "watch", panels = {"wieghts"}}, "watch: unknown panel 'wieghts' (known: points")
  end)

  it("steps by one whole epoch", function()
    local host = open(nil, {due_every = 7})
    host:ask{["do"] = "step"}
    host:turn(20)
    assert.equal(1, host:frame().epoch.epoch)
    host:turn(20)
    assert.is_false(host.events.state.running)
    assert.equal(1, host:frame().epoch.epoch)
  end)
end)

describe("the playground's script", function()
  it("gives the page's losses to the last digit", function()
    local host = open{problem = "spiral", noise = 10, hidden = {6, 3}, features = {"x1", "x2", "sinx1"}}
    host:train_to(30)
    assert_replays(host)
  end)

  it("repeats changes of the rate and edited weights in the middle", function()
    local host = open()
    host:train_to(10)
    set(host, {rate = 0.3})
    host:ask{["do"] = "edit", layer = 2, from = 0, to = 1, value = -1.25}
    host:train_to(20)
    local event = assert_replays(host)

    local plain = open()
    plain:train_to(event.epoch)
    assert.is_false(plain.events.epoch.loss == event.loss)
  end)
end)

describe("the playground's trainer", function()
  it("gives the bits of one long fit", function()
    local host = open{hidden = {3}}
    local event = host:train_to(40).epoch
    local nets = require "playground.points.nets"
    local options = require "playground.points.options"
    local data = require "playground.points.data"
    local s = options:check{hidden = {3}}
    local d, net = data.new(s, {}), nets.new(s, 2)
    local history = net:fit(d.x, d.y, {loss = moon.mse(), optimizer = moon.sgd{lr = 0.03}, epochs = event.epoch,
      batch_size = 10, seed = 1, verbose = 0})
    assert.equal(history.loss[event.epoch], event.loss)
    assert.is_true(net:layer(1).weight == host.events.weights.layers[1].weight)
  end)
end)

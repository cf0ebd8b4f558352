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
local function refused(host, settings) return host:refusal{["do"] = "set", settings = settings} end

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

-- The script's losses are the page's. Returns the page's event.
local function assert_replays(host)
  local event = host:frame().epoch
  local epoch, loss, test_loss = run_export(host)
  assert.equal(event.epoch, epoch)
  assert.equal(event.loss, loss)
  assert.equal(event.test_loss, test_loss)
  return event
end

-- ---- drawn points ----

local function drawn(name, noise, n)
  local new_random = require "playground.points.sets.random"
  return require("playground.points.sets." .. name)(n or 500, noise, new_random(3))
end

local function all(points, rule)
  for i, point in ipairs(points) do
    if not rule(point[1], point[2], point[3], i) then
      error(("point %d: %g %g %g"):format(i, point[1], point[2], point[3]), 2)
    end
  end
end

-- How many points break the rule.
local function broken(points, rule)
  local n = 0
  for _, point in ipairs(points) do n = n + (rule(point[1], point[2], point[3]) and 0 or 1) end
  return n
end

local function distance(x1, x2, y1, y2) return math.sqrt((x1 - (y1 or 0)) ^ 2 + (x2 - (y2 or 0)) ^ 2) end

describe("the playground's points", function()
  local function in_circle(x1, x2, label) return (distance(x1, x2) < 2.5) == (label == 1) end

  it("make a disc in a ring", function()
    local points = drawn("circle", 0)
    assert.equal(500, #points)
    all(points, in_circle)
    all(points, function(x1, x2) return distance(x1, x2) <= 5 and math.abs(distance(x1, x2) - 3) >= 0.5 end)
    local wrong = broken(drawn("circle", 0.5), in_circle)
    assert.is_true(wrong > 50 and wrong < 250, wrong)
  end)

  it("make an exclusive or", function()
    local function same_sign(x1, x2, label) return (x1 * x2 >= 0) == (label == 1) end
    local points = drawn("xor", 0)
    all(points, same_sign)
    all(points, function(x1, x2)
      return math.min(math.abs(x1), math.abs(x2)) >= 0.3 and math.max(math.abs(x1), math.abs(x2)) <= 5.3
    end)
    assert.is_true(broken(drawn("xor", 0.5), same_sign) > 50)
  end)

  it("make two clouds of variance 0.5 to 4", function()
    for noise, variance in pairs{[0] = 0.5, [0.5] = 4} do
      local points = drawn("gauss", noise, 20000)
      local x = {}
      for i, point in ipairs(points) do x[i] = {point[1] - 2 * point[3], point[2] - 2 * point[3]} end
      x = moon.tensor(x)
      assert.near(0, x:mean(), 0.03)
      assert.near(variance, x:var(), 0.05 * variance)
    end
  end)

  it("make two spirals of 1.75 turns", function()
    local points = drawn("spiral", 0)
    all(points, function(x1, x2, label, i)
      local share = (i - 1) % 250 / 250
      local angle = 3.5 * math.pi * share + (label == 1 and 0 or math.pi)
      return math.abs(x1 - 5 * share * math.sin(angle)) < 1e-9 and math.abs(x2 - 5 * share * math.cos(angle)) < 1e-9
    end)
    all(drawn("spiral", 0.5), function(x1, x2, _, i)
      return distance(x1, x2, points[i][1], points[i][2]) <= 0.5 * math.sqrt(2)
    end)
  end)

  it("make the lecture's three spirals, as moon.data.spirals does", function()
    local points, x = drawn("spirals3", 0, 300), moon.data.spirals{n = 100, noise = 0}
    all(points, function(x1, x2, class, i)
      return class == (i - 1) // 100 and distance(x1, x2, 5 * x:get(i, 1), 5 * x:get(i, 2)) < 1e-5
    end)
    local angles = {}
    for i, point in ipairs(drawn("spirals3", 0.1, 3000)) do
      local share = (i - 1) % 1000 / 999
      local off = math.atan(point[1], point[2]) - 4 * point[3] - 4 * share
      angles[i] = share == 0 and 0 or (off + math.pi) % (2 * math.pi) - math.pi
    end
    assert.near(0.2, moon.tensor(angles):std(), 0.01)
  end)

  it("make a plane and hills for regression", function()
    all(drawn("plane", 0), function(x1, x2, v) return v == (x1 + x2) / 10 and math.max(x1, x2, -x1, -x2) <= 6 end)
    all(drawn("gaussian", 0, 2000), function(x1, x2, v)
      local nearest, sign = math.huge, 0
      for column = -1, 1 do
        for row = -1, 1, 2 do
          local d = distance(x1, x2, 4 * column, 2.5 * row)
          if d < nearest then nearest, sign = d, column % 2 == (row == 1 and 1 or 0) and 1 or -1 end
        end
      end
      return math.abs(v - sign * math.max(0, 1 - nearest / 2)) < 1e-12
    end)
  end)

  it("depend on the seed only, and are divided without loss", function()
    local new_random, divide = require "playground.points.sets.random", require "playground.points.sets.divide"
    local a, b = new_random(5), new_random(5)
    local other = new_random(6).uniform(0, 1)
    local first = a.uniform(0, 1)
    assert.equal(first, b.uniform(0, 1))
    assert.not_equal(first, other)
    local points = drawn("circle", 0)
    local train, test = divide(points, 0.3, a)
    assert.equal(150, #train)
    assert.equal(350, #test)
    local seen = {}
    for _, part in ipairs{train, test} do
      for _, point in ipairs(part) do seen[point] = true end
    end
    for _, point in ipairs(points) do assert.is_true(seen[point]) end
  end)
end)

-- ---- the session ----

describe("the playground's session", function()
  it("sends everything of a new room, and the net while it trains", function()
    local host = open()
    local events = host:frame()
    assert.equal("points", events.schema.room)
    assert.equal("points", events.schema.slot)
    assert.equal(0, events.epoch.epoch)
    assert.same({250, 2}, events.points.train.shape)
    assert.same({250}, events.points.test_labels.shape)
    assert.equal(2, events.points.classes)
    assert.same({7, 24, 24}, events.features.maps.shape)
    assert.same({6, 24, 24}, events.units.maps.shape)
    assert.same({100, 100}, events.units.output.shape)
    assert.equal("circle", events.state.settings.problem)
    local before, loss = events.weights.layers[1].weight, events.epoch.loss
    host:train_to(20)
    assert.is_false(host.events.state.running)
    assert.is_true(host.events.epoch.loss < loss)
    assert.is_false(host.events.weights.layers[1].weight == before)
    assert.equal(1, host.sent.schema)
    assert.equal(1, host.sent.points)
  end)

  it("computes only what is watched", function()
    local host = open()
    host:ask{["do"] = "watch", panels = {"weights"}}
    host:train_to(3)
    assert.is_nil(host.events.units)
    assert.is_nil(host.events.points)
    assert.is_table(host.events.weights)
    host:ask{["do"] = "watch", panels = {"points"}}
    assert.is_table(host:frame().points)
    has(host:refusal{["do"] = "watch", panels = {"wieghts"}}, "watch: unknown panel 'wieghts' (known: points")
    has(host:refusal{["do"] = "watch"}, "watch: panels is nil, expected a list of names")
    has(host:refusal{["do"] = "watch", panels = {a = "units"}}, "watch: panels is a table, expected a list of names")
  end)

  it("does nothing while nothing changes", function()
    local host = open()
    host:frame()
    local sent = host.sent.state
    host:frame()
    assert.equal(sent, host.sent.state)
  end)

  it("sends the curve when it has another point, not with each frame", function()
    local host = open()
    assert.same({0}, {table.unpack(host:frame().curve.epoch)})
    local curve = host:train_to(3).curve
    assert.equal(host.events.epoch.epoch, curve.epoch[#curve.epoch])
    assert.equal(host.events.epoch.loss, curve.loss[#curve.loss])
    local curves, epochs = host.sent.curve, host.sent.epoch
    set(host, {rate = 0.1})
    host:frame()
    assert.equal(curves, host.sent.curve)
    assert.is_true(host.sent.epoch > epochs)
    host:ask{["do"] = "reset"}
    assert.equal(1, #host:frame().curve.epoch)
  end)

  it("steps by one whole epoch, with stops in the middle", function()
    local host = open(nil, {due_every = 7})
    for epoch = 1, 2 do
      host:ask{["do"] = "step"}
      host:turn(30)
      assert.equal(epoch, host:frame().epoch.epoch)
      assert.equal(0, host.events.state.batch)
      assert.is_false(host.events.state.running)
    end
  end)

  it("keeps a step a step when a setting begins anew", function()
    local host = open(nil, {due_every = 3})
    host:ask{["do"] = "step"}
    set(host, {activation = "relu"})
    host:turn(30)
    assert.equal(1, host:frame().epoch.epoch)
    assert.is_false(host.events.state.running)
  end)

  it("resets to the same net, and to another one from another seed", function()
    local host = open{noise = 10}
    local first, points = host:frame().weights.layers[1].weight, host.events.points.train
    local once = host:train_to(5).epoch
    host:ask{["do"] = "reset"}
    assert.is_true(host:frame().weights.layers[1].weight == first)
    assert.equal(0, host.events.epoch.epoch)
    local again = host:train_to(5).epoch
    assert.equal(once.epoch, again.epoch)
    assert.equal(once.loss, again.loss)
    host:ask{["do"] = "reset", seed = 2}
    assert.is_false(host:frame().weights.layers[1].weight == first)
    assert.is_false(host.events.points.train == points)
    assert.equal(2, host.events.state.settings.seed)
    has(host:refusal{["do"] = "reset", seed = 1.5}, "reset: seed is 1.5, expected a whole number")
    has(host:refusal{["do"] = "reset", seed = -1}, "seed is -1, expected a whole number of 0 to 999999")
    assert.equal(2, host:frame().state.settings.seed)
  end)

  it("comes back to the room of a slot, and trains only the current one", function()
    local host = open{hidden = {3}}
    local points = host:train_to(5).epoch
    host:ask{["do"] = "run"}
    host:ask{["do"] = "open", slot = "lecture", room = "points", settings = {problem = "xor"}}
    assert.equal("xor", host:frame().state.settings.problem)
    assert.equal(0, host.events.epoch.epoch)
    host:train_to(3)
    host:ask{["do"] = "open", slot = "points", room = "points", settings = {hidden = {3}}}
    local back = host:frame()
    assert.is_true(back.epoch.epoch >= points.epoch and back.epoch.epoch <= points.epoch + 1)
    assert.is_false(back.state.running)
    assert.is_table(back.schema)
    host:ask{["do"] = "open", slot = "points", room = "points"}
    assert.equal(back.epoch.epoch, host:frame().epoch.epoch)
    has(host:refusal{["do"] = "open", slot = "points", room = "points", settings = {hidden = 3}}, "set: hidden is 3")
    host:ask{["do"] = "open", slot = "points", room = "points", settings = {}}
    assert.equal(0, host:frame().epoch.epoch)
    host:train_to(2)
    host:ask{["do"] = "open", slot = "points", room = "points", fresh = true}
    assert.equal(0, host:frame().epoch.epoch)
    assert.same({4, 2}, {table.unpack(host.events.state.settings.hidden)})
  end)

  it("takes choices of a list in any order", function()
    local host = open{features = {"x1", "sinx1"}}
    host:train_to(2)
    host:ask{["do"] = "open", slot = "points", room = "points", settings = {features = {"sinx1", "x1"}}}
    assert.is_true(host:frame().epoch.epoch >= 2)
  end)

  it("marks lists that may be empty", function()
    local host = open{hidden = {}}
    local events = host:frame()
    assert.equal("list", getmetatable(events.state.settings.hidden).__name)
    assert.equal("list", getmetatable(events.units.layers).__name)
    assert.same({0, 24, 24}, events.units.maps.shape)
    assert.equal(1, #events.weights.layers)
  end)

  it("refuses unknown commands and wrong places, and goes on", function()
    local host = playground.new()
    has(host:refusal{["do"] = "run"}, "no room is open")
    host:ask{["do"] = "watch", panels = {}}
    has(host:refusal{["do"] = "open", slot = "points"}, "open: room is 'nothing' (known: autoencoder, points)")
    has(host:refusal{["do"] = "open", slot = "x", room = "points"}, "open: slot is 'x' (known: autoencoder, lecture")
    has(host:refusal{["do"] = "open", slot = "points", room = "points", settings = {rate = 2}}, "set: rate is 2")
    has(host:refusal{["do"] = "run"}, "no room is open")
    host:ask{["do"] = "open", slot = "points", room = "points"}
    has(host:refusal{}, "do is nil, expected the name of a command")
    has(host:refusal{["do"] = "rnu"}, "unknown command 'rnu'")
    host:train_to(1)
  end)

  it("gives the net as files that others read", function()
    local host = open()
    local weight = host:train_to(3).weights.layers[1].weight
    local file = host:ask{["do"] = "export", what = "safetensors"}
    assert.equal("points.safetensors", file.name)
    local net = assert(moon.load_bytes((file.base64:gsub("^base64:", ""))))
    assert.is_true(net:layer(1).weight == weight)
    file = host:ask{["do"] = "export", what = "onnx"}
    assert.equal("points.onnx", file.name)
    assert.equal("base64:" .. moon.onnx.encode(net), file.base64)
    has(host:refusal{["do"] = "export"}, "export: what is nil (known: script, safetensors, onnx)")
  end)

  it("answers or refuses whatever it is asked, and goes on", function()
    local random = require("playground.points.sets.random")(8)
    local function pick(list) return list[1 + math.floor(random.uniform(0, #list))] end
    local value
    local makers = {
      function() return pick{0, 1, -1, 2, 0.5, 1e300, -1e300, 0 / 0, 1 / 0, math.maxinteger, math.mininteger} end,
      function() return pick{"", "x1", "points", "circle", "own", "script", "\0", ("a"):rep(1000)} end,
      function() return pick{true, false} end,
      function() return {value(), value()} end,
      function() return {[pick{"rate", "hidden", "problem", "seed", "own_labels", "x"}] = value()} end,
    }
    function value() return pick(makers)() end
    local names = {"open", "run", "pause", "step", "reset", "set", "watch", "export", "edit", "point", "points",
      "clear", "frame", "trainer", ""}
    local fields = {"slot", "room", "settings", "fresh", "seed", "panels", "what", "layer", "from", "to", "value", "x",
      "y", "label", "list", "own_labels"}
    local host, refusals = open(), 0
    for _ = 1, 1500 do
      local args = {["do"] = pick(names)}
      if args["do"] == "open" then args.slot, args.room = "points", "points" end
      for _ = 1, 4 do args[pick(fields)] = value() end
      host.queue[1] = {args = args}
      local entry = host.queue[1]
      host:turn(1)
      assert.is_true((entry.answer == nil) ~= (entry.words == nil))
      if entry.words then
        refusals = refusals + 1
        assert.is_nil(entry.words:find("attempt to", 1, true), entry.words)
      end
    end
    assert.is_true(refusals > 500)
    assert.same({}, host.logged)
    host:ask{["do"] = "open", slot = "points", room = "points", fresh = true}
    host:train_to(2)
    assert_replays(host)
  end)

  it("says why a training has failed, pauses, and begins anew", function()
    local host = open{problem = "plane", activation = "linear", rate = 10}
    host:ask{["do"] = "run"}
    host:turn(5)
    local events = host:frame()
    has(events.failure.message, "the learning rate, 10, is probably too high")
    has(events.failure.message, "then press Run")
    assert.is_false(events.state.running)
    has(events.state.message, "the learning rate")
    set(host, {rate = 0.01})
    events = host:train_to(3)
    assert.is_nil(events.failure)
    assert.is_nil(events.state.message)
    assert.is_true(events.epoch.loss < 0.5)
    assert_replays(host)
  end)

  it("asks for a smaller net when memory was the reason", function()
    local host = open()
    host.functions.due = function() error("out of memory: wanted 1605696 bytes more", 0) end
    host:ask{["do"] = "run"}
    local message = host:frame().failure.message
    has(message, "out of memory: wanted 1605696 bytes more. Take a smaller net, then press Run")
    assert.is_nil(message:find("learning rate", 1, true))
  end)
end)

-- ---- settings ----

describe("the settings of points", function()
  it("refuse what they do not know, and change nothing", function()
    local host = open()
    local before = host:frame().state.settings
    has(refused(host, {rate = 0.1, problem = "circel"}), "set: problem is 'circel' (known: circle, xor")
    has(refused(host, {rate = 0.1, noise = 51}), "set: noise is 51, expected a number of 0 to 50")
    has(refused(host, {noise = "x"}), "set: noise is 'x', expected a number of 0 to 50")
    has(refused(host, {batch = 1.5}), "set: batch is 1.5, expected a whole number of 1 to 30")
    has(refused(host, {batch = 0 / 0}), "set: batch is nan, expected a whole number")
    has(refused(host, {hidden = {9}}), "set: an element of hidden is 9, expected a whole number of 1 to 8")
    has(refused(host, {hidden = {1, 1, 1, 1, 1, 1, 1}}), "set: hidden has 7 elements, expected 0 to 6")
    has(refused(host, {hidden = 3}), "set: hidden is 3, expected a list")
    has(refused(host, {hidden = {a = 1}}), "set: hidden has a value at 'a', expected a list")
    has(refused(host, {features = {}}), "set: features has 0 elements, expected 1 to 7")
    has(refused(host, {features = {"x1", "x1"}}), "set: features has 'x1' twice")
    has(refused(host, {features = {"x3"}}), "set: features has 'x3' (known: x1, x2, x1sq")
    has(refused(host, {rate = 0.031}), "set: rate is 0.031 (known: 0.00001, 0.0001")
    has(refused(host, {epochs = 3}), "set: unknown setting 'epochs' (known: problem, own_labels")
    has(refused(host, nil), "set: settings are nil, expected an object")
    assert.same(before, host:frame().state.settings)
  end)

  it("describe themselves for the page: each has a label and a sentence, and its default passes the check", function()
    local options = require "playground.points.options"
    local schema = open():frame().schema.settings
    assert.equal(13, #schema)
    local defaults = {}
    for _, line in ipairs(schema) do
      assert.is_string(line.label)
      assert.is_true(line.help:find("%.$") ~= nil, line.name)
      for _, choice in ipairs(line.choices or {}) do assert.is_string(choice.label) end
      defaults[line.name] = line.default
    end
    assert.same(options:defaults(), options:check(defaults))
  end)

  it("begin anew, all but the rate, and go on running", function()
    local host = open()
    host:train_to(3)
    host:ask{["do"] = "run"}
    set(host, {rate = 0.1})
    assert.is_true(host:frame().epoch.epoch >= 3)
    for name, v in pairs{batch = 5, activation = "relu", hidden = {1}, features = {"x1"}, regularisation = "L1"} do
      set(host, {[name] = v})
      assert.is_true(host:frame().epoch.epoch <= 3, name)
      assert.is_true(host.events.state.running)
      host:train_to(6)
      host:ask{["do"] = "run"}
    end
  end)

  it("take a new rate with the next batch", function()
    local host = open()
    local before = host:train_to(2)
    set(host, {rate = 0.00001})
    local slow = host:train_to(before.epoch.epoch + 1).weights.layers[1].weight
    assert.is_true((slow - before.weights.layers[1].weight):abs():max() < 1e-3)
  end)
end)

-- ---- training ----

describe("the playground's trainer", function()
  local trainer = require "playground.trainer"

  local function parts()
    moon.seed(4)
    local x, y = moon.rand(7, 2), moon.rand(7, 1)
    local net = moon.sequential{moon.gaussian_noise(0.1), moon.dense(2, 3, {activation = "tanh"}), moon.dense(3, 1)}
    return {net = net, x = x, y = y, test = {y:reshape(1, 7):rows(1):reshape(7, 1):matmul(moon.ones(1, 2)), y},
      loss = moon.mse(), optimizer = moon.adam{lr = 0.01}, batch = 3, seed = 9}
  end

  local function train(t, epochs, stops)
    t.target = epochs
    local calls = 0
    while t.epoch < epochs do
      t:run(function()
        calls = calls + 1
        return calls % stops == 0
      end)
    end
  end

  it("gives the bits of one long fit, over several blocks and in stops of any length", function()
    local whole = parts()
    local history = whole.net:fit(whole.x, whole.y, {loss = whole.loss, optimizer = whole.optimizer, epochs = 2100,
      batch_size = 3, seed = 9, verbose = 0})
    local whole_test = whole.net:evaluate(whole.test[1], whole.test[2], {loss = whole.loss, batch_size = 3})
    for _, stops in ipairs{1, 4, 1000} do
      for _, short in ipairs{0, 1} do -- stops within epochs, or between them
        local p = parts()
        p.short = short
        local t = trainer.new(p)
        train(t, short == 0 and 150 or 2100, stops)
        local loss, test_loss = t:losses()
        assert.equal(history.loss[t.epoch], loss)
        if t.epoch == 2100 then
          assert.equal(whole_test, test_loss)
          assert.is_true(p.net:layer(2).weight == whole.net:layer(2).weight)
        end
      end
    end
  end)

  it("keeps an even curve of at most 200 points, and no history", function()
    local p = parts()
    p.untrained = true
    local t = trainer.new(p)
    local function memory() -- the first collection calls finalisers, the second frees what had them
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    train(t, 5000, 100)
    local before = memory()
    train(t, 50000, 100)
    local grown = memory() - before
    assert.is_true(grown < 200, ("memory grows by %.0f KB"):format(grown)) -- a history would have 2 MB
    local curve = t:curve(function(list) return list end)
    assert.is_true(#curve.epoch >= 100 and #curve.epoch <= 200)
    assert.equal(0, curve.epoch[1])
    for i = 2, #curve.epoch do assert.equal(curve.epoch[2], curve.epoch[i] - curve.epoch[i - 1]) end
    assert.is_true(curve.epoch[#curve.epoch] > 49000)
    assert.equal(#curve.epoch, #curve.test_loss)
  end)

  it("measures epochs a second only while it runs", function()
    local t = trainer.new(parts())
    assert.is_nil(t:pace(true))
    train(t, 50, 100)
    local start = moon.clock()
    while moon.clock() - start < 0.5 do train(t, t.epoch + 10, 100) end
    assert.is_true(t:pace(true) > 0)
    assert.is_nil(t:pace(false))
  end)

  it("refuses more changes than it can keep", function()
    local t = trainer.new(parts())
    local function change(i) t:change("x = " .. i, function() end, i % 2) end
    for i = 1, 5000 do change(i) end
    has(expect.failure(change, 5001), "there are already 5000 changes in this training: reset it")
  end)
end)

-- ---- the exported script ----

describe("the playground's script", function()
  local several = {
    {problem = "spiral", noise = 10, hidden = {6, 3}, features = {"x1", "x2", "sinx1"}, optimizer = "adam"},
    {problem = "xor", hidden = {}, features = {"x1x2", "x1sq"}, regularisation = "L1", regularisation_rate = 0.01},
    {problem = "gauss", noise = 50, ratio = 90, batch = 30, regularisation = "L2", regularisation_rate = 0.1},
    {problem = "spirals3", noise = 10, activation = "relu", hidden = {8}, seed = 12345},
    {problem = "plane", activation = "sigmoid", batch = 1, ratio = 10},
    {problem = "gaussian", noise = 5, hidden = {1, 2, 3, 4, 5, 6}, activation = "linear"},
  }
  for _, settings in ipairs(several) do
    it("gives the page's losses to the last digit: " .. settings.problem, function()
      local host = open(settings)
      host:train_to(12)
      assert_replays(host)
    end)
  end

  it("has losses before the first epoch", function()
    local host = open()
    assert.equal(0, assert_replays(host).epoch)
  end)

  it("repeats changes of the rate and edited weights between epochs and in the middle of one", function()
    local host = open(nil, {due_every = 7})
    host:ask{["do"] = "run"}
    host:turn(2)
    host:ask{["do"] = "pause"}
    local state = host:frame().state
    assert.equal(0, state.epoch)
    assert.is_true(state.batch > 0 and state.batch < state.batches)
    set(host, {rate = 0.3})
    host:ask{["do"] = "edit", layer = 1, from = 2, to = 4, value = 0.1}
    host:train_to(20)
    set(host, {rate = 0.1})
    host:ask{["do"] = "edit", layer = 2, from = 0, to = 1, value = -1.25}
    host:train_to(40)
    local event = assert_replays(host)

    local plain = open()
    plain:train_to(event.epoch)
    assert.is_false(plain.events.epoch.loss == event.loss)
  end)

  it("gives the losses of weights that were edited after the last epoch", function()
    local host = open()
    local before = host:train_to(10).epoch
    host:ask{["do"] = "edit", layer = 3, from = 1, to = 1, value = 2.5}
    local now = assert_replays(host)
    assert.equal(before.epoch, now.epoch)
    assert.is_false(before.loss == now.loss)
    assert.is_false(before.test_loss == now.test_loss)
    assert.equal(2.5, host.events.weights.layers[3].weight:get(1, 1))
  end)

  it("gives the losses of weights that were edited just before the next batch", function()
    local host = open(nil, {due_every = 7})
    host:ask{["do"] = "edit", layer = 1, from = 1, to = 1, value = 2.5}
    host:ask{["do"] = "run"}
    host:turn(1)
    host:ask{["do"] = "pause"}
    local event = assert_replays(host)
    assert.equal(0, event.epoch)
    assert.is_true(host.events.state.batch > 0)
  end)

  it("has the visitor's own points as numbers", function()
    local host = open()
    local list = {}
    for i = 1, 40 do list[i] = {i / 7 - 3, math.sin(i) * 5, i % 3} end
    host:ask{["do"] = "points", list = list, own_labels = "three"}
    assert.equal(3, host:frame().points.classes)
    host:train_to(10)
    assert_replays(host)
  end)

  it("refuses what it does not know", function()
    has(open():refusal{["do"] = "export", what = "zip"}, "export: what is 'zip' (known: ")
  end)
end)

-- ---- the room ----

describe("the room points", function()
  it("draws units and output as the net has them", function()
    local host = open{features = {"x2", "x1sq"}, hidden = {3}}
    local events = host:train_to(5)
    local first, second = events.weights.layers[1], events.weights.layers[2]
    for _, place in ipairs{{0, 0}, {5, 17}, {23, 23}} do
      local row, column = place[1], place[2]
      local x1, x2 = (column + 0.5) / 2 - 6, 6 - (row + 0.5) / 2
      for unit = 1, 3 do
        local z = first.weight:get(1, unit) * x2 + first.weight:get(2, unit) * x1 ^ 2 + first.bias:get(unit)
        local value = math.floor((moon.tensor{z}:tanh()[1] + 1) * 127.5 + 0.5)
        assert.near(value, events.units.maps:get(unit, row + 1, column + 1), 1)
      end
    end
    local x1, x2, sum = 99.5 * 0.12 - 6, 6 - 0.5 * 0.12, second.bias:get(1)
    for unit = 1, 3 do
      local z = first.weight:get(1, unit) * x2 + first.weight:get(2, unit) * x1 ^ 2 + first.bias:get(unit)
      sum = sum + second.weight:get(unit, 1) * moon.tensor{z}:tanh()[1]
    end
    assert.near((moon.tensor{sum}:tanh()[1] + 1) * 127.5, events.units.output:get(1, 100), 1)
  end)

  it("draws features, of which some are on, and probabilities of three classes", function()
    local events = open({problem = "spirals3", features = {"x2", "x1"}}):frame()
    assert.same({"x1", "x2", "x1sq", "x2sq", "x1x2", "sinx1", "sinx2"}, events.features.names)
    assert.same({true, true, false, false, false, false, false}, events.features.on)
    local maps = events.features.maps
    assert.equal(0, maps:get(1, 12, 1))
    assert.equal(255, maps:get(1, 12, 24))
    assert.equal(255, maps:get(2, 1, 12))
    assert.equal(0, maps:get(2, 24, 12))
    assert.same({3, 100, 100}, events.units.output.shape)
    local sum = events.units.output:float():reshape(3, -1):sum(1)
    assert.is_true((sum - 255):abs():max() <= 1.5)
  end)

  it("refuses edits of what is not there", function()
    local host = open()
    local function edit(layer, from, to, value)
      return host:refusal{["do"] = "edit", layer = layer, from = from, to = to, value = value}
    end
    has(edit(4, 1, 1, 0), "edit: layer is 4, expected a whole number of 1 to 3")
    has(edit(1, 3, 1, 0), "edit: from is 3, expected a whole number of 0 to 2")
    has(edit(1, 1, 0, 0), "edit: to is 0, expected a whole number of 1 to 4")
    has(edit(1, 1, 1, "x"), "edit: value is 'x', expected a number")
    has(edit(1, 1, 1, 0 / 0), "edit: value is nan, expected a number")
    has(edit(), "edit: layer is nil, expected a whole number")
  end)

  it("has own points: added to a set, replaced by a list, cleared", function()
    local host = open{ratio = 90}
    host:ask{["do"] = "point", x = 1, y = -2, label = -1}
    local events = host:frame()
    assert.equal("own", events.state.settings.problem)
    assert.equal(501, #events.points.train + #events.points.test)
    host:ask{["do"] = "clear"}
    events = host:frame()
    assert.same({0, 2}, events.points.train.shape)
    has(events.state.message, "no points yet")
    has(host:refusal{["do"] = "run"}, "there are no points")
    has(host:refusal{["do"] = "export", what = "script"}, "there are no points")
    host:ask{["do"] = "point", x = 3, y = 4, label = 1}
    assert.is_nil(host:frame().state.message)
    events = host:train_to(3)
    assert.is_nil(events.epoch.test_loss)
    assert_replays(host)
    host:ask{["do"] = "points", list = {{0, 0, 0.25}, {1, 1, -0.5}}, own_labels = "values"}
    assert.equal(0, host:frame().points.classes)
    set(host, {problem = "xor"})
    set(host, {problem = "own"})
    assert.equal(2, #host:frame().points.train + #host.events.points.test)
  end)

  it("refuses points outside the axes, wrong labels and too many", function()
    local host = open()
    has(host:refusal{["do"] = "point", x = 7, y = 1, label = 1}, "point: x is 7, expected a number of -6 to 6")
    has(host:refusal{["do"] = "point", x = 1, y = 1, label = 0}, "point: label is 0, expected -1 or 1")
    has(host:refusal{["do"] = "points", list = {{1, 1, 1}, {1, 1}}}, "points: point 2: label is nil, expected -1 or 1")
    has(host:refusal{["do"] = "points", list = {{1, 1, 1}, 3}}, "points: point 2 is 3, expected [x, y, label]")
    has(host:refusal{["do"] = "points", list = 3}, "points: list is 3, expected a list of [x, y, label]")
    has(host:refusal{["do"] = "points", list = {a = 1}}, "points: list is a table, expected a list of [x, y, label]")
    has(host:refusal{["do"] = "points", list = {}, own_labels = "four"}, "own_labels is 'four' (known: two, three")
    local list = {}
    for i = 1, 2001 do list[i] = {0, 0, -1} end
    has(host:refusal{["do"] = "points", list = list}, "points: 2001 are too many, expected at most 2000")
    assert.equal("circle", host:frame().state.settings.problem)
    list[2001] = nil
    host:ask{["do"] = "points", list = list}
    has(host:refusal{["do"] = "point", x = 1, y = 1, label = 1}, "2001 points are too many, expected at most 2000")
    has(refused(host, {own_labels = "three"}), "own point 1: label")
  end)
end)

-- The playground's room "autoencoder", through a session with a host made of Lua. Its data are the fixture's 40
-- training and 20 test pictures.
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"
local playground = dofile "spec/support/playground_host.lua"

local folder = "spec/fixtures/shapes"
local train, train_labels = moon.data.mnist(folder, "train")
local test, test_labels = moon.data.mnist(folder, "test")
local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"

-- A small net, so that a test takes milliseconds.
local small = {hidden = 12, code = 4, rows = 40, batch = 8}

local function with(settings)
  local all = {}
  for name, v in pairs(small) do all[name] = v end
  for name, v in pairs(settings or {}) do all[name] = v end
  return all
end

local quick = {"digits", "code", "drawing", "filters", "map", "density", "memory"} -- all panels but pca

-- A session with an open room; settings are beside the small ones.
local function open(settings, o)
  local host = playground.new{data = {train, train_labels, test, test_labels, "shapes"}}
  for name, v in pairs(o or {}) do host.functions[name] = v end
  host:ask{["do"] = "open", slot = "autoencoder", room = "autoencoder", settings = with(settings)}
  host:ask{["do"] = "watch", panels = quick}
  return host
end

local function ask(host, name, args)
  args = args or {}
  args["do"] = name
  return host:ask(args)
end

local function refusal(host, name, args)
  args = args or {}
  args["do"] = name
  return host:refusal(args)
end

-- Trains so many whole epochs.
local function train_epochs(host, epochs)
  for _ = 1, epochs do
    ask(host, "step")
    while host:frame().state.running do end
  end
end

-- All that waits for its turn is sent when the net does not change.
local function frames(host)
  for _ = 1, 8 do host:frame() end
  return host.events
end

-- The net of the page, trained anew without a page.
local function net_of(settings, epochs, loss)
  local s = with(settings)
  moon.seed(s.seed or 1)
  local net = moon.autoencoder.deep{input = 784, hidden = {s.hidden}, code = s.code}
  net:fit(train, {loss = loss or moon.bce(), optimizer = moon.adam{lr = 1e-3}, epochs = epochs, batch_size = s.batch,
    seed = 1, verbose = 0})
  return net
end

-- Run the exported script as a program. Returns its loss and test loss.
local function replay(host)
  local path = os.tmpname()
  files.write(path, ask(host, "export", {what = "script"}).text)
  local output, errors, status = files.run(("MOONGLASS_DATA=%s %s %s"):format(folder, files.quote(program), path))
  os.remove(path)
  assert.equal("", errors)
  assert.equal(0, status)
  local test_loss = output:match "test loss (%S+)"
  return tonumber(output:match "\nloss (%S+)"), tonumber(test_loss)
end

-- The event "code" for a test row.
local function look_at(host, row)
  ask(host, "choose", {row = row})
  return host:frame().code
end

local function bytes(rows) return (rows:clamp(0, 1) * 255):byte() end

local function assert_equal_tensors(expected, got)
  assert.same(expected.shape, got.shape)
  if not expected:equal(got) then error(("expected %s\ngot %s"):format(expected, got), 2) end
end

describe("the playground's autoencoder", function()
  it("shows test digits, and what the net makes of them", function()
    local host = open()
    train_epochs(host, 3)
    local digits, net = frames(host).digits, net_of({}, host.events.epoch.epoch)
    local ten = test:rows(1, 10)
    assert_equal_tensors(ten, digits.original)
    assert_equal_tensors(bytes(net:reconstruct(ten)), digits.reconstruction)
    assert.same(net:errors(ten):totable(), digits.errors)
    assert.same(test_labels:rows(1, 10):totable(), digits.labels)
    assert.is_nil(digits.noisy)
    ask(host, "digits", {first = 11})
    assert_equal_tensors(test:rows(11, 20), host:frame().digits.original)
    assert.same({11, 12, 13, 14, 15, 16, 17, 18, 19, 20}, host.events.digits.rows)
  end)

  it("shows a denoising net's noisy digits, with the same noise in each frame", function()
    local host = open{kind = "denoising", noise = "masking", noise_level = 0.5}
    local digits = frames(host).digits
    assert.is_false(digits.noisy:equal(digits.original))
    assert.is_true(digits.noisy:le(digits.original):min() == 1) -- masking only makes pixels black
    local noisy = digits.noisy
    train_epochs(host, 2)
    assert_equal_tensors(noisy, host.events.digits.noisy)
    local room = require "playground.autoencoder.room"(host.functions, with{kind = "denoising", noise = "masking",
      noise_level = 0.5})
    local clean, input = room.look:digits()
    assert_equal_tensors(noisy, bytes(input))
    local digits_of = require "playground.autoencoder.digits"
    local made = room.net:reconstruct(input)
    assert_equal_tensors(bytes(made), digits_of(room.look).reconstruction)
    assert.same((made - clean:float() / 255):square():mean(2):totable(), digits_of(room.look).errors)
  end)

  it("shows the code of the chosen digit, and the digit of an edited code, which is held while it trains", function()
    local host = open()
    train_epochs(host, 2)
    ask(host, "choose", {row = 7})
    local code, net = host:frame().code, net_of({}, host.events.epoch.epoch)
    local row = test:rows(7, 7)
    assert_equal_tensors(net:encode(row):reshape(-1), code.values)
    assert_equal_tensors(bytes(net:reconstruct(row)):reshape(-1), code.reconstruction)
    assert_equal_tensors(code.reconstruction, code.decoded)
    assert.same({7, "test", test_labels[7], false}, {code.row, code.source, code.label, code.edited})
    local codes = net:encode(test)
    assert_equal_tensors(codes:min(1), code.low)
    assert_equal_tensors(codes:max(1), code.high)

    ask(host, "code", {values = {1, 0, 2.5, 0.5}})
    code = host:frame().code
    local held = moon.tensor{{1, 0, 2.5, 0.5}}
    assert.is_true(code.edited)
    assert_equal_tensors(held:reshape(-1), code.values)
    assert_equal_tensors(bytes(net:decode(held)):reshape(-1), code.decoded)
    train_epochs(host, 2)
    net = net_of({}, host.events.epoch.epoch)
    assert_equal_tensors(held:reshape(-1), host.events.code.values)
    assert_equal_tensors(bytes(net:decode(held)):reshape(-1), host.events.code.decoded)
    assert_equal_tensors(bytes(net:reconstruct(row)):reshape(-1), host.events.code.reconstruction)

    ask(host, "code")
    assert.is_false(host:frame().code.edited)
    ask(host, "code", {values = {1, 0, 2.5, 0.5}})
    ask(host, "choose", {row = 8})
    assert.is_false(host:frame().code.edited)
  end)

  it("shows a drawing, its noise and what the net makes of them", function()
    local host = open()
    train_epochs(host, 2)
    assert.same({}, frames(host).drawing)
    local list = {}
    for i = 1, 784 do list[i] = i % 256 end
    ask(host, "draw", {pixels = list})
    local events, net = frames(host), net_of({}, host.events.epoch.epoch)
    local row = moon.tensor({list}, {dtype = "uint8"})
    assert_equal_tensors(row:reshape(-1), events.drawing.pixels)
    assert_equal_tensors(net:encode(row):reshape(-1), events.drawing.code)
    assert_equal_tensors(bytes(net:reconstruct(row)):reshape(-1), events.drawing.reconstruction)
    assert.equal(net:errors(row)[1], events.drawing.error)
    assert.is_nil(events.drawing.noisy)
    assert.equal("drawing", events.code.source)
    assert_equal_tensors(events.drawing.code, events.code.values)

    ask(host, "draw_noise", {level = 0.3})
    local noisy = frames(host).drawing.noisy
    assert.is_false(noisy:equal(events.drawing.pixels))
    assert.is_false(host.events.drawing.error == net:errors(row)[1])
    ask(host, "choose", {row = 1})
    assert.same({}, frames(host).drawing)
    assert.equal("test", host.events.code.source)
  end)

  it("shows the first layer's weights, and which units are dead", function()
    local host = open{hidden = 70}
    local room = require "playground.autoencoder.room"(host.functions, with{hidden = 70})
    local dense = room.net:layer(1)
    dense.bias:set(-1000, 3)
    local filters = require "playground.autoencoder.filters"(room.look)
    assert.same({64, 784}, filters.maps.shape)
    assert.equal(70, filters.total)
    local outputs = room.net:slice(1, 1):predict(test)
    local dead = 0
    for unit = 1, 70 do
      local is_dead = outputs:t()[unit]:max() == 0
      dead = dead + (is_dead and 1 or 0)
      if unit <= 64 then assert.equal(is_dead, filters.dead[unit], "unit " .. unit) end
    end
    assert.is_true(filters.dead[3])
    assert.equal(dead, filters.dead_total)
    assert.equal(#outputs, filters.rows)
    for unit = 1, 64 do
      local weights, map = dense.weight:t()[unit], filters.maps[unit]
      local largest = weights:abs():argmax()
      assert.equal(weights[largest] > 0 and 255 or 0, map[largest])
      assert.near(127.5 * (1 + weights[5] / math.abs(weights[largest])), map[5], 0.51)
    end
  end)

  it("draws the map of a code of two numbers, and says what it needs otherwise", function()
    assert.same({needs = "a code of 2"}, frames(open()).map)
    local host = open{code = 2, code_activation = "linear"}
    local room = require "playground.autoencoder.room"(host.functions, with{code = 2, code_activation = "linear"})
    local map = frames(host).map
    assert_equal_tensors(room.net:encode(test), map.points)
    assert_equal_tensors(test_labels, map.labels)
    assert.same({336, 336}, map.grid.shape)
    local x0, x1, y0, y1 = table.unpack(map.range)
    assert.is_true(x0 < map.points:min(1)[1] and x1 > map.points:max(1)[1])
    -- the second cell of the third line from the top
    local code = moon.tensor{{x0 + (x1 - x0) * 1.5 / 12, y1 - (y1 - y0) * 2.5 / 12}}
    local cell = map.grid:rows(57, 84):t():rows(29, 56):t():reshape(-1)
    assert_equal_tensors(bytes(room.net:decode(code)):reshape(-1), cell)
  end)

  it("keeps the map of the kind before, to be compared", function()
    local linear = {code = 2, code_activation = "linear"}
    local host = open(linear)
    ask(host, "watch", {panels = {"map", "map_before"}})
    train_epochs(host, 1)
    assert.same({}, frames(host).map_before)
    local map = host.events.map
    ask(host, "set", {settings = {kind = "plain"}})
    local before = frames(host).map_before
    assert.equal("deep", before.kind)
    assert_equal_tensors(map.points, before.points)
    assert_equal_tensors(map.grid, before.grid)
    assert.is_false(host.events.map.points:equal(before.points))
    ask(host, "set", {settings = {code = 3}})
    assert.same({}, frames(host).map_before)
  end)

  it("shows new pictures of a variational net, of the same codes until others are asked for", function()
    local host = open()
    ask(host, "watch", {panels = {"samples"}})
    assert.same({}, frames(host).samples)
    ask(host, "set", {settings = {kind = "variational"}})
    local first = frames(host).samples
    train_epochs(host, 2)
    local trained = frames(host).samples
    assert.equal(first.seed, trained.seed)
    assert.is_false(first.pictures:equal(trained.pictures))
    local net = moon.load_bytes(ask(host, "export", {what = "safetensors"}).base64:sub(#"base64:" + 1))
    moon.seed(trained.seed)
    assert_equal_tensors(bytes(net:sample(10)), trained.pictures)
    ask(host, "samples")
    local others = frames(host).samples
    moon.seed(others.seed)
    assert_equal_tensors(bytes(net:sample(10)), others.pictures)
    assert.is_false(others.pictures:equal(trained.pictures))
  end)

  it("shows reconstruction and divergence of a variational net apart", function()
    local host = open{kind = "variational", beta = 0.5}
    assert.is_nil(host:frame().epoch.kl)
    train_epochs(host, 3)
    local epoch, curve = frames(host).epoch, host.events.curve
    assert.is_true(epoch.kl > 0)
    assert.near(epoch.loss, epoch.reconstruction + 0.5 * epoch.kl, 1e-4 * epoch.loss)
    assert.equal(epoch.epoch, #curve.kl)
    assert.same({epoch.reconstruction, epoch.kl}, {curve.reconstruction[#curve.kl], curve.kl[#curve.kl]})
    ask(host, "set", {settings = {kind = "deep"}})
    train_epochs(host, 1)
    assert.same({}, {host.events.epoch.kl, host.events.epoch.reconstruction, host.events.curve.kl})
  end)

  it("counts the values of the codes, the zeros and the dead units", function()
    local host = open{kind = "sparse", sparsity = "k", kept = 1, hidden = 0}
    local room = require "playground.autoencoder.room"(host.functions, with{kind = "sparse", sparsity = "k", kept = 1,
      hidden = 0})
    local density, codes = frames(host).density, room.net:encode(test)
    local zeros, counts, used = 0, {}, {}
    for i = 1, 40 do counts[i] = 0 end
    for i = 1, 20 do
      for unit, v in ipairs(codes[i]:totable()) do
        local bin = 1
        while bin < 40 and v >= density.edges[bin + 1] do bin = bin + 1 end
        counts[bin] = counts[bin] + 1
        if v == 0 then zeros = zeros + 1 else used[unit] = true end
      end
    end
    assert.same(counts, density.counts)
    assert.is_true(zeros >= 60) -- one of four is kept
    assert.equal(zeros / 80, density.zeros)
    local dead = 0
    for unit = 1, 4 do dead = dead + (used[unit] and 0 or 1) end
    assert.equal(dead, density.dead)
  end)

  it("sets principal components of the same size beside the net", function()
    local host = open()
    ask(host, "watch", {panels = {"pca"}})
    train_epochs(host, 1)
    local event, net = frames(host).pca, net_of({}, host.events.epoch.epoch)
    local ten, pca = test:rows(1, 10), moon.pca(train, 4)
    assert_equal_tensors(bytes(pca:reconstruct(ten)), event.pca)
    assert_equal_tensors(bytes(net:reconstruct(ten)), event.net)
    assert.equal(pca:errors(test):mean(), event.pca_error)
    assert.equal(net:errors(test):mean(), event.net_error)
    assert.equal(4, event.k)
    ask(host, "set", {settings = {code = 3}})
    assert_equal_tensors(bytes(moon.pca(train, 3):reconstruct(ten)), frames(host).pca.pca)
  end)

  it("sets trained rows beside unseen ones", function()
    local host = open()
    train_epochs(host, 2)
    local memory, net = frames(host).memory, net_of({}, host.events.epoch.epoch)
    assert_equal_tensors(train:rows(1, 5), memory.train.original)
    assert_equal_tensors(bytes(net:reconstruct(test:rows(1, 5))), memory.test.reconstruction)
    assert.equal(net:evaluate(train, {loss = "bce"}), memory.train.loss)
    assert.equal(net:evaluate(test, {loss = "bce"}), memory.test.loss)
    assert.equal(memory.test.loss - memory.train.loss, memory.gap)
  end)
end)

describe("the playground's autoencoder sends", function()
  it("only what is watched", function()
    local host = open()
    ask(host, "watch", {panels = {"digits", "memory"}})
    train_epochs(host, 2)
    frames(host)
    for _, name in ipairs{"code", "drawing", "filters", "map", "density", "pca"} do
      assert.is_nil(host.sent[name], name)
    end
    assert.is_true(host.sent.digits > 1 and host.sent.memory >= 1)
    ask(host, "watch", {panels = {"filters"}})
    assert.is_table(frames(host).filters)
  end)

  it("nothing again that is as it was", function()
    local host = open()
    frames(host)
    local before = {}
    for name, count in pairs(host.sent) do before[name] = count end
    ask(host, "code", {values = {1, 2, 3, 4}})
    frames(host)
    for _, name in ipairs{"digits", "filters", "density", "memory", "map"} do
      assert.equal(before[name], host.sent[name], name)
    end
    assert.equal(before.code + 1, host.sent.code)
  end)

  it("at most one large event a frame, each of them in turn, and not too often while the net trains", function()
    local now = 0
    local host = open(nil, {clock = function() return now end})
    local heavy = {"filters", "map", "density", "memory"}
    local function sent()
      local counts, sum = {}, 0
      for i, name in ipairs(heavy) do counts[i] = host.sent[name] or 0 sum = sum + counts[i] end
      return counts, sum
    end
    ask(host, "run")
    for _ = 1, 4 do
      local _, before = sent()
      host:turn(1)
      host:frame()
      local _, after = sent()
      assert.equal(before + 1, after)
    end
    assert.same({1, 1, 1, 1}, sent())
    host:frame()
    assert.same({1, 1, 1, 1}, sent())
    now = 1
    for _ = 1, 4 do host:frame() end
    assert.same({2, 2, 2, 2}, sent())
  end)
end)

describe("the playground's autoencoder refuses", function()
  local host = open()
  frames(host)

  -- The command is refused with these words, and nothing changes.
  local function check(words, name, args)
    local room_before, sent = host.events.state, host.sent.digits
    assert.equal(words, refusal(host, name, args))
    frames(host)
    assert.same(room_before.settings, host.events.state.settings)
    assert.equal(sent, host.sent.digits)
    assert.is_false(host.events.code.edited)
    assert.same({"test", 1}, {host.events.code.source, host.events.code.row})
  end

  it("settings that are not there, or out of range, and changes none of them", function()
    check("set: code is 1, expected a whole number of 2 to 128", "set", {settings = {hidden = 5, code = 1}})
    check("set: loss is 'hinge' (known: bce, mse)", "set", {settings = {loss = "hinge"}})
    check("set: rows is 41 (known: 40)", "set", {settings = {rows = 41}})
    check("set: data is 'own', but there are no own pictures yet: drop some on the page first", "set",
      {settings = {data = "own"}})
    assert.truthy(refusal(host, "set", {settings = {with = 1}}):find("set: unknown setting 'with' (known: kind, ", 1,
      true))
  end)

  it("rows that are not there", function()
    check("row is 21, expected a whole number of 1 to 20", "choose", {row = 21})
    check("row is 1.5, expected a whole number of 1 to 20", "choose", {row = 1.5})
    check("row is nil, expected a whole number of 1 to 20", "choose")
    check("first is 12, expected a whole number of 1 to 11", "digits", {first = 12})
  end)

  it("codes and pictures of another size, and numbers that are none", function()
    check("values has 3 elements, expected a list of 4 numbers", "code", {values = {1, 2, 3}})
    check("values[2] is nan, expected a number of -1000000 to 1000000", "code", {values = {1, 0 / 0, 3, 4}})
    check("values[4] is inf, expected a number of -1000000 to 1000000", "code", {values = {1, 2, 3, math.huge}})
    check("values[1] is 'x', expected a number of -1000000 to 1000000", "code", {values = {"x", 2, 3, 4}})
    check("pixels has 2 elements, expected a list of 784 numbers", "draw", {pixels = {1, 2}})
    local pixels = {}
    for i = 1, 784 do pixels[i] = 0 end
    pixels[5] = 256
    check("pixels[5] is 256, expected a number of 0 to 255", "draw", {pixels = pixels})
    pixels[5] = -0.5
    check("pixels[5] is -0.5, expected a number of 0 to 255", "draw", {pixels = pixels})
    check("level is 1.5, expected a number of 0 to 1", "draw_noise", {level = 1.5})
    check("level is nil, expected a number of 0 to 1", "draw_noise", {level = nil})
  end)

  it("to export what it does not have", function()
    check("export: what is 'weights' (known: script, safetensors, onnx)", "export", {what = "weights"})
    check("unknown command 'fly' (known here: choose, code, digits, draw, draw_noise, export, open, own, pause, reset, "
      .. "run, samples, set, step, watch)", "fly")
  end)

  it("own pictures that are no pictures", function()
    host.functions.bytes = function(text) return text:match("^=(.*)$") end
    check("n is 0, expected a whole number of 1 to 2000", "own", {n = 0, images = "="})
    check("images is nil, expected base64 of the pictures", "own", {n = 1})
    check("images is not base64", "own", {n = 1, images = "?"})
    check("images has 783 bytes, expected 784: 1 pictures of 784", "own", {n = 1, images = "=" .. ("x"):rep(783)})
  end)
end)

describe("the playground's autoencoder", function()
  it("answers or refuses whatever it is asked, and goes on", function()
    local random = require("playground.points.sets.random")(11)
    local function pick(list) return list[1 + math.floor(random.uniform(0, #list))] end
    local value
    local makers = {
      function() return pick{0, 1, 2, -1, 4, 0.5, 784, 1e300, -1e300, 0 / 0, 1 / 0, math.maxinteger} end,
      function() return pick{"", "own", "set", "sparse", "k", "kl", "denoising", "linear", "\0", ("a"):rep(1000)} end,
      function() return pick{true, false} end,
      function() return {value(), value(), value(), value()} end,
      function() return {[pick{"kind", "code", "sparsity", "data", "rows", "rate", "noise_level", 3}] = value()} end,
    }
    function value() return pick(makers)() end
    local names = {"open", "run", "pause", "step", "reset", "set", "watch", "export", "choose", "digits", "code",
      "draw", "draw_noise", "own", "samples", "nonsense"}
    local fields = {"settings", "seed", "row", "first", "values", "pixels", "level", "images", "n", "what", "panels"}
    local host, refusals = open{kind = "plain"}, 0
    host.functions.bytes = function(text) return text end
    for i = 1, 500 do
      local entry = {args = {["do"] = pick(names)}}
      for _ = 1, 3 do entry.args[pick(fields)] = value() end
      host.queue[1] = entry
      if i % 5 == 0 then host:frame() else host:turn(1) end
      assert.is_true((entry.answer == nil) ~= (entry.words == nil))
      if entry.words then
        refusals = refusals + 1
        assert.is_nil(entry.words:find("attempt to", 1, true), entry.words)
      end
    end
    assert.is_true(refusals > 100 and refusals < 400)
    assert.same({}, host.logged)
    ask(host, "open", {slot = "autoencoder", room = "autoencoder", fresh = true, settings = with()})
    ask(host, "watch", {panels = {"digits"}})
    train_epochs(host, 1)
    assert.same({10, 784}, frames(host).digits.original.shape)
  end)
end)

describe("the playground's autoencoder trains", function()
  local kinds = {
    {kind = "plain"},
    {kind = "deep", loss = "mse", activation = "tanh", code_activation = "linear", optimizer = "sgd", rate = 0.3},
    {kind = "deep", hidden = 0, seed = 5, rows = 40, batch = 256},
    {kind = "denoising", noise = "gaussian", noise_level = 0.35},
    {kind = "denoising", noise = "salt_pepper", noise_level = 0.1},
    {kind = "sparse", penalty = 0.01},
    {kind = "sparse", sparsity = "kl", penalty = 0.1, target = 0.1},
    {kind = "sparse", sparsity = "k", kept = 2, optimizer = "rmsprop"},
    {kind = "variational", beta = 0.5},
  }

  for _, settings in ipairs(kinds) do
    it("as its script does: " .. settings.kind .. " " .. (settings.sparsity or settings.noise or ""), function()
      local host = open(settings)
      train_epochs(host, 2)
      ask(host, "set", {settings = {rate = 0.003}})
      train_epochs(host, 2)
      local loss, test_loss = replay(host)
      assert.equal(host.events.epoch.loss, loss)
      assert.equal(host.events.epoch.test_loss, test_loss)
      assert.is_number(test_loss)
    end)
  end

  it("and gives the net as a file", function()
    for _, settings in ipairs(kinds) do
      local host = open(settings, {base64 = function(text) return text end})
      train_epochs(host, 1)
      local file = ask(host, "export", {what = "safetensors"})
      assert.equal("autoencoder.safetensors", file.name)
      local net = moon.load_bytes(file.base64)
      assert_equal_tensors(bytes(net:reconstruct(test:rows(7, 7))):reshape(-1), look_at(host, 7).reconstruction)
      assert.is_true(#ask(host, "export", {what = "onnx"}).base64 > #file.base64 / 2)
    end
  end)

  it("on own pictures, of which a fifth is held out", function()
    local host = open()
    local some = {}
    for i = 1, 12 do some[i] = string.char(table.unpack(train[i]:totable())) end
    host.functions.bytes = function() return table.concat(some) end
    assert.same({pictures = 12, train = 10, test = 2}, ask(host, "own", {n = 12, images = ""}))
    train_epochs(host, 3)
    assert.equal("own", host.events.state.settings.data)
    assert.equal("The net trains on 10 own pictures; the last 2 are held out as a test.", host.events.state.message)
    assert_equal_tensors(train:rows(11, 12), frames(host).digits.original)
    local loss, test_loss = replay(host)
    assert.equal(host.events.epoch.loss, loss)
    assert.equal(host.events.epoch.test_loss, test_loss)

    some = {some[1], some[2]}
    assert.same({pictures = 2, train = 2, test = 0}, ask(host, "own", {n = 2, images = ""}))
    train_epochs(host, 1)
    assert.is_nil(host.events.epoch.test_loss)
    assert.equal(host.events.epoch.loss, (replay(host)))
    ask(host, "set", {settings = {data = "set"}})
    assert_equal_tensors(test:rows(1, 10), frames(host).digits.original)
    assert.is_nil(host.events.state.message)
  end)

  it("on the set, if an address speaks of own pictures that are gone", function()
    local host = open{data = "own"}
    assert.equal("set", host:frame().state.settings.data)
    assert.equal("The own pictures are gone: drop them again.", host.events.state.message)
  end)

  it("only with a data set of the right size", function()
    local args = {slot = "autoencoder", room = "autoencoder"}
    assert.equal("there is no data set: start the playground with --data FOLDER",
      refusal(playground.new(), "open", args))
    local narrow = playground.new{data = {moon.zeros(3, 9), moon.zeros(3), moon.zeros(3, 9), moon.zeros(3), "small"}}
    assert.equal("the pictures of the data set have 9 pixels, expected 784", refusal(narrow, "open", args))
  end)

  it("anew after a reset, with the same numbers", function()
    local host = open()
    train_epochs(host, 3)
    local loss = host.events.epoch.loss
    ask(host, "reset", {seed = 2})
    assert.equal(2, host:frame().state.settings.seed)
    train_epochs(host, 3)
    assert.is_false(host.events.epoch.loss == loss)
    ask(host, "reset", {seed = 1})
    train_epochs(host, 3)
    assert.equal(loss, host.events.epoch.loss)
  end)
end)

-- Trainings that end early or pause: Ctrl-C, errors in any place, a loss that is not a finite number, coroutines. The
-- net is then as after the last whole step.
local candidates = require "moonglass.session.candidates"
local chunk = require "moonglass.session.chunk"
local help = require "moonglass.help"
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"
local interrupts = dofile "spec/support/interrupts.lua"

local rows, width, batch = 64, 6, 8 -- 8 batches an epoch

local function data()
  moon.seed(3)
  return moon.rand(rows, width)
end

local function passing() -- a layer in Lua: the identity
  return {forward = function(_, t) return t end, backward = function(_, t) return t end}
end

local function make(layer)
  moon.seed(4)
  local layers = {moon.dense(width, 5, {activation = "tanh"}), moon.dense(5, width, {activation = "sigmoid"})}
  if layer then table.insert(layers, 2, layer) end
  return moon.sequential(layers)
end

local function options(more)
  local o = {loss = "mse", batch_size = batch, epochs = 3, seed = 5, optimizer = moon.adam{lr = 0.01}}
  for name, v in pairs(more or {}) do o[name] = v end
  return o
end

local function same(a, b)
  local of_b = b:parameters()
  for i, parameter in ipairs(a:parameters()) do
    if parameter.value ~= of_b[i].value then return false end
  end
  return true
end

-- The net after a number of steps of the training with these options.
local function after(steps, layer)
  local net, left = make(layer), steps
  if steps == 0 then return net end
  net:fit(data(), options{callbacks = {{on_batch_end = function(_, state)
    left = left - 1
    state.stop = left == 0
  end}}})
  return net
end

local function assert_trains(net)
  local history = net:fit(data(), {loss = "mse", epochs = 1, batch_size = batch})
  assert.is_true(history.loss[1] < 1)
end

describe("Ctrl-C in a session's terminal", function()
  it("brings back the prompt and leaves a net of whole steps", function()
    if not interrupts.can_run() then return pending "script(1) is missing or cannot open a terminal" end
    local result = interrupts.run(moon.clock, 10)
    assert.equal("", table.concat(result.failures, "\n"))
    assert.is_true(result.steps > 0)
  end)
end)

describe("an error", function()
  -- fails(k): a function that raises an error in its k-th call.
  local function fails(k, otherwise)
    local calls = 0
    return function(...)
      calls = calls + 1
      if calls == k then error("mine", 0) end
      if otherwise then return otherwise(...) end
    end
  end

  local function check(net, o, steps, layer, message)
    local threads = moon.info().threads
    local ok, err = pcall(net.fit, net, data(), o)
    assert.is_false(ok)
    assert.matches(message or "mine", tostring(err), 1, true)
    assert.equal(steps, o.optimizer:steps())
    assert.is_true(same(net, after(steps, layer)))
    assert.equal(threads, moon.info().threads)
    assert_trains(net)
  end

  local events = {
    on_train_begin = {1, 0}, on_epoch_begin = {2, 8}, on_batch_end = {11, 11}, on_epoch_end = {2, 16},
    on_checkpoint = {1, 8}, on_train_end = {1, 24},
  }
  for event, case in pairs(events) do
    it("in " .. event, function()
      check(make(), options{threads = 2, callbacks = {{[event] = fails(case[1])}}}, case[2])
    end)
  end

  it("of a callback's metamethod", function()
    local list = setmetatable({}, {__len = fails(1)})
    local callback = {on_batch_end = function(_, state) return state.batch > 2 and #list end}
    check(make(), options{callbacks = {callback}}, 3)
    local hostile = setmetatable({}, {__index = fails(1)})
    assert.has_error(function() make():fit(data(), options{callbacks = {hostile}}) end, "mine")
  end)

  it("in a layer of Lua, forward and backward", function()
    for _, method in ipairs{"forward", "backward"} do
      local layer = passing()
      layer[method] = fails(10, function(_, t) return t end)
      check(make(layer), options(), 9, passing(), "in layer 2")
    end
  end)

  it("of a wrong shape in the middle of a batch", function()
    for _, method in ipairs{"forward", "backward"} do
      local layer, calls = passing(), 0
      layer[method] = function(_, t)
        calls = calls + 1
        return calls == 10 and moon.zeros(3, 3) or t
      end
      check(make(layer), options(), 9, passing(), "[3 x 3]")
    end
  end)

  it("of an endless recursion", function()
    local function deep(t) return 1 + deep(t) end
    local net = make{forward = deep, backward = deep}
    local ok, err = pcall(net.fit, net, data(), options())
    assert.is_false(ok)
    assert.matches("in layer 2 %(Lua layer%): .*stack overflow", err)
  end)

  it("in a loss of Lua", function()
    local function mse(p, t) return (p - t):square():mean(), (p - t) * (2 / (#p * width)) end
    local net = make()
    local o = options{loss = fails(6, mse)}
    assert.has_error(function() net:fit(data(), o) end, "mine")
    assert.equal(5, o.optimizer:steps())
    local again, left = make(), 5
    again:fit(data(), options{loss = mse, callbacks = {{on_batch_end = function(_, state)
      left = left - 1
      state.stop = left == 0
    end}}})
    assert.is_true(same(net, again))
    assert_trains(net)
    local wrong = options{loss = function() return 1, moon.zeros(2, 2) end}
    assert.has_error(function() net:fit(data(), wrong) end)
    assert.is_true(wrong.optimizer:steps() == 0)
  end)

  it("in an iterator of batches for net:step", function()
    local net, opt, loss, x = make(), moon.adam{lr = 0.01}, moon.mse(), data()
    local function batches()
      local i = 0
      return function()
        i = i + 1
        if i == 4 then error("mine", 0) end
        return x:rows(8 * i - 7, 8 * i)
      end
    end
    assert.has_error(function()
      for part in batches() do net:step(part, nil, loss, opt) end
    end, "mine")
    local again, other = make(), moon.adam{lr = 0.01}
    for i = 1, 3 do again:step(x:rows(8 * i - 7, 8 * i), nil, loss, other) end
    assert.is_true(same(net, again))
  end)

  it("reaches every callback and is raised by fit", function()
    local told = {}
    local function teller(name, raises)
      return {on_abort = function()
        told[#told + 1] = name
        if raises then error("another", 0) end
      end}
    end
    local o = options{callbacks = {teller("a", true), teller("b"), {on_epoch_end = fails(1)}}}
    assert.has_error(function() make():fit(data(), o) end, "mine")
    assert.same({"a", "b"}, told)
  end)
end)

-- Ctrl-C and a host's time limit raise errors in this way: between two instructions of the running function.
describe("an error that a hook raises", function()
  local folder, remove

  setup(function() folder, remove = files.folder() end)
  teardown(function() remove() end)

  -- Run f in a coroutine whose n-th instruction raises the value. Return whether it was reached, and the error.
  local function raise_at(n, value, f)
    local raised, err = false, nil
    local co = coroutine.create(function() err = select(2, pcall(f)) end)
    debug.sethook(co, function()
      if raised then return end -- one Ctrl-C raises one error
      raised = true
      error(value, 0)
    end, "", n)
    local ok, outside = coroutine.resume(co)
    return raised, ok and err or outside
  end

  -- Each of the first instructions, then fewer and fewer of those that follow.
  local function sweep(name, f)
    for _, value in ipairs{{}, "time is up"} do
      local n = 1
      while true do
        local raised, err = raise_at(n, value, f)
        if not raised then break end
        assert.is_true(rawequal(value, err), ("%s: instruction %d raised %s"):format(name, n, tostring(err)))
        n = n + 1 + n // 24
      end
      assert.is_true(n > 1, name)
    end
  end

  local function mse(p, t) return (p - t):square():mean(), (p - t) * (2 / (#p * width)) end

  local function all_callbacks()
    return {
      moon.callbacks.csv_logger(folder .. "/log.csv"), moon.callbacks.early_stopping{monitor = "loss", patience = 9},
      moon.callbacks.checkpoint(folder .. "/kept", {keep = 2}), moon.callbacks.cosine{epochs = 3},
      {on_abort = function() error "another" end},
    }
  end

  local quiet = {write = function() end, terminal = true, clock = function() return os.clock() * 1e3 end}

  it("is raised unchanged by fit", function()
    local x = data()
    local native, lua, loss, opt = make(), make(passing()), moon.mse(), moon.adam()
    sweep("fit", function()
      native:fit(x, options{epochs = 2, validation_split = 0.25, callbacks = all_callbacks()})
    end)
    sweep("fit in Lua", function() lua:fit(x, options{epochs = 1, loss = mse, callbacks = all_callbacks()}) end)
    sweep("fit that fails", function()
      local list = all_callbacks()
      table.insert(list, {on_epoch_end = function() error "first" end})
      local ok, err = pcall(native.fit, native, x, options{epochs = 1, callbacks = list})
      if not ok and not tostring(err):find "first" then error(err, 0) end
    end)
    sweep("progress", function() native:fit(x, options{callbacks = {moon.callbacks.progress(quiet)}}) end)
    sweep("threads", function() native:fit(x, options{epochs = 1, threads = 2, loss = "mean_squared_error"}) end)
    sweep("step", function() native:step(x, nil, loss, opt) end)
    sweep("step in Lua", function() lua:step(x, nil, mse, opt) end)
    sweep("evaluate", function() lua:evaluate(x, {loss = "mse"}) end)
    sweep("predict", function() lua:predict(x) end)
    moon.set_threads(1) -- an error while they are reset leaves those of the fit
  end)

  it("is raised by every function that reads or writes files", function()
    local net, path = moon.autoencoder.plain{input = 6, hidden = 3}, folder .. "/"
    net:fit(data(), options{epochs = 2, callbacks = {moon.callbacks.checkpoint(path .. "c", {keep = 2})}})
    assert(net:save(path .. "net"))
    sweep("save", function() net:save(path .. "again") end)
    sweep("load", function() moon.load(path .. "net") end)
    sweep("net:load", function() net:load(path .. "net") end)
    sweep("checkpoint.save", function() moon.checkpoint.save(path .. "d", {net = net, opt = net.optimizer}) end)
    sweep("checkpoint.load", function() moon.checkpoint.load(path .. "c") end)
    sweep("checkpoint.latest", function() moon.checkpoint.latest(path .. "c") end)
    sweep("onnx", function() moon.onnx.export(path .. "onnx", net) end)
    sweep("mnist", function() moon.data.mnist("spec/fixtures", "test") end)
    sweep("plot", function() moon.plot.lines(path .. "p.png", {{y = {1, 2}}}) end)
    sweep("show", function() moon.show(moon.rand(4, 4), {save = path .. "s.png"}) end)
  end)

  it("is raised by every other function", function()
    local x, labels = data(), moon.zeros(rows)
    local net = moon.autoencoder.plain{input = 6, hidden = 3}
    sweep("encode", function() net:encode(x) end)
    sweep("pca", function() moon.pca(x, 2):errors(x) end)
    sweep("dictionary", function() moon.dictionary.learn(x:rows(1, 8), {atoms = 4, epochs = 1}):errors(x) end)
    sweep("probe", function() moon.probe(x, labels, {epochs = 1, classes = 2}):accuracy(x, labels) end)
    sweep("knn", function() moon.knn(x, labels):accuracy(x, labels) end)
    sweep("auc", function() moon.metrics.auc(x:rows(1), moon.tensor{1, 0, 1, 0, 1, 0}) end)
    sweep("quantile", function() moon.metrics.quantile(x, {0.1, 0.5}) end)
    sweep("gradcheck", function() moon.gradcheck(passing(), x:rows(1, 2)) end)
    sweep("image", function() moon.image.rows({x:rows(1, 2), x:rows(3, 4)}, {shape = {2, 3}}) end)
    sweep("terminal", function() require("moonglass.support.terminal").size() end)
    sweep("help", function()
      help.text(net)
      help.text("moon.zeros")
    end)
    sweep("chunk", function() chunk.compile("local x = 1\nx = x\n- x; (x) + 1") end)
    sweep("candidates", function() candidates("package.loaded.moonglass.autoencoder.pl") end)
  end)

  it("is raised when a function of the library returns", function()
    local path = folder .. "/returns"
    make():fit(data(), options{epochs = 1, callbacks = {moon.callbacks.checkpoint(path)}})
    for n = 1, 400 do
      local returns, raised, err = 0, false, nil
      local co = coroutine.create(function() err = select(2, pcall(moon.checkpoint.latest, path)) end)
      debug.sethook(co, function()
        returns = returns + 1
        if returns ~= n then return end
        raised = true
        error("time is up", 0)
      end, "r")
      local ok, outside = coroutine.resume(co)
      if not raised then
        assert.is_true(n > 100)
        break
      end
      assert.equal("time is up", ok and err or outside, "at return " .. n)
    end
  end)

  it("is raised while callbacks handle another error", function()
    local limit = {}
    for n = 1, 60 do
      local co, told
      local late = {on_abort = function()
        debug.sethook(co, function()
          debug.sethook(co)
          error(limit, 0)
        end, "", n)
        for i = 1, 100 do told = i end
      end}
      local list = {late, {on_abort = function() told = "all" end}, function() error "first" end}
      co = coroutine.create(function() return pcall(make().fit, make(), data(), options{callbacks = list}) end)
      local _, ok, err = coroutine.resume(co)
      assert.is_false(ok)
      assert.equal("all", told)
      assert.is_true(rawequal(limit, err))
    end
  end)
end)

describe("a loss that is not a finite number", function()
  local function message(x, y, o, net)
    local ok, err = pcall((net or make()).fit, net or make(), x, y, o)
    assert.is_false(ok)
    return err
  end

  local function has(part, text) assert.matches(part, text, 1, true) end

  -- A copy of x with one element changed.
  local function with(v, row, column)
    local x = data()
    x[row][column] = v
    return x
  end

  it("updates nothing, whether the batch is divided by rows or columns", function()
    for _, threads in ipairs{1, 2, 3} do
      for _, n in ipairs{64, 4096} do -- by columns, by rows
        moon.set_threads(threads)
        moon.seed(1)
        local net, opt = moon.autoencoder.deep{input = 196, hidden = {128}, code = 32}, moon.adam()
        local x = moon.rand(n, 196)
        net:step(x, nil, moon.bce(), opt)
        local before = {}
        for i, parameter in ipairs(net:parameters()) do before[i] = parameter.value:clone() end
        local good = x:clone()
        x[n][7] = 0 / 0
        local value = net:step(x, nil, moon.bce(), opt)
        assert.is_true(value ~= value)
        assert.equal(1, opt:steps())
        for i, parameter in ipairs(net:parameters()) do assert.is_true(parameter.value == before[i]) end
        net:step(good, nil, moon.bce(), opt)
        assert.equal(2, opt:steps())
        assert.is_false(net:parameters()[1].value == before[1])
      end
    end
    moon.set_threads(1)
  end)

  it("ends the training with an error and keeps the last whole step", function()
    for _, layer in ipairs{false, passing()} do
      local net, o = make(layer), options{shuffle = false}
      has("fit: loss is nan after batch 3 of epoch 1: x has nan in row 20, column 2",
        message(with(0 / 0, 20, 2), nil, o, net))
      assert.equal(2, o.optimizer:steps())
      local again, other = make(layer), moon.adam{lr = 0.01}
      for i = 1, 2 do again:step(data():rows(8 * i - 7, 8 * i), nil, moon.mse(), other) end
      assert.is_true(same(net, again))
      assert_trains(net)
    end
  end)

  it("ends the training without an error with on_nan = 'stop'", function()
    local ended, state
    local o = options{on_nan = "stop", shuffle = false, callbacks = {{
      on_train_end = function(_, s) ended, state = true, s end,
      on_abort = function() error "there is no error" end,
    }}}
    local net = make()
    local history = net:fit(with(0 / 0, 20, 2), o)
    assert.is_true(ended)
    has("loss is nan after batch 3 of epoch 1: x has nan in row 20, column 2", state.stopped)
    assert.equal(state.stopped, history.stopped)
    assert.equal(1, history.epochs)
    assert.is_true(history.loss[1] < 1) -- of the two batches before
    assert.equal(2, o.optimizer:steps())
    assert.is_nil(make():fit(data(), options{on_nan = "stop"}).stopped)
  end)

  it("is ignored with on_nan = 'ignore'", function()
    local net, o = make(), options{on_nan = "ignore", shuffle = false}
    net:fit(with(0 / 0, 20, 2), o)
    assert.equal(3 * 7, o.optimizer:steps())
    assert_trains(net)
  end)

  it("is explained in the message", function()
    local x = data()
    has("x has infinity in row 9, column 1", message(with(math.huge, 9, 1), nil, options(),
      moon.sequential{moon.dense(width, width)}))
    has("the targets have nan in row 5, column 6", message(x, with(0 / 0, 5, 6), options()))
    local net = make()
    net:layer(1).weight[2][3] = 0 / 0
    has("1.weight had nan in row 2, column 3 when fit began", message(x, nil, options(), net))
    local linear = moon.sequential{moon.dense(width, 50), moon.dense(50, width)}
    has("the learning rate, 1000, is probably too high",
      message(x, nil, options{epochs = 50, optimizer = moon.sgd{lr = 1000}}, linear))
    linear = moon.sequential{moon.dense(width, 50), moon.dense(50, width)}
    local err = message(x * 255, nil, options{epochs = 50, optimizer = moon.sgd{lr = 0.1}}, linear)
    has("x goes from ", err)
    has(", not in [0, 1]: scale it; or the learning rate, 0.1, is probably too high", err)
  end)

  it("before any update is not blamed on the learning rate", function()
    local function explained(net, x, y, o)
      local err = message(x, y, o or {loss = "mse"}, net)
      has("after batch 1 of epoch 1, before any update: ", err)
      assert.is_nil(err:find("learning rate", 1, true))
      return err
    end
    local function dense(weight)
      local layer = moon.dense(4, 4)
      layer.weight = moon.full(weight, 4, 4)
      return layer
    end
    local x = moon.ones(8, 4)
    for _, layers in ipairs{{dense(1e38)}, {dense(1e38), passing()}} do
      local err = explained(moon.sequential(layers), x)
      has("the output of layer 1 (dense 4->4) has infinity in row 1, column 1; its input goes from 1 to 1", err)
      has("its weight goes from 1e+38 to 1e+38", err)
    end
    has("the output of layer 2 (dense 4->4)", explained(moon.sequential{dense(1e20), dense(1e20)}, x))
    has("the output of layer 2 (Lua layer) has nan", explained(moon.sequential{dense(1), {
      forward = function(_, t) return t * (0 / 0) end, backward = function(_, t) return t end,
    }}, x))
    has("the loss itself, of finite numbers: the output goes from 4 to 4, the targets from 1 to 1",
      explained(moon.sequential{dense(1)}, x, nil, {loss = function(p) return math.huge, p end}))
    local bad = x:clone()
    bad[3][2] = math.huge
    has("x has infinity in row 3, column 2", explained(moon.sequential{dense(1)}, bad))
    has("the targets have infinity in row 3, column 2", explained(moon.sequential{dense(1)}, x, bad))
    has("1.weight had infinity in row 1, column 1 when fit began", explained(moon.sequential{dense(math.huge)}, x))
    local penalised = moon.dense(4, 4, {weight_l2 = 1e38})
    penalised.weight = moon.full(1e38, 4, 4) * 1e-30
    local stopped = moon.sequential{dense(1e38)}:fit(x, {loss = "mse", on_nan = "stop"}).stopped
    has("before any update: the output of layer 1", stopped)
  end)

  it("that comes after a NaN has reached the weights brings back earlier weights", function()
    -- tanh(infinity) is 1: the loss stays finite, but the weight's gradient has 0 times infinity.
    local net, o = make(), options{shuffle = false, epochs = 1}
    local before = net:layer(1).weight:clone()
    local err = message(with(math.huge, 20, 2), moon.zeros(rows, width), o, net)
    has("x has infinity in row 20, column 2. The weights are again those that fit began with", err)
    assert.is_true(net:layer(1).weight == before)
    assert.equal(0, o.optimizer:steps())
    assert_trains(net)
    o = options{on_nan = "stop", shuffle = false, epochs = 400}
    local x, net2 = data(), make()
    o.callbacks = {function(state) if state.epoch == 100 then x[20][2] = math.huge end end}
    local history = net2:fit(x, moon.zeros(rows, width), o)
    has("The weights are again those after epoch ", history.stopped)
    assert.is_true(o.optimizer:steps() > 0 and o.optimizer:steps() <= 800)
    assert_trains(net2)
  end)
end)

describe("fit in a coroutine", function()
  local yield = coroutine.yield

  -- Resume until it ends. Return the number of yields.
  local function drive(f)
    local co, times = coroutine.create(f), -1
    while coroutine.status(co) ~= "dead" do
      local ok, err = coroutine.resume(co)
      assert(ok, err)
      times = times + 1
    end
    return times
  end

  it("may yield from every event", function()
    local all = {}
    for _, event in ipairs{"on_train_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_checkpoint",
      "on_train_end"} do
      all[event] = function() yield() end
    end
    local net = make()
    assert.equal(1 + 3 + 24 + 3 + 3 + 1, drive(function() net:fit(data(), options{callbacks = {all}}) end))
    assert.is_true(same(net, after(24)))
  end)

  it("may yield from on_abort and from layers, losses and optimizers in Lua", function()
    local layer = passing()
    layer.forward = function(_, t) yield() return t end
    layer.backward = layer.forward
    local adam = moon.adam{lr = 0.01}
    local net = make(layer)
    local function mse(p, t) yield() return (p - t):square():mean(), (p - t) * (2 / (#p * width)) end
    local optimizer = {step = function(_, parameters) yield() adam:step(parameters) end}
    local plain = make(passing())
    plain:fit(data(), options{loss = function(p, t)
      return (p - t):square():mean(), (p - t) * (2 / (#p * width))
    end})
    assert.equal(24 * 4, drive(function() net:fit(data(), options{loss = mse, optimizer = optimizer}) end))
    assert.is_true(same(net, plain))
    local closed = false
    local callbacks = {{on_abort = function() yield() closed = true end, on_epoch_end = function() error "mine" end}}
    drive(function() assert.is_false(pcall(net.fit, net, data(), options{callbacks = callbacks})) end)
    assert.is_true(closed)
  end)

  it("whose coroutine is closed calls on_abort of the callbacks", function()
    for _, event in ipairs{"on_train_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_checkpoint",
      "on_train_end"} do
      local opt, told, before = moon.sgd{lr = 0.5}, 0, moon.info().threads
      local waits = {[event] = function(_, state)
        if state.epoch ~= 1 then yield() end
      end}
      local teller = {on_abort = function() told = told + 1 end}
      local list = {moon.callbacks.cosine{epochs = 9}, waits, teller}
      local given = options{optimizer = opt, threads = before + 1, callbacks = list}
      local co = coroutine.create(function() make():fit(data(), given) end)
      assert(coroutine.resume(co))
      assert.equal("suspended", coroutine.status(co), event)
      assert.is_true(coroutine.close(co))
      assert.same({1, 0.5, before}, {told, opt.lr, moon.info().threads}, event)
    end
  end)

  local yields = {on_batch_end = function() yield() end}

  -- Resume the coroutines in turn.
  local function interleave(...)
    local list = {}
    for i, f in ipairs{...} do list[i] = coroutine.create(f) end
    while #list > 0 do
      for i = #list, 1, -1 do
        assert(coroutine.resume(list[i]))
        if coroutine.status(list[i]) == "dead" then table.remove(list, i) end
      end
    end
  end

  it("is independent of a fit of another net", function()
    local a, b = make(), make(passing())
    interleave(function() a:fit(data(), options{callbacks = {yields}}) end,
      function() b:fit(data(), options{callbacks = {yields}}) end)
    assert.is_true(same(a, after(24)))
    assert.is_true(same(b, after(24, passing())))
  end)

  it("takes turns with another fit of the same net, step by step", function()
    local net, x = make(), data()
    local function train(from) -- half of the rows each, 4 batches
      return function()
        net:fit(x:rows(from, from + 31), options{shuffle = false, epochs = 1, callbacks = {yields}})
      end
    end
    interleave(train(1), train(33))
    local again, opts = make(), {moon.adam{lr = 0.01}, moon.adam{lr = 0.01}}
    for i = 0, 3 do
      for half = 2, 1, -1 do
        local first = (half - 1) * 32 + 8 * i + 1
        again:step(x:rows(first, first + 7), nil, moon.mse(), opts[half])
      end
    end
    assert.is_true(same(net, again))
  end)

  it("resets the number of threads, in any order of ending", function()
    local before = moon.info().threads
    for _, epochs in ipairs{{1, 2}, {2, 1}} do
      interleave(
        function() make():fit(data(), options{threads = before + 1, epochs = epochs[1], callbacks = {yields}}) end,
        function() make():fit(data(), options{threads = before + 2, epochs = epochs[2], callbacks = {yields}}) end)
      assert.equal(before, moon.info().threads)
    end
  end)
end)

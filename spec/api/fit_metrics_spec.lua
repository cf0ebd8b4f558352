-- The option metrics of fit and evaluate: values, history, callbacks, checkpoints, ranks, and mistakes.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"

local message = expect.failure

-- A small problem of four classes, the same in each call: x, class numbers and one-hot rows.
local function problem(n)
  moon.seed(31)
  local x = moon.rand(n or 50, 6)
  local classes = x:columns(1, 4):argmax(2) - 1
  local onehot = moon.zeros(#x, 4)
  for i, class in ipairs(classes:totable()) do onehot:set(1, i, math.tointeger(class) + 1) end
  return x, classes, onehot
end

local function classifier(more)
  moon.seed(32)
  local o = {activation = "softmax", weight_l2 = 1e-3}
  for name, v in pairs(more or {}) do o[name] = v end
  return moon.sequential{moon.dense(6, 16, {activation = "relu"}), moon.dense(16, 4, o)}
end

-- cross_entropy as a loss in Lua.
local function lua_loss()
  local loss = moon.cross_entropy()
  return {
    forward = function(_, p, t) return loss:forward(p, t) end, backward = function() return loss:backward() end,
  }
end

local function options(more)
  local o = {loss = "cross_entropy", batch_size = 16, epochs = 3, seed = 5, verbose = 0}
  for name, v in pairs(more or {}) do o[name] = v end
  return o
end

local function right(net, x, classes) return moon.metrics.accuracy(net:predict(x), classes) end

-- The running means that fit should give, by steps one by one. measure(p, rows' y) is a mean over rows.
local function by_steps(net, x, y, o, measure)
  local data, opt, means = moon.dataset(x, y), moon.adam(), {}
  for epoch = 1, o.epochs do
    local sum = 0
    for first = 1, #x, o.batch_size do
      local count = math.min(o.batch_size, #x - first + 1)
      local bx, by = data:batch(first, count)
      sum = sum + measure(net:predict(bx), by) * count
      net:step_rows(data, first, count, o.loss, opt)
    end
    means[epoch] = sum / #x
  end
  return means
end

local function assert_near(expected, got, tolerance)
  assert.equal(#expected, #got)
  for i, v in ipairs(expected) do assert.near(v, got[i], tolerance or 1e-6) end
end

describe("metrics in fit", function()
  local losses = {cross_entropy = moon.cross_entropy(), mse = moon.mse(), mae = moon.mae{reduction = "sum"}}

  it("are running means before each update, weighted by rows", function()
    local x, classes, onehot = problem()
    local o = options{shuffle = false, metrics = {"accuracy", mse = "mse", mae = losses.mae, "cross_entropy"}}
    local history = classifier():fit(x, onehot, o)
    assert_near(by_steps(classifier(), x, onehot, o, function(p, t)
      return moon.metrics.accuracy(p, t:argmax(2) - 1)
    end), history.metrics.accuracy, 0)
    for name, loss in pairs(losses) do
      assert_near(by_steps(classifier(), x, onehot, o, function(p, t) return loss:forward(p, t) end),
        history.metrics[name])
    end
    local labels = classifier():fit(x, classes, options{shuffle = false, metrics = {"acc"}})
    assert.same(history.accuracy, labels.metrics.acc)
    assert.is_nil(labels.accuracy)
  end)

  it("do not change the training", function()
    local x, classes = problem()
    for _, threads in ipairs{1, 2} do
      local plain, measured = classifier(), classifier()
      local a = plain:fit(x, classes, options{threads = threads})
      local b = measured:fit(x, classes, options{threads = threads, metrics = {"accuracy", "penalty"}})
      assert.equal(plain:bytes(), measured:bytes())
      assert.same(a.loss, b.loss)
      assert.same({}, a.metrics)
    end
  end)

  it("of an autoencoder are the same however a batch is divided", function()
    moon.seed(33)
    local x = moon.rand(64, 300)
    local function run(threads, batch)
      moon.seed(34)
      local ae = moon.autoencoder.plain{input = 300, hidden = 200}
      return ae:fit(x, {loss = "bce", epochs = 2, seed = 1, batch_size = batch, threads = threads,
        metrics = {"bce", "mse", "penalty"}, verbose = 0})
    end
    for _, batch in ipairs{64, 48, 24} do
      local one, three = run(1, batch), run(3, batch)
      assert_near(one.bce, three.bce)
      assert_near(one.mse, three.mse)
      assert_near(one.loss, one.bce, 1e-9)
      assert.same({0, 0}, one.penalty)
    end
  end)

  it("with layers or a loss in Lua are those of native ones", function()
    local x, classes, onehot = problem()
    local o = {metrics = {"accuracy", "penalty", "cross_entropy"}, validation_split = 0.2}
    for _, y in ipairs{classes, onehot} do
      local native = classifier():fit(x, y, options(o))
      o.loss = lua_loss()
      local lua = classifier():fit(x, y, options(o))
      o.loss = nil
      for name, list in pairs(native.metrics) do assert_near(list, lua.metrics[name]) end
    end
  end)

  it("that are functions see net, x and y after the epoch", function()
    local x, classes = problem()
    local net, seen = classifier(), {}
    local history = net:fit(x, classes, options{validation = {x:rows(1, 7), classes:rows(1, 7)}, metrics = {
      right = function(n, a, b)
        seen[#seen + 1] = #a
        return right(n, a, b)
      end,
    }})
    assert.same({50, 7, 50, 7, 50, 7}, seen)
    assert.equal(right(net, x, classes), history.right[3])
    assert.equal(right(net, x:rows(1, 7), classes:rows(1, 7)), history.val_right[3])
    local ae = moon.autoencoder.plain{input = 6, hidden = 2}
    local errors = ae:fit(x, {loss = "mse", verbose = 0, metrics = {e = function(n, a, b)
      assert.equal(a, b)
      return n:errors(a):mean()
    end}})
    assert.equal(ae:errors(x):mean(), errors.e[1])
  end)
end)

describe("validation", function()
  it("has metrics too", function()
    local x, classes = problem()
    local net = classifier()
    local history = net:fit(x, classes, options{metrics = {"accuracy", "penalty"}, validation_split = 0.3})
    assert.equal(right(net, x:rows(36, 50), classes:rows(36, 50)), history.metrics.val_accuracy[3])
    assert.equal(3, #history.val_penalty)
    assert.equal(3, #history.val_accuracy)
  end)

  it("every validation_freq epochs", function()
    local x, classes = problem()
    local o = options{validation_split = 0.3, metrics = {"accuracy"}, epochs = 7}
    local each = classifier():fit(x, classes, o)
    o.validation_freq = 3
    local seldom = classifier():fit(x, classes, o)
    assert.same({3, 6}, seldom.val_epochs)
    assert.same({each.val_loss[3], each.val_loss[6]}, seldom.val_loss)
    assert.same({each.val_accuracy[3], each.val_accuracy[6]}, seldom.val_accuracy)
    assert.same(each.accuracy, seldom.accuracy)
  end)
end)

describe("mistakes in metrics", function()
  local x, classes = problem()

  local function refused(expected, metrics, more)
    local o = options(more)
    o.metrics = metrics
    local net = classifier()
    local before = net:bytes()
    assert.equal(expected, message(function() net:fit(x, classes, o) end):sub(1, #expected))
    assert.equal(before, net:bytes())
  end

  it("are refused before the training", function()
    refused("fit: metrics has 'acuracy', which is no metric; did you mean 'accuracy'? (known: acc, accuracy, bce, ",
      {"acuracy"})
    refused("fit: metrics has 'mse' twice, expected a name for each", {"mse", mse = moon.mse()})
    refused("fit: metrics has the name 'loss', which the history uses itself: take another", {loss = "mse"})
    refused("fit: metrics has the name 'val_a', which the history uses", {val_a = "mse"})
    refused("fit: metrics has the name 'a b', expected letters, digits and _", {["a b"] = "mse"})
    refused("fit: metric a is 3, expected a name (acc, ", {a = 3})
    refused("fit: metrics has a function at [1], expected a name: metrics = {NAME = function(net, x, y) ... end}",
      {function() end})
    refused("fit: metrics is 'accuracy', expected a list: {\"accuracy\", ", "accuracy")
    refused("fit: metrics is a moonglass.loss, expected a list", moon.mse())
    refused("fit: metrics is a table with the key 2.5, expected", {[2.5] = "mse"})
    refused("fit: metric a is a loss written in Lua, but net and loss are native", {a = lua_loss()})
    refused("fit: metric mse takes targets of the outputs' shape, but the targets are class numbers", {"mse"})
  end)

  it("in a function are errors of its epoch", function()
    for _, v in ipairs{"text", {}, true} do
      local raised = message(function()
        classifier():fit(x, classes, options{metrics = {f = function() return v end}})
      end)
      assert.matches("^metric f gave .*, expected a number$", raised)
    end
  end)
end)

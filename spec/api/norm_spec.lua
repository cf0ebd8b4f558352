-- Batch and layer normalisation: statistics of the batch and running ones, what changes them, what holds them.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"
local files = dofile "spec/support/files.lua"

local function near(expected, got, tolerance, what)
  local off = (got - expected):abs():max()
  assert(off <= tolerance, ("%s is off by %g, allowed %g"):format(what or "result", off, tolerance))
end

-- Buffers by name, as lists.
local function buffers_of(net)
  local all = {}
  for _, buffer in ipairs(net:buffers()) do all[buffer.name] = buffer.value:clone() end
  return all
end

local function same(a, b)
  for name, t in pairs(a) do
    if not t:equal(b[name]) then return false end
  end
  return next(a) ~= nil
end

-- Normalisation in every place: first, behind a layer, twice in a row, and last.
local function make_net()
  moon.seed(4)
  return moon.sequential{
    moon.batch_norm(9), moon.dense(9, 7), moon.batch_norm(7), moon.batch_norm(7, {momentum = 0.5}),
    moon.activation("relu"), moon.layer_norm(7), moon.dense(7, 9, {activation = "tanh"}), moon.batch_norm(9),
  }
end

-- Columns of different means and deviations.
local function rows(n) return moon.randn(n, 9) * moon.arange(1, 10, 1) + moon.arange(-4, 5, 1) end

describe("batch_norm", function()
  before_each(function() moon.seed(8) end)

  it("gives columns the mean of bias and the deviation of weight", function()
    local layer, x = moon.batch_norm(9, {eps = 1e-9}), rows(500)
    layer.weight, layer.bias = moon.rand(9) + 0.5, moon.rand(9)
    local y = layer:forward(x, true)
    near(layer.bias, y:mean(1), 1e-6)
    near(layer.weight, (y - y:mean(1)):square():mean(1):sqrt(), 1e-6)
  end)

  it("has buffers, which are no parameters", function()
    local layer = moon.batch_norm(3)
    local net = moon.sequential{moon.dense(2, 3), layer, layer}
    assert.equal(2, #layer:parameters())
    assert.equal(3, #layer:buffers())
    assert.equal("2.running_mean", net:buffers()[1].name)
    assert.equal(3, #net:buffers())
    assert.equal(3 * 2 + 3 + 6, moon.sequential{moon.dense(2, 3), layer}:summary():match("(%d+) parameters") + 0)
    assert.same({}, moon.dense(2, 3):buffers())
    layer.running_mean = moon.tensor{1, 2, 3}
    assert.equal(2, layer.running_mean[2])
    assert.equal("layer has no field or method 'running_mean_grad'; did you mean 'running_mean'?",
      expect.failure(function() return layer.running_mean_grad end))
    assert.matches("running_var: .*%[3%]", expect.failure(function() layer.running_var = moon.zeros(4) end))
  end)

  it("moves the running statistics as Keras does", function()
    local layer, x = moon.batch_norm(9, {momentum = 0.9}), rows(40)
    local mean = x:mean(1)
    local variance = (x - mean):square():mean(1)
    layer:forward(x, true)
    near(mean * 0.1, layer.running_mean, 1e-6)
    near(variance * 0.1 + 0.9, layer.running_var, 1e-5)
    layer:forward(x, true)
    near(mean * 0.19, layer.running_mean, 1e-6)
    assert.equal(2, layer.num_batches_tracked:sum())
  end)

  it("in inference takes the running statistics, row by row", function()
    local layer, x = moon.batch_norm(9), rows(20)
    layer.running_mean, layer.running_var = moon.rand(9), moon.rand(9) + 0.1
    layer.weight, layer.bias = moon.rand(9), moon.rand(9)
    local expected = (x - layer.running_mean) / (layer.running_var + 1e-3):sqrt() * layer.weight + layer.bias
    near(expected, layer:forward(x), 1e-5)
    near(expected:rows(3, 3), layer:forward(x:rows(3, 3)), 1e-5)
  end)

  it("keeps its digits at a large mean", function()
    local z = moon.randn(600, 4)
    z = (z - z:mean(1)) / (z - z:mean(1)):square():mean(1):sqrt()
    for _, mean in ipairs{1e4, -1e4} do
      local layer, x = moon.batch_norm(4, {momentum = 0, eps = 1e-6}), z + mean
      local y = layer:forward(x, true)
      near(z, y, 2e-3) -- x itself has steps of 1e-3
      assert.is_true(math.abs(y:mean()) < 1e-6)
      near(moon.ones(4), y:square():mean(1), 1e-5)
      near(moon.ones(4), layer.running_var, 1e-3)
      near(moon.full(mean, 4), layer.running_mean, 1e-3)
    end
  end)

  it("takes columns without variance, and a single row", function()
    local layer = moon.batch_norm(2)
    layer.bias = moon.tensor{0.5, -2}
    local constant = moon.full(0.1, 50, 2)
    near(moon.tensor{{0.5, -2}} + moon.zeros(50, 2), layer:forward(constant, true), 1e-6)
    assert.is_true(layer:backward(moon.randn(50, 2)):abs():max() < 100)
    near(moon.tensor{{0.5, -2}}, layer:forward(moon.tensor{{7, 8}}, true), 1e-6)
    near(moon.zeros(1, 2), layer:backward(moon.ones(1, 2)), 1e-6)
    local net = moon.sequential{moon.dense(2, 2), moon.batch_norm(2)}
    assert.is_true(net:step(moon.ones(1, 2), moon.ones(1, 2), moon.mse(), moon.adam()) >= 0)
  end)

  it("gives the bias of a dense layer before it a gradient of exactly 0", function()
    local net, x = moon.sequential{moon.dense(9, 5), moon.batch_norm(5), moon.dense(5, 9)}, rows(33)
    net:layer(1).bias = moon.rand(5)
    local bias = net:layer(1).bias:clone()
    for _ = 1, 5 do net:step(x, x, moon.mse(), moon.adam{lr = 0.1}) end
    assert.is_true(net:layer(1).bias:equal(bias))
    net:forward(x, false)
    net:backward(moon.randn(33, 9))
    assert.is_true(net:layer(1).bias_grad:abs():max() > 0)
    net:layer(1).bias_grad:fill_(0)
    local relu = moon.sequential{moon.dense(9, 5, {activation = "relu"}), moon.batch_norm(5)}
    relu:step(x, moon.rand(33, 5), moon.mse(), moon.sgd())
    assert.is_true(relu:layer(1).bias_grad:abs():max() > 0)
  end)

  it("refuses what it cannot be", function()
    assert.equal("batch_norm: n is missing (width of the rows)", expect.failure(moon.batch_norm))
    assert.matches("^batch_norm: n is 0", expect.failure(moon.batch_norm, 0))
    assert.matches("^batch_norm: momentum is 2", expect.failure(moon.batch_norm, 3, {momentum = 2}))
    assert.matches("^batch_norm: eps is 0", expect.failure(moon.batch_norm, 3, {eps = 0}))
    assert.equal("forward: input is [2 x 4], expected [rows x 3]",
      expect.failure(moon.batch_norm(3).forward, moon.batch_norm(3), moon.rand(2, 4)))
  end)
end)

describe("running statistics change", function()
  local net, x, before

  before_each(function()
    net, x = make_net(), rows(40)
    before = buffers_of(net)
  end)

  it("in a step, and in a forward that trains", function()
    net:step(x, x, moon.mse(), moon.adam())
    local stepped = buffers_of(net)
    assert.is_false(same(before, stepped))
    net:forward(x, true)
    assert.is_false(same(stepped, buffers_of(net)))
    assert.equal(2, net:layer(1).num_batches_tracked:sum())
  end)

  it("not in inference, evaluate, gradcheck", function()
    net:forward(x)
    net:predict(x)
    net:evaluate(x, x, {loss = "mse"})
    moon.gradcheck(net, x:rows(1, 5), {samples = 2})
    assert.is_true(same(before, buffers_of(net)))
  end)

  it("not in a step whose loss is not finite, with native layers and others", function()
    local lua_layer = {forward = function(_, v) return v end, backward = function(_, dy) return dy end}
    local target = x:clone()
    target[3][2] = math.huge
    for _, made in ipairs{net, moon.sequential{net:layer(1), lua_layer, net:layer(2)}} do
      local y = #made == 3 and target:columns(1, 7) or target
      local objective = made:step(x, y, moon.mse(), moon.adam())
      assert.is_true(objective - objective ~= 0)
      assert.is_true(same(before, buffers_of(net)))
    end
    assert.matches("loss is infinite", expect.failure(net.fit, net, x, target, {loss = "mse", batch_size = 40}))
    assert.is_true(same(before, buffers_of(net)))
  end)

  it("column by column: not where the batch is not finite", function()
    local layer = moon.batch_norm(2)
    layer:forward(moon.tensor{{1, 1}, {2, math.huge}}, true)
    near(moon.tensor{0.015, 0}, layer.running_mean, 1e-6)
    near(moon.tensor{0.9925, 1}, layer.running_var, 1e-6)
  end)
end)

-- ---- the same numbers ----

describe("normalisation is the same", function()
  local function trained(threads, batch)
    moon.set_threads(threads)
    local net = make_net()
    net:fit(rows(300), {loss = "mse", epochs = 2, batch_size = batch, seed = 1})
    return net
  end
  after_each(function() moon.set_threads(1) end)

  it("by any number of threads", function()
    moon.seed(1)
    local x = moon.randn(300, 160)
    local function wide(threads)
      moon.set_threads(threads)
      moon.seed(3)
      local net = moon.sequential{moon.batch_norm(160), moon.dense(160, 100), moon.batch_norm(100),
        moon.activation("relu"), moon.dense(100, 40, {activation = "relu"}), moon.layer_norm(40), moon.dense(40, 160)}
      net:fit(x, {loss = "mse", epochs = 1, batch_size = 100, seed = 1, optimizer = moon.sgd{lr = 0.1}})
      return net
    end
    local one = wide(1)
    for _, threads in ipairs{2, 3, 5} do
      local many = wide(threads)
      for i, parameter in ipairs(one:parameters()) do
        near(parameter.value, many:parameters()[i].value, 2e-6, parameter.name)
      end
      for i, buffer in ipairs(one:buffers()) do near(buffer.value, many:buffers()[i].value, 2e-6, buffer.name) end
      near(one:predict(x), many:predict(x), 1e-5)
    end
  end)

  it("in a file, a clone, and loaded into another net", function()
    local net, x = trained(1, 50), rows(20)
    local y, other = net:predict(x), make_net()
    local tensors, read
    files.temporary(function(path)
      assert(net:save(path))
      tensors, read = assert(moon.safetensors.load(path)), assert(moon.load(path))
      assert(other:load(path))
    end)
    assert.is_true(tensors["2.running_mean"]:equal(net:layer(3).running_mean))
    assert.equal(12, tensors["2.num_batches_tracked"]:sum())
    for _, copy in ipairs{read, net:clone(), other, moon.load_bytes(net:bytes())} do
      assert.is_true(copy:predict(x):equal(y))
      assert.is_true(same(buffers_of(net), buffers_of(copy)))
    end
    local copy = net:clone()
    copy:forward(x, true)
    assert.is_false(same(buffers_of(net), buffers_of(copy)))
  end)

  it("after early_stopping has put back the best weights", function()
    local net, at_best = make_net(), nil
    moon.seed(2)
    local x = rows(60)
    local stopping = moon.callbacks.early_stopping{patience = 2, restore_best = true, monitor = "loss", min_delta = 1e9}
    local watch = {on_epoch_end = function(_, state) at_best = at_best or buffers_of(state.net) end}
    net:fit(x, {loss = "mse", epochs = 3, callbacks = {watch, stopping}, verbose = 0})
    assert.equal(1, stopping.best_epoch)
    assert.is_true(same(at_best, buffers_of(net)))
  end)
end)

describe("layer_norm", function()
  before_each(function() moon.seed(8) end)

  it("gives rows mean 0 and deviation 1, then weight and bias", function()
    local layer, x = moon.layer_norm(9, {eps = 1e-9}), rows(50)
    layer.weight, layer.bias = moon.rand(9), moon.rand(9)
    local z = x - x:mean(2):reshape(-1, 1)
    z = z / z:square():mean(2):sqrt():reshape(-1, 1)
    near(z * layer.weight + layer.bias, layer:forward(x), 1e-5)
    assert.is_true(layer:forward(x, true):equal(layer:forward(x)))
    assert.same({}, layer:buffers())
  end)

  it("keeps its digits at a large mean, and takes rows without variance", function()
    local layer, z = moon.layer_norm(700, {eps = 1e-6}), moon.randn(5, 700)
    z = z - z:mean(2):reshape(-1, 1)
    z = z / z:square():mean(2):sqrt():reshape(-1, 1)
    near(z, layer:forward(z + 1e4), 2e-3) -- the rows themselves have steps of 1e-3
    near(moon.zeros(3, 700), layer:forward(moon.full(0.3, 3, 700)), 1e-4)
    assert.is_true(layer:backward(moon.randn(3, 700)):abs():max() < 1e5)
  end)

  it("refuses what it cannot be", function()
    assert.equal("layer_norm: n is missing (width of the rows)", expect.failure(moon.layer_norm))
    assert.matches("^layer_norm: eps is %-1", expect.failure(moon.layer_norm, 3, {eps = -1}))
  end)
end)

-- Variational autoencoders: gaussian_code against its formulas and against estimates by drawing, the autoencoder that
-- is made with it, and the warning of a loss of another scale.
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"

local temporary = files.temporary

-- The divergence of normal distributions from the standard one: Kingma and Welling 2014, appendix B.
local function divergence(mean, log_variance)
  return ((mean * mean + log_variance:exp() - 1 - log_variance):sum()) / 2 / #mean
end

local function make(options)
  local o = {input = 12, hidden = {10}, code = 3}
  for name, v in pairs(options or {}) do o[name] = v end
  return moon.autoencoder.variational(o)
end

describe("gaussian_code", function()
  before_each(function() moon.seed(5) end)

  it("draws from normal distributions in training and gives their means otherwise", function()
    local n, layer = 20000, moon.gaussian_code(2)
    local row = moon.tensor{{0.5, -2, math.log(0.25), math.log(4)}}
    local x = moon.cat({row, row}, 1):index(moon.ones(n))
    local y = layer:forward(x, true)
    assert.same({n, 2}, y.shape)
    local mean, deviation = y:mean(1), y:std(1)
    assert.near(0.5, mean[1], 0.02)
    assert.near(-2, mean[2], 0.08)
    assert.near(0.5, deviation[1], 0.02)
    assert.near(2, deviation[2], 0.05)
    assert.equal(row:t():rows(1, 2):t(), layer:forward(row, false))
  end)

  it("draws anew in each step, and again the same after net:seed", function()
    local net, x = moon.sequential{moon.gaussian_code(3)}, moon.randn(9, 6)
    net:seed(1)
    local first, second = net:forward(x, true), net:forward(x, true)
    assert.is_true(first ~= second)
    net:seed(1)
    assert.equal(first, net:forward(x, true))
  end)

  it("has the divergence as its penalty, summed over the code, averaged over the rows, times beta", function()
    for _, rows in ipairs{1, 7, 200} do
      local x = moon.randn(rows, 40) * 1.5
      local net = moon.sequential{moon.gaussian_code(20, {beta = 0.25})}
      local halves = x:t()
      local expected = 0.25 * divergence(halves:rows(1, 20):t(), halves:rows(21, 40):t())
      for _, training in ipairs{true, false} do
        net:forward(x, training)
        assert.near(expected, net:penalty(), 1e-6 * expected)
      end
    end
    local off = moon.sequential{moon.gaussian_code(2, {beta = 0})}
    off:forward(moon.randn(3, 4), true)
    assert.equal(0, off:penalty())
  end)

  it("has no penalty where the distribution is the standard one", function()
    local net = moon.sequential{moon.gaussian_code(3)}
    net:forward(moon.zeros(5, 6), true)
    assert.equal(0, net:penalty())
    net:backward(moon.zeros(5, 3))
  end)

  -- The mean of ln q(z) - ln p(z) over z drawn from q. For each draw z and its mirror image 2 mean - z, the terms that
  -- are odd in the noise cancel; what is left, v (noise^2 - 1) / 2 - (noise^2 - 1) / 2, goes down with the draws.
  it("has the penalty that drawing estimates, to 1e-4", function()
    local draws, mean, log_variance = 4000000, 0.6, 0.04
    local net = moon.sequential{moon.gaussian_code(1)}
    local x = moon.zeros(draws, 2)
    x:add_(moon.tensor{{mean, log_variance}}:index(moon.ones(draws)))
    local z = net:forward(x, true)
    local variance = math.exp(log_variance)
    local function estimate(drawn)
      local noise2 = (drawn - mean):square() / variance
      return ((drawn:square() - noise2):mean() - log_variance) / 2
    end
    local both = (estimate(z) + estimate(2 * mean - z)) / 2
    assert.near(net:penalty(), both, 1e-4)
    assert.near((mean ^ 2 + variance - 1 - log_variance) / 2, both, 1e-4)
  end)

  it("refuses rows of another width", function()
    local _, message = pcall(moon.sequential, {moon.dense(4, 4), moon.gaussian_code(3), moon.dense(3, 4)})
    assert.matches("in layer 2 %(gaussian_code 6%->3%): input is %[%* x 4%], expected %[%* x 6%]", message)
  end)
end)

describe("a variational autoencoder", function()
  before_each(function() moon.seed(3) end)

  it("is made from sizes", function()
    local ae = make{hidden = {10, 7}, beta = 0.5, activation = "tanh"}
    local words = {}
    for i = 1, #ae do words[i] = tostring(ae:layer(i)) end
    assert.same({"dense 12->10 tanh", "dense 10->7 tanh", "dense 7->6", "gaussian_code 3 beta 0.5",
      "dense 3->7 tanh", "dense 7->10 tanh", "dense 10->12 sigmoid"}, words)
    assert.equal(4, #ae.encoder)
    assert.equal(0.5, ae.encoder:layer(4).beta)
    assert.equal(3, make{hidden = {}}:encoder_layers() + 1)
  end)

  it("encodes to means and log variances", function()
    local ae, x = make(), moon.rand(5, 12)
    local mean, log_variance = ae:encode(x)
    assert.same({5, 3}, mean.shape)
    assert.equal(ae.encoder:predict(x), mean)
    assert.equal(ae:slice(1, 2):predict(x), moon.cat({mean, log_variance}, 2))
    ae:forward(x, false)
    assert.near(divergence(mean, log_variance), ae:penalty(), 1e-5)
    local same_mean, same_log_variance = ae:encode(x:windows(1), {batch_size = 2})
    assert.is_true(same_mean:allclose(mean, 1e-6, 1e-6) and same_log_variance:allclose(log_variance, 1e-6, 1e-6))
    assert.is_true(ae:decode(ae:encode(x)):allclose(ae:reconstruct(x), 1e-6, 1e-6))
    assert.is_true(ae:decode(mean, {batch_size = 2}):allclose(ae:predict(x), 1e-6, 1e-6))
    assert.is_true(ae:errors(x):allclose((ae:predict(x) - x):square():mean(2), 1e-5, 1e-7))
  end)

  it("may have an encoder of a code alone", function()
    local ae = moon.autoencoder{encoder = {moon.gaussian_code(2)}, decoder = {moon.dense(2, 4)}}
    local x = moon.randn(5, 4)
    local mean, log_variance = ae:encode(x)
    assert.equal(x, moon.cat({mean, log_variance}, 2))
    assert.is_nil(ae.loss)
  end)

  it("samples rows, which depend on moon.seed", function()
    local ae = make()
    moon.seed(8)
    local x = ae:sample(6)
    assert.same({6, 12}, x.shape)
    assert.is_true(x ~= ae:sample(6))
    moon.seed(8)
    assert.equal(x, ae:sample(6))
    moon.seed(8)
    assert.equal(x, ae:decode(moon.randn(6, 3)))
    local _, message = pcall(ae.sample, ae, 0)
    assert.matches("sample: n is 0, expected a whole number of at least 1", message)
  end)

  it("has a loss with the scale of the divergence", function()
    local ae, x = make(), moon.rand(20, 12):gt(0.5)
    local mean, log_variance = ae:encode(x)
    local bce = moon.bce{reduction = "batchmean"}:forward(ae:predict(x), x)
    assert.near(bce + divergence(mean, log_variance), ae:evaluate(x), 1e-4)
    local history = ae:fit(x, {epochs = 30, seed = 1, optimizer = moon.adam{lr = 0.01}})
    assert.is_true(history.loss[30] < 0.9 * history.loss[1])
  end)

  it("has reconstruction and divergence apart in the history, without beta", function()
    local ae, x = make{beta = 0.25}, moon.rand(40, 12)
    local history = ae:fit(x, {epochs = 3, seed = 1, batch_size = 16, validation = moon.rand(20, 12)})
    for i = 1, 3 do
      assert.near(history.loss[i], history.reconstruction[i] + 0.25 * history.kl[i], 1e-5)
      assert.near(history.val_loss[i], history.val_reconstruction[i] + 0.25 * history.val_kl[i], 1e-5)
    end
    ae:fit(x, {epochs = 1, seed = 1, optimizer = moon.sgd{lr = 0}, validation = x})
    local mean, log_variance = ae:encode(x)
    local metrics = ae:fit(x, {optimizer = moon.sgd{lr = 0}, validation = x}).metrics
    assert.near(divergence(mean, log_variance), metrics.kl[1], 1e-5)
    assert.near(metrics.kl[1], metrics.val_kl[1], 1e-5)
    assert.is_true(metrics.reconstruction[1] > metrics.val_reconstruction[1])
    local own = {step = function() end}
    assert.is_nil(ae:fit(x, {optimizer = own}).kl)
    assert.is_nil(moon.autoencoder.plain{input = 12, hidden = 3}:fit(x, {loss = "bce"}).kl)
  end)

  it("has a beta that rises", function()
    local ae, x, seen = make(), moon.rand(40, 12), {}
    local history = ae:fit(x, {epochs = 4, seed = 1, callbacks = {
      moon.callbacks.warm_up(3, "beta", {from = 0, to = 0.75, epochs = 3}),
      function(state) seen[state.epoch] = state.net:layer(3).beta end,
    }})
    assert.same({0, 0.25, 0.5, 0.75}, seen)
    for i, beta in ipairs(seen) do
      assert.near(history.loss[i], history.reconstruction[i] + beta * history.kl[i], 1e-5)
    end
    assert.is_true(history.kl[1] > 0)
    local _, message = pcall(function() ae:layer(3).beta = -1 end)
    assert.matches("beta is %-1, expected a number of at least 0", message)
  end)

  it("comes back from files and clones as one", function()
    local ae, x = make{beta = 2}, moon.rand(6, 12)
    local mean, log_variance = ae:encode(x)
    local function check(copy)
      local copied_mean, copied_log_variance = copy:encode(x)
      assert.equal(mean, copied_mean)
      assert.equal(log_variance, copied_log_variance)
      assert.equal(2, copy.encoder:layer(#copy.encoder).beta)
      assert.equal("batchmean", copy.loss.reduction)
      assert.same({2, 12}, copy:sample(2).shape)
    end
    check(ae:clone())
    check(assert(moon.load_bytes(ae:bytes())))
    temporary(function(path)
      assert(ae:save(path))
      check(assert(moon.load(path)))
    end)
  end)

  it("goes on from a checkpoint bit for bit", function()
    temporary(function(path)
      local ae, x = make(), moon.rand(50, 12)
      ae:fit(x, {epochs = 2, seed = 4, callbacks = {moon.callbacks.checkpoint(path)}})
      local c = assert(moon.checkpoint.load(path))
      c.net:fit(x, {epochs = 4, resume = c})
      ae:fit(x, {epochs = 4, initial_epoch = 2, seed = 4, optimizer = ae.optimizer})
      assert.equal((ae:encode(x)), (c.net:encode(x)))
      assert.equal(ae:predict(x), c.net:predict(x))
    end)
  end)

  it("is one with a layer in Lua, too", function()
    local own = {forward = function(_, v) return v * 2 end, backward = function(_, dy) return dy * 2 end}
    local ae = moon.autoencoder{
      encoder = {own, moon.dense(4, 4), moon.gaussian_code(2)}, decoder = {moon.dense(2, 4, {activation = "sigmoid"})},
    }
    local x = moon.rand(8, 4)
    local mean, log_variance = ae:encode(x)
    assert.equal(ae.encoder:predict(x), mean)
    assert.same({8, 2}, log_variance.shape)
    assert.same({3, 4}, ae:sample(3).shape)
    assert.is_true(ae:fit(x, {epochs = 20, seed = 1}).loss[20] < ae:evaluate(x) + 5)
  end)

  it("is not every autoencoder", function()
    assert.is_false(pcall(function() return moon.autoencoder.plain{input = 4, hidden = 2}:sample(1) end))
  end)
end)

describe("a loss of another scale than the divergence", function()
  -- The warnings of a fit.
  local function warnings(ae, loss)
    local lines = {}
    moon.set_log(function(line) lines[#lines + 1] = line end)
    ae:fit(moon.rand(4, 12), {loss = loss, seed = 1})
    moon.set_log(nil)
    return table.concat(lines, "\n")
  end

  before_each(function() moon.seed(3) end)

  it("brings a warning if it is a mean over the outputs", function()
    assert.matches("fit: the loss bce is a mean over the 12 outputs of a row, but gaussian_code's penalty a sum over "
      .. 'its code, so that it counts 12 times: take moon.bce{reduction = "batchmean"}, or beta = 1 / 12',
      warnings(make(), "bce"), 1, true)
    assert.equal("", warnings(make{beta = 1 / 12}, "bce"))
    assert.equal("", warnings(make{beta = 0}, "bce"))
  end)

  it("brings a warning if it is a sum over the rows", function()
    assert.matches("the loss mse is a sum over the rows of a batch, but gaussian_code's penalty a mean: "
      .. 'take moon.mse{reduction = "batchmean"}', warnings(make(), moon.mse{reduction = "sum"}), 1, true)
  end)

  it("brings none if it is summed over a row, nor for other nets", function()
    assert.equal("", warnings(make(), nil))
    assert.equal("", warnings(make(), moon.mse{reduction = "batchmean"}))
    assert.equal("", warnings(moon.autoencoder.plain{input = 12, hidden = 3}, "bce"))
  end)

  -- What the warning is for: the same net, the same rows, the same beta.
  it("makes codes that say nothing about the rows", function()
    local which = moon.tensor{{1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1}}
    local list = {}
    for i = 1, 64 do list[i] = 1 + i % 2 end
    local x = which:index(list)
    local function spread(reduction)
      moon.seed(3)
      local ae = make()
      moon.set_log(function() end)
      ae:fit(x, {loss = moon.bce{reduction = reduction}, epochs = 150, seed = 1, optimizer = moon.adam{lr = 0.01}})
      moon.set_log(nil)
      return ae:reconstruct(x):std(1):mean()
    end
    assert.is_true(spread("mean") < 0.05)
    assert.is_true(spread("batchmean") > 0.3)
  end)
end)

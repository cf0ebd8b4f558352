-- Numeric gradients of every registered layer, activation, loss and penalty. New ones are checked without a change
-- here.
local moon = require "moonglass"
local samples = dofile "spec/support/samples.lua"

local tolerance = 2e-3

local function check(subject, x, opts)
  local worst, details = moon.gradcheck(subject, x, opts)
  assert(worst <= tolerance, ("largest error %.3g\n%s"):format(worst, tostring(details)))
  assert.is_true(details.passed)
end

-- Rows whose elements lie in [low, high] or, mirrored, in [-high, -low]: away from the kinks at 0.
local function away_from_zero(n, k, low, high)
  local x = moon.rand(n, k) * (high - low) + low
  local sign = (moon.rand(n, k) - 0.5):sign()
  return x * sign
end

-- A dense layer whose pre-activations are all at least 0.5 away from 0.
local function dense_without_kinks(n_in, n_out, opts)
  local layer = moon.dense(n_in, n_out, opts)
  layer.weight = (moon.rand(n_in, n_out) - 0.5) * 0.2
  layer.bias = moon.arange(1, n_out + 1, 1):map(function(i) return i % 2 == 0 and 1 or -1 end)
  return layer
end

-- n numbers that are 0.4 apart, in random order: a smaller change does not change which are the largest.
local function steps(n) return moon.randperm(n):float() * 0.4 - 0.2 * n end

-- Rows with such numbers.
local function rows_apart(n, k)
  local x = moon.zeros(n, k)
  for i = 1, n do x:rows(i, i):copy_(steps(k):reshape(1, k)) end
  return x
end

-- A dense layer whose outputs are apart for any input in [-1, 1].
local function dense_apart(n_in, n_out)
  local layer = moon.dense(n_in, n_out)
  layer.weight = (moon.rand(n_in, n_out) - 0.5) * (0.1 / n_in)
  layer.bias = steps(n_out)
  return layer
end

-- Below batch normalisation a bias has no effect: its gradient is 0, and differences are rounding.
local function dense_without_bias(n_in, n_out) return moon.dense(n_in, n_out, {bias = false}) end

-- Where the gradient jumps at some inputs: the layer below the sample, and rows for it.
local fronts, inputs = {k_sparse = dense_apart, batch_norm = dense_without_bias}, {k_sparse = rows_apart}

describe("gradient of", function()
  before_each(function() moon.seed(7) end)

  for _, kind in ipairs(moon.registered("layers")) do
    local function make() return (samples.net(kind, 6)) end
    if make() then -- registry_spec reports a missing sample
      it("layer " .. kind, function()
        local x = away_from_zero(4, 6, 0.3, 0.9)
        check(make(), inputs[kind] and inputs[kind](4, 6) or x)
        local front = fronts[kind] or moon.dense
        check(moon.sequential{front(6, 6), make(), moon.dense(6, 3)}, x)
      end)
    end
  end

  for _, name in ipairs(moon.registered("activations")) do
    it("activation " .. name, function()
      check(moon.activation(name), away_from_zero(5, 7, 0.2, 2))
      local x = moon.rand(5, 4) * 2 - 1
      check(dense_without_kinks(4, 6, {activation = name}), x)
      check(dense_without_kinks(4, 6, {activation = name, bias = true, name = "d"}), x)
    end)
  end

  for _, given in ipairs{
    {"leaky_relu", {negative_slope = 0.01}}, {"leaky_relu", {negative_slope = 3}}, {"elu", {alpha = 0.25}},
    {"elu", {alpha = 2}},
  } do
    local name, options = table.unpack(given)
    local option, v = next(options)
    it(("activation %s with %s = %g"):format(name, option, v), function()
      check(moon.activation(name, options), away_from_zero(5, 7, 0.2, 2))
      local x = moon.rand(5, 4) * 2 - 1
      check(dense_without_kinks(4, 6, {activation = name, [option] = v}), x)
      check(dense_without_kinks(4, 6, {activation = name, [option] = v, contractive = 0.5, activity_l1 = 0.1}), x)
    end)
  end

  it("a dense layer without bias", function()
    check(moon.dense(4, 3, {bias = false, activation = "sigmoid"}), moon.rand(5, 4))
  end)

  it("a deep net, and a single row", function()
    local net = moon.sequential{
      moon.dense(8, 5, {activation = "tanh"}), moon.dense(5, 3, {activation = "softplus"}),
      moon.dense(3, 8, {activation = "sigmoid"}),
    }
    check(net, moon.rand(6, 8))
    check(net, moon.rand(1, 8))
  end)

  for _, reduction in ipairs{"batchmean", "sum"} do
    it("activity_l1 with reduction " .. reduction, function()
      local opts = {activation = "tanh", activity_l1 = 0.1, activity_reduction = reduction}
      check(dense_without_kinks(4, 6, opts), moon.rand(5, 4) * 2 - 1)
      check(moon.sequential{moon.dense(4, 4, {activation = "tanh"}), dense_without_kinks(4, 6, opts), moon.dense(6, 2)},
        moon.rand(5, 4) * 2 - 1)
    end)
  end

  -- More outputs than one block has.
  local wide = 300

  for name, outputs in pairs{sigmoid = wide, softmax = 8} do
    it("kl_weight with " .. name, function()
      local opts = {activation = name, kl_weight = 0.3, kl_target = 0.1}
      check(moon.dense(4, outputs, opts), moon.rand(5, 4) * 2 - 1)
      opts.bias = false
      check(moon.sequential{moon.dense(4, 6, {activation = "tanh"}), moon.dense(6, 3, opts), moon.dense(3, 2)},
        moon.rand(5, 4) * 2 - 1)
    end)
  end

  for _, name in ipairs(moon.registered("activations")) do
    if name ~= "softmax" then
      it("contractive with " .. name, function()
        local opts = {activation = name, contractive = 0.5}
        local x = moon.rand(5, 4) * 2 - 1
        check(dense_without_kinks(4, wide, opts), x)
        check(moon.sequential{moon.dense(4, 4, {activation = "tanh"}), dense_without_kinks(4, 6, opts)}, x)
      end)
    end
  end

  it("contractive without bias, with every other penalty, and on tied weights", function()
    local function penalized(more)
      local opts = {activation = "sigmoid", contractive = 0.2, kl_weight = 0.1, activity_l1 = 0.1, weight_l2 = 0.05}
      for name, v in pairs(more) do opts[name] = v end
      return opts
    end
    local x = moon.rand(4, 6) * 2 - 1
    check(moon.dense(6, 3, penalized{bias = false}), x)
    local encoder = moon.dense(6, wide, penalized{})
    check(moon.sequential{encoder, moon.dense(wide, 6, penalized{tied = encoder})}, x)
  end)

  it("k-sparse codes of tied weights, in training and in inference", function()
    local encoder = dense_apart(6, 8)
    local net = moon.sequential{encoder, moon.k_sparse(3, {alpha = 2}), moon.dense(8, 6, {tied = encoder})}
    local x = moon.rand(4, 6) * 2 - 1
    check(net, x)
    net:forward(x, false)
    net:backward(moon.ones(4, 6))
    local code, passed = net:slice(1, 2):predict(x), 0
    for i = 1, 8 do
      assert.equal(code:get(1, i) ~= 0, encoder.bias_grad[i] ~= 0)
      passed = passed + (code:get(1, i) ~= 0 and 1 or 0)
    end
    assert.equal(6, passed)
  end)

  it("weight_l1 and weight_l2, alone and together, and on tied weights", function()
    for _, opts in ipairs{{weight_l2 = 0.3}, {weight_l1 = 0.3}, {weight_l1 = 0.3, weight_l2 = 0.3}} do
      opts.activation = "tanh"
      local layer = moon.dense(4, 6, opts)
      layer.weight = away_from_zero(4, 6, 0.1, 0.6)
      check(layer, moon.rand(5, 4))
      opts.tied = layer
      check(moon.sequential{layer, moon.dense(6, 4, opts)}, moon.rand(5, 4))
    end
  end)

  it("tied weights", function()
    local encoder = moon.dense(6, 3, {activation = "tanh"})
    check(moon.sequential{encoder, moon.dense(3, 6, {activation = "sigmoid", tied = encoder})}, moon.rand(4, 6))
  end)

  it("a layer used twice in a net", function()
    local layer = moon.dense(5, 5, {activation = "tanh"})
    check(moon.sequential{layer, layer}, moon.rand(4, 5))
  end)

  it("a layer written in Lua", function()
    local square = {
      forward = function(self, x) self.x = x return x * x end,
      backward = function(self, dy) return dy * self.x * 2 end,
    }
    check(moon.sequential{moon.dense(4, 3), square, moon.dense(3, 2)}, moon.rand(5, 4))
  end)

  it("a wrong layer is detected", function()
    local wrong = {
      forward = function(self, x) self.x = x return x * x end,
      backward = function(self, dy) return dy * self.x end,
    }
    local worst, details = moon.gradcheck(wrong, moon.rand(5, 4) + 0.5)
    assert.is_true(worst > 0.1)
    assert.is_false(details.passed)
    assert.matches("input .* numeric", tostring(details))
  end)
end)

-- Predictions and targets for a loss. Losses without an entry get probabilities and numbers in [0, 1].
local n, k = 5, 4

local function one_hot()
  local t = moon.zeros(n, k)
  for i = 1, n do t[i][i % k + 1] = 1 end
  return t
end

-- |p - t| from 0.2 to 0.4, or from 1.2 to 1.6: on either side of mae's kink at 0 and of huber's joint at 1.
local function apart()
  local t = moon.rand(n, k)
  local distance = moon.rand(n, k) * 0.2 + 0.2
  for i = 1, n, 2 do distance:rows(i, i):mul_(0.5):add_(1.2) end
  return t + distance * (moon.rand(n, k) - 0.5):sign(), t
end

local function probabilities() return moon.rand(n, k) * 0.5 + 0.25, moon.rand(n, k) end
local function distributions() return moon.rand(n, k) * 0.5 + 0.25, one_hot() end

local cases = {mae = apart, huber = apart, cross_entropy = distributions}

local function takes(name, opts) return (pcall(moon.loss, name, opts)) end

describe("gradient of loss", function()
  before_each(function() moon.seed(11) end)

  for _, name in ipairs(moon.registered("losses")) do
    local variants = {}
    for _, reduction in ipairs{"mean", "batchmean", "sum"} do
      for _, from_logits in ipairs{false, true} do
        local opts = {reduction = reduction, from_logits = from_logits or nil}
        if takes(name, opts) then variants[#variants + 1] = opts end
      end
    end
    if #variants == 0 then variants = {{}, takes(name, {from_logits = true}) and {from_logits = true} or nil} end
    if takes(name, {label_smoothing = 0.3}) then
      variants[#variants + 1] = {label_smoothing = 0.3}
      variants[#variants + 1] = {label_smoothing = 0.3, from_logits = true}
    end

    for _, opts in ipairs(variants) do
      it(("%s, reduction %s%s%s"):format(name, opts.reduction or "default", opts.from_logits and ", from logits" or "",
        opts.label_smoothing and ", smoothed labels" or ""), function()
        local p, t = (cases[name] or probabilities)()
        if opts.from_logits then p = moon.randn(n, k) * 2 end
        check(moon.activation("linear"), p, {loss = moon.loss(name, opts), target = t})
      end)
    end
  end

  it("cross_entropy with class numbers", function()
    local classes = moon.tensor({0, 3, 1, 2, 1}, {dtype = "uint8"})
    check(moon.activation("linear"), (distributions()), {loss = moon.cross_entropy(), target = classes})
    check(moon.activation("linear"), moon.randn(n, k),
      {loss = moon.cross_entropy{from_logits = true}, target = classes})
    check(moon.sequential{moon.dense(6, k), moon.activation("softmax")}, moon.rand(n, 6),
      {loss = moon.cross_entropy(), target = classes})
  end)

  it("a whole net with penalties", function()
    local net = moon.sequential{
      dense_without_kinks(6, 3, {activation = "tanh", activity_l1 = 0.05, weight_l2 = 0.01}),
      moon.dense(3, k, {activation = "sigmoid"}),
    }
    check(net, moon.rand(n, 6), {loss = moon.bce(), target = moon.rand(n, k)})
  end)
end)

-- A step fuses the last activation with losses that know it: the gradients are the same.
describe("the fused step of", function()
  local pairs_of = {
    {"sigmoid", function() return moon.bce(), moon.rand(n, k) end},
    {"softmax", function() return moon.cross_entropy(), one_hot() end},
    {"tanh", function() return moon.mse(), moon.rand(n, k) end},
  }
  for _, case in ipairs(pairs_of) do
    it(case[1], function()
      moon.seed(5)
      local net = moon.sequential{
        moon.dense(6, 3, {activation = "tanh", activity_l1 = 0.05}), moon.dense(3, k, {activation = case[1]}),
      }
      local loss, t = case[2]()
      local x = moon.rand(n, 6)
      local value = loss:forward(net:forward(x, true), t) + net:penalty()
      net:backward(loss:backward())
      local by_hand = {}
      for i, parameter in ipairs(net:parameters()) do by_hand[i] = parameter.grad:clone() end
      assert.near(value, net:step(x, t, loss, moon.sgd{lr = 1e-3}), 1e-6)
      for i, parameter in ipairs(net:parameters()) do
        assert.is_true(parameter.grad:allclose(by_hand[i], 1e-4, 1e-7), parameter.name)
      end
    end)
  end
end)

-- Roots, logarithms and divisions at their limits: 0, the largest and the smallest numbers, infinity.
local moon = require "moonglass"

local huge = math.huge

local function is_finite(t)
  local sum = t:abs():max()
  return sum == sum and sum < huge
end

-- ---- optimisers ----

local kinds = {
  moon.sgd, moon.adam, moon.rmsprop, moon.adagrad, moon.adamax, moon.nadam, moon.adadelta,
  function(o) return moon.sgd{momentum = 0.9, nesterov = true, lr = o.lr} end,
  function(o) return moon.rmsprop{centered = true, lr = o.lr, eps = o.eps} end,
  function(o) return moon.rmsprop{centered = true, momentum = 0.9, rho = 0.5, lr = o.lr, eps = o.eps} end,
  function(o) return moon.adagrad{initial_accumulator = 0, lr = o.lr, eps = o.eps} end,
  function(o) return moon.adam{beta1 = 0, beta2 = 0, lr = o.lr, eps = o.eps} end,
}

-- The weights after `steps` steps with the gradients gradient(1), gradient(2), ...
local function walk(opt, steps, gradient)
  local value, grad = moon.ones(16), moon.zeros(16)
  for i = 1, steps do
    grad:copy_(gradient(i))
    opt:step{{name = "w", value = value, grad = grad}}
  end
  return value
end

local function options_of(kind, eps) return kind == moon.sgd and {lr = 1e-3} or {lr = 1e-3, eps = eps} end

describe("an optimiser", function()
  for number, kind in ipairs(kinds) do
    for _, eps in ipairs{1e-7, 1e-40, 1e-300} do
      local what = "number %d with eps %g moves nothing without gradients, and stays finite with any"
      it(what:format(number, eps), function()
        local function make() return kind(options_of(kind, eps)) end
        assert.equal(1, walk(make(), 5, function() return moon.zeros(16) end):min())
        assert.equal(1, walk(make(), 5, function() return moon.zeros(16) end):max())
        for _, size in ipairs{1e-45, 1e-30, 1e-19, 1, 1e10, 1e18, 1e19, 1e30} do
          moon.seed(number)
          local base = moon.rand(16) * size
          for _, gradient in ipairs{
            function() return base end, -- constant
            function() return base * (moon.rand(16) * 1e-4 + 1) end, -- almost constant
            function(i) return base * (i % 2 * 2 - 1) end, -- changes sign in every step
            function(i) return i < 20 and base or base * 0 end, -- then 0
          } do
            assert.is_true(is_finite(walk(make(), 60, gradient)), ("gradients of %g"):format(size))
          end
        end
      end)
    end
  end

  it("takes fractions that float32 cannot represent", function()
    for _, beta in ipairs{1 - 1e-9, 1 - 1e-12} do
      local opt = moon.adam{lr = 1e-3, beta1 = beta, beta2 = beta}
      assert.is_true(is_finite(walk(opt, 5, function() return moon.full(0.5, 16) end)))
    end
  end)

  it("continues after a gradient whose square is infinite", function()
    for _, make in ipairs{moon.adam, moon.rmsprop} do
      local opt = make(make == moon.adam and {lr = 1, beta2 = 0.5} or {lr = 1, rho = 0.5})
      local value = walk(opt, 400, function(i) return moon.full(i == 1 and 1e25 or 1, 16) end)
      assert.is_true(is_finite(value) and value:max() < -10)
    end
  end)

  it("gives a step the same bits whatever step came before, and takes any number of steps", function()
    for _, kind in ipairs(moon.registered("optimizers")) do
      local function step(opt, number)
        local value = moon.ones(16)
        opt:set_steps(number - 1)
        opt:step{{name = "w", value = value, grad = moon.full(0.5, 16)}}
        return value
      end
      local opt = moon[kind]()
      for _, number in ipairs{1, 2, 7, 3, 1500, 999, 1000, math.maxinteger, 1} do
        assert.is_true(step(opt, number):equal(step(moon[kind](), number)), kind .. " " .. number)
      end
    end
  end)

  it("limits its count of steps", function()
    local opt = moon.adam()
    opt:set_steps(math.maxinteger)
    assert.is_true(is_finite(walk(opt, 3, function() return moon.ones(16) end)))
  end)

  it("centered rmsprop takes bounded steps in spite of rounding in v", function()
    local opt = moon.rmsprop{centered = true, lr = 1e-3}
    local value = walk(opt, 400, function() return moon.full(1e6, 16) end)
    assert.is_true(value:min() > 1 - 400 * 1e-3 / math.sqrt(2.4e-7) * 1.01)
  end)
end)

-- ---- losses ----

describe("a loss", function()
  it("bce of probabilities that are exactly 0 and 1", function()
    local loss = moon.bce()
    local clipped = -math.log(1e-7)
    for _, case in ipairs{{0, 0, 0}, {1, 1, 0}, {0, 1, clipped}, {1, 0, clipped}, {0, 0.5, clipped / 2}} do
      local value = loss:forward(moon.tensor{{case[1]}}, moon.tensor{{case[2]}})
      assert.near(case[3], value, 0.02 * case[3] + 2e-7)
      assert.equal(0, loss:backward():get(1, 1))
    end
  end)

  it("bce of large logits", function()
    local loss = moon.bce{from_logits = true}
    for _, z in ipairs{100, 1e5, 1e30} do
      for _, t in ipairs{0, 1} do
        for _, sign in ipairs{-1, 1} do
          local expected = (sign > 0) == (t == 1) and 0 or z
          assert.near(expected, loss:forward(moon.tensor{{sign * z}}, moon.tensor{{t}}), 1e-6 * z)
          assert.near((sign > 0 and 1 or 0) - t, loss:backward():get(1, 1), 1e-6)
        end
      end
    end
  end)

  it("cross_entropy of certain rows, and of logits that exclude a class", function()
    local loss = moon.cross_entropy()
    for _, row in ipairs{{1, 0, 0}, {1e-45, 0, 0}, {1e-30, 1e-30, 0}} do
      local value = loss:forward(moon.tensor{row}, moon.tensor{2})
      assert.near(-math.log(1e-7), value, 1e-5)
      assert.is_true(is_finite(loss:backward()))
    end
    local logits = moon.cross_entropy{from_logits = true}
    assert.near(math.log(2), logits:forward(moon.tensor{{-huge, 0, 0}}, moon.tensor{1}), 1e-6)
    assert.same({0, -0.5, 0.5}, logits:backward()[1]:totable())
    assert.equal(0, logits:forward(moon.tensor{{-1e38, 1e38}}, moon.tensor{1}))
    assert.equal(0, logits:forward(moon.tensor{{5}}, moon.tensor{0}))
  end)

  it("mae and huber at their corners", function()
    local p = moon.tensor{{0, 1, 3e38}}
    for _, loss in ipairs{moon.mae(), moon.huber{delta = 1e-30}, moon.huber{delta = 1}} do
      assert.equal(0, loss:forward(p, p))
      assert.same({0, 0, 0}, loss:backward()[1]:totable())
    end
  end)
end)

-- ---- activations ----

local inputs = {0, 1e-45, 1e-20, 1, 10, 20, 100, 1e5, 2e19, 1e30, 3e38}

describe("an activation", function()
  for _, name in ipairs(moon.registered("activations")) do
    it(name .. " and its derivatives are finite for all finite numbers", function()
      for _, v in ipairs(inputs) do
        for _, z in ipairs{v, -v} do
          local layer = moon.dense(1, 1, {activation = name, contractive = name ~= "softmax" and 1 or 0})
          layer.weight = moon.ones(1, 1)
          local y = layer:forward(moon.tensor{{z}})
          assert.is_true(is_finite(y), ("of %g"):format(z))
          assert.is_true(is_finite(layer:backward(moon.ones(1, 1))), ("slope at %g"):format(z))
        end
      end
    end)
  end

  it("contractive penalties are finite where the derivatives are", function()
    for _, name in ipairs(moon.registered("activations")) do
      for _, z in ipairs(name == "softmax" and {} or inputs) do
        local layer = moon.dense(1, 1, {activation = name, contractive = 1})
        layer.weight = moon.ones(1, 1)
        local net, x = moon.sequential{layer, moon.dense(1, 1, {init = "zeros"})}, moon.tensor{{-z}}
        net:step(x, moon.zeros(1, 1), moon.mse(), moon.sgd{lr = 0})
        assert.is_true(is_finite(layer.weight_grad * 0), ("%s at %g"):format(name, -z))
      end
    end
  end)

  it("softmax of one element, and of excluded elements", function()
    local softmax = moon.activation("softmax")
    assert.same({{1}, {1}}, softmax:forward(moon.tensor{{-3e38}, {7}}):totable())
    assert.same({{0, 0.5, 0.5}}, softmax:forward(moon.tensor{{-huge, 2, 2}}):totable())
    assert.same({{0, 1}}, softmax:forward(moon.tensor{{-3e38, 3e38}}):totable())
    local none = softmax:forward(moon.tensor{{-huge, -huge}}):get(1, 1)
    assert.is_true(none ~= none) -- 0 / 0 is NaN
  end)
end)

describe("an element-wise function", function()
  it("log, sqrt and pow", function()
    local t = moon.tensor{0, -0.0, 1e-45, 1, huge}
    local log = t:log():totable()
    assert.same({-huge, -huge, 0, huge}, {log[1], log[2], log[4], log[5]})
    assert.near(math.log(moon.tensor{1e-45}[1]), log[3], 1e-5)
    local bad = moon.tensor{-1e-45, -1, 0 / 0}
    for _, f in ipairs{"log", "sqrt"} do
      for _, v in ipairs(bad[f](bad):totable()) do assert.is_true(v ~= v) end
    end
    assert.same({0, 0, huge}, moon.tensor{0, -0.0, huge}:sqrt():totable())
    assert.same({1, huge, 0}, {(t ^ 0)[1], (t ^ -1)[1], (t ^ -1)[5]})
    assert.same({huge, 0, 1}, {moon.tensor{89}:exp()[1], moon.tensor{-200}:exp()[1], moon.tensor{0}:exp()[1]})
  end)
end)

-- ---- penalties ----

describe("kl_weight", function()
  it("is finite for outputs of 0 and 1, and for any target", function()
    for _, target in ipairs{1e-300, 1e-12, 0.5, 1 - 1e-12} do
      for _, bias in ipairs{-1e30, -200, 0, 200, 1e30} do
        local layer = moon.dense(2, 3, {activation = "sigmoid", kl_weight = 1, kl_target = target})
        layer.bias = moon.full(bias, 3)
        local net = moon.sequential{layer}
        local loss = net:step(moon.rand(4, 2), moon.rand(4, 3), moon.mse(), moon.sgd{lr = 0.1})
        assert.is_true(loss == loss and loss < huge, ("target %g, bias %g"):format(target, bias))
        for _, p in ipairs(net:parameters()) do assert.is_true(is_finite(p.value)) end
      end
    end
  end)
end)

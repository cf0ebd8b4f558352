-- Test the option label_smoothing of bce and cross_entropy: Keras's formulas in plain Lua; labels, logits, fused nets.
local moon = require "moonglass"
local formulas = dofile "spec/support/formulas.lua"

local n, k = 9, 700 -- wider than the piece that bce smooths at a time

local function row_sum(name, p, t)
  if formulas.losses[name].row then return formulas.losses[name].row(p, t) end
  local sum = 0
  for j = 1, #p do sum = sum + formulas.losses[name].element(p[j], t[j]) end
  return sum
end

-- Keras: bce mixes its targets with 1/2, cross_entropy with 1 / classes.
local mixed_with = {bce = function() return 1 / 2 end, cross_entropy = function(classes) return 1 / classes end}

local function by_hand(name, p, t, a)
  local sum = 0
  for i, row in ipairs(t:totable()) do
    for j, v in ipairs(row) do row[j] = v * (1 - a) + a * mixed_with[name](#row) end
    sum = sum + row_sum(name, p[i]:totable(), row)
  end
  return sum / #t / (name == "bce" and p:size(2) or 1)
end

local function one_hot(labels, classes)
  local t = moon.zeros(#labels, classes)
  for i = 1, #labels do t:set(1, i, math.tointeger(labels[i]) + 1) end
  return t
end

describe("label_smoothing", function()
  before_each(function() moon.seed(7) end)

  for name in pairs(mixed_with) do
    for _, a in ipairs{0, 0.1, 0.5, 1} do
      it(("%s{label_smoothing = %g} mixes the targets"):format(name, a), function()
        local p = moon.rand(n, k) * 0.8 + 0.1
        local t = name == "bce" and moon.rand(n, k) or moon.rand(n, k):softmax()
        local expected = by_hand(name, p, t, a)
        assert.near(expected, moon[name]{label_smoothing = a}:forward(p, t), 2e-6 * expected)
      end)
    end

    it(name .. ": 0 gives the bits of none", function()
      local p, t = moon.rand(n, k), moon.rand(n, k):softmax()
      local plain, zero = moon[name](), moon[name]{label_smoothing = 0}
      assert.equal(plain:forward(p, t), zero:forward(p, t))
      assert.is_true(plain:backward():equal(zero:backward()))
    end)

    it(name .. ": the same from logits, and fused with the last activation, and by columns and by rows", function()
      local activation = name == "bce" and "sigmoid" or "softmax"
      local x, t = moon.rand(256, 128), moon.rand(256, 96):softmax()
      local objectives, weights = {}, {}
      for i, case in ipairs{{activation, {}, 1}, {"linear", {from_logits = true}, 1}, {activation, {}, 2}} do
        for _, batch in ipairs{32, 256} do
          moon.seed(3)
          local net = moon.sequential{moon.dense(128, 128), moon.dense(128, 96, {activation = case[1]})}
          case[2].label_smoothing = 0.2
          local history = net:fit(x, t, {loss = moon[name](case[2]), optimizer = moon.sgd{lr = 0.1}, batch_size = batch,
            shuffle = false, threads = case[3]})
          objectives[i], weights[i] = objectives[i] or {}, weights[i] or {}
          objectives[i][batch], weights[i][batch] = history.loss[1], net:layer(1).weight
          assert.near(objectives[1][batch], history.loss[1], 1e-6 * history.loss[1])
          assert.is_true(weights[i][batch]:allclose(weights[1][batch], 1e-4, 1e-6))
        end
      end
    end)
  end

  it("takes class numbers as it takes one-hot rows", function()
    local labels, p = moon.tensor{0, 3, 1, 2, 3}, moon.rand(5, 4) + 0.1
    for _, logits in ipairs{false, true} do
      local a = moon.cross_entropy{label_smoothing = 0.3, from_logits = logits}
      local b = moon.cross_entropy{label_smoothing = 0.3, from_logits = logits}
      assert.equal(a:forward(p, one_hot(labels, 4)), b:forward(p, labels))
      assert.is_true(a:backward():equal(b:backward()))
    end
  end)

  it("leaves out missing cells", function()
    local nan = 0 / 0
    local x, gaps = moon.rand(n, 6), moon.rand(n, 6):lt(0.3)
    local net = moon.sequential{moon.dense(6, 6, {activation = "sigmoid"})}
    local loss, one, sum, count = moon.bce{label_smoothing = 0.2}, moon.bce{label_smoothing = 0.2}, 0, 0
    local p = net:predict(gaps:where(0, x))
    for i = 1, n do
      for j = 1, 6 do
        if gaps:get(i, j) == 0 then
          sum = sum + one:forward(p:rows(i, i):columns(j), x:rows(i, i):columns(j))
          count = count + 1
        end
      end
    end
    assert.near(sum / count, net:evaluate(gaps:where(nan, x), {loss = loss, mask = true}), 2e-6)
  end)

  it("is read back", function()
    assert.equal(0, moon.bce().label_smoothing)
    assert.near(0.1, moon.cross_entropy{label_smoothing = 0.1}.label_smoothing, 0)
    assert.equal("bce label_smoothing 0.25", tostring(moon.bce{label_smoothing = 0.25}))
  end)
end)

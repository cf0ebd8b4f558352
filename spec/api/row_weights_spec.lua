-- Test weights of rows and classes: fit and evaluate with sample_weight and class_weight, against plain Lua in doubles.
local moon = require "moonglass"
local failure = dofile("spec/support/expect.lua").failure
local formulas = dofile "spec/support/formulas.lua"

local function rows_of(t)
  local list = t:totable()
  return type(list[1]) == "table" and list or nil
end

local last_activation = {bce = "sigmoid", cross_entropy = "softmax"}

local function make_net(name, d)
  moon.seed(5)
  return moon.sequential{moon.dense(d or 6, 4, {activation = "tanh"}),
    moon.dense(4, 5, {activation = last_activation[name] or "linear"})}
end

-- The loss of one row, in doubles.
local function row_loss(name, p, t)
  local formula = formulas.losses[name]
  if formula.row then return formula.row(p, t) end
  local sum = 0
  for j = 1, #p do sum = sum + formula.element(p[j], t[j]) end
  return sum
end

-- A row's factor by the reduction: Keras divides by the rows, not by the sum of their weights.
local factors = {
  mean = function(n, d) return 1 / (n * d) end,
  batchmean = function(n) return 1 / n end,
  sum = function() return 1 end,
}

-- The weighted loss of predictions p for targets t, lists of rows.
local function weighted(name, reduction, p, t, w)
  local sum = 0
  for i = 1, #p do sum = sum + w[i] * row_loss(name, p[i], t[i]) end
  return sum * factors[reduction](#p, #p[1])
end

-- Its gradient by central differences, as a tensor.
local function weighted_gradient(name, reduction, p, t, w)
  local f, h, result = factors[reduction](#p, #p[1]), 1e-5, {}
  for i, row in ipairs(p) do
    result[i] = {}
    for j, v in ipairs(row) do
      row[j] = v + h
      local above = row_loss(name, row, t[i])
      row[j] = v - h
      result[i][j] = w[i] * f * (above - row_loss(name, row, t[i])) / (2 * h)
      row[j] = v
    end
  end
  return moon.tensor(result)
end

local function one_hot(labels, classes)
  local t = moon.zeros(#labels, classes)
  for i = 1, #labels do t:set(1, i, math.tointeger(labels[i]) + 1) end
  return t
end

local function labels_of(n)
  local t = moon.zeros(n)
  for i = 1, n do t[i] = i * 7 % 5 end
  return t
end

local n = 12
local cases = {}
for _, name in ipairs{"mse", "mae", "huber", "bce"} do
  for reduction in pairs(factors) do cases[#cases + 1] = {name, reduction, {reduction = reduction}} end
end
cases[#cases + 1] = {"cross_entropy", "batchmean", {}}
cases[#cases + 1] = {"cross_entropy", "batchmean", {}, labels = true}

-- Targets for a net of 5 outputs, and the same as rows.
local function targets(case)
  if case[1] ~= "cross_entropy" then
    local y = moon.rand(n, 5)
    return y, y
  end
  local labels = labels_of(n)
  return case.labels and labels or one_hot(labels, 5), one_hot(labels, 5)
end

local function same_parameters(a, b, rtol, atol)
  for i, p in ipairs(a:parameters()) do
    local other = b:parameters()[i].value
    assert.is_true(rtol and p.value:allclose(other, rtol, atol) or p.value:equal(other), p.name)
  end
end

describe("weights of rows", function()
  for _, case in ipairs(cases) do
    local name, reduction = case[1], case[2]
    it(("multiply each row's loss and gradient: %s, %s%s"):format(name, reduction, case.labels and ", labels" or ""),
      function()
        moon.seed(3)
        local x, w = moon.randn(n, 6), moon.rand(n) * 3
        w[2], w[3] = 0, w[4] -- a row that counts nothing; two alike
        local y, t = targets(case)
        local net, copy, loss = make_net(name), make_net(name), moon[name](case[3])
        local p = rows_of(copy:forward(x, true))
        local expected = weighted(name, reduction, p, rows_of(t), w:totable())
        assert.near(expected, net:evaluate(x, y, {loss = loss, sample_weight = w, batch_size = n}), 2e-6 * expected)

        copy:backward(weighted_gradient(name, reduction, p, rows_of(t), w:totable()))
        moon.sgd{lr = 0.1}:step(copy:parameters())
        local history = net:fit(x, y, {loss = loss, sample_weight = w, batch_size = n, shuffle = false,
          optimizer = moon.sgd{lr = 0.1}})
        assert.near(expected, history.loss[1], 2e-6 * expected)
        same_parameters(net, copy, 1e-5, 1e-6)
      end)
  end

  it("that are all 1 give the bits that fit gives without weights", function()
    local x, y = moon.rand(50, 6), moon.rand(50, 5)
    local nets = {make_net "mse", make_net "mse"}
    for i, net in ipairs(nets) do
      net:fit(x, y, {loss = "mse", epochs = 3, batch_size = 16, seed = 3, validation_split = 0.2,
        sample_weight = i == 2 and moon.ones(50) or nil})
    end
    same_parameters(nets[1], nets[2])
    assert.equal(nets[1]:evaluate(x, y), nets[2]:evaluate(x, y, {sample_weight = moon.ones(50)}))
  end)

  it("refuse what cannot be weights, before anything is trained", function()
    local x, y, net = moon.rand(5, 6), moon.rand(5, 5), make_net "mse"
    local function refuses(message, options, ...)
      options.loss = "mse"
      assert.equal(message, failure(net.fit, net, x, ..., options))
    end
    refuses("fit: sample_weight is a table, expected a tensor: moon.tensor(list) makes one",
      {sample_weight = {1, 2, 3, 4, 5}}, y)
    refuses("fit: sample_weight is [4], expected [5]: one weight for each row of x", {sample_weight = moon.ones(4)}, y)
    refuses("fit: sample_weight has -1.0 in row 2, expected a finite number of at least 0",
      {sample_weight = moon.tensor{1, -1, 1, 1, 1}}, y)
    refuses("fit: sample_weight has nan in row 5, expected a finite number of at least 0",
      {sample_weight = moon.tensor{1, 1, 1, 1, 0 / 0}}, y)
    refuses("fit: sample_weight and class_weight are both given, expected one of them: multiply the weights",
      {sample_weight = moon.ones(5), class_weight = {[0] = 1}}, y)
  end)
end)

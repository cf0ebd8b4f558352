-- Test weights of rows and classes: fit and evaluate with sample_weight and class_weight, against plain Lua in doubles.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"
local formulas = dofile "spec/support/formulas.lua"
local ranks = dofile "spec/support/ranks.lua"

local failure = expect.failure

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

  for _, name in ipairs{"mse", "mae", "huber", "bce"} do
    for reduction in pairs(factors) do
      it(("leave the number of cells that a mask's mean is over: %s, %s"):format(name, reduction), function()
        moon.seed(4)
        local x, y, w, gaps = moon.randn(n, 6), moon.rand(n, 5), moon.rand(n) * 3, moon.rand(n, 5):lt(0.3)
        local net, sum, present = make_net(name), 0, 0
        local p = net:predict(x)
        for i = 1, n do
          for j = 1, 5 do
            if gaps:get(i, j) == 0 then
              sum = sum + w[i] * formulas.losses[name].element(p:get(i, j), y:get(i, j))
              present = present + 1
            end
          end
        end
        local expected = sum * ({mean = 1 / present, batchmean = 1 / n, sum = 1})[reduction]
        local options = {loss = moon[name]{reduction = reduction}, mask = true, sample_weight = w, batch_size = n}
        assert.near(expected, net:evaluate(x, gaps:where(0 / 0, y), options), 3e-6 * expected)
        options.optimizer = moon.sgd{lr = 0}
        assert.near(expected, net:fit(x, gaps:where(0 / 0, y), options).loss[1], 3e-6 * expected)
      end)
    end
  end

  it("are the same by columns and by rows, with any number of threads", function()
    -- Batches of such rows are divided by columns (64) and by rows (512).
    moon.seed(4)
    local x, labels, w = moon.rand(512, 400), moon.zeros(512), moon.rand(512):gt(0.4) * moon.rand(512)
    for i = 1, 512 do labels[i] = i * 7 % 10 end
    local nets = {
      bce = function() return moon.autoencoder.plain{input = 400, hidden = 64}, nil end,
      cross_entropy = function()
        return moon.sequential{moon.dense(400, 64), moon.dense(64, 10, {activation = "softmax"})}, labels
      end,
    }
    for loss, make in pairs(nets) do
      for _, batch in ipairs{64, 512} do
        local results = {}
        for _, threads in ipairs{1, 2, 3} do
          moon.seed(9)
          local net, y = make()
          net:fit(x, y, {loss = loss, sample_weight = w, threads = threads, batch_size = batch, epochs = 2, seed = 1,
            optimizer = moon.sgd{lr = 0.1}})
          results[threads] = {net = net, value = net:evaluate(x, y, {sample_weight = w, batch_size = batch})}
          assert.near(results[1].value, results[threads].value, 1e-6)
          same_parameters(results[1].net, net, 1e-4, 1e-6)
        end
      end
    end
  end)

  -- What fit's first epoch should say without any update, in batches.
  local function mean_of_rows(name, net, x, y, w)
    local p, t, sum = net:predict(x):totable(), y:totable(), 0
    for i = 1, #p do sum = sum + w[i] * row_loss(name, p[i], t[i]) / #p[i] end
    return sum / #p
  end

  it("follow their rows: shuffled, in batches that do not divide them, from windows and sources", function()
    moon.seed(6)
    local x, y, w = moon.rand(43, 6), moon.rand(43, 5), moon.rand(43) * 2
    local expected = mean_of_rows("mse", make_net "mse", x, y, w)
    local function source(t)
      return moon.source{rows = #t, width = t:size(2), block = 5, read = function(first, count)
        return t:rows(first, first + count - 1)
      end}
    end
    for _, rows in ipairs{x, x:windows(1), source(x)} do
      for _, wanted in ipairs{y, source(y)} do
        for _, batch in ipairs{1, 7, 16, 43} do
          for _, shuffle in ipairs{true, false} do
            local net = make_net "mse"
            local o = {loss = "mse", sample_weight = w, batch_size = batch, shuffle = shuffle, seed = 8,
              optimizer = moon.sgd{lr = 0}}
            assert.near(expected, net:fit(rows, wanted, o).loss[1], 1e-6)
            assert.near(expected, net:evaluate(rows, wanted, {sample_weight = w, batch_size = batch}), 1e-6)
          end
        end
      end
    end
  end)

  it("follow the rows of a CSV that is streamed", function()
    local path = os.tmpname()
    local x, w = moon.rand(40, 3), moon.rand(40)
    local file = assert(io.open(path, "w"))
    file:write "a,b,c\n"
    for i = 1, 40 do file:write(table.concat(x[i]:totable(), ","), "\n") end
    file:close()
    local stream = assert(moon.data.csv(path, {stream = true}))
    local values = {}
    for i, rows in ipairs{x, stream} do
      moon.seed(5)
      local net = moon.sequential{moon.dense(3, 3)}
      net:fit(rows, {loss = "mse", sample_weight = w, shuffle = false, batch_size = 12, epochs = 3})
      values[i] = net:evaluate(rows, {sample_weight = w})
    end
    os.remove(path)
    assert.near(values[1], values[2], 1e-6)
  end)

  it("are those of x where the target is x", function()
    local x, w = moon.rand(20, 6), moon.rand(20)
    local ae = moon.autoencoder.plain{input = 6, hidden = 3, output = "linear"}
    local expected = mean_of_rows("mse", ae, x, x, w)
    assert.near(expected, ae:evaluate(x, {loss = "mse", sample_weight = w}), 1e-6)
    assert.near(expected, ae:evaluate(x, {loss = "mse", sample_weight = w:reshape(20, 1)}), 1e-6)
    assert.near(expected, ae:fit(x, {loss = "mse", sample_weight = w, optimizer = moon.sgd{lr = 0}}).loss[1], 1e-6)
  end)

  it("leave penalties as they are", function()
    moon.seed(2)
    local x, net = moon.rand(20, 6), moon.sequential{moon.dense(6, 6, {weight_l2 = 0.1, activity_l1 = 0.1})}
    local values = {}
    for i, weight in ipairs{0, 0.5, 1} do
      values[i] = net:evaluate(x, {loss = "mse", sample_weight = moon.full(weight, 20)})
    end
    assert.is_true(values[1] > 0.01 and values[3] > values[1] + 0.01)
    assert.near(values[2], (values[1] + values[3]) / 2, 1e-6)
  end)

  it("of 0 in a whole batch give the loss 0 and no gradient", function()
    local net = make_net "mse"
    local before = net:clone()
    local history = net:fit(moon.rand(8, 6), moon.rand(8, 5), {loss = "mse", sample_weight = moon.zeros(8)})
    assert.equal(0, history.loss[1])
    same_parameters(net, before)
  end)

  it("may be a dataset's, for steps of one's own", function()
    moon.seed(2)
    local x, y, w = moon.rand(12, 6), moon.rand(12, 5), moon.rand(12)
    local data, net, copy = moon.dataset(x, y), make_net "mse", make_net "mse"
    assert.is_nil(data:weights(1, 12))
    data:set_weights(w)
    assert.is_true(w:equal(data:weights(1, 12)))
    net:step_rows(data, 1, 12, moon.mse(), moon.sgd{lr = 0.1})
    copy:fit(x, y, {loss = "mse", sample_weight = w, batch_size = 12, shuffle = false, optimizer = moon.sgd{lr = 0.1}})
    same_parameters(net, copy)
    data:shuffle(3)
    local order = data:weights(3, 4)
    for i = 1, 4 do
      local found
      for row = 1, 12 do found = found or (x[row]:equal(data:batch(i + 2, 1)[1]) and row) end
      assert.equal(w[found], order[i])
    end
    assert.equal(net:evaluate_rows(data, "mse"), net:evaluate(x, y, {loss = "mse", sample_weight = w}))
    data:set_weights(nil)
    assert.is_nil(data:weights(1, 12))
  end)

  it("are multiplied by a loss of its own, too", function()
    moon.seed(2)
    local p, t, w = moon.rand(4, 5), moon.rand(4, 5), moon.tensor{2, 0, 1, 0.5}
    local loss, plain = moon.mse(), moon.mse()
    assert.near(weighted("mse", "mean", p:totable(), t:totable(), w:totable()), loss:forward(p, t, w), 1e-6)
    plain:forward(p, t)
    assert.is_true(loss:backward():allclose(plain:backward() * w:reshape(4, 1), 1e-6))
    assert.equal("mse: weights: got [3], expected [4] float32, one for each row", failure(loss.forward, loss, p, t,
      moon.ones(3)))
  end)

  it("are the same in nets with layers or an optimizer in Lua", function()
    moon.seed(2)
    local x, y, w = moon.rand(20, 6), moon.rand(20, 5), moon.rand(20)
    local tanh = moon.activation "tanh"
    local layer = {forward = function(_, t) return tanh:forward(t, true) end,
      backward = function(_, dy) return tanh:backward(dy) end}
    local function net_of(middle)
      moon.seed(5)
      return moon.sequential{moon.dense(6, 4), middle, moon.dense(4, 5)}
    end
    local function optimizer()
      local sgd = moon.sgd{lr = 0.1}
      return {step = function(_, list) return sgd:step(list) end}
    end
    local expected
    for i, case in ipairs{{moon.activation "tanh", moon.sgd{lr = 0.1}}, {layer, moon.sgd{lr = 0.1}},
                          {moon.activation "tanh", optimizer()}} do
      local net = net_of(case[1])
      local history = net:fit(x, y, {loss = "mse", optimizer = case[2], sample_weight = w, epochs = 3, seed = 1,
        batch_size = 8, validation = {x, y, w}})
      expected = expected or {history.loss[3], history.val_loss[3]}
      assert.near(expected[1], history.loss[3], 1e-6, tostring(i))
      assert.near(expected[2], history.val_loss[3], 1e-6, tostring(i))
      assert.near(expected[2], net:evaluate(x, y, {sample_weight = w}), 1e-6)
    end
  end)

  it("resume bit for bit", function()
    moon.seed(2)
    local x, y, w, path = moon.rand(60, 6), moon.rand(60, 5), moon.rand(60), os.tmpname()
    local whole = make_net "mse"
    local function options(more)
      local o = {loss = "mse", sample_weight = w, validation_split = 0.2}
      for name, v in pairs(more) do o[name] = v end
      return o
    end
    local all = whole:fit(x, y, options{epochs = 4, seed = 2})
    make_net "mse":fit(x, y, options{epochs = 2, seed = 2, callbacks = {moon.callbacks.checkpoint(path)}})
    local c = assert(moon.checkpoint.load(path))
    local history = c.net:fit(x, y, options{epochs = 4, resume = c})
    os.remove(path)
    same_parameters(whole, c.net)
    assert.same(all.loss, history.loss)
    assert.same(all.val_loss, history.val_loss)
  end)

  it("of validation: a third value, or the last rows' of sample_weight", function()
    moon.seed(2)
    local x, y, w = moon.rand(20, 6), moon.rand(20, 5), moon.rand(20)
    local function val_loss(more)
      local o = {loss = "mse", optimizer = moon.sgd{lr = 0}}
      for name, v in pairs(more) do o[name] = v end
      return make_net "mse":fit(x, y, o).val_loss[1]
    end
    local net = make_net "mse"
    assert.near(net:evaluate(x, y, {loss = "mse"}), val_loss{sample_weight = w, validation = {x, y}}, 1e-6)
    assert.near(net:evaluate(x, y, {loss = "mse", sample_weight = w}), val_loss{validation = {x, y, w}}, 1e-6)
    assert.near(net:evaluate(x:rows(16, 20), y:rows(16, 20), {loss = "mse", sample_weight = w:rows(16, 20)}),
      val_loss{sample_weight = w, validation_split = 0.25}, 1e-6)
    local ae = moon.autoencoder.plain{input = 6, hidden = 3}
    assert.near(ae:evaluate(x, {loss = "mse", sample_weight = w}),
      ae:fit(x, {loss = "mse", optimizer = moon.sgd{lr = 0}, validation = {x, nil, w}}).val_loss[1], 1e-6)
  end)

  it("do not count in metrics, as in Keras", function()
    moon.seed(2)
    local x, y, w = moon.rand(20, 6), moon.rand(20, 5), moon.rand(20)
    local function metric(weights)
      return make_net "mse":fit(x, y, {loss = "mse", optimizer = moon.sgd{lr = 0}, metrics = {"mse"},
        sample_weight = weights}).metrics.mse[1]
    end
    assert.equal(metric(nil), metric(w))
  end)

  it("refuse what cannot be weights, before anything is trained", function()
    local x, y, net = moon.rand(5, 6), moon.rand(5, 5), make_net "mse"
    local before = net:clone()
    local function refuses(message, options)
      options.loss = options.loss or "mse"
      assert.equal(message, failure(net.fit, net, x, y, options))
    end
    refuses("fit: sample_weight is a table, expected a tensor: moon.tensor(list) makes one",
      {sample_weight = {1, 2, 3, 4, 5}})
    refuses("fit: sample_weight is 3, expected a tensor", {sample_weight = 3})
    refuses("fit: sample_weight is [4], expected [5]: one weight for each row of x", {sample_weight = moon.ones(4)})
    refuses("fit: sample_weight is [5 x 5], expected [5]: one weight for each row of x", {sample_weight = y})
    refuses("fit: sample_weight is [5] uint8, expected float32: sample_weight:float() makes it",
      {sample_weight = moon.ones(5):byte()})
    refuses("fit: sample_weight has -1.0 in row 2, expected a finite number of at least 0",
      {sample_weight = moon.tensor{1, -1, 1, 1, 1}})
    refuses("fit: sample_weight has nan in row 5, expected a finite number of at least 0",
      {sample_weight = moon.tensor{1, 1, 1, 1, 0 / 0}})
    refuses("fit: sample_weight has inf in row 1, expected a finite number of at least 0",
      {sample_weight = moon.tensor{1 / 0, 1, 1, 1, 1}})
    refuses("fit: sample_weight and class_weight are both given, expected one of them: multiply the weights",
      {sample_weight = moon.ones(5), class_weight = {[0] = 1}})
    refuses("fit: validation: the third value is [4], expected [5]: one weight for each row of x",
      {validation = {x, y, moon.ones(4)}})
    refuses("fit: validation has 1 at [4], expected {x}, {x, y} or {x, y, weights}",
      {validation = {x, y, moon.ones(5), 1}})
    refuses("fit: rows have weights, but the loss is written in Lua, expected a native one: give the weights as a "
      .. "column of y, which the loss multiplies by",
      {sample_weight = moon.ones(5), loss = function(p) return 0, moon.zeros(p.shape) end})
    same_parameters(net, before)
    assert.equal("evaluate: sample_weight is [4], expected [5]: one weight for each row of x",
      failure(net.evaluate, net, x, y, {loss = "mse", sample_weight = moon.ones(4)}))
    local data = moon.dataset(x, y)
    assert.equal("weights: row 2 has -1, expected a finite number of at least 0",
      failure(data.set_weights, data, moon.tensor{1, -1, 1, 1, 1}))
    assert.equal("weights: got [2], expected [5] float32, one for each row", failure(data.set_weights, data,
      moon.ones(2)))
    data:set_weights(moon.ones(5))
    local loss = {forward = function() return 0 end, backward = function() return moon.zeros(5, 5) end}
    assert.equal("step: rows have weights, but the loss is written in Lua, expected a native one: give the weights as "
      .. "a column of y, which the loss multiplies by", failure(net.step_rows, net, data, 1, 5, loss, moon.sgd()))
  end)

  it("weigh all heads of a row", function()
    moon.seed(3)
    local x, labels, w = moon.rand(n, 6), labels_of(n), moon.rand(n)
    local net = moon.sequential{moon.dense(6, 4),
      moon.branches{{moon.dense(4, 6)}, {moon.dense(4, 5, {activation = "softmax"})}}}
    local loss = moon.heads{{"mse", columns = 6}, {"cross_entropy", columns = 5, weight = 0.3}}
    local p = net:predict(x):split(2, {6, 5})
    local expected = weighted("mse", "mean", p[1]:totable(), x:totable(), w:totable())
      + 0.3 * weighted("cross_entropy", "batchmean", p[2]:totable(), one_hot(labels, 5):totable(), w:totable())
    assert.near(expected, net:evaluate(x, {x, labels}, {loss = loss, sample_weight = w, batch_size = 5}), 1e-6)
    assert.near(expected, net:fit(x, {x, labels}, {loss = loss, sample_weight = w, batch_size = 5,
      optimizer = moon.sgd{lr = 0}}).loss[1], 1e-6)
  end)

  it("that are large are named when the loss diverges", function()
    local net = make_net "mse"
    expect.has(failure(net.fit, net, moon.rand(40, 6), moon.rand(40, 5), {loss = "mse", optimizer = "sgd", epochs = 9,
      sample_weight = moon.full(1e30, 40)}), "the weights of rows go up to 1e+30, so that the learning rate, "
      .. "0.01, is too high: scale them to a mean of 1")
  end)

  it("must be the same on all ranks", function()
    local x, y = moon.rand(20, 6), moon.rand(20, 5)
    local results = ranks.run(2, function(mpi)
      return make_net "mse":fit(x, y, {loss = "mse", distributed = mpi, seed = 1,
        sample_weight = mpi.rank == 0 and moon.ones(20) or nil})
    end)
    for _, r in ipairs(results) do
      assert.is_false(r.fine)
      expect.has(r.value, "fit: the weights of rows is not given, but [20] on rank 0: give all ranks the same rows")
    end
    results = ranks.run(2, function(mpi)
      return make_net "mse":evaluate(x, y, {loss = "mse", distributed = mpi,
        sample_weight = moon.full(mpi.rank + 1, 20)})
    end)
    for _, r in ipairs(results) do
      assert.is_false(r.fine)
      expect.has(r.value, "evaluate: the weights of rows has not the contents that it has on rank 0")
    end
  end)
end)

describe("weights of classes", function()
  -- As sample_weight should be for these class numbers.
  local function by_class(labels, weights)
    local w = moon.zeros(#labels)
    for i = 1, #labels do w[i] = weights[math.tointeger(labels[i])] or 1 end
    return w
  end

  local weights = {[0] = 0.5, [2] = 3, [4] = 0}

  it("are weights of rows by their class: numbers, a column, bytes, one-hot rows, sources; classes without one have 1",
    function()
      moon.seed(3)
      local x, labels = moon.rand(20, 6), labels_of(20)
      local hot = one_hot(labels, 5)
      local expected = make_net "cross_entropy":evaluate(x, labels,
        {loss = "cross_entropy", sample_weight = by_class(labels, weights)})
      local source = moon.source{rows = 20, width = 5, block = 3, read = function(first, count)
        return hot:rows(first, first + count - 1)
      end}
      local plain = make_net "cross_entropy":evaluate(x, labels, {loss = "cross_entropy"})
      assert.is_true(math.abs(plain - expected) > 0.05)
      for _, y in ipairs{labels, labels:reshape(20, 1), labels:byte(), hot, hot:byte(), source} do
        local net = make_net "cross_entropy"
        assert.near(expected, net:evaluate(x, y, {loss = "cross_entropy", class_weight = weights}), 1e-6)
        assert.near(expected, net:fit(x, y, {loss = "cross_entropy", class_weight = weights, batch_size = 7,
          optimizer = moon.sgd{lr = 0}}).loss[1], 1e-6)
      end
      local soft = hot * 0.9 + 0.02 -- the largest counts
      local net = make_net "cross_entropy"
      assert.near(net:evaluate(x, soft, {loss = "cross_entropy", sample_weight = by_class(labels, weights)}),
        net:evaluate(x, soft, {loss = "cross_entropy", class_weight = weights}), 1e-6)
    end)

  it("are of 0 and 1 where there is one output", function()
    moon.seed(3)
    local x, y = moon.rand(20, 6), moon.rand(20):gt(0.5)
    local net = moon.sequential{moon.dense(6, 1, {activation = "sigmoid"})}
    local class_weight = {[0] = 1, [1] = 5}
    assert.near(net:evaluate(x, y:reshape(20, 1), {loss = "bce", sample_weight = by_class(y, class_weight)}),
      net:evaluate(x, y:reshape(20, 1), {loss = "bce", class_weight = class_weight}), 1e-6)
    assert.equal("evaluate: class_weight has class 2, but the targets have classes 0 to 1: class_weight = "
      .. "{[0] = 1, [1] = 5}", failure(net.evaluate, net, x, y:reshape(20, 1), {loss = "bce", class_weight = {1, 5}}))
  end)

  it("do not apply to validation, as in Keras", function()
    moon.seed(3)
    local x, y = moon.rand(20, 6), labels_of(20)
    local net = make_net "cross_entropy"
    for _, more in ipairs{{validation_split = 0.5}, {validation = {x:rows(11, 20), y:rows(11, 20)}}} do
      more.loss, more.class_weight, more.optimizer = "cross_entropy", weights, moon.sgd{lr = 0}
      assert.near(net:evaluate(x:rows(11, 20), y:rows(11, 20), {loss = "cross_entropy"}),
        net:fit(x, y, more).val_loss[1], 1e-6)
    end
    local w = moon.rand(10)
    assert.near(net:evaluate(x:rows(11, 20), y:rows(11, 20), {sample_weight = w}),
      net:fit(x, y, {loss = "cross_entropy", class_weight = weights, optimizer = moon.sgd{lr = 0},
        validation = {x:rows(11, 20), y:rows(11, 20), w}}).val_loss[1], 1e-6)
  end)

  it("make a rare class count", function()
    moon.seed(3)
    local x, y = moon.randn(400, 2), moon.zeros(400)
    for i = 1, 400 do
      y[i] = i % 20 == 0 and 1 or 0
      if i % 20 == 0 then x[i]:add_(1.2) end
    end
    local found = {}
    for i, class_weight in ipairs{{}, {[1] = 19}} do
      moon.seed(5)
      local net = moon.sequential{moon.dense(2, 2, {activation = "softmax"})}
      net:fit(x, y, {loss = "cross_entropy", epochs = 30, seed = 1, optimizer = moon.adam{lr = 0.03},
        class_weight = class_weight})
      found[i] = (net:predict(x):argmax(2) - 1):reshape(-1):mul(y):sum()
    end
    assert.is_true(found[1] < 8 and found[2] > 14, table.concat(found, ", "))
  end)

  it("refuse what cannot be classes", function()
    local x, labels, net = moon.rand(5, 6), labels_of(5), make_net "cross_entropy"
    local function refuses(message, class_weight, y, loss)
      assert.equal(message, failure(net.fit, net, x, y or labels,
        {loss = loss or "cross_entropy", class_weight = class_weight}))
    end
    local example = "class_weight = {[0] = 1, [1] = 5}"
    refuses("fit: class_weight is 5, expected a table: " .. example, 5)
    refuses("fit: class_weight is a moonglass.tensor, expected a table: " .. example, moon.ones(5))
    refuses("fit: class_weight has the class 'spam', expected class numbers, from 0: " .. example, {spam = 5})
    refuses("fit: class_weight has the class -1, expected class numbers, from 0: " .. example, {[-1] = 5})
    refuses("fit: class_weight has the class 0.5, expected class numbers, from 0: " .. example, {[0.5] = 5})
    refuses("fit: class_weight of class 1 is -2, expected a finite number of at least 0", {[1] = -2})
    refuses("fit: class_weight of class 1 is nan, expected a finite number of at least 0", {[1] = 0 / 0})
    refuses("fit: class_weight of class 1 is '5', expected a finite number of at least 0", {[1] = "5"})
    refuses("fit: class_weight has class 5, but the targets have classes 0 to 4: " .. example, {1, 1, 1, 1, 5})
    refuses("fit: class_weight: the rows of y, [5 x 5], are not one-hot: give class numbers [5], or sample_weight",
      {[1] = 5}, moon.rand(5, 5), "mse")
    local regression = moon.sequential{moon.dense(6, 1)}
    assert.equal("fit: class_weight: the target of row 2 is 0.5, expected a class number from 0",
      failure(regression.fit, regression, x, moon.tensor{{0}, {0.5}, {1}, {0}, {0}},
        {loss = "mse", class_weight = {[1] = 2}}))
    local ae = moon.autoencoder.plain{input = 6, hidden = 3}
    assert.equal("fit: class_weight needs classes, but the target is x itself: give y, or sample_weight",
      failure(ae.fit, ae, x, {loss = "mse", class_weight = {[1] = 2}}))
  end)
end)

-- Test missing cells: fit and evaluate with mask = true, against the same computed by hand in Lua.
local moon = require "moonglass"
local core = require "moonglass.core"
local failure = dofile("spec/support/expect.lua").failure

local nan = 0 / 0

-- Rows in [0, 1], of which a share of the cells is missing.
local function rows_with_gaps(n, d, share, seed)
  moon.seed(seed or 1)
  local x, gaps = moon.rand(n, d), moon.rand(n, d):lt(share)
  return gaps:where(nan, x), gaps, gaps:where(0, x)
end

local function make_net(d, last)
  moon.seed(5)
  return moon.sequential{moon.dense(d, 4, {activation = "tanh"}), moon.dense(4, d, {activation = last or "linear"})}
end

-- The value of the loss over the cells that are present, and its gradient, by the loss of single cells.
local function by_hand(loss, prediction, target, gaps)
  local n, d = prediction:size(1), prediction:size(2)
  local sum, count, gradient = 0, 0, moon.zeros(n, d)
  for i = 1, n do
    for j = 1, d do
      if gaps:get(i, j) == 0 then
        sum = sum + loss:forward(prediction:rows(i, i):columns(j), target:rows(i, i):columns(j))
        gradient:set(loss:backward():get(1, 1), i, j)
        count = count + 1
      end
    end
  end
  return sum, count, gradient
end

local factors = {
  mean = function(count) return 1 / count end,
  batchmean = function(_, rows) return 1 / rows end,
  sum = function() return 1 end,
}

local losses = {mse = "linear", mae = "linear", huber = "linear", bce = "sigmoid"}

describe("a mask", function()
  for name, last in pairs(losses) do
    for reduction, factor in pairs(factors) do
      it(("leaves out missing cells: %s, %s"):format(name, reduction), function()
        local x, gaps, filled = rows_with_gaps(12, 6, 0.3)
        local net, copy = make_net(6, last), make_net(6, last)
        local loss = moon[name]{reduction = reduction}
        local sum, count, gradient = by_hand(moon[name]{reduction = "sum"}, copy:forward(filled, true), filled, gaps)
        local f = factor(count, 12)
        assert.near(sum * f, net:evaluate(x, {loss = loss, mask = true, batch_size = 12}), 2e-6 * math.abs(sum * f))

        copy:backward(gradient * f)
        moon.sgd{lr = 0.1}:step(copy:parameters())
        local history = net:fit(x, {loss = loss, mask = true, batch_size = 12, shuffle = false,
          optimizer = moon.sgd{lr = 0.1}})
        assert.near(sum * f, history.loss[1], 2e-6 * math.abs(sum * f))
        for i, p in ipairs(net:parameters()) do
          assert.is_true(p.value:allclose(copy:parameters()[i].value, 1e-5, 1e-6), p.name)
        end
      end)
    end
  end

  it("without any missing cell gives the bits that fit gives without a mask", function()
    local x = moon.rand(50, 6)
    local nets = {make_net(6), make_net(6)}
    for i, net in ipairs(nets) do
      net:fit(x, {loss = "mse", epochs = 3, batch_size = 16, seed = 3, mask = i == 2, validation_split = 0.2})
    end
    for i, p in ipairs(nets[1]:parameters()) do assert.is_true(p.value:equal(nets[2]:parameters()[i].value)) end
    assert.equal(nets[1]:evaluate(x), nets[2]:evaluate(x, {mask = true}))
  end)

  it("takes targets with gaps of their own", function()
    local x, _, filled = rows_with_gaps(10, 6, 0.2)
    local y, gaps, full = rows_with_gaps(10, 6, 0.5, 2)
    local net = make_net(6)
    local sum, count = by_hand(moon.mse{reduction = "sum"}, net:predict(filled), full, gaps)
    assert.near(sum / count, net:evaluate(x, y, {loss = "mse", mask = true}), 1e-6)
  end)

  it("knows missing cells by the clean rows, not by the noisy ones", function()
    local x, gaps, filled = rows_with_gaps(9, 6, 0.4)
    local ae = moon.autoencoder.denoising{input = 6, hidden = 3, output = "linear", noise = moon.masking_noise(0.5)}
    local sum, count = by_hand(moon.mse{reduction = "sum"}, ae:predict(filled), filled, gaps)
    assert.near(sum / count, ae:evaluate(x, {loss = "mse", mask = true}), 1e-6)
    local history = ae:fit(x, {loss = "mse", epochs = 5, mask = true})
    assert.equal(5, #history.loss)
    assert.is_true(history.loss[5] == history.loss[5])
  end)

  it("is evaluated over all cells that are present, in batches of any size", function()
    local x, gaps, filled = rows_with_gaps(23, 6, 0.4)
    local net = moon.sequential{moon.dense(6, 4, {weight_l2 = 0.01}), moon.dense(4, 6)}
    local penalty = net:evaluate(filled, {loss = "mse"}) - net:errors(filled):mean()
    assert.is_true(penalty > 0.001)
    local sum, count = by_hand(moon.mse{reduction = "sum"}, net:forward(filled, true), filled, gaps)
    for batch = 1, 23 do
      local options = {loss = "mse", mask = true, batch_size = batch}
      assert.near(sum / count + penalty, net:evaluate(x, options), 1e-6)
      assert.near(sum / count + penalty, net:evaluate(x:windows(1), options), 1e-6)
    end
  end)

  it("gives a batch without any cell the loss 0, and no gradient", function()
    local net = make_net(6)
    local before = net:layer(1).weight:clone()
    local history = net:fit(moon.full(nan, 8, 6), {loss = "mse", mask = true, optimizer = moon.sgd{lr = 1}})
    assert.equal(0, history.loss[1])
    assert.is_true(before:equal(net:layer(1).weight))
  end)

  it("is the same for any number of threads, by rows and by columns", function()
    -- Batches of such rows are divided by columns (64) and by rows (512).
    local x = rows_with_gaps(512, 400, 0.3)
    for _, batch in ipairs{64, 512} do
      local results = {}
      for _, threads in ipairs{1, 2} do
        moon.seed(9)
        local net = moon.autoencoder.plain{input = 400, hidden = 64}
        net:fit(x, {loss = "bce", mask = true, threads = threads, batch_size = batch, epochs = 2, seed = 1,
          optimizer = moon.sgd{lr = 0.1}})
        results[threads] = {net = net, value = net:evaluate(x, {mask = true, batch_size = batch})}
      end
      assert.near(results[1].value, results[2].value, 1e-6)
      for i, p in ipairs(results[1].net:parameters()) do
        assert.is_true(p.value:allclose(results[2].net:parameters()[i].value, 1e-4, 1e-6), p.name)
      end
    end
  end)

  it("goes with a source", function()
    local x = rows_with_gaps(40, 6, 0.3)
    local source = moon.source{rows = 40, width = 6, block = 8, read = function(first, n)
      return x:rows(first, first + n - 1)
    end}
    local values = {}
    for i, rows in ipairs{x, source} do
      local net = make_net(6)
      net:fit(rows, {loss = "mse", mask = true, shuffle = false, batch_size = 10})
      values[i] = net:evaluate(rows, {mask = true})
    end
    assert.equal(values[1], values[2])
  end)

  it("is an option: without it NaN is an error that names it", function()
    local x = rows_with_gaps(20, 6, 0.3)
    assert.matches("x has nan in row %d+, column %d+ %(mask = true leaves such cells out, fill_nan%(v%) fills them%)",
      failure(function() make_net(6):fit(x, {loss = "mse"}) end))
  end)

  it("still ends a training whose numbers are infinite", function()
    local x = rows_with_gaps(20, 6, 0.3)
    x:set(1 / 0, 3, 2)
    assert.matches("x has infinity in row 3, column 2$",
      failure(function() make_net(6):fit(x, {loss = "mse", mask = true}) end))
  end)

  it("refuses what it cannot do, before anything is trained", function()
    local x = rows_with_gaps(4, 6, 0.3)
    assert.matches("mask: cross_entropy takes whole rows, expected a loss of single cells, such as mse",
      failure(function() make_net(6, "softmax"):fit(x, {loss = "cross_entropy", mask = true}) end))
    local lua_layer = {forward = function(_, t) return t end, backward = function(_, t) return t end}
    assert.matches("fit: mask is true, but a layer is written in Lua, expected native ones",
      failure(function() moon.sequential{lua_layer}:fit(x, {loss = "mse", mask = true}) end))
    assert.matches("evaluate: mask is true, but the loss is written in Lua", failure(function()
      make_net(6):evaluate(x, {loss = function() return 0, x end, mask = true})
    end))
    assert.matches("fit: mask is 1, expected true or false", failure(function()
      make_net(6):fit(x, {loss = "mse", mask = 1})
    end))
  end)

  it("leaves a dataset's rows as they are", function()
    local x = rows_with_gaps(5, 3, 0.5)
    local data = core.dataset(x)
    data:set_mask(true)
    assert.equal(tostring(x), tostring(data:batch(1, 5)))
    assert.matches("boolean expected", failure(data.set_mask, data, 1))
  end)

  it("resumes bit for bit", function()
    local x = rows_with_gaps(60, 6, 0.3)
    local path = os.tmpname()
    local whole = make_net(6)
    whole:fit(x, {loss = "mse", mask = true, epochs = 4, seed = 2})
    make_net(6):fit(x, {loss = "mse", mask = true, epochs = 2, seed = 2, callbacks = {moon.callbacks.checkpoint(path)}})
    local c = assert(moon.checkpoint.load(path))
    c.net:fit(x, {loss = "mse", mask = true, epochs = 4, resume = c})
    os.remove(path)
    for i, p in ipairs(whole:parameters()) do assert.is_true(p.value:equal(c.net:parameters()[i].value), p.name) end
  end)
end)

-- Whether a net's last activation, its loss and its targets fit together: how bytes count, in native nets and in nets
-- with layers in Lua; combinations that are refused or warned about.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"

local failure, has = expect.raised, expect.has

local function pass() return {forward = function(_, v) return v end, backward = function(_, g) return g end} end

local function lua_sgd()
  return {lr = 1, step = function(_, ps) for _, p in ipairs(ps) do p.value:sub_(p.grad) end end}
end

-- The lines that fit logs during f.
local function logged(f, ...)
  local lines = {}
  moon.set_log(function(line) lines[#lines + 1] = line end)
  local ok, message = pcall(f, ...)
  moon.set_log(nil)
  assert(ok, message)
  return lines
end

describe("bytes as targets", function()
  local x = moon.seed(1) or moon.randn(40, 3)
  local classes = x:t()[1]:gt(0)
  local hot = moon.eye(2):index(classes + 1)
  local W = moon.randn(3, 2)

  local function net(last, extra)
    local layer = moon.dense(3, 2, {activation = last})
    layer.weight = W
    return moon.sequential{layer, extra}
  end

  -- Functions by name. Each computes the loss of one step or of all rows in another way.
  local ways = {
    evaluate = function(n, y, loss) return n:evaluate(x, y, {loss = loss}) end,
    step = function(n, y, loss) return n:step(x, y, loss, moon.sgd{lr = 1}) end,
    ["step by an optimiser in Lua"] = function(n, y, loss) return n:step(x, y, loss, lua_sgd()) end,
    fit = function(n, y, loss)
      return n:fit(x, y, {loss = loss, optimizer = moon.sgd{lr = 1}, batch_size = 40, seed = 1}).loss[1]
    end,
    ["fit by an optimiser in Lua"] = function(n, y, loss)
      return n:fit(x, y, {loss = loss, optimizer = lua_sgd(), batch_size = 40, seed = 1}).loss[1]
    end,
    validation = function(n, y, loss)
      return n:fit(x, y, {loss = loss, optimizer = moon.sgd{lr = 1e-30}, validation = {x, y}}).val_loss[1]
    end,
    ["rows of a dataset"] = function(n, y, loss)
      return n:step_rows(moon.dataset(x, y), 1, 40, loss, moon.sgd{lr = 1})
    end,
    ["a loop in Lua"] = function(n, y, loss)
      local bx, by = moon.dataset(x, y):batch(1, 40)
      return n:step(bx, by, loss, moon.sgd{lr = 1})
    end,
    ["forward and loss apart"] = function(n, y, loss)
      local bx, by = moon.dataset(x, y):batch(1, 40)
      return loss:forward(n:forward(bx, true), by)
    end,
  }

  local function all_agree(expected, last, loss, y)
    for name, way in pairs(ways) do
      for kind, extra in pairs{native = false, mixed = pass()} do
        local value = way(net(last, extra or nil), y, loss())
        assert.is_true(math.abs(value - expected) < 1e-5 * math.max(1, expected),
          ("%s, %s: %.9g, expected %.9g"):format(name, kind, value, expected))
      end
    end
  end

  it("are class numbers and one-hot rows for cross_entropy, native or in Lua", function()
    local expected = net("softmax"):evaluate(x, hot, {loss = "cross_entropy"})
    local column = classes:reshape(-1, 1)
    for _, y in ipairs{hot, hot:byte(), classes, classes:byte(), column, column:byte()} do
      all_agree(expected, "softmax", moon.cross_entropy, y)
    end
  end)

  it("are pixels for every other loss", function()
    local y = (moon.rand(40, 2) * 255):byte()
    y:set(200, 1, 1)
    for _, loss in ipairs{moon.bce, moon.mse, moon.mae, moon.huber} do
      all_agree(net("sigmoid"):evaluate(x, y:float() / 255, {loss = loss()}), "sigmoid", loss, y)
    end
  end)

  it("reach a loss in Lua as floats; class numbers stay unchanged", function()
    local seen
    local function loss(prediction, target)
      seen = target
      return 0, prediction * 0
    end
    local y = moon.full(51, 40, 2, {dtype = "uint8"})
    net("linear"):fit(x, y, {loss = loss})
    assert.is_true(seen:allclose(moon.full(0.2, #seen, 2)))
    net("linear"):fit(x, classes:byte(), {loss = loss})
    assert.equal("uint8", seen.dtype)
    net("linear", pass()):step(x, y, loss, moon.sgd{lr = 1})
    assert.is_true(seen:allclose(moon.full(0.2, 40, 2)))
  end)

  it("of only 0 and 1 are refused where they would count as 0 and 1/255", function()
    local y, col = hot:byte(), classes:byte():reshape(-1, 1)
    for _, loss in ipairs{"bce", "mse", "mae", "huber"} do
      for kind, extra in pairs{native = false, mixed = pass()} do
        local n = net("sigmoid", extra or nil)
        for name, call in pairs{
          fit = function() n:fit(x, y, {loss = loss}) end,
          evaluate = function()
            has(failure(n.evaluate_rows, n, moon.dataset(x, y), moon.loss(loss)), "evaluate: y is bytes of 0 and 1")
            n:evaluate(x, y, {loss = loss})
          end,
          step = function()
            has(failure(n.step_rows, n, moon.dataset(x, y), 1, 4, moon.loss(loss), moon.sgd()), "step: y is bytes")
            n:step(x, y, loss, moon.sgd{lr = 1})
          end,
          ["fit: validation"] = function() n:fit(x, hot, {loss = loss, validation = {x, y}}) end,
        } do
          has(failure(call), name .. ": y is bytes of 0 and 1 only, which would count as 0 and 1/255: take y:float()")
          assert.is_true(n:layer(1).weight:equal(W), kind)
        end
      end
    end
    has(failure(function() moon.sequential{moon.dense(3, 1, {activation = "sigmoid"})}:fit(x, col, {loss = "bce"}) end),
      "y is bytes of 0 and 1 only")
    has(failure(function() moon.autoencoder.plain{input = 2, hidden = 1}:fit(y, {loss = "bce"}) end),
      "fit: x is bytes of 0 and 1 only, which would count as 0 and 1/255: take x:float()")
    has(failure(function() net("sigmoid"):fit(x, y, {loss = function(p) return 0, p end}) end), "0 and 1 only")
    net("sigmoid"):fit(x, y:float(), {loss = "bce"})
  end)

  it("of nearly black pictures are accepted", function()
    local n = moon.sequential{moon.dense(4, 4, {activation = "sigmoid"})}
    local y = moon.zeros(20000, 4, {dtype = "uint8"})
    n:fit(y, {loss = "bce", batch_size = 20000})
    y:set(1, 7, 2)
    has(failure(n.fit, n, y, {loss = "bce"}), "0 and 1 only")
    local loss, sgd = moon.bce(), moon.sgd()
    has(failure(n.step_rows, n, moon.dataset(y:float(), y), 1, 32, loss, sgd), "step: y is bytes of 0 and 1 only")
    y:set(2, 19998, 3)
    n:step_rows(moon.dataset(y:float(), y), 1, 32, loss, sgd)
    n:fit(y, {loss = "bce", batch_size = 20000})
    assert.equal(20000, #n:predict(y))
  end)

  it("above 1 are refused as rows for cross_entropy", function()
    has(failure(function() net("softmax"):fit(x, (hot * 255):byte(), {loss = "cross_entropy"}) end),
      "fit: y is [40 x 2] uint8 with bytes above 1; cross_entropy takes one-hot rows of 0 and 1, or class numbers [40]")
    net("softmax"):fit(x, (hot * 255):byte():float() / 255, {loss = "cross_entropy"})
    has(failure(function() net("softmax"):evaluate(x, hot * 3 - 1, {loss = "cross_entropy"}) end),
      "evaluate: y has values from -1 to 2, expected [0, 1]")
  end)

  it("stay bytes in a batch that keeps them", function()
    local data = moon.dataset(x, hot:byte())
    local _, floats = data:batch(3, 4)
    local _, bytes = data:batch(3, 4, true)
    assert.equal("float32", floats.dtype)
    assert.equal("uint8", bytes.dtype)
    assert.is_true(floats:equal(hot:rows(3, 6)))
    assert.is_true(bytes:equal(hot:rows(3, 6)))
    data:shuffle(1, 1)
    local _, a = data:batch(1, 40, true)
    local _, b = data:batch(1, 40)
    assert.is_true(a:equal(b))
    _, floats = moon.dataset(x, moon.full(51, 40, 2, {dtype = "uint8"})):batch(1, 2)
    assert.is_true(floats:allclose(moon.full(0.2, 2, 2)))
  end)

  it("of 0 and 1 as inputs cause one warning", function()
    local function fit(input)
      return logged(function() net("softmax"):fit(input, classes, {loss = "cross_entropy"}) end)
    end
    local lines = fit(x:gt(0):byte())
    assert.equal(1, #lines)
    has(lines[1], "warning: fit: x is bytes of 0 and 1 only, which count as 0 and 1/255: x:float() is 0 and 1")
    assert.same({}, fit(x))
    assert.same({}, fit((x:gt(0) * 9):byte()))
  end)
end)

describe("a net's last activation", function()
  local x = moon.seed(2) or moon.randn(20, 4)
  local classes = x:t()[1]:gt(0)
  local function net(n, activation) return moon.sequential{moon.dense(4, n, {activation = activation})} end
  local function col() return classes:reshape(-1, 1) end

  it("must have the range that the loss needs", function()
    local logits = {bce = moon.bce{from_logits = true}, cross_entropy = moon.cross_entropy{from_logits = true}}
    for _, case in ipairs{
      {"linear", "bce", "linear, whose outputs can be below 0, but bce takes probabilities: end with sigmoid"},
      {"tanh", "bce", "end with sigmoid, or take moon.bce{from_logits = true}"},
      {"leaky_relu", "bce", "end with sigmoid"}, {"gelu", "bce", "end with sigmoid"},
      {"sigmoid", logits.bce, "outputs are probabilities, but bce takes logits: end with linear, or take moon.bce{}"},
      {"softmax", logits.bce, "bce takes logits"},
      {"linear", "cross_entropy", "end with softmax, or take moon.cross_entropy{from_logits = true}"},
      {"relu", "cross_entropy", "ends with relu, whose outputs can all be 0, but cross_entropy takes probabilities"},
      {"tanh", "cross_entropy", "end with softmax"}, {"silu", "cross_entropy", "end with softmax"},
      {"softmax", logits.cross_entropy, "end with linear, or take moon.cross_entropy{}"},
      {"sigmoid", logits.cross_entropy, "takes logits"},
    } do
      local activation, loss, text = table.unpack(case)
      local y = moon.cat({col(), 1 - col()}, 2)
      local n = net(2, activation)
      has(failure(n.fit, n, x, y, {loss = loss}), text)
      has(failure(n.evaluate, n, x, y, {loss = loss}), text)
      local object = type(loss) == "string" and moon.loss(loss) or loss
      has(failure(n.step, n, x, y, object, moon.adam()), text)
      has(failure(n.step_rows, n, moon.dataset(x, y), 1, 8, object, moon.adam()), text)
      has(failure(n.evaluate_rows, n, moon.dataset(x, y), object), text)
      local behind = moon.sequential{moon.dense(4, 2), moon.activation(activation), moon.dropout(0.1)}
      has(failure(behind.fit, behind, x, y, {loss = loss}), text)
      local mixed = moon.sequential{pass(), n}
      has(failure(mixed.fit, mixed, x, y, {loss = loss}), text)
    end
  end)

  it("that always outputs 1 is refused with any loss", function()
    for _, loss in ipairs{"bce", "mse", "cross_entropy", "mae"} do
      local n = net(1, "softmax")
      has(failure(n.fit, n, x, col(), {loss = loss}),
        "fit: the net ends with softmax of one output, which is always 1: end with sigmoid")
    end
    local one = net(1, "sigmoid")
    has(failure(one.fit, one, x, classes, {loss = "cross_entropy"}), "cross_entropy of one output is always 0")
  end)

  it("that is unusual causes one warning per fit, and trains", function()
    local y = moon.cat({col(), 1 - col()}, 2)
    for _, case in ipairs{
      {"relu", "bce", "warning: fit: the net ends with relu, whose outputs can be above 1, but bce takes"},
      {"softplus", "bce", "end with sigmoid"},
      {"softmax", "bce", "the net ends with softmax, and the loss is bce, which takes each output by itself"},
      {"relu", moon.bce{from_logits = true}, "never below 0"}, {"tanh", moon.bce{from_logits = true}, "within [-1, 1]"},
      {"sigmoid", "cross_entropy", "which divides each row by its sum: end with softmax"},
    } do
      local lines = logged(function() net(2, case[1]):fit(x, y, {loss = case[2], epochs = 2}) end)
      assert.equal(1, #lines)
      has(lines[1], case[3])
    end
  end)

  it("that fits gives no warning", function()
    local y = moon.cat({col(), 1 - col()}, 2)
    for _, case in ipairs{
      {"sigmoid", "bce"}, {"linear", moon.bce{from_logits = true}}, {"softmax", "cross_entropy"},
      {"linear", moon.cross_entropy{from_logits = true}}, {"relu", moon.cross_entropy{from_logits = true}},
      {"linear", "mse"}, {"relu", "mse"}, {"softmax", "mse"}, {"tanh", "huber"}, {"elu", "mae"},
      {"linear", function(p) return 0, p * 0 end},
    } do
      assert.same({}, logged(function() net(2, case[1]):fit(x, y, {loss = case[2]}) end))
    end
    local own = moon.sequential{net(2, "linear"), {
      forward = function(_, v) return v:sigmoid() end, backward = function(_, g) return g end,
    }}
    assert.same({}, logged(function() own:fit(x, y, {loss = "bce"}) end)) -- what a layer in Lua gives is its own affair
  end)

  it("is fused with the loss also when the step gets the loss's name", function()
    for activation, loss in pairs{sigmoid = "bce", softmax = "cross_entropy"} do
      local layer = moon.dense(2, 2, {activation = activation})
      layer.weight = moon.eye(2) * -100
      local n, eye = moon.sequential{layer}, moon.eye(2)
      local expected = n:evaluate(eye, eye, {loss = loss})
      assert.is_true(expected > 30, "probabilities are clamped at 1e-7")
      assert.near(expected, n:step(eye, eye, loss, moon.sgd()), 1e-4)
      assert.is_true(layer.weight_grad:abs():max() > 0.1)
    end
  end)

  it("is checked again for another loss", function()
    local n, y = net(2, "sigmoid"), moon.cat({col(), 1 - col()}, 2)
    n:step(x, y, moon.bce(), moon.adam())
    has(failure(n.step, n, x, y, moon.bce{from_logits = true}, moon.adam()), "bce takes logits")
  end)
end)

describe("cross_entropy", function()
  it("names the row of an invalid class number, also in a net with a layer in Lua", function()
    local n, labels = moon.sequential{pass(), moon.dense(3, 3, {activation = "softmax"})}, moon.zeros(96)
    labels[90] = 7
    has(failure(n.evaluate, n, moon.rand(96, 3), labels, {loss = "cross_entropy"}),
      "evaluate: target of row 90 is class 7, expected a whole number of 0 to 2")
  end)

  it("of outputs that are not probabilities is NaN, like its gradient", function()
    local loss = moon.cross_entropy()
    local value = loss:forward(moon.tensor{{-200, 200}}, moon.tensor{{0, 1}})
    assert.is_true(value ~= value)
    local gradient = loss:backward()
    assert.is_true(gradient[1][1] ~= gradient[1][1])
  end)
end)

describe("the rows of a dataset", function()
  local x = moon.seed(4) or moon.rand(70, 4)

  it("are used by step_rows and evaluate_rows with a loss's name, in every kind of net", function()
    for _, extra in ipairs{false, pass()} do
      local n, data = moon.sequential{moon.dense(4, 4), extra or nil}, moon.dataset(x)
      assert.near(n:evaluate(x, {loss = "mse"}), n:evaluate_rows(data, "mse"), 1e-6)
      assert.near(n:evaluate(x, {loss = "mse"}), n:evaluate_rows(data, moon.mse(), 7), 1e-6)
      assert.near(n:evaluate(x:rows(1, 8), {loss = "mse"}), n:step_rows(data, 1, 8, "mse", moon.sgd()), 1e-6)
    end
  end)

  it("report mistakes in every kind of net", function()
    for _, extra in ipairs{false, pass()} do
      local n, data = moon.sequential{moon.dense(4, 4), extra or nil}, moon.dataset(x)
      has(failure(n.evaluate_rows, n, data), "evaluate: loss is nil, expected a name (mse")
      has(failure(n.evaluate_rows, n, data, "mse", 0), "evaluate: batch is 0, expected a whole number of at least 1")
      has(failure(n.evaluate_rows, n, x, "mse"), "evaluate: data is a moonglass.tensor, expected a dataset")
      has(failure(n.step_rows, n, data, 1, 4, "mse", "adam"), "optimizer is the name 'adam', but its state must")
      has(failure(n.step_rows, n, data, 1, 4, "msee", moon.sgd()), "step: unknown loss 'msee'; did you mean 'mse'?")
      has(failure(n.step_rows, n, x, 1, 4, "mse", moon.sgd()), "step: data is a moonglass.tensor, expected a dataset")
    end
  end)
end)

-- Test losses of several heads: against the sum of their losses by hand, targets of all forms, figures, refusals.
local moon = require "moonglass"
local failure = dofile("spec/support/expect.lua").failure

local dense = moon.dense

-- 20 -> 8 -> 20 pixels and 4 classes, from the same weights each time.
local function make(last)
  moon.seed(3)
  return moon.sequential{dense(20, 8, {activation = "tanh"}), moon.branches{dense(8, 20, {activation = "sigmoid"}),
    {dense(8, 6, {activation = "tanh"}), dense(6, 4, {activation = last or "softmax"})}}}
end

local function new_loss(options)
  return moon.heads{{moon.bce(options), columns = 20, name = "pixels"},
    {"cross_entropy", columns = 4, weight = 0.3, name = "class"}}
end

local function weights(net)
  local list = {}
  for i, p in ipairs(net:parameters()) do list[i] = p.value:clone() end
  return list
end

local function difference(a, b)
  local worst = 0
  for i = 1, #a do worst = math.max(worst, (a[i] - b[i]):abs():max()) end
  return worst
end

-- A loss in Lua that does the same as a native one: it is not fused with the activations.
local function in_lua(loss)
  return {forward = function(_, p, t) return loss:forward(p, t) end, backward = function() return loss:backward() end}
end

local x, labels, bytes

describe("heads", function()
  before_each(function()
    moon.seed(1)
    x = moon.rand(50, 20)
    labels = moon.rand(50):map(function(v) return math.floor(v * 4) end)
    bytes = (x * 255):byte()
  end)

  for _, reduction in ipairs{"mean", "batchmean", "sum"} do
    it("are the weighted sum of their losses: " .. reduction, function()
      local net, loss = make(), new_loss{reduction = reduction}
      local p, joined = net:predict(x), moon.cat({x, labels:reshape(-1, 1)}, 2)
      local pixels = moon.bce{reduction = reduction}
      local class = moon.cross_entropy{}
      local value = pixels:forward(p:columns(1, 20), x) + 0.3 * class:forward(p:columns(21, 24), labels)
      assert.near(value, loss:forward(p, joined), 1e-6 * value)
      assert.near(value, net:evaluate(x, joined, {loss = loss, batch_size = 50}), 1e-6 * value)
      local gradient = moon.cat({pixels:backward(), class:backward() * 0.3}, 2)
      assert.is_true((loss:backward() - gradient):abs():max() < 1e-6)
    end)
  end

  it("step as the same without fused activations", function()
    local a, b, y = make(), make(), moon.cat({x, labels:reshape(-1, 1)}, 2)
    local loss = new_loss()
    local first, second = moon.sgd{lr = 1}, moon.sgd{lr = 1}
    for _ = 1, 3 do
      assert.near(a:step(x, y, loss, first), b:step(x, y, in_lua(loss), second), 1e-6)
    end
    assert.is_true(difference(weights(a), weights(b)) < 1e-6)
    assert.is_true(difference(weights(a), weights(make())) > 1e-3)
  end)

  it("take logits where an activation is missing", function()
    local loss = moon.heads{{moon.bce{}, columns = 20}, {moon.cross_entropy{from_logits = true}, columns = 4}}
    local softmax = moon.heads{{moon.bce{}, columns = 20}, {moon.cross_entropy{}, columns = 4}}
    local expected = make():evaluate(x, {x, labels}, {loss = softmax})
    assert.near(expected, make("linear"):evaluate(x, {x, labels}, {loss = loss}), 1e-6)
  end)

  it("take targets of every form", function()
    local net, loss = make(), new_loss()
    local function value(y) return net:evaluate(bytes, y, {loss = loss}) end
    local floats, rows = bytes:float() / 255, moon.eye(4):index(labels + 1)
    local expected = value(moon.cat({floats, labels:reshape(-1, 1)}, 2))
    for i, y in ipairs{{bytes, labels:byte()}, {floats, labels}, {bytes, labels},
      {floats, labels:byte():reshape(-1, 1)}, {bytes, rows:byte()}, {floats, rows},
      moon.cat({bytes, labels:byte():reshape(-1, 1)}, 2),
      moon.cat({bytes, rows:byte()}, 2), moon.cat({floats, rows}, 2)} do
      assert.near(expected, value(y), 1e-7, i)
    end
    local two = moon.heads{{"cross_entropy", columns = 4, name = "a"}, {"cross_entropy", columns = 4, name = "b"}}
    local pair = moon.sequential{moon.branches{dense(20, 4, {activation = "softmax"}),
      dense(20, 4, {activation = "softmax"})}}
    assert.equal(pair:evaluate(x, {labels, labels}, {loss = two}), pair:evaluate(x, {rows, labels}, {loss = two}))
  end)

  it("tell their figures", function()
    local net, loss = make(), new_loss()
    local history = net:fit(x, {x, labels}, {loss = loss, epochs = 3, batch_size = 50, optimizer = moon.sgd{lr = 0.1},
      validation = {x, {x, labels}}})
    local m = history.metrics
    for epoch = 1, 3 do
      assert.near(history.loss[epoch], m.pixels[epoch] + 0.3 * m.class[epoch], 1e-6)
      assert.near(history.val_loss[epoch], m.val_pixels[epoch] + 0.3 * m.val_class[epoch], 1e-6)
    end
    local p = make():predict(x)
    assert.near(moon.bce{}:forward(p:columns(1, 20), x), m.pixels[1], 1e-6)
    assert.near(moon.metrics.accuracy(p:columns(21, 24), labels), m.class_accuracy[1], 1e-9)
    assert.near(moon.metrics.accuracy(net:predict(x):columns(21, 24), labels), m.val_class_accuracy[3], 1e-9)
    assert.equal(history.val_class_accuracy, m.val_class_accuracy)
  end)

  it("tell the same figures from Lua", function()
    local native, mixed = make(), make()
    local function fit(net, optimizer)
      return net:fit(x, {x, labels}, {loss = new_loss(), epochs = 2, batch_size = 16, optimizer = optimizer, seed = 4})
    end
    local sgd = moon.sgd{lr = 0.1}
    local a, b = fit(native, moon.sgd{lr = 0.1}), fit(mixed, {step = function(_, list) sgd:step(list) end})
    for name, values in pairs(a.metrics) do
      for epoch = 1, 2 do assert.near(values[epoch], b.metrics[name][epoch], 1e-6, name) end
    end
    assert.is_true(difference(weights(native), weights(mixed)) < 1e-6)
  end)

  it("are watched one by one", function()
    local net = make()
    local history = net:fit(x, {x, labels}, {loss = new_loss(), epochs = 9, validation_split = 0.2,
      callbacks = {moon.callbacks.early_stopping{monitor = "val_class_accuracy", patience = 1, min_delta = 1}}})
    assert.is_true(history.epochs < 9)
  end)

  it("go on from a checkpoint as without a stop", function()
    local path = os.tmpname()
    local function fit(net, epochs, more)
      local o = {loss = new_loss(), epochs = epochs, batch_size = 16, seed = 2}
      for name, v in pairs(more or {}) do o[name] = v end
      return net:fit(x, {x, labels}, o)
    end
    local whole, part = make(), make()
    local history = fit(whole, 4)
    fit(part, 2, {callbacks = {moon.callbacks.checkpoint(path)}})
    local c = assert(moon.checkpoint.load(path))
    os.remove(path)
    local resumed = fit(c.net, 4, {resume = c})
    assert.equal(0, difference(weights(whole), weights(c.net)))
    assert.same(history.metrics.class_accuracy, resumed.metrics.class_accuracy)
    assert.same(history.metrics.pixels, resumed.metrics.pixels)
  end)

  it("honour weights of rows", function()
    local loss, y = new_loss(), moon.cat({x, labels:reshape(-1, 1)}, 2)
    local w = moon.arange(50):map(function(v) return v % 3 end)
    local one = moon.sgd{lr = 1}
    local net, copy = make(), make()
    net:fit(x, y, {loss = loss, optimizer = one, batch_size = 50, shuffle = false, sample_weight = w})
    local value = loss:forward(copy:forward(x, true), y, w)
    copy:backward(loss:backward())
    moon.sgd{lr = 1}:step(copy:parameters())
    assert.is_true(difference(weights(net), weights(copy)) < 1e-6)
    assert.near(value, make():evaluate(x, y, {loss = loss, sample_weight = w, batch_size = 50}), 1e-6)
    local sum = 0
    for i = 1, 50 do
      local row = make():predict(x:rows(i, i))
      sum = sum + w[i] * loss:forward(row, y:rows(i, i)) / 50
    end
    assert.near(sum, value, 1e-5)
  end)

  it("leave out missing cells where no head is a mean over cells", function()
    local two = moon.sequential{moon.branches{dense(20, 20), dense(20, 20, {activation = "sigmoid"})}}
    local loss = moon.heads{{moon.mse{reduction = "batchmean"}, columns = 20},
      {moon.bce{reduction = "batchmean"}, columns = 20, weight = 2}}
    local y = moon.cat({moon.randn(50, 20), moon.rand(50, 20)}, 2)
    local gaps = moon.rand(50, 40):lt(0.3)
    local p, sum = two:predict(x), 0
    for k, of in ipairs{moon.mse{reduction = "sum"}, moon.bce{reduction = "sum"}} do
      for i = 1, 50 do
        for j = 20 * k - 19, 20 * k do
          if gaps:get(i, j) == 0 then
            sum = sum + k * of:forward(p:rows(i, i):columns(j, j), y:rows(i, i):columns(j, j)) / 50
          end
        end
      end
    end
    assert.near(sum, two:evaluate(x, gaps:where(0 / 0, y), {loss = loss, mask = true, batch_size = 50}), 1e-4)
    assert.matches("head mse: mask: mse is a mean over all cells of its columns, expected reduction 'batchmean' or",
      failure(function()
        two:fit(x, y, {mask = true, loss = moon.heads{{"mse", columns = 20}, {"bce", columns = 20}}})
      end))
    assert.matches("head class: mask: cross_entropy takes whole rows", failure(function()
      make():fit(x, {x, labels}, {mask = true, loss = new_loss{reduction = "sum"}})
    end))
  end)

  it("train the same by rows, by columns and by one thread", function()
    local tanh = {activation = "tanh"}
    local function big()
      moon.seed(5)
      local inner = moon.branches{dense(200, 300, {activation = "sigmoid"}), {dense(200, 100, tanh), dense(100, 40)}}
      return moon.sequential{dense(300, 200, tanh),
        moon.branches{{inner}, {dense(200, 60, tanh), dense(60, 50, {activation = "softmax"})}}}
    end
    local loss = moon.heads{{"bce", columns = 300}, {moon.mse{reduction = "batchmean"}, columns = 40},
      {"cross_entropy", columns = 50}}
    for _, rows in ipairs{7, 32, 512} do
      local found, input = {}, moon.rand(rows, 300)
      local classes = moon.rand(rows, 1):map(function(v) return math.floor(50 * v) end)
      local y = moon.cat({input, moon.randn(rows, 40), classes}, 2)
      for threads = 1, 3 do
        local net, optimizer = big(), moon.sgd{lr = 0.01, momentum = 0.9}
        moon.set_threads(threads)
        for _ = 1, 4 do net:step(input, y, loss, optimizer) end
        found[threads] = weights(net)
      end
      moon.set_threads(1)
      assert.is_true(difference(found[1], found[2]) < 1e-6, rows)
      assert.is_true(difference(found[1], found[3]) < 1e-6, rows)
    end
  end)

  it("go with a net of one piece", function()
    local net = moon.sequential{dense(20, 24)}
    local loss = moon.heads{{moon.bce{from_logits = true}, columns = 20},
      {moon.cross_entropy{from_logits = true}, columns = 4}}
    local history = net:fit(x, {x, labels}, {loss = loss, epochs = 2, optimizer = moon.adam{lr = 0.01}})
    assert.is_true(history.loss[2] < history.loss[1])
    local single = moon.heads{{"cross_entropy", columns = 4}}
    local one = moon.sequential{dense(20, 4, {activation = "softmax"})}
    assert.near(one:evaluate(x, labels, {loss = "cross_entropy"}), one:evaluate(x, {labels}, {loss = single}), 1e-9)
  end)

  it("have fields and a text", function()
    local loss = new_loss()
    assert.equal("heads", loss:kind())
    assert.equal("heads (pixels: bce, 20 columns; class: cross_entropy, 4 columns, weight 0.3)", tostring(loss))
    local list = loss:heads()
    assert.same({"pixels", 20, 1, "class", 4, 0.3},
      {list[1].name, list[1].columns, list[1].weight, list[2].name, list[2].columns, list[2].weight})
    assert.equal("cross_entropy", list[2].loss:kind())
    assert.same({}, moon.mse{}:heads())
  end)

  it("say what they take", function()
    local function refused(...) return failure(moon.heads, ...) end
    assert.equal("heads: got no heads, expected a list: heads{{\"bce\", columns = 784}, {\"cross_entropy\", "
      .. "columns = 10}}", refused{})
    assert.equal("heads: head 1: option columns is missing", refused{{"mse"}})
    assert.equal("heads: head 2: unknown loss 'msee'; did you mean 'mse'? (known: "
      .. table.concat(moon.registered("losses"), ", ") .. ", mean_squared_error",
      (refused{{"mse", columns = 1}, {"msee", columns = 1}}:gsub(", mean_absolute_error.*", "")))
    assert.equal("heads: head 1 is 'mse', expected a table: {\"mse\", columns = 784}", refused{"mse"})
    assert.equal("heads: head 1: its loss is written in Lua, expected a native one",
      refused{{function() end, columns = 2}})
    assert.equal("heads: heads 1 and 2 are both named 'mse', expected a name for each",
      refused{{"mse", columns = 2}, {"mse", columns = 2}})
    assert.equal("heads: mse: weight is -1, expected a finite number of at least 0",
      refused{{"mse", columns = 2, weight = -1}})
    assert.equal("heads: heads: its loss is one of heads, expected another one", refused{{new_loss(), columns = 2}})
    assert.equal("heads: head 1: name is '2', expected letters, digits and _",
      refused{{"mse", columns = 2, name = "2"}})
    assert.equal("heads: head 1: unknown option 'column'; did you mean 'columns'? (known: columns, name, weight)",
      refused{{"mse", column = 2}})
    local many = {}
    for k = 1, 33 do many[k] = {"mse", columns = 1, name = "h" .. k} end
    assert.equal("heads: got 33, expected 1 to 32 heads", refused(many))
  end)

  it("say what does not fit", function()
    local net, loss = make(), new_loss()
    local function refused(y, options)
      options = options or {}
      options.loss = options.loss or loss
      return failure(function() net:fit(x, y, options) end)
    end
    assert.equal("fit: target is [50 x 20], expected [rows x 24], or with class numbers [rows x 21], or a list of a "
      .. "target for each head", refused(x))
    assert.equal("fit: y is a list of 1 targets, expected one for each of 2 heads", refused{x})
    assert.equal("fit: the target of class is [50 x 3], expected [rows x 4], or class numbers [rows]",
      refused{x, x:columns(1, 3)})
    assert.equal("fit: the target of class has 49 rows, expected 50 as that of pixels", refused{x, labels:rows(1, 49)})
    assert.equal("fit: class: target of row 2 is class 4, expected a whole number of 0 to 3",
      refused{x, moon.cat({moon.zeros(1), moon.full(4, 49)})})
    assert.equal("fit: y is a list of targets, which the loss mse does not take: moon.heads makes one that does",
      refused({x, labels}, {loss = moon.mse{}}))
    assert.equal("fit: class_weight is given, but the targets belong to several heads: give sample_weight",
      refused({x, labels}, {class_weight = {[0] = 1}}))
    assert.equal("fit: the heads of the loss have 21 columns, expected 24, the outputs of the net", refused({x, labels},
      {loss = moon.heads{{"bce", columns = 20}, {"mse", columns = 1}}}))
    assert.matches("fit: pixels: the net ends with sigmoid, whose outputs are probabilities, but bce takes logits",
      refused({x, labels}, {loss = new_loss{from_logits = true}}))
    assert.matches("pixels: y is bytes of 0 and 1 only", refused{x:gt(0.5):byte(), labels:byte()})
    assert.matches("metric accuracy is of all outputs, but the loss is made of heads, expected that of a head",
      refused({x, labels}, {metrics = {"accuracy"}}))
    assert.matches("heads: target is %[50 x 20%], expected %[rows x 24%]",
      failure(function() loss:forward(net:predict(x), x) end))
    assert.matches("head class: target of row 1 is class 9, expected a whole number of 0 to 3",
      failure(function() loss:forward(net:predict(x), moon.cat({x, moon.full(9, 50, 1)}, 2)) end))
  end)
end)

-- The option metrics of fit and evaluate: values, history, callbacks, checkpoints, ranks, and mistakes.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"
local files = dofile "spec/support/files.lua"

local message, temporary = expect.failure, files.temporary

-- A small problem of four classes, the same in each call: x, class numbers and one-hot rows.
local function problem(n)
  moon.seed(31)
  local x = moon.rand(n or 50, 6)
  local classes = x:columns(1, 4):argmax(2) - 1
  local onehot = moon.zeros(#x, 4)
  for i, class in ipairs(classes:totable()) do onehot:set(1, i, math.tointeger(class) + 1) end
  return x, classes, onehot
end

local function classifier(more)
  moon.seed(32)
  local o = {activation = "softmax", weight_l2 = 1e-3}
  for name, v in pairs(more or {}) do o[name] = v end
  return moon.sequential{moon.dense(6, 16, {activation = "relu"}), moon.dense(16, 4, o)}
end

-- cross_entropy as a loss in Lua.
local function lua_loss()
  local loss = moon.cross_entropy()
  return {
    forward = function(_, p, t) return loss:forward(p, t) end, backward = function() return loss:backward() end,
  }
end

local function options(more)
  local o = {loss = "cross_entropy", batch_size = 16, epochs = 3, seed = 5, verbose = 0}
  for name, v in pairs(more or {}) do o[name] = v end
  return o
end

local function right(net, x, classes) return moon.metrics.accuracy(net:predict(x), classes) end

-- The running means that fit should give, by steps one by one. measure(p, rows' y) is a mean over rows.
local function by_steps(net, x, y, o, measure)
  local data, opt, means = moon.dataset(x, y), moon.adam(), {}
  for epoch = 1, o.epochs do
    local sum = 0
    for first = 1, #x, o.batch_size do
      local count = math.min(o.batch_size, #x - first + 1)
      local bx, by = data:batch(first, count)
      sum = sum + measure(net:predict(bx), by) * count
      net:step_rows(data, first, count, o.loss, opt)
    end
    means[epoch] = sum / #x
  end
  return means
end

local function assert_near(expected, got, tolerance)
  assert.equal(#expected, #got)
  assert.is_true(#got > 0)
  for i, v in ipairs(expected) do assert.near(v, got[i], tolerance or 1e-6) end
end

describe("metrics in fit", function()
  local losses = {cross_entropy = moon.cross_entropy(), mse = moon.mse(), mae = moon.mae{reduction = "sum"}}

  it("are running means before each update, weighted by rows", function()
    local x, classes, onehot = problem()
    local o = options{shuffle = false, metrics = {"accuracy", mse = "mse", mae = losses.mae, "cross_entropy"}}
    local history = classifier():fit(x, onehot, o)
    assert_near(by_steps(classifier(), x, onehot, o, function(p, t)
      return moon.metrics.accuracy(p, t:argmax(2) - 1)
    end), history.metrics.accuracy, 0)
    for name, loss in pairs(losses) do
      assert_near(by_steps(classifier(), x, onehot, o, function(p, t) return loss:forward(p, t) end),
        history.metrics[name])
    end
    local labels = classifier():fit(x, classes, options{shuffle = false,
      metrics = {"acc", "sparse_categorical_accuracy", "categorical_accuracy"}})
    for _, name in ipairs{"acc", "sparse_categorical_accuracy", "categorical_accuracy"} do
      assert.same(history.accuracy, labels.metrics[name])
    end
    assert.is_nil(labels.accuracy)
  end)

  it("do not change the training", function()
    local x, classes = problem()
    for _, threads in ipairs{1, 2} do
      local plain, measured = classifier(), classifier()
      local a = plain:fit(x, classes, options{threads = threads})
      local b = measured:fit(x, classes, options{threads = threads, metrics = {"accuracy", "penalty"}})
      assert.equal(plain:bytes(), measured:bytes())
      assert.same(a.loss, b.loss)
      assert.same({}, a.metrics)
    end
  end)

  it("of an autoencoder are the same however a batch is divided", function()
    moon.seed(33)
    local x = moon.rand(64, 300)
    local function run(threads, batch)
      moon.seed(34)
      local ae = moon.autoencoder.plain{input = 300, hidden = 200}
      return ae:fit(x, {loss = "bce", epochs = 2, seed = 1, batch_size = batch, threads = threads,
        metrics = {"bce", "mse", "penalty"}, verbose = 0})
    end
    for _, batch in ipairs{64, 48, 24} do
      local one, three = run(1, batch), run(3, batch)
      assert_near(one.bce, three.bce)
      assert_near(one.mse, three.mse)
      assert_near(one.loss, one.bce, 1e-9)
      assert.same({0, 0}, one.penalty)
    end
  end)

  it("with layers or a loss in Lua are those of native ones", function()
    local x, classes, onehot = problem()
    local o = {metrics = {"accuracy", "penalty", "cross_entropy"}, validation_split = 0.2}
    for _, y in ipairs{classes, onehot} do
      local native = classifier():fit(x, y, options(o))
      o.loss = lua_loss()
      local lua = classifier():fit(x, y, options(o))
      o.loss = nil
      for name, list in pairs(native.metrics) do assert_near(list, lua.metrics[name]) end
    end
  end)

  it("that are functions see net, x and y after the epoch", function()
    local x, classes = problem()
    local net, seen = classifier(), {}
    local history = net:fit(x, classes, options{validation = {x:rows(1, 7), classes:rows(1, 7)}, metrics = {
      right = function(n, a, b)
        seen[#seen + 1] = #a
        return right(n, a, b)
      end,
    }})
    assert.same({50, 7, 50, 7, 50, 7}, seen)
    assert.equal(right(net, x, classes), history.right[3])
    assert.equal(right(net, x:rows(1, 7), classes:rows(1, 7)), history.val_right[3])
    local ae = moon.autoencoder.plain{input = 6, hidden = 2}
    local errors = ae:fit(x, {loss = "mse", verbose = 0, metrics = {e = function(n, a, b)
      assert.equal(a, b)
      return n:errors(a):mean()
    end}})
    assert.equal(ae:errors(x):mean(), errors.e[1])
  end)
end)

describe("validation", function()
  it("has metrics too", function()
    local x, classes = problem()
    local net = classifier()
    local history = net:fit(x, classes, options{metrics = {"accuracy", "penalty"}, validation_split = 0.3})
    assert.equal(right(net, x:rows(36, 50), classes:rows(36, 50)), history.metrics.val_accuracy[3])
    assert.equal(3, #history.val_penalty)
    assert.equal(3, #history.val_accuracy)
  end)

  it("every validation_freq epochs", function()
    local x, classes = problem()
    local o = options{validation_split = 0.3, metrics = {"accuracy"}, epochs = 7}
    local each = classifier():fit(x, classes, o)
    o.validation_freq = 3
    local seldom = classifier():fit(x, classes, o)
    assert.same({3, 6}, seldom.val_epochs)
    assert.same({each.val_loss[3], each.val_loss[6]}, seldom.val_loss)
    assert.same({each.val_accuracy[3], each.val_accuracy[6]}, seldom.val_accuracy)
    assert.same(each.accuracy, seldom.accuracy)
  end)
end)

describe("callbacks", function()
  local x, classes = problem()
  local callbacks = moon.callbacks

  -- A training whose metric f has these values, with its validation's from the second list, if there is one.
  local function with_values(values, more, of_validation)
    local calls = 0
    local o = options{epochs = #values, callbacks = more, validation_split = of_validation and 0.2, metrics = {
      f = function()
        calls = calls + 1
        if not of_validation then return values[calls] end
        return (calls % 2 == 1 and values or of_validation)[(calls + 1) // 2]
      end,
    }}
    local net = classifier()
    return net:fit(x, classes, o), net
  end

  it("monitor a metric, to its minimum or its maximum", function()
    local values = {1, 3, 2, 2.5, 0.5, 4}
    local function best(o)
      o.patience = 10
      local stopping = callbacks.early_stopping(o)
      with_values(values, {stopping})
      return {stopping.best_epoch, stopping.best}
    end
    assert.same({5, 0.5}, best{monitor = "f"})
    assert.same({5, 0.5}, best{monitor = "f", mode = "min"})
    assert.same({6, 4}, best{monitor = "f", mode = "max"})
    assert.same({2, 3}, best{monitor = "f", mode = "max", min_delta = 1.5})
    local stopping = callbacks.early_stopping{monitor = "f", mode = "max", patience = 2}
    local history = with_values(values, {stopping})
    assert.equal(4, stopping.stopped_epoch)
    assert.equal(4, #history.f)
    local of_validation = callbacks.early_stopping{monitor = "val_f", patience = 10}
    assert.same({3, 2, 1}, with_values({1, 2, 3}, {of_validation}, {3, 2, 1}).val_f)
    assert.same({3, 1}, {of_validation.best_epoch, of_validation.best})
  end)

  it("know what is better from what is measured, or else from the name", function()
    local seen
    classifier():fit(x, classes, options{epochs = 1, callbacks = {function(state) seen = state.directions end},
      metrics = {score = "accuracy", accent = moon.cross_entropy(), f = right, "penalty"}})
    assert.same({loss = "min", score = "max", accent = "min", penalty = "min"}, seen)
    local stopping = callbacks.early_stopping{monitor = "score", patience = 1}
    classifier():fit(x, classes, options{epochs = 9, metrics = {score = "accuracy"}, callbacks = {stopping}})
    assert.is_true(stopping.best > 0)
    local monitor = require "moonglass.net.callbacks.monitor"
    for name, mode in pairs{
      loss = "min", val_loss = "min", accuracy = "max", val_acc = "max", auc = "max", val_binary_accuracy = "max",
      mse = "min", penalty = "min", roc_auc = "max", kl = "min",
    } do
      assert.equal(mode, monitor.mode("auto", name, {directions = {}}), name)
    end
  end)

  it("save the best epoch, and reduce the rate", function()
    temporary(function(path)
      local _, net = with_values({1, 3, 2}, {callbacks.checkpoint(path, {best = true, monitor = "f", mode = "max"}),
        callbacks.reduce_on_plateau{monitor = "f", mode = "max", patience = 1, factor = 0.5}})
      assert.equal(2, moon.checkpoint.load(path).epoch)
      assert.near(0.0005, net.optimizer.lr, 1e-9)
    end)
  end)

  it("skip epochs without validation", function()
    local seen = {}
    local stopping = callbacks.early_stopping{monitor = "val_accuracy", patience = 2}
    temporary(function(path)
      classifier():fit(x, classes, options{metrics = {"accuracy"}, validation_split = 0.3, validation_freq = 3,
        epochs = 7, callbacks = {stopping, callbacks.checkpoint(path, {best = true}),
          callbacks.reduce_on_plateau{patience = 1}, function(state) seen[#seen + 1] = state.val_loss or false end}})
      assert.equal(0, moon.checkpoint.load(path).epoch % 3)
    end)
    assert.is_nil(stopping.stopped_epoch)
    assert.equal(0, stopping.best_epoch % 3)
    assert.same({false, false, seen[3], false, false, seen[6], false}, seen)
  end)

  it("see the means so far after each batch", function()
    local means = {}
    local history = classifier():fit(x, classes, options{metrics = {"accuracy", f = function() return 7 end},
      epochs = 1, callbacks = {{
        on_batch_end = function(_, state) means[state.batch] = state.metrics.accuracy end,
        on_epoch_end = function(_, state) assert.same({accuracy = means[4], f = 7}, state.metrics) end,
      }}})
    assert.equal(4, #means)
    assert.equal(means[4], history.accuracy[1])
    assert.near(math.floor(means[1] * 16 + 0.5), means[1] * 16, 1e-9)
  end)

  it("write a column for each metric", function()
    local number = "[%%d.e+-]+"
    temporary(function(path)
      classifier():fit(x, classes, options{metrics = {"accuracy"}, validation_split = 0.3, validation_freq = 2,
        callbacks = {callbacks.csv_logger(path)}})
      local lines = "^epoch,loss,val_loss,accuracy,val_accuracy,seconds\n1,N,,N,,N\n2,N,N,N,N,N\n3,N,,N,,N\n$"
      assert.matches(lines:gsub("N", number), files.read(path))
      assert.matches("has the columns 'epoch,loss,val_loss,accuracy,val_accuracy,seconds', expected 'epoch,loss,"
        .. "val_loss,seconds'", message(function()
          classifier():fit(x, classes, options{callbacks = {callbacks.csv_logger(path, {append = true})}})
        end))
    end)
  end)

  it("print all figures", function()
    local text = {}
    local printer = callbacks.progress{bar = false, write = function(part) text[#text + 1] = part end}
    with_values({1, 0.00012}, {printer}, {3, 2})
    assert.matches("loss %d%.%d+  f 1%.0000  val_loss %d%.%d+  val_f 3%.0000  %d+ rows", text[1])
    assert.matches("  f 0%.00012  val_loss", text[2])
  end)

  it("are in the bar: means so far, and the last validation", function()
    local bars, bar = {}, require "moonglass.net.callbacks.progress_text".bar
    local history = classifier():fit(x, classes, options{metrics = {"accuracy", f = function() return 7 end},
      validation_split = 0.2, epochs = 2, callbacks = {
        {on_batch_end = function(_, state) bars[#bars + 1] = bar(state, 1, 200) end},
      }})
    assert.matches("^epoch 1/2 %[=+ +%] 1/3  loss %d%.%d+  accuracy %d%.%d+  %d+ rows/s", bars[1])
    assert.matches(("  val_loss %.4f  val_accuracy %.4f  val_f 7%%.0000  %%d+ rows/s"):format(history.val_loss[1],
      history.val_accuracy[1]), bars[4])
    assert.matches(("  accuracy %.4f  val_loss"):format(history.accuracy[2]), bars[6])
  end)
end)

describe("a history with metrics", function()
  local x, classes = problem()

  it("is a table of all of them", function()
    local history = classifier():fit(x, classes, options{metrics = {"accuracy"}, validation_split = 0.3,
      validation_freq = 2, epochs = 4})
    local text = tostring(history)
    assert.matches("^epoch        loss    val_loss    accuracy  val_accuracy  seconds\n    1 ", text)
    assert.matches("\naccuracy      [^\n]* to [%d.]+\nval_accuracy  [^\n]* to [%d.]+$", text)
  end)

  it("has NaN in epochs in which one was not measured", function()
    local net = classifier()
    local history = net:fit(x, classes, options{epochs = 2})
    history = net:fit(x, classes, options{history = history, initial_epoch = 2, epochs = 3, metrics = {"accuracy"},
      validation = {x, classes}})
    history = net:fit(x, classes, options{history = history, initial_epoch = 3, epochs = 4})
    assert.equal(4, #history.accuracy)
    for i, v in ipairs(history.accuracy) do assert.equal(i == 3, v == v) end
    assert.same({3}, history.val_epochs)
    assert.equal(1, #history.val_accuracy)
  end)

  it("goes through a checkpoint, and on", function()
    local function o(more)
      local all = options{metrics = {"accuracy", f = right}, validation_split = 0.3, validation_freq = 2, epochs = 5}
      for name, v in pairs(more) do all[name] = v end
      return all
    end
    temporary(function(path)
      local log = path .. ".csv"
      local function logged() return (files.read(log):gsub(",[^,\n]*\n", "\n")) end
      local whole = classifier():fit(x, classes, o{callbacks = {moon.callbacks.csv_logger(log)}})
      local lines = logged()
      classifier():fit(x, classes, o{epochs = 3, callbacks = {moon.callbacks.checkpoint(path)}})
      local c = assert(moon.checkpoint.load(path))
      os.remove(log)
      local rest = c.net:fit(x, classes, o{resume = c, callbacks = {moon.callbacks.csv_logger(log)}})
      for _, name in ipairs{"loss", "val_loss", "val_epochs", "metrics"} do assert.same(whole[name], rest[name]) end
      assert.equal(lines, logged())
    end)
  end)

  it("is checked", function()
    local function refused(expected, history)
      assert.equal(expected, message(function() classifier():fit(x, classes, options{history = history}) end))
    end
    refused("fit: history.metrics is 3, expected a table of lists", {metrics = 3})
    refused("fit: history.metrics.a is 3, expected a list of numbers", {metrics = {a = 3}})
    refused("fit: history.metrics.a[2] is 'x', expected a number", {metrics = {a = {1, "x"}}})
    refused("fit: history.metrics has the key 1, expected the names of metrics", {metrics = {{}}})
  end)
end)

describe("metrics of any net", function()
  local x, classes = problem()

  local function doubling()
    return {forward = function(_, a) return a * 2 end, backward = function(_, d) return d * 2 end}
  end

  -- Nets of the parts that a step has: each makes its own net, and has its own options.
  local nets = {
    ["with weights of classes"] = {classifier, {class_weight = {[1] = 5}}},
    ["with normalisation and noise"] = {function()
      return moon.sequential{moon.gaussian_noise(0.2), moon.dense(6, 8), moon.batch_norm(8), moon.activation("relu"),
        moon.dropout(0.2), moon.dense(8, 4, {activation = "softmax"})}
    end},
    ["with clipped gradients"] = {classifier, {optimizer = function() return moon.adam{global_clip_norm = 0.1} end}},
    ["with a layer in Lua"] = {function()
      return moon.sequential{moon.dense(6, 8), doubling(), moon.dense(8, 4, {activation = "softmax"})}
    end},
    ["with heads"] = {function()
      return moon.sequential{moon.dense(6, 8, {activation = "relu"}),
        moon.branches{moon.dense(8, 6), moon.dense(8, 4, {activation = "softmax"})}}
    end, {loss = function()
      return moon.heads{{"mse", columns = 6, name = "picture"}, {"cross_entropy", columns = 4, name = "class"}}
    end, metrics = {"penalty"}}, {x, classes}, {"class", "class_accuracy", "picture"}},
    ["with a divergence"] = {function() return moon.autoencoder.variational{input = 6, hidden = {5}, code = 2} end,
      {loss = function() return moon.bce{reduction = "batchmean"} end, metrics = {"mse"}}, x, {"kl", "reconstruction"}},
  }

  -- A new net of this kind, and fit's options with `more`.
  local function training(kind, more)
    moon.seed(41)
    local o = options{validation_split = 0.3, metrics = {"accuracy", "penalty"}, epochs = 4}
    for _, list in ipairs{kind[2] or {}, more} do
      for name, v in pairs(list) do o[name] = type(v) == "function" and v() or v end
    end
    if o.metrics then
      o.metrics = table.move(o.metrics, 1, #o.metrics, 1, {mean = function(n, a) return n:predict(a):mean() end})
    end
    return kind[1](), o
  end

  for name, kind in pairs(nets) do
    local y = kind[3] or classes

    it(name .. " are the same in a resumed run, and change no weight", function()
      local net, o = training(kind, {})
      local whole = net:fit(x, y, o)
      temporary(function(path)
        local part, first = training(kind, {epochs = 2, callbacks = {moon.callbacks.checkpoint(path)}})
        part:fit(x, y, first)
        local again, rest = training(kind, {})
        rest.resume = assert(moon.checkpoint.load(path, again))
        rest.optimizer = nil
        assert.same(whole.metrics, again:fit(x, y, rest).metrics)
      end)
      for _, own in ipairs(kind[4] or {}) do assert.equal(4, #whole.metrics["val_" .. own]) end
      assert.equal(4, #whole.val_mean)
      local plain, without = training(kind, {})
      without.metrics = nil
      assert.same(plain:fit(x, y, without).loss, whole.loss)
      for i, parameter in ipairs(plain:parameters()) do
        assert.is_true(parameter.value:equal(net:parameters()[i].value))
      end
    end)
  end
end)

describe("evaluate", function()
  it("gives metrics as a second result", function()
    local x, classes, onehot = problem()
    local net = classifier()
    local loss, metrics = net:evaluate(x, onehot, {loss = "cross_entropy", batch_size = 7,
      metrics = {"accuracy", "mse", "penalty", f = function(n, a) return #a + #n end}})
    assert.near(loss, metrics.penalty + moon.cross_entropy():forward(net:predict(x), onehot), 1e-6)
    assert.equal(right(net, x, classes), metrics.accuracy)
    assert.near(moon.mse():forward(net:predict(x), onehot), metrics.mse, 1e-7)
    assert.equal(52, metrics.f)
    local without, none = net:evaluate(x, onehot, {loss = "cross_entropy", batch_size = 7})
    assert.equal(1, select("#", net:evaluate(x, onehot, {loss = "cross_entropy"})), "no nil beside the objective")
    assert.equal(loss, without)
    assert.is_nil(none)
  end)

  it("counts only cells that are present", function()
    moon.seed(35)
    local x = moon.rand(40, 6)
    local ae = moon.autoencoder.plain{input = 6, hidden = 3, output = "linear"}
    local y = x:clone()
    for i = 1, 25 do y:set(0 / 0, i, i % 6 + 1) end
    local loss, metrics = ae:evaluate(x, y, {loss = "mse", mask = true, batch_size = 7,
      metrics = {"mse", "binary_accuracy", mae = "mae", d = "huber"}})
    assert.near(loss, metrics.mse, 1e-9)
    assert.near((ae:predict(x) - y):abs():nanmean(), metrics.mae, 1e-6)
    assert.matches("cross_entropy takes whole rows", message(function()
      ae:evaluate(x, y, {loss = "mse", mask = true, metrics = {"cross_entropy"}})
    end))
  end)

  it("knows logits", function()
    local x, classes = problem()
    local net, logits = classifier(), classifier{activation = "linear"}
    local o = {loss = "cross_entropy", metrics = {"accuracy", "cross_entropy"}}
    local a, metrics = net:evaluate(x, classes, o)
    o.loss = moon.cross_entropy{from_logits = true}
    local b, of_logits = logits:evaluate(x, classes, o)
    assert.near(a, b, 1e-6)
    assert.equal(metrics.accuracy, of_logits.accuracy)
    assert.near(metrics.cross_entropy, of_logits.cross_entropy, 1e-6)
    moon.seed(36)
    local one, y = moon.sequential{moon.dense(6, 1, {activation = "sigmoid"})}, x:columns(1, 1):gt(0.5)
    local plain = moon.sequential{moon.dense(6, 1)}
    plain:layer(1).weight:copy_(one:layer(1).weight)
    local expected = one:predict(x):gt(0.5):eq(y):mean()
    for _, name in ipairs{"accuracy", "binary_accuracy"} do
      local _, of_one = one:evaluate(x, y, {loss = "bce", metrics = {name}})
      local _, of_plain = plain:evaluate(x, y, {loss = moon.bce{from_logits = true}, metrics = {name}})
      assert.same({[name] = expected}, of_one)
      assert.same(of_one, of_plain)
    end
  end)
end)

describe("measures of a net", function()
  local x, classes = problem()
  local loss = moon.cross_entropy()

  local function means(net)
    local sums, weights = net:measured()
    for i, sum in ipairs(sums) do sums[i] = sum / weights[i] end
    return sums, weights
  end

  it("add up batches of step, step_rows and evaluate_rows", function()
    local net, opt, data = classifier(), moon.adam(), moon.dataset(x, classes)
    net:set_measures{"accuracy", loss, "data", "penalty"}
    local before = right(net, x, classes)
    local value = net:step(x, classes, loss, opt)
    local values, weights = means(net)
    assert.same({50, 50, 50, 50}, weights)
    assert.equal(before, values[1])
    assert.near(value, values[2] + values[4], 1e-9)
    assert.near(values[2], values[3], 1e-9)
    net:step_rows(data, 1, 20, loss, opt)
    net:evaluate_rows(data, loss, 7)
    net:predict(x)
    net:forward(x, true)
    assert.same({120, 120, 120, 120}, select(2, net:measured()))
    net:set_measures{"accuracy"}
    assert.same({{0}, {0}}, {net:measured()})
    net:set_measures(nil)
    net:step(x, classes, loss, opt)
    assert.same({{}, {}}, {net:measured()})
  end)

  it("do not count a step that changes nothing", function()
    local net, bad = classifier(), x:clone()
    bad:set(0 / 0, 3, 2)
    net:set_measures{"accuracy", "penalty"}
    net:step(bad, classes, loss, moon.adam())
    assert.same({{0, 0}, {0, 0}}, {net:measured()})
  end)

  it("that are refused leave none", function()
    local net = classifier()
    for expected, list in pairs{
      ["measure: kind is 'auc', expected accuracy,"] = {"accuracy", "auc"},
      ["measure: kind loss needs a loss"] = {"loss"},
      ["set_measures: element 2 is a table, expected the name of a kind, or a loss of the core"] = {"accuracy", {}},
    } do
      net:set_measures{"penalty"}
      assert.equal(expected, message(net.set_measures, net, list):sub(1, #expected))
      assert.same({{}, {}}, {net:measured()})
    end
    net:set_measures{moon.mse()}
    assert.matches("metric mse takes targets of the outputs' shape, but the targets are class numbers",
      message(net.step, net, x, classes, loss, moon.adam()))
  end)

  it("of fit outlive an evaluation while a source is read", function()
    local function train(evaluate)
      local net = classifier()
      local rows = moon.source{rows = 50, width = 6, block = 10, read = function(first, n)
        local part = x:rows(first, first + n - 1)
        if evaluate then
          net:evaluate(part, classes:rows(first, first + n - 1), {loss = "cross_entropy", metrics = {"accuracy"}})
        end
        return part
      end}
      return net:fit(rows, classes, options{metrics = {"accuracy", "penalty"}, optimizer = moon.adam{lr = 0.05}})
    end
    local undisturbed, disturbed = train(false), train(true)
    assert_near(undisturbed.accuracy, disturbed.accuracy, 1e-12)
    assert_near(undisturbed.penalty, disturbed.penalty, 1e-12)
    assert.is_true(disturbed.accuracy[3] > disturbed.accuracy[1])
  end)
end)

describe("mistakes in metrics", function()
  local x, classes = problem()

  local function refused(expected, metrics, more)
    local o = options(more)
    o.metrics = metrics
    local net = classifier()
    local before = net:bytes()
    assert.equal(expected, message(function() net:fit(x, classes, o) end):sub(1, #expected))
    assert.equal(before, net:bytes())
  end

  it("are refused before the training", function()
    refused("fit: metrics has 'acuracy', which is no metric; did you mean 'accuracy'? (known: acc, accuracy, bce, ",
      {"acuracy"})
    refused("fit: metrics has 'AUC', which is no mean over batches, expected a function: auc = function(net, x, y) ",
      {"AUC"})
    refused("fit: metrics has 'mse' twice, expected a name for each", {"mse", mse = moon.mse()})
    refused("fit: metrics has the name 'loss', which the history uses itself: take another", {loss = "mse"})
    refused("fit: metrics has the name 'val_a', which the history uses", {val_a = "mse"})
    refused("fit: metrics has the name 'a b', expected letters, digits and _", {["a b"] = "mse"})
    refused("fit: metric a is 3, expected a name (acc, ", {a = 3})
    refused("fit: metrics has a function at [1], expected a name: metrics = {NAME = function(net, x, y) ... end}",
      {function() end})
    refused("fit: metrics is 'accuracy', expected a list: {\"accuracy\", ", "accuracy")
    refused("fit: metrics is a moonglass.loss, expected a list", moon.mse())
    refused("fit: metrics is a table with the key 2.5, expected", {[2.5] = "mse"})
    refused("fit: metric a is a loss written in Lua, but net and loss are native", {a = lua_loss()})
    refused("fit: metric mse takes targets of the outputs' shape, but the targets are class numbers", {"mse"})
  end)

  it("in a function are errors of its epoch", function()
    for _, v in ipairs{"text", {}, true} do
      local raised = message(function()
        classifier():fit(x, classes, options{metrics = {f = function() return v end}})
      end)
      assert.matches("^metric f gave .*, expected a number$", raised)
    end
  end)
end)

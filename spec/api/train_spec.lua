-- fit and evaluate: native nets and nets with layers in Lua, callbacks, checkpoints, validation, mistakes.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"
local files = dofile "spec/support/files.lua"

local message, temporary, read_file = expect.raised, files.temporary, files.read

-- A small problem, the same in each call.
local function problem(n)
  moon.seed(21)
  local x = moon.rand(n or 50, 6)
  local y = x:matmul(moon.randn(6, 3)):sigmoid()
  return x, y
end

local function small_net(between)
  moon.seed(22)
  local first, last = moon.dense(6, 5, {activation = "relu"}), moon.dense(5, 3, {activation = "sigmoid"})
  if between then return moon.sequential{first, between, last} end
  return moon.sequential{first, last}
end

-- A native layer wrapped in Lua methods: its net is a net with layers in Lua.
local function behind_lua(layer)
  return {
    name = "wrapped",
    forward = function(_, x, training) return layer:forward(x, training) end,
    backward = function(_, dy) return layer:backward(dy) end,
    parameters = function() return layer:parameters() end,
    penalty = function() return layer:penalty() end,
  }
end

local function mixed_net()
  moon.seed(22)
  return moon.sequential{
    behind_lua(moon.dense(6, 5, {activation = "relu"})), moon.dense(5, 3, {activation = "sigmoid"}),
  }
end

local function assert_same_weights(a, b, rtol, atol)
  local p, q = a:parameters(), b:parameters()
  assert.equal(#p, #q)
  for i = 1, #p do
    assert.is_true(p[i].value:allclose(q[i].value, rtol or 0, atol or 0), p[i].name)
  end
end

describe("fit", function()
  it("reduces the loss, and records each epoch", function()
    local x, y = problem()
    local history = small_net():fit(x, y, {loss = "mse", optimizer = moon.adam{lr = 0.01}, epochs = 20, seed = 1})
    assert.equal(20, #history.loss)
    assert.equal(20, #history.epoch_seconds)
    assert.equal(20, history.epochs)
    assert.equal(0, #history.val_loss)
    assert.is_true(history.loss[20] < 0.7 * history.loss[1])
    assert.matches("^epoch +loss +val_loss +seconds\n +1 ", tostring(history))
  end)

  it("repeats with the same seed, and differs without one", function()
    local x, y = problem()
    local function train(seed)
      local net = small_net(moon.dropout(0.3))
      moon.seed(seed or 77)
      net:fit(x, y, {loss = "mse", epochs = 3, seed = seed})
      return net
    end
    assert_same_weights(train(5), train(5))
    assert.is_false(train(5):layer(1).weight:allclose(train(6):layer(1).weight, 1e-6, 1e-7))
  end)

  it("equals the same steps by hand", function()
    local x, y = problem()
    local net, by_hand = small_net(), small_net()
    local history = net:fit(x, y, {loss = "bce", optimizer = "adam", shuffle = false, batch_size = 16})
    local loss, opt, sum = moon.bce(), moon.adam(), 0
    for first = 1, 50, 16 do
      local last = math.min(first + 15, 50)
      sum = sum + by_hand:step(x:rows(first, last), y:rows(first, last), loss, opt) * (last - first + 1)
    end
    assert_same_weights(net, by_hand)
    assert.near(sum / 50, history.loss[1], 1e-9)
    assert.equal(4, opt:steps())
  end)

  it("validates on given rows, or on the last ones", function()
    local x, y = problem()
    local opts = {loss = "mse", epochs = 2, seed = 3, validation_split = 0.25}
    local net = small_net()
    local history = net:fit(x, y, opts)
    assert.equal(2, #history.val_loss)
    assert.near(net:evaluate(x:rows(38, 50), y:rows(38, 50)), history.val_loss[2], 1e-7)
    local other = small_net()
    local again = other:fit(x:rows(1, 37), y:rows(1, 37),
      {loss = "mse", epochs = 2, seed = 3, validation = {x:rows(38, 50), y:rows(38, 50)}})
    assert.same(history.val_loss, again.val_loss)
    assert_same_weights(net, other)
  end)

  it("takes a loss in any form", function()
    local x, y = problem()
    local function train(loss)
      local net = small_net()
      local history = net:fit(x, y, {loss = loss, epochs = 2, seed = 3})
      return history.loss, net
    end
    local function of_function(p, t)
      local d = p - t
      return d:square():mean(), d * (2 / d:numel())
    end
    local as_table = {
      forward = function(self, p, t)
        local value
        value, self.gradient = of_function(p, t)
        return value
      end,
      backward = function(self) return self.gradient end,
    }
    local expected, net = train("mse")
    for _, loss in ipairs{"mean_squared_error", moon.mse(), of_function, as_table} do
      local got, other = train(loss)
      for e = 1, 2 do assert.near(expected[e], got[e], 1e-6) end
      assert_same_weights(net, other, 1e-4, 1e-6)
    end
  end)

  it("takes an optimizer written in Lua", function()
    local x, y = problem()
    local plain = {
      step = function(_, parameters)
        for _, p in ipairs(parameters) do p.value:add_(p.grad, -0.1) end
      end,
    }
    local a, b = small_net(), small_net()
    a:fit(x, y, {loss = "mse", optimizer = plain, seed = 3})
    b:fit(x, y, {loss = "mse", optimizer = moon.sgd{lr = 0.1}, seed = 3})
    assert_same_weights(a, b, 1e-5, 1e-6)
  end)

  it("takes class numbers", function()
    moon.seed(4)
    local x = moon.rand(60, 2)
    local classes = moon.zeros(60, {dtype = "uint8"})
    for i = 1, 60 do classes[i] = x[i][1] > x[i][2] and 1 or 0 end
    local net = moon.sequential{moon.dense(2, 8, {activation = "tanh"}), moon.dense(8, 2, {activation = "softmax"})}
    local history = net:fit(x, classes,
      {loss = "cross_entropy", optimizer = moon.adam{lr = 0.05}, epochs = 30, seed = 1})
    assert.is_true(history.loss[30] < 0.25)
  end)

  it("remembers its loss and optimizer", function()
    local x, y = problem()
    local net = small_net()
    net:fit(x, y, {loss = "mse", seed = 3})
    assert.near(net:evaluate(x, y, {loss = "mse"}), net:evaluate(x, y), 0)
    assert.equal(2, net.optimizer:steps())
  end)

  it("sets the number of threads while it runs", function()
    local x, y = problem()
    local before, during = moon.info().threads, nil
    local function look() during = moon.info().threads end
    small_net():fit(x, y, {loss = "mse", threads = before + 1, callbacks = {look}})
    assert.equal(before + 1, during)
    assert.equal(before, moon.info().threads)
  end)

  it("makes no garbage per batch", function()
    local x, y = problem(1024)
    local net = small_net()
    local function kilobytes(batch)
      local opts = {loss = "mse", optimizer = "adam", batch_size = batch, seed = 1}
      net:fit(x, y, opts)
      collectgarbage()
      collectgarbage("stop")
      local before = collectgarbage("count")
      net:fit(x, y, opts)
      local after = collectgarbage("count")
      collectgarbage("restart")
      return after - before
    end
    local few, many = kilobytes(1024), kilobytes(1)
    assert.is_true(many - few < 0.1, ("%g KB with 1 batch, %g KB with 1024"):format(few, many))
  end)
end)

describe("a net with layers in Lua", function()
  it("gives the native net's numbers", function()
    local x, y = problem()
    local native, mixed = small_net(), mixed_net()
    assert_same_weights(native, mixed)
    assert.is_true(mixed:predict(x, {batch_size = 7}):allclose(native:predict(x), 1e-6, 1e-7))
    for _, loss in ipairs{"mse", "bce"} do
      local opts = {loss = loss, epochs = 3, seed = 9, validation_split = 0.2}
      local a, b = native:fit(x, y, opts), mixed:fit(x, y, opts)
      for e = 1, 3 do
        assert.near(a.loss[e], b.loss[e], 1e-5)
        assert.near(a.val_loss[e], b.val_loss[e], 1e-5)
      end
      assert_same_weights(native, mixed, 1e-3, 1e-5)
    end
    assert.near(native:evaluate(x, y), mixed:evaluate(x, y), 1e-5)
  end)

  it("adds penalties", function()
    moon.seed(1)
    local opts = {activation = "tanh", activity_l1 = 0.1, weight_l1 = 0.02, weight_l2 = 0.01}
    local a = moon.dense(6, 4, opts)
    local b = moon.dense(6, 4, opts)
    b.weight = a.weight
    local x = moon.rand(8, 6)
    local native, mixed = moon.sequential{a}, moon.sequential{behind_lua(b)}
    local t = moon.zeros(8, 4)
    local sgd = moon.sgd{lr = 0.1}
    assert.near(native:step(x, t, moon.mse(), sgd), mixed:step(x, t, moon.mse(), moon.sgd{lr = 0.1}), 1e-6)
    assert.is_true(a.weight:allclose(b.weight, 1e-5, 1e-7))
    assert.is_true(mixed:penalty() > 0)
  end)

  it("slices, names and counts", function()
    local net = mixed_net()
    assert.equal(2, #net)
    assert.same({5, 3}, net:slice(2, 2):layer(1).weight.shape)
    assert.equal("userdata", type(net:slice(2, 2)))
    local names = {}
    for i, p in ipairs(net:parameters()) do names[i] = p.name end
    assert.same({"1.weight", "1.bias", "2.weight", "2.bias"}, names)
    assert.matches("wrapped", net:summary())
    assert.matches("53 parameters", net:summary())
    assert.matches("53 parameters", small_net():summary())
  end)

  it("says which layer failed", function()
    local broken = {name = "broken", forward = function() error("no luck") end, backward = function() end}
    local net = moon.sequential{moon.dense(6, 5), broken}
    local x = moon.rand(4, 6)
    assert.matches("train_spec%.lua:%d+: in layer 2 %(broken%): no luck", message(net.forward, net, x))
    assert.matches("train_spec%.lua:%d+: in layer 1 %(dense 6%->5%): .*%[4 x 3%]",
      message(function() net:forward(moon.rand(4, 3)) end))
    local silent = moon.sequential{{forward = function() end, backward = function() end}}
    assert.matches("in layer 1 %(Lua layer%): forward gave nil, expected a tensor", message(silent.forward, silent, x))
  end)

  it("can be within another net", function()
    local x = problem()
    local inner = small_net()
    local net = moon.sequential{inner, moon.activation("tanh")}
    assert.equal(3, #net)
    assert.is_true(net:predict(x):allclose(inner:predict(x):tanh(), 1e-6, 1e-7))
    assert.equal(3, #moon.sequential{mixed_net(), moon.activation("tanh")})
  end)
end)

describe("callbacks", function()
  it("come in order", function()
    local x, y = problem()
    local seen = {}
    local function note(name)
      return function(_, state) seen[#seen + 1] = name .. state.epoch .. "." .. state.batch end
    end
    local all = {}
    for _, name in ipairs{"train_begin", "epoch_begin", "batch_end", "epoch_end", "train_end"} do
      all["on_" .. name] = note(name)
    end
    small_net():fit(x, y, {loss = "mse", epochs = 2, batch_size = 25, callbacks = {all}})
    assert.same({"train_begin0.0", "epoch_begin1.0", "batch_end1.1", "batch_end1.2", "epoch_end1.2",
      "epoch_begin2.0", "batch_end2.1", "batch_end2.2", "epoch_end2.2", "train_end2.2"}, seen)
  end)

  it("see the state and may stop", function()
    local x, y = problem()
    local net = small_net()
    local history = net:fit(x, y, {loss = "mse", epochs = 9, validation_split = 0.2, callbacks = {function(state)
      assert.equal(net, state.net)
      assert.equal(state.loss, state.history.loss[state.epoch])
      assert.equal(state.val_loss, state.history.val_loss[state.epoch])
      assert.is_true(state.rows_per_second > 0)
      state.stop = state.epoch == 3
    end}})
    assert.equal(3, #history.loss)
    local batches = 0
    net:fit(x, y, {loss = "mse", batch_size = 5, callbacks = {{on_batch_end = function(_, state)
      batches = state.batch
      if state.batch == 4 then state.stop = true end
    end}}})
    assert.equal(4, batches)
  end)

  it("that fail leave the net as after the last whole step", function()
    local x, y = problem()
    local aborted
    local net, other = small_net(), small_net()
    local opts = {loss = "mse", batch_size = 10, shuffle = false, callbacks = {{
      on_batch_end = function(_, state) if state.batch == 2 then error("enough") end end,
      on_abort = function() aborted = true end,
    }}}
    assert.matches("train_spec%.lua:%d+: enough", message(net.fit, net, x, y, opts))
    assert.is_true(aborted)
    other:fit(x:rows(1, 20), y:rows(1, 20), {loss = "mse", batch_size = 10, shuffle = false})
    assert_same_weights(net, other)
  end)

  -- a val_loss that comes from a list, independent of the net
  local function stop_after(figures, opts)
    local x, y = problem()
    local stopping = moon.callbacks.early_stopping(opts)
    local fake = {on_epoch_end = function(_, state) state.val_loss = figures[state.epoch] end}
    local history = small_net():fit(x, y, {loss = "mse", epochs = #figures, callbacks = {fake, stopping}})
    return #history.loss, stopping.best_epoch, stopping.best
  end

  it("early_stopping counts as Keras does", function()
    local nan = 0 / 0
    assert.same({4, 2, 0.9}, {stop_after({1, 0.9, 0.95, 0.9, 0.8, 0.7}, {patience = 2})})
    assert.same({3, 2, 0.9}, {stop_after({1, 0.9, 0.9, 0.8}, {})})
    assert.same({3, 2, 1}, {stop_after({nan, 1, nan, 0.5}, {})})
    assert.same({3, 2, 0.8}, {stop_after({1, 0.8, 0.75, 0.6}, {min_delta = 0.1})})
    assert.same({3, 2, 0.8}, {stop_after({1, 0.8, 0.75, 0.6}, {min_delta = -0.1})})
    assert.same({5, 5, 0.1}, {stop_after({1, 0.8, 0.9, 0.6, 0.1}, {patience = 2})})
  end)

  it("early_stopping restores the best weights", function()
    local x, y = problem()
    local net = small_net()
    local best
    local figures = {1, 0.5, 0.7, 0.8}
    net:fit(x, y, {loss = "mse", epochs = 4, callbacks = {
      {on_epoch_end = function(_, state) state.val_loss = figures[state.epoch] end},
      moon.callbacks.early_stopping{patience = 5, restore_best = true},
      function(state) if state.epoch == 2 then best = state.net:layer(1).weight:clone() end end,
    }})
    assert.is_true(net:layer(1).weight:allclose(best, 0, 0))
  end)

  it("csv_logger writes a line per epoch", function()
    temporary(function(path)
      local x, y = problem()
      local net = small_net()
      net:fit(x, y, {loss = "mse", epochs = 2, validation_split = 0.2, callbacks = {moon.callbacks.csv_logger(path)}})
      assert.matches("^epoch,loss,val_loss,seconds\n1,0%.%d+,0%.%d+,[%d.e-]+\n2,[^\n]+\n$", read_file(path))
      net:fit(x, y, {loss = "mse", epochs = 3, initial_epoch = 2,
        callbacks = {moon.callbacks.csv_logger(path, {append = true})}})
      assert.matches("\n3,0%.%d+,,[%d.e-]+\n$", read_file(path))
      assert.matches("csv_logger: cannot write 'no/such/dir/x.csv': No such file", message(net.fit, net, x, y,
        {loss = "mse", callbacks = {moon.callbacks.csv_logger("no/such/dir/x.csv")}}))
    end)
  end)

  it("progress shows a bar on a terminal and a line elsewhere", function()
    local x, y = problem()
    local function shown(terminal)
      local texts, now = {}, 0
      local progress = moon.callbacks.progress{
        terminal = terminal, write = function(text) texts[#texts + 1] = text end,
        clock = function() now = now + 0.06 return now end,
      }
      small_net():fit(x, y, {loss = "mse", epochs = 2, batch_size = 5, callbacks = {progress}})
      return table.concat(texts)
    end
    local lines = shown(false)
    assert.matches("^epoch 1/2  10 batches  loss 0%.%d+  %d+ rows/s  %d+%.%d%d s\nepoch 2/2 [^\n]*\n$", lines)
    local bar = shown(true)
    assert.matches("\repoch 1/2 %[====                %] 2/10  loss 0%.%d+  %d+ rows/s  0:00 left\27%[K", bar)
    assert.matches("\27%[K\n$", bar)
  end)
end)

describe("a checkpoint", function()
  local function resumable_net()
    moon.seed(31)
    return moon.sequential{
      moon.gaussian_noise(0.1), moon.dense(6, 5, {activation = "relu"}), moon.dropout(0.3),
      moon.dense(5, 3, {activation = "sigmoid"}),
    }
  end

  for _, name in ipairs(moon.registered("optimizers")) do
    it("resumes bit for bit with " .. name, function()
      temporary(function(path)
        local x, y = problem()
        local function opt() return moon.optimizer(name, {lr = 0.01}) end
        local whole = resumable_net()
        local history = whole:fit(x, y, {loss = "mse", optimizer = opt(), epochs = 4, seed = 8})

        resumable_net():fit(x, y, {loss = "mse", optimizer = opt(), epochs = 2, seed = 8,
          callbacks = {moon.callbacks.checkpoint(path)}})
        moon.seed(99)
        local c = assert(moon.checkpoint.load(path))
        assert.equal(2, c.epoch)
        assert.equal(8, c.seed)
        local resumed = c.net:fit(x, y, {loss = "mse", optimizer = c.opt, epochs = 4, initial_epoch = c.epoch,
          seed = c.seed, history = c.history})
        assert_same_weights(whole, c.net)
        assert.same(history.loss, resumed.loss)
        assert.equal(4, resumed.epochs)
        assert.equal(whole.optimizer:steps(), c.opt:steps())
      end)
    end)
  end

  it("keeps the optimizer's options, the history and the autoencoder", function()
    temporary(function(path)
      moon.seed(1)
      local ae = moon.autoencoder.plain{input = 4, hidden = 2}
      local history = {loss = {0.1, 1 / 3}, val_loss = {}, epoch_seconds = {1.5, 2}, epochs = 2}
      local opt = moon.sgd{lr = 0.3, momentum = 0.9, nesterov = true}
      assert(moon.checkpoint.save(path, {net = ae, opt = opt, epoch = 2, history = history}))
      local c = assert(moon.checkpoint.load(path))
      assert.same(history.loss, c.history.loss)
      assert.same(history.epoch_seconds, c.history.epoch_seconds)
      assert.equal(0.9, c.opt.momentum)
      assert.equal(true, c.opt.nesterov)
      assert.equal(0.3, c.opt.lr)
      assert.is_true(c.net:encode(moon.ones(2, 4)):allclose(ae:encode(moon.ones(2, 4)), 0, 0))
      assert.is_nil(c.seed)
    end)
  end)

  it("keeps only the best with best_only", function()
    temporary(function(path)
      local x, y = problem()
      local figures = {1, 0.5, 0.7, 0.8}
      small_net():fit(x, y, {loss = "mse", epochs = 4, callbacks = {
        {on_epoch_end = function(_, state) state.val_loss = figures[state.epoch] end},
        moon.callbacks.checkpoint(path, {best = true}),
      }})
      assert.equal(2, assert(moon.checkpoint.load(path)).epoch)
    end)
  end)

  it("gives nil and a message for a file that is not a checkpoint", function()
    temporary(function(path)
      assert(small_net():save(path))
      local c, text, code = moon.checkpoint.load(path)
      assert.is_nil(c)
      assert.matches("not a checkpoint", text)
      assert.equal("format", code)
      assert.is_nil((moon.checkpoint.load("no/such/file")))
      assert(moon.checkpoint.save(path, {net = small_net(), opt = moon.adam(), epoch = 1}))
      local tensors, metadata = assert(moon.safetensors.load(path))
      metadata["opt.steps"] = "many"
      assert(moon.safetensors.save(path, tensors, metadata))
      c, text = moon.checkpoint.load(path)
      assert.is_nil(c)
      assert.matches("opt.steps is 'many'", text)
      assert.matches("net is nil, expected a net", message(moon.checkpoint.save, path, {}))
    end)
  end)
end)

describe("mistakes", function()
  local x, y, net
  before_each(function()
    x, y = problem(10)
    net = small_net()
  end)

  local function fit(opts, xs, ys) return message(function() net:fit(xs or x, ys or y, opts) end) end

  it("in options are named with the line of the script", function()
    assert.matches("train_spec%.lua:%d+: fit: unknown option 'epoch'; did you mean 'epochs'%? %(known: ",
      fit{loss = "mse", epoch = 3})
    assert.matches("fit: option loss is missing: a name %(.*mse", fit{})
    assert.matches("unknown loss 'mes'; did you mean 'mse'%? %(known: .*mse", fit{loss = "mes"})
    assert.matches("unknown optimizer 'adm'; did you mean 'adam'%? %(known: .*adam",
      fit{loss = "mse", optimizer = "adm"})
    assert.matches("fit: loss is 7, expected a name", fit{loss = 7})
    assert.matches("fit: epochs is 0, expected a whole number", fit{loss = "mse", epochs = 0})
    assert.matches("fit: batch_size is 2.5, expected a whole number", fit{loss = "mse", batch_size = 2.5})
    assert.matches("fit: validation_split is 1, expected", fit{loss = "mse", validation_split = 1})
    assert.matches("fit: batch_size is 64, expected at most the 10 rows of x", fit{loss = "mse", batch_size = 64})
    assert.matches("lr is %-?nan", message(moon.adam, {lr = 0 / 0}))
    assert.matches("fit: a callback has no event 'on_epoch_finish'",
      fit{loss = "mse", callbacks = {{on_epoch_finish = print}}})
    assert.matches("fit: validation has no targets", fit{loss = "mse", validation = {x}})
    assert.matches("monitor is val_loss, but fit has no validation",
      fit{loss = "mse", callbacks = {moon.callbacks.early_stopping()}})
  end)

  it("in data are named", function()
    assert.matches("fit: x is nil, expected a tensor", message(net.fit, net, nil, nil, {loss = "mse"}))
    assert.matches("fit: x is %[0 x 6%], expected at least one row", fit({loss = "mse"}, moon.zeros(0, 6)))
    assert.matches("y is %[9 x 3%] and x %[10 x 6%]", fit({loss = "mse"}, x, y:rows(1, 9)))
    assert.matches("input is %[10 x 5%], expected %[rows x 6%]", fit({loss = "mse"}, moon.zeros(10, 5)))
    assert.matches("target is %[10 x 6%], expected %[rows x 3%]", fit({loss = "mse"}, x, x))
    assert.matches("train_spec%.lua:%d+: ", fit({loss = "mse"}, x, x))
    assert.matches("evaluate: option loss is missing", message(small_net().evaluate, small_net(), x, y))
  end)

  it("after an interrupt end the training", function()
    local epochs = 0
    local function interrupt(state)
      epochs = state.epoch
      if epochs == 2 then moon.interrupt() end
    end
    assert.matches("train_spec%.lua:%d+: .*interrupted", fit{loss = "mse", epochs = 5, callbacks = {interrupt}})
    assert.equal(2, epochs)
  end)

  it("leave the net unchanged", function()
    local before = net:layer(1).weight:clone()
    fit({loss = "mse"}, x, x)
    fit{loss = "mse", batch_size = 64}
    assert.is_true(net:layer(1).weight:allclose(before, 0, 0))
  end)

  it("in nets are named", function()
    assert.matches("sequential: element 2 is 7, expected a layer", message(moon.sequential, {moon.dense(2, 3), 7}))
    assert.matches("the list is empty", message(moon.sequential, {}))
    assert.matches("sequential: got 'x'", message(moon.sequential, "x"))
    local encoder = moon.dense(2, 3)
    local tied = {encoder, behind_lua(moon.dense(3, 3)), moon.dense(3, 2, {tied = encoder})}
    assert.matches("layer 3 %(dense 3%->2%) has tied weights, which only nets of", message(moon.sequential, tied))
    local twice = behind_lua(moon.dense(3, 3))
    assert.matches("layer 2 is layer 1 again", message(moon.sequential, {twice, twice}))
    assert.matches("unknown key 'layers'", message(moon.sequential, {moon.dense(2, 3), layers = 1}))
    assert.matches("train_spec%.lua:%d+: in layer 2 %(dense 4%->5%)",
      message(function() moon.sequential{moon.dense(2, 3), moon.dense(4, 5)} end))
  end)

  it("a loss that is not a number ends the training", function()
    x[3][2] = 0 / 0
    assert.matches("fit: loss is nan after batch 1 of epoch 1", fit{loss = "mse"})
    assert.has_no.errors(function() net:fit(x, y, {loss = "mse", on_nan = "ignore"}) end)
  end)

  it("of losses in Lua are named", function()
    assert.matches("loss: its value is nil, expected a number", fit{loss = function() end})
    assert.matches("loss: its gradient is nil, expected a tensor", fit{loss = function() return 1 end})
  end)
end)

describe("validation_split", function()
  it("leaves n (1 - f) rows, rounded down", function()
    local function training_rows(n, fraction)
      local rows
      moon.sequential{moon.dense(1, 1)}:fit(moon.zeros(n, 1), moon.zeros(n, 1), {
        loss = "mse", validation_split = fraction, batch_size = 1,
        callbacks = {{on_train_begin = function(_, state) rows, state.stop = state.rows, true end}},
      })
      return rows
    end
    for _, n in ipairs{2, 3, 10, 50, 100, 700, 1000, 60000} do
      for p = 1, 99 do
        local left = n * (100 - p) // 100
        if left > 0 then assert.equal(left, training_rows(n, p / 100), ("%d rows, %d %%"):format(n, p)) end
      end
    end
    assert.equal(2, training_rows(3, 1 / 3))
    assert.equal(1, training_rows(3, 2 / 3))
  end)
end)

-- The option distributed of fit and evaluate: what ranks decide together. The ranks here are coroutines, and each steps
-- alone, on whole batches; spec/mpi tests real ones, and sums.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"
local files = dofile "spec/support/files.lua"
local known = dofile "spec/support/known.lua"
local ranks = dofile "spec/support/ranks.lua"

local message = expect.failure

local function rows(n)
  moon.seed(5)
  return moon.rand(n or 40, 6)
end

local function new_net(seed)
  moon.seed(seed or 1)
  return moon.autoencoder.plain{input = 6, hidden = 3}
end

-- The options of a short training, with `more`.
local function options(mpi, more)
  local o = {distributed = mpi, loss = "mse", epochs = 2, batch_size = 16, seed = 3, optimizer = moon.adam{lr = 0.01}}
  for name, v in pairs(more or {}) do o[name] = v end
  return o
end

local function bytes(net) return net:bytes() end

-- Trains on so many ranks; change(rank, o) may change the options of a rank. Returns the results, each with its net.
local function train(size, change, x)
  local nets = {}
  local results = ranks.run(size, function(mpi)
    local net, o = new_net(), options(mpi)
    nets[mpi.rank + 1] = net
    if change then net = change(mpi.rank, o, net) or net end
    nets[mpi.rank + 1] = net
    return net:fit(x or rows(), o)
  end)
  for i, r in ipairs(results) do r.net = nets[i] end
  return results
end

local function alone(more, net)
  net = net or new_net()
  net:fit(rows(), options(nil, more))
  return net
end

-- All ranks have ended with this error, and none has ended the run.
local function assert_all_raise(text, results)
  for _, r in ipairs(results) do
    assert.is_false(r.fine)
    assert.equal(text, (tostring(r.value):gsub("[^ ]+%.lua:%d+: ", "")))
    assert.is_nil(r.failed)
  end
end

local function assert_same_nets(results, expected)
  for _, r in ipairs(results) do
    assert.is_true(r.fine, tostring(r.value))
    assert.is_true(bytes(r.net) == bytes(expected or results[1].net))
  end
end

describe("fit with distributed", function()
  it("is what it is without, for one rank", function()
    assert_same_nets(train(1), alone())
  end)

  it("is false or nil for a process alone", function()
    local net = new_net()
    net:fit(rows(), options(false))
    assert.is_true(bytes(net) == bytes(alone()))
  end)

  it("gives ranks all methods of a process alone", function()
    local group = ranks.run(2, function(mpi) return (mpi.join("fit")) end)[1].value
    local count = 0
    for name, v in pairs(require "moonglass.net.alone") do
      assert.equal(type(v), type(group[name]), name)
      count = count + 1
    end
    assert.is_true(count > 2)
  end)

  it("refuses what is not the module, and sharded by itself", function()
    assert.equal('fit: distributed is 3, expected the module: distributed = require "moonglass.mpi"',
      message(function() new_net():fit(rows(), options(3)) end))
    assert.equal('fit: distributed is a table, expected the module: distributed = require "moonglass.mpi"',
      message(function() new_net():fit(rows(), options{rank = 0, size = 2}) end))
    assert.equal('fit: sharded is given without distributed, expected both: distributed = require "moonglass.mpi"',
      message(function() new_net():fit(rows(), options(nil, {sharded = true})) end))
  end)

  it("refuses what is written in Lua", function()
    local layer = {name = "same", forward = function(_, x) return x end, backward = function(_, dy) return dy end}
    local words = "is written in Lua, expected native layers, loss and optimizer: one process alone can train this net"
    assert_all_raise("fit: layer 2 (same) " .. words, train(2, function()
      return moon.sequential{moon.dense(6, 3), layer, moon.dense(3, 6)}
    end))
    assert_all_raise("fit: the loss " .. words, train(2, function(_, o)
      o.loss = function(p, t) return 0, p - t end
    end))
    assert_all_raise("fit: the optimizer " .. words, train(2, function(_, o) o.optimizer = {step = function() end} end))
  end)
end)

describe("rank 0", function()
  it("gives its weights, moments, steps, seed and learning rate", function()
    local function used() -- a net and an optimizer that have been trained
      local opt = moon.adam{lr = 0.02}
      return alone({optimizer = opt}), opt
    end
    local expected, opt = used()
    expected:fit(rows(), options(nil, {optimizer = opt, seed = 7}))
    assert_same_nets(train(3, function(rank, o)
      o.seed = nil
      if rank > 0 then return new_net(99) end
      local net
      net, o.optimizer = used()
      o.seed = 7
      return net
    end), expected)
  end)

  it("gives the moments that a frozen layer has from before", function()
    local thaw = {on_epoch_begin = function(_, state) if state.epoch == 2 then state.net.trainable = true end end}
    local function used()
      local opt = moon.adam{lr = 0.02}
      local net = alone{optimizer = opt}
      net:layer(1).trainable = false
      return net, opt
    end
    local expected, opt = used()
    expected:fit(rows(), options(nil, {optimizer = opt, epochs = 3, seed = 7, callbacks = {thaw}}))
    assert_same_nets(train(2, function(rank, o)
      o.seed, o.epochs, o.callbacks = 7, 3, {thaw}
      local net = new_net(99)
      if rank == 0 then net, o.optimizer = used() end
      net:layer(1).trainable = false
      return net
    end), expected)
    assert_all_raise("rank 1: fit: trainable of layer 1 is true, but false on rank 0: give all ranks the same",
      train(2, function(rank)
        local net = new_net()
        net:layer(1).trainable = rank > 0
        return net
      end))
  end)

  it("gives its seed also where none is given", function()
    assert_same_nets(train(2, function(rank, o)
      moon.seed(10 + rank)
      o.seed = nil
    end))
  end)

  it("gives its checkpoint: epochs, history, and what callbacks remember", function()
    local function callbacks(checkpoint)
      return {moon.callbacks.early_stopping{monitor = "loss", restore_best = true, patience = 3}, checkpoint}
    end
    local function saved(path, epochs, net)
      alone({epochs = epochs, callbacks = callbacks(moon.callbacks.checkpoint(path))}, net)
      return files.read(path)
    end
    files.temporary(function(path)
      local first, other = saved(path, 2, new_net()), saved(path, 1, new_net(9))
      local whole = alone{epochs = 4, callbacks = callbacks()}
      local results = train(2, function(rank, o)
        o.resume = assert(moon.checkpoint.load_bytes(rank == 0 and first or other))
        o.epochs, o.seed, o.optimizer, o.callbacks = 4, nil, nil, callbacks()
        return o.resume.net
      end)
      assert_same_nets(results, whole)
      for _, r in ipairs(results) do
        assert.equal(4, r.value.epochs)
        assert.equal(4, #r.value.loss)
      end
    end)
  end)

  it("gives what callbacks of the script remember, numbers and tensors", function()
    local function counting(value)
      local seen = {}
      return {
        name = "counting", on_epoch_end = function() end,
        snapshot = function()
          return {value = value, best = math.huge}, {t = moon.full(value, 2, 3), b = moon.full(value, 4):byte()}
        end,
        restore = function(_, values, tensors)
          seen = {values.value, values.best, tensors.t:sum(), tensors.b:sum(), tensors.b.dtype}
        end,
      }, function() return seen end
    end
    files.temporary(function(path)
      local function saved(value)
        alone{callbacks = {counting(value), moon.callbacks.checkpoint(path)}}
        return files.read(path)
      end
      local first, other, seen = saved(5), saved(7), {}
      local results = train(3, function(rank, o)
        o.resume = assert(moon.checkpoint.load_bytes(rank == 0 and first or other))
        o.seed, o.optimizer, o.epochs, o.callbacks = nil, nil, 3, {}
        o.callbacks[1], seen[rank + 1] = counting(0)
        return o.resume.net
      end)
      assert_same_nets(results)
      for i = 1, 3 do assert.same({5, math.huge, 30, 20, "uint8"}, seen[i]()) end
    end)
  end)

  it("ends a training for all that its early_stopping had ended before", function()
    local function stopping() return moon.callbacks.early_stopping{monitor = "loss", min_delta = 9, patience = 1} end
    files.temporary(function(path)
      alone{epochs = 9, callbacks = {stopping(), moon.callbacks.checkpoint(path)}}
      local results = train(2, function(rank, o)
        o.resume = assert(moon.checkpoint.load(path))
        o.epochs, o.seed, o.optimizer = 9, nil, nil
        o.callbacks = rank == 0 and {stopping()} or {}
        return o.resume.net
      end)
      assert_same_nets(results, moon.checkpoint.load(path).net)
      for _, r in ipairs(results) do assert.equal(2, r.value.epochs) end
    end)
  end)

  it("decides for all whether the training ends, and the rate", function()
    for _, event in ipairs{"on_epoch_end", "on_batch_end", "on_epoch_begin"} do
      local results = train(3, function(rank, o)
        o.epochs = 5
        o.callbacks = {{[event] = function(_, state)
          if rank == 0 and state.epoch == 2 then state.stop = true end
          if rank == 1 then state.stop, state.opt.lr = true, 1 end
          if rank == 2 then state.opt.lr = 0.5 end
        end}}
      end)
      assert_same_nets(results)
      for _, r in ipairs(results) do assert.equal(2, r.value.epochs) end
    end
    local expected = alone{callbacks = {{on_epoch_begin = function(_, s) s.opt.lr = 0.1 / s.epoch end}}}
    assert_same_nets(train(2, function(rank, o)
      o.callbacks = {{on_epoch_begin = function(_, s) if rank == 0 then s.opt.lr = 0.1 / s.epoch end end}}
    end), expected)
  end)

  it("has the best weights for all, also where early_stopping is its own callback", function()
    local function worse(state) state.val_loss = state.epoch end
    local best = alone{epochs = 1}
    assert_same_nets(train(3, function(rank, o)
      o.epochs = 4
      o.callbacks = rank == 0 and {worse, moon.callbacks.early_stopping{patience = 2, restore_best = true}} or {}
    end), best)
  end)

  it("has the callbacks that write, and prints", function()
    files.temporary(function(path)
      local lines, called = {}, {}
      moon.set_log(function(line) lines[#lines + 1] = line end)
      local results = train(3, function(rank, o)
        o.verbose = 2
        o.callbacks = {
          moon.callbacks.csv_logger(path .. ".csv"), moon.callbacks.checkpoint(path),
          {writes = true, on_epoch_end = function() called[#called + 1] = rank end},
        }
      end)
      moon.set_log(nil)
      assert_same_nets(results)
      assert.equal(2, #lines)
      assert.same({0, 0}, called)
      assert.equal(2, select(2, files.read(path .. ".csv"):gsub("\n%d", "")))
      assert.equal(2, moon.checkpoint.load(path).epoch)
    end)
  end)
end)

describe("what is not the same on all ranks", function()
  local function differs(text, change)
    assert_all_raise("rank 1: fit: " .. text, train(3, function(rank, o, net)
      if rank == 1 then return change(o, net) end
    end))
  end

  it("is an error that names the rank, the option and both values", function()
    differs("epochs is 5, but 2 on rank 0: give all ranks the same", function(o) o.epochs = 5 end)
    differs("batch_size is 8, but 16 on rank 0: give all ranks the same", function(o) o.batch_size = 8 end)
    differs("shuffle is false, but true on rank 0: give all ranks the same", function(o) o.shuffle = false end)
    differs("on_nan is 'stop', but 'error' on rank 0: give all ranks the same", function(o) o.on_nan = "stop" end)
    differs("loss is mae, but mse on rank 0: give all ranks the same", function(o) o.loss = "mae" end)
    differs("optimizer is sgd, but adam on rank 0: give all ranks the same", function(o) o.optimizer = "sgd" end)
    differs("beta1 of the optimizer is 0.5, but 0.9 on rank 0: give all ranks the same",
      function(o) o.optimizer = moon.adam{beta1 = 0.5} end)
    differs("the x of validation is [5 x 6], but not given on rank 0: give all ranks the same rows, or sharded = true "
      .. "if each has rows of its own", function(o) o.validation = moon.rand(5, 6) end)
    differs("sharded is true, but false on rank 0: give all ranks the same", function(o)
      o.sharded = true
    end)
  end)

  it("is an error also in the net", function()
    local function first(layer) return moon.sequential{layer, moon.dense(3, 6, {activation = "sigmoid"})} end
    differs("out of layer 1 is 4, but 3 on rank 0: give all ranks the same",
      function() return moon.autoencoder.plain{input = 6, hidden = 4} end)
    differs("weight_l2 of layer 1 is 0.5, but 0.0 on rank 0: give all ranks the same",
      function() return first(moon.dense(6, 3, {activation = "relu", weight_l2 = 0.5})) end)
    differs("the number of layers is 3, but 2 on rank 0: give all ranks the same",
      function() return moon.sequential{moon.dense(6, 3), moon.dense(3, 3), moon.dense(3, 6)} end)
    differs("layer 1 is dropout, but dense on rank 0: give all ranks the same",
      function() return moon.sequential{moon.dropout(0.1), moon.dense(6, 6)} end)
    differs("tied of layer 2 is a moonglass.layer, but nil on rank 0: give all ranks the same",
      function() return moon.autoencoder.plain{input = 6, hidden = 3, tied = true} end)
  end)

  it("is an error also in the rows", function()
    local hint = "give all ranks the same rows, or sharded = true if each has rows of its own"
    local function of(x)
      return ranks.run(2, function(mpi) return new_net():fit(x[mpi.rank + 1], options(mpi)) end)
    end
    assert_all_raise("rank 1: fit: x is [39 x 6], but [40 x 6] on rank 0: " .. hint, of{rows(40), rows(39)})
    local other = rows(40):clone()
    other:rows(40, 40):fill_(0.5)
    assert_all_raise("rank 1: fit: x has not the contents that it has on rank 0: " .. hint, of{rows(40), other})
  end)
end)

describe("an error on one rank", function()
  it("is one of all ranks: in options and in callbacks", function()
    assert_all_raise(known.fill "rank 2: fit: unknown option 'epoch'; did you mean 'epochs'? (known: <FitOptions>)",
      train(3, function(rank, o) if rank == 2 then o.epoch = 1 end end))
    for _, event in ipairs{"on_train_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_train_end"} do
      local aborted = 0
      assert_all_raise("rank 1: no more", train(3, function(rank, o)
        o.callbacks = {{
          [event] = function() if rank == 1 then error("no more", 0) end end,
          on_abort = function() aborted = aborted + 1 end,
        }}
      end))
      assert.equal(3, aborted)
    end
  end)

  it("is one of all ranks where rank 0 cannot write", function()
    files.temporary(function(path)
      local below = path .. "/a.csv"
      local text = ("rank 0: csv_logger: cannot write '%s': No such file or directory"):format(below)
      assert_all_raise(text, train(2, function(_, o) o.callbacks = {moon.callbacks.csv_logger(below)} end))
    end)
  end)

  it("is the same text as without ranks if all have it", function()
    local text = message(function() new_net():fit(rows(), options(nil, {on_nan = "no"})) end)
    assert_all_raise(text, train(2, function(_, o) o.on_nan = "no" end))
  end)
end)

describe("weights that differ after an epoch", function()
  it("are noticed, by one bit", function()
    local text = "rank 1: fit: after epoch 2 the weights are not, bit for bit, those of rank 0: a callback has changed "
      .. "them on some ranks only"
    assert_all_raise(text, train(2, function(rank, o)
      o.epochs = 3
      o.callbacks = {function(state)
        if rank ~= 1 or state.epoch ~= 2 then return end
        local bias = state.net:parameters()[2].value
        bias:rows(3, 3):mul_(1 + 2 ^ -23)
      end}
    end))
  end)
end)

describe("a loss that is not finite", function()
  local function broken()
    local x = rows():clone()
    x:rows(7, 7):fill_(0 / 0)
    return x
  end

  it("is the same error on all ranks, or ends the training of all", function()
    local x = broken()
    local text = message(function() new_net():fit(x, options()) end)
    assert_all_raise(text, train(3, nil, x))
    local results = train(3, function(_, o) o.on_nan = "stop" end, x)
    assert_same_nets(results)
    for _, r in ipairs(results) do assert.equal(text, r.value.stopped) end
    for _, r in ipairs(train(2, function(_, o) o.on_nan = "ignore" end, x)) do assert.is_true(r.fine) end
  end)
end)

describe("evaluate with distributed", function()
  it("compares rows, loss and weights", function()
    local x = rows()
    local function evaluate(change)
      return ranks.run(2, function(mpi)
        local net, o = new_net(), {distributed = mpi, loss = "mse"}
        if mpi.rank == 1 then net = change(o, net) or net end
        return net:evaluate(x, o)
      end)
    end
    for _, r in ipairs(evaluate(function() end)) do assert.equal(new_net():evaluate(x, {loss = "mse"}), r.value) end
    assert_all_raise("rank 1: evaluate: loss is mae, but mse on rank 0: give all ranks the same",
      evaluate(function(o) o.loss = "mae" end))
    assert_all_raise("rank 1: evaluate: the net's weights are not those of rank 0: load or train it on all ranks",
      evaluate(function() return new_net(2) end))
  end)
end)

describe("checkpoint.load_bytes", function()
  it("reads what checkpoint.save has written", function()
    files.temporary(function(path)
      alone{callbacks = {moon.callbacks.checkpoint(path)}}
      local c = assert(moon.checkpoint.load_bytes(files.read(path)))
      assert.equal(2, c.epoch)
      assert.is_true(bytes(c.net) == bytes(moon.checkpoint.load(path).net))
    end)
  end)

  it("refuses other bytes", function()
    local ok, text, code = moon.checkpoint.load_bytes(new_net():bytes())
    assert.is_nil(ok)
    assert.equal("not a checkpoint: there is no entry 'checkpoint'", text)
    assert.equal("format", code)
    ok, text, code = moon.checkpoint.load_bytes("x")
    assert.is_nil(ok)
    assert.equal("truncated: expected a header length of 8 bytes, the file holds 1", text)
    assert.equal("format", code)
    assert.equal("checkpoint.load_bytes: bytes is nil, expected a string", message(function()
      moon.checkpoint.load_bytes(nil)
    end))
  end)
end)

-- What ranks decide together in fit: callbacks, seeds, weights, rates, ends, errors; and evaluate.
-- ranks: 1 2 3
-- mpi: openmpi
-- seconds: 300
local moon = require "moonglass"
local mpi = require "moonglass.mpi"
local check = dofile "spec/mpi/check.lua"
local trainings = dofile "spec/mpi/trainings.lua"

moon.set_threads(1)

local plain = trainings.named "plain"
local last = mpi.size - 1 -- the last rank

local function fit(net, more, t)
  local o = {distributed = mpi}
  for name, v in pairs(more or {}) do o[name] = v end
  return trainings.fit(t or plain, net, o)
end

local function alone(more, net)
  net = net or plain.net()
  return net, trainings.fit(plain, net, more)
end

local function assert_near(a, b, most)
  local difference = trainings.difference(a, b)
  if difference > (most or 1e-5) then error(("the weights differ by %g"):format(difference)) end
end

local function assert_same(net)
  assert(mpi.broadcast(net:bytes(), 0) == net:bytes(), "the weights are not those of rank 0")
end

-- The error that fit raises, without its place.
local function failure(net, more, t)
  local ok, text = pcall(fit, net, more, t)
  assert(not ok, "expected an error")
  return (tostring(text):gsub("[^ ]+%.lua:%d+: ", ""))
end

local function only(rank, value) return mpi.rank == rank and value or nil end

-- A temporary path, the same on all ranks, and a function that removes the files there.
local function temporary()
  local path = mpi.broadcast(only(0, os.tmpname()), 0)
  return path, function()
    mpi.barrier()
    if mpi.first then for _, suffix in ipairs{"", ".csv"} do os.remove(path .. suffix) end end
  end
end

-- ---- callbacks ----

local function all_callbacks(path)
  return {
    moon.callbacks.cosine{epochs = 12, warmup = 1}, moon.callbacks.step_decay{every = 3, factor = 0.9},
    moon.callbacks.reduce_on_plateau{monitor = "val_loss", patience = 1, factor = 0.5, min_delta = 0.05},
    moon.callbacks.learning_rate(function(epoch, lr) return epoch % 2 == 0 and lr * 0.9 or lr end),
    moon.callbacks.early_stopping{patience = 2, min_delta = 0.005, restore_best = true},
    moon.callbacks.csv_logger(path .. ".csv"), moon.callbacks.checkpoint(path, {best = true}),
  }
end

local function lines_of(path)
  local n = 0
  for _ in io.lines(path) do n = n + 1 end
  return n
end

check("all callbacks: the same epochs, rates and weights as alone, on all ranks", function()
  local path, remove = temporary()
  local lines, rates = {}, {}
  local function watch(list)
    return {on_epoch_end = function(_, state)
      list[#list + 1] = state.opt.lr
      if list == rates then assert_same(state.net) end
    end}
  end
  local function options(name, list)
    local callbacks = all_callbacks(path .. name)
    callbacks[#callbacks + 1] = watch(list)
    return {epochs = 12, validation_split = 0.2, callbacks = callbacks, verbose = 2}
  end
  moon.set_log(function(line) lines[#lines + 1] = line end)
  local net = plain.net()
  local history = fit(net, options("", rates))
  moon.set_log(nil)
  check.equal(#lines, mpi.first and history.epochs or 0, "lines")
  if mpi.first then
    check.equal(lines_of(path .. ".csv"), history.epochs + 1, "lines of csv_logger")
    assert(moon.checkpoint.load(path))
  end
  assert_same(net)
  moon.set_log(function() end)
  local expected = {}
  local by_itself, of_alone = alone(options(".alone" .. mpi.rank, expected))
  moon.set_log(nil)
  os.remove(path .. ".alone" .. mpi.rank)
  os.remove(path .. ".alone" .. mpi.rank .. ".csv")
  remove()
  check.equal(history.epochs, of_alone.epochs, "epochs")
  check.equal(table.concat(rates, " "), table.concat(expected, " "), "rates")
  assert_near(net, by_itself)
  for i, v in ipairs(of_alone.val_loss) do assert(math.abs(history.val_loss[i] - v) <= 1e-5 * v, "val_loss") end
end)

check("stop and lr of rank 0 are everyone's, in every event", function()
  for _, event in ipairs{"on_epoch_begin", "on_batch_end", "on_epoch_end"} do
    local function callback(rank)
      return {[event] = function(_, state)
        if rank == 0 and state.epoch == 2 then state.stop, state.opt.lr = true, 0.05 end
        if rank ~= 0 then state.stop, state.opt.lr = true, 1 end
      end}
    end
    local net = plain.net()
    local history = fit(net, {epochs = 4, callbacks = {callback(mpi.rank)}})
    check.equal(history.epochs, 2, event)
    assert_same(net)
    assert_near(net, (alone{epochs = 4, callbacks = {callback(0)}}))
  end
end)

check("callbacks may be on one rank only", function()
  local called = 0
  local net = plain.net()
  fit(net, {epochs = 2, callbacks = mpi.rank == last and {
    {on_batch_end = function() called = called + 1 end}, function(state) state.net:evaluate(plain.x) end,
  } or nil})
  check.equal(called, mpi.rank == last and 8 or 0, "calls")
  assert_near(net, (alone{epochs = 2}))
end)

-- ---- what rank 0 gives ----

check("rank 0's weights, moments and seed", function()
  local function trained()
    local opt = moon.adam{lr = 0.003}
    return (alone{optimizer = opt, epochs = 2}), opt
  end
  local net, opt = trained()
  if mpi.rank > 0 then
    moon.seed(1000 + mpi.rank)
    net, opt = moon.autoencoder.plain{input = 20, hidden = 8, activation = "tanh"}, moon.adam{}
  end
  fit(net, {optimizer = opt, epochs = 3, initial_epoch = mpi.first and 2 or 0, seed = 40 + mpi.rank})
  assert_same(net)
  local expected, own = trained()
  alone({optimizer = own, epochs = 3, initial_epoch = 2, seed = 40}, expected)
  assert_near(net, expected)
end)

check("a seed that is not given is drawn once for all", function()
  moon.seed(mpi.rank)
  local t = trainings.named "denoising, gaussian"
  local net, o = t.net(), {distributed = mpi, loss = "mse", batch_size = 24, epochs = 2}
  local seed
  o.callbacks = {function(state) seed = state.seed end}
  net:fit(t.x, o)
  assert_same(net)
  check.equal(seed, mpi.broadcast(seed, 0), "seed")
end)

check("a checkpoint of rank 0, sent as bytes, goes on as without a stop", function()
  local path, remove = temporary()
  local function callbacks(more)
    return {moon.callbacks.early_stopping{monitor = "loss", restore_best = true, patience = 2}, more}
  end
  local t = trainings.named "denoising, masking"
  fit(t.net(), {epochs = 3, optimizer = moon.adam{}, callbacks = callbacks(moon.callbacks.checkpoint(path))}, t)
  local file = mpi.first and assert(io.open(path, "rb"))
  local c = assert(moon.checkpoint.load_bytes(mpi.broadcast(file and file:read("a") or nil, 0)))
  if file then file:close() end
  remove()
  local history = c.net:fit(t.x, {
    distributed = mpi, resume = c, loss = "mse", batch_size = 24, epochs = 6, callbacks = callbacks(),
  })
  local whole = t.net()
  local expected = trainings.fit(t, whole, {epochs = 6, optimizer = moon.adam{}, callbacks = callbacks()})
  check.equal(#history.loss, #expected.loss, "epochs")
  assert_same(c.net)
  assert_near(c.net, whole)
end)

check("several fits one after another: a stack", function()
  local function stack(more)
    local x, encoders = plain.x, {}
    for i, width in ipairs{12, 6} do
      moon.seed(i)
      local ae = moon.autoencoder.plain{input = x:size(2), hidden = width, activation = "tanh", output = "linear"}
      local o = {loss = "mse", epochs = 3, batch_size = 24, seed = i, distributed = more}
      ae:fit(x, o)
      encoders[i], x = ae.encoder, ae:encode(x)
    end
    local net = moon.sequential{encoders[1], encoders[2], moon.dense(6, 20)}
    return net:slice(1, 2)
  end
  local net = stack(mpi)
  assert_same(net)
  assert_near(net, stack(nil))
end)

-- ---- rows of its own ----

check("sharded: one batch of all rows is the same as alone, whoever has them", function()
  local n = #plain.x
  local cut = {0}
  for rank = 1, mpi.size - 1 do cut[rank + 1] = rank == 1 and 1 or 1 + (n - 1) * (rank - 1) // mpi.size end
  cut[mpi.size + 1] = n -- rank 0 has one row, if there are others
  local own = plain.x:rows(cut[mpi.rank + 1] + 1, cut[mpi.rank + 2])
  local more = {epochs = 5, batch_size = n, shuffle = false}
  local sharded = {sharded = true, validation = own}
  for name, v in pairs(more) do sharded[name] = v end
  local net = plain.net()
  local history = fit(net, sharded, {x = own, options = {}})
  assert_same(net)
  more.validation = plain.x
  local expected, of_alone = alone(more)
  assert_near(net, expected)
  for i, v in ipairs(of_alone.val_loss) do assert(math.abs(history.val_loss[i] - v) <= 1e-5 * v, "val_loss") end
  local value = net:evaluate(own, {distributed = mpi, sharded = true})
  assert(math.abs(value - expected:evaluate(plain.x)) <= 1e-5 * value, "evaluate")
end)

check("sharded: small batches train, and all ranks have the same weights", function()
  local own = plain.x:rows(1, 20 + 10 * mpi.rank)
  local net = plain.net()
  local history = fit(net, {sharded = true, epochs = 5, batch_size = 7}, {x = own, options = {}})
  assert_same(net)
  assert(history.loss[5] < history.loss[1], "the loss does not fall")
end)

-- ---- evaluate ----

check("evaluate is the same as alone", function()
  for _, name in ipairs{"plain", "sparse, KL", "a classifier", "weights' penalties"} do
    local t = trainings.named(name)
    local net, loss = t.net(), t.options.loss or "mse"
    for _, batch in ipairs{7, 32, 90} do
      local together = net:evaluate(t.x, t.y, {distributed = mpi, loss = loss, batch_size = batch})
      local expected = net:evaluate(t.x, t.y, {loss = loss, batch_size = batch})
      assert(math.abs(together - expected) <= 1e-6 * expected, name)
      check.equal(together, mpi.broadcast(together, 0), name)
    end
  end
end)

-- ---- errors ----

if mpi.size > 1 then
  check("what differs is named: rank, option, both values", function()
    check.equal(failure(plain.net(), {epochs = 3 + mpi.rank // last}),
      ("rank %d: fit: epochs is 4, but 3 on rank 0: give all ranks the same"):format(last))
    check.equal(failure(plain.net(), {}, {x = plain.x:rows(1, 90 - mpi.rank // last), options = {}}),
      ("rank %d: fit: x is [89 x 20], but [90 x 20] on rank 0: give all ranks the same rows, or sharded = true if "
        .. "each has rows of its own"):format(last))
  end)

  check("an error in a callback of one rank is one of all", function()
    check.equal(failure(plain.net(), {callbacks = {only(last, function() error("a reason", 0) end)}}),
      ("rank %d: a reason"):format(last))
  end)

  check("weights that differ by one bit are noticed", function()
    local text = failure(plain.net(), {epochs = 3, callbacks = {only(last, function(state)
      if state.epoch == 2 then state.net:parameters()[1].value:rows(1, 1):rows(1, 1):mul_(1 + 2 ^ -23) end
    end)}})
    check.equal(text:match("^rank %d: fit: after epoch %d the weights are not, bit for bit, those of rank 0"),
      ("rank %d: fit: after epoch 2 the weights are not, bit for bit, those of rank 0"):format(last))
  end)

  check("an interrupt on one rank ends the training of all, after a whole step", function()
    local net, batches = plain.net(), 0
    local text = failure(net, {epochs = 3, callbacks = {{on_batch_end = function(_, state)
      batches = batches + 1
      if mpi.rank == last and state.epoch == 2 then moon.interrupt() end
    end}}})
    check.equal(text:match("^rank %d: "), ("rank %d: "):format(last))
    assert(text:find("interrupted"), text)
    check.equal(batches, 5, "batches")
    assert_same(net)
    fit(net)
    assert_same(net)
  end)

  check("a NaN in the rows of one rank is named by all", function()
    local x = plain.x:clone()
    if mpi.rank == last then x:rows(3, 3):fill_(0 / 0) end
    local text = failure(plain.net(), {sharded = true, batch_size = #x * mpi.size}, {x = x, options = {}})
    check.equal(text, ("fit: loss is nan after batch 1 of epoch 1, before any update: x has nan in row 3, column 1 "
      .. "(mask = true leaves such cells out, fill_nan(v) fills them), on rank %d"):format(last))
  end)
end

check("a NaN: the same error, or the same end, as alone", function()
  local x = plain.x:clone()
  x:rows(80, 80):fill_(0 / 0)
  local t = {x = x, options = {shuffle = false}}
  local ok, text = pcall(trainings.fit, t, plain.net(), {})
  assert(not ok)
  check.equal(failure(plain.net(), {}, t), (text:gsub("^[^ ]+%.lua:%d+: ", "")))
  local net = plain.net()
  local history = fit(net, {on_nan = "stop", epochs = 3}, t)
  check.equal(#history.loss, 1, "epochs")
  assert(history.stopped:find("loss is nan", 1, true))
  assert_same(net)
  check.equal(#fit(plain.net(), {on_nan = "ignore", epochs = 3}, t).loss, 3, "epochs")
end)

check.done()

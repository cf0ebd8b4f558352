-- Training resumed from a checkpoint gives the same bits as uninterrupted training, for every way of ending and with
-- each callback, optimizer and layer.
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"
local expect = dofile "spec/support/expect.lua"
local samples = dofile "spec/support/samples.lua"
local trainings = dofile "spec/support/trainings.lua"

local message, temporary = expect.raised, files.temporary
local make_net, fit = trainings.make_net, trainings.fit

local callbacks = moon.callbacks
local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"

local epochs = 6

local function bytes(t)
  local list = t:reshape(t:numel()):totable()
  for i, v in ipairs(list) do list[i] = ("<f"):pack(v) end
  return table.concat(list)
end

local function exactly(list)
  local texts = {}
  for i, v in ipairs(list) do texts[i] = ("%a"):format(v) end
  return table.concat(texts, " ")
end

-- The results of a training by name: weights, moments, rate, number of steps and losses.
local function result(net, history)
  local parameters, all = net:parameters(), {}
  for i, moments in ipairs(net.optimizer:moments(parameters)) do
    all[parameters[i].name] = bytes(parameters[i].value)
    for slot, t in pairs(moments) do all[parameters[i].name .. "." .. slot] = bytes(t) end
  end
  for _, buffer in ipairs(net:buffers()) do all[buffer.name] = bytes(buffer.value) end
  all.lr, all.steps, all.epochs = net.optimizer.lr, net.optimizer:steps(), history.epochs
  all.loss, all.val_loss = exactly(history.loss), exactly(history.val_loss)
  return all
end

-- The names of results that differ.
local function differences(a, b)
  local names = {}
  for name, v in pairs(a) do
    if b[name] ~= v then names[#names + 1] = name end
  end
  for name in pairs(b) do
    if a[name] == nil then names[#names + 1] = name end
  end
  return table.concat(names, ", ")
end

-- The contents of a file by name, without those that differ between these runs.
local function content(path)
  local tensors, metadata = assert(moon.safetensors.load(path))
  metadata["history.epoch_seconds"] = nil
  metadata["callback.checkpoint.1.best"] = nil -- depends on the saved epochs; tested elsewhere
  for name, t in pairs(tensors) do metadata["tensor " .. name] = table.concat(t.shape, " ") .. bytes(t) end
  return metadata
end

-- A log without its times.
local function log(path) return (files.read(path):gsub(",[^,\n]*\n", "\n")) end

-- A val_loss that depends only on the epoch: the best epoch is the fourth, and epoch 3 is worse than epoch 2.
local function figures(state) state.val_loss = ({1, 0.8, 0.9, 0.7, 0.75, 0.76})[state.epoch] end

-- Functions by name that make new callbacks for a training.
local cases = {
  ["no schedule"] = function() return {} end,
  step_decay = function() return {callbacks.step_decay{every = 2, factor = 0.5}} end,
  cosine = function() return {callbacks.cosine{epochs = 6, warmup = 2, lr_min = 1e-4}} end,
  learning_rate = function() return {callbacks.learning_rate(function(_, lr) return lr * 0.9 end)} end,
  warm_up = function()
    return {callbacks.warm_up(1, "sigma", {to = 0.4, epochs = 4}), callbacks.warm_up(3, "p", {from = 0.5, to = 0.1}),
      callbacks.warm_up("optimizer", "lr", {from = 0.001, to = 0.02, epochs = 3})}
  end,
  reduce_on_plateau = function()
    return {callbacks.reduce_on_plateau{patience = 1, min_delta = 1, factor = 0.7, cooldown = 2}}
  end,
  ["early_stopping that ends it"] = function() return {figures, callbacks.early_stopping{restore_best = true}} end,
  ["early_stopping that waits"] = function()
    return {figures, callbacks.early_stopping{patience = 2, restore_best = true}}
  end,
  ["all at once"] = function()
    return {figures, callbacks.cosine{epochs = 9}, callbacks.reduce_on_plateau{patience = 1},
      callbacks.early_stopping{patience = 5, restore_best = true},
      callbacks.early_stopping{monitor = "loss", patience = 3}}
  end,
}

-- Ways to end a training after epoch k, whose checkpoint is the last: by name, in order.
local ends = {
  {"fewer epochs", function(k, opts) opts.epochs = k end},
  {"a stop", function(k, opts)
    table.insert(opts.callbacks, function(state) if state.epoch == k then state.stop = true end end)
  end},
  {"an error within an epoch", function(k, opts)
    table.insert(opts.callbacks, {on_batch_end = function(_, state)
      if state.epoch == k + 1 and state.batch == 2 then error("enough") end
    end})
  end},
  {"an error when the epoch is logged", function(k, opts)
    table.insert(opts.callbacks, function(state) if state.epoch == k + 1 then error("enough") end end)
  end},
}

local function options(case, path, every, order)
  local list = cases[case]()
  local first = list[1] == figures and 2 or 1
  local checkpoint = callbacks.checkpoint(path .. ".checkpoint", {every = every})
  table.insert(list, order == "first" and first or #list + 1, checkpoint)
  table.insert(list, callbacks.csv_logger(path .. ".csv"))
  return {epochs = epochs, callbacks = list}
end

local function start(opts)
  local net = make_net()
  opts.optimizer, opts.seed = moon.adam{lr = 0.02}, 8
  return net, fit(net, opts)
end

local function go_on(opts, path)
  opts.resume = assert(moon.checkpoint.load(path .. ".checkpoint"))
  return opts.resume.net, fit(opts.resume.net, opts)
end

local function check_end(case, path, k, ending, whole)
  local name, set = ending[1], ending[2]
  local order = k % 3 == 0 and "last" or "first"
  local interrupted = options(case, path, k, order)
  set(k, interrupted)
  pcall(start, interrupted)
  assert.equal(k, assert(moon.checkpoint.load(path .. ".checkpoint")).epoch)
  local resumed = result(go_on(options(case, path, whole.result.epochs, order), path))
  local what = ("%s after epoch %d, the checkpoint %s"):format(name, k, order)
  assert.equal("", differences(whole.result, resumed), what)
  assert.equal("", differences(whole.file, content(path .. ".checkpoint")), what)
  assert.equal(whole.log, log(path .. ".csv"), what)
end

-- End after each epoch, in two of the four ways.
local function check_case(case, path)
  local whole = {result = result(start(options(case, path, 1)))}
  whole.file, whole.log = content(path .. ".checkpoint"), log(path .. ".csv")
  for i, ending in ipairs(ends) do
    for k = 1 + i % 2, whole.result.epochs, 2 do check_end(case, path, k, ending, whole) end
  end
end

describe("a training that was ended resumes to the same bits:", function()
  for case in pairs(cases) do
    it(case, function()
      temporary(function(path) check_case(case, path) end)
    end)
  end

  it("the cases do what their names say", function()
    temporary(function(path)
      local function rate_and_epochs(case)
        local opts, rates = options(case, path), {}
        table.insert(opts.callbacks, function(state) rates[state.epoch] = state.opt.lr end)
        local net, history = start(opts)
        return rates, history.epochs, net
      end
      local rates = rate_and_epochs("reduce_on_plateau")
      for i, n in ipairs{0, 1, 1, 2, 2, 3} do assert.near(0.02 * 0.7 ^ n, rates[i], 1e-15) end
      assert.equal(3, select(2, rate_and_epochs("early_stopping that ends it")))
      local _, last, net = rate_and_epochs("early_stopping that waits")
      assert.equal(6, last)
      local c = assert(moon.checkpoint.load(path .. ".checkpoint"))
      local best = c.callbacks["early_stopping.1"].tensors.best_1
      assert.equal(bytes(best), bytes(net:parameters()[1].value))
      assert.are_not.equal(bytes(best), bytes(c.net:parameters()[1].value))
    end)
  end)
end)

-- Everything registered: a new class needs no change here.
describe("a training that was stopped, and resumed from its checkpoint, ends in the same bits with", function()
  local function check(make, optimizer)
    temporary(function(path)
      local whole = make()
      local expected = result(whole, fit(whole, {optimizer = optimizer(), epochs = 4, seed = 8}))
      fit(make(), {optimizer = optimizer(), epochs = 2, seed = 8, callbacks = {callbacks.checkpoint(path)}})
      local c = assert(moon.checkpoint.load(path))
      assert.equal("", differences(expected, result(c.net, fit(c.net, {resume = c, epochs = 4}))))
    end)
  end

  for _, kind in ipairs(moon.registered("optimizers")) do
    it("the optimiser " .. kind, function() check(make_net, function() return moon[kind]{lr = 0.02} end) end)
  end

  for _, kind in ipairs(moon.registered("layers")) do
    if samples.net(kind, 6) then -- registry_spec reports a missing sample
      it("the layer " .. kind, function()
        check(function()
          moon.seed(31)
          return moon.sequential{moon.dense(6, 6), samples.net(kind, 6), moon.dense(6, 3)}
        end, moon.adam)
      end)
    end
  end
end)

describe("a training that was killed", function()
  -- A separate process, which kills itself by SIGKILL in epoch k + 1, when that epoch's line in the log is written.
  local script = [[
    local moon = require "moonglass"
    moon.set_threads(1)
    local spec, path, k = loadfile(arg[1]), arg[2], tonumber(arg[3])
    local train = spec()
    train(path, function(state) if state.epoch == k + 1 then os.execute("kill -9 $PPID") end end)
  ]]

  -- The script of both processes: a net, its data and its callbacks.
  local training = [[
    local moon = require "moonglass"
    return function(path, ending)
      local c = moon.checkpoint.load(path .. ".checkpoint") -- nil the first time
      moon.seed(3)
      local x, net = moon.rand(64, 8), c and c.net
      net = net or moon.autoencoder.denoising{input = 8, hidden = 3, noise = moon.masking_noise(0.2)}
      local history = net:fit(x, {
        loss = "bce", epochs = 5, batch_size = 10, validation_split = 0.25, threads = 1, resume = c,
        optimizer = not c and moon.rmsprop{lr = 0.02} or nil, seed = not c and 4 or nil,
        callbacks = {
          moon.callbacks.checkpoint(path .. ".checkpoint"), moon.callbacks.cosine{epochs = 5},
          moon.callbacks.early_stopping{patience = 4, restore_best = true},
          moon.callbacks.csv_logger(path .. ".csv"), ending,
        },
      })
      return net, history
    end
  ]]

  it("resumes bit for bit", function()
    temporary(function(path)
      local train = load(training)()
      local whole = result(train(path, nil))
      local csv = log(path .. ".csv")
      files.write(path .. ".lua", script)
      files.write(path, training)
      for _, k in ipairs{1, 4} do
        os.remove(path .. ".checkpoint")
        os.execute(("%s %s.lua %s %s %d 2>%s.whole"):format(files.quote(program), path, path, path, k, path))
        assert.equal(k, (moon.checkpoint.load(path .. ".checkpoint") or {}).epoch, files.read(path .. ".whole"))
        assert.matches("\n" .. k + 1 .. ",[^\n]*\n$", files.read(path .. ".csv"))
        assert.equal("", differences(whole, result(train(path, nil))))
        assert.equal(csv, log(path .. ".csv"))
      end
    end)
  end)
end)

describe("resume", function()
  it("uses the seed of the checkpoint's run", function()
    temporary(function(path)
      local save = {callbacks = {callbacks.checkpoint(path .. ".checkpoint")}, epochs = 2, seed = 8}
      local whole = make_net()
      fit(whole, {epochs = 3, seed = 8})
      fit(make_net(), save)
      local c = assert(moon.checkpoint.load(path .. ".checkpoint"))
      fit(c.net, {resume = c, seed = 8.0, epochs = 3})
      for i, parameter in ipairs(c.net:parameters()) do
        assert.is_true(parameter.value:equal(whole:parameters()[i].value))
      end
    end)
  end)

  it("restores the best value of a checkpoint with best_only", function()
    temporary(function(path)
      local function best_and_last(k)
        local opts = options("no schedule", path)
        table.insert(opts.callbacks, 1, figures)
        table.insert(opts.callbacks, 2, callbacks.checkpoint(path .. ".whole", {best = true}))
        opts.epochs = k or epochs
        return opts
      end
      start(best_and_last(4))
      assert.equal(4, assert(moon.checkpoint.load(path .. ".whole")).epoch)
      go_on(best_and_last(), path)
      assert.equal(6, assert(moon.checkpoint.load(path .. ".checkpoint")).epoch)
      assert.equal(4, assert(moon.checkpoint.load(path .. ".whole")).epoch)
    end)
  end)

  it("restores the state of any callback", function()
    temporary(function(path)
      local function counter(name)
        local self = {name = name, seen = 0, sum = moon.zeros(2)}
        function self.on_epoch_end(_, state)
          self.seen = self.seen + 1
          self.sum:add_(state.epoch)
        end
        function self.snapshot()
          return {seen = self.seen, last = "it's\n" .. self.seen, odd = true}, {sum = self.sum}
        end
        function self.restore(_, values, tensors, state)
          self.seen, self.last, self.odd, self.at = values.seen, values.last, values.odd, state.epoch
          self.sum:copy_(tensors.sum)
        end
        return self
      end
      local save = callbacks.checkpoint(path .. ".checkpoint")
      local a, b = counter("a"), counter()
      start{epochs = 2, callbacks = {a, b, save}}
      -- callbacks are identified by name and by position among those of that name; others may move
      local again = {counter("a"), counter(), counter("a")}
      go_on({epochs = 5, callbacks = {again[2], save, again[1], again[3]}}, path)
      assert.equal(5, again[1].seen)
      assert.equal(15, again[1].sum[1])
      assert.equal("it's\n2", again[1].last)
      assert.is_true(again[1].odd)
      assert.equal(2, again[1].at)
      assert.equal(5, again[2].seen)
      assert.equal(3, again[3].seen) -- there was no second callback of this name
      -- loading and saving a checkpoint keeps the state
      local c = assert(moon.checkpoint.load(path .. ".checkpoint"))
      assert(moon.checkpoint.save(path .. ".whole", c))
      assert.equal("", differences(content(path .. ".checkpoint"), content(path .. ".whole")))
    end)
  end)

  it("continues early stopping with more patience", function()
    temporary(function(path)
      start(options("early_stopping that ends it", path))
      local list = {figures, callbacks.early_stopping{patience = 2}}
      local _, history = go_on({epochs = 6, callbacks = list}, path)
      assert.equal(6, history.epochs)
      assert.equal(4, list[2].best_epoch)
    end)
  end)

  it("repairs a log", function()
    temporary(function(path)
      start(options("no schedule", path))
      local log_path = path .. ".csv"
      local whole = files.read(log_path)
      local function resumed(text)
        files.write(log_path, text)
        go_on(options("no schedule", path), path)
        return files.read(log_path)
      end
      assert.equal(whole, resumed(whole))
      assert.equal(whole, resumed(whole .. "7,0.1,,1\n8,0.1,,1\n"))
      assert.equal(whole, resumed(whole:sub(1, -5)))
      assert.equal(whole, resumed(""))
      assert.equal(whole, resumed("epoch,l"))
      os.remove(log_path)
      go_on(options("no schedule", path), path)
      assert.equal(whole, files.read(log_path))
      -- a log of several trainings keeps the earlier lines
      local before = "epoch,loss,val_loss,seconds\n1,0.5,,1\n2,0.4,,1\n"
      local ours = whole:gsub("^[^\n]*\n", "")
      assert.equal(before .. ours, resumed(before .. ours .. "7,0.1,,1\n"))
    end)
  end)

  it("says what is wrong with it", function()
    temporary(function(path)
      local save = {callbacks = {callbacks.checkpoint(path .. ".checkpoint")}}
      start(save)
      local c = assert(moon.checkpoint.load(path .. ".checkpoint"))
      local function attempt(opts, net) return message(function() local _ = fit(net or c.net, opts) end) end
      assert.matches("resume_spec%.lua:%d+: fit: resume is 'a%.b', expected a checkpoint, as moon%.checkpoint%.load",
        attempt{resume = "a.b"})
      assert.matches("fit: resume is the checkpoint of another net", attempt({resume = c}, make_net()))
      assert.matches("fit: seed is given with resume, expected the checkpoint's %(8, not 1%): leave it out",
        attempt{resume = c, seed = 1})
      assert.matches("fit: initial_epoch is given with resume, expected", attempt{resume = c, initial_epoch = 1})
      c.seed = nil
      assert.matches("fit: resume is a checkpoint that was saved without its seed", attempt{resume = c})

      local function snapshot(callback)
        callback.restore = callback.restore or function() end
        return attempt{callbacks = {callback, save.callbacks[1]}}
      end
      assert.matches("snapshot of callback%.1: list is a table, expected a number, a text or a boolean",
        snapshot{snapshot = function() return {list = {}} end})
      assert.matches("snapshot of mine%.1: t is 1, expected a tensor",
        snapshot{name = "mine", snapshot = function() return nil, {t = 1} end})
      assert.matches("a callback's name is 'a%.b', expected letters", snapshot{name = "a.b", snapshot = print})
      assert.matches("callback callback has snapshot, but no restore: expected both",
        attempt{callbacks = {{snapshot = print}, save.callbacks[1]}})

      local tensors, metadata = assert(moon.safetensors.load(path .. ".checkpoint"))
      metadata["callback.checkpoint.1.best"] = "low"
      assert(moon.safetensors.save(path .. ".whole", tensors, metadata))
      assert.matches("best of a callback is low, expected a number", select(2, moon.checkpoint.load(path .. ".whole")))
    end)
  end)
end)

-- A state made by hand could be impossible to load, and an edited file impossible to resume from.
describe("a saved state", function()
  local function state(more)
    local net = moon.sequential{moon.dense(4, 4)}
    local s = {net = net, opt = moon.adam(), epoch = 1, seed = 1, history = {loss = {1}, val_loss = {},
      epoch_seconds = {1}}}
    for name, v in pairs(more) do s[name] = v end
    return s
  end

  it("must be loadable", function()
    for words, more in pairs{
      ["epoch is 1.5, expected a whole number of at least 0"] = {epoch = 1.5},
      ["epoch is -1, expected a whole number of at least 0"] = {epoch = -1},
      ["epoch is 'one', expected a whole number of at least 0"] = {epoch = "one"},
      ["seed is 1.5, expected a whole number"] = {seed = 1.5},
      ["history is 3, expected a table"] = {history = 3},
      ["history.loss[2] is 'a', expected a number"] = {history = {loss = {1, "a"}}},
      ["callbacks is 3, expected a list of callbacks"] = {callbacks = 3},
      ["callbacks.x is 3, expected {values =, tensors =}"] = {callbacks = {x = 3}},
    } do
      local said = message(moon.checkpoint.save, "never/written", state(more))
      assert.equal("checkpoint.save: " .. words, (said:gsub("^spec/.-: ", "")))
    end
  end)

  it("must have the state of its callbacks", function()
    temporary(function(path)
      local function resumed(key, values, callback, tensors)
        local callbacks_state = {[key] = {values = values, tensors = tensors or {}}}
        assert(moon.checkpoint.save(path .. ".checkpoint", state{callbacks = callbacks_state}))
        local c = assert(moon.checkpoint.load(path .. ".checkpoint"))
        local ok, said = pcall(c.net.fit, c.net, moon.ones(8, 4), {loss = "mse", epochs = 2, resume = c,
          callbacks = {callback}})
        return ok and "fine" or (said:gsub("^spec/.-: ", ""))
      end
      local stopping = callbacks.early_stopping{monitor = "loss", restore_best = true}
      assert.equal("resume: wait of callback early_stopping.1 is 'x' in the checkpoint, expected a number",
        resumed("early_stopping.1", {best = 1, wait = "x"}, stopping))
      assert.equal("resume: best of callback reduce_on_plateau.1 is nil in the checkpoint, expected a number",
        resumed("reduce_on_plateau.1", {wait = 0, cooldown = 0}, callbacks.reduce_on_plateau{monitor = "loss"}))
      assert.equal("early_stopping: the best weights in the checkpoint are not those of the net: copy: [2] does not "
        .. "fit into [4 x 4]",
        resumed("early_stopping.1", {best = 1, wait = 0}, stopping, {best_1 = moon.ones(2)}))
      local mine = {name = "mine", snapshot = function() return {a = 1, b = 2} end, restore = function() end}
      assert.equal("fine", resumed("mine.1", {a = 3}, mine)) -- b is optional
      assert.equal("resume: a of callback mine.1 is true in the checkpoint, expected a number",
        resumed("mine.1", {a = true}, mine))
    end)
  end)
end)

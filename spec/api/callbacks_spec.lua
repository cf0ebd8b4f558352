-- Callbacks: schedules, logs, pictures, monitored values, and mistakes that are refused before the first epoch.
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"
local expect = dofile "spec/support/expect.lua"
local trainings = dofile "spec/support/trainings.lua"

local message, temporary = expect.raised, files.temporary
local make_net, problem, fit = trainings.make_net, trainings.problem, trainings.fit

local callbacks = moon.callbacks

describe("a learning-rate schedule", function()
  -- The rates of epochs 1 to n, and the optimizer.
  local function rates(schedule, n, lr)
    local seen, opt = {}, moon.sgd{lr = lr or 1}
    fit(make_net(), {optimizer = opt, epochs = n, callbacks = {schedule, function(state)
      seen[state.epoch] = state.opt.lr
    end}})
    return seen, opt
  end

  local function assert_near(expected, got)
    assert.equal(#expected, #got)
    for i, v in ipairs(expected) do assert.near(v, got[i], 1e-12) end
  end

  it("decays in steps", function()
    local seen, opt = rates(callbacks.step_decay{every = 2, factor = 0.1}, 5, 0.5)
    assert_near({0.5, 0.5, 0.05, 0.05, 0.005}, seen)
    assert.equal(0.5, opt.lr) -- the base rate again
  end)

  it("follows a cosine, after a warm-up", function()
    assert_near({1, (2 + math.sqrt(2)) / 4, 0.5, (2 - math.sqrt(2)) / 4}, (rates(callbacks.cosine{epochs = 4}, 4)))
    local seen, opt = rates(callbacks.cosine{epochs = 6, warmup = 2, lr_min = 0.2}, 8)
    assert_near({1 / 3, 2 / 3, 1, 0.6 + 0.4 / math.sqrt(2), 0.6, 0.6 - 0.4 / math.sqrt(2), 0.2, 0.2}, seen)
    assert.equal(1, opt.lr)
  end)

  it("starts from the base rate and restores it, also when the training fails", function()
    local schedule, opt = callbacks.cosine{epochs = 4}, moon.sgd{lr = 1}
    local function stop_at(epoch)
      return function(state) if state.epoch == epoch then error("enough") end end
    end
    assert.is_false(pcall(fit, make_net(), {optimizer = opt, epochs = 4, callbacks = {schedule, stop_at(2)}}))
    assert.equal(1, opt.lr)
    local seen = {}
    fit(make_net(), {optimizer = opt, epochs = 4, initial_epoch = 2, callbacks = {schedule, function(state)
      seen[#seen + 1] = state.opt.lr
    end}})
    assert_near({0.5, (2 - math.sqrt(2)) / 4}, seen)
  end)

  it("leads an option of a layer or of the optimizer to its value", function()
    local noise = moon.gaussian_noise(0.7)
    local net, opt, seen = moon.sequential{noise, moon.dense(6, 3), moon.dropout(0.9)}, moon.sgd{lr = 1}, {}
    fit(net, {optimizer = opt, epochs = 5, callbacks = {
      callbacks.warm_up(noise, "sigma", {from = 0.1, to = 0.4, epochs = 3}), callbacks.warm_up(3, "p", {to = 0.5}),
      callbacks.warm_up("optimizer", "lr", {from = 0.3, to = 0.1, epochs = 1}), function()
        for _, v in ipairs{noise.sigma, net:layer(3).p, opt.lr} do seen[#seen + 1] = v end
      end}})
    assert_near({0.1, 0, 0.3, 0.2, 0.05, 0.1, 0.3, 0.1, 0.1, 0.4, 0.15, 0.1, 0.4, 0.2, 0.1}, seen)
    assert.equal(0.4, noise.sigma)
  end)

  it("may be any function of the epoch and the current rate", function()
    local seen, opt = rates(callbacks.learning_rate(function(epoch, lr) return epoch == 3 and lr / 4 or lr end), 4)
    assert.same({1, 1, 0.25, 0.25}, seen)
    assert.equal(0.25, opt.lr)
  end)

  -- The rate after each epoch, for given values of val_loss.
  local function plateau(figures, opts, lr)
    local seen, opt = {}, moon.sgd{lr = lr or 1}
    fit(make_net(), {optimizer = opt, epochs = #figures, callbacks = {
      function(state) state.val_loss = figures[state.epoch] end,
      callbacks.reduce_on_plateau(opts),
      function(state) seen[state.epoch] = state.opt.lr end,
    }})
    return seen
  end

  it("detects a plateau as Keras does", function()
    local nan = 0 / 0
    -- patience 2: the rate is reduced after the second epoch without improvement, and counting restarts
    assert.same({1, 1, 1, 0.5, 0.5, 0.25}, plateau({1, 0.9, 0.9, 0.9, 1, 1}, {patience = 2, factor = 0.5}))
    -- an improvement in between also restarts it
    assert.same({1, 1, 1, 1, 0.5}, plateau({1, 1, 0.9, 0.9, 0.9}, {patience = 2, factor = 0.5}))
    -- min_delta: 1e-4 by default; a smaller improvement does not change the best value
    assert.same({1, 0.5, 0.5}, plateau({1, 0.99995, 0.9998}, {patience = 1, factor = 0.5}))
    assert.same({1, 1, 1}, plateau({1, 0.99995, 0.9998}, {patience = 1, factor = 0.5, min_delta = 0}))
    -- cooldown 2: epochs 3 and 4 are not counted; counting may start in the second of them
    assert.same({1, 0.5, 0.5, 0.25, 0.25, 0.125}, plateau({1, 1, 1, 1, 1, 1}, {patience = 1, factor = 0.5,
      cooldown = 2}))
    -- patience 0 equals 1; NaN is never an improvement; lr_min is the smallest rate
    assert.same({1, 0.5, 0.25}, plateau({1, 1, 1}, {patience = 0, factor = 0.5}))
    assert.same({0.5, 0.25, 0.25, 0.125}, plateau({nan, nan, 1, nan}, {patience = 1, factor = 0.5}))
    assert.same({1, 0.5, 0.4, 0.4}, plateau({1, 1, 1, 1}, {patience = 1, factor = 0.5, lr_min = 0.4}))
    -- patience 10, factor 0.1
    local figures = {}
    for i = 1, 11 do figures[i] = 1 end
    local seen = plateau(figures)
    assert.equal(1, seen[10])
    assert.near(0.1, seen[11], 1e-15)
  end)

  it("says what is wrong with it", function()
    assert.matches("callbacks_spec%.lua:%d+: step_decay: option every is missing",
      message(function() callbacks.step_decay{factor = 0.5} end))
    assert.matches("cosine: warmup is 4, expected less than the 4 epochs", message(callbacks.cosine,
      {epochs = 4, warmup = 4}))
    assert.matches("cosine: lr_min is %-1, expected at least 0", message(callbacks.cosine, {epochs = 4, lr_min = -1}))
    assert.matches("reduce_on_plateau: factor is 1, expected a number above 0 and below 1",
      message(callbacks.reduce_on_plateau, {factor = 1}))
    assert.matches("learning_rate: got 7, expected a function", message(callbacks.learning_rate, 7))
    local function train(callback, opt, validation)
      return message(fit, make_net(), {optimizer = opt or "sgd", validation_split = validation, callbacks = {callback}})
    end
    assert.matches("learning_rate: the function gave nil, expected a number",
      train(callbacks.learning_rate(function() end)))
    assert.matches("cosine: the optimizer's lr is nil", train(callbacks.cosine{epochs = 2}, {step = function() end}))
    local x, y = problem()
    assert.matches("reduce_on_plateau: monitor is val_loss, but fit has no validation", message(function()
      make_net():fit(x, y, {loss = "mse", callbacks = {callbacks.reduce_on_plateau()}})
    end))
  end)
end)

describe("reconstructions", function()
  it("writes a picture per epoch: the rows above their reconstructions", function()
    temporary(function(path)
      assert(os.execute("mkdir " .. path))
      moon.seed(7)
      local x, ae = moon.rand(12, 9), moon.autoencoder.plain{input = 9, hidden = 4}
      local some, last = x:rows(1, 5), nil
      local function keep(state) last = moon.image.rows{some, state.net:predict(some)} end
      ae:fit(x, {loss = "mse", epochs = 2, callbacks = {callbacks.reconstructions(path, some), keep}})
      assert.same({2 * 4 + 1, 5 * 4 + 1}, assert(moon.png.read(path .. "/epoch_001.png")).shape)
      assert.is_true(assert(moon.png.read(path .. "/epoch_002.png")):equal(last))
      local gone = message(function()
        ae:fit(x, {loss = "mse", callbacks = {callbacks.reconstructions(path .. "/none", some)}})
      end)
      assert.matches("^spec/api/callbacks_spec%.lua:%d+: reconstructions: cannot write '.*/none/epoch_001%.png': No su",
        gone)
      for i = 1, 2 do os.remove(("%s/epoch_%03d.png"):format(path, i)) end
    end)
  end)
end)

-- ---- before the first epoch ----

local function lua_layer() return {forward = function(_, t) return t end, backward = function(_, t) return t end} end

describe("a mistake found before the first epoch", function()
  local folder, remove

  setup(function() folder, remove = files.folder() end)
  teardown(function() remove() end)

  local function listing()
    local pipe = assert(io.popen(("cd %s && ls -lA --time-style=full-iso . && cat $(find . -type f)"):format(folder)))
    local text = pipe:read("a")
    pipe:close()
    return text
  end

  -- fit(x, y, opts) is refused with this text, and nothing is trained, drawn, written, opened or reported.
  local function refused(words, net, x, y, opts)
    local before, files_before, events, weight = {}, listing(), 0, net:parameters()
    for i, parameter in ipairs(weight) do before[i] = parameter.value:clone() end
    local function count() events = events + 1 end
    opts.callbacks = opts.callbacks or {}
    table.insert(opts.callbacks, {on_train_begin = count, on_batch_end = count, on_abort = count})
    opts.loss, opts.verbose = opts.loss or "mse", 0
    moon.seed(5)
    local drawn = moon.rand(1):get(1)
    moon.seed(5)
    local ok, err = pcall(net.fit, net, x, y, opts)
    assert.is_false(ok, words)
    assert.matches(words, err, 1, true)
    assert.equal(0, events, words)
    for i, parameter in ipairs(weight) do assert.is_true(parameter.value:equal(before[i]), words) end
    assert.equal(files_before, listing(), words)
    assert.equal(drawn, moon.rand(1):get(1), words)
    assert.is_nil(net.loss, words)
  end

  local function net() return moon.sequential{moon.dense(4, 3, {activation = "sigmoid"}), moon.dense(3, 4)} end
  local x = moon.rand(20, 4)

  local function with(words, callback, opts, other)
    opts = opts or {}
    opts.callbacks = {callback}
    refused(words, other or net(), x, nil, opts)
  end

  it("is reported by early_stopping and reduce_on_plateau", function()
    with("early_stopping: monitor is val_loss, but fit has no validation", callbacks.early_stopping{})
    with("reduce_on_plateau: monitor is val_loss, but fit has no validation", callbacks.reduce_on_plateau{})
    -- After a callback of this library, which sets no figure; a user's callback might set one.
    local function list(first) return {callbacks = {first, callbacks.early_stopping{}}, loss = "mse", epochs = 2} end
    refused("monitor is val_loss", net(), x, nil, list(callbacks.progress{write = function() end}))
    assert.has_no.errors(function() net():fit(x, list(function(state) state.val_loss = 1 end)) end)
  end)

  it("is reported by checkpoint", function()
    with("checkpoint: monitor is val_loss, but", callbacks.checkpoint(folder .. "/c", {monitor = "val_loss"}))
    with("checkpoint: cannot write 'not/there/c': No such file or directory", callbacks.checkpoint("not/there/c"))
    with("checkpoint: cannot write '/dev/null/c': Not a directory", callbacks.checkpoint("/dev/null/c"))
    with(("checkpoint: cannot write '%s': Is a directory"):format(folder), callbacks.checkpoint(folder))
    with("Is a directory", callbacks.checkpoint(folder .. "/"))
    with("cannot write '/dev/null': not a regular file", callbacks.checkpoint("/dev/null"))
    with("'not/there/4'", callbacks.checkpoint("not/there/%d", {every = 4}))
    assert(os.execute(("mkdir -p %s/1 %s/2 %s/e_6"):format(folder, folder, folder)))
    with("/3/c': No such file or directory", callbacks.checkpoint(folder .. "/%d/c"), {epochs = 4})
    with("/e_6': Is a directory", callbacks.checkpoint(folder .. "/e_%d", {every = 3}), {epochs = 8})
    with("File name too long", callbacks.checkpoint(folder .. "/" .. ("n"):rep(300)))
    local links = ("cd %s && mkdir sub && touch sub/file && ln -s sub/file link && ln -s nowhere dangling")
    assert(os.execute(links:format(folder))) -- saves follow links
    for _, name in ipairs{"link", "dangling"} do
      local good = callbacks.checkpoint(folder .. "/" .. name)
      assert.has_no.errors(function() net():fit(x, {loss = "mse", callbacks = {good}}) end)
    end
    assert(os.execute(("mkdir %s/kept.2"):format(folder)))
    with("kept.2': Is a directory", callbacks.checkpoint(folder .. "/kept", {keep = 3}))
    local mixed = moon.sequential{moon.dense(4, 4), lua_layer()}
    mixed:layer(2).state = function() return {} end
    with("checkpoint: layer 2 (Lua layer): it has state, but no", callbacks.checkpoint(folder .. "/c"), nil, mixed)
    with("checkpoint: opt is a table, expected an optimizer object", callbacks.checkpoint(folder .. "/c"),
      {optimizer = {step = function() end}})
    refused("callback mine has snapshot, but no restore: expected both", net(), x, nil,
      {callbacks = {{name = "mine", snapshot = function() end}, callbacks.checkpoint(folder .. "/c")}})
  end)

  it("is reported by csv_logger, which overwrites no other file", function()
    with("csv_logger: cannot write 'not/there/c': No such file or directory", callbacks.csv_logger("not/there/c"))
    with("Is a directory", callbacks.csv_logger(folder))
    local path = folder .. "/data.csv"
    for _, text in ipairs{"epoch,accuracy\n1,0.5\n", "a\0b", "\n", "epoch,accuracy"} do
      files.write(path, text)
      with("expected 'epoch,loss,val_loss,seconds'", callbacks.csv_logger(path))
      with("has the columns '", callbacks.csv_logger(path, {append = true}))
    end
    os.remove(path)
  end)

  it("is reported by reconstructions and show", function()
    assert.equal("reconstructions: path is '', expected a folder: '.' is the current one",
      expect.failure(callbacks.reconstructions, "", x))
    with("reconstructions: cannot write 'not/there/epoch_001.png'", callbacks.reconstructions("not/there", x))
    assert(os.execute(("mkdir %s/epoch_002.png"):format(folder)))
    with("epoch_002.png': Is a directory", callbacks.reconstructions(folder, x), {epochs = 2})
    with("reconstructions: input is [5 x 9], expected [rows x 4]", callbacks.reconstructions(folder, moon.rand(5, 9)))
    with("x is [0 x 4], expected at least one element", callbacks.reconstructions(folder, moon.zeros(0, 4)))
    with("callbacks.show: input is [5 x 9], expected [rows x 4]", callbacks.show(moon.rand(5, 9)))
    local wide = moon.sequential{moon.dense(4, 9)}
    refused("reconstructions: line 2 is [1 x 9] uint8, expected the shape of line 1", wide, x, moon.rand(20, 9),
      {callbacks = {callbacks.reconstructions(folder, x)}})
    local long = moon.sequential{moon.dense(6, 6)}
    refused("callbacks.show: rows of 6 make no square", long, moon.rand(20, 6), nil,
      {callbacks = {callbacks.show(moon.rand(5, 6))}})
  end)

  it("is reported by warm_up: both ends must be allowed, and nothing is trained", function()
    local trained = net()
    local before = trained:layer(1).weight:clone()
    local function rejected(expected, ...)
      local said = message(trained.fit, trained, x, {loss = "mse", callbacks = {callbacks.warm_up(...)}})
      assert.equal(expected, (said:gsub("^[^\n]-:%d+: ", "")))
      assert.is_true(trained:layer(1).weight:equal(before))
    end
    rejected("warm_up: dense: weight_l2 is -1, expected a number of at least 0", 1, "weight_l2", {to = -1})
    rejected("warm_up: dense: option 'in' is fixed at construction", 1, "in")
    rejected("warm_up: layer 9, but the net has " .. #trained, 9, "p")
    rejected("warm_up: the option trainable is true, expected a number", 1, "trainable")
    rejected("warm_up: layer has no field or method 'sigma'", 1, "sigma")
  end)

  it("is reported by the schedules", function()
    local none = {optimizer = {step = function() end}}
    with("cosine: the optimizer's lr is nil", callbacks.cosine{epochs = 2}, none)
    with("step_decay: the optimizer's lr is nil", callbacks.step_decay{every = 1, factor = 0.5}, none)
    with("learning_rate: the optimizer's lr is nil", callbacks.learning_rate(function() end), none)
    for _, rate in ipairs{-1, 0 / 0, math.huge, "1"} do
      local said = message(net().fit, net(), x, {loss = "mse", callbacks = {callbacks.learning_rate(function()
        return rate
      end)}})
      assert.matches("^spec/.*: learning_rate: the function gave .*, expected a number of at least 0$", said)
    end
    assert.matches("reduce_on_plateau: lr_min is %-1, expected at least 0", message(callbacks.reduce_on_plateau,
      {lr_min = -1}))
    none.validation_split = 0.5
    with("reduce_on_plateau: the optimizer's lr is nil", callbacks.reduce_on_plateau{}, none)
  end)

  it("is reported for rows, targets and class numbers, also those for validation", function()
    local y, bad = moon.zeros(20), moon.zeros(20)
    bad[20] = 7
    for _, first in ipairs{false, lua_layer()} do
      local function classifier()
        local last = moon.dense(5, 3, {activation = "softmax"})
        return moon.sequential{moon.dense(4, 5), first or moon.activation "relu", last}
      end
      local function wrong(words, xs, ys, more)
        local opts = {loss = "cross_entropy", batch_size = 4}
        for name, v in pairs(more or {}) do opts[name] = v end
        refused(words, classifier(), xs, ys, opts)
      end
      wrong("fit: input is [20 x 5], expected [rows x 4]", moon.rand(20, 5), y)
      wrong("fit: target of row 20 is class 7, expected a whole number of 0 to 2", x, bad, {shuffle = false})
      wrong("fit: target of row 20 is class 7", x, bad:byte(), {validation_split = 0.2})
      wrong("fit: target of row 20 is class 7", x, bad:reshape(20, 1))
      wrong("fit: target of row 1 is class -1", x, y - 1)
      wrong("fit: target of row 1 is class 0.5", x, y + 0.5)
      wrong("fit: target of row 1 is class nan", x, y + 0 / 0)
      wrong("fit: target is [20 x 4], expected [rows x 3], or class numbers [rows]", x, moon.rand(20, 4))
      wrong("fit: target is [20 x 4], expected [rows x 3]", x, moon.rand(20, 4), {loss = "mse"})
      wrong("fit: validation: input is [8 x 5], expected [rows x 4]", x, y,
        {validation = {moon.rand(8, 5), moon.zeros(8)}})
      wrong("fit: validation: target of row 20 is class 7", x, y, {validation = {x, bad}})
      wrong("fit: validation: target is [20 x 2], expected [rows x 3]", x, y, {validation = {x, moon.rand(20, 2)}})
      wrong("fit: validation: x is [0 x 4]", x, y, {validation = {moon.zeros(0, 4), moon.zeros(0)}})
    end
    refused("fit: target is [20 x 4], expected [rows x 3]", moon.sequential{moon.dense(4, 3)}, x, nil, {})
  end)

  it("is reported for options that would be ignored", function()
    refused("fit: validation: the third value is [20 x 4], expected [20]: one weight for each row of x", net(), x, nil,
      {validation = {x, x, x}})
    refused("fit: validation has a moonglass.tensor at [4], expected {x}, {x, y} or {x, y, weights}", net(), x, nil,
      {validation = {x, x, moon.ones(20), x}})
    refused("fit: validation has 7 at [weight], expected {x}, {x, y} or {x, y, weights}", net(), x, nil,
      {validation = {x, x, weight = 7}})
    with("fit: a callback has no function that fit calls, expected at least one of on_train_begin, ", {})
    with("fit: a callback has no function that fit calls", {callbacks.early_stopping{monitor = "loss"}})
    refused("fit: history.loss is 'x', expected a list of numbers", net(), x, nil, {history = {loss = "x"}})
    refused("fit: history.val_loss[2] is 'a', expected a number", net(), x, nil, {history = {val_loss = {1, "a"}}})
    refused("fit: history.epochs is 1.5, expected a whole number of at least 0", net(), x, nil,
      {history = {epochs = 1.5}})
  end)

  it("may be reported by the check of any callback", function()
    with("mine: no luck", {check = function() error "mine: no luck" end})
    with("fit: a callback's check is true, expected a function", {check = true})
    local seen
    local callback = {check = function(self, state) seen = {self, state.rows, state.validation, state.epochs} end}
    net():fit(x, {loss = "mse", epochs = 2, validation_split = 0.25, callbacks = {callback}})
    assert.same({callback, 15, true, 2}, seen)
  end)
end)

describe("a path with a %", function()
  local function train(path, opts)
    moon.seed(3)
    return moon.sequential{moon.dense(2, 2)}:fit(moon.rand(8, 2), {loss = "mse", epochs = 2,
      callbacks = {callbacks.checkpoint(path, opts)}})
  end

  it("replaces %d by the epoch and %% by %, and any other % is refused", function()
    temporary(function(path)
      assert(os.execute("mkdir " .. path))
      train(path .. "/%03d_100%%")
      assert.equal(1, assert(moon.checkpoint.load(path .. "/001_100%")).epoch)
      train(path .. "/50%%", {keep = 2})
      assert.equal(1, assert(moon.checkpoint.load(path .. "/50%.1")).epoch)
      for _, wrong in ipairs{"%", "%s", "%x", "%5.2f", "100%.st", "%-3d", "%100d", "%i"} do
        local found = message(callbacks.checkpoint, path .. "/" .. wrong)
        assert.matches("checkpoint: path '.*' has %%.*, expected %%d or %%03d for the epoch, %%%% for a %%$", found)
      end
      assert.matches("expected one path for all epochs", message(callbacks.checkpoint, path .. "/%d", {keep = 2}))
      os.execute("rm -r " .. path)
    end)
  end)
end)

describe("csv_logger{append = true}", function()
  local head = "epoch,loss,val_loss,seconds\n"

  local function after(text)
    local kept
    temporary(function(path)
      path = path .. ".csv"
      if text then files.write(path, text) end
      moon.sequential{moon.dense(1, 1)}:fit(moon.ones(4, 1), moon.zeros(4, 1),
        {loss = "mse", callbacks = {callbacks.csv_logger(path, {append = true})}})
      kept = files.read(path)
    end)
    local line = "1,[^,\n]+,,[^,\n]+\n$"
    assert.matches("\n" .. line, kept)
    return (kept:gsub(line, ""))
  end

  it("appends to whole lines, with one header", function()
    for _, text in ipairs{head, head .. "1,0.5,,0.01\n", head .. "1,0.5,0.4,0.01\n2,nan,,0.02\n",
      "\xEF\xBB\xBF" .. head .. "1,0.5,,0.01\n", head:gsub("\n", "\r\n") .. "1,0.5,,0.01\r\n"} do
      assert.equal(text, after(text))
    end
    assert.equal(head, after(nil))
    assert.equal(head, after "")
  end)

  it("completes a last line without a line feed, and removes a cut one", function()
    assert.equal(head .. "1,0.5,,0.01\n", after(head .. "1,0.5,,0.01"))
    for _, cut in ipairs{"2", "2,", "2,0.4", "2,0.4,", "2,0.4,,", "2,0.4,1.6,", "2,0.4,,1.2e-", "2,0.4,,1.2e"} do
      assert.equal(head .. "1,0.5,,0.01\n", after(head .. "1,0.5,,0.01\n" .. cut))
    end
    for length = 1, #head - 1 do assert.equal(head, after(head:sub(1, length))) end
  end)
end)

describe("a monitored value that is NaN", function()
  local nan = 0 / 0

  local function run(values, list)
    local net = moon.sequential{moon.dense(2, 2)}
    table.insert(list, 1, function(state) state.val_loss = values[state.epoch] end)
    return net:fit(moon.rand(8, 2), {loss = "mse", epochs = #values, callbacks = list}), net
  end

  it("is never the best", function()
    local stopping = callbacks.early_stopping{patience = 5, restore_best = true}
    local kept
    local history, net = run({nan, 0.5, nan, 0.7}, {stopping, function(state)
      if state.epoch == 2 then kept = state.net:layer(1).weight:clone() end
    end})
    assert.same({0.5, 2}, {stopping.best, stopping.best_epoch})
    assert.is_true(net:layer(1).weight:equal(kept))
    assert.is_nil(history.warning)
    temporary(function(path)
      run({nan, 0.5, nan, 0.7}, {callbacks.checkpoint(path, {best = true})})
      assert.equal(2, assert(moon.checkpoint.load(path)).epoch)
    end)
  end)

  it("must be a number", function()
    for _, figure in ipairs{"low", true, {}} do
      for _, callback in ipairs{callbacks.early_stopping{}, callbacks.reduce_on_plateau{},
        callbacks.checkpoint("never", {best = true})} do
        local said = message(run, {figure, figure}, {callback})
        local shown = type(figure) == "table" and "a table" or figure == true and "true" or "'low'"
        assert.equal(("%s: state.val_loss is %s, expected a number"):format(callback.name, shown),
          (said:gsub("^spec/.-: ", "")))
      end
    end
  end)

  it("is reported if there is no other value", function()
    local words
    moon.set_log(function(line) words = line end)
    local stopping = callbacks.early_stopping{patience = 2, restore_best = true}
    local last
    local history, net = run({nan, nan, nan, nan}, {stopping, function(state)
      last = state.net:layer(1).weight:clone()
    end})
    assert.equal(2, history.epochs)
    assert.is_nil(stopping.best_epoch)
    assert.is_true(net:layer(1).weight:equal(last))
    assert.equal("early_stopping: val_loss was not a finite number after any epoch: there is no best epoch, "
      .. "and the weights are those of the last", history.warning)
    assert.matches(history.warning, tostring(history), 1, true)
    assert.equal("warning: " .. history.warning, words)
    temporary(function(path)
      history = run({nan, nan}, {callbacks.checkpoint(path, {best = true, monitor = "val_loss"})})
      assert.matches("checkpoint: val_loss was not a finite number after any epoch: .* nothing was saved",
        history.warning)
      assert.is_nil((moon.checkpoint.load(path)))
    end)
    moon.set_log(nil)
  end)
end)

describe("several fits", function()
  it("continue the epoch numbers in their lines and in a continued history", function()
    local lines, net, history = {}, moon.sequential{moon.dense(2, 2)}, nil
    moon.set_log(function(line) lines[#lines + 1] = line end)
    for _ = 1, 3 do history = net:fit(moon.rand(8, 2), {loss = "mse", history = history, verbose = 2}) end
    net:fit(moon.rand(8, 2), {loss = "mse", initial_epoch = 3, epochs = 4, verbose = 2})
    moon.set_log(nil)
    assert.matches("^epoch 1/1  1 batches  loss ", lines[1])
    assert.matches("^epoch 1/1 %(2 in all%)  1 batches  loss ", lines[2])
    assert.matches("^epoch 1/1 %(3 in all%)  ", lines[3])
    assert.matches("^epoch 4/4  ", lines[4])
    assert.equal(4, #lines)
    assert.equal(3, history.epochs)
    assert.matches("\n +1 .*\n +2 .*\n +3 ", tostring(history))
  end)
end)

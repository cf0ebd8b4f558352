--- Training: step, fit and evaluate, one implementation for native nets and for nets with layers written in Lua.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local divergence = require "moonglass.net.divergence"
local errors = require "moonglass.support.errors"
local fitting = require "moonglass.net.fitting"
local new_history = require "moonglass.net.history"
local host = require "moonglass.support.host"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local progress = require "moonglass.net.progress"
local savepoint = require "moonglass.net.savepoint"
local snapshots = require "moonglass.net.snapshots"

local train = {}

-- As the core has them, before this library puts its own of the same names in front.
local native_net = {}
for name, method in pairs(core.methods["moonglass.net"]) do native_net[name] = method end

-- ---- losses and optimisers: names, objects, tables, functions ----

-- f(prediction, target) -> number, gradient
local function loss_of_function(f)
  local gradient
  return {
    forward = function(_, prediction, target)
      local value
      value, gradient = f(prediction, target)
      return value
    end,
    backward = function() return gradient end,
  }
end

local function has_methods(v, ...)
  if type(v) ~= "table" then return false end
  for _, name in ipairs{...} do
    if type(v[name]) ~= "function" then return false end
  end
  return true
end

local function with_prefix(text, what) return what .. ": " .. text end

-- The object of that name; the message says who asked for it.
local function by_name(what, make, name) return errors.guard_by(with_prefix, what, nil, make, name) end

-- moon.adam instead of what it makes.
local function check_made(what, noun, family, v)
  for _, name in ipairs(core.registered(family)) do
    if rawequal(v, core[name]) then
      errors.raise("%s: %s is the function %s itself, expected what it makes: moon.%s{}, or the name '%s'", what, noun,
        name, name, name)
    end
  end
end

local function find_loss(what, loss)
  if type(loss) == "string" then return by_name(what, core.loss, loss) end
  check_made(what, "loss", "losses", loss)
  if type(loss) == "function" then return loss_of_function(loss) end
  if native.is_loss(loss) or has_methods(loss, "forward", "backward") then return loss end
  errors.raise("%s: loss is %s, expected a name (%s), a loss object, a table with forward and backward, or a function",
    what, options.show(loss), table.concat(core.registered("losses"), ", "))
end

local function find_optimizer(what, opt)
  if type(opt) == "string" then return by_name(what, core.optimizer, opt) end
  check_made(what, "optimizer", "optimizers", opt)
  if native.is_optimizer(opt) or has_methods(opt, "step") then return opt end
  errors.raise("%s: optimizer is %s, expected a name (%s), an optimiser object or a table with step", what,
    options.show(opt), table.concat(core.registered("optimizers"), ", "))
end

-- ---- steps ----

-- A loss of the core knows itself what bytes count as. One in Lua gets floats, but class numbers as they are.
local function as_target(loss, t)
  if native.is_loss(loss) or t:rank() == 1 then return t end
  return checks.fractions(t)
end

local function objective(net, loss, prediction, target)
  local value = loss:forward(prediction, target)
  if type(value) ~= "number" then
    errors.raise("loss: its value is %s, expected a number", options.show(value))
  end
  return value + net:penalty()
end

local function step_from_lua(net, x, y, loss, opt)
  local value = objective(net, loss, net:forward(x, true), y)
  if value - value ~= 0 then return value end -- as in the core: nothing good could come of an update
  local gradient = loss:backward()
  if not native.is_tensor(gradient) then
    errors.raise("loss: its gradient is %s, expected a tensor of the prediction's shape", options.show(gradient))
  end
  net:backward(gradient)
  opt:step(net:parameters())
  return value
end

local function step_rows_from_lua(net, data, first, count, loss, opt)
  local x, y = data:batch(first, count, true)
  return step_from_lua(net, x, as_target(loss, y or x), loss, opt)
end

local function evaluate_rows_from_lua(net, data, loss, batch)
  local rows, sum = data:rows(), 0
  for first = 1, rows, batch do
    local count = math.min(batch, rows - first + 1)
    local x, y = data:batch(first, count, true)
    sum = sum + objective(net, loss, net:forward(x, false), as_target(loss, y or x)) * count
  end
  return sum / rows
end

local function all_native(net, loss, opt)
  return native.is_net(net) and native.is_loss(loss) and (opt == nil or native.is_optimizer(opt))
end

local function evaluate_rows(net, data, loss, batch)
  local evaluate = all_native(net, loss) and native_net.evaluate_rows or evaluate_rows_from_lua
  return errors.guard(evaluate, net, data, loss, batch)
end

-- What the net, or the dataset, was last checked with: a step must cost nothing that it need not.
local checked = setmetatable({}, {__mode = "k"})

local function first_check(what, net, given, loss, x, y)
  if checked[net] == given then return end
  fitting.ending(what, net, loss)
  fitting.targets(what, loss, x, y)
  checked[net] = given
end

local function first_check_of_data(what, net, data, given, loss)
  if not native.is_dataset(data) then
    errors.raise("%s: data is %s, expected a dataset: moon.dataset(x, y) makes one", what, options.show(data))
  end
  if checked[data] == given then return end
  fitting.ending(what, net, loss)
  fitting.dataset(what, loss, data)
  checked[data] = given
end

local function objects_of_step(loss, opt)
  if type(opt) == "string" then
    errors.raise("step: optimizer is a name, '%s', but its state must outlive the step: give an object", opt)
  end
  if not native.is_loss(loss) then loss = find_loss("step", loss) end
  if not native.is_optimizer(opt) then opt = find_optimizer("step", opt) end
  return loss, opt
end

--- METHOD net:step(x, y, loss, opt): one training step; y nil: the target is x.
-- Returns the objective before the update, penalties included. By one that is not finite nothing is updated.
function train.step(net, x, y, loss, opt)
  checks.net("step", net)
  checks.is_tensor("step", "x", x)
  if y ~= nil then checks.is_tensor("step", "y", y) end
  local given = loss
  loss, opt = objects_of_step(loss, opt)
  first_check("step", net, given, loss, x, y)
  if all_native(net, loss, opt) then return errors.guard(native_net.step, net, x, y, loss, opt) end
  return errors.guard(step_from_lua, net, x, as_target(loss, y or checks.fractions(x)), loss, opt)
end

-- ---- data ----

-- fit(x, opts) and evaluate(x, opts): the target is x.
local function arguments(y, opts)
  if opts == nil and type(y) == "table" then return nil, y end
  return y, opts
end

local function check_tensor(what, name, t)
  checks.is_tensor(what, name, t)
  if #t == 0 then errors.raise("%s: %s is %s: there must be at least one row", what, name, native.shape_text(t)) end
end

local function make_dataset(what, loss, x, y)
  check_tensor(what, "x", x)
  if y ~= nil then check_tensor(what, "y", y) end
  fitting.targets(what, loss, x, y)
  return errors.guard_as(what, "dataset", core.dataset, x, y)
end

-- Each row of the data, before anything is trained.
local function check_data(what, net, loss, x, y)
  check_tensor(what, "x", x)
  if y ~= nil then check_tensor(what, "y", y) end
  fitting.rows(what, net, loss, x, y)
end

-- The last rows are for validation, before any shuffle, as in Keras.
local function split(x, y, fraction)
  local n = #x
  -- n (1 - fraction), but for the rounding: 10 (1 - 0.8) is 1.9999999999999996.
  local at = math.floor(n * (1 - fraction) + n * 1e-15 + 1e-9)
  if at == 0 then errors.raise("fit: validation_split %g leaves none of the %d rows for training", fraction, n) end
  if y and #y ~= n then
    errors.raise("fit: x %s and y %s have different numbers of rows", native.shape_text(x), native.shape_text(y))
  end
  local xv, yv = x:rows(at + 1, n), y and y:rows(at + 1, n)
  return x:rows(1, at), y and y:rows(1, at), xv, yv
end

local function given_validation(validation, y)
  local xv, yv = validation, nil
  if type(validation) == "table" then
    for key, v in pairs(validation) do
      if key ~= 1 and key ~= 2 then
        errors.raise("fit: validation has %s at [%s], expected {x} or {x, y}", options.show(v), tostring(key))
      end
    end
    xv, yv = validation[1], validation[2]
  end
  if y and not yv then errors.raise("fit: validation has no targets, expected {x, y}") end
  return xv, yv
end

local function warn(words)
  if words then progress.warn(words) end
end

-- Two datasets, the second nil without validation; and the tensors of the first.
local function datasets(net, loss, x, y, o)
  check_data("fit", net, loss, x, y)
  local xv, yv
  if o.validation ~= nil then
    xv, yv = given_validation(o.validation, y)
    check_data("fit: validation", net, loss, xv, yv)
  elseif o.validation_split then
    x, y, xv, yv = split(x, y, o.validation_split)
  end
  local train_set = make_dataset("fit", loss, x, y)
  warn(fitting.input("fit", x))
  return train_set, xv ~= nil and make_dataset("fit: validation", loss, xv, yv) or nil, x, y
end

-- ---- callbacks ----

local events = {
  "on_train_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_checkpoint", "on_train_end", "on_abort",
}
local is_event = {}
for _, name in ipairs(events) do is_event[name] = true end

local function add_callback(listeners, callback)
  if type(callback) == "function" then
    table.insert(listeners.on_epoch_end, callback)
    return
  end
  if type(callback) ~= "table" then
    errors.raise("fit: a callback is %s, expected a function or a table of %s", options.show(callback),
      table.concat(events, ", "))
  end
  for name in pairs(callback) do
    if type(name) == "string" and name:find("^on_") and not is_event[name] then
      errors.raise("fit: a callback has no event '%s'%s (known: %s)", name, options.question(name, events),
        table.concat(events, ", "))
    end
  end
  local hears = callback.snapshot ~= nil
  for name in pairs(listeners) do
    if callback[name] then
      if type(callback[name]) ~= "function" then
        errors.raise("fit: a callback's %s is %s, expected a function", name, options.show(callback[name]))
      end
      table.insert(listeners[name], function(state) return callback[name](callback, state) end)
      hears = true
    end
  end
  if not hears then
    errors.raise("fit: a callback has no function that fit calls, expected at least one of %s",
      table.concat(events, ", "))
  end
end

-- By event, and for what is asked before the first, the list of functions to call.
local function listeners_of(callbacks, verbose)
  local listeners = {check = {}}
  for _, name in ipairs(events) do listeners[name] = {} end
  if verbose > 0 then add_callback(listeners, progress.new{bar = verbose == 1}) end
  for _, callback in ipairs(callbacks) do add_callback(listeners, callback) end
  return listeners
end

-- One callback is a table, too, and would pass for an empty list; what makes a callback is a function, too.
local function check_callbacks(callbacks)
  local makers = host.package and host.package.loaded["moonglass.net.callbacks"] or {}
  for key, callback in pairs(callbacks) do
    if type(key) == "string" then
      errors.raise("fit: callbacks is a table with names in it, expected a list of callbacks: {callback, ...}")
    end
    for name, maker in pairs(makers) do
      if rawequal(callback, maker) then
        errors.raise("fit: a callback is the function %s itself, expected what it makes: moon.callbacks.%s()", name,
          name)
      end
    end
  end
end

local function fire(list, state)
  for i = 1, #list do list[i](state) end
end

-- ---- fit ----

local fit_options = options.checker("fit", {
  loss = {"any"}, optimizer = {"any", "adam"},
  epochs = {"count", 1}, initial_epoch = {"size", 0}, batch_size = {"count"},
  shuffle = {"flag", true}, seed = {"seed"}, history = {"list"},
  validation = {"any"}, validation_split = {"fraction"},
  callbacks = {"list"}, resume = {"any"}, verbose = {{0, 1, 2}}, threads = {"count"},
  on_nan = {{"error", "stop", "ignore"}, "error"},
})

local default_batch = 32

-- A batch size that was asked for must fit; the default makes itself fit.
local function batch_size(asked, rows)
  if asked and asked > rows then errors.raise("fit: batch_size %d is larger than the %d rows of x", asked, rows) end
  return asked or math.min(default_batch, rows)
end

-- Noise depends on seed and epoch alone, as the order of the rows does: a resumed run repeats both bit for bit.
local function epoch_seed(seed, epoch)
  local z = seed + epoch * 0x9E3779B97F4A7C15
  z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
  z = (z ~ (z >> 27)) * 0x94D049BB133111EB
  return (z ~ (z >> 31)) >> 11
end

-- Fits under way that have threads of their own, in the order of their beginnings; each remembers what was set before.
-- In coroutines they may end in any order.
local with_threads = {}

local function forget_threads(own)
  local i = 1
  while with_threads[i] ~= own do i = i + 1 end
  local next_one = with_threads[i + 1]
  if next_one then next_one.before = own.before else core.set_threads(own.before) end
  table.remove(with_threads, i)
end

-- The threads of this call; what was set before comes back whichever way the call ends.
local function own_threads(threads)
  if not threads then return nil end
  local own = setmetatable({before = core.info().threads}, {__close = forget_threads})
  with_threads[#with_threads + 1] = own
  return own
end

-- What a checkpoint holds, by the options that it stands for.
local held = {{"optimizer", "opt"}, {"initial_epoch", "epoch"}, {"seed", "seed"}, {"history", "history"}}

-- What was given beside resume. The seed of the checkpoint's run may be, as by a script that is started again.
local function check_alone(option, given, own)
  if given == nil or (option == "seed" and given == own) then return end
  errors.raise("fit: resume and %s exclude each other%s", option,
    option == "seed" and own and (": the seed is %d, that of the checkpoint %d"):format(given, own) or "")
end

-- Put what the checkpoint o.resume holds into the options.
local function resume(net, o, given)
  local c = o.resume
  if type(c) ~= "table" or not c.net then
    errors.raise("fit: resume is %s, expected a checkpoint, as moon.checkpoint.load gives it", options.show(c))
  end
  if not rawequal(net, c.net) then
    errors.raise("fit: resume is the checkpoint of another net; its own is its field net: c.net:fit(x, {resume = c})")
  end
  for _, pair in ipairs(held) do
    local option, field = pair[1], pair[2]
    check_alone(option, given[option], c[field])
    if c[field] == nil then errors.raise("fit: the checkpoint to resume was saved without its %s", field) end
    o[option] = c[field]
  end
end

local function prepare(net, x, y, given)
  local o = fit_options(given)
  o.callbacks = o.callbacks or {}
  check_callbacks(o.callbacks)
  if o.resume ~= nil then resume(net, o, given) end
  if o.history then checks.history("fit", o.history) end
  local moon = host.package and host.package.loaded["moonglass"]
  o.verbose = o.verbose or (type(moon) == "table" and moon.interactive and 1 or 0)
  if o.validation ~= nil and o.validation_split then
    errors.raise("fit: validation and validation_split exclude each other")
  end
  if o.loss == nil and net.loss == nil then
    errors.raise("fit: option loss is missing: a name (%s), a loss object, a table with forward and backward, "
      .. "or a function", table.concat(core.registered("losses"), ", "))
  end
  local loss, opt = find_loss("fit", o.loss or net.loss), find_optimizer("fit", o.optimizer)
  warn(fitting.ending("fit", net, loss))
  local data, validation, xt, yt = datasets(net, loss, x, y, o)
  local run = {
    net = net, x = xt, y = yt, data = data, validation = validation, loss = loss, opt = opt, shuffle = o.shuffle,
    rows = data:rows(), batch = batch_size(o.batch_size, data:rows()),
    listeners = listeners_of(o.callbacks, o.verbose), on_nan = o.on_nan, threads = o.threads,
    step = all_native(net, loss, opt) and native_net.step_rows or step_rows_from_lua,
    remembered = o.resume and o.resume.callbacks,
  }
  local state = {
    net = net, opt = opt, epoch = o.initial_epoch, epochs = o.epochs, initial_epoch = o.initial_epoch,
    batch = 0, batches = (run.rows + run.batch - 1) // run.batch, batch_size = run.batch, rows = run.rows,
    validation = validation ~= nil, history = new_history(o.history), stop = false,
    callbacks = o.callbacks, resumed = o.resume ~= nil,
  }
  -- Memory for the largest batch is taken before the first step; a net of any width plans when it sees its rows.
  if all_native(net, loss, opt) and net:inputs() ~= 0 then errors.guard(net.plan, net, run.batch, loss, opt) end
  fire(run.listeners.check, state)
  run.seed = o.seed or core.draw_seed()
  state.seed = run.seed
  return run, state
end

-- ---- what is not a finite number ----

-- Which weights the training leaves: those of the last whole step, unless that has spoilt them.
local function weights_left(run, state)
  if run.savepoint:is_whole() then return "" end
  local epoch = run.savepoint:go_back()
  if not epoch then return "" end
  if epoch == state.initial_epoch then return ". The weights are again those that fit began with" end
  return (". The weights are again those after epoch %d"):format(epoch)
end

-- The loss, or a weight, is none: the end of the training, as an error or as a stop.
local function diverged(run, state, what, cause)
  local message = ("fit: %s: %s"):format(what, cause or divergence.cause(run)) .. weights_left(run, state)
  if run.on_nan == "error" then errors.raise(message) end
  state.stop, state.stopped, state.history.stopped = true, message, message
end

local function watch(run, state)
  if run.on_nan == "ignore" then return end
  run.savepoint = errors.guard(savepoint.new, run.net, run.opt, state.initial_epoch)
  run.began_finite = run.savepoint.epoch ~= nil
end

-- Of the batch that stands at `first` among the rows of the epoch.
local function bad_loss(run, state, value, first, count)
  local what = ("loss is %s after batch %d of epoch %d"):format(value ~= value and "nan" or "infinite", state.batch,
    state.epoch)
  if state.batch > 1 or state.epoch > state.initial_epoch + 1 then return diverged(run, state, what) end
  diverged(run, state, what .. ", before any update", divergence.at_first(run, run.data:batch(first, count)))
end

local function check_weights(run, state)
  run.checked = state.epoch
  if run.savepoint:is_whole() then return true end
  diverged(run, state, ("weights, or the optimiser's moments, are not finite after epoch %d"):format(state.epoch))
end

-- After an epoch: now and then, and before they go into a checkpoint.
local function check_between(run, state)
  local kept = run.savepoint
  if not kept or state.stopped then return end
  local due, last = kept:is_due(state.batch), state.epoch == state.epochs
  if not (due or last or #run.listeners.on_checkpoint > 0) then return end
  if check_weights(run, state) and due and not last then kept:take(state.epoch) end
end

-- A callback may have ended the training after any epoch.
local function check_at_end(run, state)
  if run.savepoint and not state.stopped and run.checked ~= state.epoch then check_weights(run, state) end
end

-- ---- epochs ----

-- One pass over the rows. No garbage here, and one call into the core a batch.
local function train_epoch(net, run, state)
  local step, data, loss, opt, on_batch = run.step, run.data, run.loss, run.opt, run.listeners.on_batch_end
  local rows, batch, sum, done = run.rows, run.batch, 0, 0
  local threads, watched = run.threads, run.savepoint ~= nil
  for first = 1, rows, batch do
    local count = rows - first + 1
    if count > batch then count = batch end
    if threads then core.set_threads(threads) end -- another fit, in another coroutine, may have its own
    local value = errors.guard_as("fit", "step", step, net, data, first, count, loss, opt)
    state.batch = state.batch + 1
    if watched and value - value ~= 0 then
      bad_loss(run, state, value, first, count)
      break
    end
    sum, done = sum + value * count, done + count
    if #on_batch > 0 then
      state.batch_loss, state.loss = value, sum / done
      fire(on_batch, state)
      if state.stop then break end
    end
  end
  return sum / done, done
end

-- By net how many epochs all its fits have trained.
local trained = setmetatable({}, {__mode = "k"})

local function mix(net, run, epoch)
  net:seed(epoch_seed(run.seed, epoch))
  if run.shuffle then run.data:shuffle(run.seed, epoch) end
end

local function begin_epoch(net, run, state, epoch)
  state.trained = (trained[net] or 0) + 1
  state.epoch, state.batch, state.loss, state.val_loss = epoch, 0, nil, nil
  errors.guard(mix, net, run, epoch)
  fire(run.listeners.on_epoch_begin, state)
end

local function end_epoch(net, run, state, loss, seconds, done)
  local history = state.history
  state.loss, state.seconds = loss, seconds
  trained[net] = state.trained
  state.rows_per_second = done / math.max(seconds, 1e-9)
  if run.validation then state.val_loss = evaluate_rows(net, run.validation, run.loss, run.batch) end
  local i = #history.loss + 1
  history.loss[i], history.val_loss[i], history.epoch_seconds[i] = loss, state.val_loss, seconds
  history.epochs = math.max(state.epoch, history.epochs + 1)
  fire(run.listeners.on_epoch_end, state)
  fire(run.listeners.on_checkpoint, state)
end

-- Every listener from the i-th on, whatever one of them raises: its own error is dropped, others come out.
local function tell_abort(list, i, state)
  if not list[i] then return end
  local rest <close> = setmetatable({}, { -- luacheck: ignore rest
    __close = function() tell_abort(list, i + 1, state) end,
  })
  errors.caught(list[i], state)
end

-- Tells all callbacks that the training has not come to its end, because of an error or because its coroutine was
-- closed: they close an open line or file. The error comes out then, unless a hook, as Ctrl-C's, raises another one.
local function abort_guard(run, state)
  return setmetatable({}, {__close = function(_, err)
    if err ~= nil or not run.ended then tell_abort(run.listeners.on_abort, 1, state) end
  end})
end

--- METHOD net:fit(x, y, options), net:fit(x, options) with target x. Returns the history.
-- An error, of a callback too, leaves the net as the last whole step made it.
function train.fit(net, x, y, given)
  checks.net("fit", net)
  y, given = arguments(y, given)
  local run, state = prepare(net, x, y, given)
  local restore <close> = own_threads(run.threads) -- luacheck: ignore restore
  if run.threads then errors.guard_by(with_prefix, "fit", nil, core.set_threads, run.threads) end
  local guard <close> = abort_guard(run, state) -- luacheck: ignore guard
  net.loss, net.optimizer = run.loss, run.opt
  fire(run.listeners.on_train_begin, state)
  if run.remembered then snapshots.give(state.callbacks, run.remembered, state) end
  watch(run, state)
  for epoch = state.initial_epoch + 1, state.epochs do
    if state.stop then break end
    begin_epoch(net, run, state, epoch)
    local start = core.clock()
    local loss, done = train_epoch(net, run, state)
    local seconds = core.clock() - start
    check_between(run, state)
    end_epoch(net, run, state, loss, seconds, done)
  end
  check_at_end(run, state)
  fire(run.listeners.on_train_end, state)
  warn(state.history.warning)
  run.ended = true
  return state.history
end

-- ---- evaluate ----

local evaluate_options = options.checker("evaluate", {loss = {"any"}, batch_size = {"count", default_batch}})

--- METHOD net:evaluate_rows(dataset, loss, batch): the objective over all rows of a dataset.
function train.evaluate_rows(net, data, loss, batch)
  local given = loss
  loss, batch = find_loss("evaluate", loss), batch or default_batch
  if not math.tointeger(batch) or batch < 1 then
    errors.raise("evaluate: batch is %s, expected a whole number of at least 1", options.show(batch))
  end
  first_check_of_data("evaluate", net, data, given, loss)
  return evaluate_rows(net, data, loss, batch)
end

--- METHOD net:step_rows(dataset, first, count, loss, opt): one training step on rows of a dataset's present order.
function train.step_rows(net, data, first, count, loss, opt)
  local given = loss
  loss, opt = objects_of_step(loss, opt)
  first_check_of_data("step", net, data, given, loss)
  local step = all_native(net, loss, opt) and native_net.step_rows or step_rows_from_lua
  return errors.guard(step, net, data, first, count, loss, opt)
end

--- METHOD net:evaluate(x, y, {loss=, batch_size=}), net:evaluate(x, options) with target x: the mean over the rows,
-- penalties included. The loss of the last fit is the default.
function train.evaluate(net, x, y, given)
  checks.net("evaluate", net)
  y, given = arguments(y, given)
  local o = evaluate_options(given)
  if o.loss == nil and net.loss == nil then
    errors.raise("evaluate: option loss is missing, and the net has not been fitted (known: %s)",
      table.concat(core.registered("losses"), ", "))
  end
  local loss = find_loss("evaluate", o.loss or net.loss)
  fitting.ending("evaluate", net, loss)
  if not native.is_net(net) then check_data("evaluate", net, loss, x, y) end -- the core does it in its own passes
  return evaluate_rows(net, make_dataset("evaluate", loss, x, y), loss, o.batch_size)
end

train.native_net = native_net

return train

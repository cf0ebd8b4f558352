--- net:fit: the loop over epochs and batches, for native nets and for nets with layers written in Lua.
local checks = require "moonglass.support.checks"
local compatibility = require "moonglass.net.compatibility"
local core = require "moonglass.core"
local datasets = require "moonglass.net.datasets"
local errors = require "moonglass.support.errors"
local figures = require "moonglass.net.figures"
local heads = require "moonglass.net.heads"
local host = require "moonglass.support.host"
local join = require "moonglass.net.join"
local last_activation = require "moonglass.net.last_activation"
local listeners = require "moonglass.net.listeners"
local log = require "moonglass.support.log"
local new_meter = require "moonglass.net.meter"
local new_history = require "moonglass.net.history"
local on_nan = require "moonglass.net.on_nan"
local options = require "moonglass.support.options"
local passes = require "moonglass.net.passes"
local resolve = require "moonglass.net.resolve"
local snapshots = require "moonglass.net.checkpoint.snapshots"
local threads = require "moonglass.net.threads"
local variational = require "moonglass.net.variational"

---@class moonglass.Net
local Net = {}

-- ---- options ----

---Options of `net:fit`.
---@class moonglass.FitOptions
---@field loss moonglass.LossName|moonglass.AnyLoss? a name, an object or a function; else that of the last `fit`
---@field optimizer moonglass.OptimizerName|moonglass.AnyOptimizer? default "adam": a name makes a new one
---@field epochs integer? default 1: the last epoch to train
---@field initial_epoch integer? default 0: the number of epochs already done
---@field batch_size integer? 32, or all rows if they are fewer; at most the rows of x. The last batch may be smaller
---@field shuffle boolean? default true: a new order of the rows each epoch, which depends on seed and epoch only
---@field seed integer? for the order of the rows and for noise; drawn from the stream of `moon.seed` if not given
---@field validation moonglass.Rows[]|moonglass.Rows? {xv, yv}, or {xv, yv, weights}; or xv alone where the target is x
---@field validation_split number? above 0 and below 1: hold out this fraction of the rows, the last ones
---@field validation_freq integer? default 1: validate after every this many epochs
---@field metrics moonglass.Metrics? more figures: {"accuracy", "mse", auc = function(net, x, y) ... end}
---@field callbacks (moonglass.Callback|fun(state: moonglass.State))[]? called in this order
---@field verbose 0|1|2? 0, or 1 if `moon.interactive`. 0: silent; 1: a bar on a terminal; 2: one line per epoch
---@field threads integer? 1 to 256 worker threads during this call; `moon.set_threads` sets the default
---@field history moonglass.History? a history to continue
---@field resume moonglass.Checkpoint? a checkpoint of this net: optimizer, initial_epoch, seed and history
---@field on_nan "error"|"stop"|"ignore"? default "error": what to do when the loss is NaN or infinite
---@field mask boolean? default false; true: NaN is a missing cell: 0 as input, and not counted as target
---@field sample_weight moonglass.Tensor? [rows]: the loss of each row is multiplied by its weight, then averaged
---@field class_weight table<integer, number>? by class number, from 0: {[0] = 1, [1] = 5}; classes without one have 1
---@field distributed moonglass.mpi? all ranks train this net, each with a slice of every batch
---@field sharded boolean? default false: every rank has all rows; true: x, y and validation are this rank's own rows
local fit_options = options.checker("fit", {
  loss = {"any"}, optimizer = {"any", "adam"},
  epochs = {"count", 1}, initial_epoch = {"size", 0}, batch_size = {"count"},
  shuffle = {"flag", true}, seed = {"seed"}, history = {"list"},
  validation = {"any"}, validation_split = {"fraction"}, validation_freq = {"count", 1}, metrics = {"any"},
  callbacks = {"list"}, resume = {"any"}, verbose = {{0, 1, 2}}, threads = {"count"},
  on_nan = {{"error", "stop", "ignore"}, "error"}, mask = {"flag", false},
  sample_weight = {"any"}, class_weight = {"any"},
  distributed = {"any"}, sharded = {"flag", false},
})

local default_batch = 32

-- A given batch size must fit; the default adapts itself.
local function batch_size(given, rows)
  if given and given > rows then
    errors.raise("fit: batch_size is %d, expected at most the %d rows of x", given, rows)
  end
  return given or math.min(default_batch, rows)
end

-- What a checkpoint holds: the option that it replaces, and its field.
local held = {{"optimizer", "opt"}, {"initial_epoch", "epoch"}, {"seed", "seed"}, {"history", "history"}}

-- No other option may replace what the checkpoint holds. The same seed may be given, for a script that is run again.
local function check_not_given(option, given, own)
  if given == nil or (option == "seed" and given == own) then return end
  errors.raise("fit: %s is given with resume, expected the checkpoint's%s: leave it out", option,
    option == "seed" and own and (" (%d, not %d)"):format(own, given) or "")
end

-- Moves what the checkpoint o.resume holds into the options.
local function take_from_checkpoint(net, o, given)
  local checkpoint = o.resume
  if type(checkpoint) ~= "table" or not checkpoint.net then
    errors.raise("fit: resume is %s, expected a checkpoint, as moon.checkpoint.load gives it",
      options.show(checkpoint))
  end
  if not rawequal(net, checkpoint.net) then
    errors.raise("fit: resume is the checkpoint of another net, expected that of this net: c.net:fit(x, {resume = c})")
  end
  for _, pair in ipairs(held) do
    local option, field = pair[1], pair[2]
    check_not_given(option, given[option], checkpoint[field])
    if checkpoint[field] == nil then
      errors.raise("fit: resume is a checkpoint that was saved without its %s", field)
    end
    o[option] = checkpoint[field]
  end
end

local function default_verbose()
  local moon = host.package and host.package.loaded["moonglass"]
  return type(moon) == "table" and moon.interactive and 1 or 0
end

local function checked_options(net, given)
  local o = fit_options(given)
  o.callbacks = o.callbacks or {}
  listeners.check(o.callbacks)
  if o.resume ~= nil then take_from_checkpoint(net, o, given) end
  if o.history then checks.history("fit", o.history) end
  o.verbose = o.verbose or default_verbose()
  if o.validation ~= nil and o.validation_split then
    errors.raise("fit: validation and validation_split are both given, expected one of them")
  end
  if o.loss == nil and net.loss == nil then
    errors.raise("fit: option loss is missing: a name (%s), a loss object, a table with forward and backward, "
      .. "or a function", resolve.loss_names())
  end
  return o
end

-- ---- a run and what its callbacks see ----

-- Rank 0 warns for all.
local function warn(group, words)
  if group.first then log.warn(words) end
end

local function new_run(net, x, y, o, group)
  local loss, opt = resolve.loss("fit", o.loss or net.loss), resolve.optimizer("fit", o.optimizer)
  group:check_native(net, loss, opt)
  passes.check_mask("fit", o.mask, net, loss, opt)
  local meter = new_meter("fit", net, loss, o.metrics, passes.all_native(net, loss, opt))
  warn(group, last_activation.check("fit", net, loss))
  warn(group, variational.doubt("fit", net, loss))
  local data, validation, tensors = datasets.of_fit(net, loss, x, heads.targets("fit", loss, y), o)
  if tensors[3] or tensors[6] then passes.check_weights("fit", loss) end
  warn(group, compatibility.doubt_about_input("fit", tensors[1]))
  group:shard(o.sharded, data, validation)
  return {
    net = net, x = tensors[1], y = tensors[2], data = data, validation = validation, tensors = tensors,
    loss = loss, opt = opt,
    shuffle = o.shuffle, group = group, rows = data:rows(), batch = batch_size(o.batch_size, data:rows()),
    listeners = listeners.new(group:callbacks_of(o.callbacks, o.verbose)), on_nan = o.on_nan,
    threads = o.threads, mask = o.mask, validation_freq = o.validation_freq,
    meter = meter,
    step = passes.step_of_rows(net, loss, opt, meter), remembered = o.resume and o.resume.callbacks,
  }
end

local function new_state(run, o)
  return {
    net = run.net, opt = run.opt, epoch = o.initial_epoch, epochs = o.epochs, initial_epoch = o.initial_epoch,
    batch = 0, batches = (run.rows + run.batch - 1) // run.batch, batch_size = run.batch, rows = run.rows,
    validation = run.validation ~= nil, validation_freq = run.validation_freq, figures = figures.names(run),
    directions = figures.directions(run),
    history = new_history(o.history), stop = false,
    callbacks = o.callbacks, resumed = o.resume ~= nil,
  }
end

local function prepare(net, x, y, given, group)
  local o = checked_options(net, given)
  local run = new_run(net, x, y, o, group)
  local state = new_state(run, o)
  -- Takes the memory for the largest batch before the first step. A net of any width plans when it sees its rows.
  if passes.all_native(net, run.loss, run.opt) and net:inputs() ~= 0 then
    errors.guard(net.plan, net, group:largest_slice(run), run.loss, run.opt)
  end
  listeners.fire(run.listeners.check, state)
  run.seed = o.seed or core.draw_seed()
  state.seed = run.seed
  return run, state, o
end

-- ---- epochs ----

-- Steps on the batches of rows `first` to `last`. Returns the sum of their losses, times the rows of each, added to
-- `sum`; the last loss; and, if that is not finite, the first row of its batch and their number: such a batch ends it.
local function take_steps(net, run, state, first, last, sum)
  local step, data, loss, opt, batch = run.step, run.data, run.loss, run.opt, run.batch
  local own_threads, watched = run.threads, run.finite ~= nil
  local reducer <close> = run.group:with_reducer(net) -- luacheck: ignore reducer
  local meter, value = run.meter, nil
  local attached <close> = meter and meter:attach(net) -- luacheck: ignore attached
  for from = first, last, batch do
    local count = last - from + 1
    if count > batch then count = batch end
    if own_threads then core.set_threads(own_threads) end -- a fit in another coroutine may have set its own
    value = step(net, data, from, count, loss, opt)
    state.batch = state.batch + 1
    if watched and value - value ~= 0 then return sum, value, from, count end
    sum = sum + value * count
  end
  return sum, value
end

-- One pass over the rows. It makes no garbage and one call into the core for each batch. Only where somebody listens
-- to batches is each protected by itself.
local function train_epoch(net, run, state)
  local on_batch, rows = run.listeners.on_batch_end, run.rows
  local stretch = #on_batch > 0 and run.batch or rows
  local sum, done = 0, 0
  for first = 1, rows, stretch do
    local last = math.min(first + stretch - 1, rows)
    local total, value, bad, count = errors.guard_as("fit", "step", take_steps, net, run, state, first, last, sum)
    sum, done = total, bad and bad - 1 or last
    if bad then
      run.group:protect(on_nan.bad_loss, run, state, value, bad, count)
      break
    end
    if #on_batch > 0 then
      state.batch_loss, state.loss, state.metrics = value, sum / done, run.meter and run.meter:means() or state.metrics
      listeners.fire(on_batch, state)
      if state.stop then break end
    end
  end
  return sum / done, done
end

-- For each net, the number of epochs that all its fits have trained.
local trained = setmetatable({}, {__mode = "k"})

-- Noise depends on seed and epoch only, as does the order of the rows: a resumed run repeats both bit for bit.
local function epoch_seed(seed, epoch)
  local z = seed + epoch * 0x9E3779B97F4A7C15
  z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
  z = (z ~ (z >> 27)) * 0x94D049BB133111EB
  return (z ~ (z >> 31)) >> 11
end

local function seed_and_shuffle(net, run, epoch)
  net:seed(epoch_seed(run.seed, epoch))
  if run.shuffle then run.data:shuffle(run.seed, epoch) end
end

local function begin_epoch(net, run, state, epoch)
  state.trained = (trained[net] or 0) + 1
  state.epoch, state.batch, state.loss, state.val_loss, state.metrics = epoch, 0, nil, nil, {}
  if run.meter then run.meter:reset() end
  errors.guard(seed_and_shuffle, net, run, epoch)
  listeners.fire(run.listeners.on_epoch_begin, state)
end

local function end_epoch(net, run, state, loss, seconds, done)
  trained[net] = state.trained
  state.rows_per_second = done / math.max(seconds, 1e-9)
  figures.take(net, run, state, loss, seconds)
  listeners.fire(run.listeners.on_epoch_end, state)
  listeners.fire(run.listeners.on_checkpoint, state)
end

local function train(net, run, state)
  for epoch = state.initial_epoch + 1, state.epochs do
    if state.stop then break end
    begin_epoch(net, run, state, epoch)
    local start = core.clock()
    local loss, done = train_epoch(net, run, state)
    local seconds = core.clock() - start
    run.group:protect(on_nan.check_after_epoch, run, state)
    end_epoch(net, run, state, loss, seconds, done)
  end
  run.group:protect(on_nan.check_at_end, run, state)
end

-- What callbacks remember, and the weights to go back to.
local function remember(run, state)
  if run.remembered then snapshots.give(state.callbacks, run.remembered, state) end
  on_nan.watch(run, state)
end

-- Tells all callbacks when the training does not reach its end, because of an error or a closed coroutine. The error
-- comes out afterwards, unless a hook (Ctrl-C) raises another one.
local function abort_guard(run, state)
  return setmetatable({}, {__close = function(_, err)
    if err ~= nil or not run.ended then listeners.abort(run.listeners, state) end
  end})
end

---Train the net: pass over the rows in batches, `epochs` times. In `net:fit(x, options)` the target is x itself. An
---epoch's loss is the objective before each update, averaged over the rows, penalties included. uint8 rows count as
---value/255. After an error or Ctrl-C the net is as the last complete step left it. A step whose loss is NaN or
---infinite changes nothing.
---@param x moonglass.Rows [rows x in], float32 or bytes
---@param y moonglass.Rows|moonglass.Tensor[]? [rows x out], or class numbers [rows]; with `moon.heads` a list of them
---@param options moonglass.FitOptions?
---@return moonglass.History history
---@overload fun(self: moonglass.Net, x: moonglass.Rows, options: moonglass.FitOptions): moonglass.History
function Net:fit(x, y, given)
  checks.net("fit", self)
  y, given = datasets.arguments(y, given)
  local group, leave <close> = join("fit", given) -- luacheck: ignore leave
  local run, state, o = group:protect(prepare, self, x, y, given, group)
  group:begin(run, state, o)
  local restore <close> = group:protect(threads.set_for_fit, run.threads) -- luacheck: ignore restore
  local guard <close> = abort_guard(run, state) -- luacheck: ignore guard
  self.loss, self.optimizer = run.loss, run.opt
  listeners.fire(run.listeners.on_train_begin, state)
  group:protect(remember, run, state)
  group:follow_first(state)
  train(self, run, state)
  listeners.fire(run.listeners.on_train_end, state)
  warn(group, state.history.warning)
  run.ended = true
  return state.history
end

return Net

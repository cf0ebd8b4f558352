--- What the scripts share: options, data, training with checkpoints, and the files of results.
--   local run <close> = experiment.start{name = "plain", about = "...", options = {{"hidden", 32, "width"}}}
--   local ae, history = run:fit(ae, {loss = moon.bce()})
--   if not run.first then return end       -- with --distributed rank 0 makes the rest
--   run:picture("filters", moon.image.grid(...))        run:figure("test loss", 0.0920, "%.4f")
-- At the end of the script its figures are printed and written to figures.csv. A failure ends the program with one line
-- on stderr: status 2 for the command line, 1 for anything else.
local moon = require "moonglass"
local files = require "experiment.files"
local options = require "experiment.options"
local ranks = require "experiment.ranks"
local results = require "experiment.results"

local experiment = {}

local Run = {}
Run.__index = Run

for _, part in ipairs{results, (require "experiment.units")} do
  for name, method in pairs(part) do Run[name] = method end
end

-- A run of another rank than the first prints and writes nothing.
local Silent = setmetatable({}, {__index = Run})
Silent.__index = Silent
for _, name in ipairs(results.leaving) do Silent[name] = function() end end

-- Raises a text without file and line, for the person who called the script.
local function must(value, message, ...)
  if not value then error(message, 0) end
  return value, message, ...
end

-- ---- data ----

local function described(set)
  return ("%s: %d training images and %d test images of %d pixels"):format(set.description, #set.train, #set.test,
    set.train:size(2))
end

local set_names = {mnist = "MNIST", fashion = "Fashion-MNIST"}

--- The images and labels of a set: {train, train_labels, test, test_labels, folder, description, classes}. The images
-- are uint8 [n x pixels], classes is the list of their names. name: "mnist" or "fashion"; nil: the first that is found.
-- folder: look there only. A set that is not found is an error.
function experiment.dataset(name, folder)
  local set = {}
  folder, set.description = must(moon.data.find(folder, set_names[name]))
  set.folder, set.classes = folder, moon.data.classes(folder)
  set.train, set.train_labels = must(moon.data.mnist(folder, "train"))
  set.test, set.test_labels = must(moon.data.mnist(folder, "test"))
  if set.train:size(2) ~= set.test:size(2) then
    error(("%s: training images have %d pixels, test images %d"):format(set.description, set.train:size(2),
      set.test:size(2)), 0)
  end
  return set
end

local function load(run)
  local o = run.options
  local set = experiment.dataset(o.dataset, o.data)
  if o.rows and o.rows > #set.train then
    error(("--rows is %d, expected at most the %d training images"):format(o.rows, #set.train), 0)
  end
  if o.rows then set.train, set.train_labels = set.train:rows(1, o.rows), set.train_labels:rows(1, o.rows) end
  if o.batch and o.batch > #set.train then
    error(("--batch is %d, expected at most the %d training images"):format(o.batch, #set.train), 0)
  end
  for key, v in pairs(set) do run[key] = v end
  run.data = described(set)
end

--- images [n x pixels] with noise by the layer that make_noise returns. The seed is the run's plus `distance`, so that
-- all nets, also a resumed one, are measured on the same pixels. The run's own seed starts again.
function Run:one_draw(make_noise, images, distance)
  moon.seed(self.options.seed + distance)
  local noisy = make_noise():forward(images:float() / 255, true)
  moon.seed(self.options.seed)
  return noisy
end

-- ---- start and end ----

-- The names of the engine's temporary files, ".model.safetensors.x1y2z3.moonglass", which a killed run leaves.
local leftover = "^%..+%.%w%w%w%w%w%w%.moonglass$"

-- Makes the folder, and removes the leftovers of earlier runs.
local function prepare_folder(run, trains)
  local o = run.options
  must(files.make_folder(o.out))
  must(files.check_writable(o.out))
  must(files.remove_all(o.out, leftover))
  if trains and not o.resume then must(files.remove_all(o.out, "%.run%-checkpoint%.?%d*$")) end
end

-- What all ranks have to succeed in before the folder is touched, and then the folder.
local function prepare(run, spec)
  local o = run.options
  run.ranks:agree(function()
    if spec.data ~= false then load(run) end
  end)
  if run.data then run:print(run.data) end
  run.ranks:on_first(function() prepare_folder(run, spec.training ~= false) end)
  local line = run.ranks:set_threads(o.threads)
  if line then run:print(line) end
  moon.seed(o.seed)
end

--- Starts a run: reads the options and the data, and sets the seed and the threads. Returns a run with the fields
-- options, train, train_labels, test, test_labels; first: does this rank print and write? (always without
-- --distributed); mpi: the module, for fit's option `distributed`. spec:
--   name, about   of the script; out/<name> is the default folder
--   options       {{name, default, help, reader}, ...}. The reader is a name in options.readers or a list of choices;
--                 if the default of choices is a list, several can be named. Without a reader the default tells the
-- type:
--                 a whole number, a list ("256,128"), a text, or false for a flag.
--   argument      the name of an option that may also be given without its name: anomaly_table rows.csv
--   training, data   false: without the options of training, without images
--   distributed      true, false: with --distributed or without; default: as training
--   defaults, without   {epochs = 20}: other defaults of the shared options; {"lr"}: shared options to leave out
--   check(options)   returns a text if the options do not fit each other
function experiment.start(spec)
  local joined = ranks.join(spec.name, arg or {})
  local parsed, given = pcall(joined.agree, joined, function() return must(options.parse(spec, arg or {})) end)
  if not parsed then joined:fail(ranks.first_line(given), 2, true) end
  local run = {
    name = spec.name, options = given, ranks = joined, first = joined.first, mpi = joined.mpi,
    figures = {}, made = {}, sentences = {}, remarks = {},
  }
  setmetatable(run, run.first and Run or Silent)
  if joined.mpi then joined.mpi.timeout = given.timeout end
  local ok, err = pcall(prepare, run, spec)
  if not ok then joined:fail(ranks.first_line(err), 1, true) end
  return run
end

-- For `local run <close>`: called at the end of the script, and for an error anywhere in it.
function Run.__close(run, err)
  local ok = err == nil
  if ok then ok, err = pcall(run.finish, run) end
  if not ok then run.ranks:fail(ranks.first_line(err), 1) end
end
Silent.__close = Run.__close

-- ---- training ----

local steps, least_rate = 3, 0.01 -- the number of steps; the end of a cosine as a fraction of the first rate

local schedules = {
  none = function() return nil end,
  step = function(o) return moon.callbacks.step_decay{every = math.max(1, o.epochs // steps), factor = 0.3} end,
  cosine = function(o, lr) return moon.callbacks.cosine{epochs = o.epochs, lr_min = lr * least_rate} end,
  plateau = function() return moon.callbacks.reduce_on_plateau{factor = 0.3, patience = 2} end,
}

local most_checkpoints = 50 -- roughly: the more epochs, the shorter each is

local function callbacks_for(given, o, checkpoint)
  local list = {}
  list[#list + 1] = schedules[o.schedule or "none"](o, given.lr)
  if o.patience and o.patience > 0 then
    list[#list + 1] = moon.callbacks.early_stopping{patience = o.patience, restore_best = true}
  end
  list[#list + 1] = moon.callbacks.checkpoint(checkpoint,
    {every = math.max(1, o.epochs // most_checkpoints), keep = 2})
  for _, callback in ipairs(given.callbacks or {}) do list[#list + 1] = callback end
  return list
end

-- Without the seconds, so that one seed always gives the same file, resumed or not.
local function history_rows(history)
  local rows = {{"epoch", "loss", "val_loss"}}
  for i, loss in ipairs(history.loss) do rows[i + 1] = {i, loss, history.val_loss[i] or ""} end
  return rows
end

-- The checkpoint in the folder and its path, nil if there is none. It must have the same seed and a net like the given
-- one, and fills it if it has layers in Lua, which are in no file.
local function find_checkpoint(run, net, path)
  if not (files.exists(path) or files.exists(path .. ".1")) then return nil end
  local in_lua = type(net) == "table"
  local checkpoint, skipped = must(moon.checkpoint.latest(path, in_lua and net or nil))
  for _, message in ipairs(skipped) do run:print(("going on from the checkpoint before: %s"):format(message)) end
  if checkpoint.seed ~= run.options.seed or checkpoint.net:summary() ~= net:summary() then
    error(("%s has another net or seed: give --resume the options of the run that wrote it"):format(path), 0)
  end
  return checkpoint, #skipped == 0 and path or path .. ".1"
end

-- The checkpoint to continue from, nil if there is none. Only rank 0 reads the file; the others get its bytes.
local function to_resume(run, net, path)
  if not run.options.resume then return nil end
  local checkpoint
  local bytes = run.ranks:share(run.ranks:on_first(function()
    local used
    checkpoint, used = find_checkpoint(run, net, path)
    return used and run.ranks.size > 1 and must(files.read(run.name, used)) or nil
  end))
  if run.first or not bytes then return checkpoint end
  return must(moon.checkpoint.load_bytes(bytes))
end

--- Trains a net on the training images with the options of the command line, and writes <name>.safetensors and
-- history.csv (<name>-history.csv if the name is not "model"). Each epoch leaves a checkpoint (with 100 epochs and more
-- every second, and so on), from which --resume continues bit for bit. Returns the net, which on --resume is the
-- checkpoint's, and its history.
-- given: loss; name, default "model"; x, y (y nil: the target is x); validation, default the test images, false: none;
-- epochs, lr, optimizer, callbacks, batch_size, patience instead of those of the command line.
function Run:fit(net, given)
  local o, name = self.options, given.name or "model"
  given.lr = given.lr or o.lr
  local checkpoint = self:path(name .. ".run-checkpoint")
  local resume = to_resume(self, net, checkpoint)
  local x, validation = given.x or self.train, given.validation
  if validation == nil then validation = self.test end
  local epochs = given.epochs or o.epochs
  local trained = resume and resume.net or net
  local history = trained:fit(x, given.y, {
    loss = given.loss, optimizer = not resume and (given.optimizer or moon.adam{lr = given.lr}) or nil,
    epochs = epochs, batch_size = given.batch_size or o.batch, seed = not resume and o.seed or nil, resume = resume,
    validation = validation or nil, distributed = self.mpi,
    verbose = self.mpi and 2 or 1, -- Open MPI makes every output a terminal, also a file: no bar then
    callbacks = callbacks_for(given, {epochs = epochs, schedule = o.schedule, patience = given.patience or o.patience},
      checkpoint),
  })
  self:save(trained, name)
  self:write(name == "model" and "history.csv" or name .. "-history.csv", files.csv(history_rows(history)))
  return trained, history
end

--- A callback for run:fit that keeps measure(net) of each epoch in its list `values`, also in a resumed training.
function experiment.recorder(measure)
  local self = {name = "recorder", values = {}}

  function self.on_epoch_end(_, state) self.values[state.epoch] = measure(state.net) end

  function self.snapshot()
    local saved = {}
    for epoch, v in ipairs(self.values) do saved["epoch_" .. epoch] = v end
    return saved
  end

  function self.restore(_, saved)
    for name, v in pairs(saved) do self.values[math.tointeger(tonumber(name:match("%d+")))] = v end
  end

  return self
end

experiment.files = files

return experiment

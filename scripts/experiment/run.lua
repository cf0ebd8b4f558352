--- What the scripts share: their options, the data, training with checkpoints, and the files that they leave.
--   local run <close> = experiment.start{name = "plain", about = "...", options = {{"hidden", 32, "width"}}}
--   local ae, history = run:fit(ae, {loss = moon.bce()})
--   run:picture("filters", moon.image.grid(...))        run:figure("test loss", 0.0920, "%.4f")
-- At the end of the script its figures are printed, and figures.csv has them too. Whatever fails ends the program with
-- one line on stderr: status 2 for the command line, 1 for anything else.
local moon = require "moonglass"
local files = require "experiment.files"
local options = require "experiment.options"

local experiment = {}

local Run = {}
Run.__index = Run

for _, part in ipairs{"results", "units"} do
  for name, method in pairs(require("experiment." .. part)) do Run[name] = method end
end

-- ---- failing ----

local function fail(name, message, status)
  io.stdout:flush()
  io.stderr:write(("%s: %s\n"):format(name, message))
  os.exit(status)
end

-- A message's first line: what the program that runs the script has put below is for programmers.
local function first_line(err) return (tostring(err):match("^[^\n]*")) end

-- Raises a text without a place: it is for the person who called the script.
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

--- The images and labels of a set: {train, train_labels, test, test_labels, folder, description, classes}, the images
-- uint8 [n x pixels], classes the list of their names. name: "mnist" or "fashion", which is an error where it is not
-- found; nil: what is found. folder: look there only.
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
    error(("--rows is %d, but there are only %d training images"):format(o.rows, #set.train), 0)
  end
  if o.rows then set.train, set.train_labels = set.train:rows(1, o.rows), set.train_labels:rows(1, o.rows) end
  if o.batch and o.batch > #set.train then
    error(("--batch is %d, but there are only %d training images"):format(o.batch, #set.train), 0)
  end
  for key, v in pairs(set) do run[key] = v end
  run.data = described(set)
  print(run.data)
end

--- Images through a layer of noise that make_noise gives, from the seed behind the run's by `distance`: two nets are
-- measured on the same pixels, and so is one that was resumed. The run's own seed begins again.
function Run:one_draw(make_noise, images, distance)
  moon.seed(self.options.seed + distance)
  local noisy = make_noise():forward(images:float() / 255, true)
  moon.seed(self.options.seed)
  return noisy
end

-- ---- start and end ----

-- What a run that was killed was just writing: the engine's temporaries, ".model.safetensors.x1y2z3.moonglass".
local leftover = "^%..+%.%w%w%w%w%w%w%.moonglass$"

-- The folder, as a run needs it.
local function prepare_folder(run, trains)
  local o = run.options
  must(files.make_folder(o.out))
  must(files.check_writable(o.out))
  must(files.remove_all(o.out, leftover))
  if trains and not o.resume then must(files.remove_all(o.out, "%.run%-checkpoint%.?%d*$")) end
end

--- spec: name (of the script; out/<name> is the default folder); about; options = {{name, default, help, reader}}, the
-- reader being one of options.readers, a list of choices, or missing: whole numbers, lists of them ("256,128") and
-- texts are told by the default; false is a flag; of choices whose default is a list several can be named. Without the
-- options of training, without images: training=false, data=false. defaults = {epochs = 20}: other defaults of the
-- shared options; without = {"lr"}: not these. check(options) gives a text when they do not go together.
-- run.options; run.train, train_labels, test, test_labels. The seed and the threads are set.
function experiment.start(spec)
  local given, problem = options.parse(spec, arg or {})
  if not given then fail(spec.name, problem, 2) end
  local run = {name = spec.name, options = given, figures = {}, made = {}, sentences = {}, remarks = {}}
  setmetatable(run, Run)
  local ok, err = pcall(function()
    if spec.data ~= false then load(run) end
    prepare_folder(run, spec.training ~= false)
    if given.threads then moon.set_threads(given.threads) end
    moon.seed(given.seed)
  end)
  if not ok then fail(run.name, first_line(err), 1) end
  return run
end

-- `local run <close>`: an error anywhere in the script comes here, and so does its end.
function Run.__close(run, err)
  local ok = err == nil
  if ok then ok, err = pcall(run.finish, run) end
  if not ok then fail(run.name, first_line(err), 1) end
end

-- ---- training ----

local steps, least_rate = 3, 0.01 -- of a step schedule; of a cosine's end, as part of the first rate

local schedules = {
  none = function() return nil end,
  step = function(o) return moon.callbacks.step_decay{every = math.max(1, o.epochs // steps), factor = 0.3} end,
  cosine = function(o, lr) return moon.callbacks.cosine{epochs = o.epochs, lr_min = lr * least_rate} end,
  plateau = function() return moon.callbacks.reduce_on_plateau{factor = 0.3, patience = 2} end,
}

local most_checkpoints = 50 -- about: of many epochs each is short

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

-- Without the seconds: of one seed it is the same file each time, resumed or not.
local function history_rows(history)
  local rows = {{"epoch", "loss", "val_loss"}}
  for i, loss in ipairs(history.loss) do rows[i + 1] = {i, loss, history.val_loss[i] or ""} end
  return rows
end

-- The checkpoint to go on from, nil if there is none: of a net like this one, which the command line has made.
local function to_resume(run, net, path)
  if not run.options.resume or not (files.exists(path) or files.exists(path .. ".1")) then return nil end
  local checkpoint, skipped = must(moon.checkpoint.latest(path))
  for _, message in ipairs(skipped) do print(("going on from the checkpoint before: %s"):format(message)) end
  if checkpoint.seed ~= run.options.seed or checkpoint.net:summary() ~= net:summary() then
    error(("%s is of another net or seed: --resume takes the options of the run that left it"):format(path), 0)
  end
  return checkpoint
end

--- Train a net on the training images, by the options of the command line, and leave <name>.safetensors and
-- history.csv (of a net with a name of its own: <name>-history.csv). Every epoch leaves a
-- checkpoint (of 100 and more, every other, and so on), from which --resume goes on bit for bit. Returns the net, which
-- on --resume is the checkpoint's, and its history.
-- given: loss; name="model"; x, y (y nil: the target is x); validation (the test images), false: none; epochs, lr,
-- optimizer, callbacks, batch_size, patience: instead of the command line's.
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
    validation = validation or nil, verbose = 1,
    callbacks = callbacks_for(given, {epochs = epochs, schedule = o.schedule, patience = given.patience or o.patience},
      checkpoint),
  })
  self:save(trained, name)
  self:write(name == "model" and "history.csv" or name .. "-history.csv", files.csv(history_rows(history)))
  return trained, history
end

--- A callback for run:fit that keeps measure(net) of each epoch in the list `values`; a resumed training goes on with
-- it.
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

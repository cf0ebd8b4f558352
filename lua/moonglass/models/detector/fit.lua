--- moon.detector.fit: from rows to a detector: scaling, nets, early stopping, threshold.
-- The defaults were chosen on four public sets and ten drawn ones, against PCA and nearest neighbours: one layer of 256
-- tanh units behind noise of 0.3 deviations. Noise of 0.2 and 1, ReLU, dropout, deeper nets and the score "max" were
-- worse on some sets by two points and more, none was better on all. More nets gave up to half a point.
local calibrate = require "moonglass.models.detector.calibrate"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local holdout = require "moonglass.models.detector.holdout"
local make = require "moonglass.models.detector.make"
local nets = require "moonglass.models.detector.nets"
local new_scaler = require "moonglass.models.scaler"
local options = require "moonglass.support.options"
local rows = require "moonglass.support.rows"

---Options of `moon.detector.fit`.
---@class moonglass.DetectorFitOptions
---@field columns string[]? the names of the columns
---@field categories table<string, string[]>? the columns that were texts, and their values
---@field scaler "standard"|"minmax"|"robust"? default "standard": how columns are scaled
---@field score "mean"|"max"|"scaled"? default "mean": what is made of a row's squared errors
---@field missing "skip"|"fill"|"refuse"? default "skip": what NaN is in the rows to be scored
---@field quantile number? default 0.99, above 0 and below 1: the share of normal rows below the threshold
---@field ensemble integer? default 1: the number of nets, whose scores are averaged
---@field hidden integer? default 256: units of a net
---@field activation moonglass.ActivationName? default "tanh": of these units
---@field noise number? default 0.3, above 0: deviation of the noise in the training, in scaled units
---@field epochs integer? at most; if not given, as many as `steps` need
---@field steps integer? at most, but 3 epochs; if not given, 6000, or fewer for more than 120 columns
---@field batch_size integer? 32 to 256, growing with the number of rows
---@field lr number? default 0.002, above 0: the learning rate of Adam
---@field seed integer? restarts the stream of `moon.seed`, from which all is drawn
---@field verbose 0|1|2? default 0: as in `fit`, for each net
---@field threads integer? worker threads of the training
local fit_options = options.checker("detector.fit", {
  columns = {"texts"}, categories = {"list"}, scaler = {{"standard", "minmax", "robust"}, "standard"},
  score = {{"mean", "max", "scaled"}, "mean"}, missing = {{"skip", "fill", "refuse"}, "skip"},
  quantile = {"fraction", 0.99}, ensemble = {"count", 1}, hidden = {"count", 256}, activation = {"text", "tanh"},
  noise = {"positive", 0.3}, epochs = {"count"}, steps = {"count"}, batch_size = {"count"},
  lr = {"positive", 0.002}, seed = {"seed"}, verbose = {{0, 1, 2}, 0}, threads = {"count"},
})

local least_rows, most_nets = 10, 100

-- Training steps of a net of so many columns: wide ones cost more, and learn in fewer.
local function usual_steps(width) return math.ceil(6000 * math.min(1, 120 / width)) end

local function check(x, o)
  rows.check("detector.fit", "x", x)
  if #x < least_rows then
    errors.raise("detector.fit: x has %d rows, expected at least %d", #x, least_rows)
  end
  if o.columns and #o.columns ~= rows.width(x) then
    errors.raise("detector.fit: columns has %d names, expected one for each of the %d columns of x", #o.columns,
      rows.width(x))
  end
  if o.ensemble > most_nets then
    errors.raise("detector.fit: ensemble is %d, expected at most %d", o.ensemble, most_nets)
  end
end

local function train_all(o, x, held, epochs)
  local list, best = {}, 0
  for i = 1, o.ensemble do
    local net, epoch = nets.train(o, x, held, epochs)
    list[i], best = net, best + epoch
  end
  return list, math.max(1, math.floor(best / o.ensemble + 0.5))
end

-- Trains the nets. Returns the detector, and the parts for its calibration. With folds the number of epochs comes from
-- the first fold; then no net is stopped by the rows that it is to score, which would make their scores too low.
local function train(o, data, new)
  local list, epochs = train_all(o, data:training(1), data:validation(1))
  if data.parts == 1 then
    local d = new(list, data:scaler_of(1))
    return d, {{detector = d, rows = data:held(1)}}
  end
  local parts = {}
  for part = 1, data.parts do
    list = train_all(o, data:training(part), nil, epochs)
    parts[part] = {detector = new(list, data:scaler_of(part)), rows = data:held(part)}
  end
  list = train_all(o, data:all(), nil, epochs)
  return new(list, data.scaler), parts
end

local function fit(x, given)
  local o = fit_options(given)
  check(x, o)
  local whole = new_scaler(x, {method = o.scaler})
  if o.seed then core.seed(o.seed) end
  local data = holdout.new(x, whole, o.quantile)
  o.steps = o.steps or usual_steps(rows.width(x))
  o.masked, o.repeats = data.masked, o.epochs and 1 or data.repeats
  local d, parts = train(o, data, function(list, scaler)
    return make(list, {
      scaler = scaler, columns = o.columns, categories = o.categories, score = o.score, missing = o.missing,
    })
  end)
  calibrate.from_parts("detector.fit", d, parts, o.quantile)
  return d
end

---A detector of rows like x, ready to score: scaling, one or several denoising nets with early stopping, and the
---threshold are made from x, which should be normal rows: a strange one may be learnt. Of up to 20,000 rows, if a fifth
---would be too few for the threshold, each is held out once, by nets of five folds; else a part at the end of the mixed
---rows. Rows of a source keep their order. NaN is a missing number. The same seed and number of threads give the same
---detector.
---@name moon.detector.fit(x, options)
---@param x moonglass.Tensor|moonglass.Source [rows x width], not scaled
---@param options moonglass.DetectorFitOptions?
---@return moonglass.Detector detector
return function(x, given) return errors.guard(fit, x, given) end

--- moon.probe: a linear probe. How well does softmax regression classify codes? (Alain and Bengio 2016, arXiv
-- 1610.01644)
--   probe = moon.probe(codes, labels, {epochs = 10})   probe:accuracy(other_codes, other_labels)
local arity = require "moonglass.support.arity"
local callbacks = require "moonglass.net.callbacks"
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local metrics = require "moonglass.models.metrics"
local options = require "moonglass.support.options"
local sequential = require "moonglass.net.sequential"

---A softmax regression on codes.
---@class moonglass.Probe
---@field net moonglass.Net
---@field history moonglass.History
---@field mean moonglass.Tensor [width]: the mean of the codes
---@field deviation moonglass.Tensor [width]: the standard deviation of the codes
local Probe = options.strict({__name = "moonglass.probe"}, "a probe")

---Options of `moon.probe`.
---@class moonglass.ProbeOptions
---@field epochs integer? default 10
---@field lr number? default 0.01, above 0
---@field batch_size integer? 128, or all rows if they are fewer
---@field seed integer? for the order of the rows; drawn from the stream of `moon.seed` if not given
---@field classes integer? one more than the largest label if not given
local probe_options = options.checker("probe", {
  epochs = {"count", 10}, lr = {"positive", 0.01}, batch_size = {"count"}, seed = {"seed"}, classes = {"count"},
})

local default_batch = 128

-- codes [n x width]: each feature minus its mean, divided by its deviation, both from the training codes.
local function standardised(self, codes)
  return (codes - self.mean):div_(self.deviation)
end

---Train a linear probe, which measures how well codes separate classes (Alain and Bengio 2016). It is a softmax layer,
---trained with cross-entropy and Adam, whose rate falls along a cosine. It starts at zero, so that the result depends
---on the order of the rows only.
---@name moon.probe(codes, labels, options)
---@param codes moonglass.Tensor [rows x width]; the probe standardises them
---@param labels moonglass.Tensor class numbers [rows], from 0
---@param options moonglass.ProbeOptions?
---@return moonglass.Probe probe
local function probe(codes, labels, given)
  local o = probe_options(given)
  checks.rows("probe", "codes", codes)
  checks.numbers("probe", "codes", codes)
  checks.labels("probe", labels, #codes, o.classes)
  local classes = o.classes or math.tointeger(labels:max() + 1)
  if classes < 2 then
    errors.raise("probe: all labels are 0, expected at least two classes: give other labels, or the option classes")
  end
  if o.batch_size and o.batch_size > #codes then
    errors.raise("probe: batch_size is %d, expected at most the %d rows of codes", o.batch_size, #codes)
  end
  local self = setmetatable({labels = labels.dtype, mean = codes:mean(1), deviation = codes:std(1)}, Probe)
  self.deviation:add_(self.deviation:eq(0)) -- a constant feature becomes 0
  self.net = sequential{core.dense(codes:size(2), classes, {activation = "softmax", init = "zeros"})}
  self.history = errors.guard_as("probe", "fit", self.net.fit, self.net, standardised(self, codes), labels, {
    loss = "cross_entropy", optimizer = core.adam{lr = o.lr}, epochs = o.epochs, seed = o.seed, verbose = 0,
    batch_size = o.batch_size or math.min(default_batch, #codes), callbacks = {callbacks.cosine{epochs = o.epochs}},
  })
  return self
end

local function scores(what, self, codes)
  checks.rows(what, "codes", codes, #self.mean)
  checks.numbers(what, "codes", codes)
  return self.net:predict(standardised(self, codes))
end

local function predict(what, self, codes)
  local classes = scores(what, self, codes):argmax(2) - 1
  return self.labels == "uint8" and classes:byte() or classes
end

---The probability of each class.
---@param codes moonglass.Tensor [n x width]
---@return moonglass.Tensor scores [n x classes]
function Probe:scores(codes) return scores("scores", self, codes) end

---The most likely class of each row.
---@param codes moonglass.Tensor [n x width]
---@return moonglass.Tensor classes [n], of the labels' element type
function Probe:predict(codes) return predict("predict", self, codes) end

---The fraction of rows whose class is predicted.
---@param codes moonglass.Tensor [n x width]
---@param labels moonglass.Tensor class numbers [n]
---@return number fraction 0 to 1
function Probe:accuracy(codes, labels) return metrics.accuracy(predict("accuracy", self, codes), labels) end

function Probe:__tostring() return ("probe (%s)"):format(self.net:layer(1)) end

arity.check_class(Probe)

return probe

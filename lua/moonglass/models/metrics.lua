--- moon.metrics: measures of reconstructions, classifiers and scores.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

---Measures of reconstructions, classifiers and scores.
---@class moonglass.metrics
local metrics = {}

-- ---- reconstructions ----

local chunk = 65536 -- elements that are converted to floats at a time

local function mean_squared_error(what, a, b)
  checks.tensor(what, "a", a)
  checks.tensor(what, "b", b)
  checks.same_shape(what, "a", a, "b", b)
  local n, sum = a:numel(), 0
  local x, y = a:reshape(n), b:reshape(n)
  for first = 1, n, chunk do
    local last = math.min(first + chunk - 1, n)
    sum = sum + (checks.fractions(x:rows(first, last)) - checks.fractions(y:rows(first, last))):norm() ^ 2
  end
  return sum / n
end

---The mean squared error: the mean of (a - b)^2 over all elements. Bytes count as value/255. Differences are computed
---in float32, squares and sums in double.
---@param a moonglass.Tensor
---@param b moonglass.Tensor of the same shape
---@return number mse
function metrics.mse(a, b) return mean_squared_error("mse", a, b) end

---Options of `moon.metrics.psnr`.
---@class moonglass.PsnrOptions
---@field peak number? default 1, above 0: the largest possible value
local psnr_options = options.checker("psnr", {peak = {"positive", 1}})

---The peak signal-to-noise ratio 10 log10(peak^2 / mse) in dB (Huynh-Thu and Ghanbari 2008, Electronics Letters 44). It
---is infinite for equal tensors.
---@param a moonglass.Tensor bytes count as value/255
---@param b moonglass.Tensor of the same shape
---@param options moonglass.PsnrOptions?
---@return number decibels
function metrics.psnr(a, b, given)
  local peak = psnr_options(given).peak
  return 10 * math.log(peak * peak / mean_squared_error("psnr", a, b), 10)
end

-- ---- classes ----

-- A column [rows x 1], as a file or a net with one output gives it, counts as [rows].
local function as_vector(what, name, t, hint)
  checks.tensor(what, name, t)
  if t:rank() == 2 and t:size(2) == 1 then return t:reshape(#t) end
  if t:rank() ~= 1 then
    errors.raise("%s: %s is %s, expected [rows] or [rows x 1]%s", what, name, native.shape_text(t), hint or "")
  end
  return t
end

-- Class numbers [n] from 0, and the number of classes, nil if unknown. Scores [n x classes] become the place of the
-- largest.
local function predicted(what, prediction, classes)
  checks.tensor(what, "prediction", prediction)
  if prediction:rank() == 1 then
    checks.classes(what, "prediction", prediction, classes, "of probabilities, prediction:gt(0.5) makes classes")
    return prediction, classes
  end
  if prediction:rank() ~= 2 or prediction:size(2) == 1 then
    errors.raise("%s: prediction is %s, expected scores [n x classes], or class numbers [n]%s", what,
      native.shape_text(prediction), prediction:rank() == 2
        and ": of probabilities, prediction:reshape(-1):gt(0.5) makes them" or "")
  end
  checks.no_nan(what, "prediction", prediction)
  return prediction:argmax(2) - 1, math.max(prediction:size(2), classes or 0)
end

---The fraction of rows whose class is right.
---@param prediction moonglass.Tensor scores [rows x classes], or class numbers [rows]
---@param labels moonglass.Tensor class numbers [rows] or [rows x 1], from 0
---@return number fraction 0 to 1
function metrics.accuracy(prediction, labels)
  local guess, classes = predicted("accuracy", prediction)
  labels = as_vector("accuracy", "labels", labels)
  checks.same_shape("accuracy", "prediction", guess, "labels", labels)
  checks.classes("accuracy", "label", labels, classes)
  return guess:eq(labels):mean()
end

local function check_classes(what, classes)
  local n = math.tointeger(classes)
  if not n or n < 1 then
    errors.raise("%s: classes is %s, expected a whole number of at least 1", what, options.show(classes))
  end
  return n
end

---The confusion matrix: element (i, j) counts the rows of class i that were predicted as class j.
---@param prediction moonglass.Tensor scores [rows x classes], or class numbers [rows]
---@param labels moonglass.Tensor class numbers [rows] or [rows x 1], from 0
---@param classes integer? default the width of the scores, or one more than the largest number
---@return moonglass.Tensor counts [classes x classes]
function metrics.confusion(prediction, labels, classes)
  if classes then classes = check_classes("confusion", classes) end
  local guess, width = predicted("confusion", prediction, classes)
  labels = as_vector("confusion", "labels", labels)
  checks.same_shape("confusion", "prediction", guess, "labels", labels)
  checks.classes("confusion", "label", labels, classes or width)
  classes = classes or width or math.tointeger(math.max(guess:max(), labels:max()) + 1)
  checks.classes("confusion", "prediction", guess, classes) -- scores may be wider
  local result, columns, counts = errors.guard(core.zeros, classes, classes), guess:totable(), {}
  for i, row in ipairs(labels:totable()) do
    local at = math.tointeger(row * classes + columns[i])
    counts[at] = (counts[at] or 0) + 1
  end
  for at, count in pairs(counts) do result:set(count, at // classes + 1, at % classes + 1) end
  return result
end

-- ---- scores of two classes ----

-- For each distinct score, the highest first: the score, and how many positive and negative rows have it; then the
-- numbers of positive and of negative rows.
local function by_score(what, scores, positive)
  scores = as_vector(what, "scores", scores, ": of the scores of two classes, scores:columns(2)")
  positive = as_vector(what, "positive", positive)
  checks.same_shape(what, "scores", scores, "positive", positive)
  checks.no_nan(what, "score", scores)
  checks.classes(what, "positive", positive, 2)
  local sorted, order = errors.guard(scores.topk, scores, #scores)
  local is_positive, groups, count = positive:index(order):totable(), {}, {0, 0}
  for i, score in ipairs(sorted:totable()) do
    local group = groups[#groups]
    if not group or group.score ~= score then
      group = {score = score, 0, 0}
      groups[#groups + 1] = group
    end
    local kind = is_positive[i] ~= 0 and 1 or 2
    group[kind], count[kind] = group[kind] + 1, count[kind] + 1
  end
  if count[1] == 0 or count[2] == 0 then
    local all = count[2] == 0 and "positive" or "negative"
    errors.raise("%s: all %d rows are %s, expected both kinds", what, #scores, all)
  end
  return groups, count[1], count[2]
end

---A ROC curve: for each threshold the fractions of rows whose score reaches it.
---@class moonglass.Roc
---@field fpr moonglass.Tensor [points]: the fractions of negative rows, 0 to 1
---@field tpr moonglass.Tensor [points]: the fractions of positive rows, 0 to 1
---@field thresholds moonglass.Tensor [points], from infinity down

---The ROC curve, from (0, 0) to (1, 1) (Fawcett 2006, An introduction to ROC analysis, algorithm 1).
---@param scores moonglass.Tensor [rows] or [rows x 1]: higher is more likely positive
---@param positive moonglass.Tensor [rows] or [rows x 1]: 1 for a positive row, else 0
---@return moonglass.Roc roc
function metrics.roc(scores, positive)
  local groups, positives, negatives = by_score("roc", scores, positive)
  local fpr, tpr, thresholds = {0}, {0}, {math.huge}
  local hits, alarms = 0, 0
  for i, group in ipairs(groups) do
    hits, alarms = hits + group[1], alarms + group[2]
    tpr[i + 1], fpr[i + 1], thresholds[i + 1] = hits / positives, alarms / negatives, group.score
  end
  return {fpr = core.tensor(fpr), tpr = core.tensor(tpr), thresholds = core.tensor(thresholds)}
end

---The area under the ROC curve: the probability that a positive row scores higher than a negative one; equal scores
---count half (Hanley and McNeil 1982, Radiology 143).
---@param scores moonglass.Tensor [rows] or [rows x 1]: higher is more likely positive
---@param positive moonglass.Tensor [rows] or [rows x 1]: 1 for a positive row, else 0
---@return number area 0 to 1
function metrics.auc(scores, positive)
  local groups, positives, negatives = by_score("auc", scores, positive)
  local pairs_won, above = 0, 0
  for _, group in ipairs(groups) do
    pairs_won = pairs_won + group[2] * (above + group[1] / 2)
    above = above + group[1]
  end
  return pairs_won / (positives * negatives)
end

-- ---- units ----

---The dead units: those whose output is 0 in every row. A ReLU unit that is 0 for all training rows gets no gradient
---and stays 0.
---@param outputs moonglass.Tensor [rows x units]: a layer's outputs
---@return moonglass.Tensor mask [units]: 1 for a dead unit, else 0
---@return integer count the number of dead units
function metrics.dead_units(outputs)
  checks.tensor("dead_units", "outputs", outputs)
  if outputs:rank() ~= 2 then
    errors.raise("dead_units: outputs is %s, expected [rows x units]", native.shape_text(outputs))
  end
  local mask = outputs:max(1):eq(0):mul_(outputs:min(1):eq(0))
  return mask, math.tointeger(mask:sum())
end

-- ---- quantiles ----

-- Interpolates between the sorted values at (n - 1) q, counted from 0.
local function quantile_of(sorted, q)
  if type(q) ~= "number" or not (q >= 0 and q <= 1) then
    errors.raise("quantile: q is %s, expected a number of 0 to 1", options.show(q))
  end
  local at = (#sorted - 1) * q
  local below = math.floor(at)
  local low, high, share = sorted[below + 1], sorted[math.min(below + 2, #sorted)], at - below
  if share == 0 or low == high then return low end -- also for infinite values
  if low == -math.huge then return high == math.huge and share > 0.5 and high or low end
  return low + (high - low) * share
end

---The quantile: a fraction q of all values lies below it. It interpolates linearly, as numpy does by default (number 7
---of Hyndman and Fan 1996). Between an infinite and a finite value it is the infinite one; between both infinities, the
---nearer one.
---@param values moonglass.Tensor of any shape, at most 2^24 elements; bytes count by value
---@param q number|number[] 0 to 1, or a list of such numbers
---@return number|number[] value a list for a list; NaN if any value is NaN
function metrics.quantile(values, q)
  checks.tensor("quantile", "values", values)
  local n = values:numel()
  local flat = values:reshape(n)
  if n > checks.counted then -- the limit of topk, which sorts them
    errors.raise("quantile: there are %d values, expected at most %d: take a part of them", n, checks.counted)
  end
  local sorted = errors.guard(flat.topk, flat, n, 1, false)
  if sorted[n] ~= sorted[n] then sorted:fill_(sorted[n]) end -- NaN comes last
  if type(q) ~= "table" then return quantile_of(sorted, q) end
  local list = {}
  for i, share in ipairs(q) do list[i] = quantile_of(sorted, share) end
  return list
end

return metrics

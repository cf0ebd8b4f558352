--- d:calibrate and d:calibration: the threshold of a detector from normal rows that its nets have not learnt.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local log = require "moonglass.support.log"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local rows = require "moonglass.support.rows"
local threshold = require "moonglass.models.detector.threshold"

local calibrate = {}

local block = 4096

-- The mean error of each column over all present cells of all parts, for the score "scaled". A column that a net always
-- rebuilds exactly, or that has no cell, has the mean of the others: its error shall not count without bounds.
local function set_spreads(what, parts)
  local width = parts[1].detector.width
  local sums, counts, sum, n = {}, {}, 0, 0
  for c = 1, width do sums[c], counts[c] = 0, 0 end
  core.detector_spread(parts[1].detector, nil)
  for _, part in ipairs(parts) do
    core.detector_spread(part.detector, core.ones(width):totable())
    for _, x in rows.each(part.rows, block) do
      local present, features = 1 - x:float():isnan(), part.detector:features(x):sum(1)
      for c, v in ipairs(features:totable()) do sums[c] = sums[c] + v end
      for c, v in ipairs(present:sum(1):totable()) do counts[c] = counts[c] + v end
    end
  end
  for c = 1, width do sum, n = sum + sums[c], n + counts[c] end
  if sum == math.huge then
    errors.raise("%s: rows have infinite errors, which the score \"scaled\" cannot be fitted to: expected rows like "
      .. "those of the training", what)
  end
  local spread, usual = {}, sum > 0 and sum / n or 1
  for c = 1, width do
    local mean = sums[c] / math.max(1, counts[c])
    spread[c] = mean > usual * 1e-6 and mean or usual
  end
  for _, part in ipairs(parts) do core.detector_spread(part.detector, spread) end
  return spread
end

-- The scores of all parts that are numbers, and how many are above the threshold or outside the range.
local function all_scores(parts)
  local list = {}
  for _, part in ipairs(parts) do
    for _, x in rows.each(part.rows, block) do list[#list + 1] = part.detector:scores(x) end
  end
  local scores = core.cat(list, 1)
  local missing = scores:isnan()
  if missing:sum() == 0 then return scores end
  local known = {}
  for i, v in ipairs(scores:totable()) do
    if v == v then known[#known + 1] = i end
  end
  return #known > 0 and scores:index(known) or nil
end

local function count_alarms(parts, limit)
  local alarms, n = 0, 0
  for _, part in ipairs(parts) do
    part.detector.threshold = limit
    for _, x in rows.each(part.rows, block) do alarms, n = alarms + part.detector:alarms(x):sum(), n + #x end
  end
  return alarms, n
end

-- The threshold for d. Nets of folds that have not learnt the rows score them higher than those of d, but not if all of
-- them rebuild the rows but for rounding: then d must not alarm at what it was made from.
local function limit_of(what, d, parts, quantile)
  local scores = all_scores(parts)
  if not scores then errors.raise("%s: the rows have nothing but NaN, expected numbers", what) end
  local limit = threshold.quantile(scores, quantile)
  if #parts > 1 then
    local own = {}
    for i, part in ipairs(parts) do own[i] = {detector = d, rows = part.rows} end
    limit = math.max(limit, threshold.quantile(all_scores(own), quantile))
  end
  if limit < math.huge then return limit end
  errors.raise("%s: more than %g %% of the rows have infinite scores, expected rows like those of the training", what,
    100 * (1 - quantile))
end

local function set_all(what, d, parts, quantile)
  local spread = d.score == "scaled" and set_spreads(what, parts)
  if spread then core.detector_spread(d, spread) end
  local limit = limit_of(what, d, parts, quantile)
  local alarms, n = count_alarms(parts, limit)
  d.threshold = limit
  core.detector_calibration(d, quantile, n, math.tointeger(alarms))
  return n
end

--- Sets threshold and spread of a detector from parts: {{detector =, rows =}, ...}, each with the nets that have not
-- learnt these rows: the detector itself, or those of other folds. If that fails, the detector is as it was.
function calibrate.from_parts(what, d, parts, quantile)
  local before = {threshold = d.threshold, spread = d.spread, calibration = {core.detector_calibration(d)}}
  local ok, result = pcall(set_all, what, d, parts, quantile)
  if not ok then
    core.detector_spread(d, before.spread)
    d.threshold = before.threshold or 0 / 0
    core.detector_calibration(d, table.unpack(before.calibration))
    error(result, 0)
  end
  local wanted = threshold.steady(quantile)
  if result < wanted then
    log.warn(("%s: the threshold is rough: the quantile %g needs %d rows, so that 10 are above it; there are %d")
      :format(what, quantile, wanted, result))
  end
end

-- ---- methods ----

---@class moonglass.Detector
local Detector = {}

---Options of `detector:calibrate`.
---@class moonglass.CalibrateOptions
---@field quantile number? default 0.99, above 0 and below 1: the share of normal rows below the threshold
local calibrate_options = options.checker("calibrate", {quantile = {"fraction", 0.99}})

local function run(d, held_out, given)
  local o = calibrate_options(given)
  if not native.is(d, "moonglass.detector") then
    errors.raise("calibrate: got %s, expected a detector: d:calibrate(held_out), with a colon", options.show(d))
  end
  rows.check("calibrate", "held_out", held_out)
  if rows.width(held_out) ~= d.width then
    errors.raise("calibrate: held_out has rows of %d, expected %d columns", rows.width(held_out), d.width)
  end
  calibrate.from_parts("calibrate", d, {{detector = d, rows = held_out}}, o.quantile)
  return d:calibration()
end

---Set the threshold to a quantile of the scores of normal rows, which the nets must not have learnt: the
---median-unbiased quantile (Hyndman and Fan 1996, definition 8). With the score "scaled" also the spread. Fewer than
---10 / (1 - quantile) rows make a rough threshold, and a warning. Rows of nothing but NaN do not count.
---@param held_out moonglass.Tensor|moonglass.Source [rows x width], not scaled
---@param options moonglass.CalibrateOptions?
---@return moonglass.Calibration calibration
function Detector:calibrate(held_out, given) return errors.guard(run, self, held_out, given) end

---How a detector got its threshold.
---@class moonglass.Calibration
---@field quantile number
---@field rows integer that were held out
---@field rate number the share of them that are alarms, also by the range of the training data
---@field interval number[] {low, high}: 95 % for the rate of other normal rows (Wilson 1927)

---How the detector got its threshold; nil if it was not calibrated, or its threshold was set since. Its file keeps it.
---@return moonglass.Calibration? calibration
function Detector:calibration()
  local quantile, n, alarms = core.detector_calibration(self)
  if not quantile or n == 0 then return nil end
  return {quantile = quantile, rows = n, rate = alarms / n, interval = {threshold.interval(alarms, n)}}
end

calibrate.methods = Detector

return calibrate

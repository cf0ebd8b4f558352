--- d:update: a detector follows slow drift. Rows that are no alarms teach the nets a little, and the threshold goes on
-- being the quantile of the scores. Scaling and range stay: what leaves the range of the training is to be told.
-- The threshold t follows Robbins and Monro 1951 (A stochastic approximation method), in the logarithm, so that it has
-- no unit: of m rows, a above t, log t grows by rate (a - (1 - q) m), which is 0 on average when t is the q quantile.
-- Rows above `gross` t or outside the range are faults, not drift: they do not count, else a sensor that stays broken
-- would become normal.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local rows = require "moonglass.support.rows"

---@class moonglass.Detector
local Detector = {}

---Options of `detector:update`.
---@class moonglass.UpdateOptions
---@field lr number? default 0.0005, above 0: the learning rate of Adam
---@field rate number? default 0.02, above 0: how fast the threshold follows, in its logarithm for a row above it
---@field gross number? default 4, above 0: a row with a score of more than so many thresholds is a fault, not drift
---@field quantile number? above 0 and below 1: that of the calibration if not given, else 0.99
local update_options = options.checker("update", {
  lr = {"positive", 0.0005}, rate = {"positive", 0.02}, gross = {"positive", 4}, quantile = {"fraction"},
})

local block = 256 -- rows of a step

-- The optimizers of a detector's nets, with their moments, as long as it lives.
local optimizers = setmetatable({}, {__mode = "k"})

-- The rows as the nets see them, NaN where a number is missing. A float32 offset lacks digits; `rest` has them.
local function scaled(d, x)
  local z = x.dtype == "uint8" and x:float() / 255 or x:clone()
  if not d.scaler then return z end
  local offset, rest = core.tensor(d.scaler.offset), {}
  for i, v in ipairs(offset:totable()) do rest[i] = d.scaler.offset[i] - v end
  return z:sub_(offset):sub_(core.tensor(rest)):div_(core.tensor(d.scaler.scale))
end

-- One step of each net. A missing number is 0 as input, and what the net makes of it as target: it has no error.
local function step(d, x, lr)
  local z = scaled(d, x)
  local missing = z:isnan()
  local has_missing, input = missing:sum() > 0, z:fill_nan(0)
  local kept = optimizers[d] or {}
  optimizers[d] = kept
  for i, net in ipairs(d.nets) do
    kept[i] = kept[i] or core.adam{lr = lr}
    kept[i].lr = lr
    net:step(input, has_missing and missing:where(net:predict(input), input) or nil, "mse", kept[i])
  end
end

-- The threshold after rows with these scores, none of which is gross.
local function followed(d, scores, o)
  local t = d.threshold
  local above = scores:gt(t):sum()
  local next_t = t * math.exp(o.rate * (above - (1 - o.quantile) * #scores))
  return math.min(next_t, math.max(t, scores:max()))
end

local function set_threshold(d, t)
  local calibration = {core.detector_calibration(d)}
  d.threshold = t
  core.detector_calibration(d, table.unpack(calibration))
end

local function update_block(d, x, o)
  local scores, alarms, outside = d:scores(x):totable(), d:alarms(x), d:outside(x):totable()
  local counted, normal = {}, {}
  for i, alarm in ipairs(alarms:totable()) do
    if alarm == 0 then normal[#normal + 1] = i end
    if outside[i] == 0 and scores[i] <= o.gross * d.threshold then counted[#counted + 1] = scores[i] end
  end
  local t = #counted > 0 and followed(d, core.tensor(counted), o)
  if #normal > 0 then step(d, x:index(normal), o.lr) end
  if t then set_threshold(d, t) end
  return alarms
end

local function check(d, x)
  if not native.is(d, "moonglass.detector") then
    errors.raise("update: got %s, expected a detector: d:update(x), with a colon", options.show(d))
  end
  rows.check("update", "x", x)
  if rows.width(x) ~= d.width then
    errors.raise("update: x has rows of %d, expected %d columns", rows.width(x), d.width)
  end
  if not d.threshold then
    errors.raise("update: the detector has no threshold: d:calibrate(held_out) sets it")
  end
end

local function run(d, x, given)
  local o = update_options(given)
  check(d, x)
  o.quantile = o.quantile or d.quantile or 0.99
  local list = {}
  for _, batch in rows.each(x, block) do list[#list + 1] = update_block(d, batch, o) end
  return core.cat(list, 1)
end

---Judge rows, and then follow slow drift: rows that are no alarms teach the nets by a step of Adam for 256 of them, and
---the threshold stays the quantile of the scores of rows that are no faults. Give the rows once, in their order.
---Scaling and the range of the training data stay as they are, and so does what `calibration` tells.
---@param x moonglass.Tensor|moonglass.Source [rows x width], not scaled
---@param options moonglass.UpdateOptions?
---@return moonglass.Tensor alarms [rows], before the rows were learnt
function Detector:update(x, given) return errors.guard(run, self, x, given) end

return Detector

--- Rows of moon.detector.fit, divided into those that a net learns and those that are held out: for early stopping,
-- then for the threshold.
-- Of few rows each is held out once: `folds` nets learn all but a fold each, and give its rows their scores (Barber et
-- al. 2021, Predictive inference with the jackknife+, call it CV+). Of many rows the last tenth or fifth is held out.
-- Rows of a tensor are mixed before. Those of a source keep their order, because neighbours are alike: windows over a
-- series overlap, and a window beside those in the training would not be new.
local core = require "moonglass.core"
local native = require "moonglass.support.native"
local nets = require "moonglass.models.detector.nets"
local new_scaler = require "moonglass.models.scaler"
local rows = require "moonglass.support.rows"
local source = require("moonglass.data.source").source
local threshold = require "moonglass.models.detector.threshold"

local holdout = {}

local folds = 5
local most_in_memory = 1 << 26 -- elements; larger data stays where it is, and is read in order
local most_crossed = 20000     -- rows: with more, folds would take too long
local block = 4096
local least_pass = 320         -- rows: so few of them come several times in an epoch, which costs a validation

local Whole, Streamed = {}, {}
Whole.__index, Streamed.__index = Whole, Streamed

local function gathered(x)
  local list = {}
  for _, batch in rows.each(x, block) do list[#list + 1] = batch end
  return core.cat(list, 1)
end

-- How many rows are held out at the end.
local function held_count(n, quantile)
  return math.max(1, math.min(n // 5, math.max(n // 10, threshold.steady(quantile))))
end

--- The rows of x for a scaler and a quantile of the threshold. It has
--   parts              how often fit(part) is to be called: 1, or the number of folds
--   masked             is a number missing?
--   repeats            how often each row is to come in an epoch
--   scaler_of(part)    a scaler of the rows to learn: one that knows the others would make their scores too low, above
--                      all if there are more columns than rows
--   training(part)     scaled rows to learn: a tensor or a source
--   validation(part)   a tensor of scaled rows, which are not in training(part)
--   held(part)         the rows for the threshold, not scaled: a tensor or a source
--   all()              all rows, scaled; nil if the net of the first part is the last one
function holdout.new(x, scaler, quantile)
  local n = #x
  local self = {n = n, scaler = scaler, held_rows = held_count(n, quantile), repeats = math.ceil(least_pass / n)}
  if n * rows.width(x) > most_in_memory then
    self.x, self.parts, self.masked = x, 1, true -- whether a number is missing is not known before
    return setmetatable(self, Streamed)
  end
  self.raw = native.is_source(x) and gathered(x) or x:index(core.randperm(n))
  self.z = scaler:apply(self.raw)
  local sum = self.z:sum()
  self.masked = sum ~= sum
  self.parts, self.scalers = n // folds < threshold.steady(quantile) and n <= most_crossed and folds or 1, {}
  return setmetatable(self, Whole)
end

-- ---- in memory ----

-- The first and the last row of a part.
function Whole:limits(part)
  if self.parts == 1 then return self.n - self.held_rows + 1, self.n end
  return (part - 1) * self.n // self.parts + 1, part * self.n // self.parts
end

-- x without the rows of a part.
local function without(x, first, last)
  if last == #x then return x:rows(1, first - 1) end
  if first == 1 then return x:rows(last + 1, #x) end
  return core.cat({x:rows(1, first - 1), x:rows(last + 1, #x)}, 1)
end

function Whole:scaler_of(part)
  if self.parts == 1 then return self.scaler end
  local first, last = self:limits(part)
  local kept = self.scalers[part] or new_scaler(without(self.raw, first, last), {method = self.scaler.method})
  self.scalers[part] = kept
  return kept
end

function Whole:training(part)
  local first, last = self:limits(part)
  if self.parts == 1 then return self.z:rows(1, first - 1) end
  return self:scaler_of(part):apply(without(self.raw, first, last))
end

function Whole:validation(part)
  local first, last = self:limits(part)
  return self:scaler_of(part):apply(self.raw:rows(first, math.min(last, first + nets.most_validation - 1)))
end

function Whole:held(part) return self.raw:rows(self:limits(part)) end

function Whole:all() return self.parts > 1 and self.z or nil end

-- ---- where they are ----

function Streamed:scaler_of() return self.scaler end

function Streamed:training()
  local x, scaler = self.x, self.scaler
  return source{
    rows = self.n - self.held_rows, width = rows.width(x),
    read = function(first, n) return scaler:apply(rows.batch(x, first, n)) end,
  }
end

function Streamed:validation()
  local first = self.n - self.held_rows + 1
  return self.scaler:apply(rows.batch(self.x, first, math.min(nets.most_validation, self.held_rows)))
end

function Streamed:held() return self.x:rows(self.n - self.held_rows + 1, self.n) end

function Streamed.all() return nil end

return holdout

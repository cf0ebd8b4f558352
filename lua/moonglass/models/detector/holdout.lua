--- Rows of moon.detector.fit, divided into those that a net learns and those that are held out: for early stopping,
-- then for the threshold.
-- Of few rows each is held out once: `folds` nets learn all but a fold each, and give its rows their scores (Barber et
-- al. 2021, Predictive inference with the jackknife+, call it CV+). Of many rows the last tenth or fifth is held out.
-- Rows of a tensor are mixed before. Those of a source keep their order, because neighbours are alike: windows over a
-- series overlap, and a window beside those in the training would not be new.
local core = require "moonglass.core"
local native = require "moonglass.support.native"
local nets = require "moonglass.models.detector.nets"
local rows = require "moonglass.support.rows"
local source = require("moonglass.data.source").source

local holdout = {}

local folds = 5
local most_in_memory = 1 << 26 -- elements; larger data stays where it is, and is read in order
local most_crossed = 20000     -- rows: with more, folds would take too long
local block = 4096

local Whole, Streamed = {}, {}
Whole.__index, Streamed.__index = Whole, Streamed

local function gathered(x)
  local list = {}
  for _, batch in rows.each(x, block) do list[#list + 1] = batch end
  return core.cat(list, 1)
end

-- Scores above the quantile that a threshold needs to be steady: 10 of them.
local function wanted(quantile) return math.ceil(10 / (1 - quantile) - 1e-6) end

-- How many rows are held out at the end.
local function held_count(n, quantile)
  return math.max(1, math.min(n // 5, math.max(n // 10, wanted(quantile))))
end

--- The rows of x for a scaler and a quantile of the threshold. It has
--   parts              how often fit(part) is to be called: 1, or the number of folds
--   masked             is a number missing?
--   training(part)     scaled rows to learn: a tensor or a source
--   validation(part)   a tensor of scaled rows, which are not in training(part)
--   held(part)         the rows for the threshold, not scaled: a tensor or a source
--   all()              all rows, scaled; nil if the net of the first part is the last one
function holdout.new(x, scaler, quantile)
  local n = #x
  local self = {n = n, scaler = scaler, held_rows = held_count(n, quantile)}
  if n * rows.width(x) > most_in_memory then
    self.x, self.parts, self.masked = x, 1, true -- whether a number is missing is not known before
    return setmetatable(self, Streamed)
  end
  self.raw = native.is_source(x) and gathered(x) or x:index(core.randperm(n))
  self.z = scaler:apply(self.raw)
  local sum = self.z:sum()
  self.masked = sum ~= sum
  self.parts = n // folds < wanted(quantile) and n <= most_crossed and folds or 1
  return setmetatable(self, Whole)
end

-- ---- in memory ----

-- The first and the last row of a part.
function Whole:limits(part)
  if self.parts == 1 then return self.n - self.held_rows + 1, self.n end
  return (part - 1) * self.n // self.parts + 1, part * self.n // self.parts
end

function Whole:training(part)
  local first, last = self:limits(part)
  if last == self.n then return self.z:rows(1, first - 1) end
  if first == 1 then return self.z:rows(last + 1, self.n) end
  return core.cat({self.z:rows(1, first - 1), self.z:rows(last + 1, self.n)}, 1)
end

function Whole:validation(part)
  local first, last = self:limits(part)
  return self.z:rows(first, math.min(last, first + nets.most_validation - 1))
end

function Whole:held(part) return self.raw:rows(self:limits(part)) end

function Whole:all() return self.parts > 1 and self.z or nil end

-- ---- where they are ----

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

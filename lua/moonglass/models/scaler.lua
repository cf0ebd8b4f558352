--- moon.scaler: an offset and a scale for each column, from the rows of a tensor or a source.
--   s = moon.scaler(x, {method = "robust"})
--   s:apply(x)   s:invert(z)   s.offset   s.scale
-- The core counts; this file gives it the rows.
local arity = require "moonglass.support.arity"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local rows = require "moonglass.support.rows"

---Options of `moon.scaler`.
---@class moonglass.ScalerOptions
---@field method "standard"|"minmax"|"robust"? default "standard"

local scaler_options = options.checker("scaler", {method = {{"standard", "minmax", "robust"}, "standard"}})

-- Rows at a time: what a source reads. The result does not depend on it.
local block = 4096

local function fit(x, given)
  local o = scaler_options(given)
  rows.check("scaler", "x", x)
  local scaler = core.new_scaler(o.method, rows.width(x))
  repeat
    for _, batch in rows.each(x, block) do errors.guard(core.scaler_add, scaler, batch) end
  until not errors.guard(core.scaler_finish, scaler)
  return scaler
end

-- ---- sources: the methods of the core take tensors ----

local methods = core.methods["moonglass.scaler"]

local apply, invert = methods.apply, methods.invert

local function over_source(what, f, self, source)
  if source:size(2) ~= self.width then
    errors.raise("%s: the input has rows of %d, expected %d", what, source:size(2), self.width)
  end
  return core.source(#source, self.width, function(first, n) return f(self, source:batch(first, n)) end)
end

local function map(what, f, self, x)
  local is_source = native.is(self, "moonglass.scaler") and native.is_source(x)
  return is_source and over_source(what, f, self, x) or f(self, x)
end

function methods.apply(self, x) return errors.guard(map, "apply", apply, self, x) end
function methods.invert(self, z) return errors.guard(map, "invert", invert, self, z) end
arity.check_class(methods)

---An offset and a scale for each column, from rows: `s:apply(x)` is (x - offset) / scale. NaN are missing numbers: they
---are not counted, and stay NaN. A constant column has the scale 1; a column of nothing but NaN has the offset 0 and
---the scale 1. An infinity is an error. The methods: "standard" takes the mean and the standard deviation, "minmax" the
---minimum and the range, "robust" the median and the interquartile range / 1.349, which is the deviation of normal
---numbers (where the quartiles are equal: the deviation). The rows are read once, by "robust" twice; those of a source
---are never in memory as a whole.
---@name moon.scaler(x, options)
---@param x moonglass.Tensor|moonglass.Source [rows x width], float32 or bytes, which count as value/255
---@param options moonglass.ScalerOptions?
---@return moonglass.Scaler scaler
return function(x, given) return errors.guard(fit, x, given) end

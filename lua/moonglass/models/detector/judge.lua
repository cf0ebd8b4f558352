--- The methods of detectors that take rows: a tensor, or a source, which is read block by block. Those of the
-- core take tensors.
local arity = require "moonglass.support.arity"
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local rows = require "moonglass.support.rows"

local methods = core.methods["moonglass.detector"]

-- Rows at a time: what a source reads. The results do not depend on it.
local block = 4096

local function check_self(what, d)
  if not native.is(d, "moonglass.detector") then
    errors.raise("%s: got %s, expected a detector: d:%s(x), with a colon", what, options.show(d), what)
  end
end

local function check(what, d, x)
  check_self(what, d)
  rows.check(what, "x", x)
  if (native.is_source(x) or x:rank() == 2) and rows.width(x) == d.width then return end
  errors.raise("%s: x has rows of %s, expected %d columns", what, rows.width(x), d.width)
end

local function over_source(f, d, x, shape)
  local out = core.zeros(shape)
  for first, batch in rows.each(x, block) do out:rows(first, first + #batch - 1):copy_(f(d, batch)) end
  return out
end

-- wide: the result has a column for each of the detector's.
local function judge(what, f, wide, d, x)
  check(what, d, x)
  if not native.is_source(x) then return f(d, x) end
  return over_source(f, d, x, wide and {#x, d.width} or {#x})
end

local scores, features, outside, alarms = methods.scores, methods.features, methods.outside, methods.alarms
local explain, save = methods.explain, methods.save or function() return files.refuse("save") end

function methods.scores(self, x) return errors.guard(judge, "scores", scores, false, self, x) end
function methods.features(self, x) return errors.guard(judge, "features", features, true, self, x) end
function methods.outside(self, x) return errors.guard(judge, "outside", outside, false, self, x) end
function methods.alarms(self, x) return errors.guard(judge, "alarms", alarms, false, self, x) end

local function explain_row(self, row, count)
  check_self("explain", self)
  if type(row) == "table" and getmetatable(row) == nil then row = core.tensor(row) end
  checks.is_tensor("explain", "row", row)
  return explain(self, row, count)
end

function methods.explain(self, row, count) return errors.guard(explain_row, self, row, count) end

---@class moonglass.Detector
local Detector = {}

---Save the detector as one safetensors file: the net as `net:save` writes it, so that others who read nets still read
---it, and the rest as a text. `moon.load` reads it. Writing is atomic.
---@param path string
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function Detector:save(path)
  check_self("save", self)
  checks.path("save", path)
  return errors.guard(save, self, path)
end

methods.save = Detector.save
for name, f in pairs(require("moonglass.models.detector.calibrate").methods) do methods[name] = f end
methods.update = require("moonglass.models.detector.update").update
arity.check_class(methods)

return methods

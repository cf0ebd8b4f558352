--- Rows to train on, to scale or to score: a tensor [n x d], or a source, whose rows are made when they are needed
-- (`t:windows(n, step)`, `moon.source{...}`, `moon.data.csv(path, {stream = true})`). #x is the number of rows of both.
local checks = require "moonglass.support.checks"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

local rows = {}

--- Raises unless x is a tensor [n x d] or a source, with at least one row.
function rows.check(what, name, x)
  if native.is_source(x) then return end
  if not native.is_tensor(x) then
    local list = type(x) == "table" and getmetatable(x) == nil
    errors.raise("%s: %s is %s, expected a tensor [rows x width] or a source%s", what, name, options.show(x),
      list and ": moon.tensor(list) makes a tensor" or "")
  end
  checks.rows(what, name, x)
end

--- The number of dimensions: 2 of a source.
function rows.rank(x) return native.is_source(x) and 2 or x:rank() end

--- The number of columns.
function rows.width(x) return x:size(2) end

--- Rows first to first + n - 1 as a tensor [n x width]: a view of a tensor's, new ones of a source, float32.
function rows.batch(x, first, n)
  if native.is_source(x) then return errors.guard(x.batch, x, first, n) end
  return x:rows(first, first + n - 1)
end

--- Goes over all rows in order, `size` at a time: for first, batch in rows.each(x, 4096) do ... end
function rows.each(x, size)
  local n, next_first = #x, 1
  return function()
    local first = next_first
    if first > n then return nil end
    next_first = first + size
    return first, rows.batch(x, first, math.min(size, n - first + 1))
  end
end

return rows

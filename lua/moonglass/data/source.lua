--- moon.source: rows that a function reads when they are needed.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local options = require "moonglass.support.options"

---@alias moonglass.Rows moonglass.Tensor|moonglass.Source

---Options of `moon.source`.
---@class moonglass.SourceOptions
---@field rows integer required: how many rows there are
---@field width integer required: elements of a row
---@field read fun(first: integer, n: integer): moonglass.Tensor required: gives rows first to first + n - 1, float32
---@field block integer? rows that are read at a time: n is at most that; default: as many as 2 MB hold
local source_options = options.checker("source", {
  rows = {"count", required = true}, width = {"count", required = true}, read = {"any", required = true},
  block = {"count"},
})

local source = {}

---Rows that need not be in memory at once: `read` is called for a block of them when a batch needs it, and must give
---the same rows each time. Blocks are cut at multiples of `block`, and no call crosses their borders.
---@name moon.source(options)
---@param options moonglass.SourceOptions
---@return moonglass.Source source
function source.source(given)
  local o = source_options(given)
  if type(o.read) ~= "function" then
    errors.raise("source: read is %s, expected a function (first, n) that gives a tensor [n x %d]",
      options.show(o.read), o.width)
  end
  return errors.guard(core.source, o.rows, o.width, o.read, o.block)
end

return source

--- Errors about the contents of a file, which come out as nil, message, "format".
--   damage.raise(format, ...)     within f
--   damage.within(words, f, ...)  f(...); its errors begin with these words
--   damage.caught(where, f, ...)  the result of f, or nil, where .. message, "format". All other errors come out.
local errors = require "moonglass.support.errors"

local damage = {}

local Damage = {} -- the class of these errors

function damage.raise(message, ...) error(setmetatable({message:format(...)}, Damage), 0) end

function damage.within(words, f, ...)
  local ok, result = errors.caught(f, ...)
  if ok then return result end
  if getmetatable(result) == Damage then damage.raise("%s", words .. result[1]) end
  error(result, 0)
end

function damage.caught(where, f, ...)
  local ok, result = pcall(errors.guard, f, ...)
  if ok then return result end
  if getmetatable(result) ~= Damage then error(result, 0) end
  return nil, where .. result[1], "format"
end

return damage

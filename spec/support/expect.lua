-- Expectations about calls and texts, for many specs: local expect = dofile "spec/support/expect.lua".
local expect = {}

--- The message of the error that f(...) raises, with its position.
function expect.raised(f, ...)
  local ok, message = pcall(f, ...)
  if ok then error("expected an error, but the call worked", 2) end
  return message
end

--- The same without the position, as a text.
function expect.failure(f, ...)
  local ok, message = pcall(f, ...)
  if ok then error("expected an error, but the call worked", 2) end
  return (tostring(message):gsub("^[^\n]-:%d+: ", ""))
end

--- The text contains this part literally.
function expect.has(text, part)
  text = tostring(text)
  if not text:find(part, 1, true) then error(("expected %q in:\n%s"):format(part, text:sub(1, 2000)), 2) end
end

--- Functions that read and set a field, for expect.failure.
function expect.getter(object, key) return function() return object[key] end end
function expect.setter(object, key, value) return function() object[key] = value end end

--- A tensor's shape as a text: "2 3".
function expect.shape(t) return table.concat(t.shape, " ") end

return expect

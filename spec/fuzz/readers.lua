-- Called by readers.c. The bytes are the name of a function that reads files, a line feed, and a file. The functions
-- are those of spec/support/paths.lua. A file is read, or refused with a message and a code.
local moon = require "moonglass"
local paths = dofile("spec/support/paths.lua")(moon)

local path = os.tmpname()
local cleaner = setmetatable({}, {__gc = function() os.remove(path) end})

return function(bytes)
  assert(cleaner)
  local name, content = bytes:match("^([%w.:]+)\n(.*)$")
  if not paths.entries[name] or not paths.entries[name].read then -- the fuzzer has changed the name
    name, content = paths.readers[(bytes:byte() or 0) % #paths.readers + 1], bytes:sub(2)
  end
  local file = assert(io.open(path, "wb"))
  file:write(content)
  file:close()
  local result, message, code = paths.entries[name].read(paths.objects(), path)
  if result ~= nil then return end
  assert(type(message) == "string" and #message > 0, name .. ": no message")
  assert(code == "format" or code == "I/O", ("%s: code %s"):format(name, code))
end

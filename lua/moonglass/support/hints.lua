--- hints(message): an error's message with the nearest known name added, for a program that shows it.
-- An unknown name in `moon` or its tables is nil, so that a script can test for it. Lua's message about a nil value
-- says which name it was.
local core = require "moonglass.core"
local host = require "moonglass.support.host"
local options = require "moonglass.support.options"

-- All names in moon and the tables in it, and of all methods.
local function known()
  local names = {}
  local function add(t)
    for name in pairs(t) do names[#names + 1] = name end
  end
  local moon = host.package and host.package.loaded["moonglass"]
  if type(moon) ~= "table" then return names end
  add(moon)
  for _, v in pairs(moon) do
    if type(v) == "table" then add(v) end
  end
  for _, methods in pairs(core.methods) do add(methods) end
  return names
end

return function(message)
  local name = message:match("attempt to %a+ a nil value %(field '([^']*)'%)$")
    or message:match("attempt to %a+ a nil value %(method '([^']*)'%)$")
  if not name then return message end
  local question = options.question(name, known())
  if question == ("; did you mean '%s'?"):format(name) then -- the name exists, but not in that table
    return ("%s; '%s' is a method, called as object:%s(...)"):format(message, name, name)
  end
  return message .. question
end

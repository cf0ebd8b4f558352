--- hints(message): the message of an error with what may have been meant, for a program that shows it.
-- A function that does not exist is nil in `moon` and the tables in it, as in any table of Lua's, so that a script can
-- ask whether it is there. Lua's own message then says which name was nil, and here comes the nearest one that is not.
local core = require "moonglass.core"
local host = require "moonglass.support.host"
local options = require "moonglass.support.options"

-- The names of moon, of the tables in it, and of all methods.
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
  if question == ("; did you mean '%s'?"):format(name) then -- of a name that is there, but not in that table
    return ("%s; '%s' is a method, called as object:%s(...)"):format(message, name, name)
  end
  return message .. question
end

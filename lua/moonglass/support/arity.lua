--- Makes Lua functions refuse superfluous arguments, which Lua would ignore; nil does not count. The core's functions
-- do this themselves. Without the debug library nothing is refused.
local errors = require "moonglass.support.errors"
local host = require "moonglass.support.host"

local arity = {}

local debug = host.debug or {}
local original = setmetatable({}, {__mode = "k"})

-- The documentation's names of parameters that our sources call otherwise, because a module has that name.
local known_as = {given = "options", opt = "optimizer"}

-- "x, y, options": the names of parameters first to last.
local function names_of(f, first, last)
  local names = {}
  for i = first, last do
    local name = debug.getlocal(f, i)
    names[#names + 1] = known_as[name] or name
  end
  return table.concat(names, ", ")
end

-- Last parameters that are tables. If something else was given there, the function's own message is the better one.
local tables = {given = true, layers = true}

local function refuse(what, f, most, object, ...)
  local n, last = select("#", ...), nil
  while n > most and (select(n, ...)) == nil do n = n - 1 end
  if most > object then last = (select(most, ...)) end
  if n == most or (tables[debug.getlocal(f, most)] and last ~= nil and type(last) ~= "table") then return end
  local given, taken = n - object, most - object
  errors.raise("%s: got %d argument%s, expected %s", what, given, given == 1 and "" or "s",
    taken == 0 and "none" or ("at most %d (%s)"):format(taken, names_of(f, object + 1, most)))
end

-- object: 1 for a method, whose first argument does not stand in the brackets; else 0.
local function checked(what, f, object)
  local info = debug.getinfo and debug.getinfo(f, "u") -- a C function counts as vararg
  if not info or info.isvararg then return f end
  local most = info.nparams
  local function wrapper(...)
    if select("#", ...) > most then refuse(what, f, most, object, ...) end
    return f(...)
  end
  original[wrapper] = f
  return wrapper
end

--- The function as its file defines it.
function arity.unchecked(f) return original[f] or f end

--- Wraps every function of a class but its metamethods, which Lua calls. Returns the class.
function arity.check_class(class)
  for name, f in pairs(class) do
    if type(f) == "function" and name:sub(1, 2) ~= "__" then class[name] = checked(name, f, 1) end
  end
  return class
end

--- Wraps every function of a table, of the tables in it, and their __call. within: the table's name, for messages.
function arity.check_all(functions, within)
  for name, v in pairs(functions) do
    local what = within and within .. "." .. name or name
    if type(v) == "function" then functions[name] = checked(what, v, 0) end
    if type(v) == "table" then
      local meta = getmetatable(v)
      if meta and meta.__call then meta.__call = checked(what, meta.__call, 1) end
      arity.check_all(v, what)
    end
  end
end

return arity

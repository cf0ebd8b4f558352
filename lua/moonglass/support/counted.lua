--- Functions that refuse one argument more than they take: it would be ignored. nil counts as none. The core does the
-- same for its own functions; this is for those in Lua. Without the debug library they take what comes.
local errors = require "moonglass.support.errors"
local host = require "moonglass.support.host"

local counted = {}

local debug = host.debug or {}
local behind = setmetatable({}, {__mode = "k"})

-- Names in our sources, by what the documentation calls them: modules have taken these for themselves.
local known_as = {given = "options", choices = "options", opt = "optimizer"}

-- "x, y, options": of a method, without its object.
local function names_of(f, first, last)
  local names = {}
  for i = first, last do
    local name = debug.getlocal(f, i)
    names[#names + 1] = known_as[name] or name
  end
  return table.concat(names, ", ")
end

-- What a function is to find a table in, as its last argument: what else stands there is the mistake to tell first.
local tables = {given = true, choices = true, layers = true}

local function refuse(what, f, most, object, ...)
  local n, last = select("#", ...), nil
  while n > most and (select(n, ...)) == nil do n = n - 1 end
  if most > object then last = (select(most, ...)) end
  if n == most or (tables[debug.getlocal(f, most)] and last ~= nil and type(last) ~= "table") then return end
  local given, taken = n - object, most - object
  errors.raise("%s: got %d argument%s, expected %s", what, given, given == 1 and "" or "s",
    taken == 0 and "none" or ("at most %d (%s)"):format(taken, names_of(f, object + 1, most)))
end

-- object: how many of the first arguments are not in the call's brackets.
local function count(what, f, object)
  local info = debug.getinfo and debug.getinfo(f, "Su")
  if not info or info.what == "C" or info.isvararg then return f end
  local most = info.nparams
  local function front(...)
    if select("#", ...) > most then refuse(what, f, most, object, ...) end
    return f(...)
  end
  behind[front] = f
  return front
end

--- The function as it stands in its file.
function counted.behind(f) return behind[f] or f end

--- Every function of a class; metamethods are Lua's to call. Returns the class.
function counted.class(class)
  for name, f in pairs(class) do
    if type(f) == "function" and name:sub(1, 2) ~= "__" then class[name] = count(name, f, 1) end
  end
  return class
end

--- Every function of a table of them, in the tables in it, and behind their call: "data.mnist".
function counted.all(functions, within)
  for name, v in pairs(functions) do
    local what = within and within .. "." .. name or name
    if type(v) == "function" then functions[name] = count(what, v, 0) end
    if type(v) == "table" then
      local meta = getmetatable(v)
      if meta and meta.__call then meta.__call = count(what, meta.__call, 1) end
      counted.all(v, what)
    end
  end
end

return counted

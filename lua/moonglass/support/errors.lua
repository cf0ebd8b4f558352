--- Errors that show the place in the user's script, not a place in this library; and protected calls. What a hook
-- raises (Ctrl-C, a host's time limit), and Lua's "not enough memory", are not the call's own errors: they come out
-- unchanged.
-- raise(format, ...)   raises a message
-- guard(f, ...)        f(...), its error raised again at the user's place: for calls into the core
-- guard_as(own, theirs, f, ...)  as guard, for a call whose messages begin with another name than the user has called
-- guard_by(explain, a, b, f, ...)  as guard, the message being explain(message, a, b)
-- caught(f, ...)       true and what f gives, or false and its own error
local host = require "moonglass.support.host"

local errors = {}

-- Without the debug library messages come without a place.
local getinfo = host.debug and host.debug.getinfo
local xpcall = getinfo and xpcall

-- The folder of this file, as chunk names show it: "/usr/share/lua/5.4/moonglass/".
local folder = getinfo and getinfo(1, "S").source:match("^@(.*)support/errors%.lua$") or "\0"

-- Is `short`, the name that a message begins with, one of our files? Long names come as "...tail".
local function is_ours(short)
  local tail = short:match("^%.%.%.(.*)$")
  if not tail then return short:sub(1, #folder) == folder end
  local inside = tail:match("^.-moonglass/(.*)$")
  return inside ~= nil and (folder .. inside):sub(-#tail) == tail
end

-- The message without "file:line: " in front, if that place is in this library.
local function unplaced(message)
  local short, rest = message:match("^([^\n]-):%d+: (.*)$")
  if short and is_ours(short) then return rest end
  return message
end

local function users_place()
  if not getinfo then return "" end
  local level = 3
  while true do
    local info = getinfo(level, "Sl")
    if not info then return "" end
    if info.currentline > 0 and info.source:sub(2, #folder + 1) ~= folder then
      return ("%s:%d: "):format(info.short_src, info.currentline)
    end
    level = level + 1
  end
end

function errors.raise(message, ...)
  if select("#", ...) > 0 then message = message:format(...) end
  error(users_place() .. message, 0)
end

-- ---- protected calls ----

-- The class of errors that are the protected call's own: {value}.
local Own = {}

local function own(value) return setmetatable({value}, Own) end

-- Raises what was caught and is not ours. Never the last call of a function: the handler looks for it.
local function again(value)
  error(value, 0)
  return nil
end

local deepest = 1000 -- a call's levels that are looked at: of a recursion without end there are many more

-- The message handler: looks up from where an error is raised to the protected call. With a hook between, or an error
-- that has been found not to be ours already, the value stays bare. So does "not enough memory", for which Lua calls no
-- handler.
local function mark(value)
  for level = 1, deepest do
    local info = getinfo(level, "nf")
    if not info or info.func == xpcall then break end
    if info.namewhat == "hook" or info.func == again then return value end
  end
  return own(value)
end

local function mark_result(ok, ...)
  if ok then return ok, ... end
  return ok, own((...))
end

-- As pcall; an error of the call's own is marked. Without the debug library all pass for its own.
local function protect(f, ...)
  if xpcall then return xpcall(f, mark, ...) end
  return mark_result(pcall(f, ...))
end

local function finish(explain, a, b, ok, ...)
  if ok then return ... end
  local caught = ...
  if getmetatable(caught) ~= Own then again(caught) end
  local message = caught[1]
  if type(message) ~= "string" then error(message, 0) end
  local text = unplaced(message)
  -- A message that names a place already, the user's, needs no second one.
  local place = (text == message and message:find("^[^\n]-:%d+: ")) and "" or users_place()
  error(place .. (explain and explain(text, a, b) or text), 0)
end

function errors.guard(f, ...) return finish(nil, nil, nil, protect(f, ...)) end
function errors.guard_by(explain, a, b, f, ...) return finish(explain, a, b, protect(f, ...)) end

-- At the beginning, or behind a place.
local function rename(text, name, theirs)
  local place = text:find(theirs .. ": ", 1, true) == 1 and "" or text:match("^[^\n]-:%d+: ")
  if not place or text:find(theirs .. ": ", #place + 1, true) ~= #place + 1 then return text end
  return place .. name .. text:sub(#place + #theirs + 1)
end

function errors.guard_as(name, theirs, f, ...) return finish(rename, name, theirs, protect(f, ...)) end

local function give(ok, ...)
  if ok then return ok, ... end
  local caught = ...
  if getmetatable(caught) ~= Own then again(caught) end
  return ok, caught[1]
end

function errors.caught(f, ...) return give(protect(f, ...)) end

return errors

--- Errors that show the place in the user's script, not a place in this library.
-- raise(format, ...)   raises a message
-- guard(f, ...)        f(...), its error raised again at the user's place: for calls into the core
-- pass(prefix, message) raises a caught message again, with words in front
-- guard_as(own, theirs, f, ...)  as guard, for a call whose messages begin with another name than the user has called
local host = require "moonglass.host"

local errors = {}

-- Without the debug library messages come without a place.
local getinfo = host.debug and host.debug.getinfo

-- The folder of this file, as chunk names show it: "/usr/share/lua/5.4/moonglass/".
local folder = getinfo and getinfo(1, "S").source:match("^@(.*)errors%.lua$") or "\0"

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

--- Values that are not texts pass as they are; a place outside this library stays in the message.
function errors.pass(prefix, message)
  if type(message) ~= "string" then error(message, 0) end
  local text = unplaced(message)
  -- A message that names a place already, the user's, needs no second one.
  local place = (text == message and message:find("^[^\n]-:%d+: ")) and "" or users_place()
  error(place .. prefix .. text, 0)
end

local function check(ok, ...)
  if ok then return ... end
  errors.pass("", (...))
end

function errors.guard(f, ...) return check(pcall(f, ...)) end

local function check_as(own, theirs, ok, ...)
  if ok then return ... end
  local message = ...
  if type(message) == "string" then
    local text = unplaced(message)
    if text:sub(1, #theirs + 2) == theirs .. ": " then message = own .. text:sub(#theirs + 1) end
  end
  errors.pass("", message)
end

function errors.guard_as(own, theirs, f, ...) return check_as(own, theirs, pcall(f, ...)) end

return errors

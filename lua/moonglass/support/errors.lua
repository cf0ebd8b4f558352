--- Errors that show the line of the user's script, not a line of this library; and protected calls. Errors of a hook
-- (Ctrl-C, a host's time limit) and Lua's "not enough memory" pass through all of these unchanged.
-- raise(format, ...)   raises a message
-- guard(f, ...)        f(...), with an error raised again at the user's line: for calls into the core
-- guard_as(name, inner, f, ...)   the same; a message that begins with the name `inner` begins with `name` instead
-- guard_by(explain, a, b, f, ...) the same; the message becomes explain(message, a, b)
-- caught(f, ...)       true and the results of f, or false and its error
-- text(raised)         the words of an error of any type
local core = require "moonglass.core"
local host = require "moonglass.support.host"

local errors = {}

-- Without the debug library messages come without a place.
local getinfo = host.debug and host.debug.getinfo
local xpcall = getinfo and xpcall

-- The library's folder, as chunk names show it: "/usr/share/lua/5.4/moonglass/".
local folder = getinfo and getinfo(1, "S").source:match("^@(.*)support/errors%.lua$") or "\0"

-- Is `short`, the file name at the start of a message, in this library? Lua shortens long names to "...tail". The tail
-- may have "moonglass/" more than once: a folder above the library may be called so, too.
local function is_ours(short)
  local tail = short:match("^%.%.%.(.*)$")
  if not tail then return short:sub(1, #folder) == folder end
  for inside in tail:gmatch("moonglass/()") do
    if (folder .. tail:sub(inside)):sub(-#tail) == tail then return true end
  end
  return false
end

-- The message without its "file:line: " if that file is in this library.
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

-- Marks an error that was raised by the protected call itself: {value}.
local Own = {}

local function own(value) return setmetatable({value}, Own) end

-- Raises a caught error of someone else again. It must not be a tail call: the handler looks for it on the stack.
local function again(value)
  error(value, 0)
  return nil
end

core.set_again(again) -- what a hook raises in a reader of a source also comes out through the core

local deepest = 1000 -- levels of the stack that are searched; endless recursion has many more

-- The message handler: searches the stack from the error to the protected call. If a hook or again() is in between, the
-- error is not the call's own and stays unmarked. So does "not enough memory", for which Lua calls no handler.
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

-- Like pcall, but the call's own errors are marked. Without the debug library all errors are.
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
  -- A message that already begins with a line of the user's script gets no second one.
  local place = (text == message and message:find("^[^\n]-:%d+: ")) and "" or users_place()
  error(place .. (explain and explain(text, a, b) or text), 0)
end

function errors.guard(f, ...) return finish(nil, nil, nil, protect(f, ...)) end
function errors.guard_by(explain, a, b, f, ...) return finish(explain, a, b, protect(f, ...)) end

-- Replaces the name `theirs` at the start of a message, or after its place.
local function rename(text, name, theirs)
  local place = text:find(theirs .. ": ", 1, true) == 1 and "" or text:match("^[^\n]-:%d+: ")
  if not place or text:find(theirs .. ": ", #place + 1, true) ~= #place + 1 then return text end
  return place .. name .. text:sub(#place + #theirs + 1)
end

function errors.guard_as(name, theirs, f, ...) return finish(rename, name, theirs, protect(f, ...)) end

--- Words before a message, but behind its place.
function errors.prefix(words, text)
  local place, rest = text:match("^([^\n]-:%d+: )(.*)$")
  return (place or "") .. words .. (rest or text)
end

local function give(ok, ...)
  if ok then return ok, ... end
  local caught = ...
  if getmetatable(caught) ~= Own then again(caught) end
  return ok, caught[1]
end

function errors.caught(f, ...) return give(protect(f, ...)) end

local function has_words(v)
  if type(v) == "string" or type(v) == "number" then return true end
  local meta = getmetatable(v)
  return type(meta) == "table" and rawget(meta, "__tostring") ~= nil
end

-- As the program `lua` does. An address says nothing, and is another one in each process.
function errors.text(raised)
  local ok, words = pcall(tostring, raised)
  if ok and has_words(raised) then return words end
  return ("(error object is a %s value)"):format(type(raised))
end

return errors

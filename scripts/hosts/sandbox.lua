-- What a script of scripted.c can see. The host runs this file once in each new state, before the script. Lua's base,
-- string, table, math and utf8 are open, no other libraries, and the core without files. The table that this file
-- returns is the script's globals.
--
-- The host has a memory limit and a hook that counts instructions. What they do not cover is removed or replaced here:
--   files, programs, the system        io, os, package, loadfile, dofile are not open; require gives only Moonglass
--   bytecode                           load takes text
--   finalisers run without the hook    setmetatable refuses __gc, and the metatable of a userdata is hidden
--   so do handlers of xpcall           xpcall is built from pcall
--   coroutines have separate counts    there are none
--   loops inside C functions           string.rep of "", patterns, and table functions on tables with metamethods
-- luacheck: ignore 122 (fields of string and table are set: that is what this file is for)
local core, source, write = ...

-- ---- string: a limit on the cost of a pattern ----

local max_steps = 1e9 -- some seconds, of which the hook knows nothing
local find, gmatch, gsub, match, rep = string.find, string.gmatch, string.gsub, string.match, string.rep

local function is_text(v) return type(v) == "string" or type(v) == "number" end

-- A bound for the steps of a match: each of * + - and of %b and %1 tries at most every length, ? tries two; without an
-- anchor every place is tried; and the literal text in between is compared each time. Error if the bound is too large.
local function check_cost(what, text, pattern, plain, anywhere)
  if not (is_text(text) and is_text(pattern)) then return end -- an error, which the function itself will tell
  local n, steps, longest = #tostring(text) + 1, 1, 1
  pattern = tostring(pattern)
  if plain then
    steps, longest = n, #pattern
  else
    if anywhere or find(pattern, "^", 1, true) ~= 1 then steps = n end
    steps = steps * 2.0 ^ select(2, gsub(pattern, "%?", "")) * (n + 0.0) ^ select(2, gsub(pattern, "[*+%-]", ""))
    steps = steps * (n + 0.0) ^ select(2, gsub(pattern, "%%[b%d]", ""))
    for run in gmatch(pattern, "[^*+%-?]+") do longest = #run > longest and #run or longest end
  end
  if steps * longest > max_steps then error(what .. ": this pattern may take too long on so long a text", 3) end
end

function string.find(text, pattern, init, plain)
  check_cost("find", text, pattern, plain)
  return find(text, pattern, init, plain)
end

function string.match(text, pattern, init)
  check_cost("match", text, pattern)
  return match(text, pattern, init)
end

function string.gmatch(text, pattern, init)
  check_cost("gmatch", text, pattern, false, true)
  return gmatch(text, pattern, init)
end

function string.gsub(text, pattern, ...)
  check_cost("gsub", text, pattern)
  return gsub(text, pattern, ...)
end

function string.rep(text, n, separator)
  if text == "" and (separator == nil or separator == "") then return "" end
  return rep(text, n, separator)
end

string.dump = nil

-- ---- table: only on tables without metamethods, and every comparison is counted ----

local concat, insert, remove, sort, unpack = table.concat, table.insert, table.remove, table.sort, table.unpack

local function plain(what, t)
  if type(t) ~= "table" or getmetatable(t) ~= nil then error(what .. ": expected a table without metatable", 3) end
  return t
end

function table.concat(t, ...) return concat(plain("concat", t), ...) end
function table.insert(t, ...) return insert(plain("insert", t), ...) end
function table.remove(t, ...) return remove(plain("remove", t), ...) end
function table.unpack(t, ...) return unpack(plain("unpack", t), ...) end

function table.sort(t, less)
  return sort(plain("sort", t), less and function(a, b) return less(a, b) end or function(a, b) return a < b end)
end

function table.move(from, first, last, to, into)
  into = into or from
  local step = (to > first and to <= last and into == from) and -1 or 1 -- from the end where they overlap
  for i = step > 0 and first or last, step > 0 and last or first, step do into[to + (i - first)] = from[i] end
  return into
end

-- ---- base ----

local function safe_setmetatable(t, meta)
  if type(meta) == "table" and rawget(meta, "__gc") ~= nil then error("setmetatable: this host allows no __gc", 2) end
  return setmetatable(t, meta)
end

local function caught(handler, ok, ...)
  if ok then return true, ... end
  return false, handler(...)
end

local function say(...)
  local words = {}
  for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))) end
  write(concat(words, "\t"))
end

-- ---- the core, on one thread ----

local set_threads = core.set_threads
function core.set_threads(n)
  if n ~= 1 then error("set_threads: this host allows 1 thread", 2) end
  set_threads(n)
end

-- ---- globals of both the library and the script ----

local shared = {
  assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall, print = say,
  rawequal = rawequal, rawget = rawget, rawlen = rawlen, rawset = rawset, select = select, tonumber = tonumber,
  tostring = tostring, type = type, setmetatable = safe_setmetatable, _VERSION = _VERSION,
  string = string, table = table, math = math, utf8 = utf8,
}

-- The library tells objects apart by their metatables, so it sees them; `package` holds the loaded modules.
local library = setmetatable({getmetatable = getmetatable}, {__index = shared})
local loaded = {["moonglass.core"] = core}
library.package = {loaded = loaded}

local function require(name)
  if loaded[name] == nil then
    local text = type(name) == "string" and source(name)
    if not text then error(("require: there is no module '%s' here"):format(tostring(name)), 2) end
    local module = assert(load(text, "=" .. name, "t", library))(name)
    loaded[name] = module == nil and true or module
  end
  return loaded[name]
end
shared.require = require

-- The script gets copies of these tables, so that it cannot change the library's.
local globals = {}
for name, value in pairs(shared) do globals[name] = value end
for _, name in ipairs{"string", "table", "math", "utf8"} do
  globals[name] = {}
  for key, value in pairs(shared[name]) do globals[name][key] = value end
end
globals._G = globals

function globals.getmetatable(v)
  if type(v) == "table" then return getmetatable(v) end
  return nil
end

function globals.xpcall(f, handler, ...) return caught(handler, pcall(f, ...)) end

function globals.load(chunk, name, mode, ...)
  if mode ~= nil and mode ~= "t" and mode ~= "bt" then error("load: this host takes text only", 2) end
  local environment = globals
  if select("#", ...) > 0 then environment = ... end
  return load(chunk, name, "t", environment)
end

return globals

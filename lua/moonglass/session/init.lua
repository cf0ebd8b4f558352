--- The Lua part of the program's session. The C part reads lines and calls these functions in protected mode.
--   session.begin(moon, terminal)  sets the session's globals; on a terminal it prints the keys
--   session.compile(text)       -> a function, silenced; or a message, incomplete: more lines could complete it
--   session.results(silenced, ...) keeps and prints results
--   session.complete(before, line) -> text to insert, text to list
--   session.question(line)      the name in "? name" or "name ?", or nil
--   session.trace()             the user's part of a traceback
local arity = require "moonglass.support.arity"

local session = {}

-- The functions of a session, as globals; meta.lua has their words.
---The globals of a session of the program `moonglass`, besides `moon`. `_` is the last result. Of several results `_1`
---is the first, as is `_`, and `_2` the second. A `;` at the end of a line keeps the results without printing them. `?
---name` and `help name` are `help "name"`. `who`, `clear`, `help`, `exit` and `quit` need no brackets.
---@class moonglass.session
---@name session
session.globals = {}

local known = {} -- the globals at the session's beginning

local function count(t)
  local n = 0
  for _ in next, t do n = n + 1 end
  return n
end

-- The kind of a value, and its description in one line.
local function shape_of(v)
  local native = require "moonglass.support.native"
  if native.is_tensor(v) then return "tensor", native.shape_text(v) end
  local class = require("moonglass.help.values").class_of(v)
  if class and class.name == "moonglass.History" then return "history", ("%d epochs"):format(#v.loss) end
  if class then return class.name:match("[^.]*$"):lower(), (tostring(v):match("^[^\n]*")) end
  if type(v) == "table" then return "table", ("%d entries"):format(count(v)) end
  if type(v) == "function" then return "function", "" end
  return math.type(v) or type(v), (tostring(v):match("^[^\n]*"))
end

local function cut(text, width) return #text > width and text:sub(1, width - 3) .. "..." or text end

---Print the globals of the session, with type and shape.
function session.globals.who()
  local names, wide, kinds = {}, 4, 4
  local rows = {}
  for name in next, _G do
    if type(name) == "string" and not known[name] and not name:find("^_%d*$") then names[#names + 1] = name end
  end
  table.sort(names)
  for i, name in ipairs(names) do
    local kind, shape = shape_of(_G[name])
    rows[i] = {name, kind, shape}
    wide, kinds = math.max(wide, #name), math.max(kinds, #kind)
  end
  if #rows == 0 then return print("no globals yet") end
  local format = ("%%-%ds  %%-%ds  %%s"):format(math.min(wide, 30), kinds)
  for _, row in ipairs(rows) do
    print((format:format(cut(row[1], 30), row[2], cut(row[3], 60)):gsub(" +$", "")))
  end
end

local function report(start, ...)
  print(("%.4g s"):format(require("moonglass.core").clock() - start))
  return ...
end

---Call a function and print how many seconds it took: `time(net.predict, net, x)`.
---@param f any a function or another value that can be called
---@param ... any its arguments
---@return any results all its results
function session.globals.time(f, ...)
  local errors = require "moonglass.support.errors"
  local meta = getmetatable(f)
  if type(f) ~= "function" and not (type(meta) == "table" and meta.__call) then
    errors.raise("time: got %s, expected a function: time(function() return ... end)",
      require("moonglass.support.options").show(f))
  end
  return report(require("moonglass.core").clock(), f(...))
end

---Clear the screen.
function session.globals.clear()
  local terminal = require "moonglass.support.terminal"
  if terminal.is_terminal() then terminal.write("\27[H\27[2J\27[3J") end
end

---`moon.help`.
---@param x any
function session.globals.help(x) require("moonglass.help").show(x) end

---`moon.show`.
---@param t moonglass.Tensor
---@param options moonglass.ShowOptions?
---@return true? ok with `save`
---@return string? message
---@return moonglass.Code? code
function session.globals.show(t, given) return require("moonglass.pictures.show")(t, given) end

---End the session, as Ctrl-D does.
---@param status integer|boolean? the program's exit status; success if not given
function session.globals.exit(status) os.exit(status == nil or status, true) end

---End the session, as `exit` does.
---@name session.quit(status)
---@param status integer|boolean?
session.globals.quit = session.globals.exit

arity.check_all(session.globals)

-- These are called when their name alone is typed.
local is_command = {}
for _, name in ipairs{"clear", "exit", "help", "quit", "who"} do is_command[session.globals[name]] = true end

-- While a program runs, system(3) keeps Ctrl-C from this process. If Ctrl-C ended the program, raise the same error as
-- for any computation.
local interrupt_signal = 2
local execute = os.execute

local function checked(ok, how, number, ...)
  if how == "signal" and number == interrupt_signal then error("interrupted!", 0) end
  return ok, how, number, ...
end

--- Sets the session's globals, and `moon`. A global that LUA_INIT or a script has set stays.
function session.begin(moon, is_terminal)
  moon.interactive = true -- fit shows its progress by default
  for name, f in pairs(session.globals) do
    if rawget(_G, name) == nil then rawset(_G, name, f) end
  end
  if rawget(_G, "moon") == nil then rawset(_G, "moon", moon) end
  known = {}
  for name in next, _G do known[name] = true end
  rawset(os, "execute", function(...) return checked(execute(...)) end)
  if is_terminal then print("? name: help    Tab: complete    Ctrl-C: stop    Ctrl-D or exit: leave") end
end

-- ---- chunks ----

local lost = {} -- names of variables that were local to earlier chunks

local function note(which, names)
  if #names == 0 then return end
  io.stderr:write(("note: local to %s: %s (leave out 'local' to keep %s)\n"):format(which, table.concat(names, ", "),
    #names == 1 and "it" or "them"))
end

-- Names in the chunk that are nil now but were local to an earlier chunk. Each is reported once.
local function find_lost(chunk)
  local names, own = {}, {}
  for _, name in ipairs(chunk.locals) do own[name] = true end
  for i, token in ipairs(chunk.tokens) do
    local name = token.what == "name" and chunk.text:sub(token.first, token.last)
    local before, after = (chunk.tokens[i - 1] or {}).what, (chunk.tokens[i + 1] or {}).what
    local is_field = before == "." or before == ":" or after == "="
    if lost[name] and not own[name] and not is_field and rawget(_G, name) == nil then
      lost[name] = nil
      names[#names + 1] = name
    end
  end
  return names
end

--- Compiles lines: a function, and whether its results are silenced; or a message, and whether more lines could
-- complete the code. name: of the chunk. Variables that are local to one chunk are noted on standard error.
function session.compile(text, name)
  local chunk, message, incomplete = require("moonglass.session.chunk").compile(text, name or "=stdin")
  if not chunk then return message, incomplete end
  note("an earlier entry, and gone", find_lost(chunk))
  if chunk.ends_local then note("this entry, and gone after it", chunk.locals) end
  for _, local_name in ipairs(chunk.locals) do lost[local_name] = true end
  return chunk.run, chunk.silenced
end

local most = 0 -- how many of _1, _2, ... are set

--- Sets `_` and `_1` to the first of these results, `_2` to the second, and so on. Older results are dropped: they
-- would keep their tensors in memory.
function session.keep(...)
  local n = select("#", ...)
  for i = 1, math.max(n, most) do rawset(_G, "_" .. i, i <= n and (select(i, ...)) or nil) end
  rawset(_G, "_", (...))
  most = n
end

--- The function, if a single result is one that is called when its name alone is typed; else nil.
function session.command(...)
  local f = ...
  return select("#", ...) == 1 and is_command[f] and f or nil
end

--- Keeps a chunk's values, and prints them unless silenced. A command is run instead.
function session.results(silenced, ...)
  local command = session.command(...)
  if command then return command() end
  session.keep(...)
  if not silenced then print(require("moonglass.session.values")(...)) end
end

function session.complete(before, line) return require("moonglass.session.complete")(before, line) end

--- "? moon.zeros", "moon.zeros?", "help moon.zeros" -> "moon.zeros"; "?" -> "". None of them is valid Lua.
function session.question(line)
  local name = line:match("^%s*%?+%s*(.-)%s*$") or line:match("^%s*([%w_.:]+)%s*%?+%s*$")
  if name then return name end
  name = line:match("^%s*help%s+([%a_][%w_.:]*)%s*$")
  return not require("moonglass.session.tokens").is_keyword[name] and name or nil
end

--- Prints the help for that name.
function session.answer(name) require("moonglass.help").show(name) end

-- Is a level of the stack the user's code?
local function is_users(info, folder)
  return info.currentline > 0 and info.source:sub(2, #folder + 1) ~= folder
end

-- The name of a global function. A tail call has no name on the stack.
local function global_name(f)
  for name, v in next, _G do
    if rawequal(v, f) and type(name) == "string" then return name end
  end
end

local max_frames = 8

--- The user's functions that an error went through, the innermost first, down to the typed line, without functions of
-- the library and of C; "" if there is none. The message handler calls this.
function session.trace()
  local folder = debug.getinfo(1, "S").source:match("^@(.*)session/init%.lua$") or "\0"
  local lines, level, typed = {}, 2, false
  while not typed do
    local info = debug.getinfo(level, "Slnf")
    if not info then break end
    typed = info.what == "main" and info.source == "=stdin"
    if not typed and is_users(info, folder) then
      local what = info.namewhat == "method" and "method" or "function"
      local name = info.name or global_name(info.func)
      name = name and ("'%s'"):format(name) or ("<%s:%d>"):format(info.short_src, info.linedefined)
      if info.what == "main" then what, name = "main", "chunk" end
      lines[#lines + 1] = ("\n\t%s:%d: in %s %s"):format(info.short_src, info.currentline, what, name)
    end
    level = level + 1
  end
  if #lines == 0 then return "" end
  local more = #lines - max_frames
  if more > 0 then lines[max_frames + 1] = ("\n\t... %d more"):format(more) end
  return "\nstack traceback:" .. table.concat(lines, "", 1, math.min(#lines, max_frames + 1))
end

return session

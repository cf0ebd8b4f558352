--- The engine's side of the Jupyter kernel: kernel.py sends these calls to a session of build/moonglass, one a line.
--   package.loaded.jupyter.execute(number, code)      package.loaded.jupyter.done(number)
--   package.loaded.jupyter.complete(code)             package.loaded.jupyter.inspect(code)
-- An interrupt ends one line; the next line, `done`, still runs. Replies are frames within standard output, in order
-- with what the cell prints: a zero byte, a secret token, "kind length\n" and the bytes. Output between the frames
-- "begin" and "end" belongs to the cell; the rest, for example prompts, is dropped.

-- A cell may overwrite any of Lua's globals, so these are kept as locals. _G stays shared.
local globals = {}
for name, v in pairs(_G) do globals[name] = v end
local _ENV = globals -- luacheck: ignore _ENV

local moon = require "moonglass"
local errors = require "moonglass.support.errors"
local candidates = require "moonglass.session.candidates"
local chunks = require "moonglass.session.chunk"
local help = require "moonglass.help"
local hints = require "moonglass.support.hints"
local prompt = require "moonglass.session"
local text_of = require "moonglass.session.values"

local session = {}

local stdout, token = io.stdout, os.getenv("MOONGLASS_JUPYTER_TOKEN")

-- If the kernel is gone, end.
local function send(kind, payload)
  local open = io.type(stdout) == "file"
  local sent = open and stdout:write("\0", token, (" %s %d\n"):format(kind, #payload), payload) and stdout:flush()
  if not sent then os.exit(70) end
end

-- ---- pictures ----

local largest_side = 4096

local function is_tensor(v)
  local meta = type(v) == "userdata" and getmetatable(v)
  return meta and meta.__name == "moonglass.tensor" or false
end

-- A tensor as moon.png.write takes it: bytes [height x width] or [height x width x channels].
local function is_picture(v)
  if not is_tensor(v) or v.dtype ~= "uint8" or v:rank() < 2 or v:rank() > 3 or v:numel() == 0 then return false end
  return v:size(1) <= largest_side and v:size(2) <= largest_side and (v:rank() == 2 or v:size(3) <= 4)
end

local function send_picture(picture) send("picture", moon.png.encode(picture)) end

--- show(t, options): rows as tiles, below the cell. A single row, rows [n x h*w] or [n x h x w]; options as those of
-- moon.image.grid. Without options, bytes that are not rows of squares are one picture.
local function show(t, options)
  if is_tensor(t) and t:rank() == 1 then t = t:reshape(1, -1) end
  local ok, picture = errors.caught(moon.image.grid, t, options)
  if not ok then
    if options or not is_picture(t) then error(picture, 0) end
    picture = t
  end
  send_picture(picture)
end

-- Functions that write a PNG also show it.
local function shown(write)
  local function finish(path, ok, ...)
    if ok then
      local file <close> = io.open(path, "rb")
      if file then send("picture", file:read("a")) end
    end
    return ok, ...
  end
  return function(path, ...) return finish(path, write(path, ...)) end
end

local function show_files()
  for name, draw in pairs(moon.plot) do moon.plot[name] = shown(draw) end
  moon.png.write = shown(moon.png.write)
end

-- ---- evaluation ----

-- As at the prompt, but pictures are shown as pictures.
local function show_results(silenced, ...)
  local command = prompt.command(...)
  if command then return command() end
  if select("#", ...) == 0 then return end
  prompt.keep(...)
  if silenced then return end
  local others, n = {}, 0
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    if is_picture(v) then
      send_picture(v)
    else
      n = n + 1
      others[n] = v
    end
  end
  if n > 0 then send("result", text_of(table.unpack(others, 1, n))) end
end

-- The message, a zero byte, and the traceback down to this file.
local function explain(message)
  local text = type(message) == "string" and hints(message)
    or (getmetatable(message) or {}).__tostring and tostring(message)
    or ("(error object is a %s value)"):format(type(message))
  local trace = debug.traceback("", 2):gsub("\n[^\n]*session%.lua.*$", ""):gsub("\n[^\n]*'xpcall'$", "")
  return text .. "\0" .. trace:gsub("in main chunk", "in the cell")
end

local function finish(silenced, ok, ...)
  if not ok then return ok, ... end
  return xpcall(show_results, explain, silenced, ...)
end

-- Returns what finish returns; for a text that is not Lua, the message.
local function run(number, code)
  local asked = prompt.question(code)
  if asked then
    send("result", help.text(asked) or ("there is no documentation of '%s'"):format(asked))
    return true
  end
  local chunk, flag = prompt.compile(code, ("=In[%d]"):format(number))
  if type(chunk) ~= "function" then return false, chunk end
  return finish(flag, xpcall(chunk, explain)) -- called by C: an interrupt names its caller's line
end

--- Run a cell: frames "begin", pictures and a result or an error, "end".
function session.execute(number, code)
  send("begin", "")
  local sound, ok, why = xpcall(run, explain, number, code)
  if not (sound and ok) then send("error", tostring(sound and why or ok)) end
  send("end", "")
end

function session.done(number) send("done", tostring(number)) end

--- Is a cell complete? A frame "complete", "incomplete" or "invalid".
function session.is_complete(code)
  local chunk, _, incomplete = chunks.compile(code, "=")
  send("status", (chunk or prompt.question(code)) and "complete" or incomplete and "incomplete" or "invalid")
end

--- The candidates for the last word of the code: a frame with the length of what they replace, and one on each line.
function session.complete(code)
  local list, part = candidates(code, true)
  send("matches", table.concat({list and #part or 0, table.unpack(list or {})}, "\n"))
end

--- The documentation of the name that the code ends with: a frame, empty if there is none.
function session.inspect(code)
  local name = code:match("([%a_][%w_.:]*)[({\"]*$")
  send("help", name and help.text(name) or "")
end

stdout:setvbuf("line")
_G.show = show
show_files()
send("ready", ("%s\n%s"):format(moon.info().version, _VERSION))
return session

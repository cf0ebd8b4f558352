--- The engine's side of the Jupyter kernel: what kernel.py has a session of build/moonglass run, one call a line.
--   package.loaded.jupyter.execute(number, code)      package.loaded.jupyter.done(number)
--   package.loaded.jupyter.complete(code)             package.loaded.jupyter.inspect(code)
-- The session gives every line its own protection against Ctrl-C: an interrupt ends a line, and `done`, the line after
-- it, still runs. Replies are frames within standard output, in their place among what the cell prints: a zero byte, a
-- token that nobody else knows, "kind length\n" and the bytes. What is printed between the frames "begin" and "end" is
-- the cell's; the rest, prompts for example, is nobody's.
local moon = require "moonglass"
local errors = require "moonglass.errors"
local candidates = require "moonglass.session.candidates"
local help = require "moonglass.help"
local hints = require "moonglass.hints"

local session = {}

local stdout, token = io.stdout, os.getenv("MOONGLASS_JUPYTER_TOKEN")

-- Requests come by standard input: what reads it would wait for the wrong thing.
rawset(io, "stdin", assert(io.open("/dev/null", "rb")))
io.input(io.stdin)

-- If nobody listens any more, there is nothing to go on for.
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

--- show(t, options): rows as tiles, below the cell. A row alone, rows [n x h*w] or [n x h x w]; options as those of
-- moon.image.grid. Without any, bytes that are no rows of squares are a picture already.
local function show(t, options)
  if is_tensor(t) and t:rank() == 1 then t = t:reshape(1, -1) end
  local ok, picture = errors.caught(moon.image.grid, t, options)
  if not ok then
    if options or not is_picture(t) then error(picture, 0) end
    picture = t
  end
  send_picture(picture)
end

-- What writes a PNG shows it as well.
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

-- As statements of which the last, if it is an expression, gives the cell's results; with ; behind it, it does not.
local function compile(number, code)
  local name, at = ("=In[%d]"):format(number), 0
  repeat
    local head, tail = code:sub(1, at), code:sub(at + 1):gsub(";%s*$", "")
    -- One that begins with a bracket or a quote might go on with the line before.
    local may_begin = at == 0 or tail:find("^%s*[%w_#-]")
    if may_begin and load("return " .. tail) and load(head) then
      -- As a call that is no tail call: that would leave no trace of the cell.
      return load(("%s return select(1, %s\n)"):format(head, tail), name)
    end
    at = at == 0 and #code or code:sub(1, at - 1):match("^.*()[\n;]")
  until not at
  return load(code, name)
end

local function is_silenced(code) return code:find(";%s*$") ~= nil end

local function show_results(silenced, ...)
  if select("#", ...) == 0 then return end
  _G._ = (...)
  if silenced then return end
  local texts = {}
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    if is_picture(v) then send_picture(v) else texts[#texts + 1] = tostring(v) end
  end
  if #texts > 0 then send("result", table.concat(texts, "\t")) end
end

-- The message, a zero byte, and the traceback down to this file.
local function explain(message)
  local text = type(message) == "string" and hints(message)
    or (getmetatable(message) or {}).__tostring and tostring(message)
    or ("(error object is a %s value)"):format(type(message))
  text = text:gsub("^[^\n]-session%.lua:%d+: ", "") -- the cell's own place is gone when its last call is a tail call
  local trace = debug.traceback("", 2):gsub("\n[^\n]*session%.lua.*$", "")
  return text .. "\0" .. trace:gsub("in upvalue 'chunk'", "in the cell")
end

-- "?name", or "name?".
local function asked_for(code) return code:match("^%s*%?+%s*([%w_.:]+)%s*$") or code:match("^%s*([%w_.:]+)%?+%s*$") end

--- Run a cell: frames "begin", pictures and a result or an error, "end".
function session.execute(number, code)
  send("begin", "")
  local asked, chunk, message = asked_for(code), nil, nil
  if asked then
    send("result", help.text(asked) or ("nothing is known of '%s'"):format(asked))
  else
    chunk, message = compile(number, code)
  end
  if chunk then
    local ok, why = xpcall(function() show_results(is_silenced(code), chunk()) end, explain)
    message = not ok and why
  end
  if message then send("error", message) end
  send("end", "")
end

function session.done(number) send("done", tostring(number)) end

--- Is a cell complete? A frame "complete", "incomplete" or "invalid".
function session.is_complete(code)
  local chunk, message = compile(0, code)
  local open = message and message:find("<eof>$")
  send("status", chunk and "complete" or open and "incomplete" or "invalid")
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

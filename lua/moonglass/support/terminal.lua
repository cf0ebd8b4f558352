--- What standard output can show: is it a terminal, how wide, which colours and characters. The answers come from the
-- environment and from shell commands, which inherit our standard output. A host may lack both.
local host = require "moonglass.support.host"

local terminal = {}

--- An environment variable; nil if it is unset or empty.
function terminal.env(name)
  local os = host.os
  local value = os and os.getenv and os.getenv(name)
  return value ~= "" and value or nil
end

--- Is standard output a terminal?
function terminal.is_terminal()
  local os = host.os
  return os ~= nil and os.execute ~= nil and os.execute("test -t 1") == true
end

--- io.popen: a pipe, or nil, message if the program cannot be started or this Lua starts no programs.
function terminal.popen(command)
  local ok, pipe, message = pcall(host.io.popen, command, "r")
  if ok then return pipe, message end
  local refused = type(pipe) == "string" and pipe:find("'popen' not supported", 1, true)
  if not refused then error(pipe, 0) end -- such as an interrupt
  return nil, pipe
end

--- Lines and columns of the terminal; 24 and 80 if they are unknown.
function terminal.size()
  local io = host.io
  local lines, columns
  if io and io.popen and terminal.is_terminal() then
    local pipe = terminal.popen("stty size 2>/dev/null </dev/tty")
    if pipe then
      lines, columns = (pipe:read("a") or ""):match("^(%d+) (%d+)")
      pipe:close()
    end
  end
  lines, columns = math.tointeger(tonumber(lines)), math.tointeger(tonumber(columns))
  return lines and lines > 0 and lines or 24, columns and columns > 0 and columns or 80
end

--- Is the locale's encoding UTF-8?
function terminal.is_utf8()
  local locale = terminal.env("LC_ALL") or terminal.env("LC_CTYPE") or terminal.env("LANG") or ""
  return locale:lower():find("utf%-?8") ~= nil
end

--- The number of colours: 0, 256 or 16777216. NO_COLOR in the environment, or a dumb terminal, means 0.
function terminal.colours()
  local term = terminal.env("TERM")
  if terminal.env("NO_COLOR") or not term or term == "dumb" then return 0 end
  local depth = terminal.env("COLORTERM")
  return (depth == "truecolor" or depth == "24bit") and 1 << 24 or 256
end

-- Lines written so far: a picture that is redrawn in place finds its own position from it.
terminal.lines_written = 0

--- Writes to standard output and flushes it. Without io it does nothing.
function terminal.write(text)
  local io = host.io
  if not (io and io.stdout) then return end
  local _, lines = text:gsub("\n", "")
  terminal.lines_written = terminal.lines_written + lines
  io.stdout:write(text)
  io.stdout:flush()
end

return terminal

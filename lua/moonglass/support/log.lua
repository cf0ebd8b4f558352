--- moon.set_log, and where the lines and the warnings of fit go: to a function of the script, else to the host's log,
-- else to standard output and standard error.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local host = require "moonglass.support.host"
local options = require "moonglass.support.options"

local log = {}

local sink = core.log

---Set the function that gets the lines that `fit` prints with `verbose`.
---@name moon.set_log(f)
---@param f (fun(line: string))? called with a line without newline; nil: the host's log, or standard output
function log.set_log(f)
  if f ~= nil and type(f) ~= "function" then
    errors.raise("set_log: got %s, expected a function or nil", options.show(f))
  end
  sink = f or core.log
end

-- A text from a progress display, of which the log gets whole lines only.
local function write_line(text)
  local line = text:match("^\r?(.-)\n$")
  if sink and line and line ~= "" then sink(line) end
end

--- A function write(text) that writes whole lines to the log; nil if lines go to standard output.
function log.writer() return sink and write_line or nil end

--- One line for the user, to the log or to standard error. nil: nothing.
function log.warn(words)
  if not words then return end
  if sink then
    sink("warning: " .. words)
  elseif host.io and host.io.stderr then
    host.io.stderr:write("moonglass: warning: ", words, "\n")
  end
end

return log

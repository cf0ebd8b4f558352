--- Runs gnuplot: a script with the user's numbers and texts becomes a PNG file.
-- The command line is always the same. The user's texts are escaped, so that no byte of them means anything to gnuplot.
-- The file appears whole or not at all.
local files = require "moonglass.support.files"
local host = require "moonglass.support.host"
local terminal = require "moonglass.support.terminal"

local io, os = host.io, host.os

local gnuplot = {}

--- A text as a gnuplot string in double quotes. Every character that is not a letter becomes an octal escape. So it can
-- neither end the string, nor be a shell command or a macro. Digits too: a digit would belong to the escape before it.
function gnuplot.quote(text)
  local escaped = text:gsub("[^A-Za-z ]", function(c) return ("\\%03o"):format(c:byte()) end)
  return '"' .. escaped .. '"'
end

-- ---- scripts ----

local Script = {}
Script.__index = Script

--- A new, empty script.
function gnuplot.new_script() return setmetatable({lines = {}, blocks = 0}, Script) end

--- A finite number as text.
function gnuplot.number(v) return files.number("%.12g", v) end

--- Adds a line. The format's values are integers or quoted texts.
function Script:add(line, ...)
  self.lines[#self.lines + 1] = select("#", ...) > 0 and line:format(...) or line
end

-- A value that is nil or not finite is a gap.
local function cell(v) return v and v - v == 0 and gnuplot.number(v) or "NaN" end

--- Adds a datablock with the first n numbers of each list, one list per column. Returns its name.
function Script:block(n, ...)
  local lists, rows = {...}, {}
  for i = 1, n do
    local row = {}
    for k, list in ipairs(lists) do row[k] = cell(list[i]) end
    rows[i] = table.concat(row, " ")
  end
  self.blocks = self.blocks + 1
  local name = "$data" .. self.blocks
  self:add(name .. " << EOD")
  self:add(table.concat(rows, "\n"))
  self:add("EOD")
  return name
end

-- ---- the process ----

-- A host may lack the functions that start programs and write files.
local function can_run()
  return host.io and host.os and io.popen and io.open and os.tmpname and os.remove
end

-- gnuplot's messages on one line. Its end says what is wrong, so the start of a long one is cut.
local function complaint(output)
  local text = output:gsub("%s+", " "):match("^ ?(.-) ?$")
  return #text > 300 and "..." .. text:sub(-300) or text
end

local function ending(how, status)
  if how == "exit" then return ("ended with status %d"):format(status) end
  if how == "signal" then return ("was ended by signal %d"):format(status) end
  return tostring(how)
end

-- true | nil, message. The script is read from a file, not through a pipe: writing to a gnuplot that has ended, or is
-- not installed, would end this process (SIGPIPE).
local function run(path)
  local pipe, message = terminal.popen(("exec gnuplot -d <%s 2>&1"):format(path))
  if not pipe then return nil, ("gnuplot cannot be started: %s"):format(message) end
  local output = pipe:read("a")
  local ok, how, status = pipe:close()
  if ok then return true end
  if how == "exit" and status == 127 then
    return nil, "there is no program gnuplot (Debian's package gnuplot-nox)"
  end
  return nil, ("gnuplot %s: %s"):format(ending(how, status), complaint(output or ""))
end

local function write_file(path, ...)
  local file, message = io.open(path, "wb")
  if not file then return nil, message end
  local ok
  ok, message = file:write(...)
  local closed, close_message = file:close()
  if ok and closed then return true end
  return nil, ("%s: %s"):format(path, message or close_message)
end

-- Runs a script from a temporary file.
local function run_script(text)
  local path = os.tmpname()
  local ok, message = write_file(path, text)
  if ok then ok, message = run(path) end
  os.remove(path)
  return ok, message
end

-- The last chunk of every PNG. If it is missing, the disk is full, or gnuplot drew nothing, which it counts as success.
local png_end = "\0\0\0\0IEND\xAE\x42\x60\x82"

-- The picture's bytes | nil, message
local function read_png(path)
  local file, message = io.open(path, "rb")
  if not file then return nil, message end
  local bytes
  bytes, message = file:read("a")
  file:close()
  if not bytes then return nil, ("%s: %s"):format(path, message) end
  if bytes:sub(-#png_end) == png_end then return bytes end
  return nil, "gnuplot has not written the whole picture"
end

local function with_output(lines, path, width, height)
  local head = {
    "set encoding utf8",
    ('set terminal pngcairo noenhanced size %d,%d font "sans,10" background "#ffffff"'):format(width, height),
    "set output " .. gnuplot.quote(path),
  }
  return table.concat(head, "\n") .. "\n" .. table.concat(lines, "\n") .. "\nunset output\n"
end

-- The bytes of the picture, by way of a temporary file | nil, message
local function draw(lines, width, height)
  local path = os.tmpname()
  local bytes
  local ok, message = run_script(with_output(lines, path, width, height))
  if ok then bytes, message = read_png(path) end
  os.remove(path)
  return bytes, message
end

--- Runs the script and writes its picture of width x height pixels to the file. true | nil, message, code
function Script:draw(what, path, width, height)
  if files.lacking(what) then return files.refuse(what) end
  if not can_run() then
    return nil, what .. ": this host does not let Lua run programs (io.popen), so gnuplot cannot run", "I/O"
  end
  local ok
  local bytes, message = draw(self.lines, width, height)
  if bytes then ok, message = files.write(path, bytes) end
  if ok then return true end
  return nil, ("%s: %s"):format(what, message), "I/O"
end

return gnuplot

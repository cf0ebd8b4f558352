--- moon.callbacks.csv_logger: a line in a CSV file for each epoch.
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local host = require "moonglass.support.host"
local monitor = require "moonglass.net.callbacks.monitor"
local options = require "moonglass.support.options"
local paths = require "moonglass.net.callbacks.paths"

local io = host.io

---@class moonglass.callbacks
local callbacks = {}

local columns = "epoch,loss,val_loss,seconds"
local head = columns .. "\n"

-- ---- lines ----

local function number_text(v) return v and files.number("%.9g", v) or "" end

local function line_of(epoch, loss, val_loss, seconds)
  return ("%d,%s,%s,%s\n"):format(epoch, number_text(loss), number_text(val_loss), number_text(seconds))
end

-- The lines of epochs `from` to `to` of a history, which may begin later.
local function lines_of_history(history, from, to)
  local lines, before = {}, history.epochs - #history.loss
  for epoch = math.max(from, before + 1), math.min(to, history.epochs) do
    local i = epoch - before
    lines[#lines + 1] = line_of(epoch, history.loss[i], history.val_loss[i], history.epoch_seconds[i])
  end
  return table.concat(lines)
end

local function epoch_of(line) return line and math.tointeger(tonumber(line:match("^(%d+),"))) or 0 end

-- The whole lines of a text, without those of epochs after `epoch` at its end; and the epoch of the last one.
local function up_to(text, epoch)
  local lines = {}
  for line in text:gmatch("[^\n]*\n") do lines[#lines + 1] = line end
  while epoch_of(lines[#lines]) > epoch do lines[#lines] = nil end
  return table.concat(lines), epoch_of(lines[#lines])
end

-- Is the line complete? A number may be cut off within its exponent.
local function is_whole(line)
  local seconds = line:match("^%d+,[^,]*,[^,]*,([^,]+)$")
  return seconds ~= nil and tonumber(seconds) ~= nil
end

-- The text with its last line ended by a newline, or removed if it was cut off.
local function mended(text)
  local before, last = text:match("^(.-)([^\n]*)$")
  if last == "" then return text end
  if before == "" then return last == columns and head or "" end
  return is_whole(last) and text .. "\n" or before
end

-- ---- the file ----

-- The messages of write and close do not name the file, as that of io.open does.
local function must_with_path(path, ok, message) paths.must("csv_logger", ok, ("%s: %s"):format(path, message)) end

-- A file's text, "" if there is none.
local function read_file(path)
  local kind = files.file_kind(path)
  if not kind or kind == "link" then return "" end -- a link to nothing
  local text, message = files.read("csv_logger", path)
  paths.must("csv_logger", text, message)
  return text
end

-- A file with other columns is not ours: it is neither appended to nor overwritten. A first line without its end may be
-- ours, cut off. Some programs put a byte-order mark before it.
local function check_columns(path, text)
  local first, ending = text:gsub("^\xEF\xBB\xBF", ""):match("^([^\r\n]*)(\r?\n?)")
  if first == columns or (ending == "" and columns:sub(1, #first) == first) then return end
  errors.raise("csv_logger: %s has the columns '%s', expected '%s': give another path, or move that file away", path,
    (first:sub(1, 80):gsub("[^ -~]", "?")), columns)
end

local function rewrite(path, text, kept)
  if kept ~= text then paths.must("csv_logger", files.write(path, kept)) end
end

local function mend_file(path)
  local text = read_file(path)
  rewrite(path, text, mended(text))
end

-- A training that was killed may have logged epochs that its checkpoint lacks, or lack lines of epochs that it has.
local function make_file_agree(path, state)
  local text = read_file(path)
  local kept, last = up_to(text, state.initial_epoch)
  if kept == "" then kept = head end
  rewrite(path, text, kept .. lines_of_history(state.history, last + 1, state.initial_epoch))
end

-- ---- the callback ----

---Options of `moon.callbacks.csv_logger`.
---@class moonglass.CsvLoggerOptions
---@field append boolean? default false; true: write after the file's lines; an incomplete last line is removed
local logger_options = options.checker("csv_logger", {append = {"flag", false}})

---Write one line per epoch to a file: epoch,loss,val_loss,seconds. A resumed training appends to its file. A file with
---other columns is an error and stays unchanged.
---@param path string
---@param options moonglass.CsvLoggerOptions?
---@return moonglass.Callback callback
function callbacks.csv_logger(path, given)
  paths.check("csv_logger", path, true)
  local o = logger_options(given)
  local self, file = {writes = true}, nil

  local function write(text)
    local ok, message = file:write(text)
    if ok then ok, message = file:flush() end
    must_with_path(path, ok, message)
  end

  function self.check()
    paths.check_writable("csv_logger", path, true)
    check_columns(path, read_file(path))
  end

  function self.on_train_begin(_, state)
    if state.resumed then make_file_agree(path, state) elseif o.append then mend_file(path) end
    local message
    file, message = io.open(path, (o.append or state.resumed) and "a" or "w")
    paths.must("csv_logger", file, message)
    if file:seek("end") == 0 then write(head) end
  end

  function self.on_epoch_end(_, state) write(line_of(state.epoch, state.loss, state.val_loss, state.seconds)) end

  function self.on_abort()
    if file then file:close() end
    file = nil
  end

  function self.on_train_end()
    local ended = file
    file = nil
    must_with_path(path, ended:close())
  end
  return monitor.built_in(self)
end

return callbacks

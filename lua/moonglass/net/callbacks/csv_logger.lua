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

-- ---- lines ----

-- The names of the columns: epoch, loss, val_loss, then metrics, and seconds, which is never empty, at the end.
local function columns_of(state)
  local names = {"epoch", "loss", "val_loss"}
  for _, name in ipairs(state.figures) do
    if name ~= "loss" and name ~= "val_loss" then names[#names + 1] = name end
  end
  names[#names + 1] = "seconds"
  return names
end

local function number_text(v) return v and files.number("%.9g", v) or "" end

-- values: by the names of the columns.
local function line_of(columns, epoch, values)
  local words = {("%d"):format(epoch)}
  for i = 2, #columns do words[i] = number_text(values[columns[i]]) end
  return table.concat(words, ",") .. "\n"
end

-- The figures of epoch i of a history; k: the place of its validation, or nil.
local function values_of_epoch(history, i, k)
  local values = {loss = history.loss[i], val_loss = k and history.val_loss[k], seconds = history.epoch_seconds[i]}
  for name, list in pairs(history.metrics) do values[name] = list[name:find("^val_") and (k or 0) or i] end
  return values
end

-- The lines of epochs `from` to `to` of a history, which may begin later.
local function lines_of_history(columns, history, from, to)
  local lines, before, validation = {}, history.epochs - #history.loss, {}
  for k, epoch in ipairs(history.val_epochs) do validation[epoch] = k end
  for epoch = math.max(from, before + 1), math.min(to, history.epochs) do
    lines[#lines + 1] = line_of(columns, epoch, values_of_epoch(history, epoch - before, validation[epoch]))
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
local function is_whole(columns, line)
  local seconds = line:match("^%d+" .. (",[^,]*"):rep(#columns - 2) .. ",([^,]+)$")
  return seconds ~= nil and tonumber(seconds) ~= nil
end

-- The text with its last line ended by a newline, or removed if it was cut off.
local function mended(columns, text)
  local before, last = text:match("^(.-)([^\n]*)$")
  if last == "" then return text end
  if before == "" then return last == table.concat(columns, ",") and last .. "\n" or "" end
  return is_whole(columns, last) and text .. "\n" or before
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
local function check_columns(path, columns, text)
  columns = table.concat(columns, ",")
  local first, ending = text:gsub("^\xEF\xBB\xBF", ""):match("^([^\r\n]*)(\r?\n?)")
  if first == columns or (ending == "" and columns:sub(1, #first) == first) then return end
  errors.raise("csv_logger: %s has the columns '%s', expected '%s': give another path, or move that file away", path,
    (first:sub(1, 80):gsub("[^ -~]", "?")), columns)
end

local function rewrite(path, text, kept)
  if kept ~= text then paths.must("csv_logger", files.write(path, kept)) end
end

local function mend_file(path, columns)
  local text = read_file(path)
  rewrite(path, text, mended(columns, text))
end

-- A training that was killed may have logged epochs that its checkpoint lacks, or lack lines of epochs that it has.
local function make_file_agree(path, columns, state)
  local text = read_file(path)
  local kept, last = up_to(text, state.initial_epoch)
  if kept == "" then kept = table.concat(columns, ",") .. "\n" end
  rewrite(path, text, kept .. lines_of_history(columns, state.history, last + 1, state.initial_epoch))
end

-- ---- the callback ----

---Options of `moon.callbacks.csv_logger`.
---@class moonglass.CsvLoggerOptions
---@field append boolean? default false; true: write after the file's lines; an incomplete last line is removed
local logger_options = options.checker("csv_logger", {append = {"flag", false}})

---Write one line per epoch to a file: epoch,loss,val_loss,seconds; the option `metrics` of `fit` adds a column for each
---before seconds. A resumed training appends to its file. A file with other columns is an error and stays unchanged.
---@param path string
---@param options moonglass.CsvLoggerOptions?
---@return moonglass.Callback callback
function callbacks.csv_logger(path, given)
  paths.check("csv_logger", path, true)
  local o = logger_options(given)
  local self, file, columns = {writes = true}, nil, nil

  local function write(text)
    local ok, message = file:write(text)
    if ok then ok, message = file:flush() end
    must_with_path(path, ok, message)
  end

  function self.check(_, state)
    paths.check_writable("csv_logger", path, true)
    check_columns(path, columns_of(state), read_file(path))
  end

  function self.on_train_begin(_, state)
    columns = columns_of(state)
    if state.resumed then make_file_agree(path, columns, state) elseif o.append then mend_file(path, columns) end
    local message
    file, message = io.open(path, (o.append or state.resumed) and "a" or "w")
    paths.must("csv_logger", file, message)
    if file:seek("end") == 0 then write(table.concat(columns, ",") .. "\n") end
  end

  function self.on_epoch_end(_, state)
    local values = {loss = state.loss, val_loss = state.val_loss, seconds = state.seconds}
    for name, v in pairs(state.metrics) do values[name] = v end
    write(line_of(columns, state.epoch, values))
  end

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

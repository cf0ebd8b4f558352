--- moon.data.csv: rows of numbers from a CSV file. The reader is the engine's (csrc/engine/formats/csv.c); here are its
-- options, and two ways to have the rows: in one tensor, which is made once, for as many rows as the file has lines; or
-- as a source, which remembers where in the file each block of rows begins.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local files = require "moonglass.support.files"
local options = require "moonglass.support.options"

local what = "data.csv"

---@class moonglass.data
local data = {}

---Options of `moon.data.csv`.
---@class moonglass.CsvOptions
---@field header boolean|"auto"? has the first line names? If not given: yes, if one of its cells is no number
---@field delimiter string? default "auto": a tab, else ";", else ",", else "|", whichever the first line has
---@field decimal "."|","|"auto"? default "auto": "." with delimiter ",", else as in the first number that has either
---@field columns (string|integer)[]? which, in this order, by name or number; if not given: all but the label
---@field ignore (string|integer)[]? in place of `columns`: which not, such as times and notes
---@field like moonglass.Detector|moonglass.CsvInfo? a detector, or `info` of another file: its columns and texts
---@field label string|integer? a column of labels: numbers, or texts, which become class numbers from 0
---@field classes string[]? `info.classes` of another file: the texts of the labels from class 0
---@field categorical table? columns of texts, to be columns of 0 and 1: names, or `info.categories` of another file
---@field missing string[]? texts of cells without a number; if not given: "", "NA", "nan" and "?"
---@field rows integer[]? {from, to}: only these rows, from 1
---@field stream boolean? default false; true: x is a source, so that the file may be larger than memory
local check = options.checker(what, {
  header = {"any"}, delimiter = {"text", "auto"}, decimal = {{".", ",", "auto"}, "auto"},
  columns = {"list"}, ignore = {"list"}, like = {"any"}, label = {"any"}, classes = {"texts"}, categorical = {"any"},
  missing = {"texts"}, rows = {"list"}, stream = {"flag", false},
})

---What `moon.data.csv` tells of a file.
---@class moonglass.CsvInfo
---@field columns string[] the names of the columns of x; "color=red" for a text of a categorical one
---@field labels moonglass.Tensor|moonglass.Source? float32 [n]: the labels, NaN where missing; a source if x is one
---@field classes string[]? the names of the classes from 0, if the labels are texts
---@field categories table<string, string[]> the texts of each categorical column
---@field missing integer how many cells were missing
---@field header boolean did the first line have names?

-- ---- options ----

-- The name or the number of a column, as text.
local function column(name, v)
  if type(v) == "number" then
    checks.whole(what, name, v, 1, math.maxinteger)
    return ("%d"):format(v)
  end
  if type(v) == "string" and not v:find("\0", 1, true) then return v end
  errors.raise("%s: %s is %s, expected the name or the number of a column", what, name, options.show(v))
end

local function texts(name, list)
  for i = 1, #list do
    if type(list[i]) ~= "string" or list[i]:find("\0", 1, true) then
      errors.raise("%s: %s[%d] is %s, expected a text", what, name, i, options.show(list[i]))
    end
  end
  return list
end

-- A list of {column, texts or nil}, in the order of the list, or of the names.
local function categories(given)
  if type(given) ~= "table" then
    errors.raise("%s: categorical is %s, expected a list of columns, or {column = {texts}}", what, options.show(given))
  end
  local list, names = {}, {}
  for i, v in ipairs(given) do list[i] = {column(("categorical[%d]"):format(i), v)} end
  for name, v in pairs(given) do
    if type(name) == "string" then
      if type(v) ~= "table" then
        errors.raise("%s: categorical.%s is %s, expected a list of texts", what, name, options.show(v))
      end
      names[#names + 1] = name
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do list[#list + 1] = {name, texts("categorical." .. name, given[name])} end
  return list
end

local function columns_of(name, list)
  if not list then return nil end
  if #list == 0 then errors.raise("%s: %s is an empty list, expected names or numbers of columns", what, name) end
  local result = {}
  for i, v in ipairs(list) do result[i] = column(("%s[%d]"):format(name, i), v) end
  return result
end

-- The options that give rows the columns of a detector, or of another file: "valve=open" comes from the column "valve".
local function with_like(o)
  local like = o.like
  if like == nil then return o end
  for _, name in ipairs{"columns", "ignore", "categorical"} do
    if o[name] then errors.raise("%s: like and %s are given, expected one of them", what, name) end
  end
  local is_info = type(like) == "table" and like.columns and like.categories
  if not is_info and not native.is(like, "moonglass.detector") then
    errors.raise("%s: like is %s, expected a detector, or the info of another file", what, options.show(like))
  end
  local source, columns, taken = {}, {}, {}
  for name, list in pairs(like.categories) do
    for _, text in ipairs(list) do source[name .. "=" .. text] = name end
  end
  for _, name in ipairs(like.columns) do
    local wanted = source[name] or name
    if not taken[wanted] then columns[#columns + 1] = wanted end
    taken[wanted] = true
  end
  o.columns, o.categorical = columns, like.categories
  if o.label ~= nil and not o.classes and is_info then o.classes = like.classes end
  return o
end

local function character(name, text)
  if text == "auto" then return nil end
  if #text ~= 1 then errors.raise("%s: %s is '%s', expected one character, or 'auto'", what, name, text) end
  return text
end

local function header(v)
  if v == nil or v == "auto" then return 0 end
  if type(v) == "boolean" then return v and 1 or -1 end
  errors.raise("%s: header is %s, expected true, false or 'auto'", what, options.show(v))
end

-- The core's configuration.
local function config_of(o)
  local list = categories(o.categorical or {})
  local label = o.label ~= nil and column("label", o.label) or nil
  if o.classes then
    if not label then errors.raise("%s: classes are given, but no label", what) end
    list[#list + 1] = {label, texts("classes", o.classes)}
  end
  if o.columns and o.ignore then errors.raise("%s: columns and ignore are given, expected one of them", what) end
  return {
    header = header(o.header), delimiter = character("delimiter", o.delimiter),
    decimal = character("decimal", o.decimal), label = label,
    columns = columns_of("columns", o.columns), ignore = columns_of("ignore", o.ignore),
    missing = o.missing and texts("missing", o.missing),
    categories = list,
  }
end

-- The first and the last row that are wanted.
local function range(rows)
  if not rows then return 1, math.maxinteger end
  local from, to = rows[1], rows[2] or math.maxinteger
  checks.whole(what, "rows[1]", from, 1, math.maxinteger)
  checks.whole(what, "rows[2]", to, 1, math.maxinteger)
  if from > to then errors.raise("%s: rows is {%d, %d}, expected a first and a last row", what, from, to) end
  return math.tointeger(from), math.tointeger(to)
end

-- ---- reading ----

local function lacking(path, from, found)
  if from == 1 then return nil, ("'%s': it has no rows"):format(path), "format" end
  return nil, ("'%s': row %d is wanted, it has %d"):format(path, from, found), "format"
end

-- Go past the rows before `from`. true | nil, message, code
local function skip(path, csv, from)
  local done = 0
  while done < from - 1 do
    local n, message, code = core.csv_skip(csv, from - 1 - done)
    if not n then return nil, message, code end
    if n == 0 then return lacking(path, from, done) end
    done = done + n
  end
  return true
end

-- Fill x and labels as far as there are rows: how many | nil, message, code.
local function fill(csv, x, labels)
  local done, most = 0, #x
  while done < most do
    local n, message, code = core.csv_read(csv, x:rows(done + 1, most), labels and labels:rows(done + 1, most))
    if not n then return nil, message, code end
    if n == 0 then break end
    done = done + n
  end
  return done
end

-- x, labels | nil, message, code
local function read(path, csv, o)
  local from, to = range(o.rows)
  local most, message, code = core.csv_most_rows(csv)
  if not most then return nil, message, code end
  local ok
  ok, message, code = skip(path, csv, from)
  if not ok then return nil, message, code end
  most = math.min(most - from + 1, to - from + 1) + (o.rows and o.rows[2] and 0 or 1) -- one more: is there an end?
  local x = core.zeros(math.max(most, 1), #core.csv_columns(csv))
  local labels = o.label ~= nil and core.zeros(#x) or nil
  local rows
  rows, message, code = fill(csv, x, labels)
  if not rows then return nil, message, code end
  if rows == 0 then return lacking(path, from, from - 1) end
  return x:rows(1, rows), labels and labels:rows(1, rows)
end

-- ---- streaming ----

local block_bytes = 2 * 1024 * 1024

-- Read all rows once, which checks them: the places where blocks begin, the number of rows | nil, message, code.
local function scan(path, csv, o, block)
  local from, to = range(o.rows)
  local ok, message, code = skip(path, csv, from)
  if not ok then return nil, message, code end
  local places, rows = {}, 0
  local x = core.zeros(block, #core.csv_columns(csv))
  local labels = o.label ~= nil and core.zeros(block) or nil
  while rows < to - from + 1 do
    local offset, line = core.csv_tell(csv)
    local most = math.min(block, to - from + 1 - rows)
    local n
    n, message, code = fill(csv, x:rows(1, most), labels and labels:rows(1, most))
    if not n then return nil, message, code end
    if n > 0 then places[#places + 1] = {offset, line} end
    rows = rows + n
    if n < block then break end
  end
  if rows == 0 then return lacking(path, from, from - 1) end
  return places, rows
end

-- Reads rows first to first + n - 1, which lie in one block: x, labels.
local function reader(path, csv, o, block, places)
  local width = #core.csv_columns(csv)
  return function(first, n)
    local x, labels = core.zeros(n, width), o.label ~= nil and core.zeros(n) or nil
    local number = (first - 1) // block
    local before = first - 1 - number * block
    local done, message = core.csv_seek(csv, places[number + 1][1], places[number + 1][2])
    if done and before > 0 then done, message = core.csv_skip(csv, before) end
    if done then done, message = fill(csv, x, labels) end
    if done ~= n then error(message or ("'%s' has become shorter since it was opened"):format(path), 0) end
    return x, labels
  end
end

-- Sources of x and labels | nil, message, code
local function stream(path, csv, o)
  local width = #core.csv_columns(csv)
  local block = math.max(block_bytes // (4 * width), 1)
  core.csv_seek(csv, core.csv_tell(csv)) -- raises for what cannot be read twice
  local places, rows, code = scan(path, csv, o, block)
  if not places then return nil, rows, code end
  local get = reader(path, csv, o, block, places)
  local x = core.source(rows, width, function(first, n) return (get(first, n)) end, block)
  if o.label == nil then return x end
  return x, core.source(rows, 1, function(first, n) return (select(2, get(first, n))) end, block)
end

-- ---- the whole ----

-- x, info | nil, message, code
local function load(path, o)
  local csv, message, code = core.csv_open(path, config_of(o))
  if not csv then return nil, message, code end
  local _ <close> = not o.stream and csv or nil
  local x, labels
  x, labels, code = (o.stream and stream or read)(path, csv, o)
  if not x then return nil, labels, code end
  local has_names, missing = core.csv_state(csv)
  return x, {
    columns = core.csv_columns(csv), labels = labels, classes = core.csv_classes(csv),
    categories = core.csv_categories(csv), missing = missing, header = has_names,
  }
end

---Read a CSV file, plain or gzipped: `x, info = assert(moon.data.csv("sensors.csv", {label = "fault"}))`. Cells that
---are missing are NaN. A cell that is no number, or one that could be two, is an error with its place: `ignore` leaves
---a column out, `categorical` makes columns of 0 and 1 of its texts. With `stream = true` the file is read once to
---check it, and then block by block whenever rows are needed; it must not be gzipped.
---@param path string
---@param options moonglass.CsvOptions?
---@return moonglass.Tensor|moonglass.Source? x float32 [n x d]; nil if the file cannot be read
---@return moonglass.CsvInfo|string info or the message
---@return moonglass.Code? code
function data.csv(path, given)
  checks.path(what, path)
  local o = with_like(check(given))
  if not core.csv_open then return files.refuse(what) end
  return errors.guard(load, path, o)
end

return data

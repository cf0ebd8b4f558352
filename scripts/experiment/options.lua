--- The command line of a script, by argparse: its own options and those of all scripts. A mistake ends the program with
-- one line and status 2.
local argparse = require "argparse"
local question = require("moonglass.support.options").question

local options = {}

-- ---- readers: a text -> a value, or nil, message ----

local function number_reader(what, fits)
  return function(text)
    local v = tonumber(text)
    if v and v == v and fits(v) then return v end
    return nil, ("'%s' is not %s"):format(text, what)
  end
end

local function whole_reader(what, fits)
  return function(text)
    local v = math.tointeger(tonumber(text))
    if v and fits(v) then return v end
    return nil, ("'%s' is not %s"):format(text, what)
  end
end

local most_items = 64

-- A reader of lists like 256,128. item: the reader of an element.
local function list_reader(what, item)
  return function(text)
    local list = {}
    for part in (text .. ","):gmatch("([^,]*),") do
      local v = item(part)
      if v == nil or #list == most_items then return nil, ("'%s' is not %s"):format(text, what) end
      list[#list + 1] = v
    end
    return list
  end
end

local function is_one_of(known, name)
  for _, other in ipairs(known) do
    if name == other then return true end
  end
  return false
end

-- A reader of one of the known names.
local function name_reader(known)
  return function(text)
    if is_one_of(known, text) then return text end
    return nil, ("'%s' is not one of %s%s"):format(text, table.concat(known, ", "), question(text, known))
  end
end

-- A reader of lists of the known names.
local function names_reader(known)
  local read = list_reader("a list of some of " .. table.concat(known, ", "), function(name)
    return is_one_of(known, name) and name or nil
  end)
  return function(text)
    local list, message = read(text)
    if list then return list end
    for name in text:gmatch("[^,]+") do
      if not is_one_of(known, name) then return nil, message .. question(name, known) end
    end
    return nil, message
  end
end

local function any() return true end
local count = whole_reader("a whole number of at least 1", function(v) return v >= 1 end)
local layers = list_reader("code, encoder, all, or a list of layers like 1,3", count)

--- The readers by name, for the options of scripts.
options.readers = {
  count = count,
  size = whole_reader("a whole number of at least 0", function(v) return v >= 0 end),
  whole = whole_reader("a whole number", any),
  threads = whole_reader("a whole number of 1 to 256", function(v) return v >= 1 and v <= 256 end),
  number = number_reader("a finite number", function(v) return v > -math.huge and v < math.huge end),
  positive = number_reader("a number above 0", function(v) return v > 0 and v < math.huge end),
  amount = number_reader("a number of at least 0", function(v) return v >= 0 and v < math.huge end),
  fraction = number_reader("a number above 0 and below 1", function(v) return v > 0 and v < 1 end),
  share = number_reader("a number from 0 to 1", function(v) return v >= 0 and v <= 1 end),
  widths = list_reader("a list of widths like 256,128", count),
  digits = list_reader("a list of labels like 0,1,2", whole_reader("a label", function(v) return v >= 0 end)),
  layers = function(text)
    if text == "code" or text == "encoder" or text == "all" then return text end
    return layers(text)
  end,
  seconds = number_reader("a number of seconds, 2 or more", function(v) return v >= 2 and v < math.huge end),
  text = function(text) return text end,
}

-- ---- the options that scripts share: {name, default, help, reader} ----

local groups = {
  training = {
    {"epochs", 5, "passes over the training rows", "count"},
    {"batch", 32, "rows in a training step", "count"},
    {"lr", 0.001, "learning rate", "positive"},
    {"schedule", "none", "of the learning rate", {"none", "step", "cosine", "plateau"}},
    {"patience", 0, "epochs without a better test loss after which to stop; 0: never", "size"},
    {"resume", false, "go on from the checkpoints in --out"},
  },
  data = {
    {"dataset", nil, "MNIST or Fashion-MNIST and no other (default: what is found)", {"mnist", "fashion"}},
    {"data", nil, "folder of the four IDX files (default: MOONGLASS_DATA, data/mnist, Debian's Fashion-MNIST)", "text"},
    {"rows", nil, "use only so many training images, the first ones", "count"},
  },
  ranks = {
    {"distributed", false, "train one net with all processes that mpirun started: --batch counts the rows of all, "
      .. "--threads the threads of each (default: its share of the cores)"},
    {"timeout", 30, "with --distributed: seconds after which a rank that is silent, or lets others wait, ends the run",
      "seconds"},
  },
  all = {
    {"seed", 42, "decides the first weights, the order of the rows, the noise", "whole"},
    {"threads", nil, "worker threads (default: as many as the program has set)", "threads"},
  },
}

-- The reader for an option that is described by its default only.
local function reader_for(default)
  if type(default) == "table" then return "widths" end
  return math.type(default) == "integer" and "count" or "text"
end

local function add_option(parser, name, default, help, reader)
  if default == false then
    parser:flag("--" .. name):description(help)
    return
  end
  local option = parser:option("--" .. name):description(help)
  local is_list = type(default) == "table"
  if is_list then default = table.concat(default, ",") end
  if default ~= nil then option:default(tostring(default)) end
  local names = type(reader) == "table" and reader
  if names and not is_list then option:argname("{" .. table.concat(names, ",") .. "}") end
  local read = names and (is_list and names_reader or name_reader)(names) or assert(options.readers[reader], reader)
  option:convert(function(given)
    local v, message = read(given)
    if v == nil then message = ("--%s: %s"):format(name, message) end
    return v, message
  end)
end

local function is_left_out(spec, name)
  for _, left_out in ipairs(spec.without or {}) do
    if left_out == name then return true end
  end
  return false
end

local function add_group(parser, spec, group)
  for _, o in ipairs(group) do
    local name, default = o[1], o[2]
    if spec.defaults and spec.defaults[name] ~= nil then default = spec.defaults[name] end
    if not is_left_out(spec, name) then add_option(parser, name, default, o[3], o[4]) end
  end
end

local function make_parser(spec)
  local parser = argparse(spec.name, spec.about):help_max_width(100)
  if spec.argument then
    parser:argument(spec.argument):args("?"):target("argument"):description("the same as --" .. spec.argument)
  end
  for _, o in ipairs(spec.options or {}) do
    add_option(parser, o[1], o[2], o[3], o[4] or reader_for(o[2]))
  end
  if spec.training ~= false then add_group(parser, spec, groups.training) end
  if spec.data ~= false then add_group(parser, spec, groups.data) end
  local is_distributed = spec.distributed
  if is_distributed == nil then is_distributed = spec.training ~= false end
  if is_distributed then add_group(parser, spec, groups.ranks) end
  add_group(parser, spec, groups.all)
  add_option(parser, "out", "out/" .. spec.name, "folder for what the script leaves", "text")
  return parser
end

-- Turns "--lr -1" into "--lr=-1": argparse would take the number for an option.
local function join_negatives(given)
  local list = {}
  for _, word in ipairs(given) do
    local option = list[#list]
    if tonumber(word) and word:find("^%-") and option and option:find("^%-%-[^=]+$") then
      list[#list] = option .. "=" .. word
    else
      list[#list + 1] = word
    end
  end
  return list
end

-- Makes the word without a name the value of its option. Returns a text if both are given.
local function take_argument(spec, result)
  local name, given = spec.argument, result.argument
  if not name or not given then return nil end
  if result[name] then return ("'%s' is too much: --%s is given"):format(given, name) end
  result[name] = given
end

--- The options of a command line | nil, message
function options.parse(spec, given)
  local ok, result = make_parser(spec):pparse(join_negatives(given))
  local problem = not ok and result:gsub("%s*\n%s*", " ") or take_argument(spec, result)
    or spec.check and spec.check(result)
  if problem then return nil, problem .. " (--help lists the options)" end
  return result
end

return options

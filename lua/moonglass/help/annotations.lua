--- Reads LuaCATS annotations, as far as help/meta.lua has them: for help, for the reference, and for the specs.
--   local interface = annotations.parse(text)
--   interface.functions   list of {path =, owner =, name =, doc =, params =, returns =, overloads =, line =}
--   interface.classes     by name and as a list: {name =, doc =, parents =, fields =, overloads =, path =, line =}
--   interface.aliases     by name and as a list: {name =, doc =, type =}
--   interface.entries     functions and classes in the order of the file, each with its section
-- The path of a function is "moon.zeros"; of a method "Tensor:add", its owner the class that `local Tensor` stands for.
-- params, returns and fields are lists of {name =, type =, optional =, text =, line =}.
local annotations = {}

-- ---- types ----

local closing = {["("] = ")", ["<"] = ">", ["{"] = "}", ["["] = "]"}

-- Where the type that begins at `from` ends: at the first space outside brackets and quotes that does not follow the
-- colon of a function's result. And whether its brackets and quotes are closed.
local function end_of_type(text, from)
  local open, quote, i = {}, false, from
  while i <= #text do
    local c = text:sub(i, i)
    if quote then
      quote = c ~= '"'
    elseif c == '"' then
      quote = true
    elseif closing[c] then
      open[#open + 1] = closing[c]
    elseif c == open[#open] then
      open[#open] = nil
    elseif c == " " and #open == 0 and text:sub(i - 1, i - 1) ~= ":" then
      break
    end
    i = i + 1
  end
  return i - 1, #open == 0 and not quote
end

--- "integer? default 1: ..." -> "integer?", "default 1: ...", and whether the type's brackets and quotes are closed.
local function split_type(text)
  local last, closed = end_of_type(text, 1)
  return text:sub(1, last), (text:sub(last + 1):gsub("^%s+", "")), closed
end
annotations.split_type = split_type

-- name, then a type that may end with ?, then words.
local function read_entry(text, line)
  local name, rest = text:match("^(%S+)%s*(.*)$")
  if text:find("^%[") then name, rest = text:match("^(%b[])%s*(.*)$") end
  local type_text, words = split_type(rest)
  local optional = type_text:find("%?$") ~= nil
  return {name = name, type = type_text:gsub("%?$", ""), optional = optional, text = words, line = line}
end

-- The type stands first, and the name may be missing.
local function read_return(text, line)
  local type_text, rest = split_type(text)
  local name, words = rest:match("^([%a_]%w*)%s*(.*)$")
  local optional = type_text:find("%?$") ~= nil
  return {name = name or "", type = type_text:gsub("%?$", ""), optional = optional, text = words or rest, line = line}
end

-- ---- blocks ----

local function new_block() return {doc = {}, params = {}, returns = {}, fields = {}, overloads = {}, operators = {}} end

local tags = {}

function tags.param(block, text, line) table.insert(block.params, read_entry(text, line)) end
function tags.field(block, text, line) table.insert(block.fields, read_entry(text, line)) end
tags["return"] = function(block, text, line) table.insert(block.returns, read_return(text, line)) end
function tags.overload(block, text) table.insert(block.overloads, text) end
function tags.operator(block, text) table.insert(block.operators, text) end

function tags.class(block, text, line)
  local name, parents = text:match("^([%w_.]+):?%s*(.*)$")
  block.class, block.parents, block.line = name, {}, line
  for parent in parents:gmatch("[%w_.]+") do table.insert(block.parents, parent) end
end

function tags.alias(block, text)
  local name, type_text = text:match("^([%w_.]+)%s*(.*)$")
  block.alias, block.type = name, type_text
end

function tags.meta(block, text) block.meta = text end

-- One line that begins with three dashes.
local function read_line(block, text, number)
  local tag, rest = text:match("^@(%a+)%s*(.*)$")
  if tag then
    if not tags[tag] then error(("line %d: unknown annotation @%s"):format(number, tag), 0) end
    return tags[tag](block, rest, number)
  end
  local choice = text:match("^|%s*(.+)$")
  if choice and block.alias then
    block.type = block.type == "" and choice or block.type .. "|" .. choice
  else
    table.insert(block.doc, text)
  end
end

-- ---- the file ----

local function add_entry(interface, entry)
  entry.section = interface.section
  table.insert(interface.entries, entry)
end

local function class_of(interface, block)
  local class = {
    class = true, name = block.class, parents = block.parents, fields = block.fields, overloads = block.overloads,
    operators = block.operators, doc = table.concat(block.doc, "\n"), line = block.line,
  }
  interface.classes[class.name] = class
  table.insert(interface.classes, class)
  add_entry(interface, class)
  return class
end

local function add_function(interface, block, path, arguments, number)
  local owner, name = path:match("^(.*)[.:]([%w_]+)$")
  local names = {}
  for argument in arguments:gmatch("[%w_.]+") do names[#names + 1] = argument end
  local f = {
    path = path, name = name, owner = interface.locals[owner], arguments = names, params = block.params,
    returns = block.returns, overloads = block.overloads, doc = table.concat(block.doc, "\n"), line = number,
  }
  table.insert(interface.functions, f)
  add_entry(interface, f)
end

-- What the block of annotations above a line belongs to.
local function close_block(interface, block, code, number)
  local class = block.class and class_of(interface, block)
  if block.alias then
    local alias = {name = block.alias, type = block.type, doc = table.concat(block.doc, "\n")}
    interface.aliases[block.alias] = alias
    table.insert(interface.aliases, alias)
  end
  local variable = code:match("^local ([%w_]+) = {}") or code:match("^([%w_.]+) = {}")
  if variable and class then
    interface.locals[variable], class.path = class, variable
    return
  end
  local path, arguments = code:match("^function ([%w_.:]+)%((.-)%) end$")
  if path then return add_function(interface, block, path, arguments, number) end
  if code ~= "" and not code:find("^%-%-") and not code:find("^return ") then
    error(("line %d: '%s' is neither a stub nor an annotation"):format(number, code), 0)
  end
end

--- The interface that a text of annotations describes. What it cannot read raises, with the line's number.
function annotations.parse(text)
  local interface = {functions = {}, classes = {}, aliases = {}, entries = {}, locals = {}}
  local block, number = new_block(), 0
  for line in (text .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local annotation = line:match("^%-%-%-(.*)$")
    if annotation then
      if block.alias and not annotation:find("^|") then -- an alias ends where the next begins
        close_block(interface, block, "", number)
        block = new_block()
      end
      read_line(block, annotation, number)
    else
      close_block(interface, block, line, number)
      block = new_block()
      interface.section = line:match("^%-%- %-%-%-%- (.*) %-%-%-%-$") or interface.section
    end
  end
  return interface
end

--- All fields of a class, its parents' first.
function annotations.fields(interface, class)
  local list = {}
  for _, parent in ipairs(class.parents) do
    local known = interface.classes[parent]
    local inherited = known and annotations.fields(interface, known) or {}
    table.move(inherited, 1, #inherited, #list + 1, list)
  end
  for _, field in ipairs(class.fields) do list[#list + 1] = field end
  return list
end

--- Is this the class of a function's options?
function annotations.is_options(class) return class.name:find("Options$") ~= nil end

--- The class of the options that a function takes; nil if it takes none.
function annotations.options_of(interface, f)
  for _, p in ipairs(f.params) do
    local class = interface.classes[p.type]
    if class and annotations.is_options(class) then return class end
  end
end

--- The choices of a type: {"batchmean", "sum"} for '"batchmean"|"sum"', those of an alias for its name. {} for others.
function annotations.choices(interface, type_text)
  local list = {}
  for part in type_text:gmatch("[^|]+") do
    local alias = interface.aliases[part]
    local choice = part:match('^"(.*)"$') or (part:find("^%-?%d+$") and math.tointeger(tonumber(part)))
    if choice then list[#list + 1] = choice end
    for _, other in ipairs(alias and annotations.choices(interface, alias.type) or {}) do list[#list + 1] = other end
  end
  return list
end

return annotations

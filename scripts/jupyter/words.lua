--- Names in code that is being written: what may follow, and what is known of it, from the live values and from the
-- annotations in lua/moonglass/meta.lua. Nothing is called.
local annotations = require "moonglass.annotations"
local core = require "moonglass.core"

local words = {}

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local interface = annotations.parse(read(assert(package.searchpath("moonglass.meta", package.path))))

-- ---- values by their names ----

-- The field of a value, nil if there is none. A value of the library that has no such field raises.
local function field(value, name)
  if value == nil then return nil end
  local ok, found = pcall(function() return value[name] end)
  return ok and found or nil
end

-- "moon.plot" -> the value, nil if some part of it is not there.
local function value_of(path)
  local value = _G
  for name in path:gmatch("[%w_]+") do value = field(value, name) end
  return value
end

-- The class in the annotations: "moonglass.Tensor" for a tensor.
local function class_of(value)
  local meta = getmetatable(value)
  local name = type(meta) == "table" and meta.__name
  if type(name) ~= "string" then return nil end
  local noun = name:match("^moonglass%.([%l_]+)$") or ""
  local of_net = noun == "net" or noun == "mixed_net"
  if of_net then return interface.classes[field(value, "encoder") and "moonglass.Autoencoder" or "moonglass.Net"] end
  return interface.classes["moonglass." .. noun:gsub("^%l", string.upper)]
end

-- The stub of a function by the way it is written: "moon.zeros", "ae:fit".
local function stub_of(path)
  local before, name = path:match("^(.*)[.:]([%w_]+)$")
  if not before then return nil end
  local value = value_of(before)
  local class = class_of(value)
  local is_module = before:match("^[%w_]+") and value_of(before:match("^[%w_]+")) == package.loaded.moonglass
  local module_path = is_module and path:gsub("^[%w_]+", "moon", 1)
  local found
  for _, f in ipairs(interface.functions) do
    if f.path == module_path then return f end
    if f.name == name and f.owner and f.path:find(":") then
      if f.owner == class then return f end
      if not class and path:find(":") then found = found or f end -- what it is called on is not known
      local parent = class and class.parents[1]
      if parent and f.owner.name == parent then found = found or f end
    end
  end
  return found
end

-- ---- completion ----

local keywords = {
  "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not",
  "or", "repeat", "return", "then", "true", "until", "while",
}

local function add_keys(into, value, is_method)
  if type(value) ~= "table" then return end
  for key, v in next, value do
    local fits = type(key) == "string" and key:find("^[%a_][%w_]*$") and not key:find("^__")
    if fits and (not is_method or type(v) == "function") and v ~= false then into[key] = true end
  end
end

-- Fields and methods of a value.
local function members(value, is_method)
  local names, meta = {}, getmetatable(value)
  add_keys(names, value, is_method)
  if type(meta) == "table" then
    add_keys(names, meta.__index, is_method)
    add_keys(names, core.methods[meta.__name], is_method)
  end
  local class = class_of(value)
  while class do
    for _, f in ipairs(interface.functions) do
      if f.owner == class then names[f.name] = true end
    end
    for _, entry in ipairs(is_method and {} or class.fields) do
      if not entry.name:find("^%[") then names[entry.name] = true end
    end
    class = interface.classes[class.parents[1]]
  end
  return names
end

-- What stands before the innermost brace that is still open; nil if there is none. Texts are passed over.
local function before_brace(code)
  local plain, open = code:gsub('"[^"\n]*"', function(s) return ("_"):rep(#s) end), {}
  plain = plain:gsub("'[^'\n]*'", function(s) return ("_"):rep(#s) end)
  for at, bracket in plain:gmatch("()([{}()])") do
    if bracket == "{" or bracket == "(" then open[#open + 1] = at else open[#open] = nil end
  end
  local last = open[#open]
  return last and code:sub(last, last) == "{" and code:sub(1, last - 1) or nil
end

-- Options of the call that the code is in the table of.
local function options(code)
  local before = before_brace(code)
  local path = before and (before:match("([%a_][%w_.:]*)%s*$") or before:match("([%a_][%w_.:]*)%s*%([^(){}]*$"))
  local f = path and stub_of(path)
  local class = f and annotations.options_of(interface, f)
  local names = {}
  for _, entry in ipairs(class and annotations.fields(interface, class) or {}) do names[entry.name] = true end
  return names
end

local function starting_with(names, part)
  local list = {}
  for name in pairs(names) do
    if name:sub(1, #part) == part then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

--- How long the word is that the code ends with, and what it may become, a list.
function words.complete(code)
  local path = code:match("[%a_][%w_.:]*$") or ""
  local before, separator, part = path:match("^(.*)([.:])([%w_]*)$")
  if before then return #part, starting_with(members(value_of(before), separator == ":"), part) end
  local of_call = starting_with(options(code), path)
  if #of_call > 0 then return #path, of_call end
  local names = members(_G)
  for _, keyword in ipairs(keywords) do names[keyword] = true end
  return #path, path == "" and {} or starting_with(names, path)
end

-- ---- documentation ----

local function entry_text(entry, width)
  local kind = entry.type:gsub("moonglass%.", "") .. (entry.optional and "?" or "")
  return ("  %-" .. width .. "s  %s  %s"):format(entry.name, kind, entry.text)
end

local function add_entries(lines, title, entries)
  if #entries == 0 then return end
  lines[#lines + 1] = "\n" .. title .. ":"
  local width = 0
  for _, entry in ipairs(entries) do width = math.max(width, #entry.name) end
  for _, entry in ipairs(entries) do lines[#lines + 1] = entry_text(entry, width) end
end

local function function_text(f)
  local lines = {("%s(%s)"):format(f.path, table.concat(f.arguments, ", ")), "", f.doc}
  add_entries(lines, "arguments", f.params)
  add_entries(lines, "results", f.returns)
  local class = annotations.options_of(interface, f)
  if class then add_entries(lines, "options", annotations.fields(interface, class)) end
  return table.concat(lines, "\n")
end

local function class_text(class)
  local lines = {class.name:gsub("^moonglass%.", ""), "", class.doc}
  add_entries(lines, "fields", annotations.fields(interface, class))
  return table.concat(lines, "\n")
end

--- The documentation of the name that the code ends with: of a function, or of what kind of thing it stands for.
function words.help(code)
  local path = code:match("([%a_][%w_.:]*)[({\"]*$")
  if not path then return nil end
  local f = stub_of(path)
  if f then return function_text(f) end
  local value = value_of(path)
  if value == package.loaded.moonglass then return class_text(interface.classes.moonglass) end
  local class = class_of(value)
  for _, known in ipairs(interface.classes) do -- a table in the library
    local name = known.path and known.path:match("^moon%.(%l+)$")
    if name and value ~= nil and value == package.loaded.moonglass[name] then class = class or known end
  end
  return class and class_text(class)
end

return words

--- Completions for the end of a piece of code: candidates(text, methods) -> names, the part that is already typed, the
-- suffix for a single name, or nil; or nil and the signature of a call, if the text ends at its open bracket.
-- methods: list methods after a point too, where a call needs a colon.
-- Nothing of the user's is called: values are found by raw access; only objects of this library are asked for fields.
-- The names of options and choices come from the annotations.
local core = require "moonglass.core"
local interface = require "moonglass.help.interface"
local pages = require "moonglass.help.pages"
local values = require "moonglass.help.values"
local scanner = require "moonglass.session.tokens"
local terminal = require "moonglass.support.terminal"

-- ---- where the cursor is ----

local closers = {[")"] = "(", ["}"] = "{", ["]"] = "["}

-- The open brackets at the end of text, innermost last, each with the position of its last comma; and the position of
-- an open short string. nil in a comment or a long string, where nothing is completed.
local function scan(text)
  local list, unfinished = scanner.tokens(text)
  if unfinished and unfinished.what == "long" then return nil end
  local open = {}
  for _, token in ipairs(list) do
    local what, innermost = token.what, open[#open]
    if what == "(" or what == "{" or what == "[" then
      open[#open + 1] = {kind = what, at = token.first, comma = token.first}
    elseif innermost and closers[what] == innermost.kind then
      open[#open] = nil
    elseif innermost and (what == "," or what == ";") then
      innermost.comma = token.first
    end
  end
  return open, unfinished and unfinished.first
end

-- ---- values ----

-- "net.encoder" -> the value, "t:sum" -> the method; nil if there is none.
local function value_of(path)
  local v = _G
  for part in path:gmatch("[^.:]+") do
    v = values.field(v, part)
    if v == nil then return nil end
  end
  return v
end

-- The annotations of a function, a method, or a table that can be called.
local function entry_of(path)
  local f = value_of(path)
  if f == nil then return nil end
  local base, name = path:match("^(.*):([%w_]+)$")
  local class = base and values.class_of(value_of(base))
  local entry = class and interface.method(class, name) or (type(f) == "function" and values.entry_of(f)) or nil
  if entry or type(f) ~= "table" then return entry end
  local called = interface.known().by_class[path]
  return called and {path = path, arguments = {"options"}, params = {}, overloads = called.overloads}
end

-- ---- names ----

-- Adds the names in a table. functions: true for functions only, false for everything else only, nil for all.
local function add_table(names, t, functions)
  for name, v in next, t do
    local wanted = functions == nil or functions == (type(v) == "function")
    if wanted and type(name) == "string" and name:find("^[%a_][%w_]*$") then
      names[name] = true
    end
  end
end

local function add_fields(names, v)
  local fields = interface.fields(values.class_of(v))
  for _, field in ipairs(fields) do
    if field.name:find("^[%a_]") and values.field(v, field.name) ~= nil then names[field.name] = true end
  end
  local own = type(v) == "userdata" and debug.getuservalue(v, 1)
  if type(own) == "table" then add_table(names, own, false) end
end

local longest_chain = 100

-- After a colon the methods; after a point all names in a table, and the fields of an object.
local function names_in(v, colon, depth)
  local names, functions = {}, colon or nil
  local class = (type(v) == "table" or type(v) == "userdata") and values.class_of(v)
  if type(v) == "string" then add_table(names, string, functions) end
  if class and not colon then add_fields(names, v) end
  if type(v) == "table" then add_table(names, v, functions) end
  local meta = type(v) ~= "string" and getmetatable(v)
  local index = type(meta) == "table" and rawget(meta, "__index")
  if type(index) == "table" and (colon or not class) and (depth or 1) < longest_chain then
    for name in pairs(names_in(index, colon, (depth or 1) + 1)) do names[name] = true end
  elseif class and colon then
    local methods = core.methods[rawget(meta, "__name")] or meta
    add_table(names, methods, true)
    local own = type(v) == "userdata" and debug.getuservalue(v, 1)
    if type(own) == "table" then add_table(names, own, true) end
  end
  return names
end

local function global_names()
  local names = names_in(_G)
  for word in pairs(scanner.is_keyword) do names[word] = true end
  return names
end

-- ---- candidates: sorted names that begin with what is there ----

local function matching(names, prefix)
  local list = {}
  for name in pairs(names) do
    if name:sub(1, #prefix) == prefix and (prefix ~= "" or name:sub(1, 1) ~= "_") then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

-- ---- options, choices, files ----

-- The path of the function that the open brace belongs to: `moon.adam` in "moon.adam{" and "moon.adam({".
local function callee(text, open)
  local brace = open[#open]
  if not brace or brace.kind ~= "{" then return nil end
  local pattern = "([%a_][%w_.:]*)%s*$"
  local path = text:sub(1, brace.at - 1):match(pattern)
  if path then return path end
  local call = open[#open - 1]
  if call and call.kind == "(" and text:sub(1, brace.at - 1):find("[(,]%s*$") then
    return text:sub(1, call.at - 1):match(pattern)
  end
end

local function options_at(text, open)
  local path = callee(text, open)
  local entry = path and entry_of(path)
  return entry and interface.options(entry)
end

-- The choices of the option whose value is the string at `quote`, if they are known.
local function choices_at(text, open, quote)
  local name = text:sub(1, quote - 1):match("([%a_][%w_]*)%s*=%s*$")
  for _, field in ipairs(name and options_at(text, open) or {}) do
    local choices = field.name == name and interface.choices(field.type) or {}
    if #choices > 0 then return choices end
  end
end

-- The files that begin with this path. A folder ends with a slash.
local function files_like(path)
  local folder, prefix = path:match("^(.-)([^/]*)$")
  local shown = folder == "" and "." or folder:gsub("^~/", (terminal.env("HOME") or "~") .. "/")
  local pipe = io.popen("ls -1ap -- '" .. shown:gsub("'", "'\\''") .. "' 2>/dev/null")
  local list = {}
  for name in pipe:lines() do
    local hidden = name:sub(1, 1) == "." and prefix:sub(1, 1) ~= "."
    if name:sub(1, #prefix) == prefix and not hidden and name ~= "./" and name ~= "../" then list[#list + 1] = name end
  end
  pipe:close()
  return list, prefix
end

local function in_string(text, open, quote)
  local content = text:sub(quote + 1)
  local choices = choices_at(text, open, quote)
  if choices then
    local names = {}
    for _, choice in ipairs(choices) do names[tostring(choice)] = true end
    return matching(names, content), content, text:sub(quote, quote)
  end
  return files_like(content)
end

-- Is the name at the end the key of a table's entry, not a value?
local function at_key(text, open, prefix)
  local brace = open[#open]
  return brace and brace.kind == "{" and text:sub(brace.comma + 1, #text - #prefix):find("^%s*$") ~= nil
end

-- The signature of a call whose brackets are still empty.
local function signature_at(text, open)
  local call = open[#open]
  local path = call and call.kind == "(" and text:sub(1, call.at - 1):match("([%a_][%w_.:]*)%s*$")
  local entry = path and entry_of(path)
  return entry and pages.signature(entry)
end

-- The names after a call: the members of its result's class, by the annotations. The call itself is not made.
local function names_of_result(path, colon)
  local entry, names = entry_of(path), {}
  local kind = entry and entry.returns and entry.returns[1] and entry.returns[1].type
  local class = kind and interface.known().classes[kind:match("^([%w_.]+)%f[|\0]")] -- of several, the first
  while class do
    for _, f in ipairs(colon and interface.functions_of(class) or {}) do names[f.name] = true end
    for _, field in ipairs(colon and {} or interface.fields(class)) do names[field.name] = true end
    class = colon and interface.known().classes[class.parents[1]]
  end
  return names
end

local function in_code(text, open, methods)
  local called, behind, started = text:match("([%a_][%w_.:]*)%s*%b()([.:])([%w_]*)$")
  if called then return matching(names_of_result(called, behind == ":"), started), started end
  local path = text:match("[%a_][%w_.:]*$") or ""
  local base, separator, prefix = path:match("^(.-)([.:])([%w_]*)$")
  if not base then base, separator, prefix = nil, nil, path end
  if base == "" or text:sub(1, #text - #path):find("[.:%)%]]$") then return {}, "" end
  if separator then
    local v = value_of(base)
    if v == nil then return {}, prefix end
    local names = names_in(v, separator == ":")
    if methods and values.class_of(v) then
      for name in pairs(names_in(v, true)) do names[name] = true end
    end
    return matching(names, prefix), prefix
  end
  local known = at_key(text, open, prefix) and options_at(text, open)
  if known then
    local names = {}
    for _, field in ipairs(known) do names[field.name] = true end
    local list = matching(names, prefix)
    if #list > 0 or prefix == "" then return list, prefix, " = " end
  end
  if prefix == "" then return nil, signature_at(text, open) end
  return matching(global_names(), prefix), prefix
end

return function(text, methods)
  local open, quote = scan(text)
  if not open then return {}, "" end
  if quote then return in_string(text, open, quote) end
  return in_code(text, open, methods)
end

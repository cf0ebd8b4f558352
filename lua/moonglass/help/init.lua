--- moon.help(x): what meta.lua says of a function, a class or a table of functions, by name or by value.
-- The annotations are read at the first call, never before.
--   help.text("moon.zeros")   also "zeros", "Tensor:reshape", "reshape", "fit"; a text, or nil and a message
--   help.of_function(f)       the function's entry in the annotations, from which completion has options too
-- Nothing of the user's is called: no __index, no __eq, no __pairs.
local annotations = require "moonglass.help.annotations"
local core = require "moonglass.core"
local counted = require "moonglass.support.counted"
local errors = require "moonglass.support.errors"
local host = require "moonglass.support.host"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

local help = {}

local page_width = 80

-- ---- the annotations ----

local function read_annotations()
  local package, io = host.package, host.io
  local path = package and package.searchpath and package.searchpath("moonglass.help.meta", package.path)
  local file = path and io and io.open(path, "rb")
  if not file then errors.raise("help: moonglass/help/meta.lua, which has the texts, cannot be read here") end
  local text = file:read("a")
  file:close()
  return annotations.parse(text)
end

local interface

-- The annotations, with functions by path and by bare name, and classes by path and by the name behind "moonglass.".
local function known()
  if interface then return interface end
  local read = read_annotations()
  read.by_path, read.by_name, read.by_class = {}, {}, {}
  for _, f in ipairs(read.functions) do
    read.by_path[f.path] = f
    read.by_name[f.name] = read.by_name[f.name] or {}
    table.insert(read.by_name[f.name], f)
  end
  for _, class in ipairs(read.classes) do
    if class.path then read.by_class[class.path] = class end
    read.by_class[class.name:match("[^.]*$")] = class
  end
  interface = read
  return read
end

help.interface = known

-- ---- values ----

local function library()
  local package = host.package
  local moon = package and package.loaded["moonglass"]
  return type(moon) == "table" and moon or {}
end

-- Is a metatable's __index the library's own, so that it calls nothing else: that of a class of the core, or a function
-- from a file in this folder?
local function is_own(meta)
  local debug, index, name = host.debug, rawget(meta, "__index"), rawget(meta, "__name")
  if not debug or type(index) ~= "function" then return false end
  if core.methods[name] and rawequal(debug.getregistry()[name], meta) then return true end
  local folder = debug.getinfo(1, "S").source:match("^(@.*)help/init%.lua$")
  return folder ~= nil and debug.getinfo(index, "S").source:sub(1, #folder) == folder
end

local longest_chain = 100

--- The value of a field, or nil: without calling anything of the user's.
function help.field(v, name)
  for _ = 1, longest_chain do
    if type(v) == "string" then return string[name] end
    local own
    if type(v) == "table" then own = rawget(v, name) end
    if own ~= nil then return own end
    local meta = getmetatable(v)
    if type(meta) ~= "table" then return nil end
    local index = rawget(meta, "__index")
    if type(index) ~= "table" then
      if not is_own(meta) then return nil end
      local ok, value = errors.caught(index, v, name) -- one that is not there raises
      if ok then return value end
      return nil
    end
    v = index
  end
end

-- "layer", "k_sparse" -> the class of what moon.k_sparse gives
local function class_of_maker(name)
  local maker = known().by_path["moon." .. name]
  return maker and maker.returns[1] and known().classes[maker.returns[1].type]
end

--- The class of an object of this library, or nil.
function help.class_of(v)
  local meta = getmetatable(v)
  local name = type(meta) == "table" and rawget(meta, "__name")
  if type(name) ~= "string" then return nil end
  if native.is_layer(v) then
    local ok, kind = errors.caught(core.methods[name].kind, v)
    return ok and class_of_maker(kind) or known().classes["moonglass.Layer"]
  end
  local noun = name:match("^moonglass%.(.*)$")
  if noun == "net" or noun == "mixed_net" then
    local halved = help.field(help.field(v, "encoder"), "forward") ~= nil
    return known().classes[halved and "moonglass.Autoencoder" or "moonglass.Net"]
  end
  return noun and known().by_class[noun:gsub("^%l", string.upper)]
end

-- Every function of moon, of the tables in it and of the classes, with its path.
local function paths_of_functions()
  local paths = {}
  local function add(t, prefix)
    for name, v in next, t do
      if type(v) == "function" and type(name) == "string" and not paths[v] then paths[v] = prefix .. name end
    end
  end
  add(library(), "moon.")
  for name, v in next, library() do
    if type(v) == "table" then add(v, "moon." .. tostring(name) .. ".") end
  end
  for noun, methods in pairs(core.methods) do
    add(methods, noun:match("%l+$"):gsub("^%l", string.upper) .. ":")
  end
  local session = host.package and host.package.loaded["moonglass.session"]
  if session then add(session.globals, "session.") end
  return paths
end

-- A method of a class that is written in Lua: by the line on which it is defined.
local function path_by_source(f)
  local info = host.debug and host.debug.getinfo(counted.behind(f), "S")
  local file = info and info.source:match("^@(.*)$")
  if not file or not file:find("moonglass/", 1, true) or not host.io then return nil end
  local number = 0
  for line in host.io.lines(file) do
    number = number + 1
    if number == info.linedefined then return line:match("^function ([%w_]+[.:][%w_]+)%(") end
  end
end

--- The entry of a function, or nil.
function help.of_function(f)
  local path = paths_of_functions()[f]
  local entry = path and known().by_path[path]
  if entry then return entry end
  path = path_by_source(f)
  return path and (known().by_path[path] or known().by_path[path:gsub("[.:]", ":")])
end

--- The entry of a method of an object, parents' methods included.
function help.method(class, name)
  local by_path, path = known().by_path, class.path
  local entry = path and (by_path[path .. ":" .. name] or by_path[path .. "." .. name])
  for _, parent in ipairs(entry and {} or class.parents) do
    local known_parent = known().classes[parent]
    entry = entry or (known_parent and help.method(known_parent, name))
  end
  return entry
end

-- ---- options ----

local function option_classes(entry)
  local list, seen = {}, {}
  local function look(text)
    for name in text:gmatch("moonglass%.[%w_]+Options") do
      if not seen[name] and known().classes[name] then list[#list + 1] = known().classes[name] end
      seen[name] = true
    end
  end
  for _, p in ipairs(entry.params) do look(p.type) end
  for _, overload in ipairs(entry.overloads) do look(overload) end
  return list
end

--- The fields that a function's table of options may have.
function help.options(entry)
  local list = {}
  for _, class in ipairs(option_classes(entry)) do
    local fields = annotations.fields(known(), class)
    table.move(fields, 1, #fields, #list + 1, list)
  end
  return list
end

--- What a field of this type may be, where only some texts may.
function help.choices(field) return annotations.choices(known(), field.type) end

-- ---- pages ----

local function short_type(text) return (text:gsub("moonglass%.", "")) end

-- Words as lines of at most `width` characters, each but the first behind `indent`.
local function wrap(text, width, indent)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if line ~= "" and #line + 1 + #word > width then
      lines[#lines + 1] = line
      line = ""
    end
    line = line == "" and word or line .. " " .. word
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n" .. indent)
end

local function write_prose(out, doc)
  if doc ~= "" then out[#out + 1] = "  " .. wrap(doc, page_width - 2, "  ") end
end

-- The type's texts, where its name does not tell them.
local function choices_in_words(kind)
  local list = kind:find('"', 1, true) and {} or annotations.choices(known(), kind)
  for i, choice in ipairs(list) do list[i] = options.show(choice) end
  return #list > 0 and "; one of " .. table.concat(list, ", ") or ""
end

-- Names in a column, behind them type and words.
local function write_entries(out, heading, entries)
  if #entries == 0 then return end
  out[#out + 1] = heading
  local widest = 0
  for _, e in ipairs(entries) do widest = math.max(widest, #e.name) end
  local indent = (" "):rep(widest + 4)
  for _, e in ipairs(entries) do
    local kind = short_type(e.type) .. (e.optional and "?" or "")
    local words = (e.text ~= "" and kind .. ": " .. e.text or kind) .. choices_in_words(e.type)
    out[#out + 1] = ("  %-" .. widest .. "s  %s"):format(e.name, wrap(words, page_width - #indent, indent))
  end
end

--- "moon.dense(n_in, n_out, options)"
function help.signature(entry)
  local path = entry.path:gsub("^session%.", "")
  return ("%s(%s)"):format(path, table.concat(entry.arguments, ", "))
end

local function function_page(entry)
  local out = {help.signature(entry)}
  for _, overload in ipairs(entry.overloads) do
    local arguments = overload:match("^fun(%b())")
    out[#out + 1] = ("%s%s"):format(entry.path, short_type(arguments or ""):gsub("self: [%w_.]+,? ?", ""))
  end
  write_prose(out, entry.doc)
  write_entries(out, "arguments", entry.params)
  for _, class in ipairs(option_classes(entry)) do
    write_entries(out, "options", annotations.fields(known(), class))
  end
  write_entries(out, "returns", entry.returns)
  return table.concat(out, "\n")
end

local function first_sentence(doc) return (doc:gsub("\n", " "):match("^(.-%.)%f[%s\0]") or doc):gsub("%s+", " ") end

--- The functions of a table or a class, without those of its parents.
function help.functions_of(class)
  local list = {}
  for _, f in ipairs(known().functions) do
    local prefix = f.path:match("^(.*)[.:][%w_]+$")
    if prefix == class.path then list[#list + 1] = f end
  end
  return list
end

local function write_functions(out, list)
  for _, f in ipairs(list) do
    local head = "  " .. help.signature(f)
    local words = first_sentence(f.doc)
    out[#out + 1] = #head + 2 + #words <= page_width and head .. "  " .. words
      or head .. "\n      " .. wrap(words, page_width - 6, "      ")
  end
end

local function class_page(class)
  local out = {short_type(class.path and class.path:find("^moon") and class.path or class.name)}
  if #class.parents > 0 then out[1] = out[1] .. ", a " .. short_type(table.concat(class.parents, " with ")) end
  write_prose(out, class.doc)
  write_entries(out, "fields", annotations.fields(known(), class))
  local seen = class
  while seen do
    local list = help.functions_of(seen)
    if #list > 0 then out[#out + 1] = seen.path and seen.path:find("^moon") and "functions" or "methods" end
    write_functions(out, list)
    seen = seen.parents[1] and known().classes[seen.parents[1]]
  end
  return table.concat(out, "\n")
end

-- ---- finding ----

local function pages(entries)
  if #entries <= 3 then
    local texts = {}
    for i, f in ipairs(entries) do texts[i] = function_page(f) end
    return table.concat(texts, "\n\n")
  end
  local out = {("%d functions have this name:"):format(#entries)}
  write_functions(out, entries)
  return table.concat(out, "\n")
end

-- Options of that name, and whose they are.
local function options_page(name)
  local out = {}
  for _, f in ipairs(known().functions) do
    for _, field in ipairs(help.options(f)) do
      if field.name == name then write_entries(out, "option of " .. help.signature(f), {field}) end
    end
  end
  return #out > 0 and table.concat(out, "\n") or nil
end

-- A name with dots and at most one colon, as a path from a global: the object, and the method's name if there is one.
local function resolve(path)
  local base, method = path:match("^([^:]*):?([%w_]*)$")
  local v = _G
  for part in (base or ""):gmatch("[^.]+") do
    v = help.field(v, part)
    if v == nil then return nil end
  end
  if rawequal(v, _G) then return nil end
  return v, method ~= "" and method or nil
end

local function value_page(v, method)
  local class = help.class_of(v)
  if method then
    local entry = class and help.method(class, method)
    return entry and function_page(entry)
  end
  if type(v) == "function" then
    local entry = help.of_function(v)
    return entry and function_page(entry)
  end
  if class then return class_page(class) end
  for name, part in next, type(v) == "table" and library() or {} do
    if rawequal(part, v) then return class_page(known().by_class["moon." .. name] or known().classes.moonglass) end
  end
  return type(v) == "table" and rawequal(v, library()) and class_page(known().by_class.moon) or nil
end

local function name_page(name)
  local all = known()
  local entry = all.by_path[name] or all.by_path["moon." .. name] or all.by_path["session." .. name]
  if entry then return function_page(entry) end
  local class = all.by_class[name] or all.by_class["moon." .. name] or all.classes[name]
  if class and not (name:find("^%l") and all.by_name[name]) then return class_page(class) end
  local v, method = resolve(name)
  local page = v ~= nil and value_page(v, method) or nil
  if page then return page end
  local bare = name:match("([%w_]+)$")
  if bare and all.by_name[bare] and (bare == name or not name:find("^moon%.")) then return pages(all.by_name[bare]) end
  return options_page(name)
end

local overview = [[
moon.help(x) tells what is known of x: a function or any other value, or a name.
  moon.help "zeros"          a function of moon
  moon.help "Tensor"         a class and its methods; also moon.help(t) of an object
  moon.help "Tensor:reshape" one method; also "reshape"
  moon.help "batch_size"     an option
  moon.help(moon.data)       a table of functions; moon.help(moon) lists all]]

--- What is known of a name or a value; nil and a message if there is nothing.
function help.text(x)
  if x == nil then return overview end
  if type(x) ~= "string" then
    local page = value_page(x)
    if page then return page end
    return nil, ("help: nothing is known of this %s"):format(type(x))
  end
  local name = x:gsub("%s+", ""):gsub("%b()$", "")
  if name == "" then return overview end
  local page = name_page(name)
  if page then return page end
  local names = {}
  for bare in pairs(known().by_name) do names[#names + 1] = bare end
  for short in pairs(known().by_class) do names[#names + 1] = short end
  return nil, ("help: nothing is known of '%s'%s"):format(name, options.question(name:match("[%w_]*$"), names))
end

--- moon.help(x), moon.help "name": prints it.
function help.show(x)
  local text, message = help.text(x)
  print(text or message)
end

return help

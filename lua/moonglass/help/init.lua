--- moon.help(x): the page of a function, a class or a table of functions, by name or by value.
--   help.text("moon.zeros")   also "zeros", "Tensor:reshape", "reshape", "fit"; a text, or nil and a message
local interface = require "moonglass.help.interface"
local options = require "moonglass.support.options"
local pages = require "moonglass.help.pages"
local values = require "moonglass.help.values"

local help = {}

-- A name with dots and at most one colon, as a path from a global: the object, and the method's name if there is one.
local function resolve(path)
  local base, method = path:match("^([^:]*):?([%w_]*)$")
  local v = _G
  for part in (base or ""):gmatch("[^.]+") do
    v = values.field(v, part)
    if v == nil then return nil end
  end
  if rawequal(v, _G) then return nil end
  return v, method ~= "" and method or nil
end

-- The page of an object, of a function, of a table of `moon`, or of an object's method.
local function value_page(v, method)
  local class = values.class_of(v)
  if method then
    local entry = class and interface.method(class, method)
    return entry and pages.of_function(entry)
  end
  if type(v) == "function" then
    local entry = values.entry_of(v)
    return entry and pages.of_function(entry)
  end
  if class then return pages.of_class(class) end
  local library, known = values.library(), interface.known()
  for name, part in next, type(v) == "table" and library or {} do
    if rawequal(part, v) then return pages.of_class(known.by_class["moon." .. name] or known.classes.moonglass) end
  end
  if rawequal(v, values.mpi()) then return pages.of_class(known.by_class.mpi) end
  return type(v) == "table" and rawequal(v, library) and pages.of_class(known.by_class.moon) or nil
end

local function name_page(name)
  local all = interface.known()
  local entry = all.by_path[name] or all.by_path["moon." .. name] or all.by_path["session." .. name]
  if entry then return pages.of_function(entry) end
  local class = all.by_class[name] or all.by_class["moon." .. name] or all.classes[name]
  if class and not (name:find("^%l") and all.by_name[name]) then return pages.of_class(class) end
  local v, method = resolve(name)
  local page = v ~= nil and value_page(v, method) or nil
  if page then return page end
  local bare = name:match("([%w_]+)$")
  if bare and all.by_name[bare] and (bare == name or not name:find("^moon%.")) then
    return pages.of_functions(all.by_name[bare])
  end
  return pages.of_option(name)
end

local overview = [[
moon.help(x) shows the documentation of x: of a function, an object or a name.
  moon.help "zeros"          a function of moon
  moon.help "Tensor"         a class and its methods; also moon.help(t) of an object
  moon.help "Tensor:reshape" one method; also "reshape"
  moon.help "batch_size"     an option
  moon.help(moon.data)       a table of functions; moon.help(moon) lists all]]

--- The page of a name or a value; nil and a message if there is none.
function help.text(x)
  if x == nil then return overview end
  if type(x) ~= "string" then
    local page = value_page(x)
    if page then return page end
    return nil, ("help: there is no documentation of this %s"):format(type(x))
  end
  local name = x:gsub("%s+", ""):gsub("%b()$", "")
  if name == "" then return overview end
  local page = name_page(name)
  if page then return page end
  local names, all = {}, interface.known()
  for bare in pairs(all.by_name) do names[#names + 1] = bare end
  for short in pairs(all.by_class) do names[#names + 1] = short end
  return nil, ("help: there is no documentation of '%s'%s"):format(name,
    options.question(name:match("[%w_]*$"), names))
end

--- moon.help(x), moon.help "name": prints it.
function help.show(x)
  local text, message = help.text(x)
  print(text or message)
end

return help

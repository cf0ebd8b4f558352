--- The public interface as data: what help/meta.lua says, with functions and classes by name.
-- The file is read at the first call, never before.
local annotations = require "moonglass.help.annotations"
local errors = require "moonglass.support.errors"
local host = require "moonglass.support.host"

local interface = {}

local function read_annotations()
  local package, io = host.package, host.io
  local path = package and package.searchpath and package.searchpath("moonglass.help.meta", package.path)
  local file = path and io and io.open(path, "rb")
  if not file then errors.raise("help: cannot read moonglass/help/meta.lua, which has the texts") end
  local text = file:read("a")
  file:close()
  return annotations.parse(text)
end

local read

--- What annotations.parse gives, and by_path ("Tensor:add"), by_name ("add": a list of functions), by_class ("Tensor").
function interface.known()
  if read then return read end
  local all = read_annotations()
  all.by_path, all.by_name, all.by_class = {}, {}, {}
  for _, f in ipairs(all.functions) do
    all.by_path[f.path] = f
    all.by_name[f.name] = all.by_name[f.name] or {}
    table.insert(all.by_name[f.name], f)
  end
  for _, class in ipairs(all.classes) do
    if class.path then all.by_class[class.path] = class end
    all.by_class[class.name:match("[^.]*$")] = class
  end
  read = all
  return all
end

--- The entry of a method of a class, its parents' methods included; nil if there is none.
function interface.method(class, name)
  local known, path = interface.known(), class.path
  local entry = path and (known.by_path[path .. ":" .. name] or known.by_path[path .. "." .. name])
  for _, parent in ipairs(entry and {} or class.parents) do
    local known_parent = known.classes[parent]
    entry = entry or (known_parent and interface.method(known_parent, name))
  end
  return entry
end

--- The functions of a table or a class, without those of its parents.
function interface.functions_of(class)
  local list = {}
  for _, f in ipairs(interface.known().functions) do
    local prefix = f.path:match("^(.*)[.:][%w_]+$")
    if prefix == class.path then list[#list + 1] = f end
  end
  return list
end

--- All fields of a class, its parents' first.
function interface.fields(class) return annotations.fields(interface.known(), class) end

--- The classes of the tables of options that a function may take.
function interface.option_classes(entry)
  local list, seen, classes = {}, {}, interface.known().classes
  local function look(text)
    for name in text:gmatch("moonglass%.[%w_]+Options") do
      if not seen[name] and classes[name] then list[#list + 1] = classes[name] end
      seen[name] = true
    end
  end
  for _, p in ipairs(entry.params) do look(p.type) end
  for _, overload in ipairs(entry.overloads) do look(overload) end
  return list
end

--- The fields that a function's table of options may have.
function interface.options(entry)
  local list = {}
  for _, class in ipairs(interface.option_classes(entry)) do
    local fields = interface.fields(class)
    table.move(fields, 1, #fields, #list + 1, list)
  end
  return list
end

--- The values that a type allows, where it allows only some texts or numbers; {} for other types.
function interface.choices(type_text) return annotations.choices(interface.known(), type_text) end

return interface

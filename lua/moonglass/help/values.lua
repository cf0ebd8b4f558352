--- Which class or function of the interface a value is. No code of the user is called: no __index, __eq or __pairs.
local arity = require "moonglass.support.arity"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local host = require "moonglass.support.host"
local interface = require "moonglass.help.interface"
local native = require "moonglass.support.native"

local values = {}

--- The table `moon`, or an empty one if it is not loaded.
function values.library()
  local package = host.package
  local moon = package and package.loaded["moonglass"]
  return type(moon) == "table" and moon or {}
end

--- The module moonglass.mpi, or an empty table if it is not loaded.
function values.mpi()
  local package = host.package
  local mpi = package and package.loaded["moonglass.mpi"]
  return type(mpi) == "table" and mpi or {}
end

-- ---- fields ----

-- Is a metatable's __index the library's, so that it calls nothing else? It belongs to a class of the core, or it is a
-- function from a file of the library.
local function is_own(meta)
  local debug, index, name = host.debug, rawget(meta, "__index"), rawget(meta, "__name")
  if not debug or type(index) ~= "function" then return false end
  if core.methods[name] and rawequal(debug.getregistry()[name], meta) then return true end
  local folder = debug.getinfo(1, "S").source:match("^(@.*)help/values%.lua$")
  return folder ~= nil and debug.getinfo(index, "S").source:sub(1, #folder) == folder
end

local longest_chain = 100

--- The value of a field, or nil.
function values.field(v, name)
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
      local ok, value = errors.caught(index, v, name) -- a missing field raises
      if ok then return value end
      return nil
    end
    v = index
  end
end

-- ---- objects ----

-- The class of the objects of a constructor: "k_sparse" -> that of what moon.k_sparse returns.
local function class_of_maker(name)
  local known = interface.known()
  local maker = known.by_path["moon." .. name]
  return maker and maker.returns[1] and known.classes[maker.returns[1].type]
end

--- The class of an object of this library, or nil.
function values.class_of(v)
  local meta = getmetatable(v)
  local name = type(meta) == "table" and rawget(meta, "__name")
  if type(name) ~= "string" then return nil end
  local known = interface.known()
  if native.is_layer(v) then
    local ok, kind = errors.caught(core.methods[name].kind, v)
    return ok and class_of_maker(kind) or known.classes["moonglass.Layer"]
  end
  local noun = name:match("^moonglass%.(.*)$")
  if noun == "net" or noun == "mixed_net" then
    local halved = values.field(values.field(v, "encoder"), "forward") ~= nil
    local kind = halved and (values.field(v, "sample") and "Variational" or "Autoencoder") or "Net"
    return known.classes["moonglass." .. kind]
  end
  return noun and known.by_class[noun:gsub("^%l", string.upper)]
end

-- ---- functions ----

-- Every function of moon, of the tables in it and of the classes, with its path.
local function paths_of_functions()
  local paths = {}
  local function add(t, prefix)
    for name, v in next, t do
      if type(v) == "function" and type(name) == "string" and not paths[v] then paths[v] = prefix .. name end
    end
  end
  add(values.library(), "moon.")
  for name, v in next, values.library() do
    if type(v) == "table" then add(v, "moon." .. tostring(name) .. ".") end
  end
  for noun, methods in pairs(core.methods) do
    add(methods, noun:match("%l+$"):gsub("^%l", string.upper) .. ":")
  end
  local session = host.package and host.package.loaded["moonglass.session"]
  if session then add(session.globals, "session.") end
  add(values.mpi(), "mpi.")
  return paths
end

-- The path of a method of a class that is written in Lua, from the line on which it is defined.
local function path_by_source(f)
  local info = host.debug and host.debug.getinfo(arity.unchecked(f), "S")
  local file = info and info.source:match("^@(.*)$")
  if not file or not file:find("moonglass/", 1, true) or not host.io then return nil end
  local number = 0
  for line in host.io.lines(file) do
    number = number + 1
    if number == info.linedefined then return line:match("^function ([%w_]+[.:][%w_]+)%(") end
  end
end

--- The entry of a function, or nil.
function values.entry_of(f)
  local by_path, path = interface.known().by_path, paths_of_functions()[f]
  local entry = path and by_path[path]
  if entry then return entry end
  path = path_by_source(f)
  return path and (by_path[path] or by_path[path:gsub("[.:]", ":")])
end

return values

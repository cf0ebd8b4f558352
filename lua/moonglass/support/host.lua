--- The libraries of Lua that this host has now, e.g. host.io; nil for one that it has left out, also where asking for a
-- global that is not there is an error.

-- What a function that stands for globals gives; nil if it refuses. A refusal comes again when it is asked again, but
-- not what a hook has raised meanwhile.
local function ask(index, globals, name)
  local ok, v = pcall(index, globals, name)
  if ok then return v end
  local again, same = pcall(index, globals, name)
  if again or not rawequal(same, v) then error(v, 0) end
end

local function find(name)
  local globals = _ENV
  while type(globals) == "table" do
    local v = rawget(globals, name)
    if v ~= nil then return v end
    local meta = getmetatable(globals)
    local index = type(meta) == "table" and rawget(meta, "__index")
    if type(index) == "function" then return ask(index, globals, name) end
    globals = index
  end
end

local known = {io = true, os = true, debug = true, package = true}

return setmetatable({}, {__index = function(_, name)
  local library = known[name] and find(name)
  return type(library) == "table" and library or nil
end})

--- Lua's libraries, as far as this host has them: host.io, host.os, ...; nil for a missing one, even in a host where
-- reading an unknown global is an error.

-- What the __index function of the globals gives; nil if it raises. It is asked twice: its own error comes again, the
-- error of a hook does not.
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

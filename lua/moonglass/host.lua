--- The libraries of Lua that this host has now, e.g. host.io; nil for one that it has left out, also where asking for a
-- global that is not there is an error.
local find = {
  io = function() return io end, os = function() return os end, debug = function() return debug end,
  package = function() return package end,
}

return setmetatable({}, {__index = function(_, name)
  local ok, library = pcall(find[name])
  return ok and type(library) == "table" and library or nil
end})

--- net:save: the net, architecture and parameters, as one safetensors file.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"

local Net = {}

local core_save = core.methods["moonglass.net"].save or function() return files.refuse("save") end

--- true | nil, message, code
function Net:save(path)
  checks.net("save", self)
  checks.path("save", path)
  return errors.guard(core_save, self, path)
end

return Net

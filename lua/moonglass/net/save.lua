--- net:save: the net, architecture and parameters, as one safetensors file.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"

---@class moonglass.Net
local Net = {}

local core_save = core.methods["moonglass.net"].save or function() return files.refuse("save") end

---Save architecture and parameters as a safetensors file. Writing is atomic: the file is complete, or as it was.
---Tensors have the names that torch.nn.Sequential gives to the same layers. Of a layer
---written in Lua the file holds the parameters and what its `state` gives; `net:load` fills a net that the same code
---has made.
---@param path string
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function Net:save(path)
  checks.net("save", self)
  checks.path("save", path)
  return errors.guard(core_save, self, path)
end

return Net

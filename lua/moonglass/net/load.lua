--- moon.load, moon.load_bytes and net:load: nets, detectors and parameters from safetensors files and bytes.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local halves = require "moonglass.net.halves"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

---@class moonglass
local moon = {}

---@class moonglass.Net
local Net = {}

-- What was loaded, with names for the halves of autoencoders.
local function restore(loaded)
  if native.is_net(loaded) then return halves.restore(loaded) end
  for _, net in ipairs(loaded.nets) do halves.restore(net) end
  return loaded
end

---Load a saved net, or a detector. A saved autoencoder comes back as one. Loading runs no code from the file.
---@param path string
---@return moonglass.Net|moonglass.Autoencoder|moonglass.Detector? net nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
function moon.load(path)
  local net, message, code = errors.guard(files.load_net, path)
  if not net then return nil, message, code end
  return restore(net)
end

---Load a net, or a detector, from bytes in memory: those of `net:bytes`, or of a file that `net:save` has written.
---@param bytes string
---@return moonglass.Net|moonglass.Autoencoder|moonglass.Detector? net nil if the bytes are not a net
---@return string? message
---@return moonglass.Code? code
function moon.load_bytes(bytes)
  if type(bytes) ~= "string" then errors.raise("load_bytes: bytes is %s, expected a string", options.show(bytes)) end
  local net, message, code = errors.guard_as("load_bytes", "net_from_bytes", core.net_from_bytes, bytes)
  if not net then return nil, message, code end
  return restore(net)
end

-- The tensors whose names begin with the prefix, without it.
local function below(prefix, tensors)
  local list = {}
  for name, t in pairs(tensors) do
    if name:sub(1, #prefix) == prefix then list[name:sub(#prefix + 1)] = t end
  end
  return list
end

-- A net of the same architecture with these tensors, or nil, message, code.
local function twin(net, tensors)
  local _, metadata = net:archive()
  return core.net_from(tensors, metadata)
end

-- Appends what copies the buffers: {{to, from}, ...}.
local function add_buffers(list, net, made)
  local theirs = made:buffers()
  for i, buffer in ipairs(net:buffers()) do list[#list + 1] = {buffer.value, theirs[i].value} end
  return list
end

-- {{to, from}, ...}. The weight of a layer that is tied to one outside the net is transposed here.
local function copies(net, made)
  local list = {}
  for i = 1, #net do
    local ours, theirs = net:layer(i):parameters(), made:layer(i):parameters()
    for k, parameter in ipairs(ours) do
      local from = theirs[k]
      if not from.shared then
        list[#list + 1] = {parameter.value, parameter.shared and from.value:t() or from.value}
      end
    end
  end
  return add_buffers(list, net, made)
end

---Options of `net:load`.
---@class moonglass.LoadOptions
---@field prefix string? default "": the beginning of the tensors' names, for example "encoder."
local load_options = options.checker("load", {prefix = {"text", ""}})

-- What to put into the net, from the file. where: what begins a message about it. Or nil, message, code.
local function read(net, path, given)
  checks.net("load", net)
  checks.path("load", path)
  local prefix = load_options(given).prefix
  local tensors, metadata, code = errors.guard(files.safetensors_load, path)
  if not tensors then return nil, metadata, code end
  local where = ("'%s'%s: "):format(path, prefix == "" and "" or (" below '%s'"):format(prefix))
  return below(prefix, tensors), prefix == "" and metadata or {}, where
end

---Load parameters by name from a safetensors file, ours or PyTorch's, into this net. On failure nothing changes. A net
---with layers written in Lua is filled with all that its `save` wrote: their states and the options that can be set,
---too. It must have been made by the same code.
---@param path string
---@param options moonglass.LoadOptions?
---@return true? ok nil if a tensor is missing, has another shape or belongs to no layer
---@return string? message
---@return moonglass.Code? code
function Net:load(path, given)
  local tensors, message, where = read(self, path, given)
  if not tensors then return nil, message, where end
  local made, code
  made, message, code = errors.guard(twin, self, tensors)
  if not made then return nil, where .. message, code end
  for _, pair in ipairs(errors.guard(copies, self, made)) do pair[1]:copy_(pair[2]) end
  return true
end

return {moon = moon, Net = Net, copies = copies, read = read}

--- Files of nets with layers written in Lua: the methods archive, bytes, save and load of such a net.
-- Tensors are named as in a file of a native net, by their place in torch.nn.Sequential; a layer in Lua is one module
-- there. The text entries are
--   mixed, layers      the version of these files; the number of layers
--   layer.1            of a native layer: the JSON of a net of it alone (csrc/engine/formats/weights.c)
--   layer.2            "lua"; then layer.2.name is its name, and layer.2.state.n what is no tensor of its state
--   layer.3            "branches"; then layer.3.1.x is the entry x of the net that is the first branch, as "4.1.x" is
--                      its tensor x if the branches are module 4
local branching = require "moonglass.net.branching"
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local damage = require "moonglass.support.damage"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local fill = require "moonglass.net.fill"
local load = require "moonglass.net.load"
local native = require "moonglass.support.native"
local own_state = require "moonglass.net.own_state"
local texts = require "moonglass.net.checkpoint.texts"

local Mixed = {}

local function add_native(tensors, metadata, cell, i, place)
  local own_tensors, own_metadata = cell:archive()
  for name, t in pairs(own_tensors) do tensors[place .. name:sub(2)] = t end -- "0.weight" is the cell's own name
  metadata["layer." .. i] = own_metadata.moonglass
end

local function add_lua_layer(tensors, metadata, net, i, place)
  local key, name = "layer." .. i, net:layer(i).name
  local parameters, state = own_state.take("save", net, i)
  metadata[key] = "lua"
  metadata[key .. ".name"] = type(name) == "string" and name or nil
  for entry, v in pairs(state or {}) do
    if native.is_tensor(v) then
      tensors[place .. "." .. entry] = v:clone()
    else
      metadata[("%s.state.%s"):format(key, entry)] = texts.of_value(v)
    end
  end
  for entry, t in pairs(parameters) do tensors[place .. "." .. entry] = t:clone() end
end

local archive

local function add_branches(tensors, metadata, branches, i, place)
  metadata["layer." .. i] = "branches"
  for k, part in ipairs(branches.parts) do
    local of_part, entries = {}, {}
    if part then of_part, entries = (native.is_net(part) and part.archive or archive)(part) end
    for name, t in pairs(of_part) do tensors[("%d.%d.%s"):format(place, k, name)] = t end
    for name, text in pairs(entries) do metadata[("layer.%d.%d.%s"):format(i, k, name)] = text end
  end
end

-- Adds layer i at its place in torch.nn.Sequential. Returns how many modules it is there.
local function add_layer(tensors, metadata, net, i, place)
  local layer = net:layer(i)
  if branching.is(layer) then
    add_branches(tensors, metadata, layer, i, place)
  elseif native.is_layer(layer) then
    add_native(tensors, metadata, net.cells[i], i, place)
    return core.layer_modules(layer)
  else
    add_lua_layer(tensors, metadata, net, i, place)
  end
  return 1
end

function archive(net)
  local tensors, metadata = {}, {format = "pt", mixed = fill.version, layers = tostring(#net)}
  local place = 0
  for i = 1, #net do place = place + add_layer(tensors, metadata, net, i, place) end
  return tensors, metadata
end

--- For `what`, the tensors and the text entries of the file.
local function archive_for(what, net) return errors.guard_as(what, "save", archive, net) end

function Mixed:archive() return archive_for("archive", self) end

function Mixed:bytes() return errors.guard(core.safetensors_encode, archive_for("bytes", self)) end

function Mixed:save(path)
  checks.net("save", self)
  checks.path("save", path)
  if files.lacking("save") then return files.refuse("save") end
  return errors.guard(files.safetensors_save, path, archive_for("save", self))
end

local function put(net, tensors, metadata)
  fill.carry_out(fill.plan("load", net, tensors, metadata))
  return true
end

--- A file of net:save, or PyTorch's of the parameters and the tensors of the states.
function Mixed:load(path, given)
  local tensors, metadata, where = load.read(self, path, given)
  if not tensors then return nil, metadata, where end
  return damage.caught(where, put, self, tensors, metadata)
end

return Mixed

--- The tensors of a net as its file names them: as torch.nn.Sequential names those of the same stack, "0.weight" [out x
-- in], "0.bias", "2.weight", the number being the place of a module.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local options = require "moonglass.support.options"

local weights = {}

-- ---- names ----

-- The places that occur in the names, ascending.
local function places(tensors)
  local list, seen = {}, {}
  for name in pairs(tensors) do
    local place = math.tointeger(name:match("^(%d+)%."))
    if not seen[place] then list[#list + 1] = place end
    seen[place] = true
  end
  table.sort(list)
  return list
end

--- For each layer of a native net, what its archive calls the layer's parameters: {weight = "2.weight", bias =
-- "2.bias"}, {} for a layer without any. tensors: the first result of net:archive().
function weights.names(net, tensors)
  local list, place, next_place = {}, places(tensors), 1
  for i = 1, #net do
    local names, parameters = {}, net:layer(i):parameters()
    for _, parameter in ipairs(parameters) do
      names[parameter.name] = ("%d.%s"):format(place[next_place], parameter.name)
    end
    if parameters[1] then next_place = next_place + 1 end
    list[i] = names
  end
  return list
end

-- ---- load ----

-- The tensors whose names begin so, without that beginning.
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

-- {{to, from}, ...}. A layer that is tied to one outside the net has a weight that lies the other way here.
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
  return list
end

local load_options = options.checker("load", {prefix = {"text", ""}})

--- METHOD net:load(path, {prefix=""}): the parameters out of a safetensors file, of this library or of PyTorch's
-- safetensors.torch.save_file: each tensor by its name in torch.nn.Sequential, behind the prefix if one is given
-- ("encoder."). Floats of 16 and 64 bits become float32. true | nil, message, code: then nothing has changed. What is
-- missing, of another shape, or begins so but belongs to no layer is an error.
function weights.load(net, path, given)
  checks.net("load", net)
  checks.path("load", path)
  local prefix = load_options(given).prefix
  local tensors, message, code = errors.guard(files.safetensors_load, path)
  if not tensors then return nil, message, code end
  local made
  made, message, code = errors.guard(twin, net, below(prefix, tensors))
  if not made then
    local where = prefix == "" and "" or (" below '%s'"):format(prefix)
    return nil, ("'%s'%s: %s"):format(path, where, message), code
  end
  for _, pair in ipairs(errors.guard(copies, net, made)) do pair[1]:copy_(pair[2]) end
  return true
end

return weights

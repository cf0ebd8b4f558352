--- moon.sequential{layer, layer, ...}: a net. Of native layers only, it is native and runs in C; with a layer written
-- in Lua among them it is walked from Lua, with the same methods and the same numbers.
local branching = require "moonglass.net.branching"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local halves = require "moonglass.net.halves"
local mixed = require "moonglass.net.mixed"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

---A list of layers that is trained and used as one function. `#net` is the number of layers. A net of native layers
---runs in C. A net with a layer written in Lua runs from Lua and gives the same numbers. It lacks `plan`, `fold`,
---`encoder_layers` and `set_encoder_layers`. A script may set other fields on a net.
---@class moonglass.Net
---@field loss moonglass.AnyLoss? the loss of the last `fit`; the default of the next one and of `evaluate`
---@field optimizer moonglass.AnyOptimizer? the optimiser of the last `fit`
---@field trainable boolean is any parameter trained? Setting it sets that of each layer
---@field shares string? of a slice: "layers 1 to 2 of another net"
---@operator len: integer
local methods = core.methods["moonglass.net"]
local function add(more)
  for name, method in pairs(more) do methods[name] = method end
end
add(require "moonglass.net.methods")
add(require("moonglass.net.load").Net)
add(require "moonglass.net.save")
methods.loss, methods.optimizer = false, false -- fields that a net has after fit; nil before
methods.shares = false -- a slice's field: what it shares, in words
methods.trainable = false -- the core reads and sets it; here for those who mistype it

local core_slice, core_clone, core_fold = methods.slice, methods.clone, methods.fold

---Layers i to j as a net that shares the parameters.
---@name Net:slice(i, j)
---@param i integer the first layer
---@param j integer the last layer
---@return moonglass.Net net
function methods.slice(net, ...)
  local slice = errors.guard(core_slice, net, ...)
  slice.shares = ("layers %d to %d of another net"):format(...)
  return slice
end

local function finish_copy(net, copy)
  copy.loss = net.loss
  return halves.restore(copy)
end

---An independent copy: training one net does not change the other. The copy of an autoencoder is an autoencoder. Tied
---weights and layers used twice are so in the copy, too. Its noise continues as the original's would. The loss is
---copied; the optimiser is not, because its moments belong to the parameters that it has updated. A layer written in
---Lua needs a method `clone`, or copying raises.
---@name Net:clone()
---@return moonglass.Net net
function methods.clone(net) return finish_copy(net, errors.guard(core_clone, net)) end

---A copy for inference without batch normalisation: its scale and shift go into the weight and the bias of the dense
---layer beside it. That is the linear one before it, which takes over the activation layer behind it, too, or else the
---dense layer behind it. Dropout and noise may stand in between. A `batch_norm` stays where there is no such layer,
---where a branch or the end of the encoder lies in between, and where the layer is tied or used twice. The outputs are
---the same to rounding; the penalties are those of the new weights. Not for a net with a layer written in Lua.
---@name Net:fold()
---@return moonglass.Net net
function methods.fold(net) return finish_copy(net, errors.guard(core_fold, net)) end

local function is_lua_layer(v)
  return branching.is(v) or type(v) == "table" and type(v.forward) == "function" and type(v.backward) == "function"
end

-- Layers one after the other; a net among them stands for its layers.
local function flatten(list, into)
  for i = 1, #list do
    local element = list[i]
    if native.is_net(element) or mixed.is_mixed(element) then
      for k = 1, #element do into[#into + 1] = element:layer(k) end
    elseif native.is_layer(element) or is_lua_layer(element) then
      into[#into + 1] = element
    else
      errors.raise("sequential: element %d is %s, expected a layer, a net, branches or a table with forward and "
        .. "backward", i, options.show(element))
    end
  end
  return into
end

local function check_list(list)
  if type(list) ~= "table" then
    errors.raise("sequential: got %s, expected a list of layers: sequential{layer, layer}", options.show(list))
  end
  local n = #list
  if n == 0 then errors.raise("sequential: the list is empty, expected at least one layer") end
  for key in pairs(list) do
    if not (math.type(key) == "integer" and key >= 1 and key <= n) then
      errors.raise("sequential: unknown key '%s', expected a list of layers", tostring(key))
    end
  end
end

---A net of layers in sequence: `moon.sequential{moon.dense(784, 32), moon.dense(32, 784)}`. A net in the list stands
---for its layers. Two nets may share a layer, and one net may use it twice. Each place of a noise layer draws different
---noise. A penalty on weights counts once per net, a penalty on outputs once per place.
---@name moon.sequential(layers)
---@param layers (moonglass.AnyLayer|moonglass.Branches)[] at least one
---@return moonglass.Net net
local function sequential(layers)
  check_list(layers)
  return mixed.compose(flatten(layers, {}))
end

return sequential

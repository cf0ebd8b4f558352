--- The halves of an autoencoder: what makes a net one, and its methods.
local arity = require "moonglass.support.arity"
local checks = require "moonglass.support.checks"
local native = require "moonglass.support.native"
local passes = require "moonglass.net.passes"
local variational = require "moonglass.net.variational"

local halves = {}

---A net with names for its two halves. The target of `ae:fit(x, options)` is x.
---@class moonglass.Autoencoder: moonglass.Net
---@field encoder moonglass.Net the layers up to the code, noise included; it shares the parameters
---@field decoder moonglass.Net the layers after the code; it shares the parameters
local Autoencoder = {}

---The code of each row.
---@param x moonglass.Tensor|moonglass.Source [rows x in]
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor code [rows x code]
function Autoencoder:encode(x, given)
  checks.net("encode", self)
  return passes.predict("encode", self.encoder, x, given)
end

---The rows that the codes stand for.
---@param code moonglass.Tensor|moonglass.Source [rows x code]
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor x [rows x out]
function Autoencoder:decode(code, given)
  checks.net("decode", self)
  return passes.predict("decode", self.decoder, code, given)
end

---The reconstruction of each row: decode(encode(x)).
---@param x moonglass.Tensor|moonglass.Source [rows x in]
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor reconstruction [rows x out]
function Autoencoder:reconstruct(x, given)
  checks.net("reconstruct", self)
  return passes.predict("reconstruct", self, x, given)
end

arity.check_class(Autoencoder)

---Make a net an autoencoder whose first layers are the encoder.
---@name moon.autoencoder.adopt(net, layers)
---@param net moonglass.Net
---@param layers integer the number of layers of the encoder
---@return moonglass.Autoencoder net the same net
function halves.adopt(net, layers)
  checks.is_net("autoencoder.adopt", net)
  checks.whole("autoencoder.adopt", "layers", layers, 1, #net - 1)
  for name, method in pairs(Autoencoder) do net[name] = method end
  net.encoder, net.decoder = net:slice(1, layers), net:slice(layers + 1, #net)
  if native.is_net(net) then net:set_encoder_layers(layers) end
  variational.extend(net)
  return net
end

---Make a net an autoencoder if its `encoder_layers` is not 0.
---@name moon.autoencoder.restore(net)
---@param net moonglass.Net
---@return moonglass.Net|moonglass.Autoencoder net the same net
function halves.restore(net)
  checks.is_net("autoencoder.restore", net)
  local layers = net:encoder_layers()
  return layers > 0 and halves.adopt(net, layers) or net
end

return halves

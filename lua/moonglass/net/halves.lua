--- The halves of an autoencoder: what makes a net one, and its methods.
local checks = require "moonglass.support.checks"
local counted = require "moonglass.support.counted"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"

local halves = {}

local Autoencoder = {}

local function predict(what, net, x, given)
  checks.is_tensor(what, "x", x)
  return errors.guard_as(what, "predict", net.predict, net, x, given)
end

--- The code of each row: [rows x in] -> [rows x code]. options: batch_size, for all of these methods.
function Autoencoder:encode(x, given)
  checks.net("encode", self)
  return predict("encode", self.encoder, x, given)
end

--- The rows that codes stand for: [rows x code] -> [rows x out].
function Autoencoder:decode(code, given)
  checks.net("decode", self)
  return predict("decode", self.decoder, code, given)
end

--- Encode and decode: [rows x in] -> [rows x out].
function Autoencoder:reconstruct(x, given)
  checks.net("reconstruct", self)
  return predict("reconstruct", self, x, given)
end

counted.class(Autoencoder)

--- Makes a net an autoencoder whose first `layers` layers are the encoder. Returns the net.
function halves.adopt(net, layers)
  checks.is_net("autoencoder.adopt", net)
  checks.whole("autoencoder.adopt", "layers", layers, 1, #net - 1)
  for name, method in pairs(Autoencoder) do net[name] = method end
  net.encoder, net.decoder = net:slice(1, layers), net:slice(layers + 1, #net)
  if native.is_net(net) then net:set_encoder_layers(layers) end
  return net
end

--- A net from a file, or a clone: an autoencoder again if it was one.
function halves.restore(net)
  checks.is_net("autoencoder.restore", net)
  local layers = net:encoder_layers()
  return layers > 0 and halves.adopt(net, layers) or net
end

return halves

-- Weights uniform in (-0.5, 0.5), and biases of 0.1.
local moon = require "moonglass"

local function start_weights(net, seed)
  moon.seed(seed)
  for i = 1, #net do
    local layer = net:layer(i)
    layer.weight = moon.rand(layer.weight.shape) - 0.5
    layer.bias = moon.full(0.1, layer.bias.shape)
  end
end

return start_weights

--- The event "samples": what a variational net decodes codes to that it draws, with no picture behind them. Their seed
-- stays until others are asked for, so that one sees the same codes become digits.
local moon = require "moonglass"
local pixels = require "playground.autoencoder.pixels"

local count = 10

return function(look)
  if look.settings.kind ~= "variational" then return {} end
  local seed = look.view.samples
  moon.seed(seed) -- training has seeds of its own
  return {seed = seed, pictures = pixels.bytes(look.net:sample(count))}
end

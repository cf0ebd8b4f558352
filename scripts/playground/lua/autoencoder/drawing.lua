--- The event "drawing": what was drawn, with the noise that was put on it, and what the net makes of it.
local pixels = require "playground.autoencoder.pixels"

return function(look)
  local view = look.view
  if not view.drawing then return {} end
  local clean, noisy = look:picture()
  local code = (look.net:encode(noisy or clean)) -- a variational net gives its variance too
  local made = look.net:decode(code)
  return {
    pixels = pixels.one(clean), noisy = noisy and pixels.one(noisy), noise = view.draw_noise,
    reconstruction = pixels.one(made), code = code:reshape(-1), error = look:errors(clean, noisy and made)[1],
  }
end

--- The event "digits": test digits over what the net makes of them; for a denoising net, what it saw between them.
local pixels = require "playground.autoencoder.pixels"

-- {first, first + 1, ...}
local function numbers(first, count)
  local list = {}
  for i = 1, count do list[i] = first + i - 1 end
  return list
end

return function(look)
  local clean, noisy = look:digits()
  local first, count = look.view.first, #clean
  local labels = look.data.test_labels
  local made = look.net:reconstruct(noisy or clean)
  return {
    rows = numbers(first, count), labels = labels and labels:rows(first, first + count - 1):totable(),
    original = clean, noisy = noisy and pixels.bytes(noisy),
    reconstruction = pixels.bytes(made), errors = look:errors(clean, noisy and made):totable(),
  }
end

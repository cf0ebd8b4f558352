--- The event "code": the code of the chosen picture as numbers, and the picture that the code as edited stands for.
local moon = require "moonglass"
local pixels = require "playground.autoencoder.pixels"

local sample = 200 -- test rows for the ranges of the bars

return function(look)
  local view = look.view
  local clean, noisy = look:picture()
  local values = (look.net:encode(noisy or clean)) -- a variational net gives its variance too
  local made = look.net:decode(values)
  local codes = look:codes(sample)
  local labels = not view.drawing and look.data.test_labels
  return {
    source = view.drawing and "drawing" or "test", row = not view.drawing and view.row or nil,
    label = labels and labels[view.row] or nil,
    values = view.held and moon.tensor(view.held) or values:reshape(-1), own = values:reshape(-1),
    low = codes:min(1), high = codes:max(1), edited = view.held ~= nil,
    original = pixels.one(clean), reconstruction = pixels.one(made),
    decoded = pixels.one(view.held and look.net:decode(moon.tensor{view.held}) or made),
  }
end

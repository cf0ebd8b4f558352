--- The event "memory": rows that the net has trained on beside rows that it has never seen. With few rows the first
-- come out better: the net has learnt them by heart.
local pixels = require "playground.autoencoder.pixels"

local shown, measured = 5, 200

-- The first rows, what the net makes of them, and the loss of more of them. All are without noise.
local function side(look, rows)
  local some = rows:rows(1, math.min(shown, #rows))
  local made = look.net:reconstruct(some)
  return {
    original = some, reconstruction = pixels.bytes(made), errors = look:errors(some):totable(),
    loss = look.net:evaluate(rows:rows(1, math.min(measured, #rows)), {loss = look:loss()}),
  }
end

return function(look)
  local train, test = side(look, look.data.train), side(look, look.data.test)
  return {train = train, test = test, gap = test.loss - train.loss, rows = #look.data.train}
end

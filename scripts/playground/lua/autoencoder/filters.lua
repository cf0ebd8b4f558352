--- The event "filters": the weights into each unit of the first layer as a picture, 0 grey, each scaled for itself. A
-- dead unit is 0 for every row of the sample.
local moon = require "moonglass"

local most, sample = 64, 1000 -- pictures, test rows

-- 0 becomes 127.5, the largest absolute weight of a unit 0 or 255.
local function pictures(weights)
  local scale = 127.5 / weights:max(2):maximum_(-weights:min(2)):clamp_(1e-30)
  return (weights:t() * scale):add_(127.5):t():clamp_(0, 255):byte()
end

-- The units' outputs. What keeps the k largest of them belongs to the layer.
local function outputs(look, dense)
  local net, last = look.net, dense
  if last < #net and net:layer(last + 1):kind() == "k_sparse" then last = last + 1 end
  return net:slice(1, last):predict(look:test_rows(sample))
end

return function(look)
  local dense = look:first_dense()
  local weights = look.net:layer(dense).weight:t()
  local total = #weights
  local out = outputs(look, dense)
  local mask, dead_total = moon.metrics.dead_units(out)
  local shown, dead = math.min(most, total), {}
  for i = 1, shown do dead[i] = mask[i] ~= 0 end
  return {
    maps = pictures(weights:rows(1, shown)), dead = dead, dead_total = dead_total, total = total, rows = #out,
  }
end

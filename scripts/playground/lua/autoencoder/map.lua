--- The event "map": test digits at the place of their code of two numbers, over a grid of what the plane decodes to.
local moon = require "moonglass"
local pixels = require "playground.autoencoder.pixels"

local side = 12 -- decoded digits a line
local sample = 1000 -- test rows
local no_label = 255

-- The codes' range along a column of codes [n x 2], a little wider, so that no point lies on the edge.
local function range(codes, column)
  local low, high = codes:min(1)[column], codes:max(1)[column]
  local margin = math.max((high - low) * 0.05, 1e-3)
  return low - margin, high + margin
end

-- The codes in the middle of the cells [144 x 2], line by line from the top, where the second number is largest.
local function cells(x0, x1, y0, y1)
  local list = {}
  for line = 1, side do
    for column = 1, side do
      list[#list + 1] = {x0 + (x1 - x0) * (column - 0.5) / side, y1 - (y1 - y0) * (line - 0.5) / side}
    end
  end
  return moon.tensor(list)
end

local function labels(look, count)
  local own = look.data.test_labels
  return own and own:rows(1, count) or moon.full(no_label, count, {dtype = "uint8"})
end

return function(look)
  if look.settings.code ~= 2 then return {needs = "a code of 2"} end
  local codes = look:codes(sample)
  local x0, x1 = range(codes, 1)
  local y0, y1 = range(codes, 2)
  local made = pixels.bytes(look.net:decode(cells(x0, x1, y0, y1)))
  return {
    points = codes, labels = labels(look, #codes), range = {x0, x1, y0, y1},
    grid = moon.image.grid(made, {columns = side, pad = 0}),
  }
end

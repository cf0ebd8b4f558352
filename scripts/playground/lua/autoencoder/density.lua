--- The event "density": how the numbers of the codes are spread, how many of them are 0, and which never are anything
-- else.
local moon = require "moonglass"

local bins = 40

-- So many test rows, or fewer if their codes have more numbers than these.
local sample, most_numbers = 500, 32000

-- bins + 1 edges over the values' range.
local function edges_of(low, high)
  if high <= low then high = low + 1 end
  local edges = {}
  for i = 0, bins do edges[i + 1] = low + (high - low) * i / bins end
  return edges
end

-- The number of values in each bin; the last one has its upper edge too.
local function count(codes, edges)
  local counts, below = {}, 0
  for i = 1, bins do
    local next_below = i == bins and codes:numel() or math.tointeger(codes:lt(edges[i + 1]):sum())
    counts[i], below = next_below - below, next_below
  end
  return counts
end

return function(look)
  local codes = look:codes(math.min(sample, most_numbers // look.settings.code))
  local edges = edges_of(codes:min(), codes:max())
  local _, dead = moon.metrics.dead_units(codes)
  return {
    edges = edges, counts = count(codes, edges), zeros = codes:eq(0):sum() / codes:numel(), mean = codes:mean(),
    dead = dead, units = codes:size(2), rows = #codes,
  }
end

-- Regression: six hills and hollows, of height +1 and -1, that fall to 0 at distance 2. Where two meet, the one that is
-- further from 0 counts. Noise moves a point before it gets its value.
local function gaussian(n, noise, random)
  local hills = {{-4, 2.5, 1}, {0, 2.5, -1}, {4, 2.5, 1}, {-4, -2.5, -1}, {0, -2.5, 1}, {4, -2.5, -1}}
  local function value(x1, x2)
    local result = 0
    for _, hill in ipairs(hills) do
      local distance = math.sqrt((x1 - hill[1]) ^ 2 + (x2 - hill[2]) ^ 2)
      local here = hill[3] * math.max(0, 1 - distance / 2)
      if math.abs(here) > math.abs(result) then result = here end
    end
    return result
  end
  local points = {}
  for i = 1, n do
    local x1, x2 = random.uniform(-6, 6), random.uniform(-6, 6)
    points[i] = {x1, x2, value(x1 + random.uniform(-6, 6) * noise, x2 + random.uniform(-6, 6) * noise)}
  end
  return points
end

return gaussian

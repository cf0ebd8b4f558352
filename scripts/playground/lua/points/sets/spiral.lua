-- Two spirals from the origin to radius 5, half a turn apart. Noise moves the points by up to so much.
local function spiral(n, noise, random)
  local points, half = {}, n // 2
  for i = 1, n do
    local first = i <= half
    local share = first and (i - 1) / half or (i - half - 1) / (n - half)
    local radius, angle = 5 * share, 1.75 * share * 2 * math.pi + (first and 0 or math.pi)
    local x1 = radius * math.sin(angle) + random.uniform(-1, 1) * noise
    local x2 = radius * math.cos(angle) + random.uniform(-1, 1) * noise
    points[i] = {x1, x2, first and 1 or -1}
  end
  return points
end

return spiral

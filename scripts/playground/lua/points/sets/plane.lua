-- Regression: the value rises evenly along the diagonal, (x1 + x2) / 10. Noise moves a point before it gets its value.
local function plane(n, noise, random)
  local points = {}
  for i = 1, n do
    local x1, x2 = random.uniform(-6, 6), random.uniform(-6, 6)
    local moved1, moved2 = x1 + random.uniform(-6, 6) * noise, x2 + random.uniform(-6, 6) * noise
    points[i] = {x1, x2, (moved1 + moved2) / 10}
  end
  return points
end

return plane

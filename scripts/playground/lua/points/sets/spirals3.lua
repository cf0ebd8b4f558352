-- The lecture's spirals: three classes, from the origin to radius 5 over 4 radians. Noise moves the angle: 0.1 is a
-- deviation of 0.2, the lecture's.
local function spirals3(n, noise, random)
  local points, each = {}, (n + 2) // 3
  for i = 1, n do
    local class, share = (i - 1) // each, (i - 1) % each / (each - 1)
    local angle = 4 * class + 4 * share + random.normal(0, 2 * noise)
    points[i] = {5 * share * math.sin(angle), 5 * share * math.cos(angle), class}
  end
  return points
end

return spirals3

-- A disc of +1 inside a ring of -1. Noise moves a point before it is asked for its label, so that labels mix.
local function circle(n, noise, random)
  local radius, points = 5, {}
  for i = 1, n do
    local inside = i <= n // 2
    local r = inside and random.uniform(0, 0.5 * radius) or random.uniform(0.7 * radius, radius)
    local angle = random.uniform(0, 2 * math.pi)
    local x1, x2 = r * math.sin(angle), r * math.cos(angle)
    local moved1 = x1 + random.uniform(-radius, radius) * noise
    local moved2 = x2 + random.uniform(-radius, radius) * noise
    local label = math.sqrt(moved1 ^ 2 + moved2 ^ 2) < 0.5 * radius and 1 or -1
    points[i] = {x1, x2, label}
  end
  return points
end

return circle

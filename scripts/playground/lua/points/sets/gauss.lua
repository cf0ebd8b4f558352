-- Two clouds with normal coordinates: +1 around (2, 2), -1 around (-2, -2). Noise from 0 to 0.5 makes their variance
-- 0.5 to 4.
local function gauss(n, noise, random)
  local deviation, points = math.sqrt(0.5 + 7 * noise), {}
  for i = 1, n do
    local label = i <= n // 2 and 1 or -1
    points[i] = {random.normal(2 * label, deviation), random.normal(2 * label, deviation), label}
  end
  return points
end

return gauss

-- Points of +1 where x1 and x2 have the same sign, of -1 elsewhere, with a gap along the axes. Noise moves a point
-- before it is asked for its label.
local function xor(n, noise, random)
  local gap, points = 0.3, {}
  local function coordinate()
    local v = random.uniform(-5, 5)
    return v + (v > 0 and gap or -gap)
  end
  for i = 1, n do
    local x1, x2 = coordinate(), coordinate()
    local moved1, moved2 = x1 + random.uniform(-5, 5) * noise, x2 + random.uniform(-5, 5) * noise
    points[i] = {x1, x2, moved1 * moved2 >= 0 and 1 or -1}
  end
  return points
end

return xor

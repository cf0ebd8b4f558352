-- A stream of random numbers that depends on its seed only: SplitMix64, and Box and Muller's normals.
local function new_random(seed)
  local random, state = {}, seed * 0x9E3779B97F4A7C15

  -- Uniform in (low, high).
  function random.uniform(low, high)
    state = state + 0x9E3779B97F4A7C15
    local z = state
    z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ~ (z >> 27)) * 0x94D049BB133111EB
    z = z ~ (z >> 31)
    return low + (high - low) * ((z >> 11) + 0.5) * 2.0 ^ -53
  end

  function random.normal(mean, deviation)
    local radius = math.sqrt(-2 * math.log(random.uniform(0, 1)))
    return mean + deviation * radius * math.cos(2 * math.pi * random.uniform(0, 1))
  end

  -- Puts a list into random order.
  function random.shuffle(list)
    for i = #list, 2, -1 do
      local k = 1 + math.floor(random.uniform(0, i))
      list[i], list[k] = list[k], list[i]
    end
  end

  return random
end

return new_random

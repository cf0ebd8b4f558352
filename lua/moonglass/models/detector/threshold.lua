--- A threshold from the scores of normal rows that the nets have not learnt, and how far it is to be trusted.
local threshold = {}

--- The quantile of a tensor of scores: the median-unbiased one, Hyndman and Fan 1996 (Sample quantiles in statistical
-- packages), definition 8, between two scores in their logarithms. Of n scores it is near the (n + 1/3) q + 1/3 th. The
-- true share of normal rows above it is as often above 1 - q as below.
function threshold.quantile(scores, q)
  local n = #scores
  local place = math.max(1, math.min(n, (n + 1 / 3) * q + 1 / 3))
  local below = math.floor(place)
  local largest = scores:topk(n - below + 1)
  local low, high = largest:get(#largest), largest:get(math.max(1, #largest - 1))
  if place == below or low == high then return low end -- they may be infinite
  if low <= 0 then return low + (place - below) * (high - low) end
  return low * (high / low) ^ (place - below)
end

--- How many scores make the quantile steady: so many that 10 are above it.
function threshold.steady(q) return math.ceil(10 / (1 - q) - 1e-6) end

local z95 = 1.959964 -- of the normal distribution: 95 % lie within

--- low, high: the interval of 95 % for a rate of `count` in n: Wilson 1927 (Probable inference, the law of succession,
-- and statistical inference).
function threshold.interval(count, n)
  local p, zz = count / n, z95 * z95
  local middle = (p + zz / (2 * n)) / (1 + zz / n)
  local half = z95 * math.sqrt(p * (1 - p) / n + zz / (4 * n * n)) / (1 + zz / n)
  return math.max(0, middle - half), math.min(1, middle + half)
end

return threshold

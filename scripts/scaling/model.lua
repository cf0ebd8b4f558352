--- What a training step costs on many machines: the time to compute its part of the batch, which was measured, and the
-- time to sum the gradients over the ranks, from the costs of the usual algorithms in alpha (seconds a message), beta
-- (seconds a byte sent) and gamma (seconds a byte added): Thakur, Rabenseifner and Gropp, Optimization of Collective
-- Communication Operations in MPICH, 2005. README.md here explains it.
local model = {}

local grain = 8 -- rows; the engine cuts a batch at multiples of it
local float = 4 -- bytes

--- Published latencies and speeds between two machines; README.md has the sources.
model.networks = {
  {name = "10 GbE", alpha = 28e-6, beta = 1 / 1.25e9},
  {name = "25 GbE", alpha = 10e-6, beta = 1 / 3.0e9},
  {name = "100 GbE", alpha = 1.3e-6, beta = 1 / 12.4e9},
  {name = "InfiniBand", alpha = 1.2e-6, beta = 1 / 24e9},
}

-- ---- nets ----

--- The widths "784-32-784" as numbers.
function model.widths(sizes)
  local list = {}
  for width in sizes:gmatch("%d+") do list[#list + 1] = math.tointeger(width) end
  return list
end

--- The number of weights and biases of dense layers of these widths.
function model.parameters(sizes)
  local widths, n = model.widths(sizes), 0
  for i = 2, #widths do n = n + (widths[i - 1] + 1) * widths[i] end
  return n
end

--- The bytes of its gradients.
function model.bytes(sizes) return float * model.parameters(sizes) end

--- The rows of the rank that has most of a batch.
function model.slice(batch, ranks)
  return math.min(batch, grain * math.ceil(math.ceil(batch / grain) / ranks))
end

-- ---- the allreduce ----

-- The largest power of 2 that is at most p, and its exponent.
local function power(p)
  local exponent = math.floor(math.log(p, 2) + 1e-9)
  return 2 ^ exponent, exponent
end

-- The ranks beyond a power of 2 first send all n to a neighbour, which adds them, and last receive the sum.
local function odd_ranks(n, p, net)
  return power(p) < p and 2 * net.alpha + n * (2 * net.beta + net.gamma) or 0
end

-- Seconds to sum n bytes over p ranks.
model.algorithms = {
  -- Everything goes to a partner at distance 1, 2, 4 ...: few messages, for small n.
  doubling = function(n, p, net)
    local _, rounds = power(p)
    return rounds * (net.alpha + n * (net.beta + net.gamma)) + odd_ranks(n, p, net)
  end,
  -- Rabenseifner's: a reduce-scatter by recursive halving, then an allgather by recursive doubling. Each rank sends
  -- only 2 (p - 1) / p of n.
  halving = function(n, p, net)
    local even, rounds = power(p)
    return 2 * rounds * net.alpha + (even - 1) / even * n * (2 * net.beta + net.gamma) + odd_ranks(n, p, net)
  end,
  -- A reduce-scatter and an allgather around a ring: the least to send, the most messages.
  ring = function(n, p, net)
    return 2 * (p - 1) * net.alpha + (p - 1) / p * n * (2 * net.beta + net.gamma)
  end,
}

local names = {"doubling", "halving", "ring"}

--- Seconds to sum n bytes over p ranks by the fastest algorithm, and its name. net: alpha, beta, gamma.
function model.allreduce(n, p, net)
  if p == 1 then return 0, "none" end
  local best, name = math.huge, nil
  for _, candidate in ipairs(names) do
    local seconds = model.algorithms[candidate](n, p, net)
    if seconds < best then best, name = seconds, candidate end
  end
  return best, name
end

--- The alpha and beta (both at least 0) of seconds = alpha + beta n that fit measured {n, seconds} best, by the sum of
-- the squared relative errors: small and large n count alike.
function model.fit(samples)
  local s, sn, snn, st, snt = 0, 0, 0, 0, 0
  for _, sample in ipairs(samples) do
    local n, t = sample[1], sample[2]
    local w = 1 / t ^ 2
    s, sn, snn, st, snt = s + w, sn + w * n, snn + w * n * n, st + w * t, snt + w * n * t
  end
  local det = s * snn - sn * sn
  if det <= 0 then return st / s, 0 end -- only one n
  local alpha, beta = (snn * st - sn * snt) / det, (s * snt - sn * st) / det
  if alpha < 0 then return 0, snt / snn end
  if beta < 0 then return st / s, 0 end
  return alpha, beta
end

--- What alpha and beta of p ranks, a power of 2, say of one link: by recursive doubling (gamma is within beta), and by
-- a ring.
function model.links(alpha, beta, p)
  local _, rounds = power(p)
  return {alpha = alpha / rounds, beta = beta / rounds},
    {alpha = alpha / (2 * (p - 1)), beta = beta * p / (2 * (p - 1))}
end

-- ---- a step ----

--- Seconds to compute a step of any number of rows, as a function, from {rows, seconds} in the order of rows: lines
-- between the measured points, the first and the last of which go on.
function model.compute(points)
  return function(rows)
    local i = 2
    while i < #points and points[i][1] < rows do i = i + 1 end
    local a, b = points[i - 1], points[i]
    local slope = (b[2] - a[2]) / (b[1] - a[1])
    -- noise must not make a smaller batch cost nothing
    return math.max(a[2] + slope * (rows - a[1]), points[1][2] * math.min(1, rows / points[1][1]))
  end
end

--- Seconds of a step of `batch` rows in all over p ranks. case: compute (a function), bytes; net: alpha, beta, gamma.
function model.step(case, net, p, batch)
  return case.compute(model.slice(batch, p)) + model.allreduce(case.bytes, p, net)
end

--- How many times as fast as one rank: the same batch in all.
function model.speed_up(case, net, p, batch) return case.compute(batch) / model.step(case, net, p, batch) end

--- The same with `batch` rows a rank, against the rows a second of one rank.
function model.growth(case, net, p, batch) return p * case.compute(batch) / model.step(case, net, p, p * batch) end

--- The number of ranks up to `most` that is fastest for a batch, and its speed-up.
function model.best(case, net, batch, most)
  local best, at = 1, 1
  for p = 2, most do
    local speed = model.speed_up(case, net, p, batch)
    if speed > best then best, at = speed, p end
  end
  return at, best
end

--- The smallest batch in all, a power of 2 up to 2^30, at which p ranks are at least `efficiency` p times as fast as
-- one; nil if there is none.
function model.pays(case, net, p, efficiency)
  for exponent = 3, 30 do
    local batch = 1 << exponent
    if model.speed_up(case, net, p, batch) >= efficiency * p then return batch end
  end
end

return model

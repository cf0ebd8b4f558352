-- N ranks equal one: each rank trains a net with the others, and the same net alone.
-- ranks: 1 2 3 4 8
-- mpi: openmpi
-- seconds: 300
local moon = require "moonglass"
local mpi = require "moonglass.mpi"
local check = dofile "spec/mpi/check.lua"
local trainings = dofile "spec/mpi/trainings.lua"

moon.set_threads(1)

local function steps(t) return -(-#t.x // (t.options.batch_size or 24)) end

-- Two nets after the same training, with the other ranks and alone.
local function both(t, more)
  local together, alone = t.net(), t.net()
  local with = {distributed = mpi}
  for name, v in pairs(more) do with[name] = v end
  local a, b = trainings.fit(t, together, with), trainings.fit(t, alone, more)
  return together, alone, a, b
end

local other_bits = false

local function assert_near(a, b, most)
  local difference = trainings.difference(a, b)
  if difference > 0 then other_bits = true end
  if mpi.size == 1 then most = 0 end
  if difference > most then error(("the weights differ by %g, expected at most %g"):format(difference, most)) end
end

local first_batch = {on_batch_end = function(_, state) state.stop = true end}

for _, t in ipairs(trainings.list) do
  check(t.name .. ": a step", function()
    local together, alone = both(t, {callbacks = {first_batch}})
    assert_near(together, alone, 1e-6)
  end)

  check(t.name .. ": 100 steps", function()
    local epochs = -(-100 // steps(t))
    local together, alone, a, b = both(t, {epochs = epochs})
    assert_near(together, alone, 1e-5)
    for i, loss in ipairs(b.loss) do
      if math.abs(a.loss[i] - loss) > 1e-5 * b.loss[1] then error(("loss %g, alone %g"):format(a.loss[i], loss)) end
    end
  end)
end

-- Ranks that each computed whole batches would have the same bits as one alone.
check("the work is shared: sums in another order have other last bits", function()
  check.equal(other_bits, mpi.size > 1)
end)

check.done()

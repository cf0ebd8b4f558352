-- Test the order in which floats are added: that of the ranks, for each number of them and of values, under each MPI.
-- ranks: 1 2 3 4 8
-- mpi: openmpi mpich
local core = require "moonglass.core"
local moon = require "moonglass"
local mpi = require "moonglass.mpi"
local check = dofile "spec/mpi/check.lua"

-- The values of a rank: small and large ones, so that another order gives other bits.
local function values(rank, n)
  moon.seed(100 + rank)
  return moon.randn(n):mul(moon.randn(n):mul(3):exp())
end

local function in_order(ranks, n)
  local sum = values(ranks[1], n)
  for i = 2, #ranks do sum:add_(values(ranks[i], n)) end
  return sum
end

-- Few values are sent as a whole, others in slices, some of them in several pieces; ranks without a slice.
for _, n in ipairs{1, 2, 3, 511, 512, 513, 520, 5000, 131072, 131075, 300001} do
  check(("%d values are added in the order of the ranks"):format(n), function()
    local ranks = {}
    for r = 0, mpi.size - 1 do ranks[r + 1] = r end
    local t = values(mpi.rank, n)
    core.reduce(mpi.reducer, t)
    assert(t:equal(in_order(ranks, n)), "other bits than in the order of the ranks")
  end)
end

check("another order gives other bits", function() -- or the checks above could not fail
  if mpi.size < 3 then return end
  local ranks = {}
  for r = 0, mpi.size - 1 do ranks[mpi.size - r] = r end
  local t = values(mpi.rank, 5000)
  core.reduce(mpi.reducer, t)
  assert(not t:equal(in_order(ranks, 5000)), "the same bits in the opposite order")
end)

check.done()

-- Test ranks and sums, on every number of ranks that the other tests use.
-- ranks: 1 2 4 8
-- mpi: openmpi mpich
local mpi = require "moonglass.mpi"
local check = dofile "spec/mpi/check.lua"
local unchecked = require("moonglass.support.arity").unchecked

check("ranks count from 0 to size - 1, each once", function()
  check.equal(mpi.reduce(1, "sum"), mpi.size, "ranks")
  check.equal(mpi.reduce(mpi.rank, "sum"), mpi.size * (mpi.size - 1) // 2, "sum of the ranks")
end)

check("the launcher has started as many as it was asked for", function()
  check.equal(mpi.size, math.tointeger(os.getenv "MOONGLASS_TEST_RANKS"), "size")
end)

-- Each checks its arguments under its own name.
check("abort is fail", function() check.equal(unchecked(mpi.abort), unchecked(mpi.fail), "abort") end)

check.done()

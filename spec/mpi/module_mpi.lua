-- Test the module by itself: broadcasts, sums, agreement. misuse_mpi.lua has wrong arguments.
-- ranks: 1 2 3
-- mpi: openmpi mpich
local moon = require "moonglass"
local mpi = require "moonglass.mpi"
local check = dofile "spec/mpi/check.lua"

local last = mpi.size - 1

-- The message of an error that all ranks must have, without its place.
local function refused(f, ...)
  local ok, message = pcall(f, ...)
  assert(not ok, "nothing was refused")
  return (tostring(message):gsub("^[^\n]-:%d+: ", ""))
end

-- Values on rank `root`, other ones elsewhere.
local function only(root, value) return mpi.rank == root and value or nil end

check("values arrive as they are, from each rank", function()
  for root = 0, last do
    local samples = {0, -1, math.maxinteger, math.mininteger, 0.5, -0.0, 1 / 0, "", "a\0b", ("x"):rep(100000), true}
    for _, v in ipairs(samples) do
      local got = mpi.broadcast(only(root, v), root)
      check.equal(got, v)
      check.equal(math.type(got), math.type(v))
    end
    check.equal(mpi.broadcast(mpi.rank ~= root, root), false)
    check.equal(mpi.broadcast(mpi.rank ~= root and 1 or nil, root), nil)
    local nan = mpi.broadcast(only(root, 0 / 0), root)
    assert(nan ~= nan, "a NaN arrives as another value")
  end
end)

check("tables arrive with all that is in them", function()
  local t = mpi.broadcast(only(0, {1, "two", {three = {4.5, true}}, [10] = false, [-1.5] = ""}))
  check.equal(#t, 3)
  check.equal(t[3].three[1], 4.5)
  check.equal(t[3].three[2], true)
  check.equal(t[10], false)
  check.equal(t[-1.5], "")
end)

check("what cannot be sent is an error of all ranks", function()
  local of_function = "broadcast: the value.a.b is a function, expected nil, a boolean, a number, a string or a " ..
    "table of these"
  check.equal(refused(mpi.broadcast, {a = {b = print}}), (mpi.size > 1 and "rank 0: " or "") .. of_function)
  local cycle = {}
  cycle.x = cycle
  local message = refused(mpi.broadcast, cycle)
  assert(message:find("is deeper than 100 tables, or a cycle", 1, true), message)
end)

check("tensors arrive in place, floats and bytes", function()
  for root = 0, last do
    local floats = moon.zeros(3, 5):fill_(mpi.rank + 0.25)
    local bytes = moon.tensor({mpi.rank, 255 - mpi.rank}, {dtype = "uint8"})
    check.equal(mpi.broadcast(floats, root), floats)
    assert(floats:eq(root + 0.25):min() == 1, "other floats")
    check.equal(mpi.broadcast(bytes, root), bytes)
    check.equal(bytes:get(1), root)
    check.equal(bytes:get(2), 255 - root)
  end
end)

check("a tensor of another shape is an error of all ranks, and changes nothing", function()
  if mpi.size == 1 then return end
  local t = moon.zeros(mpi.rank == last and 4 or 3):fill_(mpi.rank)
  check.equal(refused(mpi.broadcast, t),
    ("rank %d: broadcast: got [4], expected a tensor [3] as on rank 0"):format(last))
  check.equal(t:max(), mpi.rank)
  check.equal(refused(mpi.broadcast, mpi.first and t or nil),
    "rank 1: broadcast: got nil, expected a tensor [3] as on rank 0")
end)

check("float tensors are summed in place", function()
  local t = moon.zeros(2, 3):fill_(mpi.rank)
  check.equal(mpi.reduce(t), t)
  assert(t:eq(mpi.size * last / 2):min() == 1, "other sums")
end)

check("all agree, or all have the first message", function()
  mpi.agree(true, "not looked at")
  check.equal(refused(mpi.agree, false, "of all"), "of all")
  if mpi.size == 1 then return end
  check.equal(refused(mpi.agree, mpi.rank ~= last, "bad file"), ("rank %d: bad file"):format(last))
  check.equal(refused(mpi.agree, mpi.rank == 0, "file " .. mpi.rank), "rank 1: file 1")
end)

check("the timeout is 30 s and can be set, and nothing else", function()
  check.equal(mpi.timeout, 30)
  mpi.timeout = 60
  check.equal(mpi.timeout, 60)
  for _, v in ipairs{1, 0 / 0, 1 / 0, "60"} do
    local message = refused(function() mpi.timeout = v end)
    assert(message:find("^mpi.timeout is .*, expected seconds, 2 or more$"), message)
  end
  check.equal(mpi.timeout, 60)
  check.equal(refused(function() mpi.speed = 1 end), "mpi.speed cannot be set, only mpi.timeout")
  check.equal(mpi.speed, nil)
end)

check("a barrier, host and library", function()
  mpi.barrier()
  check.equal(mpi.first, mpi.rank == 0)
  assert(#mpi.host > 0 and mpi.library:find("^Open MPI %d") or mpi.library:find("^MPICH %d"), mpi.library)
end)

check.done()

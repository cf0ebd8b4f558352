-- strike.lua KIND RANK: the ranks sum; then something happens to one of them, or to all. Of watch_test.py.
local mpi = require "moonglass.mpi"
local kind, rank = arg[1], tonumber(arg[2])

local function own_pid()
  local file <close> = assert(io.open "/proc/self/stat")
  return file:read "n"
end

-- What a rank can do wrong, or can be done to it. What returns is no fault.
local strikes = {
  kill = function() os.execute("kill -KILL " .. own_pid()) end,
  stop = function() os.execute("kill -STOP " .. own_pid()) end,
  exit = function() os.exit(0) end,
  ["end"] = function() os.exit(0, true) end,
  error = function() error("something is wrong", 0) end,
  sleep = function() os.execute "exec sleep 20" end,
  barrier = mpi.barrier,
  compute = function() -- for three times the timeout
    local start = os.time()
    repeat local x = 0; for i = 1, 1000000 do x = x + i end until os.time() > start + 7
  end,
}

mpi.timeout = 2
for step = 1, 30 do
  mpi.reduce(1)
  if step == 20 and (rank == mpi.rank or rank == -1) then strikes[kind]() end
end
if mpi.first then print "all steps done" end

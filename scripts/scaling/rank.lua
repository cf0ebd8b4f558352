-- What one rank of a measurement runs: mpirun -np 2 build/moonglass scripts/scaling/rank.lua steps --batches 32,128
-- Without --mpi it is alone, and takes no part of the code for several ranks. Rank 0 prints a line of JSON.
--   steps      the fastest time of a training step for each batch (the global one), and of the reduction within it
--   allreduce  the fastest time of a reduction for each number of bytes
local moon = require "moonglass"
local core = require "moonglass.core"
local argparse = require "argparse"

local folder = arg[0]:match("^(.*/)") or "./"
package.path = ("%s?.lua;%s../bench/?.lua;%s"):format(folder, folder, package.path)
local counts = require "counts"
local model = require "model"

local windows = 20 -- many short ones: on a busy machine some are undisturbed

-- ---- options ----

local function read_options()
  local parser = argparse("rank", "Time steps or reductions on this rank."):help_max_width(110)
  parser:argument("what", "steps or allreduce"):choices{"steps", "allreduce"}
  parser:flag("--mpi", "take part in a run of mpirun")
  parser:option("--sizes", "widths of the net"):default("784-128-32-128-784")
  parser:option("--batches", "rows of a step, of all ranks together"):default("32,128"):convert(counts)
  parser:option("--bytes", "sizes of the reductions"):default("4,4096,1048576"):convert(counts)
  parser:option("--threads"):default("1"):convert(math.tointeger)
  parser:option("--rows", "rows of the set"):default("16384"):convert(math.tointeger)
  parser:option("--seconds", "for each batch or size"):default("1"):convert(tonumber)
  parser:option("--timed", "folder of timed.so"):default("build/scaling")
  local ok, o = parser:pparse(arg)
  if not ok then error(o:gsub("%s*\n%s*", " "), 0) end
  return o
end

-- ---- measuring ----

local alone = {rank = 0, size = 1, barrier = function() end, broadcast = function(v) return v end}

-- The best of several windows: each, of as many runs on all ranks, begins together. run(n) -> any figures, of which the
-- best window's are returned after its seconds. On a busy machine there are fewer windows, but at least 3.
local function fastest(mpi, seconds, run)
  local begin = core.clock()
  local function window(n)
    mpi.barrier()
    local start = core.clock()
    local figures = {run(n)}
    return (core.clock() - start) / n, figures
  end
  local warm = mpi.broadcast(math.max((window(1)), (window(2))))
  local n = math.max(1, math.floor(seconds / windows / warm))
  local best, of_best = math.huge, nil
  for i = 1, windows do
    local now, figures = window(n)
    if now < best then best, of_best = now, figures end
    if mpi.broadcast(i >= 3 and core.clock() - begin > 3 * seconds) then break end
  end
  return best, table.unpack(of_best)
end

local function make_net(sizes)
  local widths, layers = model.widths(sizes), {}
  for i = 2, #widths do
    layers[i - 1] = moon.dense(widths[i - 1], widths[i], {activation = i < #widths and "relu" or "sigmoid"})
  end
  return moon.sequential(layers)
end

-- A function that makes n steps, in a new order whenever the rows are used up.
local function stepper(net, data, batch)
  local loss, opt, at, epoch = moon.bce(), moon.adam(), math.huge, 0
  return function(n)
    for _ = 1, n do
      if at + batch - 1 > #data then
        epoch, at = epoch + 1, 1
        data:shuffle(1, epoch)
      end
      net:step_rows(data, at, batch, loss, opt)
      at = at + batch
    end
  end
end

local function time_steps(o, mpi, timed)
  moon.seed(1)
  moon.set_threads(o.threads)
  local data = moon.dataset(moon.rand(o.rows, model.widths(o.sizes)[1]):mul(255):byte())
  local net, reducer = make_net(o.sizes), nil
  if timed then
    reducer = timed.wrap(mpi.reducer)
    net:set_reducer(reducer)
  end
  local found = {}
  for _, batch in ipairs(o.batches) do
    local steps = stepper(net, data, batch)
    local best, within = fastest(mpi, o.seconds, function(n)
      if reducer then timed.take(reducer) end
      steps(n)
      return reducer and timed.take(reducer) / n or 0
    end)
    found[#found + 1] = ('{"batch":%d,"step_us":%.3f,"reduce_us":%.3f}'):format(batch, best * 1e6, within * 1e6)
  end
  return found
end

local function time_reductions(o, mpi, timed)
  local found = {}
  for _, bytes in ipairs(o.bytes) do
    local best = fastest(mpi, o.seconds, function(n) timed.loop(mpi.reducer, bytes // 4, n) end)
    found[#found + 1] = ('{"bytes":%d,"us":%.4f}'):format(bytes, best * 1e6)
  end
  return found
end

local function main()
  local o = read_options()
  local mpi, timed = alone, nil
  if o.mpi then
    mpi = require "moonglass.mpi"
    package.cpath = o.timed .. "/?.so;" .. package.cpath
    timed = require "timed"
  end
  local found = (o.what == "steps" and time_steps or time_reductions)(o, mpi, timed)
  if mpi.rank == 0 then
    print(('{"library":"%s","ranks":%d,"threads":%d,"found":[%s]}'):format(mpi.library or "none", mpi.size, o.threads,
      table.concat(found, ",")))
  end
end

main()

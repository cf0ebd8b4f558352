-- A training that fit_test.py watches: fit_run.lua MODE
--   lines       three epochs, with lines
--   interrupt   the last rank is sent a Ctrl-C in the middle; then each rank says what it got
--   differs     the last rank wants other epochs, and no rank catches the error
--   writer      a callback that only rank 0 has fails within an epoch, where the others cannot know
local moon = require "moonglass"
local mpi = require "moonglass.mpi"

local mode = arg[1]
local last = mpi.rank == mpi.size - 1

moon.set_threads(1)
moon.seed(1)
local x = moon.rand(4000, 64)
local net = moon.autoencoder.plain{input = 64, hidden = 16}
local o = {distributed = mpi, loss = "mse", batch_size = 200, epochs = 3, callbacks = {}}

local function interrupt()
  local file = assert(io.open("/proc/self/stat"))
  local id = file:read("n")
  file:close()
  os.execute(("(sleep 0.3; kill -INT %d) &"):format(id))
end

if mode == "differs" and last then o.epochs = 4 end
if mode == "lines" then o.verbose = 2 end
if mode == "writer" then
  o.callbacks[1] = {writes = true, on_batch_end = function(_, state)
    if state.batch == 3 then error("no room for more", 0) end
  end}
end
if mode == "interrupt" then
  o.epochs = 100000
  if last then interrupt() end
end

local ok, text = pcall(net.fit, net, x, o)
if mode == "interrupt" then
  assert(not ok and mpi.broadcast(net:bytes(), 0) == net:bytes())
  io.stdout:write(("%d: %s\n"):format(mpi.rank, (text:gsub("^.*fit_run.lua:%d+: ", ""))))
elseif not ok then
  error(text, 0)
end

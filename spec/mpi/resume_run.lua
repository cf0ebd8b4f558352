-- A training that resume_test.py kills and starts again: resume_run.lua PATH EPOCHS [RANK]
-- It goes on from the checkpoint at PATH, if there is one. With RANK, that rank kills itself in the fourth epoch. A run
-- that reaches EPOCHS prints how far its weights are from those of the same training in one process alone.
local moon = require "moonglass"
local mpi = require "moonglass.mpi"
local trainings = dofile "spec/mpi/trainings.lua"

local path, epochs, victim = arg[1], tonumber(arg[2]), tonumber(arg[3])
local t = trainings.named "denoising, clipped"

moon.set_threads(1)

local function options(more)
  local o = {loss = "mse", batch_size = 24, epochs = epochs, callbacks = {
    moon.callbacks.step_decay{every = 2, factor = 0.5}, moon.callbacks.early_stopping{monitor = "loss", patience = 9},
  }}
  for name, v in pairs(more) do o[name] = v end
  return o
end

local function kill(_, state)
  if state.epoch == 4 and state.batch == 2 then os.execute("kill -9 $PPID") end
end

-- Only rank 0 reads the file.
local function read()
  local file = mpi.first and io.open(path, "rb")
  if not file then return nil end
  local bytes = file:read("a")
  file:close()
  return bytes
end

local bytes = mpi.broadcast(read(), 0)
local o = options{distributed = mpi}
local net
if bytes then
  o.resume = assert(moon.checkpoint.load_bytes(bytes))
  net = o.resume.net
else
  o.seed, o.optimizer, net = 5, moon.adam{}, t.net()
end
table.insert(o.callbacks, moon.callbacks.checkpoint(path))
if mpi.rank == victim then table.insert(o.callbacks, {on_batch_end = kill}) end
local history = net:fit(t.x, o)

if mpi.first then
  local alone = t.net()
  alone:fit(t.x, options{seed = 5, optimizer = moon.adam{}})
  print(("%d ranks, from epoch %d to %d, difference %.3g"):format(mpi.size, o.resume and o.resume.epoch or 0,
    #history.loss, trainings.difference(net, alone)))
end

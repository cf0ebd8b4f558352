-- A training that hosts_test.py runs on several hosts, cuts off, kills, and starts again.
-- hosts_train.lua PATH [key=value ...], with the checkpoint at PATH; it goes on from there if the file is there.
--   epochs=6     the last epoch
--   timeout=3    mpi.timeout; 30, the default, if it is missing
--   pause=0.05   seconds to wait after each epoch, so that there is time for a fault
--   read=made    every rank makes the rows; read=all: every rank reads them from FILE; read=first: rank 0 reads
--                them and sends them; read=own: every rank reads its own rows, all in one batch
--   file=FILE    the tensor x in safetensors
-- Rank 0 prints the hosts, a line after each epoch, and last how far its weights are from those of one process alone.
local moon = require "moonglass"
local mpi = require "moonglass.mpi"
local trainings = dofile "spec/mpi/trainings.lua"

local path = arg[1]
local o = {epochs = 6, read = "made"}
for i = 2, #arg do
  local key, v = arg[i]:match("^(%w+)=(.*)$")
  o[key] = tonumber(v) or v
end
if o.timeout then mpi.timeout = o.timeout end
moon.set_threads(1)

local function say(...)
  if not mpi.first then return end
  print(string.format(...))
  io.stdout:flush()
end

local function list_hosts()
  local hosts = {}
  for rank = 0, mpi.size - 1 do hosts[rank + 1] = mpi.broadcast(mpi.host, rank) end
  say("%s on %s", mpi.library, table.concat(hosts, " "))
end

local made = trainings.named("denoising, clipped").x

local function read() return assert(moon.safetensors.load(o.file)).x end

local readers = {
  made = function() return made end, all = read, own = read,
  first = function() return mpi.broadcast(mpi.first and read() or moon.zeros(made:size(1), made:size(2)), 0) end,
}

-- Rank 0's checkpoint, sent to all; nil if there is none.
local function checkpoint()
  local file = mpi.first and io.open(path, "rb")
  local bytes = mpi.broadcast(file and file:read("a"), 0)
  if file then file:close() end
  return bytes and assert(moon.checkpoint.load_bytes(bytes))
end

local function options(more)
  local all = {loss = "mse", batch_size = o.read == "own" and made:size(1) or 24, epochs = o.epochs}
  for key, v in pairs(more) do all[key] = v end
  return all
end

local function new() return trainings.named(o.read == "own" and "plain" or "denoising, clipped").net() end

local function train(x)
  local from = checkpoint()
  local net = from and from.net or new()
  local more = {distributed = mpi, resume = from, sharded = o.read == "own" or nil, callbacks = {
    moon.callbacks.checkpoint(path),
    {on_epoch_end = function(_, state)
      say("epoch %d", state.epoch)
      if o.pause then os.execute("sleep " .. o.pause) end
    end},
  }}
  if not from then more.seed, more.optimizer = 5, moon.adam{} end
  net:fit(x, options(more))
  return net, from and from.epoch or 0
end

list_hosts()
local net, first = train(readers[o.read]())
if mpi.first then
  local alone = new()
  alone:fit(made, options{seed = 5, optimizer = moon.adam{}})
  say("%d ranks, from epoch %d to %d, difference %.3g", mpi.size, first, o.epochs, trainings.difference(net, alone))
end

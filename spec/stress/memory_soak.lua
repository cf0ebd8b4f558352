-- A million training steps of a small net, in a fit with callbacks, validation and checkpoints. Memory (resident, the
-- engine's, Lua's) and open descriptors are measured twenty times, and must not grow after the second.
--   build/moonglass spec/stress/memory_soak.lua [steps]
local lfs = require "lfs"
local moon = require "moonglass"

local steps = tonumber(... or nil) or 1000000
local batch <const>, batches <const>, looks <const> = 8, 500, 20
local passed, failed = 0, 0

local function check(good, text, ...)
  if good then passed = passed + 1 else failed = failed + 1 end
  if not good then print("FAILED: " .. text:format(...)) end
end

local resident = dofile("spec/support/files.lua").resident

-- Listing the folder opens one descriptor, every time.
local function descriptors()
  local n = 0
  for _ in lfs.dir("/proc/self/fd") do n = n + 1 end
  return n
end

moon.seed(1)
local path = os.tmpname()
local x = moon.rand(batch * batches, 16)
local net = moon.autoencoder {
  encoder = {moon.gaussian_noise(0.1), moon.dense(16, 8, {activation = "relu", activity_l1 = 1e-5})},
  decoder = {moon.dropout(0.05), moon.dense(8, 16, {activation = "sigmoid"})},
}
local opt = moon.adam()
local epochs = steps // batches
local first, began, seen = nil, os.time(), 0

local function look(state)
  collectgarbage()
  collectgarbage()
  local now = {resident = resident(), engine = moon.info().memory, lua = collectgarbage "count", open = descriptors()}
  seen = seen + 1
  print(("%8d steps  %6d KB resident, %7d bytes in the engine, %6.0f KB in Lua, %d descriptors, loss %.6f"):format(
    opt:steps(), now.resident, now.engine, now.lua, now.open, state.loss))
  if seen == 2 then first = now end
  if seen <= 2 then return end
  check(now.resident - first.resident < 1024, "%d KB resident, %d before", now.resident, first.resident)
  check(now.engine <= first.engine, "%d bytes in the engine, %d before", now.engine, first.engine)
  check(now.lua - first.lua < 256, "%.0f KB in Lua, %.0f before", now.lua, first.lua)
  check(now.open == first.open, "%d descriptors, %d before", now.open, first.open)
end

-- Every hundredth epoch writes a checkpoint and reads it again. The history grows by design, so it is cut.
local function watch(state)
  local history = state.history
  for _, name in ipairs{"loss", "val_loss", "epoch_seconds"} do
    if #history[name] > 100 then history[name] = {} end
  end
  if state.epoch % 100 == 0 then
    assert(moon.checkpoint.save(path, state))
    local c = assert(moon.checkpoint.load(path))
    check(c.opt:steps() == opt:steps(), "the checkpoint has %d steps", c.opt:steps())
  end
  if state.epoch % (epochs // looks) == 0 then look(state) end
end

local every_batch = {on_batch_end = function(_, state) assert(state.batch_loss == state.batch_loss) end}
net:fit(x, {loss = "mse", optimizer = opt, batch_size = batch, epochs = epochs, seed = 1, validation = x:rows(1, 32),
  callbacks = {every_batch, watch}})
os.remove(path)
check(opt:steps() == epochs * batches, "%d steps", opt:steps())
check(seen >= math.min(looks, epochs), "%d looks", seen)
print(("%d steps, %d looks, %d s"):format(opt:steps(), seen, os.time() - began))
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)

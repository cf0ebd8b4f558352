-- fit and evaluate on sources: windows, and rows that each rank reads; shards; a reader that fails on one rank.
-- ranks: 1 2 3
-- mpi: openmpi
-- seconds: 120
local moon = require "moonglass"
local mpi = require "moonglass.mpi"
local check = dofile "spec/mpi/check.lua"
local trainings = dofile "spec/mpi/trainings.lua"

moon.set_threads(1)

local plain = trainings.named "plain"
local last = mpi.size - 1 -- the last rank

local function fit(x, more)
  local net, o = plain.net(), {loss = "mse", epochs = 3, batch_size = 20, seed = 4}
  for name, v in pairs(more or {}) do o[name] = v end
  return net, net:fit(x, o)
end

local function source_of(x, spoil)
  return moon.source{rows = #x, width = x:size(2), block = 8, read = function(first, n)
    if spoil then spoil(first) end
    return x:rows(first, first + n - 1)
  end}
end

local function assert_like_alone(x, more)
  local alone, of_alone = fit(x, more)
  more = more or {}
  more.distributed = mpi
  local net, history = fit(x, more)
  assert(trainings.difference(alone, net) < 1e-5)
  assert(mpi.broadcast(net:bytes(), 0) == net:bytes(), "the weights are not those of rank 0")
  assert(math.abs(history.loss[3] - of_alone.loss[3]) < 1e-5)
  local value = net:evaluate(x, {distributed = mpi})
  assert(math.abs(value - alone:evaluate(x)) < 1e-5)
end

check("sources and windows train as alone, in order and shuffled", function()
  for _, shuffle in ipairs{true, false} do
    assert_like_alone(source_of(plain.x), {shuffle = shuffle, validation_split = 0.2})
    assert_like_alone(plain.x:reshape(-1):windows(20, 7), {shuffle = shuffle})
  end
end)

check("sources may be shards", function()
  local own = plain.x:rows(mpi.rank * 20 + 1, mpi.rank * 20 + 20)
  for _, shuffle in ipairs{false, true} do
    local net = fit(source_of(own), {distributed = mpi, sharded = true, shuffle = shuffle})
    assert(mpi.broadcast(net:bytes(), 0) == net:bytes(), "the weights are not those of rank 0")
    local same = fit(own, {distributed = mpi, sharded = true, shuffle = false})
    assert(shuffle or same:bytes() == net:bytes(), "other bits than with a tensor")
  end
end)

check("a reader that fails on one rank ends the training on all, with its message", function()
  for _, from in ipairs{1, 65} do -- when the ranks compare what they have, and in a step
    local net = plain.net()
    local function spoil(first)
      if first >= from and mpi.rank == last then error("the disk is gone", 0) end
    end
    local ok, text = pcall(net.fit, net, source_of(plain.x, spoil),
      {loss = "mse", shuffle = false, batch_size = 30, distributed = mpi})
    assert(not ok)
    assert(tostring(text):find("the disk is gone (in read of a source, rows ", 1, true), text)
    assert(mpi.size == 1 or tostring(text):find(("rank %d"):format(last), 1, true), text)
    assert(mpi.broadcast(net:bytes(), 0) == net:bytes(), "the weights are not those of rank 0")
  end
end)

check("other contents, and another number of rows, are found before the training", function()
  if mpi.size == 1 then return end
  local x = mpi.rank == last and plain.x * 0.5 or plain.x
  local ok, text = pcall(fit, source_of(x), {distributed = mpi})
  assert(not ok and tostring(text):find("x has not the contents that it has on rank 0", 1, true), text)
  ok, text = pcall(fit, source_of(plain.x:rows(1, mpi.rank == last and 80 or 90)), {distributed = mpi})
  assert(not ok and tostring(text):find("x is [80 x 20], but [90 x 20] on rank 0", 1, true), text)
end)

check.done()

-- Ranks without MPI: each is a coroutine of this process, with what the Lua library uses of moonglass.mpi.
--   local results = ranks.run(3, function(mpi) ... return value end)   -- {fine =, value =, failed =} for each rank
-- There is no reducer: a net steps alone, on whole batches, so that ranks with the same rows compute the same.
local distributed = require "moonglass.net.distributed"

local ranks = {}

local function copy(v)
  if type(v) ~= "table" then return v end
  local list = {}
  for key, item in pairs(v) do list[copy(key)] = copy(item) end
  return list
end

-- What each rank gets from a meeting, given what all have brought.
local meetings = {}

function meetings.agree(brought)
  local lowest, same
  for _, own in ipairs(brought) do
    if not own.fine then
      lowest = lowest or own
      same = (same == nil or same) and own.message == lowest.message
    else
      same = false
    end
  end
  local message = lowest and (same and lowest.message or ("rank %d: %s"):format(lowest.rank, lowest.message))
  return function() return message end
end

function meetings.broadcast(brought)
  local root = brought[brought[1].root + 1]
  return function(own)
    if type(own.value) ~= "userdata" then return copy(root.value) end
    if own ~= root then own.value:copy_(root.value) end
    return own.value
  end
end

function meetings.reduce(brought)
  local sum = 0
  for _, own in ipairs(brought) do sum = sum + own.value end
  return function() return sum end
end

-- An object like moonglass.mpi for one rank.
local function module(rank, size)
  local function meet(name, own)
    own.name, own.rank = name, rank
    return coroutine.yield(own)
  end
  local mpi = {rank = rank, size = size, first = rank == 0}
  function mpi.agree(fine, message)
    local raised = meet("agree", {fine = fine, message = message})
    if raised then error(raised, 0) end
  end
  function mpi.broadcast(value, root) return meet("broadcast", {value = value, root = root or 0}) end
  function mpi.reduce(value) return meet("reduce", {value = value}) end
  function mpi.fail(message)
    mpi.failed = message
    error("the run has ended: " .. message, 0)
  end
  function mpi.join(what) return distributed.join(mpi, what) end
  return mpi
end

-- Resumes every rank with its answer. Returns what they bring to the next meeting; nil if all have ended.
local function advance(threads, results, answer, brought)
  local came, waiting = {}, 0
  for i, thread in ipairs(threads) do
    if coroutine.status(thread.co) == "suspended" then
      local own = brought and brought[i]
      local message
      if own then message = answer(own) else message = thread.mpi end
      local _, value, result = assert(coroutine.resume(thread.co, message))
      if coroutine.status(thread.co) == "dead" then
        results[i] = {fine = value, value = result, failed = thread.mpi.failed}
      else
        came[i], waiting = value, waiting + 1
      end
    end
  end
  if waiting == 0 then return nil end
  assert(waiting == #threads, "some ranks have ended while others are at a meeting")
  for _, own in ipairs(came) do assert(own.name == came[1].name, "ranks are at different meetings") end
  return came
end

function ranks.run(size, f)
  local threads, results = {}, {}
  local function body(mpi) return pcall(f, mpi) end
  for rank = 0, size - 1 do threads[rank + 1] = {co = coroutine.create(body), mpi = module(rank, size)} end
  local brought = advance(threads, results)
  while brought do brought = advance(threads, results, meetings[brought[1].name](brought), brought) end
  return results
end

return ranks

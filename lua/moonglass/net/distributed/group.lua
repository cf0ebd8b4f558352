--- The ranks of a distributed fit or evaluate as a group that meets. Between two meetings a rank may fail alone; at the
-- next meeting all learn of it, and all raise the same error. What one rank raises elsewhere ends the whole run, since
-- the others would wait for it.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local options = require "moonglass.support.options"

local Group = {}
Group.__index = Group

local functions = {"agree", "broadcast", "fail", "reduce"}

local function is_mpi(v)
  if type(v) ~= "table" or math.type(v.rank) ~= "integer" or math.type(v.size) ~= "integer" then return false end
  for _, name in ipairs(functions) do
    if type(v[name]) ~= "function" then return false end
  end
  return true
end

--- The group that the options of the call `what` ask for; nil if this process is alone.
function Group.of(what, given)
  local mpi = given.distributed
  if not mpi then
    if given.sharded then
      errors.raise("%s: sharded is given without distributed, expected both: distributed = require \"moonglass.mpi\"",
        what)
    end
    return nil
  end
  if not is_mpi(mpi) then
    errors.raise("%s: distributed is %s, expected the module: distributed = require \"moonglass.mpi\"", what,
      options.show(mpi))
  end
  if mpi.size == 1 then return nil end
  return setmetatable({what = what, mpi = mpi, rank = mpi.rank, size = mpi.size, first = mpi.rank == 0}, Group)
end

-- ---- meetings ----

--- A meeting. Raises the same error on all ranks if any comes with fine = false; its message says which.
function Group:agree(fine, message)
  local ok, raised = errors.caught(self.mpi.agree, fine, message)
  if ok then return end
  self.agreed = true
  errors.guard(error, raised, 0) -- adds the user's line if the message has none
end

-- The words of an error, without a place in this library.
local function words(raised)
  return (tostring(raised):gsub("^[^\n]-moonglass/[^\n:]*%.lua:%d+: ", ""))
end

local function finish(self, ok, ...)
  if ok and not self.interrupted then
    self:agree(true)
    return ...
  end
  if not self.agreed then self:agree(false, words(self.interrupted or (...))) end
  error((...), 0)
end

--- f(...), and a meeting: an error on one rank, also an interrupt, becomes one of all. f may hold meetings itself.
function Group:protect(f, ...) return finish(self, pcall(f, ...)) end

--- Rank 0's value.
function Group:from_first(value) return self.mpi.broadcast(value, 0) end

--- Is v true on any rank?
function Group:any(v) return self.mpi.reduce(v and 1 or 0, "sum") > 0 end

--- The values of all ranks, as a list: that of rank 0 is the first.
function Group:all(value)
  local list = {}
  for rank = 0, self.size - 1 do list[rank + 1] = self.mpi.broadcast(value, rank) end
  return list
end

--- Returns a value to close: an error that leaves its block without a meeting ends the whole run.
function Group:enter()
  return setmetatable({}, {__close = function(_, raised)
    if raised ~= nil and not self.agreed then self.mpi.fail(tostring(raised)) end
  end})
end

-- ---- steps ----

--- While the returned value is open, steps and evaluations of the net are of all ranks together.
function Group:reduce(net)
  net:set_reducer(self.mpi.reducer)
  return setmetatable({}, {__close = function() net:set_reducer(nil) end})
end

-- What the engine says on the other ranks when one cannot take part.
local function is_elsewhere(text)
  return text:find("rank %d+ failed, see its message") ~= nil or text:find("rank %d+ was interrupted") ~= nil
end

--- Where the engine has refused a step on all ranks: raises the message of the rank that was the cause.
function Group:refused(raised)
  local text = words(self.interrupted or raised):gsub("^%l+: ", self.what .. ": ", 1)
  self:agree(is_elsewhere(text), text)
  self:agree(false, text) -- a rank that failed without knowing why
end

--- The native `step`, which all ranks take or none. A hook may raise an interrupt when the step is done: then the
-- others go on, and learn of it in the next step, or at a meeting before that.
function Group:stepper(step)
  return function(net, data, first, count, loss, opt)
    if self.interrupted then core.interrupt() end
    local before = opt:steps()
    local ok, fine, value = pcall(pcall, step, net, data, first, count, loss, opt)
    if ok and fine then return value end
    local raised = ok and value or fine
    if opt:steps() == before then self:refused(raised) end
    self.interrupted = raised
    return 0
  end
end

return Group

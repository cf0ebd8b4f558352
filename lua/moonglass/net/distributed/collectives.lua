--- What all ranks of a distributed fit or evaluate call together. Between two such calls a rank may fail alone; at the
-- next one all learn of it, and all raise the same error. What one rank raises elsewhere ends the whole run, since the
-- others would wait for it.
local errors = require "moonglass.support.errors"

local Group = {}

--- Raises the same error on all ranks if any comes with fine = false; its message says which.
function Group:agree(fine, message)
  local ok, raised = errors.caught(self.mpi.agree, fine, message)
  if ok then return end
  self.agreed = true
  errors.guard(error, raised, 0) -- adds the user's line if the message has none
end

--- The words of an error, without a place in this library.
function Group.words_of(raised)
  return (errors.text(raised):gsub("^[^\n]-moonglass/[^\n:]*%.lua:%d+: ", ""))
end

local function finish(self, ok, ...)
  if ok and not self.interrupted then
    self:agree(true)
    return ...
  end
  if not self.agreed then self:agree(false, self.words_of(self.interrupted or (...))) end
  error((...), 0)
end

--- f(...), and then all agree: an error on one rank, also an interrupt, becomes one of all. f may call these, too.
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

--- Returns a value to close: an error that leaves its block and that not all ranks have agreed on ends the whole run.
function Group:enter()
  return setmetatable({}, {__close = function(_, raised)
    if raised ~= nil and not self.agreed then self.mpi.fail(errors.text(raised)) end
  end})
end

return Group

--- The option distributed of fit and evaluate: the ranks of a run train one net together, each with its slice of every
-- batch. To fit and evaluate they are a group, with the methods of a process alone (net/alone.lua). The engine adds up
-- the gradients (net:set_reducer). Rank, slice, shard and reducer are the engine's words (csrc/engine/README.md).
local distributed = {}

local Group = {}
Group.__index = Group

for _, name in ipairs{"collectives", "steps", "start", "decisions"} do
  for method, f in pairs(require("moonglass.net.distributed." .. name)) do Group[method] = f end
end

--- The ranks of mpi, the module, as the group of the call `what`; and a value to close when the call ends.
function distributed.join(mpi, what)
  local group = setmetatable({what = what, mpi = mpi, rank = mpi.rank, size = mpi.size, first = mpi.rank == 0}, Group)
  return group, group:enter()
end

return distributed

--- The group that a call of fit or evaluate belongs to: the ranks of its option distributed, or this process alone.
local alone = require "moonglass.net.alone"
local errors = require "moonglass.support.errors"
local options = require "moonglass.support.options"

local example = "distributed = require \"moonglass.mpi\""

--- The group of the call `what` with the user's options `given`, and a value to close when the call ends.
return function(what, given)
  local distributed = type(given) == "table" and given.distributed
  if not distributed then
    if type(given) == "table" and given.sharded then
      errors.raise("%s: sharded is given without distributed, expected both: %s", what, example)
    end
    return alone
  end
  if type(distributed) ~= "table" or type(distributed.join) ~= "function" then
    errors.raise("%s: distributed is %s, expected the module: %s", what, options.show(distributed), example)
  end
  if distributed.size == 1 then return alone end
  return distributed.join(what)
end

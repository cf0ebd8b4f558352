--- Steps and evaluations of a net that all ranks make together. The engine refuses one on all ranks, or on none.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local passes = require "moonglass.net.passes"

local Group = {}

--- While the returned value is open, steps and evaluations of the net are of all ranks together.
function Group:with_reducer(net)
  net:set_reducer(self.mpi.reducer)
  return setmetatable({}, {__close = function() net:set_reducer(nil) end})
end

local grain = 8 -- the engine cuts a batch at multiples of so many rows

--- The most rows of a batch that this rank computes.
function Group:largest_slice(run)
  local own = #run.x
  if own < run.rows then return math.min(own, run.batch * own // run.rows + 2) end
  local grains = -(-run.batch // grain)
  return math.min(run.batch, grain * -(-grains // self.size))
end

--- The rows of a batch that this rank has: all of them; or, of its shard, those that it gave, and one more on either
-- side.
function Group.own_rows(_, run, first, count)
  local own, all = #run.x, run.rows
  if own == all then return first, count end
  local from = math.max((first - 1) * own // all - 1, 0)
  return from + 1, math.min((first - 1 + count) * own // all + 2, own) - from
end

-- What the engine says on the other ranks when one cannot take part.
local function is_elsewhere(text)
  return text:find("rank %d+ failed, see its message") ~= nil or text:find("rank %d+ was interrupted") ~= nil
end

-- The engine has refused a step on all ranks: raises the message of the rank that was the cause.
local function refuse(group, raised)
  local text = group.words_of(group.interrupted or raised):gsub("^%l+: ", group.what .. ": ", 1)
  group:agree(is_elsewhere(text), text)
  group:agree(false, text) -- a rank that failed without knowing why
end

--- The native `step`, which all ranks take or none. A hook may raise an interrupt when the step is done: then the
-- others go on, and learn of it in the next step, or where all agree before that.
function Group:stepper(step)
  return function(net, data, first, count, loss, opt)
    if self.interrupted then core.interrupt() end
    local before = opt:steps()
    local ok, fine, value = pcall(pcall, step, net, data, first, count, loss, opt)
    if ok and fine then return value end
    local raised = ok and value or fine
    if opt:steps() == before then refuse(self, raised) end
    self.interrupted = raised
    return 0
  end
end

--- The mean objective over all rows of a dataset, those of all ranks.
function Group:evaluate(net, data, loss, batch, meter)
  local reducer <close> = self:with_reducer(net) -- luacheck: ignore reducer
  local ok, value = errors.caught(passes.evaluate_rows, net, data, loss, batch, meter)
  if not ok then refuse(self, value) end
  return value
end

-- ---- metrics ----

--- Two lists of numbers, added up over all ranks.
function Group:add_up(sums, weights)
  local totals = {{}, {}}
  for _, of_rank in ipairs(self:all{sums, weights}) do
    for k, total in ipairs(totals) do
      for i, v in ipairs(of_rank[k]) do total[i] = (total[i] or 0) + v end
    end
  end
  return totals[1], totals[2]
end

--- Values of functions of `rows` rows, as all ranks give them. If each rank has rows of its own: the means over them.
function Group:mean(values, rows)
  if not self.sharded then return self:from_first(values) end
  local parts = {}
  for i, v in ipairs(values) do parts[i] = v * rows end
  local sums, weights = self:add_up(parts, {rows})
  for i, sum in ipairs(sums) do sums[i] = sum / weights[1] end
  return sums
end

return Group

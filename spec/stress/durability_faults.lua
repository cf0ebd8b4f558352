-- build/moonglass spec/stress/durability_faults.lua: refuse every I/O call of every kind of save and load, for each
-- reason that a system may give.
local moon = require "moonglass"
local tally = dofile "spec/support/tally.lua"
local faults = dofile "spec/support/faults.lua"
local sorted_keys = dofile "spec/support/sorted_keys.lua"

if not faults.can_trace() then
  print "nothing tested: strace is missing or not allowed to trace"
  tally.finish()
end

local function report(what, name, c, seconds)
  tally.add(c)
  print(("%s refused: %-12s %5d checks, %.0f s"):format(what, name, c.points, seconds))
end

for _, name in ipairs(sorted_keys(faults.savers)) do
  local start = moon.clock()
  local c = faults.refuse_everywhere(faults.savers[name], {"EIO", "ENOSPC", "EFBIG", "EINTR", "EROFS", "EDQUOT"})
  report("save", name, c, moon.clock() - start)
end
for _, name in ipairs(sorted_keys(faults.loaders)) do
  local start = moon.clock()
  report("load", name, faults.refuse_reading(faults.loaders[name], {"EIO", "EINTR"}), moon.clock() - start)
end
tally.finish()

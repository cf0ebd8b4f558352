-- build/moonglass spec/stress/durability_kills.lua [kills]: kill -9 at random moments of a loop of saves (500 times),
-- and at each system call of each kind of save.
local moon = require "moonglass"
local tally = dofile "spec/support/tally.lua"
local faults = dofile "spec/support/faults.lua"
local sorted_keys = dofile "spec/support/sorted_keys.lua"

local start = moon.clock()
local random = faults.kill_at_random(moon, math.tointeger(tonumber((...))) or 500)
tally.add(random)
print(("killed at random: %d checks, %d saves, %d kills in the middle of one, at most %d temporaries at a time, %.0f s")
  :format(random.points, random.saves, random.caught, random.most, moon.clock() - start))

for _, name in ipairs(sorted_keys(faults.savers)) do
  if not faults.can_trace() then print("skipped: system calls (strace is missing or not allowed to trace)") break end
  start = moon.clock()
  local c = faults.kill_everywhere(faults.savers[name])
  tally.add(c)
  print(("killed at each system call: %-12s %4d kills, %.0f s"):format(name, c.points // 3, moon.clock() - start))
end
tally.finish()

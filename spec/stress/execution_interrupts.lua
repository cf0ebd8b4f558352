-- build/moonglass spec/stress/execution_interrupts.lua [n]: Ctrl-C at 100 random moments of trainings in a session.
local moon = require "moonglass"
local tally = dofile "spec/support/tally.lua"
local interrupts = dofile "spec/support/interrupts.lua"

if interrupts.can_run() then
  local n, start = math.tointeger(tonumber((...))) or 100, moon.clock()
  local result = interrupts.run(moon.clock, n)
  for i = 1, result.late do
    result.failures[#result.failures + 1] = ("late %d of %d: the slowest took %.3f s"):format(i, result.late,
      result.slowest)
  end
  tally.add{points = 2 * n, failures = result.failures}
  print(("%d interrupts, %d whole steps before them, the prompt was back after %.0f ms at most, %.0f s"):format(n,
    result.steps, 1000 * result.slowest, moon.clock() - start))
else
  print "nothing tested: script(1) is missing or cannot open a terminal"
end
tally.finish()

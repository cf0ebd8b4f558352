-- Counts for the programs of spec/stress: dofile "spec/support/tally.lua".
local tally = {}

local passed, failed = 0, 0

--- A campaign: {points =, failures = texts}.
function tally.add(c)
  for _, text in ipairs(c.failures) do print("failed: " .. text) end
  passed, failed = passed + c.points - #c.failures, failed + #c.failures
end

--- Print the last line and exit.
function tally.finish()
  print(("%d passed, %d failed"):format(passed, failed))
  os.exit(failed == 0, true)
end

return tally

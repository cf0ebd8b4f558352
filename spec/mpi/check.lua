-- Checks of a test program that runs on several ranks: local check = dofile "spec/mpi/check.lua"
--   check("the sum is the same on all ranks", function() assert(...) end)
--   check.equal(got, expected, "words")   within a check: raises unless both are equal
--   check.done()                          last: prints the sums, "N passed, N failed"
-- Every rank calls every check. A check has passed if it raised no error on any rank; rank 0 prints a line for each.
local mpi = require "moonglass.mpi"

local check = {}
local passed, failed = 0, 0

local function say(...)
  if mpi.rank == 0 then
    io.stdout:write(string.format(...), "\n")
    io.stdout:flush()
  end
end

function check.equal(got, expected, words)
  if got ~= expected then
    error(("%sexpected %s, got %s"):format(words and words .. ": " or "", tostring(expected), tostring(got)), 2)
  end
end

local function run(_, name, body)
  local fine, why = xpcall(body, debug.traceback)
  fine, why = pcall(mpi.agree, fine, tostring(why))
  if fine then passed = passed + 1 else failed = failed + 1 end
  say("%s %s%s", fine and "  ok" or "  FAILED", name, fine and "" or ": " .. tostring(why))
end

function check.done()
  say("%d passed, %d failed", passed, failed)
  os.exit(failed == 0, true)
end

return setmetatable(check, {__call = run})

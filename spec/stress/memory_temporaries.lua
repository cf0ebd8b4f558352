-- Make 100,000 temporaries of 1 MB in five ways. The process never has 64 MB resident, although the script does not
-- call the collector.   build/moonglass spec/stress/memory_temporaries.lua [count]
local moon = require "moonglass"

local count = tonumber(... or nil) or 100000
local n <const> = 1 << 18 -- floats: 1 MB
local passed, failed = 0, 0

local function check(good, text, ...)
  if good then passed = passed + 1 else failed = failed + 1 end
  print((good and "" or "FAILED: ") .. text:format(...))
end

-- Resident memory in kilobytes: now, and the peak.
local function resident()
  local file = assert(io.open("/proc/self/status"))
  local text = file:read("a")
  file:close()
  return tonumber(text:match("VmRSS:%s+(%d+)")), tonumber(text:match("VmHWM:%s+(%d+)"))
end

local x = moon.rand(n)
local rows = x:reshape(512, 512)
local net = moon.sequential{moon.activation("relu")}
local ways = {
  {"zeros(n)", function() return moon.zeros(n) end},
  {"x * 2", function() return x * 2 end},
  {"x:tanh()", function() return x:tanh() end},
  {"x:clone(), and views of it", function() return x:clone():reshape(512, 512):rows(3, 5)[1] end},
  {"net:predict(x)", function() return net:predict(rows) end},
}

local began, before = os.clock(), resident()
for _, way in ipairs(ways) do
  local made, start = count // #ways, os.clock()
  for _ = 1, made do way[2]() end
  local now = resident()
  check(now < 64 << 10, "%6d of %-28s %5.1f MB resident, %.1f s", made, way[1], now / 1024, os.clock() - start)
end
local _, most = resident()
check(most < 64 << 10, "%d temporaries of 1 MB: %.1f MB at first, %.1f MB at the most, %.1f s", count, before / 1024,
  most / 1024, os.clock() - began)
print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0)

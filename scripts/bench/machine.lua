--- What the measurements ran on.
local moon = require "moonglass"

local machine = {}

local function first_match(path, pattern)
  local file = io.open(path)
  local text = file and file:read("a") or ""
  if file then file:close() end
  return text:match(pattern)
end

local function output_of(command)
  local pipe = assert(io.popen(command .. " 2>/dev/null"))
  local text = pipe:read("a"):gsub("%s+$", "")
  pipe:close()
  return text ~= "" and text or nil
end

--- Notes in the results the processor, the system, and the versions of this engine and BLIS.
function machine.describe(results)
  local info = moon.info()
  results.versions.moonglass = info.version
  results.machine = {
    cpu = first_match("/proc/cpuinfo", "model name%s*:%s*([^\n]+)") or output_of("uname -m"),
    cores = output_of("getconf _NPROCESSORS_ONLN"), system = output_of("uname -sr"),
    blis = info.blis, blis_config = info.blis_config, simd = info.simd,
  }
end

--- The load average of the last minute; nil if the system has none.
function machine.load_average() return tonumber(first_match("/proc/loadavg", "^%S+")) end

return machine

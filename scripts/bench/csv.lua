--- Reading CSV: this library and pandas in turns, on one file. `moonglass scripts/bench/csv.lua --help` lists the
-- options. Each reading is a process of its own, which measures its time and its largest resident size. The best of the
-- rounds counts. The last column compares: above 1, moon.data.csv is faster, or smaller.
local argparse = require "argparse"

local parser = argparse("csv.lua", "Read a CSV file with moon.data.csv and with pandas, in turns.")
parser:option("--rows", "rows of the file", 500000):convert(tonumber)
parser:option("--columns", "columns of the file", 30):convert(tonumber)
parser:option("--format", "how a cell is written", "%.6f")
parser:option("--rounds", "readings of each; the best counts", 3):convert(tonumber)
parser:option("--build", "the build folder", "build")
parser:option("--python", "a Python with pandas", "build/csv-peer/bin/python")
local options = parser:parse()

local folder = arg[0]:match("^(.*/)") or ""

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Write the file, with numbers of a fixed seed.
local function write_file(path)
  local file = assert(io.open(path, "wb"))
  local names = {}
  for k = 1, options.columns do names[k] = ("sensor_%d"):format(k) end
  file:write(table.concat(names, ","), "\n")
  local line = (options.format .. ","):rep(options.columns - 1) .. options.format .. "\n"
  math.randomseed(1)
  local values = {}
  for _ = 1, options.rows do
    for k = 1, options.columns do values[k] = (math.random() - 0.5) * 20 end
    file:write(line:format(table.unpack(values)))
  end
  file:close()
end

-- Run a command that prints seconds and KB as its last line.
local function measure(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  local ok = pipe:close()
  local seconds, kb = text:match("([%d.]+) (%d+)%s*$")
  if not (ok and seconds) then return nil end
  return tonumber(seconds), tonumber(kb) / 1000
end

local reading = [[
local moon = require "moonglass"
local start = moon.clock()
local x = assert(moon.data.csv(arg[1]))
local seconds, kb = moon.clock() - start, 0
for line in io.lines "/proc/self/status" do kb = line:match("^VmHWM:%s*(%d+)") or kb end
assert(#x == tonumber(arg[2]))
print(("%.3f %d"):format(seconds, kb))
]]

local path, script = os.tmpname(), os.tmpname()
write_file(path)
local file = assert(io.open(script, "w"))
file:write(reading)
file:close()

local readers = {
  {"moon.data.csv", ("%s %s %s %d"):format(quote(options.build .. "/moonglass"), quote(script), quote(path),
    options.rows)},
  {"pandas", ("%s %s %s"):format(quote(options.python), quote(folder .. "csv_peer.py"), quote(path))},
}
local best = {}
for _ = 1, options.rounds do
  for i, reader in ipairs(readers) do
    local seconds, mb = measure(reader[2])
    if seconds then
      local b = best[i] or {seconds = seconds, mb = mb}
      best[i] = {seconds = math.min(b.seconds, seconds), mb = math.min(b.mb, mb)}
    end
  end
end
os.remove(path)
os.remove(script)

local data = options.rows * options.columns * 4 / 1e6
local cells = options.rows * options.columns
print(("%d x %d, cells as %s: %.0f MB as float32"):format(options.rows, options.columns, options.format, data))
for i, reader in ipairs(readers) do
  local b = best[i]
  if b then
    print(("%-14s %6.2f s  %5.1f ns a cell  peak memory %5.0f MB, data + %4.0f MB  %s"):format(reader[1], b.seconds,
      b.seconds / cells * 1e9, b.mb, b.mb - data,
      i > 1 and best[1] and ("(%.2fx, %.2fx)"):format(b.seconds / best[1].seconds, b.mb / best[1].mb) or ""))
  else
    print(("%-14s did not run"):format(reader[1]))
  end
end

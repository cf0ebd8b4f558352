-- Measures with perf how long each part of a training step takes. `make profile` runs it; README.md here explains it.
local moon = require "moonglass"
local argparse = require "argparse"

local folder = arg[0]:match("^(.*/)") or "./"
package.path = folder .. "?.lua;" .. package.path
local counts = require "counts"
local json = require "json"
local parts = require "parts"
local report = require "report"

local hertz = 2000

local function fail(message, status)
  io.stderr:write("profile: ", message, "\n")
  os.exit(status or 1)
end

local function read_options()
  local parser = argparse("profile", "Tell which parts of a training step take how long."):help_max_width(110)
  parser:option("--batches", "rows in a step"):default("32,128"):convert(counts)
  parser:option("--threads", "numbers of threads"):default("1,2"):convert(counts)
  parser:option("--epochs", "epochs to count in"):default("5"):convert(math.tointeger)
  parser:option("--sizes", "widths of the net"):default(report.lecture)
  parser:option("--functions", "functions to list"):default("12"):convert(math.tointeger)
  parser:option("--data", "folder of MNIST (else MOONGLASS_DATA, data/mnist, Fashion-MNIST)")
  parser:option("--build", "build folder of make"):default("build")
  local ok, o = parser:pparse(arg)
  if not ok then fail(o:gsub("%s*\n%s*", " "), 2) end
  return o
end

local function quote(text) return "'" .. tostring(text):gsub("'", "'\\''") .. "'" end

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  return pipe:close() and text or nil, text
end

-- perf starts without counting; bench tells it through the FIFO when the warm epochs begin and end, so that loading the
-- data and warming up are left out.
local function record(o, batch, threads)
  local scratch = o.build .. "/bench/"
  local fifo, data = scratch .. "perf.fifo", scratch .. "perf.data"
  os.remove(fifo)
  assert(os.execute("mkfifo " .. quote(fifo)))
  local bench = ("%s epoch --sizes %s --batch %d --threads %d --rounds %d --floor 0 --data %s --perf %s"):format(
    quote(scratch .. "profiled"), quote(o.sizes), batch, threads, o.epochs, quote(o.folder), quote(fifo))
  local errors = scratch .. "perf.log"
  local text = output_of(("perf record -q -e cpu-clock -F %d -D -1 --control=fifo:%s -o %s %s 2>%s"):format(hertz,
    quote(fifo), quote(data), bench, quote(errors)))
  os.remove(fifo)
  local run = json.decode(text and text:match("{.*}") or "")
  if not run then fail("perf record failed: " .. (output_of("cat " .. quote(errors)) or "")) end
  text = output_of(("perf report -i %s --stdio --no-children -F sample,dso,sym -t ';' 2>/dev/null"):format(quote(data)))
  os.remove(data)
  return run, parts.read(text or "")
end

-- A table of names, microseconds of all threads in a step, and percentages.
local function rows_of(totals, sum, step_us, most)
  local rows = {}
  for i = 1, math.min(#totals, most) do
    local share = totals[i].samples / sum
    rows[i] = {"  " .. totals[i].name, ("%.1f us"):format(share * step_us), ("%.1f %%"):format(100 * share)}
  end
  return rows
end

local function show(o, batch, threads)
  local run, list = record(o, batch, threads)
  local total = 0
  for _, seconds in ipairs(run.epochs) do total = total + seconds end
  local by_part, sum = parts.totals(list, "part")
  if sum == 0 then fail("perf counted nothing") end
  local step_us = total / o.epochs / run.steps * threads * 1e6
  -- The rest of the threads' time: asleep, or without a core.
  local off = math.max(0, math.floor(total * threads * hertz) - sum)
  table.insert(by_part, {name = "asleep, or without a core", samples = off})
  print(("Batch %d, threads %d: %.3f s an epoch, %.0f us a step%s"):format(batch, threads, total / o.epochs,
    total / o.epochs / run.steps * 1e6, threads > 1 and (", %.0f us of all threads together"):format(step_us) or ""))
  print(report.align(rows_of(by_part, sum + off, step_us, #by_part)))
  print(" functions")
  print(report.align(rows_of(parts.totals(list, "symbol"), sum + off, step_us, o.functions)) .. "\n")
end

local function main()
  local o = read_options()
  if not os.execute("command -v perf >/dev/null 2>&1") then fail("there is no perf here (Debian: linux-perf)") end
  local data, what = moon.data.find(o.data)
  if not data then fail(what) end
  o.folder = data
  local info = moon.info()
  print(("%s; %s; BLIS %s (%s), %s kernels\n"):format(what, o.sizes, info.blis, info.blis_config, info.simd))
  for _, threads in ipairs(o.threads) do
    for _, batch in ipairs(o.batches) do show(o, batch, threads) end
  end
end

local ok, message = pcall(main)
if not ok then fail(tostring(message)) end

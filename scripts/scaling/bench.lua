-- Times training steps on threads and on ranks, beside PyTorch's DDP, and the allreduce, in turns; prints tables and
-- what the model makes of them, and writes results.csv and scaling.png into build/scaling. `make bench-mpi` runs it;
-- README.md here explains the figures.
local moon = require "moonglass"
local core = require "moonglass.core"
local argparse = require "argparse"

local folder = arg[0]:match("^(.*/)") or "./"
package.path = ("%s?.lua;%s../bench/?.lua;%s"):format(folder, folder, package.path)
local machine = require "machine"
local measure = require "measure"
local results = require("results").new()
local tables = require "tables"

local function fail(message, status)
  io.stderr:write("bench-mpi: ", message, "\n")
  os.exit(status or 1)
end

local function read_options()
  local parser = argparse("bench-mpi", "Time steps on several ranks, and model more of them."):help_max_width(110)
  parser:option("--rounds", "runs of everything; the best one counts"):default("3"):convert(math.tointeger)
  parser:option("--seconds", "for each batch and each size, in a round"):default("0.5"):convert(tonumber)
  parser:option("--mpi", "the MPI"):default("openmpi"):choices{"openmpi", "mpich"}
  parser:option("--nets", "which of the three nets"):default("1,2,3")
  parser:option("--add-to", "begin with the figures of this file")
  parser:flag("--no-peers", "leave out PyTorch")
  parser:flag("--no-reductions", "leave out the allreduce")
  parser:option("--from", "print and draw the figures of this file instead of measuring")
  parser:option("--picture", "where the picture goes (default: build/scaling/scaling.png)")
  parser:option("--build", "build folder of make"):default("build")
  parser:option("--python", "Python with PyTorch"):default("build/ddp/bin/python")
  local ok, o = parser:pparse(arg)
  if not ok then fail(o:gsub("%s*\n%s*", " "), 2) end
  return o
end

-- ---- running ----

local function log(...) io.stderr:write(string.format(...), "\n") end

local function list_text(list) return table.concat(list, ",") end

-- A run of rank.lua on so many ranks. 1 rank runs without MPI. What failed once is left out from then on.
local broken = {}

local function run(name, words)
  if broken[name] then return end
  local got, message = measure.run_json(words)
  if not got then
    broken[name] = true
    log("bench-mpi: %s is left out: %s", name, message)
  end
  return got
end

local function run_ranks(o, ranks, words)
  local program = {o.build .. "/moonglass", folder .. "rank.lua", "--timed", o.build .. "/scaling", "--seconds",
                   o.seconds}
  if ranks > 1 then
    table.move({"sh", "spec/mpi/mpirun.sh", o.mpi, ranks, table.unpack(program)}, 1, #program + 4, 1, program)
    program[#program + 1] = "--mpi"
  end
  table.move(words, 1, #words, #program + 1, program)
  return run(("%d rank%s"):format(ranks, ranks == 1 and "" or "s"), program)
end

local function add(test, engine, sizes, batch, threads, value)
  results:add{test = test, engine = engine, sizes = sizes, batch = batch, threads = threads, unit = "us", value = value}
end

-- The compute time of small parts of a batch, for the model, is measured on one rank alone.
local function time_steps(o, net, ranks, threads)
  local batches = ranks == 1 and {8, table.unpack(net.batches)} or net.batches
  local got = run_ranks(o, ranks,
    {"steps", "--sizes", net.sizes, "--batches", list_text(batches), "--threads", threads})
  if not got then return end
  local engine, said = ranks == 1 and "1 rank" or ranks .. " ranks", {}
  if ranks > 1 then results.versions[o.mpi] = got.library:match("%d[%d.]*") end
  for i, found in ipairs(got.found) do
    add("step", engine, net.sizes, found.batch, threads, found.step_us)
    if ranks > 1 then add("reduction", engine, net.sizes, found.batch, threads, found.reduce_us) end
    said[i] = ("%d: %.0f us"):format(found.batch, found.step_us)
  end
  log("%s, %s x %d threads: %s", net.name, engine, threads, table.concat(said, ", "))
end

-- Which of them is the fastest depends on the machine; the best figure of all counts.
local ddp_ways = {{}, {"--pin"}, {"--no-static-graph"}}

local function time_ddp(o, net, way)
  local words = {o.python, folder .. "ddp.py", "--sizes", net.sizes, "--batches", list_text(net.batches),
                 "--seconds", o.seconds}
  table.move(way, 1, #way, #words + 1, words)
  local got = run("ddp", words)
  if not got then return end
  results.versions.torch = got.version
  local said = {}
  for i, found in ipairs(got.steps) do
    add("step", "ddp", net.sizes, found.batch, 1, found.step_us)
    add("local", "ddp", net.sizes, found.batch, 1, found.local_us)
    said[i] = ("%d: %.0f us"):format(found.batch, found.step_us)
  end
  log("%s, ddp %s, 2 processes x 1 thread: %s", net.name, table.concat(way), table.concat(said, ", "))
end

local function time_reductions(o, ranks)
  local sizes = {}
  for i = 0, 12 do sizes[i + 1] = 4 << 2 * i end
  local got = run_ranks(o, ranks, {"allreduce", "--bytes", list_text(sizes)})
  for _, found in ipairs(got and got.found or {}) do
    add("allreduce", ranks .. " ranks", nil, found.bytes, nil, found.us)
  end
end

-- Seconds to add a byte to another, in numbers of 4.
local function time_adding()
  local a, b, best = moon.ones(1 << 20), moon.ones(1 << 20), math.huge
  for _ = 1, 20 do
    local start = core.clock()
    a:add_(b)
    best = math.min(best, (core.clock() - start) / (4 << 20))
  end
  results:add{test = "gamma", engine = "1 rank", unit = "s/byte", value = best}
end

local function round(o)
  for i in o.nets:gmatch("%d") do
    local net = tables.nets[tonumber(i)] or error("--nets: expected some of 1, 2 and 3, got " .. o.nets, 0)
    time_steps(o, net, 1, 2)
    if net.peers then
      time_steps(o, net, 2, 1)
      for _, way in ipairs(o.no_peers and {} or ddp_ways) do time_ddp(o, net, way) end
      time_steps(o, net, 1, 1)
      time_steps(o, net, 4, 1)
    end
  end
  for _, ranks in ipairs(o.no_reductions and {} or {2, 4}) do time_reductions(o, ranks) end
  time_adding()
end

-- ---- files ----

local function read_file(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local function write_file(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

local function draw(path)
  local panels = tables.panels(results)
  if #panels == 0 then return "no picture: nothing to show" end
  local ok, message = moon.plot.panels(path, panels, {columns = #panels // 2, width = 1200, height = 720})
  return ok and "picture in " .. path or "no picture: " .. message
end

local function main()
  local o = read_options()
  local scratch = o.build .. "/scaling"
  if o.from or o.add_to then results = require("results").read(read_file(o.from or o.add_to)) end
  if not o.from then
    machine.describe(results)
    local busy = machine.load_average()
    if busy and busy > 0.5 then
      log("bench-mpi: the machine has other work (load %.1f): ratios will be off too", busy)
    end
    for _ = 1, o.rounds do round(o) end
    write_file(scratch .. "/results.csv", results:csv())
  end
  print(tables.text(results, tonumber(results.machine.cores) or 2))
  print(("figures in %s, %s"):format(o.from or scratch .. "/results.csv", draw(o.picture or scratch .. "/scaling.png")))
end

local ok, message = pcall(main)
if not ok then fail(tostring(message)) end

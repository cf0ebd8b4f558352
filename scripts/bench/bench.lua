-- Times this engine, the floor of its matrix products and every installed peer, in turns; prints tables, and writes
-- results.csv and chart.png into build/bench. `make bench` runs it; README.md here explains the figures.
local moon = require "moonglass"
local argparse = require "argparse"

local folder = arg[0]:match("^(.*/)") or "./"
package.path = folder .. "?.lua;" .. package.path
local machine = require "machine"
local measure = require "measure"
local report = require "report"
local results = require("results").new()

-- ---- options ----

local function fail(message, status)
  io.stderr:write("bench: ", message, "\n")
  os.exit(status or 1)
end

local function count(text)
  local v = math.tointeger(tonumber(text))
  if v and v >= 1 then return v end
  return nil, ("'%s' is not a whole number of at least 1"):format(text)
end

local function list_of(read)
  return function(text)
    local list = {}
    for part in (text .. ","):gmatch("([^,]*),") do
      local v, message = read(part)
      if v == nil then return nil, message end
      list[#list + 1] = v
    end
    return list
  end
end

local function one_of(known)
  local names = {}
  for name in pairs(known) do names[#names + 1] = name end
  table.sort(names)
  return function(text)
    if known[text] then return text end
    return nil, ("'%s' is not known (known: %s)"):format(text, table.concat(names, ", "))
  end
end

local all_parts = {"epoch", "row", "start", "busy", "job", "deep", "nets", "scale"}
local parts = {}
for _, part in ipairs(all_parts) do parts[part] = true end

local function read_options()
  local parser = argparse("bench", "Time this engine and its peers on the same work."):help_max_width(110)
  parser:option("--rounds", "runs of everything; the best one counts (default: 3)"):convert(count)
  parser:option("--batches", "rows in a step (default: 32,128,256,1024)"):convert(list_of(count))
  parser:option("--threads", "numbers of threads"):default("1,2"):convert(list_of(count))
  parser:option("--peers", "engines of peer.py, or none")
    :default(table.concat(measure.usual, ",")):convert(function(text)
      if text == "none" then return {} end
      return list_of(one_of(measure.packages))(text)
    end)
  parser:option("--only", "parts to run, of epoch,row,start,busy,job,deep,nets,scale (default: all)")
    :convert(list_of(one_of(parts)))
  parser:option("--epochs", "epochs in one run of a peer; the first warms up"):default("3"):convert(count)
  parser:flag("--quick", "unless said otherwise: one round, batches 32 and 128, parts epoch,row,start")
  parser:option("--data", "folder of MNIST (else MOONGLASS_DATA, data/mnist, Fashion-MNIST)")
  parser:option("--build", "build folder of make"):default("build")
  parser:option("--python", "Python with the peers"):default("build/peers/bin/python")
  local ok, o = parser:pparse(arg)
  if not ok then fail(o:gsub("%s*\n%s*", " "), 2) end
  o.rounds = o.rounds or (o.quick and 1 or 3)
  o.batches = o.batches or (o.quick and {32, 128} or {32, 128, 256, 1024})
  o.only = o.only or (o.quick and {"epoch", "row", "start"} or all_parts)
  return o
end

local function is_there(path)
  local file = io.open(path, "rb")
  if file then file:close() end
  return file ~= nil
end

-- ---- what to run ----

local function has(list, wanted)
  for _, v in ipairs(list) do
    if v == wanted then return true end
  end
  return false
end

-- The cases of the first rounds, in which peers take part.
local function shared_cases(o)
  local cases = {}
  local most = math.max(table.unpack(o.threads))
  if has(o.only, "epoch") then
    for _, batch in ipairs(o.batches) do
      for _, threads in ipairs(o.threads) do
        cases[#cases + 1] = {kind = "epoch", sizes = report.lecture, batch = batch, threads = threads, row = true}
      end
    end
  end
  if has(o.only, "row") then cases[#cases + 1] = {kind = "row", sizes = report.lecture} end
  if has(o.only, "start") then cases[#cases + 1] = {kind = "start"} end
  if has(o.only, "busy") then
    for _, net in ipairs(report.busy_nets) do
      for _, busy in ipairs(report.busy_processes) do
        cases[#cases + 1] = {kind = "busy", sizes = net.sizes, batch = net.batch, threads = most, busy = busy}
      end
    end
  end
  if has(o.only, "job") then
    cases[#cases + 1] = {kind = "job", sizes = report.lecture, batch = 32, threads = most, row = true}
  end
  if has(o.only, "deep") then
    cases[#cases + 1] = {kind = "epoch", sizes = report.deep, batch = 128, threads = most}
  end
  for _, other in ipairs(has(o.only, "nets") and report.others or {}) do
    cases[#cases + 1] = {kind = "epoch", net = other.net, sizes = other.sizes, batch = other.batch, threads = most}
  end
  return cases
end

local function scale_cases(o)
  local cases, cores = {}, tonumber(results.machine.cores) or 2
  for exponent = 0, has(o.only, "scale") and 12 or -1 do
    for threads = 1, cores do
      if threads <= 2 or threads == cores or threads & (threads - 1) == 0 then
        cases[#cases + 1] = {kind = "scale", sizes = report.lecture, batch = 1 << exponent, threads = threads}
      end
    end
  end
  return cases
end

-- ---- files ----

local function write_file(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  assert(file:close())
end

local function draw(path)
  local panels = report.panels(results)
  if #panels == 0 then return "no chart: nothing to show" end
  local ok, message = moon.plot.panels(path, panels, {columns = 2, width = 1400, height = 450 * ((#panels + 1) // 2)})
  return ok and "chart in " .. path or "no chart: " .. message
end

local function main()
  local o = read_options()
  local data, what = moon.data.find(o.data)
  if not data then fail(what) end
  machine.describe(results)
  local scratch = o.build .. "/bench"
  local m = measure.new(results, {
    bench = scratch .. "/bench", program = o.build .. "/moonglass", folder = folder, scratch = scratch, data = data,
    python = is_there(o.python) and o.python or nil, peer_epochs = math.max(o.epochs, 2),
  }, function(line) io.stderr:write(line, "\n") end)

  local peers, reasons = m:find_peers(o.peers)
  for _, reason in ipairs(reasons) do io.stderr:write("bench: ", reason, "\n") end
  io.stderr:write(("%s; %d round%s\n"):format(what, o.rounds, o.rounds == 1 and "" or "s"))
  local busy = machine.load_average()
  if busy and busy > 0.5 then
    io.stderr:write(("bench: the machine has other work (load %.1f): ratios will be off too\n"):format(busy))
  end
  for _ = 1, o.rounds do m:round(shared_cases(o), peers) end
  for _ = 1, o.rounds do m:round(scale_cases(o), {}) end

  print(report.text(results))
  write_file(scratch .. "/results.csv", results:csv())
  print(("figures in %s/results.csv, %s"):format(scratch, draw(scratch .. "/chart.png")))
end

local ok, message = pcall(main)
if not ok then fail(tostring(message)) end

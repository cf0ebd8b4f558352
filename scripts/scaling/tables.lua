--- Tables, bars and the picture of what was measured on several ranks, and of what the model makes of it.
local model = require "model"
local report = require "report" -- of ../bench

local tables = {}

local lecture, deep = report.lecture, report.deep
local large = "784-8192-4096-1024-4096-8192-784"

--- The three nets, their names, and the batches of each.
tables.nets = {
  {name = "the lecture's", sizes = lecture, batches = {32, 128, 512, 1024, 8192}, peers = true},
  {name = "stacked", sizes = deep, batches = {32, 128, 512, 1024, 8192}, peers = true},
  {name = "large", sizes = large, batches = {32, 128, 512}},
}

local function number(v, format) return v and (format or "%.0f"):format(v) or "-" end

local function of(test, engine, sizes, batch, threads)
  return {test = test, engine = engine, sizes = sizes, batch = batch, threads = threads}
end

local function step(results, engine, sizes, batch, threads)
  return results:best(of("step", engine, sizes, batch, threads or 1))
end

local function ratio(a, b) return a and b and a / b end

local function section(title, rows) return #rows > 1 and title .. "\n" .. report.align(rows) .. "\n" end

-- "2,835,754"
local function grouped(n) return (tostring(n):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")) end

local function size_text(bytes)
  for _, unit in ipairs{{1 << 20, "MB"}, {1 << 10, "KB"}} do
    if bytes >= unit[1] then return ("%g %s"):format(bytes // unit[1], unit[2]) end
  end
  return bytes .. " B"
end

-- ---- what was measured ----

--- Microseconds of a step, by batch: this engine with threads and with ranks, and DDP.
function tables.steps(results, sizes)
  local rows = {{"batch", "1 thread", "2 threads", "2 ranks", "its reduction", "threads / ranks", "4 ranks", "ddp",
                 "its reduction", "ddp / 2 ranks"}}
  for _, batch in ipairs(results:values("step", "batch", sizes)) do
    local two, ddp = step(results, "2 ranks", sizes, batch), step(results, "ddp", sizes, batch)
    local alone = results:best(of("local", "ddp", sizes, batch, 1))
    rows[#rows + 1] = {
      tostring(batch), number(step(results, "1 rank", sizes, batch)), number(step(results, "1 rank", sizes, batch, 2)),
      number(two), number(results:best(of("reduction", "2 ranks", sizes, batch, 1))),
      number(ratio(step(results, "1 rank", sizes, batch, 2), two), "%.2f"),
      number(step(results, "4 ranks", sizes, batch)), number(ddp),
      number(alone and math.max(0, ddp - alone)), number(ratio(ddp, two), "%.2f"),
    }
  end
  return section(("Microseconds a step, %s, %s parameters"):format(sizes, grouped(model.parameters(sizes))), rows)
end

local function samples(results, ranks)
  local list = {}
  for _, bytes in ipairs(results:values("allreduce", "batch")) do
    local us = results:best(of("allreduce", ranks .. " ranks", nil, bytes))
    if us then list[#list + 1] = {bytes, us * 1e-6} end
  end
  return list
end

--- Microseconds of an allreduce by its bytes.
function tables.allreduce(results)
  local rows = {{"allreduce", "2 ranks", "MB/s", "4 ranks", "MB/s"}}
  for _, bytes in ipairs(results:values("allreduce", "batch")) do
    local row = {size_text(bytes)}
    for _, ranks in ipairs{2, 4} do
      local us = results:best(of("allreduce", ranks .. " ranks", nil, bytes))
      row[#row + 1], row[#row + 2] = number(us, "%.1f"), number(us and bytes / us)
    end
    rows[#rows + 1] = row
  end
  return section("Microseconds of an allreduce, and bytes by time", rows)
end

--- The alpha and beta of the measured allreduces, and what they say of one link.
function tables.fits(results)
  local rows = {{"fit", "alpha, us", "1/beta, MB/s", "a link by doubling", "1/beta", "by a ring", "1/beta"}}
  for _, ranks in ipairs{2, 4} do
    local list = samples(results, ranks)
    if #list > 1 then
      local alpha, beta = model.fit(list)
      local doubling, ring = model.links(alpha, beta, ranks)
      local row = {ranks .. " ranks"}
      for _, link in ipairs{{alpha = alpha, beta = beta}, doubling, ring} do
        row[#row + 1] = number(link.alpha * 1e6, "%.2f")
        row[#row + 1] = number(link.beta > 0 and 1e-6 / link.beta or nil)
      end
      rows[#rows + 1] = row
    end
  end
  local gamma = results:best(of("gamma", "1 rank"))
  return section("alpha + beta n fitted to them" ..
    (gamma and ("; gamma: %.0f MB/s are added here"):format(1e-6 / gamma) or ""), rows)
end

-- ---- the model ----

--- A net for the model: its bytes, and the time to compute a step with so many threads; nil without figures.
function tables.case(results, sizes, threads)
  local points = {}
  for _, batch in ipairs(results:values("step", "batch", sizes)) do
    local us = step(results, "1 rank", sizes, batch, threads)
    if us then points[#points + 1] = {batch, us * 1e-6} end
  end
  return #points > 1 and {bytes = model.bytes(sizes), compute = model.compute(points)}
end

--- The published networks, with the speed at which this machine adds.
function tables.networks(results)
  local gamma, list = results:best(of("gamma", "1 rank")) or 0, {}
  for i, net in ipairs(model.networks) do
    list[i] = {name = net.name, alpha = net.alpha, beta = net.beta, gamma = gamma}
  end
  return list
end

--- The model beside what was measured here with 1, 2 and 4 ranks of one thread, on so many cores.
function tables.check(results, cores)
  local rows = {{"net, batch", "1 rank", "2 ranks", "model", "off by", "4 ranks", "model", "off by"}}
  for _, net in ipairs(tables.nets) do
    local case = tables.case(results, net.sizes, 1)
    for _, batch in ipairs(case and results:values("step", "batch", net.sizes) or {}) do
      local row = {net.name .. ", " .. batch, number(step(results, "1 rank", net.sizes, batch))}
      for _, ranks in ipairs{2, 4} do
        local list, us = samples(results, ranks), step(results, ranks .. " ranks", net.sizes, batch)
        if us and #list > 1 then
          local alpha, beta = model.fit(list)
          local share = math.max(1, ranks / cores) -- ranks on the same core compute in turns
          local said = 1e6 * (share * case.compute(model.slice(batch, ranks)) + alpha + beta * case.bytes)
          table.move({number(us), number(said), ("%+.0f %%"):format(100 * (said / us - 1))}, 1, 3, #row + 1, row)
        else
          table.move({"-", "-", "-"}, 1, 3, #row + 1, row)
        end
      end
      if step(results, "2 ranks", net.sizes, batch) then rows[#rows + 1] = row end
    end
  end
  return section("The model and what was measured, microseconds a step", rows)
end

local function each_case(results, visit)
  for _, net in ipairs(tables.nets) do
    local case = tables.case(results, net.sizes, 2)
    for _, network in ipairs(case and tables.networks(results) or {}) do visit(net, case, network) end
  end
end

--- For each net and network: how fast a batch can get on more machines, and on how many.
function tables.strong(results)
  local batches = {128, 1024, 8192}
  local rows = {{"times as fast as one machine, on how many"}}
  for i, batch in ipairs(batches) do rows[1][i + 1] = "batch " .. grouped(batch) end
  each_case(results, function(net, case, network)
    local row = {net.name .. ", " .. network.name}
    for i, batch in ipairs(batches) do
      local nodes, speed = model.best(case, network, batch, 1000)
      row[i + 1] = nodes == 1 and "one is fastest" or ("%.1f on %d"):format(speed, nodes)
    end
    rows[#rows + 1] = row
  end)
  return section("One batch on many machines (each like this one, with 2 threads)", rows)
end

--- For each net and network: the smallest batch in all at which so many machines are worth at least half their number.
function tables.pays(results)
  local counts = {2, 8, 64, 512}
  local rows = {{"smallest batch for half the ideal speed"}}
  for i, nodes in ipairs(counts) do rows[1][i + 1] = nodes .. " machines" end
  each_case(results, function(net, case, network)
    local row = {net.name .. ", " .. network.name}
    for i, nodes in ipairs(counts) do
      local batch = model.pays(case, network, nodes, 0.5)
      row[i + 1] = batch and grouped(batch) or "none"
    end
    rows[#rows + 1] = row
  end)
  return section("From which batch on it pays", rows)
end

-- ---- bars ----

local bars = {
  {"2 ranks against 2 threads, batch 1024, the lecture's net", 0.85, function(results)
    return ratio(step(results, "1 rank", lecture, 1024, 2), step(results, "2 ranks", lecture, 1024))
  end},
  {"ddp / 2 ranks, batch 128, the lecture's net", 2, function(results)
    return ratio(step(results, "ddp", lecture, 128), step(results, "2 ranks", lecture, 128))
  end},
}
for _, net in ipairs(tables.nets) do
  for _, batch in ipairs(net.peers and net.batches or {}) do
    bars[#bars + 1] = {("ddp / 2 ranks, batch %d, %s net"):format(batch, net.name), 1, function(results)
      return ratio(step(results, "ddp", net.sizes, batch), step(results, "2 ranks", net.sizes, batch))
    end}
  end
end

--- The project's targets, and whether they were met; those without figures are omitted.
function tables.bars(results)
  local rows = {{"Bars", "wanted", "measured", ""}}
  for _, bar in ipairs(bars) do
    local title, wanted, find = table.unpack(bar)
    local v = find(results)
    if v then
      rows[#rows + 1] = {title, (">= %g"):format(wanted), ("%.2f"):format(v), v >= wanted and "met" or "MISSED"}
    end
  end
  return #rows > 1 and report.align(rows) .. "\n"
end

--- All tables as one text.
function tables.text(results, cores)
  local parts = {}
  local function add(part) if part then parts[#parts + 1] = part end end
  if results.machine.cpu then add(report.machine(results)) end
  for _, net in ipairs(tables.nets) do add(tables.steps(results, net.sizes)) end
  add(tables.allreduce(results))
  add(tables.fits(results))
  add(tables.check(results, cores))
  add(tables.strong(results))
  add(tables.pays(results))
  add(tables.bars(results))
  return table.concat(parts, "\n")
end

-- ---- the picture ----

-- About eight numbers of machines for each factor of 10, up to 1,000.
local function node_counts()
  local list = {}
  for i = 0, 24 do
    local n = math.floor(10 ^ (i / 8) + 0.5)
    if n ~= list[#list] then list[#list + 1] = n end
  end
  return list
end

-- One panel: speed by machines. speed: model.speed_up (batch in all) or model.growth (batch a machine).
local function panel(results, net, speed, batch, title)
  local case = tables.case(results, net.sizes, 2)
  if not case then return end
  local nodes = node_counts()
  local series = {{label = "ideal", x = nodes, y = nodes}}
  for _, network in ipairs(tables.networks(results)) do
    local y = {}
    for i, p in ipairs(nodes) do y[i] = speed(case, network, p, batch) end
    series[#series + 1] = {label = network.name, x = nodes, y = y}
  end
  return {title = title, xlabel = "machines", ylabel = "times as fast as one", logx = true, logy = true,
          xrange = {1, 1000}, yrange = {0.5, 1000}, legend = "top left", series = series}
end

--- The arguments of moon.plot.panels: above one batch of 1,024 on many machines, below 128 rows on each.
function tables.panels(results)
  local list = {}
  local kinds = {
    {model.speed_up, 1024, "%s net, batch 1,024 in all"}, {model.growth, 128, "%s net, 128 rows a machine"},
  }
  for _, kind in ipairs(kinds) do
    for _, net in ipairs(tables.nets) do
      list[#list + 1] = panel(results, net, kind[1], kind[2], kind[3]:format(net.name:gsub("^%l", string.upper)))
    end
  end
  return list
end

return tables

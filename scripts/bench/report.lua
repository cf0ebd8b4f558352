--- Tables, bars and the chart from results.
local report = {}

report.lecture = "784-128-32-128-784"
report.deep = "784-1000-500-250-30-250-500-1000-784"

-- Nets of other kinds than layers one behind the other, measured with the largest number of threads.
report.others = {{net = "variational", sizes = "784-400-20-400-784", batch = 128},
                 {net = "batch_norm", sizes = "784-512-256-64-256-512-784", batch = 128}}

-- The nets measured beside busy processes, and the number of these.
report.small = "57-256-128-256-57"
report.busy_nets = {{sizes = report.small, batch = 128}, {sizes = report.lecture, batch = 32},
                    {sizes = report.lecture, batch = 128}, {sizes = report.lecture, batch = 1024}}
report.busy_processes = {1, 2, 6, 12}

-- ---- text ----

--- Rows of cells as aligned lines; the first column is text, the others are numbers.
function report.align(rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for i = 1, #row do widths[i] = math.max(widths[i] or 0, utf8.len(row[i])) end
  end
  local lines = {}
  for r, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      local blanks = (" "):rep(widths[i] - utf8.len(cell))
      cells[i] = i == 1 and cell .. blanks or blanks .. cell
    end
    lines[r] = (table.concat(cells, "  "):gsub("%s+$", ""))
  end
  return table.concat(lines, "\n")
end

local function number(v, format) return v and (format or "%.3f"):format(v) or "-" end
local function percent(v) return v and ("%.0f %%"):format(100 * v) or "-" end

-- "1.160 (1.9x)": their figure, and its ratio to ours.
local function against(results, what, format)
  local v, ratio = results:best(what), results:ratio(what)
  if not v then return "-" end
  return ratio and ("%s (%.2fx)"):format(number(v, format), ratio) or number(v, format)
end

local function of(test, engine, sizes, batch, threads)
  return {test = test, engine = engine, sizes = sizes, batch = batch, threads = threads}
end

-- ---- tables ----

function report.epochs(results, sizes)
  local peers = results:peers()
  local rows = {{"batch, threads", "moonglass", "floor", "floor/epoch", table.unpack(peers)}}
  for _, batch in ipairs(results:values("epoch", "batch", sizes)) do
    for _, threads in ipairs(results:values("epoch", "threads", sizes)) do
      local row = {
        ("%d, %d"):format(batch, threads),
        number(results:best(of("epoch", "moonglass", sizes, batch, threads))),
        number(results:best(of("epoch", "floor", sizes, batch, threads))),
        percent(results:ratio(of("epoch", "floor", sizes, batch, threads))),
      }
      for _, peer in ipairs(peers) do
        row[#row + 1] = against(results, of("epoch", peer, sizes, batch, threads))
      end
      if table.concat(row, "", 2):find("%d") then rows[#rows + 1] = row end
    end
  end
  return #rows > 1 and ("Seconds an epoch, %s (and how many times ours)\n%s\n"):format(sizes, report.align(rows))
end

function report.other_nets(results)
  local peers = results:peers()
  local rows = {{"net, batch, threads", "moonglass", table.unpack(peers)}}
  for _, net in ipairs(report.others) do
    local test = "epoch " .. net.net
    for _, threads in ipairs(results:values(test, "threads")) do
      local row = {("%s %s, %d, %d"):format(net.net, net.sizes, net.batch, threads),
                   number(results:best(of(test, "moonglass", net.sizes, net.batch, threads)))}
      for _, peer in ipairs(peers) do
        row[#row + 1] = against(results, of(test, peer, net.sizes, net.batch, threads))
      end
      rows[#rows + 1] = row
    end
  end
  return #rows > 1 and ("Seconds an epoch, other nets (and how many times ours)\n%s\n"):format(report.align(rows))
end

local singles = {
  {"whole job, s", "job", "%.2f"}, {"its peak memory, MB", "job_peak", "%.0f"}, {"a single row, us", "row", "%.1f"},
}

-- The entry of a test that has only one setting.
local function setting(results, test, engine)
  for _, e in ipairs(results.entries) do
    if e.test == test and e.engine == engine then return e end
  end
end

function report.singles(results)
  local peers = results:peers()
  local rows = {{"", "moonglass", table.unpack(peers)}}
  for _, single in ipairs(singles) do
    local title, test, format = table.unpack(single)
    local ours = setting(results, test, "moonglass")
    local row = {title, number(ours and results:best(ours), format)}
    for _, peer in ipairs(peers) do
      local theirs = setting(results, test, peer)
      row[#row + 1] = theirs and against(results, theirs, format) or "-"
    end
    if ours then rows[#rows + 1] = row end
  end
  for _, single in ipairs{{"start of the program, ms", "program"}, {"with require, ms", "require"}} do
    local ours = setting(results, single[2], "moonglass")
    if ours then rows[#rows + 1] = {single[1], number(results:best(ours), "%.2f")} end
  end
  return #rows > 1 and "One at a time (and how many times ours)\n" .. report.align(rows) .. "\n"
end

function report.scaling(results)
  local threads = results:values("scale", "threads")
  local rows = {{"batch"}}
  for _, t in ipairs(threads) do
    table.insert(rows[1], ("%d thread%s"):format(t, t == 1 and "" or "s"))
    if t > 1 then table.insert(rows[1], "speed-up") end
  end
  for _, batch in ipairs(results:values("scale", "batch")) do
    local row = {tostring(batch)}
    local one = results:best(of("scale", "moonglass", report.lecture, batch, 1))
    for _, t in ipairs(threads) do
      local v = results:best(of("scale", "moonglass", report.lecture, batch, t))
      row[#row + 1] = number(v, "%.0f")
      if t > 1 then row[#row + 1] = number(v and one and v / one, "%.2f") end
    end
    rows[#rows + 1] = row
  end
  return #rows > 1 and ("Training rows a second, %s, by batch and threads\n%s\n"):format(report.lecture,
    report.align(rows))
end

-- ---- bars ----

local function peer_bar(batch, threads, bar, sizes)
  sizes = sizes or report.lecture
  local title = ("fastest peer / ours, batch %d, threads %d"):format(batch, threads)
  if sizes ~= report.lecture then title = title .. ", " .. sizes end
  return title, bar, function(results)
    local theirs, name = results:fastest_peer(of("epoch", nil, sizes, batch, threads))
    local ours = results:best(of("epoch", "moonglass", sizes, batch, threads))
    return theirs and ours and theirs / ours, name
  end
end

local function floor_bar(batch, threads, bar)
  return ("floor / epoch, batch %d, threads %d"):format(batch, threads), bar, function(results)
    return results:ratio(of("epoch", "floor", report.lecture, batch, threads))
  end
end

local function ratio_bar(title, bar, test, peer)
  return title, bar, function(results)
    local theirs = setting(results, test, peer)
    return theirs and results:ratio(theirs)
  end
end

-- A figure of this engine that may be at most `bar`.
local function limit_bar(title, bar, test)
  return title, -bar, function(results)
    local ours = setting(results, test, "moonglass")
    return ours and results:best(ours)
  end
end

local function speed_up_bar(batch, bar)
  return ("1 thread / 2 threads, batch %d"):format(batch), bar, function(results)
    local one = results:best(of("epoch", "moonglass", report.lecture, batch, 1))
    local two = results:best(of("epoch", "moonglass", report.lecture, batch, 2))
    return one and two and one / two
  end
end

-- Two threads may take at most `bar` times as long as one, while `busy` processes use the cores.
local function busy_bar(net, busy, bar)
  local title = ("2 threads over 1 beside %d busy, %s, batch %d"):format(busy, net.sizes, net.batch)
  return title, -bar, function(results)
    return results:median(of("busy " .. busy, "moonglass", net.sizes, net.batch, 2))
  end
end

local function other_net_bar(net, bar)
  local test = "epoch " .. net.net
  return ("torch / ours, %s, batch %d, threads 2"):format(net.net, net.batch), bar, function(results)
    return results:ratio(of(test, "torch", net.sizes, net.batch, 2))
  end
end

-- Title, smallest value (negative: largest value), and a function that finds the value.
local bars = {
  {peer_bar(32, 2, 1.9)}, {peer_bar(128, 2, 1.6)}, {peer_bar(1024, 2, 1.6)},
  {peer_bar(32, 1, 1.15)}, {peer_bar(128, 1, 1)}, {peer_bar(1024, 1, 1)},
  {"keras / ours, batch 32, threads 2", 10, function(results)
    return results:ratio(of("epoch", "keras", report.lecture, 32, 2))
  end},
  {floor_bar(32, 1, 0.7)}, {floor_bar(32, 2, 0.7)}, {floor_bar(128, 1, 0.8)}, {floor_bar(128, 2, 0.8)},
  {floor_bar(1024, 1, 0.8)}, {floor_bar(1024, 2, 0.8)},
  {peer_bar(128, 2, 1, report.deep)},
  {other_net_bar(report.others[1], 2.5)},
  {ratio_bar("jax / ours, whole job", 3, "job", "jax")}, {ratio_bar("keras / ours, whole job", 8, "job", "keras")},
  {limit_bar("peak memory of the whole job, MB", 150, "job_peak")},
  {limit_bar("start with require, ms", 20, "require")}, {limit_bar("a single row, us", 25, "row")},
  {speed_up_bar(128, 1.6)},
}
for _, net in ipairs(report.busy_nets) do
  for _, busy in ipairs(report.busy_processes) do bars[#bars + 1] = {busy_bar(net, busy, 1.2)} end
end

--- Measured figures beside the targets; bars without figures are omitted.
function report.bars(results)
  local rows = {{"Bars", "wanted", "measured", ""}}
  for _, bar in ipairs(bars) do
    local title, wanted, find = table.unpack(bar)
    local v, name = find(results)
    if v then
      local met = wanted < 0 and v <= -wanted or wanted > 0 and v >= wanted
      rows[#rows + 1] = {title .. (name and (" (%s)"):format(name) or ""),
                         ("%s %g"):format(wanted < 0 and "<=" or ">=", math.abs(wanted)), ("%.2f"):format(v),
                         met and "met" or "MISSED"}
    end
  end
  return #rows > 1 and report.align(rows) .. "\n"
end

function report.machine(results)
  local m, versions = results.machine, {}
  for engine, version in pairs(results.versions) do versions[#versions + 1] = engine .. " " .. version end
  table.sort(versions)
  return ("Machine   %s, %s cores, %s\nBLIS      %s, %s kernels; our own kernels: %s\nVersions  %s\n"):format(
    m.cpu or "unknown CPU", m.cores or "?", m.system or "?", m.blis or "?", m.blis_config or "?", m.simd or "?",
    table.concat(versions, ", "))
end

--- All tables as one text.
function report.text(results)
  local parts = {report.machine(results)}
  local sections = {report.epochs(results, report.lecture), report.epochs(results, report.deep),
                    report.other_nets(results), report.singles(results), report.scaling(results), report.bars(results)}
  for i = 1, 6 do
    if sections[i] then parts[#parts + 1] = sections[i] end
  end
  return table.concat(parts, "\n")
end

-- ---- chart ----

-- The results for a list of settings, NaN where there is none; nil if there are none at all.
local function figures(results, settings)
  local list, any = {}, false
  for i, what in ipairs(settings) do
    list[i] = results:best(what) or 0 / 0
    any = any or list[i] == list[i]
  end
  return any and list or nil
end

-- Bars by batch, one colour an engine.
local function epoch_panel(results, threads)
  local batches, series = results:values("epoch", "batch", report.lecture), {}
  for _, engine in ipairs{"floor", "moonglass", table.unpack(results:peers())} do
    local settings = {}
    for i, batch in ipairs(batches) do settings[i] = of("epoch", engine, report.lecture, batch, threads) end
    local seconds = figures(results, settings)
    if seconds then series[#series + 1] = {label = engine, y = seconds} end
  end
  return {
    title = ("Epoch of 60,000 rows, %s, %d thread%s"):format(report.lecture, threads, threads == 1 and "" or "s"),
    xlabel = "batch", ylabel = "seconds", labels = batches, series = series,
  }
end

local function scale_panel(results)
  local batches, series = results:values("scale", "batch"), {}
  for i, threads in ipairs(results:values("scale", "threads")) do
    local settings = {}
    for k, batch in ipairs(batches) do settings[k] = of("scale", "moonglass", report.lecture, batch, threads) end
    series[i] = {label = ("%d thread%s"):format(threads, threads == 1 and "" or "s"), style = "linespoints",
                 x = batches, y = figures(results, settings)}
  end
  return {title = "Moonglass: training rows a second", xlabel = "batch", ylabel = "rows/s", logx = 2,
          legend = "top left", series = series}
end

local function job_panel(results)
  local engines, seconds = {}, {}
  for _, engine in ipairs{"moonglass", table.unpack(results:peers())} do
    local e = setting(results, "job", engine)
    if e then engines[#engines + 1], seconds[#seconds + 1] = engine, results:best(e) end
  end
  return {title = "The whole job: start, load, 5 epochs at batch 32, 2 threads", ylabel = "seconds",
          labels = engines, series = #seconds > 0 and {{y = seconds}} or {}}
end

--- The arguments of moon.plot.panels to draw the results: a panel for each kind of measurement.
function report.panels(results)
  local all, panels = {}, {}
  for _, threads in ipairs(results:values("epoch", "threads", report.lecture)) do
    if threads <= 2 then all[#all + 1] = epoch_panel(results, threads) end
  end
  all[#all + 1] = scale_panel(results)
  all[#all + 1] = job_panel(results)
  for _, panel in ipairs(all) do
    if #panel.series > 0 then panels[#panels + 1] = panel end
  end
  return panels
end

return report

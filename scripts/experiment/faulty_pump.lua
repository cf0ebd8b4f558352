--- A drawn table: the sensors of a pump, a row each minute, as CSV. It has names with units, a column of texts, 2 % of
-- the cells are empty, and 1 % of the rows have a fault, which the last column names.
local moon = require "moonglass"

local names = {
  "power [kW]", "current [A]", "speed [1/min]", "flow [l/min]", "pressure [bar]", "inlet [C]", "outlet [C]",
}
local power, current, flow, pressure, inlet, outlet = 1, 2, 4, 5, 6, 7

-- All follow the load, the weather, and the mode of the pump. noise: nine numbers.
local function normal_row(i, noise)
  local load = 0.55 + 0.3 * math.sin(i / 6) + 0.05 * noise[8]
  local weather = 18 + 6 * math.sin(i / 700) + noise[9]
  local boost = i // 200 % 3 == 2 and 1.25 or 1
  local kilowatts = 2 + 18 * load * boost
  return {
    kilowatts + 0.2 * noise[1], 1.8 * kilowatts + 0.4 * noise[2], 900 + 1100 * load + 8 * noise[3],
    90 * load * boost + noise[4], 1.5 + 5 * load + 0.08 * noise[5], weather + 0.2 * noise[6],
    weather + 8 + 12 * load + 0.3 * noise[7],
  }, boost > 1 and "boost" or "eco"
end

-- Each changes a row, given the one with which the fault began. But for the last, every number by itself is ordinary.
local faults = {
  {"leak", function(row) row[pressure] = row[pressure] - 1.2 end},
  {"stuck flow", function(row, first) row[flow] = first[flow] end},
  {"slipping", function(row) row[power], row[current] = 0.75 * row[power], 0.75 * row[current] end},
  {"swapped temperatures", function(row) row[inlet], row[outlet] = row[outlet], row[inlet] end},
  {"broken wire", function(row) row[outlet] = 850 end},
}

-- The fault of row i, and the row with which it began; nil if the row is normal. Each fault has a part of the n rows,
-- and is in its middle.
local function fault_at(i, n)
  local part, length = n // #faults, math.max(1, n // 100 // #faults)
  local k = (i - 1) // part
  local first = k * part + part // 2
  if i < first or i >= first + length then return nil end
  return faults[k + 1], first
end

-- A line of the file. rest: for each cell a number from 0 to 1, which decides whether it is empty.
local function line_of(i, row, mode, fault, rest)
  local cells = {("%02d:%02d"):format(i // 60 % 24, i % 60)}
  for k, v in ipairs(row) do cells[k + 1] = rest[k] < 0.02 and "" or ("%.2f"):format(v) end
  table.move({mode, fault}, 1, 2, #cells + 1, cells)
  return table.concat(cells, ",")
end

--- The text of a file of n rows: time, sensors, mode, fault ("none" for the normal rows).
return function(n)
  local noise, rest = moon.randn(n, #names + 2):totable(), moon.rand(n, #names):totable()
  local lines, rows = {("time,%s,mode,fault"):format(table.concat(names, ","))}, {}
  for i = 1, n do
    local row, mode = normal_row(i, noise[i])
    local fault, first = fault_at(i, n)
    rows[i] = row
    if fault then fault[2](row, rows[first]) end
    lines[i + 1] = line_of(i, rows[i], mode, fault and fault[1] or "none", rest[i])
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Measurements: for each (test, engine, sizes, batch, threads) all samples, of which the best counts.
--   results:add{test = "epoch", engine = "jax", sizes = "784-128-784", batch = 32, threads = 2, unit = "s", value = 1}
local results = {}

local Results = {}
Results.__index = Results

local higher_is_better = {["rows/s"] = true}
local columns = {"test", "engine", "version", "sizes", "batch", "threads", "unit", "best", "median", "samples", "ratio"}

function results.new()
  return setmetatable({entries = {}, by_key = {}, versions = {}, machine = {}}, Results)
end

local function key_of(e)
  return table.concat({e.test, e.engine, e.sizes or "", tostring(e.batch or ""), tostring(e.threads or "")}, "|")
end

function Results:add(sample)
  local key = key_of(sample)
  local entry = self.by_key[key]
  if not entry then
    entry = {test = sample.test, engine = sample.engine, sizes = sample.sizes, batch = sample.batch,
             threads = sample.threads, unit = sample.unit, samples = {}}
    self.by_key[key] = entry
    self.entries[#self.entries + 1] = entry
  end
  table.insert(entry.samples, sample.value)
end

local function best_of(entry)
  return (higher_is_better[entry.unit] and math.max or math.min)(table.unpack(entry.samples))
end

local function median_of(entry)
  local sorted = table.move(entry.samples, 1, #entry.samples, 1, {})
  table.sort(sorted)
  return sorted[#sorted // 2 + 1]
end

--- The best sample, or nil if there is none. what: test, engine; sizes, batch, threads if the test has them.
function Results:best(what)
  local entry = self.by_key[key_of(what)]
  return entry and best_of(entry)
end

--- The median of the samples, or nil: for a ratio, which can be disturbed both ways.
function Results:median(what)
  local entry = self.by_key[key_of(what)]
  return entry and median_of(entry)
end

--- The engines in the order in which they came, without this one and its floor.
function Results:peers()
  local list, seen = {}, {moonglass = true, floor = true}
  for _, entry in ipairs(self.entries) do
    if not seen[entry.engine] then
      seen[entry.engine] = true
      list[#list + 1] = entry.engine
    end
  end
  return list
end

--- The best figure of any peer, and whose it is; nil without peers.
function Results:fastest_peer(what)
  local best, name
  for _, engine in ipairs(self:peers()) do
    local v = self:best{test = what.test, engine = engine, sizes = what.sizes, batch = what.batch,
                        threads = what.threads}
    if v and (not best or v < best) then best, name = v, engine end
  end
  return best, name
end

--- An engine's figure over this engine's: above 1, this engine is the faster (or smaller) one. For engine "floor" it
-- is the floor as a part of the epoch.
function Results:ratio(what)
  local theirs = self:best(what)
  local ours = self:best{test = what.test, engine = "moonglass", sizes = what.sizes, batch = what.batch,
                         threads = what.threads}
  return theirs and ours and theirs / ours
end

--- Distinct values of a field ("batch", "threads") among a test's entries, in order.
function Results:values(test, field, sizes)
  local list, seen = {}, {}
  for _, e in ipairs(self.entries) do
    local v = e[field]
    if e.test == test and (not sizes or e.sizes == sizes) and v and not seen[v] then
      seen[v] = true
      list[#list + 1] = v
    end
  end
  table.sort(list)
  return list
end

local function csv_field(v)
  local text = v == nil and "" or math.type(v) == "float" and ("%.6g"):format(v) or tostring(v)
  return text:find('[",\n]') and '"' .. text:gsub('"', '""') .. '"' or text
end

function Results:csv()
  local lines = {table.concat(columns, ",")}
  for _, e in ipairs(self.entries) do
    local row = {test = e.test, engine = e.engine, version = self.versions[e.engine], sizes = e.sizes, batch = e.batch,
                 threads = e.threads, unit = e.unit, best = best_of(e), median = median_of(e), samples = #e.samples,
                 ratio = self:ratio(e)}
    local fields = {}
    for i, column in ipairs(columns) do fields[i] = csv_field(row[column]) end
    lines[#lines + 1] = table.concat(fields, ",")
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Results from the text of a results.csv: its best figures.
function results.read(text)
  local list, names = results.new(), nil
  for line in text:gmatch("[^\n]+") do
    local sample, i = {}, 0
    for field in (line .. ","):gmatch("([^,]*),") do
      i = i + 1
      sample[names and names[i] or i] = field ~= "" and field or nil
    end
    if names then
      sample.batch, sample.threads = tonumber(sample.batch), tonumber(sample.threads)
      sample.value = tonumber(sample.best)
      list:add(sample)
      list.versions[sample.engine] = sample.version
    else
      names = sample
    end
  end
  return list
end

return results

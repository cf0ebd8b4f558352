-- moon.detector.fit at its defaults on CSV files of labelled rows, beside PCA: make bench-detector DETECTOR=folder
-- The last column of a file is the label, 1 for an anomaly. For each seed the detector learns a random half of the
-- normal rows, and is tested on the other half and on all anomalies. PCA has as many components as 90 % of the variance
-- need, on scaled rows. False alarms are the share of the normal test rows at the nominal 1 %.
local moon = require "moonglass"
local argparse = require "argparse"
local lfs = require "lfs"

local parser = argparse("detector", "Measure moon.detector.fit on a folder of CSV files, last column label.")
parser:argument("folder", "of *.csv, or one file"):default("../shared/data/tabular")
parser:option("--seeds", "1 to this"):convert(math.tointeger):default(3)
parser:option("--ensemble", "nets in a detector"):convert(math.tointeger):default(1)
parser:option("--score", "mean, max or scaled"):default("mean")
local o = parser:parse()

local function files_of(path)
  if lfs.attributes(path, "mode") ~= "directory" then return {path} end
  local list = {}
  for name in lfs.dir(path) do
    if name:find("%.csv$") then list[#list + 1] = path .. "/" .. name end
  end
  table.sort(list)
  return list
end

-- x, and the numbers of the normal rows and of the anomalies; nil and why not.
local function read(path)
  local first, names = moon.data.csv(path, {rows = {1, 1}})
  if not first then return nil, names end
  local x, info = moon.data.csv(path, {label = #names.columns})
  if not x then return nil, info end
  local normal, strange = {}, {}
  for i, label in ipairs(info.labels:totable()) do
    local list = label == 0 and normal or label == 1 and strange
    if not list then return nil, ("%s: the label of row %d is %g, expected 0 or 1"):format(path, i, label) end
    list[#list + 1] = i
  end
  if #normal < 20 or #strange == 0 then return nil, path .. ": too few normal rows or anomalies" end
  return x, normal, strange
end

local function auc(normal, strange)
  return moon.metrics.auc(moon.cat({normal, strange}, 1), moon.cat({moon.zeros(#normal), moon.ones(#strange)}, 1))
end

-- f: errors of rows by PCA.
local function principal(train)
  local scaler = moon.scaler(train)
  local function scaled(x) return scaler:apply(x):fill_nan(0) end
  local z = scaled(train)
  local sum, k = 0, 0
  for _, ratio in ipairs(moon.pca(z, z:size(2)).explained_ratio:totable()) do
    if sum < 0.9 then sum, k = sum + ratio, k + 1 end
  end
  local pca = moon.pca(z, math.max(1, math.min(k, z:size(2) - 1)))
  return function(x) return pca:errors(scaled(x)) end
end

-- AUC of the detector, AUC of PCA, rate of false alarms, seconds of the fit.
local function measure(x, normal, strange, seed)
  moon.seed(1000 + seed)
  local order = moon.tensor(normal):index(moon.randperm(#normal))
  local train, rest = x:index(order:rows(1, #normal // 2)), x:index(order:rows(#normal // 2 + 1, #normal))
  local odd, since = x:index(strange), os.clock()
  local d = moon.detector.fit(train, {seed = seed, ensemble = o.ensemble, score = o.score})
  local seconds, errors = os.clock() - since, principal(train)
  return {auc(d:scores(rest), d:scores(odd)), auc(errors(rest), errors(odd)), d:alarms(rest):mean(), seconds}
end

moon.set_log(function() end) -- warnings of few rows
print(("%-24s %7s %4s  %6s  %6s  %s  %s"):format("set", "rows", "cols", "AUC", "PCA", "false alarms %", "CPU seconds"))
for _, path in ipairs(files_of(o.folder)) do
  local x, normal, strange = read(path)
  if not x then
    print("left out: " .. tostring(normal))
  else
    local mean = {0, 0, 0, 0}
    for seed = 1, o.seeds do
      for i, v in ipairs(measure(x, normal, strange, seed)) do mean[i] = mean[i] + v / o.seeds end
    end
    print(("%-24s %7d %4d  %.4f  %.4f  %14.2f  %11.2f"):format(path:match("([^/]+)%.csv$") or path, #x, x:size(2),
      mean[1], mean[2], 100 * mean[3], mean[4]))
  end
end

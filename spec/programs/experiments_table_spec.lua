-- scripts/anomaly_table.lua as a program: faults in a drawn table, and CSV files with and without labels.
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"

local runs = dofile("spec/support/script_runs.lua")(after_each, "--threads 1")

local function figures()
  local list = {}
  for line in io.lines(runs.folder .. "/figures.csv") do
    local name, v = line:match("^([^,]+),(.*)$")
    list[name] = tonumber(v)
  end
  return list
end

local function strangest()
  local list = {}
  for line in io.lines(runs.folder .. "/strangest.csv") do list[#list + 1] = line end
  return list
end

-- 200 rows in which b is 10 a, and a text; in row 150 it is not. With labels if `label`.
local function write_table(path, label)
  moon.seed(4)
  local a, lines = moon.randn(200):totable(), {"a,b,kind" .. (label and ",state" or "")}
  for i, v in ipairs(a) do
    local b = i == 150 and -25 or 10 * v + 0.1 * (i % 5)
    if i == 150 then v = 2.5 end
    lines[i + 1] = ("%g,%g,%s%s"):format(v, b, i % 2 == 0 and "x" or "y",
      label and (i == 150 and ",broken" or ",good") or "")
  end
  files.write(path, table.concat(lines, "\n") .. "\n")
  return path
end

describe("scripts/anomaly_table.lua", function()
  it("finds faults in a drawn table, names columns, and saves the detector", function()
    local output = runs.succeeds("anomaly_table", "--show 5")
    runs.has(output, "3000 rows of 8 columns")
    local f = figures()
    assert.is_true(f.AUC > 0.85, f.AUC)
    assert.is_true(f["false alarms"] < 0.03, f["false alarms"])
    assert.equal(6, #strangest())
    assert.matches("expected", strangest()[2], 1, true)
    local d = assert(moon.load(runs.folder .. "/detector.safetensors"))
    assert.equal("power", d.columns[1])
    assert.near(f.threshold, d.threshold, 1e-8)
    runs.has(files.read(runs.folder .. "/anomaly_table.html"), "guilty columns")
  end)

  it("reads a CSV file without labels, and finds the row that is wrong", function()
    local path = write_table(runs.folder .. ".csv")
    runs.succeeds("anomaly_table", "--file " .. path .. " --categorical kind --show 1")
    os.remove(path)
    assert.matches("^150,", strangest()[2])
    assert.is_nil(figures().AUC)
  end)

  it("takes texts as labels, and says which there are", function()
    local path = write_table(runs.folder .. ".csv", true)
    runs.succeeds("anomaly_table", "--file " .. path .. " --categorical kind --label state --normal good --show 1")
    assert.matches("^150,.*strange", strangest()[2])
    runs.fails("anomaly_table", "--file " .. path .. " --categorical kind --label state --normal fine", 1,
      "no row has this label (known: good, broken)")
    os.remove(path)
    runs.fails("anomaly_table", "--label state", 2, "are for --file")
  end)
end)

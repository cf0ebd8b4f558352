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

local function lines_of(name)
  local list = {}
  for line in io.lines(runs.folder .. "/" .. name) do list[#list + 1] = line end
  return list
end

-- 200 rows in which b is 10 a, and a text; in row 150 it is not. With labels if `label`. b of row i is far[i], if that
-- is given.
local function write_table(path, label, far)
  moon.seed(4)
  local a, lines = moon.randn(200):totable(), {"a,b,kind" .. (label and ",state" or "")}
  for i, v in ipairs(a) do
    local b = i == 150 and -25 or 10 * v + 0.1 * (i % 5)
    if i == 150 then v = 2.5 end
    b = far and far[i] or b
    lines[i + 1] = ("%g,%g,%s%s"):format(v, b, i % 2 == 0 and "x" or "y",
      label and (i == 150 and ",broken" or ",good") or "")
  end
  files.write(path, table.concat(lines, "\n") .. "\n")
  return path
end

describe("scripts/anomaly_table.lua", function()
  it("finds faults in a drawn table, names columns, and saves the detector", function()
    local output = runs.succeeds("anomaly_table", "--show 5")
    runs.has(output, "3200 rows of 9 columns")
    local f, guilty = figures(), {}
    assert.is_true(f.AUC > 0.93, f.AUC)
    assert.is_true(f["false alarms"] < 0.03, f["false alarms"])
    for _, line in ipairs(lines_of("labels.csv")) do
      local label, name = line:match("^([^,]+),.*,([^,]*)$")
      guilty[label] = name
    end
    assert.matches("^pressure %[bar%] %(%d%)$", guilty.leak)
    assert.matches("^outlet %[C%] %(%d%)$", guilty["broken wire"])
    assert.matches("broken wire,outlet [C],850,", lines_of("strangest.csv")[2], 1, true)
    assert.equal(1 + f["rows judged"], #lines_of("scores.csv"))
    local d = assert(moon.load(runs.folder .. "/detector.safetensors"))
    assert.equal("power [kW]", d.columns[1])
    assert.same({mode = {"eco", "boost"}}, d.categories)
    assert.near(f.threshold, d.threshold, 1e-8)
    local page = files.read(runs.folder .. "/anomaly_table.html")
    for _, part in ipairs{"What is caught", "Guilty columns", "swapped temperatures", "moonglass-anomaly score"} do
      runs.has(page, part)
    end
    for _, name in ipairs{"roc", "scores", "columns"} do
      local t = assert(moon.png.read(("%s/%s.png"):format(runs.folder, name)))
      assert.is_true(t:max() - t:min() > 200)
    end
  end)

  it("reads a CSV file without labels, and finds the row that is wrong", function()
    local path = write_table(runs.folder .. ".csv")
    runs.succeeds("anomaly_table", path .. " --steps 1000 --categorical kind --show 1")
    os.remove(path)
    assert.matches("^150,", lines_of("strangest.csv")[2])
    assert.is_nil(figures().AUC)
  end)

  it("finds it beside numbers that are far away, which are not learnt", function()
    local path, far = write_table(runs.folder .. ".csv", nil, {[20] = 99999, [60] = 99999, [101] = 99999}), {}
    runs.succeeds("anomaly_table", path .. " --steps 1000 --categorical kind --show 4")
    os.remove(path)
    for _, line in ipairs(lines_of("strangest.csv")) do
      local row = line:match("^(%d+),.*,b,99999,.*far outside$")
      if row then far[#far + 1] = tonumber(row) end
    end
    table.sort(far)
    assert.same({20, 60, 101}, far)
    local row = lines_of("scores.csv")[151]
    assert.matches("^150,.*,1$", row)
    assert.is_true(moon.load(runs.folder .. "/detector.safetensors").high[2] < 100)
  end)

  it("takes texts as labels, and says which there are", function()
    local path = write_table(runs.folder .. ".csv", true)
    runs.succeeds("anomaly_table", "--file " .. path .. " --steps 1000 --categorical kind --label state --show 1")
    assert.matches("^150,.*broken", lines_of("strangest.csv")[2])
    runs.fails("anomaly_table", "--file " .. path .. " --steps 1000 --categorical kind --label state --normal fine", 1,
      "no row has the label 'fine', expected --normal with one of good, broken")
    os.remove(path)
  end)

  it("says what is wrong", function()
    runs.rejects("anomaly_table", "--label state", "are for a file")
    runs.rejects("anomaly_table", "rows.csv --columns a --ignore b", "expected one of them")
    runs.rejects("anomaly_table", "rows.csv --normal 0", "--normal is for --label")
    runs.rejects("anomaly_table", "rows.csv --file other.csv", "--file is given")
    runs.fails("anomaly_table", "/nowhere/rows.csv", 1, "/nowhere/rows.csv")
    local path = runs.folder .. ".csv"
    files.write(path, "a,b,l\n1,2,0\n2,3,\n")
    runs.fails("anomaly_table", path .. " --label l", 1, path .. ": row 2 has no label")
    runs.fails("anomaly_table", path, 1, path .. ": 2 rows are normal, expected at least 20")
    os.remove(path)
  end)
end)

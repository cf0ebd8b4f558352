-- scripts/series.lua as a program: faults in a drawn series, and a CSV file of a sensor.
local lfs = require "lfs"
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"

local runs = dofile("spec/support/script_runs.lua")(after_each, "--threads 1")

-- The largest score of the windows that end at numbers first to last.
local function peak(scores, first, last)
  local most = 0
  for i = 2, #scores do
    local at, score = scores[i][1], scores[i][3]
    if at >= first and at <= last then most = math.max(most, score) end
  end
  return most
end

-- A CSV file of n numbers: days of 40 numbers, and a jump from `from` to `to`, if these are given.
local function write_sensor(path, n, from, to)
  moon.seed(9)
  local noise, lines = moon.randn(n):totable(), {"timestamp,value"}
  for i = 1, n do
    local v = 20 + 5 * math.sin(i * 2 * math.pi / 40) + 0.2 * noise[i] + (from and i >= from and i <= to and 8 or 0)
    lines[i + 1] = ("2026-01-01 00:%02d:%02d,%.4f"):format(i // 60 % 60, i % 60, v)
  end
  files.write(path, table.concat(lines, "\n") .. "\n")
end

describe("scripts/series.lua", function()
  it("finds the faults of a drawn series, and draws them", function()
    local output = runs.succeeds("series", "--window 60")
    local figures, scores = runs.figures(), runs.csv("scores.csv")
    assert.is_true(figures["faults found"] >= 4, output)
    assert.is_true(figures["false events"] <= 5, output)
    assert.equal(9000 - 60 + 2, #scores)
    for _, fault in ipairs(runs.csv("faults.csv")) do
      if fault[2] ~= "first" and fault[4] ~= "none" then
        assert.is_true(fault[4] >= fault[2] and fault[4] <= fault[3] + 60)
        assert.is_true(peak(scores, fault[2], fault[3] + 60) > figures.threshold)
      end
    end
    local detector = assert(moon.load(runs.folder .. "/detector.safetensors"))
    assert.near(figures.threshold, detector.threshold, 1e-8 * detector.threshold)
    local page = files.read(runs.folder .. "/series.html")
    runs.has(page, "A drawn series")
    runs.has(page, "twice as fast")
    for _, name in ipairs{"series", "strangest"} do
      local t = assert(moon.png.read(("%s/%s.png"):format(runs.folder, name)))
      assert.is_true(t:max() - t:min() > 200)
    end
  end)

  it("reads a column of a CSV file, and learns its first part or another file", function()
    local path, normal = os.tmpname(), os.tmpname()
    write_sensor(path, 1500, 1200, 1230)
    write_sensor(normal, 1000)
    for _, how in ipairs{"--train 0.6", "--column 2 --normal " .. normal} do
      runs.succeeds("series", ("%s --window 40 %s"):format(path, how))
      local events = runs.csv("events.csv")
      assert.is_true(#events >= 2)
      assert.is_true(events[2][2] >= 1200 and events[2][2] <= 1205) -- the strangest event comes first
      runs.has(files.read(runs.folder .. "/series.html"), path)
    end
    os.remove(path)
    os.remove(normal)
  end)

  it("says what is wrong", function()
    local path = os.tmpname()
    write_sensor(path, 50)
    runs.rejects("series", "--train 2", "--train: '2' is not a number from 0 to 1")
    runs.rejects("series", "--window 0", "--window: '0' is not a whole number of at least 1")
    runs.fails("series", "--file " .. path, 1, path .. ": 50 rows, expected at least two windows")
    runs.fails("series", "--file " .. path .. " --column valu", 1, "valu")
    os.remove(path)
    runs.fails("series", "--file " .. path, 1, path)
    assert.is_nil(lfs.attributes(path))
  end)
end)

-- moon.detector.fit and d:calibrate on drawn rows: anomalies are found, false alarms are near the nominal rate, the
-- calibration is told and kept in the file; missing cells, sources, constant columns, refusals.
local moon = require "moonglass"

local nan = 0 / 0

-- Rows of 6 columns that depend on 2 numbers; strange: each column by itself is as usual, together they are not.
local function draw(n, strange)
  local code = moon.randn(n, 2)
  local x = code:matmul(moon.tensor{{1, 2, 0, -1, 1, 3}, {0, 1, 2, 1, -2, 1}}):add_(moon.randn(n, 6):mul_(0.2))
  if strange then
    local columns = {}
    for c = 1, 6 do columns[c] = x:t():rows(c, c):t():index(moon.randperm(n)) end
    x = moon.cat(columns, 2)
  end
  return x:mul_(moon.tensor{1, 100, 0.01, 5, 1, 1}):add_(moon.tensor{0, 1e4, 3, 0, 0, -7})
end

local function quiet(f)
  local lines = {}
  moon.set_log(function(line) lines[#lines + 1] = line end)
  local ok, result = pcall(f)
  moon.set_log(nil)
  return ok, result, lines
end

local function fit(x, options)
  local o = {seed = 1, hidden = 64, steps = 1500}
  for name, v in pairs(options or {}) do o[name] = v end
  local ok, d, lines = quiet(function() return moon.detector.fit(x, o) end)
  if not ok then error(d, 0) end
  return d, lines
end

local function auc(d, normal, strange)
  local scores = moon.cat({d:scores(normal), d:scores(strange)}, 1)
  return moon.metrics.auc(scores, moon.cat({moon.zeros(#normal), moon.ones(#strange)}, 1))
end

describe("moon.detector.fit", function()
  it("finds rows that only together are strange, and few others", function()
    moon.seed(5)
    local x, normal, strange = draw(600), draw(2000), draw(200, true)
    local d, lines = fit(x)
    assert.is_true(auc(d, normal, strange) > 0.95)
    local rate = d:alarms(normal):mean()
    assert.is_true(rate > 0.002 and rate < 0.04, rate)
    assert.is_true(d:alarms(strange):mean() > 0.5)
    assert.equal(1, #lines)
    assert.matches("the quantile 0.99 needs 1000 rows, so that 10 are above it; there are 600", lines[1], 1, true)
  end)

  it("gives the same detector for the same seed", function()
    moon.seed(5)
    local x = draw(100)
    assert.equal(fit(x, {threads = 1}):bytes(), fit(x, {threads = 1}):bytes())
    assert.are_not.equal(fit(x):bytes(), fit(x, {seed = 2}):bytes())
  end)

  it("keeps columns, calibration and several nets in the file", function()
    moon.seed(5)
    local x = draw(200)
    local d = fit(x, {columns = {"a", "b", "c", "d", "e", "f"}, ensemble = 2, score = "scaled", quantile = 0.9})
    local again = assert(moon.load_bytes(d:bytes()))
    assert.same(d:calibration(), again:calibration())
    assert.same({"a", "b", "c", "d", "e", "f"}, again.columns)
    assert.equal(2, #again.nets)
    assert.equal(200, d:calibration().rows)
    assert.is_true(math.abs(d:calibration().rate - 0.1) < 0.02)
    assert.is_true(d:scores(x):equal(again:scores(x)))
  end)

  it("learns from rows with missing cells and constant columns", function()
    moon.seed(5)
    local x, normal, strange = draw(600), draw(300), draw(300, true)
    for i = 1, 600, 3 do x[i][i % 6 + 1] = nan end
    local function widened(t) return moon.cat({t, moon.ones(#t, 1):mul_(8)}, 2) end
    local d = fit(widened(x))
    assert.is_true(auc(d, widened(normal), widened(strange)) > 0.9)
  end)

  it("does not alarm at the rows it was made from if nets rebuild them but for rounding", function()
    for seed = 1, 3 do
      local x = moon.ones(100, 4)
      local ok, d = quiet(function() return moon.detector.fit(x, {seed = seed, steps = 200}) end)
      assert.is_true(ok, d)
      assert.is_true(d:alarms(x):sum() <= 1)
      assert.equal(100, d:alarms(x + 1):sum())
    end
  end)

  it("has a threshold for other rows than those it has learnt, also if there are few and wide ones", function()
    moon.seed(5)
    local rate = 0
    for seed = 1, 4 do
      local d = fit(moon.randn(30, 200), {hidden = 32, seed = seed})
      rate = rate + d:alarms(moon.randn(1000, 200)):mean() / 4
    end
    assert.is_true(rate < 0.06, rate)
  end)

  it("takes windows over a series", function()
    local t = moon.arange(1, 1200):mul_(0.3)
    local series = (t:clone() / 1):totable()
    for i, v in ipairs(series) do series[i] = math.sin(v) end
    local x = moon.tensor(series)
    local d = fit(x:windows(12, 1))
    for i = 601, 612 do series[i] = -series[i] end
    local scores = d:scores(moon.tensor(series):windows(12, 1))
    local worst = scores:argmax()
    assert.is_true(worst > 585 and worst < 615, worst)
  end)

  it("reads rows that are too many for memory block by block, the last of them held out", function()
    moon.seed(5)
    local some, most = moon.randn(4096, 500), 0
    local x = moon.source{rows = 140000, width = 500, read = function(first, n)
      most = math.max(most, n)
      local from = first % (4097 - n) + 1
      return some:rows(from, from + n - 1)
    end}
    local d = fit(x, {hidden = 2, epochs = 1})
    assert.equal(14000, d:calibration().rows)
    assert.is_true(most <= 4096)
    assert.is_true(d:calibration().rate > 0.005 and d:calibration().rate < 0.02)
  end)

  it("refuses what makes no detector", function()
    assert.error_matches(function() moon.detector.fit(moon.randn(5, 3)) end, "x has 5 rows, expected at least 10")
    assert.error_matches(function() moon.detector.fit(moon.randn(50, 3), {columns = {"a"}}) end,
      "columns has 1 names, expected one for each of the 3 columns")
    assert.error_matches(function() moon.detector.fit(moon.randn(50, 3), {epoch = 3}) end, "did you mean 'epochs'")
    assert.error_matches(function() moon.detector.fit("rows.csv") end, "x is 'rows.csv', expected a tensor")
  end)
end)

describe("detector:calibrate", function()
  local function detector() return moon.detector(moon.autoencoder.plain{input = 3, hidden = 8, output = "linear"}) end

  it("takes the quantile of the scores, and says what it has seen", function()
    moon.seed(2)
    local d, x = detector(), moon.randn(2000, 3)
    local calibration = d:calibrate(x, {quantile = 0.95})
    assert.equal(2000, calibration.rows)
    assert.equal(0.05, calibration.rate)
    -- Wilson's interval of 100 in 2000, from its formula
    assert.is_true(math.abs(calibration.interval[1] - 0.04128) < 1e-4)
    assert.is_true(math.abs(calibration.interval[2] - 0.06045) < 1e-4)
    assert.equal(100, d:alarms(x):sum())
    d.threshold = 3
    assert.is_nil(d:calibration())
  end)

  it("warns of few rows, and leaves rows of nothing but NaN out", function()
    moon.seed(2)
    local d, x = detector(), moon.randn(50, 3)
    local _, _, lines = quiet(function() d:calibrate(x) end)
    assert.matches("calibrate: the threshold is rough", lines[1], 1, true)
    local limit = d.threshold
    quiet(function() d:calibrate(moon.cat({x, moon.ones(2, 3):mul_(nan)}, 1)) end)
    assert.equal(limit, d.threshold)
    local ok, message = quiet(function() d:calibrate(moon.ones(20, 3):mul_(nan)) end)
    assert.is_false(ok)
    assert.matches("nothing but NaN", message, 1, true)
    assert.equal(limit, d.threshold)
  end)

  it("refuses other widths", function()
    local d = detector()
    assert.error_matches(function() d:calibrate(moon.randn(20, 4)) end, "held_out has rows of 4, expected 3 columns")
    assert.error_matches(function() d.calibrate(moon.randn(20, 3)) end, "with a colon")
  end)
end)

describe("a calibration that fails", function()
  local function state(d)
    local c = d:calibration()
    return {d.threshold, d.spread[1], d.spread[6], c.rate, c.rows, d.quantile}
  end

  it("leaves the detector as it was", function()
    moon.seed(8)
    local x = draw(1000)
    local d = moon.detector(moon.autoencoder.plain{input = 6, hidden = 2}, {scaler = moon.scaler(x), score = "scaled"})
    quiet(function() d:calibrate(x, {quantile = 0.98}) end)
    local before, other = state(d), x * 1.5
    for fail_at = 1, 4 do
      local calls = 0
      local source = moon.source{rows = 1000, width = 6, block = 1000, read = function(first, n)
        calls = calls + 1
        if calls == fail_at then error("the disk is gone") end
        return other:rows(first, first + n - 1)
      end}
      local ok, message = quiet(function() d:calibrate(source) end)
      assert.is_true(ok or message:find("the disk is gone", 1, true) ~= nil, message)
      if ok then assert.is_true(fail_at > 3) else assert.same(before, state(d)) end
    end
  end)

  it("says that scores are infinite", function()
    local x = draw(200)
    local far = moon.cat({x, x:rows(1, 100) * 1e38}, 1)
    for score, message in pairs{
      mean = "calibrate: more than 1 %% of the rows have infinite scores, expected rows like those of the training",
      scaled = 'calibrate: rows have infinite errors, which the score "scaled" cannot be fitted to: expected rows like',
    } do
      local d = moon.detector(moon.autoencoder.plain{input = 6, hidden = 2}, {scaler = moon.scaler(x), score = score})
      d.threshold = 5
      assert.error_matches(function() d:calibrate(far) end, message)
      assert.equal(5, d.threshold)
      assert.is_nil(d.spread)
    end
  end)
end)

describe("detector:update", function()
  -- 40 blocks of 250 normal rows whose means wander by 1.5 deviations; 5 planted faults in each.
  local function drift(follow)
    moon.seed(5)
    local d = fit(draw(1200), {threads = 1})
    local shift = moon.tensor{1.5, 200, 0.02, 7, -1.5, 4}
    local false_alarms, caught = 0, 0
    for i = 1, 40 do
      local x = moon.cat({draw(250):add_(shift * (i / 40)), draw(5, true):add_(moon.tensor{0, 900, 0, 0, 0, 0})}, 1)
      local alarms = follow and d:update(x) or d:alarms(x)
      if i > 20 then
        false_alarms = false_alarms + alarms:rows(1, 250):sum() / 5000
        caught = caught + alarms:rows(251, 255):sum() / 100
      end
    end
    return false_alarms, caught
  end

  it("keeps false alarms near the nominal rate while the rows drift, and faults stay alarms", function()
    local left = drift(false)
    local followed, caught = drift(true)
    assert.is_true(left > 0.04, left)
    assert.is_true(followed < 0.02 and followed < left / 2, followed)
    assert.is_true(caught > 0.9, caught)
  end)

  it("does not learn from faults, and keeps the calibration", function()
    moon.seed(5)
    local d = fit(draw(300))
    local t, weight, calibration = d.threshold, d.net:layer(2).weight:clone(), d:calibration()
    local far = draw(100):mul_(1000)
    assert.equal(100, d:update(far):sum())
    assert.equal(t, d.threshold)
    assert.is_true(d.net:layer(2).weight:equal(weight))
    d:update(draw(150)) -- 1.5 of them should be above the threshold, so that it moves
    assert.is_false(d.net:layer(2).weight:equal(weight))
    assert.are_not.equal(t, d.threshold)
    assert.same(calibration, d:calibration())
  end)

  it("takes missing cells, and refuses a detector without a threshold", function()
    moon.seed(5)
    local d, x = fit(draw(300)), draw(64)
    x[3][2], x[9][1] = nan, nan
    d:update(x)
    assert.is_true(d:scores(x):isnan():sum() == 0)
    assert.is_true(d.threshold > 0 and d.threshold < math.huge)
    d.threshold = nil
    assert.error_matches(function() d:update(x) end, "no threshold: d:calibrate(held_out) sets it", 1, true)
  end)
end)

-- moon.detector: scores compared with the net's own errors on scaled rows, explanations, ranges, missing cells,
-- sources, and the file that moon.load gives back.
local core = require "moonglass.core"
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"

local nan, inf = 0 / 0, math.huge

local function rows(n)
  moon.seed(3)
  return moon.randn(n, 4):mul_(moon.tensor{1, 20, 0.1, 5}):add_(moon.tensor{0, 300, -1, 1000})
end

local function autoencoder(code)
  return moon.autoencoder.deep{input = 4, hidden = {8}, code = code or 2, output = "linear", activation = "tanh"}
end

local function detector(options)
  local o = {columns = {"a", "b", "c", "d"}, scaler = moon.scaler(rows(300))}
  for name, v in pairs(options or {}) do o[name] = v end
  return moon.detector(autoencoder(), o), o.scaler
end

describe("moon.detector", function()
  it("scores raw rows by the errors of the net on scaled ones", function()
    local d, scaler = detector()
    local x = rows(50)
    local expected = d.net:errors(scaler:apply(x))
    assert.is_true(d:scores(x):allclose(expected, 1e-5))
    assert.is_true(d:features(x):mean(2):allclose(expected, 1e-5))
    local largest = detector{score = "max"}
    assert.is_true(largest:scores(x):allclose(largest:features(x):max(2)))
  end)

  it("divides by the spread of each column if the score is scaled", function()
    local d = detector{score = "scaled"}
    local plain = moon.detector(d.net, {scaler = d.scaler})
    local x = rows(20)
    core.detector_spread(d, {1, 2, 4, 0.5})
    local expected = plain:features(x) / moon.tensor{1, 2, 4, 0.5}
    assert.is_true(d:features(x):allclose(expected))
    assert.is_true(d:scores(x):allclose(expected:mean(2), 1e-5))
    assert.same({1, 2, 4, 0.5}, d.spread)
  end)

  it("takes the mean of several nets", function()
    local a, b = autoencoder(2), autoencoder(3)
    local x = rows(30)
    local options = {scaler = moon.scaler(x)}
    local both = moon.detector({a, b}, options):scores(x)
    local mean = (moon.detector(a, options):scores(x) + moon.detector(b, options):scores(x)) / 2
    assert.is_true(both:allclose(mean, 1e-5))
  end)

  it("reads sources block by block, with the same bits", function()
    local d = detector()
    local x = rows(9000)
    local function read(first, n) return x:rows(first, first + n - 1) end
    local source = moon.source{rows = 9000, width = 4, read = read}
    d.threshold = 1
    for _, name in ipairs{"scores", "features", "outside", "alarms"} do
      assert.is_true(d[name](d, source):equal(d[name](d, x)), name)
    end
    assert.is_true(d:scores(x):rows(8000, 8001):equal(d:scores(x:rows(8000, 8001))))
  end)

  it("raises alarms above the threshold, and for what is far outside", function()
    local d = detector()
    local x = rows(6)
    assert.is_nil(d.threshold)
    d.threshold = 1e6
    assert.equal(0, d:alarms(x):sum())
    x:set(300 + 20 * 40, 2, 2)
    x:set(inf, 3, 1)
    x:set(nan, 4, 4)
    for j = 1, 4 do x:set(nan, 5, j) end
    assert.same({0, 1, 1, 0, 0, 0}, d:outside(x):totable())
    assert.same({0, 1, 1, 0, 1, 0}, d:alarms(x):totable())
    assert.equal(inf, d:scores(x):get(3))
    local score = d:scores(x):get(5)
    assert.is_true(score ~= score)
    d.threshold = nil
    assert.is_nil(d.threshold)
  end)

  it("skips, fills or refuses missing cells", function()
    local x = rows(3)
    x:set(nan, 2, 3)
    local skip, scaler = detector()
    local offset = x:clone()
    offset:set(scaler.offset[3], 2, 3)
    local fill = moon.detector(skip.net, {scaler = scaler, missing = "fill"})
    assert.is_true(fill:scores(x):allclose(fill:scores(offset), 1e-4))
    assert.equal(0, skip:features(x):get(2, 3))
    local e = skip:features(x)
    assert.near((e:get(2, 1) + e:get(2, 2) + e:get(2, 4)) / 3, skip:scores(x):get(2), 1e-4)
    local refuse = moon.detector(skip.net, {columns = skip.columns, missing = "refuse"})
    assert.error_matches(function() refuse:scores(x) end, "row 2: column 'c' is missing")
  end)
end)

describe("Detector:explain", function()
  it("lists the columns by their shares, in their own units", function()
    local d, scaler = detector()
    local x = rows(1)
    x:set(-1 + 0.1 * 3.5, 1, 3)
    local list = d:explain(x)
    local z, e = d.net:predict(scaler:apply(x)), d:features(x)
    assert.equal(4, #list)
    local sum = 0
    for i, r in ipairs(list) do
      assert.equal(({"a", "b", "c", "d"})[r.index], r.name)
      assert.near(x:get(1, r.index), r.value, 1e-6)
      assert.near(z:get(1, r.index) * scaler.scale[r.index] + scaler.offset[r.index], r.expected, 1e-3)
      assert.near(e:get(1, r.index) / e:sum(), r.share, 1e-6)
      assert.is_true(i == 1 or r.share <= list[i - 1].share)
      assert.is_false(r.outside)
      sum = sum + r.share
    end
    assert.near(1, sum, 1e-9)
    assert.same(list[1], d:explain(x, 1)[1])
    assert.equal(1, #d:explain({0, 300, -1, 1000}, 1))
  end)

  it("puts what is far outside first", function()
    local d = detector()
    local list = d:explain({0, 300, -1, 1e9})
    assert.equal("d", list[1].name)
    assert.is_true(list[1].outside)
    assert.is_true(d:explain({0, inf, -1, 1e9})[1].share == 1)
  end)
end)

describe("a detector's file", function()
  local folder, remove = files.folder()
  local path = folder .. "/d.safetensors"
  teardown(remove)

  it("comes back as it was, from moon.load and moon.load_bytes", function()
    local categories = {color = {"red", "blue"}, b = {"x"}}
    local d = detector{score = "scaled", missing = "fill", margin = 2, categories = categories}
    local x = rows(40)
    core.detector_spread(d, {1, 2, 3, 4})
    d.threshold = 0.1 + 0.2
    core.detector_calibration(d, 0.99, 1234, 12)
    core.detector_text(d, "note", "ours")
    assert(d:save(path))
    for _, e in ipairs{assert(moon.load(path)), assert(moon.load_bytes(d:bytes()))} do
      assert.equal(d:bytes(), e:bytes())
      for name in ("threshold columns categories width scaler score missing spread low high margin quantile rows")
        :gmatch("%w+") do
        assert.same(d[name], e[name], name)
      end
      assert.equal("ours", core.detector_text(e, "note"))
      assert.is_true(e:scores(x):equal(d:scores(x)))
      assert.is_true(e.net:encode(x):equal(d.net:encode(x)))
    end
  end)

  it("is a net's file to others, and holds several nets under numbers", function()
    local d = detector()
    assert(d:save(path))
    local tensors, metadata = moon.safetensors.load(path)
    local net, texts = d.net:archive()
    for name, t in pairs(net) do assert.is_true(tensors[name]:equal(t)) end
    assert.equal(texts.moonglass, metadata.moonglass)
    assert.matches('^{"version":1,"nets":1,"score":"mean"', metadata["moonglass.detector"])
    local two = moon.detector{autoencoder(2), autoencoder(3)}
    assert(two:save(path))
    tensors = moon.safetensors.load(path)
    assert.same({2, 8}, tensors["0.2.weight"].shape)
    assert.same({3, 8}, tensors["1.2.weight"].shape)
    local again = assert(moon.load(path))
    assert.equal(2, #again.nets)
    assert.equal(two:bytes(), again:bytes())
    assert.is_not_nil(again.nets[2].encoder)
  end)

  it("is an error of the file if its text does not fit", function()
    local tensors, metadata = autoencoder():archive()
    for text, said in pairs{
      ['{"version":2}'] = "version: 2, expected 1", ['{"version":1,"scale":[1,2]}'] = "scale: expected 4 elements",
      ['{"version":1,"offset":[1,2,3,1e999]}'] = "too large", ["x"] = "is not valid JSON",
    } do
      metadata["moonglass.detector"] = text
      assert(moon.safetensors.save(path, tensors, metadata))
      local d, message, code = moon.load(path)
      assert.is_nil(d)
      assert.matches(said, message, 1, true)
      assert.matches(path, message, 1, true)
      assert.equal("format", code)
    end
  end)
end)

describe("a detector", function()
  it("tells what it is", function()
    local d = detector()
    assert.equal("detector of 4 columns, 1 net, score mean, no threshold", tostring(d))
    d.threshold = 0.5
    assert.equal("detector of 4 columns, 1 net, score mean, threshold 0.5", tostring(d))
    assert.same({"1", "2", "3", "4"}, moon.detector(d.net).columns)
    assert.is_nil(moon.detector(d.net).scaler)
    assert.equal(d.net, d.nets[1])
    assert.equal(tostring(moon.detector(d.net)), tostring(moon.detector.build(d.net)))
  end)

  it("refuses lists with holes, and a margin that would be the default", function()
    local function refused(options, message)
      assert.error_matches(function() detector(options) end, message)
    end
    refused({columns = {"a", nil, "c", "d"}}, "columns%[2%] is nil, expected a text")
    refused({categories = {k = {"u", nil, "v"}}}, "categories.k%[2%] is nil, expected a text")
    refused({margin = 0}, "margin is 0, expected a number above 0")
  end)

  it("sees further training of its nets", function()
    local d, scaler = detector()
    local x = rows(300)
    local before = d:scores(x):mean()
    d.net:fit(scaler:apply(x), {loss = "mse", epochs = 20, verbose = 0, seed = 1})
    assert.is_true(d:scores(x):mean() < before)
    assert.is_true(d:scores(x):allclose(d.net:errors(scaler:apply(x)), 1e-4))
  end)
end)

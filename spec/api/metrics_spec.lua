-- Metrics, topk, nearest neighbours and the linear probe, compared with plain loops and known numbers.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"

local message = expect.raised

local metrics = moon.metrics
local inf, nan = math.huge, 0 / 0

local function bytes(list) return moon.tensor(list, {dtype = "uint8"}) end

describe("topk", function()
  -- The positions of a list's elements in topk's order.
  local function in_order(list, largest)
    local places = {}
    for i = 1, #list do places[i] = i end
    table.sort(places, function(i, j)
      local a, b = list[i], list[j]
      if (a ~= a) ~= (b ~= b) then return (a ~= a) == largest end
      if a == b or a ~= a then return i < j end
      return (a > b) == largest
    end)
    return places
  end

  local function check_list(list, values, index, largest)
    local expected = in_order(list, largest)
    for j = 1, #values do
      local i, v = math.tointeger(index[j]), values[j]
      assert.equal(expected[j], i)
      assert.is_true(v == list[i] or (v ~= v and list[i] ~= list[i]))
    end
  end

  it("gives the largest in order, equal ones by position, NaN as the largest", function()
    local values, index = moon.tensor({2, 7, 7, 1, 5}):topk(3)
    assert.same({7, 7, 5}, values:totable())
    assert.same({2, 3, 5}, index:totable())
    values, index = moon.tensor({2, nan, -inf, 1}):topk(3, 1, false)
    assert.same({-inf, 1, 2}, values:totable())
    assert.same({3, 4, 1}, index:totable())
    math.randomseed(7)
    for _ = 1, 60 do
      local list = {}
      for i = 1, math.random(1, 120) do
        local r = math.random()
        list[i] = r < 0.05 and nan or r < 0.1 and inf or math.floor(r * 30)
      end
      local largest = math.random(2) == 1
      values, index = moon.tensor(list):topk(math.random(#list), 1, largest)
      check_list(list, values, index, largest)
    end
  end)

  it("sorts long rows", function()
    moon.seed(3)
    local t = moon.randn(5000) -- more than one block
    for _, t_ in ipairs{t, -t:topk(5000), t:topk(5000)} do
      local list = t_:totable()
      local values, index = t_:topk(5000, 1, false)
      check_list(list, values, index, false)
      values, index = t_:topk(17)
      check_list(list, values, index, true)
    end
  end)

  it("works along any dimension, and on bytes", function()
    moon.seed(4)
    local t = (moon.rand(3, 140, 19) * 255):byte()
    for dim = 1, 3 do
      local values, index = t:topk(2, dim)
      local shape = t.shape
      shape[dim] = 2
      assert.same(shape, values.shape)
      assert.same(shape, index.shape)
      local at = {3, 17, 5}
      for first = 1, shape[dim == 2 and 3 or 2] do
        at[dim == 2 and 3 or 2] = first
        local list, v, i = {}, {}, {}
        for k = 1, t:size(dim) do
          at[dim] = k
          list[k] = t:get(table.unpack(at))
          if k <= 2 then v[k], i[k] = values:get(table.unpack(at)), index:get(table.unpack(at)) end
        end
        check_list(list, v, i, true)
        at = {3, 17, 5}
      end
    end
    assert.same({1, 2, 3}, (moon.tensor{{1, 5}, {9, 2}, {3, 4}}:topk(1, 2, false):reshape(-1):totable()))
    assert.equal(0, moon.zeros(0, 3):topk(2, 2):numel())
  end)

  it("says what is wrong", function()
    local t = moon.zeros(2, 3)
    assert.matches("topk: k is 4, expected a whole number of 1 to 3", message(t.topk, t, 4))
    assert.matches("topk: k is nil, expected a whole number of 1 to 2", message(t.topk, t, nil, 1))
    assert.matches("topk: dim is 3, expected a whole number of 1 to 2", message(t.topk, t, 1, 3))
    local single = moon.tensor(1)
    assert.matches("topk: the tensor has rank 0, expected at least one dimension", message(single.topk, single, 1))
  end)
end)

describe("metrics.mse and psnr", function()
  it("are the mean squared difference, and its ratio to the peak", function()
    local a, b = moon.tensor{{0, 0.5}, {1, 0.25}}, moon.tensor{{0, 1}, {0, 0}}
    assert.near((0.25 + 1 + 0.0625) / 4, metrics.mse(a, b), 1e-12)
    assert.near(20, metrics.psnr(moon.full(0.1, 5), moon.zeros(5)), 1e-6)
    assert.near(10 * math.log(255 ^ 2 / 4, 10), metrics.psnr(moon.full(2, 5), moon.zeros(5), {peak = 255}), 1e-9)
    assert.equal(inf, metrics.psnr(a, a))
    assert.equal(9, metrics.mse(moon.tensor(3), moon.tensor(0)))
  end)

  it("count bytes as value/255", function()
    local a, b = bytes{0, 51, 255}, moon.tensor{1, 0.2, 0.5}
    assert.near((1 + 0.25) / 3, metrics.mse(a, b), 1e-7)
    assert.near((1 + 0.25) / 3, metrics.mse(b, a), 1e-7)
    assert.near(51 ^ 2 / 255 ^ 2 / 3, metrics.mse(a, bytes{0, 0, 255}), 1e-9)
  end)

  it("never hold all bytes as floats", function()
    local a = moon.full(7, 1000000, {dtype = "uint8"})
    local b = moon.full(9, 1000000, {dtype = "uint8"})
    collectgarbage()
    moon.limits{memory = moon.info().memory + 2000000} -- as floats each takes 4,000,000
    local ok, value = pcall(metrics.mse, a, b)
    moon.limits{memory = 0}
    assert.is_true(ok, value)
    assert.near(4 / 255 ^ 2, value, 1e-9)
  end)

  it("say what is wrong", function()
    assert.matches("metrics_spec%.lua:%d+: mse: a is %[2 x 3%] and b %[6%] uint8, expected the same shape",
      message(function() metrics.mse(moon.zeros(2, 3), bytes{1, 2, 3, 4, 5, 6}) end))
    assert.matches("mse: b is 7, expected a tensor", message(metrics.mse, moon.zeros(2), 7))
    assert.matches("psnr: a is %[0%], expected at least one", message(metrics.psnr, moon.zeros(0), moon.zeros(0)))
    assert.matches("psnr: peak is 0, expected a number above 0",
      message(metrics.psnr, moon.zeros(1), moon.zeros(1), {peak = 0}))
  end)
end)

describe("metrics.accuracy and confusion", function()
  local labels = bytes{0, 1, 2, 2, 1}
  local scores = moon.tensor{{0.9, 0.1, 0}, {0.2, 0.5, 0.3}, {0.1, 0.6, 0.3}, {0, 0, 1}, {0.5, 0.2, 0.3}}

  it("compare classes, given as scores or as numbers", function()
    assert.near(3 / 5, metrics.accuracy(scores, labels), 1e-7)
    assert.near(3 / 5, metrics.accuracy(bytes{0, 1, 1, 2, 0}, labels), 1e-7)
    assert.equal(1, metrics.accuracy(labels:float(), labels))
    assert.equal(0, metrics.accuracy(moon.tensor{{1, 0}}, moon.ones(1)))
  end)

  it("count pairs of true and predicted classes", function()
    local expected = {{1, 0, 0}, {1, 1, 0}, {0, 1, 1}}
    assert.same(expected, metrics.confusion(scores, labels):totable())
    assert.same(expected, metrics.confusion(bytes{0, 1, 1, 2, 0}, labels):totable())
    local wide = metrics.confusion(bytes{0, 1, 1, 2, 0}, labels, 4)
    assert.same({4, 4}, wide.shape)
    assert.equal(5, wide:sum())
    assert.equal(1, wide[3][2])
  end)

  it("are out of memory at once for a class number that makes the matrix too large", function()
    local far = moon.tensor{0, 1, 2 ^ 24 - 1}
    assert.equal(1, metrics.accuracy(far, far))
    assert.matches("out of memory: wanted %d+ bytes more", message(metrics.confusion, far, far))
  end)

  it("say what is wrong", function()
    assert.matches("accuracy: prediction is %[5 x 1%], expected scores %[n x classes%], or class numbers",
      message(metrics.accuracy, moon.zeros(5, 1), labels))
    assert.matches("accuracy: prediction is %[4%] and labels %[5%] uint8, expected the same shape",
      message(metrics.accuracy, moon.zeros(4, 3), labels))
    assert.matches("accuracy: labels is %[5 x 3%], expected %[rows%] or %[rows x 1%]",
      message(metrics.accuracy, scores, scores))
    assert.matches("confusion: label of row 3 is 2, expected a whole number of 0 to 1",
      message(metrics.confusion, moon.zeros(5), labels, 2))
    assert.matches("confusion: prediction of row 1 is 0%.5, expected a whole number of 0 to 2",
      message(metrics.confusion, moon.full(0.5, 5), labels, 3))
    assert.matches("confusion: classes is 1%.5, expected a whole number of at least 1",
      message(metrics.confusion, moon.zeros(5), moon.zeros(5), 1.5))
  end)
end)

describe("metrics.roc and auc", function()
  it("give a known curve", function()
    local curve = metrics.roc(moon.tensor{0.1, 0.4, 0.35, 0.8}, bytes{0, 0, 1, 1})
    assert.same({0, 0, 0.5, 0.5, 1}, curve.fpr:totable())
    assert.same({0, 0.5, 0.5, 1, 1}, curve.tpr:totable())
    assert.is_true(curve.thresholds:rows(2, 5):allclose(moon.tensor{0.8, 0.4, 0.35, 0.1}))
    assert.equal(inf, curve.thresholds[1])
    assert.equal(0.75, metrics.auc(moon.tensor{0.1, 0.4, 0.35, 0.8}, bytes{0, 0, 1, 1}))
  end)

  it("take columns, as a net with one output and a file give them", function()
    local scores, positive = moon.tensor{{0.1}, {0.4}, {0.35}, {0.8}}, bytes{0, 0, 1, 1}:reshape(4, 1)
    assert.equal(0.75, metrics.auc(scores, positive))
    assert.same({0, 0, 0.5, 0.5, 1}, metrics.roc(scores, positive).fpr:totable())
    assert.equal(0.5, metrics.accuracy(moon.tensor{0, 1, 1, 0}, positive))
    assert.same({{1, 1}, {1, 1}}, metrics.confusion(moon.tensor{0, 1, 1, 0}, positive):totable())
  end)

  it("treat equal scores as one step", function()
    local scores, positive = moon.tensor{1, 1, 1, 0, 2}, bytes{1, 0, 0, 0, 1}
    local curve = metrics.roc(scores, positive)
    assert.is_true(curve.fpr:allclose(moon.tensor{0, 0, 2 / 3, 1}))
    assert.same({0, 0.5, 1, 1}, curve.tpr:totable())
    assert.equal((3 + 1 + 0.5 * 2) / 6, metrics.auc(scores, positive))
    assert.equal(0.5, metrics.auc(moon.zeros(6), bytes{1, 0, 1, 0, 0, 0}))
  end)

  it("agree with a count of pairs and with the area", function()
    moon.seed(5)
    local scores, positive = moon.rand(150):mul_(20):floor_(), moon.rand(150):gt(0.7)
    local won, pairs_of = 0, 0
    for i = 1, 150 do
      for j = 1, 150 do
        if positive[i] == 1 and positive[j] == 0 then
          pairs_of = pairs_of + 1
          won = won + (scores[i] > scores[j] and 1 or scores[i] == scores[j] and 0.5 or 0)
        end
      end
    end
    local auc = metrics.auc(scores, positive)
    assert.near(won / pairs_of, auc, 1e-15)
    local curve, area = metrics.roc(scores, positive), 0
    for i = 2, #curve.fpr do
      area = area + (curve.fpr[i] - curve.fpr[i - 1]) * (curve.tpr[i] + curve.tpr[i - 1]) / 2
    end
    assert.near(auc, area, 1e-6)
    assert.near(1 - auc, metrics.auc(-scores, positive), 1e-15)
  end)

  it("say what is wrong", function()
    assert.matches("metrics_spec%.lua:%d+: auc: all 3 rows are negative, expected both kinds",
      message(function() metrics.auc(moon.rand(3), moon.zeros(3)) end))
    assert.matches("roc: all 3 rows are positive", message(metrics.roc, moon.rand(3), moon.ones(3)))
    assert.matches("auc: score has nan in row 2, expected numbers",
      message(metrics.auc, moon.tensor{1, nan}, moon.tensor{0, 1}))
    assert.matches("roc: scores is %[3%] and positive %[2%]", message(metrics.roc, moon.rand(3), moon.ones(2)))
  end)
end)

describe("metrics.quantile", function()
  it("equals numpy's", function()
    local values = moon.tensor{{3, 1, 4, 1}, {5, 9, 2, 6}}
    -- numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], [0, 0.1, 0.25, 0.5, 0.77, 1])
    local expected = {1, 1, 1.75, 3.5, 5.39, 9}
    local got = metrics.quantile(values, {0, 0.1, 0.25, 0.5, 0.77, 1})
    assert.equal(6, #got)
    for i, v in ipairs(expected) do assert.near(v, got[i], 1e-12) end
    assert.equal(3.5, metrics.quantile(values, 0.5))
    assert.equal(6.5, metrics.quantile(bytes{3, 10}, 0.5))
    assert.equal(4, metrics.quantile(moon.tensor{4}, 0.3))
    assert.equal(inf, metrics.quantile(moon.tensor{1, 2, inf}, 1))
    local of_nan = metrics.quantile(moon.tensor{1, nan, 3}, 0)
    assert.is_true(of_nan ~= of_nan)
  end)

  it("says what is wrong", function()
    assert.matches("quantile: q is 1%.5, expected a number of 0 to 1", message(metrics.quantile, moon.ones(2), 1.5))
    assert.matches("quantile: q is nan", message(metrics.quantile, moon.ones(2), {0.5, nan}))
    assert.matches("quantile: values is %[0%], expected at least one", message(metrics.quantile, moon.zeros(0), 0.5))
  end)
end)

describe("nearest neighbours", function()
  -- By plain loops: the numbers of the k nearest rows of x and their distances.
  local function plain(x, row, k)
    local list = {}
    for i, other in ipairs(x) do
      local sum = 0
      for j, v in ipairs(other) do sum = sum + (v - row[j]) ^ 2 end
      list[i] = {i, math.sqrt(sum)}
    end
    table.sort(list, function(a, b) return a[2] < b[2] end)
    return table.move(list, 1, k, 1, {})
  end

  local function check_against_loops(knn, x, test, tolerance)
    local index, distance = knn:neighbours(test)
    local rows = x:totable()
    for i, row in ipairs(test:totable()) do
      for j, expected in ipairs(plain(rows, row, knn.k)) do
        assert.equal(expected[1], math.tointeger(index[i][j]))
        assert.near(expected[2], distance[i][j], tolerance)
      end
    end
  end

  it("agree with plain loops", function()
    moon.seed(6)
    local x, test = moon.rand(120, 5), moon.rand(25, 5)
    check_against_loops(moon.knn(x, moon.zeros(120), {k = 4}), x, test, 1e-6)
    -- far from the origin, where the squares of rows are 1e6 times those of the distances
    check_against_loops(moon.knn(x + 300, moon.zeros(120), {k = 4}), x + 300, test + 300, 1e-6)
    -- two clouds far from their mean: only the direct formula of the distance gives the order
    local far = moon.tensor{{-2000, 0.1}, {2000, 0.3}, {2000, 0.2}, {2000, -0.4}, {-2000, 0.2}, {2000, 0.5}}
    local near = moon.tensor{{2000, 0}, {2000, 0.37}}
    check_against_loops(moon.knn(far, moon.zeros(6), {k = 4}), far, near, 1e-6)
    local b, t = (moon.rand(90, 8) * 255):byte(), (moon.rand(9, 8) * 255):byte()
    check_against_loops(moon.knn(b, moon.zeros(90), {k = 3}), b / 255, t / 255, 1e-6)
    check_against_loops(moon.knn(b, moon.zeros(90), {k = 90}), b / 255, t:float() / 255, 1e-6)
  end)

  it("come in batches", function()
    moon.seed(7)
    local n = 1 << 17 -- 32 rows at once
    local x, test = moon.rand(n, 2), moon.rand(70, 2)
    local index, distance = moon.knn(x, moon.zeros(n), {k = 2}):neighbours(test)
    for _, i in ipairs{1, 32, 33, 64, 65, 70} do
      local all = (x - test[i]):square():sum(2)
      local nearest = all:min()
      assert.near(math.sqrt(nearest), distance[i][1], 1e-7)
      assert.near(nearest, all[math.tointeger(index[i][1])], 1e-12)
      assert.is_true(distance[i][2] >= distance[i][1] and index[i][2] ~= index[i][1])
    end
  end)

  it("vote; of equal numbers of votes the nearer class wins", function()
    local x = moon.tensor{{0}, {1}, {3}, {7}, {8}, {9}}
    local labels = bytes{4, 2, 2, 9, 9, 9}
    local test = moon.tensor{{0}, {0.9}, {2.2}, {6.9}}
    local function predicted(k) return moon.knn(x, labels, {k = k}):predict(test):totable() end
    assert.same({4, 2, 2, 9}, predicted(1))
    assert.same({4, 2, 2, 9}, predicted(2)) -- 4 and 2 have one vote each at 0 and at 0.9
    assert.same({2, 2, 2, 9}, predicted(3))
    assert.same({9, 9, 9, 9}, predicted(6)) -- 3 of 6
    local knn = moon.knn(x, labels, {k = 3})
    assert.equal("uint8", knn:predict(test).dtype)
    assert.equal(0.75, knn:accuracy(test, bytes{4, 2, 2, 9}))
    assert.equal(1, moon.knn(x, labels, {k = 1}):accuracy(x, labels))
    assert.equal("knn (k 3, 6 rows of 1)", tostring(knn))
  end)

  it("say what is wrong", function()
    local x, labels = moon.rand(4, 3), bytes{0, 1, 0, 1}
    assert.matches("metrics_spec%.lua:%d+: knn: k is 5, expected at most the 4 rows of x",
      message(function() moon.knn(x, labels) end))
    assert.matches("knn: x is %[3%], expected %[rows x width%]", message(moon.knn, x[1], labels))
    assert.matches("knn: labels is %[3%], expected class numbers %[4%]", message(moon.knn, x, moon.zeros(3)))
    assert.matches("knn: unknown option 'n'", message(moon.knn, x, labels, {n = 1}))
    local knn = moon.knn(x, labels, {k = 1})
    assert.matches("predict: x is %[2 x 4%], expected %[rows x 3%]", message(knn.predict, knn, moon.zeros(2, 4)))
    assert.matches("neighbours: x is nil, expected a tensor", message(knn.neighbours, knn))
  end)
end)

describe("the linear probe", function()
  -- Three clouds; one feature is a thousand times another.
  local function clouds(n)
    local x, labels = moon.randn(n, 3), moon.zeros(n, {dtype = "uint8"})
    for i = 1, n do
      labels[i] = i % 3
      x[i][1] = x[i][1] + 6 * (i % 3)
      x[i][2] = 1000 * (x[i][2] + 6 * (i % 2 - i % 3))
      x[i][3] = 0.1
    end
    return x, labels
  end

  it("separates linearly separable classes", function()
    moon.seed(8)
    local x, labels = clouds(300)
    local test, truth = clouds(150)
    local opts = {seed = 1, epochs = 50, lr = 0.1}
    local probe = moon.probe(x, labels, opts)
    assert.is_true(probe:accuracy(x, labels) > 0.98)
    assert.is_true(probe:accuracy(test, truth) > 0.98)
    assert.equal("uint8", probe:predict(test).dtype)
    assert.equal(50, #probe.history.loss)
    local scores = probe:scores(test)
    assert.same({150, 3}, scores.shape)
    assert.is_true(scores:sum(2):allclose(moon.ones(150), 1e-5))
    assert.equal(probe:accuracy(test, truth), metrics.accuracy(scores, truth))
    -- units and constant features do not matter
    local scaled = moon.probe(x * 50, labels, opts)
    assert.is_true(scaled:scores(test * 50):allclose(scores, 1e-3, 1e-4))
    test[1][3] = 0.3
    assert.is_true(probe:scores(test):allclose(scores, 1e-6))
  end)

  it("depends only on its seed", function()
    moon.seed(9)
    local x, labels = clouds(90)
    local a = moon.probe(x, labels, {seed = 3, epochs = 2})
    moon.seed(10)
    local b = moon.probe(x, labels, {seed = 3, epochs = 2})
    assert.is_true(a:scores(x) == b:scores(x))
    assert.is_false(a:scores(x) == moon.probe(x, labels, {seed = 4, epochs = 2}):scores(x))
  end)

  it("reaches the minimum of its loss", function()
    -- with one feature of -1 and 1 the best logits are the logarithms of the classes' fractions on each side
    local x, labels = moon.zeros(80, 1), moon.zeros(80)
    for i = 1, 80 do
      x[i][1] = i <= 40 and -1 or 1
      labels[i] = (i % 4 == 0) == (i <= 40) and 1 or 0
    end
    local probe = moon.probe(x, labels, {epochs = 100, batch_size = 8, lr = 0.1, seed = 2})
    local scores = probe:scores(moon.tensor{{-1}, {1}})
    assert.near(0.25, scores[1][2], 2e-3)
    assert.near(0.75, scores[2][2], 2e-3)
    assert.near(-0.75 * math.log(0.75) - 0.25 * math.log(0.25), probe.history.loss[100], 1e-3)
    assert.equal("float32", probe:predict(x).dtype)
    assert.equal(5, moon.probe(x, labels, {classes = 5, epochs = 1}):scores(x):size(2))
  end)

  it("says what is wrong", function()
    local x, labels = moon.rand(4, 3), bytes{0, 1, 0, 1}
    assert.matches("metrics_spec%.lua:%d+: probe: codes is nil, expected a tensor",
      message(function() moon.probe() end))
    assert.matches("probe: labels is %[3%], expected class numbers %[4%]", message(moon.probe, x, moon.zeros(3)))
    assert.matches("probe: label of row 1 is 0%.5, expected a whole number", message(moon.probe, x, moon.full(0.5, 4)))
    assert.matches("probe: label of row 2 is 1, expected a whole number of 0 to 0",
      message(moon.probe, x, labels, {classes = 1}))
    local probe = moon.probe(x, labels, {epochs = 1})
    assert.matches("predict: codes is %[4 x 2%], expected %[rows x 3%]", message(probe.predict, probe, moon.rand(4, 2)))
  end)
end)

describe("invalid labels and scores", function()
  local function t(...) return moon.tensor{...} end

  -- The message of each call.
  local function refused(calls)
    for i, case in ipairs(calls) do
      local text = message(case[1], table.unpack(case, 3))
      assert.is_truthy(text:find(case[2], 1, true), ("%d: '%s' has no '%s'"):format(i, text, case[2]))
    end
  end

  it("are refused by accuracy and confusion, with row and value", function()
    local y, scores, bad = t(0, 0, 1), moon.eye(3), moon.eye(3)
    bad:set(nan, 2, 3)
    for name, f in pairs{accuracy = metrics.accuracy, confusion = metrics.confusion} do
      refused{
        {f, name .. ": prediction has nan in row 2, column 3, expected numbers", bad, y},
        {f, "prediction of row 1 is 0.1, expected a whole number from 0 on: of probabilities, prediction:gt(0.5) makes",
          t(0.1, 0.2, 0.9), y},
        {f, "prediction of row 3 is nan, expected a whole number", t(0, 1, nan), y},
        {f, "prediction of row 1 is -1, expected a whole number", t(-1, 1, 0), y},
        {f, "prediction of row 2 is inf", t(0, inf, 0), y},
        {f, "prediction is [3 x 1], expected scores [n x classes], or class numbers [n]: of probabilities,",
          y:reshape(-1, 1), y},
        {f, "label of row 2 is 1.5, expected a whole number of 0 to 2", scores, t(0, 1.5, 2)},
        {f, "label of row 3 is 3, expected a whole number of 0 to 2", scores, t(0, 1, 3)},
        {f, "label of row 1 is -1, expected a whole number of 0 to 2", scores, t(-1, 1, 2)},
        {f, "label of row 1 is nan", scores, t(nan, 1, 2)},
        {f, "label of row 2 is 7, expected a whole number of 0 to 2", scores, bytes{0, 7, 2}},
        {f, "label of row 2 is -2, expected a whole number from 0 on", t(0, 1, 2), t(0, -2, 2)},
      }
    end
    refused{
      {metrics.confusion, "label of row 2 is 1, expected a whole number of 0 to 0", t(0, 0), t(0, 1), 1},
      {metrics.confusion, "prediction of row 3 is 2, expected a whole number of 0 to 1", scores, t(0, 0, 0), 2},
    }
    local certain = moon.full(-inf, 3, 3)
    for i = 1, 3 do certain:set(inf, i, i) end
    assert.equal(1, metrics.accuracy(certain, t(0, 1, 2)))
  end)

  it("are refused by roc and auc", function()
    for name, f in pairs{auc = metrics.auc, roc = metrics.roc} do
      refused{
        {f, name .. ": score has nan in row 3", t(1, 2, nan), t(0, 1, 1)},
        {f, "positive of row 2 is nan, expected a whole number of 0 to 1", t(1, 2, 3), t(0, nan, 1)},
        {f, "positive of row 1 is -1", t(1, 2, 3), t(-1, 1, 1)},
        {f, "positive of row 3 is 0.5", t(1, 2, 3), t(0, 1, 0.5)},
        {f, "positive of row 3 is 2, expected a whole number of 0 to 1", t(1, 2, 3), bytes{0, 1, 2}},
        {f, "scores is [3 x 2], expected [rows] or [rows x 1]: of the scores of two classes, scores:columns(2)",
          moon.ones(3, 2), t(0, 1, 1)},
        {f, "positive is [1 x 3], expected [rows] or [rows x 1]", t(0, 1, 2), moon.ones(1, 3)},
      }
    end
    assert.equal(1, metrics.auc(t(-inf, 0, inf), t(0, 0, 1)))
  end)

  it("are refused by knn", function()
    local x, y = moon.rand(5, 2), t(0, 1, 2, 3, 4)
    local bad = x:clone()
    bad:set(nan, 3, 1)
    local knn = moon.knn(x, y, {k = 1})
    refused{
      {moon.knn, "knn: x has nan in row 3, column 1, expected finite numbers", bad, y},
      {moon.knn, "knn: label of row 2 is 0.5, expected a whole number from 0 on", x, t(0, 0.5, 1, 1, 1)},
      {moon.knn, "knn: label of row 5 is -1", x, t(0, 0, 1, 1, -1)},
      {moon.knn, "knn: label of row 5 is nan", x, t(0, 0, 1, 1, nan)},
      {knn.predict, "predict: x has nan in row 3, column 1", knn, bad},
      {knn.neighbours, "neighbours: x has nan in row 3, column 1", knn, bad},
      {knn.accuracy, "accuracy: label of row 1 is 1.5", knn, x, t(1.5, 1, 2, 3, 4)},
    }
  end)

  it("are refused by the probe, with its names", function()
    local x, y = moon.rand(6, 3), bytes{0, 1, 0, 1, 0, 1}
    local bad, large = x:clone(), x:clone()
    bad:set(nan, 4, 2)
    large:set(1e30, 5, 1)
    local probe = moon.probe(x, y, {epochs = 1})
    refused{
      {moon.probe, "probe: label of row 1 is -1, expected a whole number from 0 on", x, moon.full(-1, 6)},
      {moon.probe, "probe: codes has nan in row 4, column 2, expected finite numbers", bad, y},
      {moon.probe, "probe: codes has 1e+30 in row 5, column 1", large, y},
      {moon.probe, "probe: label of row 2 is nan", x, t(0, nan, 0, 0, 0, 1)},
      {moon.probe, "probe: all labels are 0, expected at least two classes", x, moon.zeros(6)},
      {moon.probe, "probe: all labels are 0, expected at least two classes", x, moon.zeros(6), {classes = 1}},
      {moon.probe, "probe: batch_size is 7, expected at most the 6 rows of codes", x, y, {batch_size = 7}},
      {probe.predict, "predict: codes has nan in row 4, column 2", probe, bad},
      {probe.scores, "scores: codes has nan in row 4, column 2", probe, bad},
      {probe.accuracy, "accuracy: codes has nan in row 4, column 2", probe, bad, y},
      {probe.accuracy, "accuracy: label of row 1 is 0.5", probe, x, t(0.5, 1, 0, 1, 0, 1)},
    }
  end)

  it("are refused by dictionaries, with their names", function()
    local x, atoms, z = moon.rand(6, 3), moon.rand(2, 3), moon.rand(6, 2)
    local function with(v, source, i, j)
      local copy = source:clone()
      copy:set(v, i, j)
      return copy
    end
    local d = moon.dictionary(x, {atoms = 2, l1 = 0.1})
    local codes, objective = moon.dictionary.codes, moon.dictionary.objective
    refused{
      {moon.dictionary.learn, "dictionary: x has nan in row 4, column 2", with(nan, x, 4, 2), {atoms = 2, l1 = 0.1}},
      {moon.dictionary.learn, "dictionary: x has 1e+30 in row 5, column 1", with(1e30, x, 5, 1), {atoms = 2, l1 = 0.1}},
      {codes, "dictionary.codes: atoms has 1e+30 in row 2, column 3", x, with(1e30, atoms, 2, 3), {l1 = 0.1}},
      {codes, "dictionary.codes: atoms has nan in row 1, column 1", x, with(nan, atoms, 1, 1), {l1 = 0.1}},
      {codes, "dictionary.codes: x has -inf in row 6, column 3", with(-inf, x, 6, 3), atoms, {l1 = 0.1}},
      {codes, "dictionary.codes: start has nan in row 2, column 1", x, atoms, {l1 = 0.1, start = with(nan, z, 2, 1)}},
      {codes, "dictionary.codes: start is [6 x 2] uint8, expected float32: start:float()", x, atoms,
        {l1 = 0.1, start = z:byte()}},
      {objective, "dictionary.objective: codes has nan in row 6, column 2", x, atoms, with(nan, z, 6, 2), 0.1},
      {objective, "dictionary.objective: codes has 3 rows, expected the 6 of x", x, atoms, z:rows(1, 3), 0.1},
      {objective, "dictionary.objective: l1 is nil, expected a finite number", x, atoms, z},
      {moon.dictionary.soft_threshold, "dictionary.soft_threshold: threshold is 'a'", x, "a"},
      {moon.dictionary.soft_threshold, "dictionary.soft_threshold: t is 3, expected a tensor", 3, 1},
      {d.encode, "encode: x has nan in row 4, column 2", d, with(nan, x, 4, 2)},
      {d.errors, "errors: x has nan in row 4, column 2", d, with(nan, x, 4, 2)},
      {d.decode, "decode: code is [6 x 2] uint8, expected float32", d, z:byte()},
      {d.decode, "decode: code has nan in row 1, column 2", d, with(nan, z, 1, 2)},
    }
    local as_bytes = (atoms * 255):byte()
    assert.is_true(codes(x, as_bytes, {l1 = 0.1}):allclose(codes(x, as_bytes:float() / 255, {l1 = 0.1})))
  end)
end)

describe("metrics.dead_units", function()
  it("counts the units that are 0 in every row", function()
    local mask, count = moon.metrics.dead_units(moon.tensor{{0, 1, 0, -1, 0}, {0, 0, 0, 0, 0 / 0}, {0, 2, 0, 1, 0}})
    assert.same({1, 0, 1, 0, 0}, mask:totable())
    assert.equal(2, count)
    assert.equal("integer", math.type(count))
    assert.equal(0, select(2, moon.metrics.dead_units(moon.ones(1, 3))))
  end)

  it("finds ReLUs that no row activates", function()
    local layer = moon.dense(3, 4, {activation = "relu"})
    layer.bias:fill_(-100)
    layer.bias:set(1, 2)
    layer.weight:fill_(0)
    local mask, count = moon.metrics.dead_units(moon.sequential{layer}:predict(moon.rand(5, 3)))
    assert.same({1, 0, 1, 1}, mask:totable())
    assert.equal(3, count)
  end)

  it("says what is wrong", function()
    local function fails(x, part)
      local ok, problem = pcall(moon.metrics.dead_units, x)
      assert.is_false(ok)
      assert.is_truthy(problem:find(part, 1, true), problem)
    end
    fails(3, "dead_units: outputs is 3, expected a tensor")
    fails(moon.ones(3), "dead_units: outputs is [3], expected [rows x units]")
    fails(moon.ones(0, 3), "dead_units: outputs is [0 x 3], expected at least one element")
  end)
end)

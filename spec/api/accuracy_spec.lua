-- Sums, means, variances, distances and losses, compared with double precision in plain Lua: near zero, far from it
-- (1e3, 1e5, 1e7), for 1e7 elements, and for numbers whose squares overflow float32.
local moon = require "moonglass"

local offsets = {0, 1e3, 1e5, 1e7}

-- Rows of whole numbers around an offset: exact in float32 up to 2^24.
local function rows_at(offset, n, width, spread)
  return (moon.randn(n, width) * (spread or 100)):floor():add_(offset)
end

local function near(expected, v, relative)
  assert.near(0, (v - expected) / math.max(math.abs(expected), 1e-300), relative)
end

-- Sum, mean, variance (in two passes) and norm of a list.
local function moments(list)
  local sum, squares, deviations = 0, 0, 0
  for _, v in ipairs(list) do sum, squares = sum + v, squares + v * v end
  local mean = sum / #list
  for _, v in ipairs(list) do deviations = deviations + (v - mean) ^ 2 end
  local var = deviations / #list
  return {sum = sum, mean = mean, var = var, std = math.sqrt(var), norm = math.sqrt(squares)}
end

local in_double, in_float = 1e-12, 6e-8 -- half of float32's last place

describe("reductions", function()
  for _, offset in ipairs(offsets) do
    it(("%g away from zero"):format(offset), function()
      moon.seed(1)
      local t = rows_at(offset, 700, 3)
      for name, expected in pairs(moments(t:reshape(-1):totable())) do near(expected, t[name](t), in_double) end
      for j = 1, 3 do
        for name, expected in pairs(moments(t:t()[j]:totable())) do near(expected, t[name](t, 1)[j], in_float) end
      end
      for i = 1, 700, 99 do
        for name, expected in pairs(moments(t[i]:totable())) do near(expected, t[name](t, 2)[i], in_float) end
      end
    end)
  end

  it("of 1e7 elements", function()
    local n, low, high = 5000000, 9999999, 10000001
    local t = moon.cat{moon.full(low, n), moon.full(high, n)}
    local expected = {sum = n * (low + high), mean = 1e7, var = 1, std = 1, norm = math.sqrt(n * (low ^ 2 + high ^ 2))}
    for name, v in pairs(expected) do
      near(v, t[name](t), 1e-9)
      near(v, t[name](t:reshape(2 * n, 1), 1)[1], in_float)
    end
    local tenth = moon.tensor{0.1}[1]
    near(1e7 * tenth, moon.full(0.1, 1e7):sum(), 1e-12)
  end)

  it("of numbers whose squares are out of float32's range", function()
    local one = moon.tensor{1e20}[1]
    local t = moon.tensor{{1e20, -1e20}, {1e20, 1e20}}
    near(2 * one, t:norm(), in_double)
    near(0.75 * one * one, t:var(), in_double)
    near(one, t:std(1)[2], in_float)
    near(math.sqrt(2) * one, t:norm(2)[1], in_float)
    near(one * one, moon.metrics.mse(t, t * 0), 1e-6)
  end)

  it("of one row, and of equal rows", function()
    for _, t in ipairs{moon.tensor{{3, 1e7, 1e-30}}, moon.tensor{{0.1, 1e7, -5}, {0.1, 1e7, -5}, {0.1, 1e7, -5}}} do
      assert.same({0, 0, 0}, t:std(1):totable())
      assert.same({0, 0, 0}, t:var(1):totable())
    end
  end)
end)

describe("metrics", function()
  it("mse and psnr far from zero", function()
    for _, offset in ipairs(offsets) do
      moon.seed(2)
      local a, b = rows_at(offset, 500, 4), rows_at(offset, 500, 4)
      local x, y, sum = a:reshape(-1):totable(), b:reshape(-1):totable(), 0
      for i, v in ipairs(x) do sum = sum + (v - y[i]) ^ 2 end
      near(sum / #x, moon.metrics.mse(a, b), 1e-6)
      near(-10 * math.log(sum / #x, 10), moon.metrics.psnr(a, b), 1e-6)
    end
  end)

  it("mse of 1e7 elements", function()
    near(4, moon.metrics.mse(moon.full(1e7, 1e7), moon.full(1e7 - 2, 1e7)), 1e-6)
  end)
end)

describe("layers and losses", function()
  it("a bias's gradient over a large batch", function()
    local layer, n = moon.dense(1, 2), 3000000
    layer:forward(moon.ones(n, 1))
    local dy = moon.ones(n, 2)
    dy:t():fill_(0) -- t() copies, so dy is unchanged
    dy:mul_(moon.tensor{1, 0.1})
    layer:backward(dy)
    near(n, layer.bias_grad[1], in_float)
    near(n * moon.tensor{0.1}[1], layer.bias_grad[2], 1e-6)
    near(n, layer.weight_grad[1][1], 1e-4) -- error: (256 + rows / 256) half units in the last place
  end)

  it("a bias's gradient with strong cancellation", function()
    moon.seed(3)
    local n, layer = 100000, moon.dense(1, 3)
    layer:forward(moon.ones(n, 1))
    local dy = moon.randn(n, 3)
    layer:backward(dy)
    for j, column in ipairs(dy:t():totable()) do
      local sum, size = 0, 0
      for _, v in ipairs(column) do sum, size = sum + v, size + math.abs(v) end
      assert.near(sum, layer.bias_grad[j], 1e-7 * size)
    end
  end)

  it("losses of wide rows, and of many rows", function()
    local wide, long = {1, 3000000}, {3000000, 1}
    for _, shape in ipairs{wide, long} do
      local p, t = moon.full(0.7, shape), moon.full(0.1, shape)
      local q, u = moon.tensor{0.7}[1], moon.tensor{0.1}[1]
      local expected = {
        mse = (q - u) ^ 2, mae = q - u, huber = (q - u) ^ 2 / 2,
        bce = -(u * math.log(q) + (1 - u) * math.log(1 - q)),
      }
      for name, v in pairs(expected) do near(v, moon[name]():forward(p, t), 258 * 2 ^ -24) end
    end
    local n = wide[2]
    near(math.log(n), moon.cross_entropy{from_logits = true}:forward(moon.zeros(wide), moon.tensor{7}), 1e-6)
    near(1 / n, moon.activation("softmax"):forward(moon.zeros(wide))[1][n], 1e-6)
  end)

  it("evaluate's mean over a million rows, and errors row by row", function()
    local layer = moon.dense(1, 1)
    local net = moon.sequential{layer}
    layer.weight, layer.bias = moon.ones(1, 1), moon.tensor{-2}
    local x = moon.arange(1, 1e6 + 1):reshape(-1, 1)
    near(4, net:evaluate(x, {loss = "mse", batch_size = 64}), 1e-12)
    near(4, net:errors(x):mean(), 1e-12)
    local same = moon.sequential{moon.activation("linear"), moon.dense(3, 3, {init = "zeros"})}
    same:layer(2).bias = moon.tensor{1e7, 1e7 + 1, 1e7 + 2}
    near(5 / 3, same:errors(moon.full(1e7, 4, 3)):max(), 1e-6)
  end)

  it("contractive, of a large batch", function()
    local n = 2000000
    local layer = moon.dense(1, 1, {contractive = 1, activation = "linear"})
    local net = moon.sequential{layer}
    layer.weight = moon.ones(1, 1)
    near(1, net:evaluate(moon.zeros(n, 1), {loss = "mse", batch_size = n}), 1e-6)
  end)
end)

describe("pca", function()
  for _, offset in ipairs(offsets) do
    it(("%g away from zero"):format(offset), function()
      moon.seed(4)
      local n, width = 3001, 3
      local x = rows_at(0, n, width):mul_(moon.tensor{4, 2, 1}):add_(offset):add_(moon.tensor{0, 3, -5})
      local columns, mean, trace = x:t():totable(), {}, 0
      for j, column in ipairs(columns) do
        local m = moments(column)
        mean[j], trace = m.mean, trace + m.var
      end
      local p = moon.pca(x, width, {batch_size = 64})
      near(trace, p.variance:sum(), 1e-6)
      for j = 1, width do
        assert.near(mean[j], p.mean[j] + p.remainder[j], 1e-9 * offset + 1e-5)
        assert.near(mean[j], p.mean[j], 1e-6 * offset + 1e-5)
      end
      local code, two = p:encode(x), moon.pca(x, 2)
      assert.near(0, code:mean(1):abs():max(), 1e-3) -- of 400
      for k = 1, width do near(p.variance[k], code:t()[k]:square():mean(), 1e-5) end
      near(trace - two.variance:sum(), two:errors(x):mean() * width, 1e-4)
      for i = 1, n, 500 do
        local v, row = 0, x[i]:totable()
        for j = 1, width do v = v + (row[j] - mean[j]) * p.components:get(1, j) end
        assert.near(v, code:get(i, 1), 1e-3)
      end
      assert.is_true((p:reconstruct(x) - x):abs():max() <= math.max(1e-3, offset * 1.2e-7))
    end)
  end
end)

-- ---- nearest neighbours ----

-- For each row of q its k nearest rows of x, by distances in double. Of equally near rows the first comes first.
local function brute(x, q, k)
  local result, rows = {}, x:totable()
  for i, query in ipairs(q:totable()) do
    local list = {}
    for number, row in ipairs(rows) do
      local square = 0
      for j, v in ipairs(row) do square = square + (v - query[j]) ^ 2 end
      list[number] = {square = square, number = number}
    end
    table.sort(list, function(a, b)
      if a.square ~= b.square then return a.square < b.square end
      return a.number < b.number
    end)
    result[i] = table.move(list, 1, k, 1, {})
  end
  return result
end

local function check_neighbours(x, q, k, scale)
  local index, distance = moon.knn(x, moon.zeros(#x), {k = k}):neighbours(q)
  for i, list in ipairs(brute(x, q, k)) do
    for rank, found in ipairs(list) do
      assert.equal(found.number, math.tointeger(index:get(i, rank)), ("row %d, rank %d"):format(i, rank))
      near(math.sqrt(found.square) / (scale or 1), distance:get(i, rank), in_float)
    end
  end
end

describe("knn", function()
  for _, offset in ipairs(offsets) do
    for _, spread in ipairs{3, 100} do
      it(("finds the true neighbours %g away from zero, spread %g"):format(offset, spread), function()
        moon.seed(5)
        local x = rows_at(offset, 300, 5, spread) -- a small spread gives many ties
        check_neighbours(x, rows_at(offset, 40, 5, spread), 7)
        check_neighbours(x, x:rows(1, 20), 3)
      end)
    end
  end

  it("in distant clusters, beside outliers and codes for missing values", function()
    moon.seed(6)
    local function cluster(at) return moon.randn(150, 4):mul_(0.01):add_(at) end
    local outlier = moon.cat{moon.randn(200, 4), moon.full(1e6, 1, 4), moon.full(-1e12, 1, 4)}
    local coded = moon.randn(200, 4)
    for i = 1, 200, 9 do coded:set(-999999, i, 2) end
    for _, x in ipairs{moon.cat{cluster(1000), cluster(-1000)}, moon.cat{cluster(0), cluster(1e5)}, outlier, coded,
      moon.randn(200, 4) * 1e-12, moon.randn(200, 4) * 1e-25, moon.randn(90, 4) * 1e14} do
      check_neighbours(x, moon.cat{x:rows(1, 15), x:rows(#x - 15, #x)}, 4)
    end
  end)

  it("for any width, number of rows and k", function()
    moon.seed(7)
    for _, n in ipairs{1, 2, 63, 64, 513, 1100} do
      for _, width in ipairs{1, 17} do
        local x = rows_at(1000, n, width, 30)
        for _, k in ipairs{1, math.min(n, 40)} do check_neighbours(x, rows_at(1000, 9, width, 30), k) end
      end
    end
    check_neighbours(rows_at(0, 60, 3), rows_at(0, 4, 3), 60)
    check_neighbours(rows_at(0, 30, 1500), rows_at(0, 1030, 1500):rows(1000, 1030), 2)
  end)

  it("of bytes, exactly, and of bytes beside floats", function()
    moon.seed(8)
    local x = (moon.rand(200, 6) * 5):byte()
    local q = (moon.rand(30, 6) * 5):byte()
    check_neighbours(x, q, 9, 255)
    local floats = moon.knn(x:float() / 255, moon.zeros(200), {k = 1}):neighbours(q:float() / 255)
    local mixed = moon.knn(x, moon.zeros(200), {k = 1}):neighbours(q:float() / 255)
    assert.is_true(mixed:equal(floats))
  end)

  it("says what is wrong", function()
    local core = require "moonglass.core"
    local x = moon.rand(5, 3)
    local function failure(...) return (select(2, pcall(core.neighbours, ...)):gsub("^[^\n]-:%d+: ", "")) end
    assert.equal("neighbours: q has rows of 2, expected 3 as x", failure(x, moon.rand(4, 2), 1))
    assert.equal("neighbours: q is [3], expected [rows x width]", failure(x, moon.rand(3), 1))
    assert.matches("k is 6, expected .* to 5", failure(x, x, 6))
    x:set(0 / 0, 2, 3)
    assert.matches("^neighbours: x has %-?nan in row 1, expected finite numbers$", failure(x, moon.rand(4, 3), 1))
    assert.matches("^neighbours: q has %-?nan in row 1, expected finite numbers$", failure(moon.rand(4, 3), x, 1))
  end)
end)

-- ---- row numbers that float32 cannot represent ----

describe("row numbers beyond 2^24", function()
  local most = 1 << 24

  local function failure(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok, "expected an error")
    return (message:gsub("^[^\n]-:%d+: ", ""))
  end

  it("are exact or refused", function()
    local bytes = moon.zeros(most + 4, {dtype = "uint8"})
    bytes:set(1, most + 2)
    assert.equal(most + 2, bytes:argmax())
    assert.equal("integer", math.type(bytes:argmax()))
    assert.equal("argmax: 16777220 elements, expected at most 16777216: float32 counts no further",
      failure(bytes.argmax, bytes:reshape(-1, 1), 1))
    assert.equal("topk: 16777220 elements, expected at most 16777216: float32 counts no further",
      failure(bytes.topk, bytes, 2))
    local full = bytes:rows(3, most + 2):reshape(-1, 1)
    assert.same({most}, full:argmax(1):totable())
    assert.same({1}, bytes:index{most + 2}:totable())
    assert.same({1}, bytes:rows(3, most + 2):index(moon.tensor{most}):totable())
    assert.equal("index: row 2 is 16777216.0, but float32 is exact only below 16777216; expected a list of numbers",
      failure(bytes.index, bytes, moon.tensor{5, most + 1}))
    assert.matches("^quantile: there are 16777220 values, expected at most 16777216",
      failure(moon.metrics.quantile, bytes, 0.5))
    assert.matches("^knn: x has 16777220 rows, expected at most 16777216",
      failure(moon.knn, bytes:reshape(-1, 1), bytes))
    assert.matches("^randperm: ", failure(moon.randperm, most + 1))
  end)

  it("and such class numbers are refused, because float32 may have rounded them", function()
    assert.equal("knn: label of row 2 is 1.677722e+07, expected a whole number of 0 to 16777215",
      failure(moon.knn, moon.rand(3, 2), moon.tensor{1, most + 1, 2}))
  end)
end)

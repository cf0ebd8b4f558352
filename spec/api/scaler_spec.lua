-- moon.scaler, compared with two passes in double and with sorted columns: far from zero, with missing numbers, with
-- constants, over rows in blocks of any size.
local core = require "moonglass.core"
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"

local failure = expect.failure

-- The numbers of a column that are there, in double.
local function column(x, j)
  local list = {}
  for i = 1, #x do
    local v = x:get(i, j)
    if v == v then list[#list + 1] = v end
  end
  return list
end

-- Mean and deviation in two passes, of differences from the first number.
local function moments(list)
  local mean, sum = 0, 0
  for _, v in ipairs(list) do mean = mean + (v - list[1]) / #list end
  for _, v in ipairs(list) do sum = sum + (v - list[1] - mean) ^ 2 end
  return list[1] + mean, math.sqrt(sum / #list)
end

local function quantile(list, q)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local at = (#sorted - 1) * q
  local low = sorted[math.floor(at) + 1]
  return low + (sorted[math.ceil(at) + 1] - low) * (at - math.floor(at))
end

-- What a method should give for a column: offset, scale, and the unit in which errors count.
local reference = {
  standard = function(list) return moments(list) end,
  minmax = function(list)
    local low = math.min(table.unpack(list))
    return low, math.max(table.unpack(list)) - low
  end,
  robust = function(list) return quantile(list, 0.5), (quantile(list, 0.75) - quantile(list, 0.25)) / 1.349 end,
}

local function agrees(x, method)
  local s = moon.scaler(x, {method = method})
  for j = 1, x:size(2) do
    local list = column(x, j)
    local offset, scale = reference[method](list)
    local _, deviation = moments(list)
    assert.near(offset, s.offset[j], 1e-6 * deviation)
    assert.near(scale > 0 and scale or 1, s.scale[j], 1e-6 * deviation)
    assert.near(math.min(table.unpack(list)), s.low[j], 0)
    assert.near(math.max(table.unpack(list)), s.high[j], 0)
    assert.equal(#list, s.count[j])
  end
  return s
end

-- Columns of several sizes, some of it missing, some of it far away: the float32 next to 1e9 are 64 apart.
local function mixed(n)
  moon.seed(3)
  local x = moon.randn(n, 5) * moon.tensor{1, 1e-6, 1e6, 300, 0.01} + moon.tensor{0, 1, -1e6, 1e9, -3e4}
  for i = 1, n, 7 do x:set(0 / 0, i, 1 + i % 5) end
  return x
end

local methods = {"standard", "minmax", "robust"}

describe("moon.scaler", function()
  for _, method in ipairs(methods) do
    it("agrees with two passes in double: " .. method, function()
      for _, n in ipairs{2, 3, 100, 257, 3000} do agrees(mixed(n), method) end
    end)

    it("takes rows in blocks of any size, with the same bits: " .. method, function()
      local x = mixed(1500)
      local whole = moon.scaler(x, {method = method})
      for _, size in ipairs{1, 7, 256, 1000} do
        local s = core.new_scaler(method, 5)
        repeat
          for first = 1, #x, size do core.scaler_add(s, x:rows(first, math.min(first + size - 1, #x))) end
        until not core.scaler_finish(s)
        for _, field in ipairs{"offset", "scale", "low", "high", "count"} do assert.same(whole[field], s[field]) end
      end
    end)

    it("is safe with constants, missing columns and one row: " .. method, function()
      local nan = 0 / 0
      local s = moon.scaler(moon.tensor{{1e9, nan, 5}, {1e9, nan, nan}, {1e9, nan, nan}}, {method = method})
      assert.same({1e9, 0, 5}, s.offset)
      assert.same({1, 1, 1}, s.scale)
      assert.same({3, 0, 1}, s.count)
      assert.is_true(s.low[2] ~= s.low[2] and s.high[2] ~= s.high[2])
      local z = s:apply(moon.tensor{{1e9, 2, nan}})
      assert.same({0, 2}, {z[1][1], z[1][2]})
      assert.is_true(z[1][3] ~= z[1][3])
      assert.same({1}, moon.scaler(moon.tensor{{7}}, {method = method}).scale)
    end)

    it("goes there and back: " .. method, function()
      local x = mixed(500)
      local s = moon.scaler(x, {method = method})
      local z = s:apply(x)
      for j = 1, 5 do
        for i = 1, 500, 3 do
          local v = x:get(i, j)
          if v == v then assert.near((v - s.offset[j]) / s.scale[j], z:get(i, j), 1e-6 * math.abs(z:get(i, j))) end
        end
      end
      local back = s:invert(z)
      for j = 1, 5 do
        for i = 1, 500, 3 do
          local v = x:get(i, j)
          if v == v then assert.near(v, back:get(i, j), 2e-7 * math.max(math.abs(v), math.abs(s.offset[j]))) end
        end
      end
    end)
  end

  it("loses nothing far from zero, where few rows differ", function()
    local x = moon.full(1e9, 20000, 1)
    x:set(1e9 + 64, 12345, 1)
    local s = agrees(x:rows(1, 20000), "standard")
    assert.near(64 * math.sqrt(1 / 20000 * (1 - 1 / 20000)), s.scale[1], 1e-8)
    x:set(-1e9, 1, 1) -- the first number is the odd one
    local mean, deviation = moments(column(x, 1))
    s = moon.scaler(x)
    assert.near(mean, s.offset[1], 1e-9 * deviation)
    assert.near(deviation, s.scale[1], 1e-9 * deviation)
  end)

  it("finds exact quartiles among many equal numbers, both signs and both zeros", function()
    moon.seed(4)
    local x = moon.randn(4000, 3):mul_(2)
    for i = 1, 4000 do
      x:set(math.floor(x:get(i, 1)), i, 1)
      if i % 3 == 0 then x:set(i % 2 == 0 and 0.0 or -0.0, i, 2) end
    end
    agrees(x, "robust")
    x = moon.zeros(100, 1)
    x:set(1000, 5, 1)
    local s = moon.scaler(x, {method = "robust"}) -- no interquartile range: the deviation
    assert.near(select(2, moments(column(x, 1))), s.scale[1], 1e-9)
    assert.equal(0, s.offset[1])
  end)

  it("counts where numbers with the same upper half are too many to keep", function()
    local x = moon.full(1, 300000, 1)
    for i = 1, 300000, 4 do x:set(1 + 2 ^ -20, i, 1) end
    local s = moon.scaler(x, {method = "robust"})
    assert.equal(1, s.offset[1])
    x:fill_(1 + 2 ^ -21)
    for i = 1, 300000, 3 do
      x:set(1, i, 1)
      x:set(1 + 2 ^ -20, i + 1, 1)
    end
    s = moon.scaler(x, {method = "robust"})
    assert.same({1 + 2 ^ -21, 2 ^ -20 / 1.349}, {s.offset[1], s.scale[1]})
  end)

  it("counts bytes as value/255", function()
    local x = moon.tensor({{0, 51}, {255, 102}}, {dtype = "uint8"})
    local s = moon.scaler(x, {method = "minmax"})
    assert.same({0, 1}, {s.low[1], s.high[1]})
    assert.near(0.2, s.offset[2], 1e-7)
    assert.is_true(s:apply(x):allclose(moon.tensor{{0, 0}, {1, 1}}, 1e-6))
  end)

  it("takes sources: the rows of a reader, and windows over a series", function()
    local x, most = mixed(9000), 0
    local source = moon.source{rows = 9000, width = 5, block = 1000, read = function(first, n)
      most = math.max(most, n)
      return x:rows(first, first + n - 1)
    end}
    for _, method in ipairs(methods) do
      local whole, s = moon.scaler(x, {method = method}), moon.scaler(source, {method = method})
      assert.same(whole.offset, s.offset)
      assert.same(whole.scale, s.scale)
      local z = s:apply(source)
      assert.same({9000, 5}, z.shape)
      assert.same(whole:apply(x:rows(1502, 1502)):totable(), z:batch(1502, 1):totable())
      assert.same(s:invert(z:batch(10, 1)):totable(), s:invert(z):batch(10, 1):totable())
    end
    assert.is_true(most <= 1000)
    local series = moon.randn(300)
    local windows = series:windows(10, 3)
    local s = moon.scaler(windows)
    assert.equal(10, s.width)
    assert.same(s:apply(windows:batch(5, 2)):totable(), s:apply(windows):batch(5, 2):totable())
    assert.matches("apply: the input has rows of 5, expected 10", failure(s.apply, s, source))
    local net = moon.sequential{moon.dense(10, 3), moon.dense(3, 10)}
    local history = net:fit(s:apply(windows), {loss = "mse", epochs = 2, verbose = 0, seed = 1})
    assert.is_true(#history.loss == 2 and history.loss[2] < 3)
  end)

  it("has fields and a text", function()
    local s = moon.scaler(moon.rand(4, 2))
    assert.equal("scaler standard, 2 columns", tostring(s))
    assert.equal("standard", s.method)
    assert.equal(2, s.width)
    assert.equal("scaler robust, 1 column, not finished", tostring(core.new_scaler("robust", 1)))
  end)

  it("says what is wrong", function()
    local x = moon.rand(5000, 2)
    assert.matches("scaler: x is 5, expected a tensor", failure(moon.scaler, 5))
    assert.matches("scaler: method is 'std' %(known: standard, minmax, robust%)",
      failure(moon.scaler, x, {method = "std"}))
    x:set(-1 / 0, 4500, 2)
    assert.matches("scaler: row 4500, column 2 is %-inf, expected numbers", failure(moon.scaler, x))
    assert.matches("scaler: x is %[0 x 2%]", failure(moon.scaler, moon.zeros(0, 2)))
    local s = moon.scaler(moon.rand(4, 2))
    assert.matches("apply: the input is %[4 x 3%], expected %[rows x 2%]", failure(s.apply, s, moon.rand(4, 3)))
    assert.matches("scaler has no field or method 'ofset'; did you mean 'offset'",
      failure(function() return s.ofset end))
    assert.matches("it is finished", failure(core.scaler_add, s, moon.rand(1, 2)))
  end)

  it("tells a second pass with other rows, and rows that came to nothing changed nothing", function()
    local s = core.new_scaler("robust", 1)
    assert.matches("no rows came", failure(core.scaler_finish, s))
    core.scaler_add(s, moon.tensor{{1}, {2}, {3}})
    assert.matches("row 5, column 1 is inf", failure(core.scaler_add, s, moon.tensor{{4}, {1 / 0}}))
    assert.same({3}, s.count)
    assert.is_true(core.scaler_finish(s))
    core.scaler_add(s, moon.tensor{{1}, {2}})
    assert.matches("the second pass has had 2 rows, expected the first one's 3", failure(core.scaler_finish, s))
    core.scaler_add(s, moon.tensor{{2}})
    assert.matches("other rows than the first", failure(core.scaler_finish, s))
    assert.matches("not been finished", failure(s.apply, s, moon.rand(1, 1)))
  end)
end)

-- Test columns, pieces, missing values and the broadcasting of columns, each against a loop in Lua.
local moon = require "moonglass"
local failure = dofile("spec/support/expect.lua").failure

local nan = 0 / 0

local function rows_of(f, n, d)
  local list = {}
  for i = 1, n do
    list[i] = {}
    for j = 1, d do list[i][j] = f(i, j) end
  end
  return moon.tensor(list)
end

-- Equal, where NaN equals NaN.
local function same(expected, got)
  assert.same(expected.shape, got.shape)
  assert.equal(tostring(expected), tostring(got))
end

describe("columns", function()
  local t = rows_of(function(i, j) return 10 * i + j end, 3, 5)

  it("are taken from i to j, or by a list in any order", function()
    same(rows_of(function(i, j) return 10 * i + j + 1 end, 3, 3), t:columns(2, 4))
    same(rows_of(function(i) return 10 * i + 5 end, 3, 1), t:columns(5))
    same(rows_of(function(i, j) return 10 * i + ({5, 1, 1})[j] end, 3, 3), t:columns{5, 1, 1})
    same(t:columns{2, 3}, t:columns(moon.tensor{2, 3}))
    assert.same({3, 0}, t:columns(3, 2).shape)
  end)

  it("are a copy", function()
    local c = t:columns(1, 2)
    c:fill_(0)
    assert.equal(11, t:get(1, 1))
  end)

  it("of bytes stay bytes", function()
    local c = t:byte():columns{2}
    assert.equal("uint8", c.dtype)
    same(moon.tensor({{12}, {22}, {32}}, {dtype = "uint8"}), c)
  end)

  it("refuse what is not there", function()
    assert.equal("columns: column 2 is 6, expected a whole number of 1 to 5", failure(function() t:columns{1, 6} end))
    assert.equal("columns: last column is 6, expected a whole number of 0 to 5",
      failure(function() t:columns(1, 6) end))
    assert.equal("columns: first column is 6, expected a whole number of 1 to 5", failure(function() t:columns(6) end))
    assert.equal(0, t:columns(6, 5):size(2))
    assert.equal("columns: the tensor is [3], expected a matrix", failure(function() moon.ones(3):columns(1) end))
  end)
end)

describe("split", function()
  it("is the reverse of cat, along each dimension", function()
    local t = moon.arange(1, 25, 1):reshape(2, 3, 4)
    for dim, sizes in ipairs{{1, 1}, {2, 0, 1}, {1, 3}} do
      local pieces = t:split(dim, sizes)
      assert.equal(#sizes, #pieces)
      for k, piece in ipairs(pieces) do assert.equal(sizes[k], piece:size(dim)) end
      same(t, moon.cat(pieces, dim))
    end
    same(t:byte(), moon.cat(t:byte():split(3, {2, 2}), 3))
  end)

  it("takes one size for all but the last", function()
    local pieces = moon.arange(1, 8, 1):split(1, 3)
    assert.equal(3, #pieces)
    same(moon.tensor{7}, pieces[3])
  end)

  it("refuses sizes that do not add up", function()
    assert.matches("split: the parts have 3 in dimension 2 together, expected 4 as %[2 x 4%]",
      failure(function() moon.ones(2, 4):split(2, {1, 2}) end))
    assert.matches("split: sizes is 'a'.*expected a list of sizes, or one size", failure(function()
      moon.ones(4):split(1, "a")
    end))
  end)
end)

describe("missing values", function()
  local t = moon.tensor{{1, nan, 3}, {4, 5, nan}, {7, nan, nan}}

  it("are found", function()
    same(moon.tensor{{0, 1, 0}, {0, 0, 1}, {0, 1, 1}}, t:isnan())
    assert.equal(4, t:isnan():sum())
    assert.equal(0, moon.tensor{1 / 0, -1 / 0}:isnan():sum())
  end)

  it("are filled by a number, a row or a tensor", function()
    same(moon.tensor{{1, -1, 3}, {4, 5, -1}, {7, -1, -1}}, t:fill_nan(-1))
    same(moon.tensor{{1, 20, 3}, {4, 5, 30}, {7, 20, 30}}, t:fill_nan(moon.tensor{10, 20, 30}))
    same(moon.tensor{{1, 0, 3}, {4, 5, 0}, {7, 0, 0}}, t:fill_nan(moon.zeros(3, 3)))
    assert.equal(4, t:isnan():sum())
  end)

  it("are filled in place", function()
    local own = t:clone()
    assert.equal(own, own:fill_nan_(moon.tensor{10, 20, 30}))
    same(moon.tensor{{1, 20, 3}, {4, 5, 30}, {7, 20, 30}}, own)
    assert.matches("^fill_nan: the tensor is uint8", failure(own.fill_nan_, moon.zeros(2, {dtype = "uint8"}), 0))
  end)

  it("do not count in means and deviations", function()
    assert.equal(4, t:nanmean())
    same(moon.tensor{4, 5, 3}, t:nanmean(1))
    same(moon.tensor{2, 4.5, 7}, t:nanmean(2))
    assert.is_true(t:nanstd(1):allclose(moon.tensor{6 ^ 0.5, 0, 0}, 1e-6))
    assert.near(2, moon.tensor{1, nan, 5}:nanstd(), 1e-12)
    same(moon.tensor{1, 5, 3}, t:nanmin(1))
    same(moon.tensor{3, 5, 7}, t:nanmax(2))
  end)

  it("are all there is: the mean is NaN", function()
    local mean = moon.tensor{{nan, 1}, {nan, 3}}:nanmean(1)
    assert.is_true(mean[1] ~= mean[1])
    assert.equal(2, mean[2])
    local deviation = moon.full(nan, 3):nanstd()
    assert.is_true(deviation ~= deviation)
  end)

  it("leave a mean exact far from zero", function()
    local far = moon.full(1e8, 1000):add_(moon.arange(1, 1001, 1):mul_(8))
    far[1] = nan
    assert.near(8 * ((999 ^ 2 - 1) / 12) ^ 0.5, far:nanstd(), 1e-6) -- of 999 numbers, 8 apart
  end)
end)

describe("where", function()
  local t = moon.tensor{{1, 0, 3}, {0, 5, 0}}

  it("chooses element by element", function()
    same(moon.tensor{{1, -1, 3}, {-1, 5, -1}}, t:where(t, -1))
    same(moon.tensor{{9, 2, 9}, {1, 9, 3}}, t:where(9, moon.tensor{1, 2, 3}))
    same(moon.tensor{{9, 7, 9}, {8, 9, 8}}, t:where(9, moon.tensor{{7}, {8}}))
    same(moon.tensor{{1, 2}, {0, 0}}, moon.tensor{{1}, {0}}:where(moon.tensor{{1, 2}}, 0))
  end)

  it("takes conditions of bytes and of NaN", function()
    same(moon.tensor{5, 6}, moon.tensor({1, 0}, {dtype = "uint8"}):where(5, 6))
    same(moon.tensor{5}, moon.tensor{nan}:where(5, 6)) -- NaN is not 0
  end)

  it("names shapes that do not fit", function()
    assert.matches("where: %[2 x 3%] and %[2%] do not fit", failure(function() t:where(1, moon.ones(2)) end))
  end)
end)

describe("a column", function()
  local column, row = moon.tensor{{1}, {2}, {3}}, moon.tensor{{10, 20}}
  local operations = {
    add = function(a, b) return a + b end, sub = function(a, b) return a - b end,
    mul = function(a, b) return a * b end, div = function(a, b) return a / b end,
    lt = function(a, b) return a < b and 1 or 0 end, ge = function(a, b) return a >= b and 1 or 0 end,
  }

  it("goes with a row, and with a matrix on either side", function()
    local m = rows_of(function(i, j) return 4 * i - j end, 3, 2)
    for name, f in pairs(operations) do
      same(rows_of(function(i, j) return f(i, 10 * j) end, 3, 2), column[name](column, row))
      same(rows_of(function(i, j) return f(10 * j, i) end, 3, 2), row[name](row, column))
      same(rows_of(function(i, j) return f(i, m:get(i, j)) end, 3, 2), column[name](column, m))
      same(rows_of(function(i, j) return f(m:get(i, j), i) end, 3, 2), m[name](m, column))
    end
  end)

  it("goes in place into a matrix, not into a row", function()
    same(rows_of(function(i) return i + 1 end, 3, 4), moon.ones(3, 4):add_(column))
    assert.equal("add: the result is [3 x 2], which does not fit into [1 x 2]",
      failure(function() row:clone():add_(column) end))
  end)

  it("does not make a matrix of a row without a second dimension", function()
    assert.matches("sub: %[3 x 1%] and %[3%] do not fit", failure(function() return column - moon.ones(3) end))
  end)

  it("counts for each long row, and bytes count by value", function()
    local wide = moon.zeros(3, 1000) + column
    same(moon.tensor{1000, 2000, 3000}, wide:sum(2))
    same(wide, moon.zeros(3, 1000) + column:byte())
    same(moon.arange(1, 2001, 1):reshape(2000, 1) * moon.ones(1, 3),
      moon.cat({moon.arange(1, 2001, 1):reshape(2000, 1), moon.arange(1, 2001, 1):reshape(2000, 1),
        moon.arange(1, 2001, 1):reshape(2000, 1)}, 2))
  end)

  it("of a tensor of rank 3 has 1 in the last dimension", function()
    local t = moon.arange(1, 13, 1):reshape(2, 2, 3)
    local first = moon.tensor{1, 4, 7, 10}:reshape(2, 2, 1)
    same(moon.arange(0, 3, 1):reshape(1, 3) + moon.zeros(2, 2, 3), t - first)
  end)
end)

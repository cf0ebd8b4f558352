-- moon.eigh and moon.pca, compared with known eigenvalues, with sums in double precision, and with Jacobi rotations.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"
local files = dofile "spec/support/files.lua"
local known = dofile "spec/support/known.lua"

local failure = expect.failure

local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"

local function near_list(expected, t, tolerance)
  assert.same({#expected}, t.shape)
  for i, v in ipairs(expected) do assert.near(v, t[i], tolerance) end
end

-- Equal up to sign.
local function near_row(expected, row, tolerance)
  local sign = 0
  for i, v in ipairs(expected) do sign = sign + v * row[i] end
  for i, v in ipairs(expected) do assert.near(v, (sign < 0 and -1 or 1) * row[i], tolerance) end
end

-- The largest |A v - value v| over all pairs, in double precision.
local function residue(a, values, vectors)
  local matrix, w, v, worst = a:totable(), values:totable(), vectors:totable(), 0
  for k = 1, #w do
    for i = 1, #w do
      local sum = -w[k] * v[k][i]
      for j = 1, #w do sum = sum + matrix[i][j] * v[k][j] end
      worst = math.max(worst, math.abs(sum))
    end
  end
  return worst
end

-- The largest absolute element of V V' - I; V has the vectors as rows.
local function skew(v) return (v:matmul(v:t()) - moon.eye(#v)):abs():max() end

local function symmetric(n, seed)
  moon.seed(seed)
  local a = moon.randn(n, n)
  return (a + a:t()) * 0.5
end

describe("eigh", function()
  it("of known 2 x 2 and 3 x 3 matrices", function()
    local values, vectors = moon.eigh(moon.tensor{{2, 1}, {1, 2}})
    local half = math.sqrt(0.5)
    near_list({1, 3}, values, 1e-6)
    near_row({half, -half}, vectors[1], 1e-6)
    near_row({half, half}, vectors[2], 1e-6)

    local root = math.sqrt(2)
    values, vectors = moon.eigh(moon.tensor{{2, -1, 0}, {-1, 2, -1}, {0, -1, 2}})
    near_list({2 - root, 2, 2 + root}, values, 2e-6)
    near_row({0.5, half, 0.5}, vectors[1], 2e-6)
    near_row({half, 0, -half}, vectors[2], 2e-6)
    near_row({0.5, -half, 0.5}, vectors[3], 2e-6)
  end)

  it("of diagonal, 1 x 1 and empty matrices", function()
    local values, vectors = moon.eigh(moon.tensor{{5, 0, 0}, {0, -1, 0}, {0, 0, 2}})
    assert.same({-1, 2, 5}, values:totable())
    assert.same({{0, 1, 0}, {0, 0, 1}, {1, 0, 0}}, vectors:abs():totable())
    values, vectors = moon.eigh(moon.tensor{{-3}})
    assert.same({-3}, values:totable())
    assert.equal(1, math.abs(vectors:get(1, 1)))
    values, vectors = moon.eigh(moon.zeros(0, 0))
    assert.same({0}, values.shape)
    assert.same({0, 0}, vectors.shape)
  end)

  -- The sizes are around the blocks of the algorithm: 64 columns, and 32 vectors in the back-transformation.
  for _, n in ipairs{2, 7, 31, 32, 33, 64, 65, 90, 130} do
    it(("of a random [%d x %d]: A v = value v, orthogonal vectors, ascending values"):format(n, n), function()
      local a = symmetric(n, n)
      local kept = a:clone()
      local values, vectors = moon.eigh(a)
      assert.is_true(a:equal(kept), "the matrix is as it was")
      local size = math.max(-values[1], values[n])
      assert.is_true(residue(a, values, vectors) < 2e-6 * size)
      assert.is_true(skew(vectors) < 5e-6)
      for i = 2, n do assert.is_true(values[i] >= values[i - 1]) end
      assert.near((a * moon.eye(n)):sum(), values:sum(), 1e-5 * n)
      assert.near(a:norm(), values:norm(), 1e-5 * a:norm())
    end)
  end

  it("gives orthogonal vectors for equal eigenvalues", function()
    moon.seed(2)
    local x = moon.randn(3, 60)
    local a = x:t():matmul(x)
    local values, vectors = moon.eigh(a)
    assert.is_true(values:rows(1, 57):abs():max() < 1e-6 * values[60])
    assert.is_true(values[58] > 1)
    assert.is_true(skew(vectors) < 5e-6)
  end)

  it("of numbers of any magnitude, and of block-diagonal matrices", function()
    for _, scale in ipairs{1e-44, 1e-30, 1e30, 3e37} do
      local values, vectors = moon.eigh(moon.tensor{{2, 1, 0}, {1, 2, 0}, {0, 0, 5}} * scale)
      local one, near = moon.tensor{scale}[1], scale < 1e-40 and 0.5 or 1e-6
      for i, v in ipairs{1, 3, 5} do assert.near(v, values[i] / one, near) end
      assert.is_true(skew(vectors) < 1e-6)
    end
    for _, a in ipairs{moon.zeros(5, 5), moon.ones(40, 40), moon.eye(33), moon.ones(70, 70) * 1e-38} do
      local values, vectors = moon.eigh(a)
      assert.is_true(skew(vectors) < 1e-6)
      assert.near(1, a:matmul(vectors:t()):sub_(vectors:t() * values):abs():max() / (a:norm() + 1e-30) + 1, 1e-6)
    end
  end)

  it("finds small eigenvalues beside large ones", function()
    local n = 60
    local a = moon.zeros(n, n)
    for i = 1, n do a:set(10 ^ (i / 10 - 3), i, i) end -- 1e-3 to 1e3
    local turn = select(2, moon.eigh(symmetric(n, 5)))
    local values, vectors = moon.eigh(turn:t():matmul(a):matmul(turn))
    for i = 1, n do assert.near(10 ^ (i / 10 - 3), values[i], 3e-4) end -- their precision in float32
    assert.is_true(skew(vectors) < 2e-6)
    values = moon.eigh(a)
    for i = 1, n do assert.near(1, values[i] / 10 ^ (i / 10 - 3), 1e-7) end
  end)

  it("gives the same bits in a second call", function()
    local a = symmetric(77, 3)
    local v1, w1 = moon.eigh(a)
    local v2, w2 = moon.eigh(a)
    assert.is_true(v1:equal(v2) and w1:equal(w2))
  end)

  it("reads only the lower triangle", function()
    local a = symmetric(9, 4)
    local values, vectors = moon.eigh(a)
    for i = 1, 9 do
      for j = i + 1, 9 do a:set(1000 + i * j, i, j) end
    end
    local again, same = moon.eigh(a)
    assert.is_true(again:equal(values) and same:equal(vectors))
  end)

  it("says what is wrong", function()
    assert.equal("eigh: [2 x 3] is not a square matrix", failure(moon.eigh, moon.zeros(2, 3)))
    assert.equal("eigh: [4] is not a square matrix", failure(moon.eigh, moon.zeros(4)))
    assert.equal("eigh: expected a float32 tensor, got uint8", failure(moon.eigh, moon.zeros(2, 2, {dtype = "uint8"})))
    for _, v in ipairs{0 / 0, math.huge, -math.huge} do
      assert.equal("eigh: the matrix has elements that are not finite", failure(moon.eigh, moon.tensor{{1, v}, {v, 1}}))
    end
    assert.matches("moonglass.tensor expected, got table", failure(moon.eigh, {{1}}))
  end)

  it("counts its workspace against the limit", function()
    local n = 300
    local a = symmetric(n, 1)
    collectgarbage()
    local matrix = n * n * 4
    moon.limits{memory = moon.info().memory + 2 * matrix} -- the result, but not the workspace of four matrices
    local ok, message = pcall(moon.eigh, a)
    moon.limits{memory = 0}
    assert.is_false(ok)
    assert.matches("out of memory: wanted %d+ bytes more", message)
    collectgarbage()
    local held = moon.info().memory
    moon.eigh(symmetric(n, 1))
    collectgarbage()
    collectgarbage()
    assert.equal(held, moon.info().memory)
  end)
end)

-- ---- little address space ----

describe("with less and less address space", function()
  -- Run a script under a limit in KB. Return the output and the exit status.
  local function run_within(limit, script)
    local command = ("{ ulimit -v %d; %s -e '%s'; } 2>&1"):format(limit, files.quote(program), script)
    local pipe = assert(io.popen(command))
    local output = pipe:read("a")
    local _, how, code = pipe:close()
    return output, how, code
  end

  local scripts = {
    eigh = [[local moon = require "moonglass" moon.seed(1) local a = moon.rand(%d, %d)
      local ok, values = pcall(function() return moon.eigh(a + a:t()) end)
      print(ok and #values or values)]],
    pca = [[local moon = require "moonglass" moon.seed(1) local ok, p = pcall(function()
      return moon.pca(moon.rand(%d, %d), 1) end)
      print(ok and p.components:size(2) or p)]],
  }

  -- The smallest limit, in steps of 250 KB, with which the program can start.
  local function least()
    for limit = 8000, 80000, 250 do
      if run_within(limit, "print(1)") == "1\n" then return limit end
    end
  end

  for name, script in pairs(scripts) do
    for _, n in ipairs{8, 64, 300, 700} do
      it(("%s of %d columns is right or out of memory, and never ends the process"):format(name, n), function()
        local limit, right, refused = least(), 0, 0
        if not limit then return pending "no start in 80 MB of address space: a sanitizer needs more" end
        while right < 4 do
          limit = limit + (n < 300 and 100 or 1000)
          local output, how, code = run_within(limit, script:format(n, n))
          assert.equal("exit", how, ("%d KB: %s %s"):format(limit, code, output))
          if output == n .. "\n" then right = right + 1 else refused = refused + 1 end
          assert.is_true(output == n .. "\n" or output:find "memory" ~= nil, ("%d KB: %s"):format(limit, output))
        end
        assert.is_true(refused > 0 or n < 300)
      end)
    end
  end
end)

-- ---- an independent analysis, in double precision ----

-- Eigenvalues, descending, with their vectors as rows, by Jacobi's rotations of a (Golub and Van Loan, 8.5).
local function jacobi(a)
  local n, v = #a, {}
  for i = 1, n do
    v[i] = {}
    for j = 1, n do v[i][j] = i == j and 1 or 0 end
  end
  local function turn(p, q)
    if a[p][q] == 0 then return end
    local tau = (a[q][q] - a[p][p]) / (2 * a[p][q])
    local t = (tau >= 0 and 1 or -1) / (math.abs(tau) + math.sqrt(1 + tau * tau))
    local c = 1 / math.sqrt(1 + t * t)
    local s = t * c
    for k = 1, n do a[k][p], a[k][q] = c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q] end
    for k = 1, n do a[p][k], a[q][k] = c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k] end
    for k = 1, n do v[p][k], v[q][k] = c * v[p][k] - s * v[q][k], s * v[p][k] + c * v[q][k] end
  end
  for _ = 1, 12 do
    for p = 1, n do
      for q = p + 1, n do turn(p, q) end
    end
  end
  local pairs_of = {}
  for i = 1, n do pairs_of[i] = {value = a[i][i], vector = v[i]} end
  table.sort(pairs_of, function(x, y) return x.value > y.value end)
  return pairs_of
end

-- Mean and covariance (divided by n) of rows in nested lists.
local function moments(rows)
  local n, d, mean, covariance = #rows, #rows[1], {}, {}
  for j = 1, d do
    mean[j] = 0
    for _, row in ipairs(rows) do mean[j] = mean[j] + row[j] / n end
  end
  for i = 1, d do
    covariance[i] = {}
    for j = 1, d do
      covariance[i][j] = 0
      for _, row in ipairs(rows) do
        covariance[i][j] = covariance[i][j] + (row[i] - mean[i]) * (row[j] - mean[j]) / n
      end
    end
  end
  return mean, covariance
end

-- Rows with correlated columns and different variances.
local function rows_of(n, d, seed)
  moon.seed(seed)
  return (moon.randn(n, d) * moon.arange(d, 0, -1)):matmul(moon.randn(d, d)):add_(moon.arange(d))
end

local function each_close(a, b, tolerance)
  assert.same(b.shape, a.shape)
  assert.is_true((a - b):abs():max() <= tolerance, ("differ by %g"):format((a - b):abs():max()))
end

describe("pca", function()
  it("agrees with Jacobi's rotations of the covariance", function()
    local x = rows_of(200, 6, 3)
    local p = moon.pca(x, 4, {batch_size = 30})
    local mean, covariance = moments(x:totable())
    local total = 0
    for i = 1, 6 do total = total + covariance[i][i] end
    local expected = jacobi(covariance)
    near_list(mean, p.mean, 1e-5)
    assert.same({4, 6}, p.components.shape)
    assert.same({4}, p.variance.shape)
    for k = 1, 4 do
      local value = expected[k].value
      assert.near(value, p.variance[k], 2e-6 * expected[1].value)
      assert.near(value / total, p.explained_ratio[k], 1e-5)
      near_row(expected[k].vector, p.components[k], 2e-4)
    end
    assert.equal("pca 6->4, " .. ("%.4g"):format(p.explained_ratio:sum()) .. " of the variance", tostring(p))
  end)

  it("finds a line", function()
    local x = moon.tensor{{1, 2}, {4, 6}, {-2, -2}, {7, 10}} -- along (3, 4)
    local p = moon.pca(x, 2)
    near_list({2.5, 4}, p.mean, 1e-6)
    near_list({0.6, 0.8}, p.components[1], 1e-6)
    near_list({-0.8, 0.6}, p.components[2]:get(2) > 0 and p.components[2] or -p.components[2], 1e-6)
    near_list({31.25, 0}, p.variance, 1e-5)
    near_list({1, 0}, p.explained_ratio, 1e-6)
    near_list({-2.5, 2.5, -7.5, 7.5}, p:encode(x):t()[1], 1e-5)
  end)

  it("gives orthogonal rows, each with a positive largest entry, and descending variances", function()
    for seed = 1, 5 do
      local p = moon.pca(rows_of(50, 9, seed), 9)
      assert.is_true(skew(p.components) < 3e-6)
      for k = 1, 9 do
        assert.is_true(p.components[k]:max() >= -p.components[k]:min())
        assert.is_true(k == 1 or p.variance[k] <= p.variance[k - 1])
      end
    end
  end)

  it("reconstructs everything with k = d", function()
    local x = rows_of(40, 7, 1)
    local p = moon.pca(x, 7)
    local size = x:abs():max()
    each_close(p:reconstruct(x), x, 2e-6 * size)
    each_close(p:decode(p:encode(x)), x, 2e-6 * size)
    local other = rows_of(11, 7, 2)
    each_close(p:reconstruct(other), other, 2e-6 * size + 2e-6 * other:abs():max())
    assert.is_true(p:errors(x):max() < 1e-11 * size * size)
    near_list({1}, p.explained_ratio:sum(1) * moon.ones(1), 1e-5)
  end)

  it("has the error of the dropped directions", function()
    local x = rows_of(333, 8, 6)
    local whole, p = moon.pca(x, 8), moon.pca(x, 3)
    local left = whole.variance:sum() - p.variance:sum()
    assert.near(left, p:errors(x):mean() * 8, 1e-5 * left)
    -- Row by row, from the definition.
    local mean, w = p.mean:totable(), p.components:totable()
    local errors = p:errors(x)
    for i = 1, 333, 50 do
      local row, sum = x[i]:totable(), 0
      local rebuilt = table.move(mean, 1, 8, 1, {})
      for k = 1, 3 do
        local code = 0
        for j = 1, 8 do code = code + (row[j] - mean[j]) * w[k][j] end
        for j = 1, 8 do rebuilt[j] = rebuilt[j] + code * w[k][j] end
        assert.near(code, p:encode(x):get(i, k), 1e-4)
      end
      for j = 1, 8 do
        sum = sum + (rebuilt[j] - row[j]) ^ 2
        assert.near(rebuilt[j], p:reconstruct(x):get(i, j), 1e-4)
      end
      assert.near(sum / 8, errors[i], 1e-4 * sum / 8 + 1e-7)
    end
  end)

  it("gives the same in batches of any size, and does not change x", function()
    local x = rows_of(101, 5, 8)
    local kept = x:clone()
    local p = moon.pca(x, 2)
    for _, size in ipairs{1, 7, 100, 101, 5000} do
      local o = {batch_size = size}
      local q = moon.pca(x, 2, o)
      each_close(q.mean, p.mean, 1e-5)
      each_close(q.components, p.components, 1e-5)
      each_close(q.variance, p.variance, 1e-5 * p.variance[1])
      each_close(p:encode(x, o), p:encode(x), 1e-4)
      each_close(p:decode(p:encode(x), o), p:reconstruct(x), 1e-4)
      each_close(p:reconstruct(x, o), p:reconstruct(x), 1e-4)
      each_close(p:errors(x, o), p:errors(x), 1e-4 * p:errors(x):max())
    end
    assert.is_true(x:equal(kept))
    assert.same({0, 2}, p:encode(moon.zeros(0, 5)).shape)
    assert.same({0}, p:errors(moon.zeros(0, 5)).shape)
  end)

  it("counts bytes as value/255", function()
    moon.seed(5)
    local bytes = (moon.rand(60, 12) * 255):byte()
    local floats = bytes:float() / 255
    local p, q = moon.pca(bytes, 3), moon.pca(floats, 3)
    assert.is_true(p.mean:max() < 1)
    each_close(p.mean, q.mean, 1e-6)
    each_close(p.components, q.components, 1e-4)
    each_close(p:encode(bytes), p:encode(floats), 1e-6)
    each_close(p:reconstruct(bytes), p:reconstruct(floats), 1e-6)
    each_close(p:errors(bytes), p:errors(floats), 1e-7)
  end)

  it("is accurate far from zero", function()
    moon.seed(7)
    local small = moon.randn(4000, 3) * moon.tensor{3, 2, 1}
    local far = small + 4096 -- in steps of 1/2048
    local _, covariance = moments(far:totable())
    local expected = jacobi(covariance)
    local p = moon.pca(far, 3, {batch_size = 100})
    for k = 1, 3 do assert.near(expected[k].value, p.variance[k], 1e-5 * expected[1].value) end
  end)

  it("takes fewer rows than columns, one row, and equal rows", function()
    local x = rows_of(3, 10, 9)
    local p = moon.pca(x, 10) -- rank 2: the other eigenvalues are 0, or slightly negative by rounding
    each_close(moon.pca(x, 2):reconstruct(x), x, 3e-6 * x:abs():max())
    assert.near(1, p.explained_ratio:rows(1, 2):sum(), 1e-5)
    assert.is_true(p.variance:min() >= 0)
    for _, same in ipairs{moon.ones(1, 4) * 3, moon.ones(20, 4) * 3} do
      p = moon.pca(same, 2)
      assert.same({0, 0}, p.variance:totable())
      assert.same({0, 0}, p.explained_ratio:totable())
      each_close(p:reconstruct(same), same, 1e-6)
      assert.is_true(skew(p.components) < 1e-6)
    end
  end)

  it("never converts all bytes to floats at once", function()
    moon.seed(1)
    local x = (moon.rand(40000, 25) * 255):byte()
    collectgarbage()
    moon.limits{memory = moon.info().memory + 2000000} -- as floats they take 4,000,000
    local ok, p = pcall(moon.pca, x, 5, {batch_size = 500})
    local fine, errors = pcall(function() return p:errors(x, {batch_size = 500}) end)
    moon.limits{memory = 0}
    assert.is_true(ok, tostring(p))
    assert.is_true(fine, tostring(errors))
    assert.near(25 / 12, p.variance:sum() + 25 * errors:mean(), 0.05) -- uniform in 0..1: a variance of 1/12 each
  end)

  it("says what is wrong", function()
    local x = moon.rand(6, 4)
    local p = moon.pca(x, 2)
    assert.equal("pca: x is a table, expected a tensor", failure(moon.pca, {{1}}, 1))
    assert.equal("pca: x is [4], expected [rows x columns]", failure(moon.pca, x[1], 1))
    assert.equal("pca: x is [2 x 3 x 4] uint8, expected [rows x columns]",
      failure(moon.pca, moon.zeros(2, 3, 4, {dtype = "uint8"}), 1))
    assert.equal("pca: x is [0 x 4], expected at least one row", failure(moon.pca, moon.zeros(0, 4), 1))
    assert.equal("pca: x has rows of 40000, expected at most 32766", failure(moon.pca, moon.zeros(1, 40000), 1))
    for _, k in ipairs{0, 5, 1.5, "2", -1} do
      assert.matches("^pca: k is .*, expected a whole number of 1 to 4$", failure(moon.pca, x, k))
    end
    assert.equal("pca: k is nil, expected a whole number of 1 to 4", failure(moon.pca, x))
    for v, shown in pairs{[-math.huge] = "-inf", [math.huge] = "inf", [1e30] = "1e+30"} do
      local bad = x:clone()
      bad:set(v, 3, 2)
      assert.equal(("pca: x has %s in row 3, column 2, expected finite numbers, of at most 1e+15"):format(shown),
        failure(moon.pca, bad, 2))
    end
    local holed = x:clone()
    holed:set(0 / 0, 3, 2)
    assert.equal("pca: x has nan in row 3, column 2, expected finite numbers, of at most 1e+15",
      failure(moon.pca, holed, 2))
    assert.equal(known.fill "pca: unknown option 'size' (known: <PcaOptions>)", failure(moon.pca, x, 2, {size = 3}))
    assert.equal("encode: x is [6 x 3], expected [rows x 4]", failure(p.encode, p, moon.rand(6, 3)))
    assert.equal("decode: code is [6 x 4], expected [rows x 2]", failure(p.decode, p, x))
    assert.equal("reconstruct: x is nil, expected a tensor", failure(p.reconstruct, p))
    assert.equal("errors: x is [4], expected [rows x 4]", failure(p.errors, p, x[1]))
    assert.matches("^spec/api/pca_spec%.lua:%d+: pca: k is 9", select(2, pcall(function() moon.pca(x, 9) end)))
  end)
end)

describe("pca of MNIST", function()
  it("reproduces the published squared errors of the test images", function()
    local folder, what = moon.data.find()
    if not folder or what:find "Fashion" then return pending "MNIST is not here" end
    local train, test = assert(moon.data.mnist(folder, "train")), assert(moon.data.mnist(folder, "test"))
    local p = moon.pca(train, 64)
    assert.near(7.09, p:errors(test):mean() * 784, 0.01)
    -- The directions are orthogonal: dropping those after the k-th adds the squares of their codes to the error.
    local squares = p:encode(test):square():mean(1)
    for k, published in pairs{[2] = 43.65, [8] = 29.35, [16] = 21.06, [30] = 13.87, [32] = 13.19} do
      assert.near(published, p:errors(test):mean() * 784 + squares:rows(k + 1, 64):sum(), 0.01)
    end
  end)
end)

-- Tensors from Lua: constructors, elements, views, arithmetic, reductions, products, bytes, and how they print.
local moon = require "moonglass"
local formulas = dofile "spec/support/formulas.lua"
local expect = dofile "spec/support/expect.lua"
local known = dofile "spec/support/known.lua"

local failure, shape = expect.failure, expect.shape

-- The message of t:name(...).
local function fails(t, name, ...) return failure(t[name], t, ...) end

local function same_numbers(expected, t, tolerance)
  local flat = t:reshape(t:numel())
  assert.equal(#expected, #flat)
  for i, v in ipairs(expected) do
    if v ~= v then
      assert.is_true(flat[i] ~= flat[i], ("element %d is %g, expected nan"):format(i, flat[i]))
    else
      assert.is_true(v == flat[i] or math.abs(v - flat[i]) <= (tolerance or 0),
        ("element %d is %.9g, expected %.9g"):format(i, flat[i], v))
    end
  end
end

local inf, nan = math.huge, 0 / 0

describe("tensor constructors", function()
  it("take nested lists", function()
    assert.same({ 2, 3 }, moon.tensor { { 1, 2, 3 }, { 4, 5, 6 } }.shape)
    assert.same({ 3 }, moon.tensor({ 1, 2, 3 }).shape)
    assert.same({ 1, 1, 1, 1 }, moon.tensor { { { { 7 } } } }.shape)
    assert.same({ 0 }, moon.tensor({}).shape)
    assert.same({ 2, 0 }, moon.tensor({ {}, {} }).shape)
    local single = moon.tensor(2.5)
    assert.same({}, single.shape)
    assert.equal(2.5, single:get())
  end)

  it("name the place where a list is irregular", function()
    assert.equal("tensor: list [2] has length 1, expected 2", failure(moon.tensor, { { 1, 2 }, { 3 } }))
    assert.equal("tensor: list [2][1] has length 0, expected 1", failure(moon.tensor, { { { 1 } }, { {} } }))
    assert.equal("tensor: element [2] is 3, expected a list of 2", failure(moon.tensor, { { 1, 2 }, 3 }))
    assert.equal("tensor: element [1][2] is '2' (a string), expected a number", failure(moon.tensor, { { 1, "2" } }))
    assert.equal("tensor: element [2] is a table, expected a number", failure(moon.tensor, { 1, { 2 } }))
    assert.equal("tensor: element [2] is nil, expected a number", failure(moon.tensor, { 1, nil, 3 }))
    assert.equal("tensor: the lists are nested more than 4 deep, expected at most 4 dimensions",
      failure(moon.tensor, { { { { { 1 } } } } }))
    assert.equal("tensor: argument 1 is '3' (a string), expected a number, a list or a tensor",
      failure(moon.tensor, "3"))
    local endless = {}
    endless[1] = endless
    assert.equal("tensor: the lists are nested more than 4 deep, expected at most 4 dimensions",
      failure(moon.tensor, endless))
  end)

  it("copy a tensor", function()
    local t = moon.tensor { 1, 2 }
    local u = moon.tensor(t)
    u[1] = 9
    assert.equal(1, t[1])
    assert.equal("uint8", moon.tensor(t, { dtype = "uint8" }).dtype)
    assert.equal("uint8", moon.tensor(moon.zeros(2, { dtype = "uint8" })).dtype)
  end)

  it("take sizes in every form", function()
    for _, t in ipairs { moon.zeros(2, 3), moon.zeros { 2, 3 }, moon.zeros(moon.ones(2, 3).shape),
      moon.zeros(2.0, 3) } do
      assert.same({ 2, 3 }, t.shape)
      assert.equal("float32", t.dtype)
      assert.equal(0, t:sum())
    end
    for _, t in ipairs { moon.ones(2, 3, { dtype = "uint8" }), moon.ones({ 2, 3 }, { dtype = "uint8" }),
      moon.ones { 2, 3, dtype = "uint8" } } do
      assert.same({ 2, 3 }, t.shape)
      assert.equal("uint8", t.dtype)
      assert.equal(6, t:sum())
    end
    assert.same({}, moon.zeros({}).shape)
    assert.equal(0, moon.zeros(3, 0):numel())
    same_numbers({ 2.5, 2.5 }, moon.full(2.5, 2))
    same_numbers({ 1, 0, 0, 1 }, moon.eye(2))
  end)

  it("refuse bad sizes", function()
    assert.equal("zeros: size 2 is 0.5, expected a whole number of at least 0", failure(moon.zeros, 2, 0.5))
    assert.equal("zeros: size 1 is -1, expected a whole number of at least 0", failure(moon.zeros, -1))
    assert.equal("zeros: size 1 is nan, expected a whole number of at least 0", failure(moon.zeros, nan))
    assert.equal("zeros: size 1 is inf, expected a whole number of at least 0", failure(moon.zeros, inf))
    assert.equal("zeros: size 1 is '3' (a string), expected a whole number of at least 0", failure(moon.zeros, "3"))
    assert.equal("ones: size 1 is nil, expected a whole number of at least 0", failure(moon.ones, nil, 2))
    assert.equal("rand: size 2 is a table, expected a whole number of at least 0", failure(moon.rand, 2, { 3 }))
    assert.equal("zeros: got 5 sizes, expected at most 4", failure(moon.zeros, 1, 1, 1, 1, 1))
    assert.equal("zeros: got no sizes, expected numbers or one table of numbers", failure(moon.zeros))
    assert.equal(known.fill "zeros: unknown option 'dtpye'; did you mean 'dtype'? (known: <TensorOptions>)",
      failure(moon.zeros, 2, { dtpye = "uint8" }))
    assert.equal(known.fill "zeros: unknown dtype 'int8'; did you mean 'uint8'? (known: <Dtype>)",
      failure(moon.zeros, 2, { dtype = "int8" }))
    assert.equal("full: value is nil, expected a number", failure(moon.full, nil, 2))
    for _, size in ipairs { 2 ^ 53, 1 << 62, math.maxinteger } do
      assert.is_false(pcall(moon.zeros, size))
      assert.is_false(pcall(moon.zeros, size, size))
    end
  end)

  it("count to the end, which arange excludes", function()
    same_numbers({ 0, 1, 2 }, moon.arange(3))
    same_numbers({ 2, 3, 4 }, moon.arange(2, 5))
    same_numbers({ 0, 0.25, 0.5, 0.75 }, moon.arange(0, 1, 0.25))
    same_numbers({ 3, 2, 1 }, moon.arange(3, 0, -1))
    assert.equal(0, #moon.arange(3, 0))
    for _, c in ipairs{
      {1, 1.3, 0.1, 3}, {1, 1.6, 0.1, 6}, {1, 1.5, 0.1, 5}, {0.65, 0.8, 0.05, 3}, {0, 1001 * 0.001, 0.001, 1001},
      {2114.8, 2114.85, 0.05, 1}, {1.3, 1, -0.1, 3}, {0, 1, 1 / 3, 3}, {0, 1e8, 3e7, 4}, {0, 17.32573393714543,
      17.32573393714543 / 1000000, 1000000}, {1, 1 + 1e-9, 1e-10, 0}, {16777216, 16777220, 1, 3},
    } do
      local t = moon.arange(c[1], c[2], c[3])
      assert.same({c[4], 0}, {#t, math.tointeger((c[3] > 0 and t:ge(c[2]) or t:le(c[2])):sum())}, c[2])
    end
    assert.equal("uint8", moon.arange(3, { dtype = "uint8" }).dtype)
    same_numbers({ 1, 1.5, 2 }, moon.linspace(1, 2, 3))
    same_numbers({ 1 }, moon.linspace(1, 2, 1))
    assert.equal(0, #moon.linspace(1, 2, 0))
    assert.equal("arange: step is 0, expected a number other than 0", failure(moon.arange, 1, 2, 0))
    assert.equal("arange: end is nan, expected a finite number", failure(moon.arange, nan))
    assert.is_truthy(failure(moon.arange, 0, 1e300):find("more than memory can hold", 1, true))
    assert.equal("linspace: count is 1.5, expected a whole number of at least 0", failure(moon.linspace, 0, 1, 1.5))
  end)

  it("draw only floats", function()
    for _, name in ipairs{"rand", "randn"} do
      assert.equal(name .. ": dtype is uint8, expected float32; t:byte() converts the result",
        failure(moon[name], 2, 3, {dtype = "uint8"}))
    end
  end)

  it("draw from the context's stream", function()
    moon.seed(7)
    local a, b, c = moon.rand(40, 50), moon.randn(40, 50), moon.randperm(100)
    moon.seed(7)
    assert.is_true(a == moon.rand(40, 50))
    assert.is_true(b == moon.randn(40, 50))
    assert.is_true(c == moon.randperm(100))
    assert.is_true(a:min() >= 0 and a:max() < 1 and math.abs(a:mean() - 0.5) < 0.03)
    assert.is_true(math.abs(b:mean()) < 0.1 and math.abs(b:std() - 1) < 0.06)
    local seen = c:totable()
    table.sort(seen)
    for i = 1, 100 do assert.equal(i, seen[i]) end
    assert.equal("randperm: count is -1, expected a whole number of 0 to 16777216", failure(moon.randperm, -1))
  end)
end)

describe("moon.draw_seed", function()
  it("gives whole numbers from the context's stream", function()
    moon.seed(4)
    local a, b = moon.draw_seed(), moon.draw_seed()
    moon.seed(4)
    assert.equal(a, moon.draw_seed())
    assert.equal("integer", math.type(a))
    assert.is_true(a ~= b and a >= 0 and a < 1 << 53)
  end)
end)

describe("tensor elements", function()
  it("are rows, then numbers", function()
    local t = moon.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
    assert.equal(2, #t)
    assert.equal(6, t:numel())
    assert.equal(2, t:rank())
    assert.equal(3, t:size(2))
    assert.equal(6, t[2][3])
    assert.equal(6, t[2.0][3])
    t[1][2] = 20
    assert.equal(20, t:get(1, 2))
    assert.equal(t, t:set(30, 1, 3))
    t[2] = 7
    same_numbers({ 1, 20, 30, 7, 7, 7 }, t)
    t[2] = t[1]
    t[1] = moon.tensor({ 1, 2, 3 }, { dtype = "uint8" })
    same_numbers({ 1, 2, 3, 1, 20, 30 }, t)
  end)

  it("stop ipairs at the end", function()
    local sum = 0
    for _, row in ipairs(moon.tensor { { 1, 2 }, { 3, 4 } }) do
      for _, v in ipairs(row) do sum = sum + v end
    end
    assert.equal(10, sum)
    local t = moon.zeros(3)
    assert.is_nil(t[4])
    assert.equal("index 5 is out of range 1..3", failure(function() return t[5] end))
    assert.equal("index 0 is out of range 1..3", failure(function() return t[0] end))
    assert.equal("index -1 is out of range 1..3", failure(function() return t[-1] end))
    assert.equal("index is 1.5, expected a whole number", failure(function() return t[1.5] end))
    assert.equal("index is nan, expected a whole number", failure(function() return t[nan] end))
    assert.equal("index 4 is out of range 1..3", failure(function() t[4] = 0 end))
    assert.equal("index " .. math.mininteger .. " is out of range 1..3",
      failure(function() return t[math.mininteger] end))
    assert.equal("a tensor is indexed by numbers and names, not by a boolean",
      failure(function() return t[true] end))
    assert.is_truthy(failure(function() return moon.tensor(1)[1] end):find("rank 0", 1, true))
    assert.is_truthy(failure(function() return #moon.tensor(1) end):find("rank 0", 1, true))
  end)

  it("raise on names that do not exist", function()
    local t = moon.zeros(2)
    assert.equal("a tensor has no field or method 'sume'; did you mean 'sum'?", failure(function() return t.sume end))
    assert.equal("a tensor has no field 'shape' that can be set", failure(function() t.shape = { 1 } end))
  end)

  it("check assigned values", function()
    local t = moon.zeros(2, 3)
    assert.equal("t[i] = v: value is 'x' (a string), expected a tensor or a number",
      failure(function() t[1] = "x" end))
    assert.equal("t[i] = v: value is nil, expected a number", failure(function() t[1][1] = nil end))
    assert.equal("copy: [2] does not fit into [3]", failure(function() t[1] = moon.ones(2) end))
    assert.equal("get: [2 x 3] takes 2 indices, got 1", fails(t, "get", 1))
    assert.equal("get: index 2 is 4, expected a whole number of 1 to 3", fails(t, "get", 1, 4))
    assert.equal("set: index 1 is 0, expected a whole number of 1 to 2", fails(t, "set", 9, 0, 1))
    assert.equal("set: value is nil, expected a number", fails(t, "set", nil, 1, 1))
    assert.equal(0, t:sum())
  end)
end)

describe("tensor views", function()
  it("share their storage", function()
    local t = moon.arange(12):reshape(3, 4)
    local flat, rows, row = t:reshape(-1), t:rows(2, 3), t[3]
    rows[1] = 50
    row[4] = 70
    same_numbers({ 0, 1, 2, 3, 50, 50, 50, 50, 8, 9, 10, 70 }, flat)
    same_numbers({ 8, 9, 10, 70 }, t:rows(3))
    assert.equal("1 4", shape(t:rows(3)))
    assert.equal("0 4", shape(t:rows(4, 3)))
    t = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.equal(70, rows[2][4])
  end)

  it("take any shape of the same size", function()
    local t = moon.arange(24)
    assert.equal("2 3 4", shape(t:reshape(2, 3, -1)))
    assert.equal("24", shape(t:reshape { 24 }))
    assert.equal("2 3 4", shape(t:reshape(moon.zeros(2, 3, 4).shape)))
    assert.equal("", shape(moon.ones(1):reshape {}))
    assert.equal("0 5", shape(moon.zeros(0):reshape(-1, 5)))
    assert.equal("reshape: [24] has 24 elements, which do not make [5 x -1]", fails(t, "reshape", 5, -1))
    assert.equal("reshape: [24] has 24 elements, which do not make [-1 x -1]", fails(t, "reshape", -1, -1))
    assert.equal("reshape: [24] has 24 elements, which do not make [0 x -1]", fails(t, "reshape", 0, -1))
    assert.equal("reshape: size 1 is -2, expected a whole number of at least -1", fails(t, "reshape", -2))
    assert.is_false(pcall(t.reshape, t, 1 << 62, 1 << 62))
    assert.equal("rows: first row is 0, expected a whole number of 1 to 24", fails(t, "rows", 0))
    assert.equal("rows: last row is 25, expected a whole number of 1 to 24", fails(t, "rows", 2, 25))
  end)

  it("gather and copy", function()
    local t = moon.arange(6):reshape(3, 2)
    same_numbers({ 4, 5, 0, 1, 4, 5 }, t:index { 3, 1, 3 })
    same_numbers({ 2, 3 }, t:index(moon.tensor { 2 }))
    same_numbers({ 4, 5 }, t:index(moon.tensor({ 3 }, { dtype = "uint8" })))
    assert.equal("0 2", shape(t:index {}))
    assert.equal("uint8", t:byte():index({ 1 }).dtype)
    assert.equal("index: row 2 is 4, expected a whole number of 1 to 3", fails(t, "index", { 1, 4 }))
    assert.equal("index: row 1 is 1.5, expected a whole number of 1 to 3", fails(t, "index", moon.tensor { 1.5 }))
    assert.equal("index: row 1 is nan, expected a whole number of 1 to 3", fails(t, "index", moon.tensor { nan }))
    assert.equal("index: rows is 3, expected a list or a tensor of one dimension", fails(t, "index", 3))
    assert.equal("index: rows is [3 x 2], expected a list or a tensor of one dimension", fails(t, "index", t))
    local u = t:clone()
    u:zero_()
    assert.equal(15, t:sum())
    assert.equal(t, t:copy_(moon.ones(3, 2)))
    assert.equal(6, t:sum())
    assert.same({ { 1, 1 }, { 1, 1 }, { 1, 1 } }, t:totable())
    assert.same(3, moon.tensor(3):totable())
    assert.equal("copy: [2 x 3] does not fit into [3 x 2]", fails(t, "copy_", moon.zeros(2, 3)))
  end)

  it("are concatenated by cat", function()
    local a, b = moon.tensor { { 1, 2 }, { 3, 4 } }, moon.tensor { { 5, 6 } }
    same_numbers({ 1, 2, 3, 4, 5, 6 }, moon.cat { a, b })
    local c = moon.cat({ a, moon.tensor { { 7 }, { 8 } } }, 2)
    assert.equal("2 3", shape(c))
    same_numbers({ 1, 2, 7, 3, 4, 8 }, c)
    local d = moon.cat({ moon.zeros(2, 1, 2), moon.ones(2, 2, 2) }, 2)
    same_numbers({ 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1 }, d)
    assert.equal("uint8", moon.cat({ a:byte(), b:byte() }).dtype)
    assert.equal("cat: [2 x 2] and [1 x 2] do not fit: only dimension 2 of 2 may differ",
      failure(moon.cat, { a, b }, 2))
    assert.equal("cat: expected float32 as in the result, got uint8", failure(moon.cat, { a, b:byte() }))
    assert.equal("cat: part 2 is 3, expected a tensor", failure(moon.cat, { a, 3 }))
    assert.equal("cat: the list is empty, expected at least one tensor", failure(moon.cat, {}))
    assert.equal("cat: dim is 3, expected a whole number of 1 to 2", failure(moon.cat, { a, b }, 3))
  end)
end)

describe("tensor arithmetic", function()
  local m = moon.tensor { { 1, 2, 3 }, { 4, 5, 6 } }

  it("broadcasts numbers, single elements and rows on either side", function()
    same_numbers({ 2, 3, 4, 5, 6, 7 }, m + 1)
    same_numbers({ 9, 8, 7, 6, 5, 4 }, 10 - m)
    same_numbers({ 2, 1, 2 / 3, 0.5, 0.4, 1 / 3 }, 2 / m, 1e-7)
    same_numbers({ 2, 4, 6, 8, 10, 12 }, m * moon.tensor { 2 })
    same_numbers({ 11, 22, 33, 14, 25, 36 }, m + moon.tensor { 10, 20, 30 })
    same_numbers({ 9, 18, 27, 6, 15, 24 }, moon.tensor { { 10, 20, 30 } } - m)
    same_numbers({ -1, -2, -3, -4, -5, -6 }, -m)
    same_numbers({ 1, 4, 9, 16, 25, 36 }, m * m)
    same_numbers({ 1, 4, 9, 16, 25, 36 }, m ^ 2, 1e-5)
    assert.equal("1 3", shape(moon.ones(3) + moon.ones(1, 3)))
    assert.equal("1 1", shape(moon.ones(1) + moon.ones(1, 1)))
    assert.equal("0 3", shape(moon.ones(0, 3) + moon.ones(3)))
    assert.equal("0 3", shape(moon.ones(1, 3) + moon.ones(0, 3)))
    assert.equal("2 4 3", shape(moon.ones(2, 4, 3) * moon.ones(3)))
  end)

  it("agrees with a plain loop on rows of every width", function()
    for _, width in ipairs { 2, 3, 17, 784, 2048, 2049, 5000 } do
      local rows = width > 1000 and 3 or 90
      local a, r = moon.rand(rows, width), moon.rand(width)
      local as, rs = a:totable(), r:totable()
      local forward, backward = (a - r):totable(), (r:mul(255):byte() - a):totable()
      for i = 1, rows, 7 do
        for j = 1, width do
          assert.is_true(math.abs(forward[i][j] - (as[i][j] - rs[j])) < 1e-7)
          local byte = math.floor(rs[j] * 255 + 0.5)
          assert.is_true(math.abs(backward[i][j] - (byte - as[i][j])) <= 1.0001)
        end
      end
    end
  end)

  it("names shapes that do not match", function()
    local rule = "do not fit: shapes must be equal, or one a single element, a row, or a column [r x 1]"
    assert.equal("add: [2 x 3] and [4 x 3] " .. rule,
      failure(function() return m + moon.ones(4, 3) end))
    assert.equal("sub: [2 x 3] and [2] " .. rule,
      failure(function() return m - moon.ones(2) end))
    assert.equal("mul: operand 2 is '2' (a string), expected a tensor or a number",
      failure(function() return m * "2" end))
    assert.equal("mul: operand 1 is '2' (a string), expected a tensor or a number",
      failure(function() return "2" * m end))
    assert.equal("add: operand 2 is missing, expected a tensor or a number", fails(m, "add"))
    assert.equal("pow: expected a tensor raised to a number, got 2 ^ a moonglass.tensor",
      failure(function() return 2 ^ m end))
  end)

  it("works in place", function()
    local t = moon.tensor { { 1, 2, 3 }, { 4, 5, 6 } }
    assert.equal(t, t:add_(1))
    same_numbers({ 2, 3, 4, 5, 6, 7 }, t)
    same_numbers({ 4, 6, 8, 10, 12, 14 }, t:add_(t))
    same_numbers({ 3, 4, 5, 9, 10, 11 }, t:add_(moon.tensor { 2, 4, 6 }, -0.5):sub_(moon.zeros(2, 3)), 0)
    same_numbers({ 1, 1, 1, 1, 1, 1 }, t:div_(t):mul_(1))
    same_numbers({ 7, 7, 7, 7, 7, 7 }, t:fill_(7))
    same_numbers({ 5, 5, 5, 5, 5, 5 }, t:sub(moon.ones(2, 3), 2))
    assert.equal("add: alpha is 'x' (a string), expected a number", fails(t, "add_", 1, "x"))
    assert.equal("sub: the result is [4 x 2], which does not fit into [2]",
      fails(moon.ones(2), "sub_", moon.ones(4, 2)))
    assert.equal("sub: the result overlaps an operand; clone that first", fails(t, "sub_", t[1]))
    assert.equal("add: the tensor is uint8, expected float32; t:float() is a float32 copy",
      fails(moon.zeros(2, { dtype = "uint8" }), "add_", 1))
    same_numbers({ 7, 7, 7, 7, 7, 7 }, t)
    local line = moon.arange(10)
    local tail = line:rows(2, 6)
    assert.equal("add: the result overlaps an operand; clone that first", fails(tail, "add_", line:rows(1, 5)))
    same_numbers({ 0, 0, 0 }, moon.full(5, 3):sub_(moon.full(5, 1)))
    local first = moon.tensor { 4, 5, 6 }
    same_numbers({ 0, 1, 2 }, first:sub_(first:rows(1)))
  end)

  it("compares", function()
    local a, b = moon.tensor { 1, 2, nan }, moon.tensor { 1, 3, nan }
    same_numbers({ 1, 0, 0 }, a:eq(b))
    same_numbers({ 0, 1, 1 }, a:ne(b))
    same_numbers({ 0, 1, 0 }, a:lt(b))
    same_numbers({ 1, 1, 0 }, a:le(b))
    same_numbers({ 0, 1, 0 }, a:gt(1))
    same_numbers({ 1, 1, 0 }, a:ge(1))
    same_numbers({ 2, 2, nan }, a:maximum(2))
    same_numbers({ 1, 2, nan }, moon.tensor({ 5, 5, 5 }):minimum(a))
    assert.is_true(moon.ones(2, 3) == moon.ones(2, 3, { dtype = "uint8" }))
    assert.is_false(moon.ones(2, 3) == moon.ones(3, 2))
    assert.is_false(moon.full(nan, 1) == moon.full(nan, 1))
    assert.is_true(moon.full(inf, 1):equal(moon.full(inf, 1)))
    assert.is_false(moon.ones(1) == io.stdout)
    assert.is_true(moon.ones(3):allclose(moon.full(1 + 5e-6, 3)))
    assert.is_false(moon.ones(3):allclose(moon.full(1 + 5e-5, 3)))
    assert.is_true(moon.ones(3):allclose(moon.full(1.5, 3), 0, 0.5))
    assert.is_false(moon.ones(3):allclose(moon.full(inf, 3)))
    assert.is_false(moon.full(nan, 3):allclose(moon.full(nan, 3)))
  end)
end)

describe("tensor functions", function()
  local values = { -3, -1, -0.25, 0, 0.25, 1, 2.5, 80 }

  local expected = {
    neg = function(x) return -x end, exp = math.exp, sqrt = math.sqrt, abs = math.abs, floor = math.floor,
    square = function(x) return x * x end, sign = function(x) return x > 0 and 1 or x < 0 and -1 or 0 end,
    log = math.log,
  }
  for name, formula in pairs(formulas.activations) do expected[name] = formula.element end

  for name, f in pairs(expected) do
    it(name .. " is right, in place too, at every length", function()
      for _, n in ipairs { 1, 7, 33, 5000 } do
        local list = {}
        for i = 1, n do list[i] = values[(i - 1) % #values + 1] end
        local t = moon.tensor(list)
        local y = t[name](t)
        for i = 1, n do
          local want = f(list[i])
          local close = math.abs(y[i] - want) <= 3e-7 * math.max(1, math.abs(want))
          assert.is_true(close or want == y[i] or (want ~= want and y[i] ~= y[i]),
            ("%s(%g) is %.9g, expected %.9g"):format(name, list[i], y[i], want))
        end
        assert.equal(t, t[name .. "_"](t))
        for i = 1, n do assert.is_true(t[i] == y[i] or y[i] ~= y[i]) end
      end
    end)
  end

  it("have variants in place, and their names as methods", function()
    local t = moon.linspace(-2, 2, 9)
    for new, in_place in pairs {
      [t:neg()] = t:clone():neg_(), [t:abs()] = t:clone():abs_(), [t:sign()] = t:clone():sign_(),
      [t:square()] = t:clone():square_(), [t:exp()] = t:clone():exp_(), [t:floor()] = t:clone():floor_(),
      [t:softmax()] = t:clone():softmax_(), [t:pow(3)] = t:clone():pow_(3),
      [t:clamp(-1, 1)] = t:clone():clamp_(-1, 1), [t:maximum(0.5)] = t:clone():maximum_(0.5),
      [t:minimum(0.5)] = t:clone():minimum_(0.5), [t:div(3)] = t:clone():div_(3), [t:mul(3)] = t:clone():mul_(3),
    } do
      assert.equal(new, in_place)
    end
    local positive = t:abs():add_(1)
    assert.equal(positive:log(), positive:clone():log_())
    assert.equal(positive:sqrt(), positive:clone():sqrt_())
    local row = {-1, 0.5, 80, 2}
    same_numbers(formulas.activations.softmax.row(row), moon.tensor(row):softmax(), 1e-6)
  end)

  it("are right at the ends of the range", function()
    local odd = { nan, inf, -inf, 0 }
    same_numbers({ nan, inf, 0, 1 }, moon.tensor(odd):exp())
    same_numbers({ nan, inf, nan, -inf }, moon.tensor(odd):log())
    same_numbers({ nan, inf, nan, 0 }, moon.tensor(odd):sqrt())
    same_numbers({ nan, inf, inf, 0 }, moon.tensor(odd):abs())
    same_numbers({ nan, 1, -1, 0 }, moon.tensor(odd):sign())
    same_numbers({ nan, inf, inf, 0 }, moon.tensor(odd):square())
    same_numbers({ nan, inf, -inf, 0 }, moon.tensor(odd):floor())
    same_numbers({ nan, 2, -1, 0 }, moon.tensor(odd):clamp(-1, 2))
    same_numbers({ nan, inf, 0, 0 }, moon.tensor(odd):relu())
    same_numbers({ nan, 1, 0, 0.5 }, moon.tensor(odd):sigmoid())
    same_numbers({ nan, inf, -inf, 0 }, moon.tensor(odd):pow(3))
    assert.is_true(math.abs(moon.tensor({ 1e-40 }):log()[1] + 92.1034) < 1e-3)
  end)

  it("take their parameters", function()
    same_numbers({ -1, 0, 1 }, moon.tensor({ -3, 0, 3 }):clamp(-1, 1))
    same_numbers({ -3, 0, 1 }, moon.tensor({ -3, 0, 3 }):clamp(nil, 1))
    same_numbers({ 1, 4, 9 }, moon.tensor({ 1, 2, 3 }):pow_(2), 1e-6)
    assert.equal("clamp: low is 2.0 and high is 1.0, expected the lower first", fails(moon.ones(1), "clamp", 2, 1))
    assert.equal("pow: exponent is missing, expected a number", fails(moon.ones(1), "pow"))
  end)

  it("apply softmax along the last dimension", function()
    local t = moon.tensor { { 1, 2, 3 }, { 1000, 1000, -1000 } }:softmax()
    same_numbers({ 0.09003057, 0.24472847, 0.66524096, 0.5, 0.5, 0 }, t, 1e-7)
    assert.is_true(math.abs(moon.randn(5000):softmax():sum() - 1) < 1e-5)
  end)

  it("map every element through Lua", function()
    local t = moon.tensor { { 1, 2 }, { 3, 4 } }
    same_numbers({ 1, 8, 27, 64 }, t:map(function(v) return v ^ 3 end))
    assert.equal("float32", t:byte():map(math.sqrt).dtype)
    assert.equal("map: the function gave nil for element 1, expected a number", fails(t, "map", function() end))
    assert.equal("oops", fails(t, "map", function() error("oops", 0) end))
    local closing = moon.zeros(3)
    assert.is_truthy(fails(closing, "map", function(v)
      getmetatable(closing).__close(closing)
      return v
    end):find("closed", 1, true))
  end)
end)

describe("tensor reductions", function()
  local t = moon.tensor { { 1, 5, 3 }, { 4, 2, 6 } }

  it("give numbers", function()
    assert.equal(21, t:sum())
    assert.equal(3.5, t:mean())
    assert.equal(1, t:min())
    assert.equal(6, t:max())
    assert.equal(6, t:argmax())
    assert.equal("integer", math.type(t:argmax()))
    assert.is_true(math.abs(t:var() - 35 / 12) < 1e-12)
    assert.is_true(math.abs(t:std() - math.sqrt(35 / 12)) < 1e-12)
    assert.is_true(math.abs(t:norm() - math.sqrt(91)) < 1e-12)
    assert.equal(6, t:byte():max())
    assert.equal(6, moon.tensor({ 1, 2, 3 }):sum(1))
  end)

  it("work along dimensions", function()
    same_numbers({ 5, 7, 9 }, t:sum(1))
    same_numbers({ 9, 12 }, t:sum(2))
    same_numbers({ 2.5, 3.5, 4.5 }, t:mean(1))
    same_numbers({ 1, 2, 3 }, t:min(1))
    same_numbers({ 5, 6 }, t:max(2))
    same_numbers({ 2, 1, 2 }, t:argmax(1))
    same_numbers({ 2, 3 }, t:argmax(2))
    same_numbers({ 2.25, 2.25, 2.25 }, t:var(1))
    same_numbers({ 8 / 3, 8 / 3 }, t:var(2), 1e-6)
    assert.equal("2 4", shape(moon.ones(2, 3, 4):sum(2)))
    assert.equal("sum: dim is 3, expected a whole number of 1 to 2", fails(t, "sum", 3))
    assert.equal("sum: dim is 0, expected a whole number of 1 to 2", fails(t, "sum", 0))
  end)

  it("agree with plain loops on odd shapes", function()
    for _, s in ipairs { { 1, 1, 1 }, { 3, 5, 7 }, { 2, 300, 17 }, { 130, 1, 33 }, { 1, 2500, 2 } } do
      local x = moon.randn(s)
      local list = x:totable()
      local sum, top, var = x:sum(2), x:argmax(2), x:var(2)
      for i = 1, s[1], 3 do
        for k = 1, s[3] do
          local total, best, squares = 0, 1, 0
          for j = 1, s[2] do
            total = total + list[i][j][k]
            if list[i][j][k] > list[i][best][k] then best = j end
          end
          for j = 1, s[2] do squares = squares + (list[i][j][k] - total / s[2]) ^ 2 end
          assert.is_true(math.abs(sum:get(i, k) - total) < 1e-5)
          assert.equal(best, top:get(i, k))
          assert.is_true(math.abs(var:get(i, k) - squares / s[2]) < 1e-6)
        end
      end
    end
  end)

  it("keep sums in double", function()
    assert.is_true(math.abs(moon.full(0.1, 3000000):sum() - 3000000 * moon.tensor(0.1):get()) < 1e-5)
    assert.equal(16777217, moon.ones(4097, 4096):sum() - 4095)
    assert.is_true(math.abs((moon.arange(1000) + 1e6):var() - 83333.25) < 1e-6)
  end)

  it("propagate NaN, and find the first of equal elements", function()
    local odd = moon.tensor { 1, nan, 3, nan, 5 }
    for _, name in ipairs { "sum", "mean", "min", "max", "var", "std", "norm" } do
      local v = odd[name](odd)
      assert.is_true(v ~= v, name)
    end
    assert.equal(2, odd:argmax())
    assert.equal(2, moon.tensor({ 1, 3, 3 }):argmax())
    assert.equal(1, moon.tensor({ -inf, -inf }):argmax())
    assert.equal(-inf, moon.tensor({ -inf, -inf }):max())
    same_numbers({ nan, 3 }, moon.tensor { { 1, nan }, { 3, 2 } }:max(2))
  end)

  it("have results for empty tensors", function()
    local none = moon.zeros(0, 3)
    assert.equal(0, none:sum())
    assert.equal(0, none:norm())
    for _, name in ipairs { "mean", "min", "max", "var", "std", "argmax" } do
      assert.equal(name .. ": [0 x 3] has no elements", fails(none, name))
      assert.equal(name .. ": [0 x 3] has no elements", fails(none, name, 1))
      assert.equal(0, #none[name](none, 2))
    end
    same_numbers({ 0, 0, 0 }, none:sum(1))
  end)
end)

describe("tensor products", function()
  local function naive(a, b)
    local x, y, out = a:totable(), b:totable(), {}
    for i = 1, a:size(1) do
      for j = 1, b:size(2) do
        local sum = 0
        for k = 1, a:size(2) do sum = sum + x[i][k] * y[k][j] end
        out[#out + 1] = sum
      end
    end
    return out
  end

  for _, s in ipairs { { 1, 1, 1 }, { 3, 5, 7 }, { 17, 33, 65 }, { 64, 100, 31 }, { 1, 129, 3 }, { 5, 1, 4 } } do
    it(("agree with a plain loop at %d x %d x %d"):format(s[1], s[2], s[3]), function()
      local a, b = moon.randn(s[1], s[2]), moon.randn(s[2], s[3])
      local want = naive(a, b)
      same_numbers(want, a:matmul(b), 2e-5)
      same_numbers(want, b:t():matmul(a:t()):t(), 2e-5)
    end)
  end

  it("transpose", function()
    local t = moon.rand(37, 70)
    local u = t:t()
    assert.equal("70 37", shape(u))
    assert.equal(t:get(36, 69), u:get(69, 36))
    assert.is_true(u:t() == t)
    assert.equal("uint8", moon.zeros(2, 3, { dtype = "uint8" }):t().dtype)
    assert.equal("t: the tensor is [3], expected a matrix", fails(moon.zeros(3), "t"))
  end)

  it("take vectors", function()
    local m, v = moon.tensor { { 1, 2 }, { 3, 4 }, { 5, 6 } }, moon.tensor { 1, 10 }
    same_numbers({ 21, 43, 65 }, m:matmul(v))
    assert.equal("3", shape(m:matmul(v)))
    same_numbers({ 22, 28 }, moon.tensor({ 1, 2, 3 }):matmul(m))
    assert.equal(101, v:matmul(v))
  end)

  it("over no elements are zeros", function()
    local t = moon.zeros(2, 0):matmul(moon.zeros(0, 3))
    assert.equal("2 3", shape(t))
    assert.equal(0, t:sum())
    assert.equal("0 3", shape(moon.zeros(0, 2):matmul(moon.zeros(2, 3))))
  end)

  it("name shapes that do not match", function()
    assert.equal("matmul: [2 x 3] and [2 x 3] do not fit: 3 columns against 2 rows",
      fails(moon.zeros(2, 3), "matmul", moon.zeros(2, 3)))
    assert.equal("matmul: [2 x 3] and [1 x 2 x 3] do not fit: both must be matrices",
      fails(moon.zeros(2, 3), "matmul", moon.zeros(1, 2, 3)))
    assert.equal("matmul: expected a float32 tensor, got uint8",
      fails(moon.zeros(2, 3), "matmul", moon.zeros(3, 3, { dtype = "uint8" })))
  end)
end)

describe("byte tensors", function()
  it("round and clamp to 0 and 255", function()
    same_numbers({ 0, 0, 1, 2, 255, 255, 0 }, moon.tensor({ -3, 0.4, 0.6, 2, 255, 300, nan }):byte())
    local t = moon.zeros(2, { dtype = "uint8" })
    t[1] = 7.6
    t[2] = -1
    same_numbers({ 8, 0 }, t)
    assert.equal("uint8", t.dtype)
    same_numbers({ 8, 0 }, t:float())
    assert.equal("float32", t:float().dtype)
  end)

  it("count by value", function()
    local list = {}
    for i = 1, 5000 do list[i] = i % 256 end
    local t = moon.tensor(list, { dtype = "uint8" })
    local sum = t + t:float()
    local root = t:sqrt()
    assert.equal("float32", sum.dtype)
    for i = 1, 5000, 3 do
      assert.equal(2 * (i % 256), sum[i])
      assert.is_true(math.abs(root[i] - math.sqrt(i % 256)) < 1e-5)
    end
    assert.equal(510, t:max() + t:max())
    same_numbers({ 1, 0 }, (moon.tensor({ 1, 0 }, { dtype = "uint8" })):relu())
  end)
end)

describe("tensors as text", function()
  local function prints(expected, t) assert.equal(expected, tostring(t)) end

  it("look like numpy's", function()
    prints("[[1. 2.]\n [3. 4.]]\n[2 x 2] float32", moon.tensor { { 1, 2 }, { 3, 4 } })
    prints("[[ 1.5   2.  ]\n [ 3.   -4.25]]\n[2 x 2] float32", moon.tensor { { 1.5, 2 }, { 3, -4.25 } })
    prints("[0.1    0.1235 0.3333]\n[3] float32", moon.tensor { 0.1, 0.123456, 1 / 3 })
    prints("[[  0 255]\n [ 12   3]]\n[2 x 2] uint8", moon.tensor({ { 0, 255 }, { 12, 3 } }, { dtype = "uint8" }))
    prints("5.\n[] float32", moon.tensor(5))
    prints("[]\n[0 x 3] float32", moon.zeros(0, 3))
    prints("[[[0. 1.]\n  [2. 3.]]\n\n [[4. 5.]\n  [6. 7.]]]\n[2 x 2 x 2] float32", moon.arange(8):reshape(2, 2, 2))
  end)

  it("switch to powers of ten", function()
    prints("[1.e-05 1.e+00]\n[2] float32", moon.tensor { 1e-5, 1 })
    prints("[1.2346e+08 0.0000e+00]\n[2] float32", moon.tensor { 123456789, 0 })
    prints("[1.000e+00 1.001e+03]\n[2] float32", moon.tensor { 1, 1001 })
    prints("[   1. 1000.]\n[2] float32", moon.tensor { 1, 1000 })
  end)

  it("show infinity and NaN", function()
    prints("[  1.  nan -inf]\n[3] float32", moon.tensor { 1, nan, -inf })
    prints("[nan inf]\n[2] float32", moon.tensor { nan, inf })
  end)

  it("break long lines and omit the middle", function()
    prints("[ 0.  1.  2.  3.  4.  5.  6.  7.  8.  9. 10. 11. 12. 13. 14. 15. 16. 17.\n 18. 19.]\n[20] float32",
      moon.arange(20))
    prints("[1. 1. 1. ... 1. 1. 1.]\n[1001] float32", moon.ones(1001))
    prints("[[0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n ...\n" ..
      " [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]\n [0. 0. 0. ... 0. 0. 0.]]\n[1000 x 784] float32",
      moon.zeros(1000, 784))
    prints("[[0 0]\n [0 0]\n [0 0]\n ...\n [0 0]\n [0 0]\n [0 0]]\n[600 x 2] uint8",
      moon.zeros(600, 2, { dtype = "uint8" }))
    assert.is_true(#tostring(moon.zeros(4000, 4000)) < 2000)
  end)
end)

describe("tensor memory", function()
  it("is freed under pressure", function()
    collectgarbage()
    collectgarbage()
    local before = moon.info().memory
    local most = 0
    for _ = 1, 2000 do
      local t = moon.zeros(512, 512)
      t[1] = 1
      most = math.max(most, moon.info().memory - before)
    end
    assert.is_true(most < 64 * 1024 * 1024, ("held %d bytes"):format(most))
  end)

  it("is freed at once by close", function()
    collectgarbage()
    collectgarbage()
    local before = moon.info().memory
    local kept
    do
      local t <close> = moon.zeros(1000, 1000)
      kept = t
      assert.is_true(moon.info().memory - before > 4000000)
    end
    assert.is_true(moon.info().memory - before < 4000)
    assert.is_truthy(failure(function() return kept:sum() end):find("this moonglass.tensor is closed", 1, true))
    assert.is_false(kept == moon.zeros(1))
    local row
    do
      local t <close> = moon.ones(2, 3)
      row = t[2]
    end
    assert.equal(3, row:sum())
  end)

  it("is refused at the limit with a message, and later calls work", function()
    collectgarbage() -- garbage of other tests could be freed later
    collectgarbage()
    local used = moon.info().memory
    moon.limits { memory = used + 1000000 }
    local ok, message = pcall(moon.zeros, 1000, 1000)
    moon.limits { memory = 0 }
    assert.is_false(ok)
    assert.is_truthy(message:find("out of memory", 1, true))
    assert.equal(0, moon.zeros(1000, 1000):sum())
  end)
end)

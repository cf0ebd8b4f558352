-- NPY files from Lua: 1,000 damaged ones against a second reader, written here; all types, orders and versions.
local expect = dofile "spec/support/expect.lua"
local files = dofile "spec/support/files.lua"
local moon = require "moonglass"

local failure = expect.failure
local path = os.tmpname()
teardown(function() os.remove(path) end)

-- ---- a second reader, that knows nothing of the first ----

local formats = {
  b1 = "B", i1 = "b", u1 = "B", i2 = "i2", u2 = "I2", i4 = "i4", u4 = "I4", i8 = "i8", u8 = "i8", f2 = "I2",
  f4 = "f", f8 = "d",
}

local function half(h)
  local sign, exponent, fraction = h >> 15 == 1 and -1 or 1, h >> 10 & 31, h & 1023
  if exponent == 31 then return fraction == 0 and sign * math.huge or 0 / 0 end
  if exponent == 0 then return sign * fraction * 2.0 ^ -24 end
  return sign * (1 + fraction / 1024) * 2.0 ^ (exponent - 15)
end

local function as_float32(v) return (("f"):unpack(("f"):pack(v))) end

local function number(kind, v)
  if kind == "b1" then return v == 0 and 0 or 1 end
  if kind == "f2" then return half(v) end
  if kind == "u8" and v < 0 then -- rounded to odd at 63 bits, so that the second rounding, to 24, is right
    return as_float32(2.0 * ((v >> 1) | (v & 1)))
  end
  return as_float32(v)
end

-- The content of a file that numpy writes, in C's order: shape, numbers, type. nil for every other file.
local function read_by_hand(bytes)
  local version = bytes:match("^\x93NUMPY([\1-\3])\0")
  local ok, header, at = pcall(string.unpack, version == "\1" and "<s2" or "<s4", bytes, 9)
  if not version or not ok then return nil end
  local order, kind, way, list = header:match(
    "^{'descr': '([<>|])([biuf]%d)', 'fortran_order': (%a+), 'shape': %(([%d, ]*)%), }%s*$")
  if not kind or not formats[kind] or (order == "|" and kind:sub(2) ~= "1") then return nil end
  if way ~= "True" and way ~= "False" then return nil end
  local shape, n = {}, 1
  for text in list:gmatch("%d+") do
    shape[#shape + 1] = math.tointeger(text)
    n = n * shape[#shape]
  end
  if n * kind:sub(2) ~= #bytes - at + 1 then return nil end
  local raw, values = {}, {}
  for i = 1, n do raw[i], at = ((order == ">" and ">" or "<") .. formats[kind]):unpack(bytes, at) end
  for i = 1, n do -- element i in C's order
    local rest, from, stride = i - 1, 0, 1
    local index = {}
    for k = #shape, 1, -1 do index[k], rest = rest % shape[k], rest // shape[k] end
    for k = 1, #shape do from, stride = from + index[k] * stride, stride * shape[k] end
    values[i] = number(kind, raw[way == "True" and from + 1 or i])
  end
  return shape, values, kind == "u1" and "uint8" or "float32"
end

-- ---- files ----

local function npy(version, order, kind, way, shape, values)
  local list = table.concat(shape, ", ") .. (#shape == 1 and "," or "")
  local header = ("{'descr': '%s%s', 'fortran_order': %s, 'shape': (%s), }"):format(order, kind, way, list)
  local length = version == 1 and "<s2" or "<s4"
  header = header .. (" "):rep(-(#header + 9 + length:sub(3)) % 64) .. "\n"
  local parts = {"\x93NUMPY", string.char(version, 0), length:pack(header)}
  for _, v in ipairs(values) do parts[#parts + 1] = ((order == ">" and ">" or "<") .. formats[kind]):pack(v) end
  return table.concat(parts)
end

local kinds = {"b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"}
local shapes = {{}, {5}, {2, 3}, {3, 1, 2}, {2, 2, 1, 3}, {0, 4}}

-- Whole numbers of this many bytes, among them the largest and smallest.
local function values_for(kind, n)
  local list, size = {}, math.tointeger(kind:sub(2))
  for i = 1, n do
    local bits = math.random(0)
    if kind:sub(1, 1) == "f" and kind ~= "f2" then
      list[i] = (math.random() - 0.5) * 10 ^ math.random(-3, 6)
    elseif kind == "b1" then
      list[i] = i % 2
    else
      local signed = kind:sub(1, 1) == "i"
      if size == 8 then list[i] = bits
      elseif signed then list[i] = bits >> 64 - 8 * size << 64 - 8 * size >> 64 - 8 * size
        if list[i] >= 1 << 8 * size - 1 then list[i] = list[i] - (1 << 8 * size) end
      else list[i] = bits >> 64 - 8 * size end
    end
  end
  return list
end

local function sample(i)
  local kind, shape, n = kinds[i % #kinds + 1], shapes[i % #shapes + 1], 1
  for _, size in ipairs(shape) do n = n * size end
  return npy(i % 3 + 1, i % 2 == 0 and "<" or ">", kind, i % 5 < 2 and "True" or "False", shape, values_for(kind, n))
end

local function flat(t)
  local list = {}
  if t:numel() == 0 then return list end
  local row = t:reshape(-1)
  for i = 1, t:numel() do list[i] = row[i] end
  return list
end

local function same(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do
    if a[i] ~= b[i] and (a[i] == a[i] or b[i] == b[i]) then return false end
  end
  return true
end

local damages = {
  function(b, at) return b:sub(1, at - 1) .. string.char(math.random(0, 255)) .. b:sub(at + 1) end,
  function(b, at) return b:sub(1, at - 1) .. string.char(b:byte(at) ~ 1 << math.random(0, 7)) .. b:sub(at + 1) end,
  function(b, at) return b:sub(1, at - 1) end,
  function(b, at) return b:sub(1, at - 1) .. b:sub(at + math.random(1, 8)) end,
  function(b, at) return b:sub(1, at) .. b:sub(math.max(1, at - 9)) end,
  function(b, at) return b:sub(1, at - 1) .. b:sub(at):gsub("%d+", tostring(math.random(0, 9)), 1) end,
  function(b) return (b:gsub("False", "True")) end,
  function(b)
    local order = ("<>|"):sub(math.random(3)):sub(1, 1)
    return (b:gsub("'[<>|]..'", ("'%s%s'"):format(order, kinds[math.random(#kinds)])))
  end,
}

-- ----

describe("data.npy", function()
  it("reads all types, orders, versions and shapes as a second reader does", function()
    math.randomseed(3)
    for i = 1, 12 * 30 do
      local bytes = sample(i)
      files.write(path, bytes)
      local shape, values, dtype = read_by_hand(bytes)
      local t = assert(moon.data.npy(path))
      assert.same(shape, t.shape)
      assert.equal(dtype, t.dtype)
      assert.is_true(same(values, flat(t)), ("sample %d: %s"):format(i, bytes:sub(9, 90)))
    end
  end)

  it("a damaged file is an error with its path, or has the numbers that its header says: 1,000 files", function()
    math.randomseed(4)
    local refused, read = 0, 0
    for i = 1, 1000 do
      local bytes = sample(i)
      for _ = 1, math.random(1, 2) do
        if #bytes > 0 then bytes = damages[math.random(#damages)](bytes, math.random(1, #bytes)) end
      end
      files.write(path, bytes)
      local t, message, code = moon.data.npy(path)
      if t then
        local shape, values, dtype = read_by_hand(bytes)
        read = read + 1
        if shape then -- the second reader knows only what numpy writes
          assert.same(shape, t.shape)
          assert.equal(dtype, t.dtype)
          assert.is_true(same(values, flat(t)), ("file %d: %q"):format(i, bytes))
        else
          assert.is_true(t:numel() <= #bytes)
        end
      else
        refused = refused + 1
        assert.equal("format", code)
        assert.equal(("'%s': "):format(path), message:sub(1, #path + 4))
        assert.is_nil((read_by_hand(bytes)), ("file %d: %s, but is whole"):format(i, message))
      end
    end
    assert.is_true(refused > 300 and read > 100, ("%d refused, %d read"):format(refused, read))
  end)

  it("says what is wrong, and what to save instead", function()
    local function refused(words, bytes)
      files.write(path, bytes)
      local t, message, code = moon.data.npy(path)
      assert.is_nil(t)
      assert.equal("format", code)
      assert.is_truthy(message:find(words, 1, true), message)
    end
    local whole = npy(1, "<", "f4", "False", {2, 2}, {1, 2, 3, 4})
    refused("truncated: header promises 16 bytes of data, the file holds 15", whole:sub(1, -2))
    refused("trailing bytes: header promises 16 bytes of data, the file holds 17", whole .. "x")
    refused("it holds complex numbers (descr '<c8')", (whole:gsub("<f4", "<c8")))
    refused("expected a whole number of 0 or more", (whole:gsub("%(2", "(-")))
    refused("a zip archive such as .npz: save each of its arrays by numpy.save", "PK\3\4 and so on")
    assert.equal("I/O", (select(3, moon.data.npy("/nowhere/x.npy"))))
  end)
end)

describe("npy.save", function()
  it("writes what npy.load reads", function()
    local bytes = moon.tensor({1, 2, 255}, {dtype = "uint8"})
    for _, t in ipairs{moon.rand(3, 4), bytes, moon.zeros(2, 0), moon.rand(2, 1, 2, 3)} do
      assert.is_true(moon.npy.save(path, t))
      local again = assert(moon.npy.load(path))
      assert.same(t.shape, again.shape)
      assert.equal(t.dtype, again.dtype)
      assert.is_true(t:numel() == 0 or again == t)
      local shape, values, dtype = read_by_hand(files.read(path))
      assert.same(t.shape, shape)
      assert.equal(t.dtype, dtype)
      assert.same(flat(t), values)
    end
    assert.equal("npy.save: tensor is 3, expected a tensor", (failure(moon.npy.save, path, 3):gsub("^.-:%d+: ", "")))
  end)

  it("replaces a mapped array's own file, and keeps the old numbers in memory", function()
    local x = moon.rand(600, 600)
    assert(moon.npy.save(path, x))
    local mapped = assert(moon.npy.load(path))
    assert(moon.npy.save(path, mapped * 2))
    assert.is_true(mapped == x)
    assert.is_true(assert(moon.npy.load(path)) == x * 2)
  end)
end)

-- Absurd sizes, indices and counts in every function that takes one: the result is right, or a message names the
-- function and what it expected. Memory is limited, so that large machines refuse the same sizes.
local moon = require "moonglass"
local core = require "moonglass.core"

local nan, inf = 0 / 0, math.huge

-- Values that are never a size, and sizes that no machine can hold.
local wrong = {-1, 0.5, nan, "3", inf, -inf, true, {}, math.mininteger, -2 ^ 31}
local huge = {2 ^ 31 - 1, 2 ^ 31, 2 ^ 53, 2 ^ 62, math.maxinteger}

local function shown(v)
  if v == nil then return "nil" end
  return type(v) == "string" and ("%q"):format(v) or type(v) == "table" and "{...}" or tostring(v)
end

local function call_text(name, arguments)
  local texts = {}
  for i = 1, arguments.n or #arguments do texts[i] = shown(arguments[i]) end
  return ("%s(%s)"):format(name, table.concat(texts, ", "))
end

-- f(...) raises a message in which one of the patterns is found.
local function raises(patterns, name, f, ...)
  local ok, message = pcall(f, ...)
  local text = call_text(name, table.pack(...))
  assert(not ok, text .. " did not raise")
  assert.are.equal("string", type(message), text)
  for _, pattern in ipairs(patterns) do
    if message:find(pattern) then return message end
  end
  error(("%s: got '%s', expected %s"):format(text, message, table.concat(patterns, " or ")))
end

local not_whole = {"expected a whole number of", "expected sizes"}
local too_large = {"out of memory: wanted", "more .*than memory can", "too large", "do not make"}

describe("sizes", function()
  local x

  before_each(function()
    moon.limits{memory = 1 << 26}
    x = moon.arange(1, 13):reshape(3, 4)
  end)

  after_each(function()
    x = nil
    collectgarbage()
    assert.is_true(moon.info().memory < 1 << 22)
    moon.limits{memory = 0}
  end)

  -- Constructors that take sizes: f(...) makes a tensor of these.
  local makers = {
    zeros = moon.zeros, ones = moon.ones, rand = moon.rand, randn = moon.randn,
    full = function(...) return moon.full(7, ...) end,
    bytes = function(...)
      local given = {...}
      given[#given + 1] = {dtype = "uint8"}
      return moon.zeros(table.unpack(given))
    end,
  }

  for name, make in pairs(makers) do
    it(("of %s, at every place"):format(name), function()
      for rank = 1, 4 do
        for place = 1, rank do
          local sizes = {}
          for i = 1, rank do sizes[i] = 1 + i end
          for _, v in ipairs(wrong) do
            sizes[place] = v
            if rank > 1 or type(v) ~= "table" then raises(not_whole, name, make, table.unpack(sizes)) end
          end
          for _, v in ipairs(huge) do
            sizes[place] = v
            raises(too_large, name, make, table.unpack(sizes))
          end
          for _, v in ipairs{0, 1, 3.0} do
            sizes[place] = v
            assert.are.same(sizes, make(table.unpack(sizes)).shape)
          end
        end
      end
    end)

    it(("of %s: 0 elements, with any other sizes"):format(name), function()
      for _, v in ipairs(huge) do
        for _, sizes in ipairs{{0, v}, {v, 0}, {v, 0, v}, {v, v, 0, v}} do
          local ok, t = pcall(make, table.unpack(sizes))
          if ok then
            assert.are.same(sizes, t.shape)
            assert.are.equal(0, t:numel())
          else
            assert(t:find "memory can", t)
          end
        end
      end
    end)

    it(("of %s: ranks of 0 to 8"):format(name), function()
      raises({"got no sizes, expected numbers or one table"}, name, make)
      for rank = 1, 8 do
        local sizes = {}
        for i = 1, rank do sizes[i] = 1 end
        if rank <= 4 then
          assert.are.equal(rank, make(table.unpack(sizes)):rank())
        else
          raises({("%d sizes, expected at most 4"):format(rank)}, name, make, table.unpack(sizes))
        end
      end
    end)
  end

  it("in tables: rank 0 is one element", function()
    for _, make in ipairs{moon.zeros, moon.ones, moon.rand, moon.randn} do
      local t = make{}
      assert.are.equal(0, t:rank())
      assert.are.equal(1, t:numel())
      assert.are.equal(0, #t.shape)
      raises(not_whole, "make", make, {2, nan})
      raises(not_whole, "make", make, {2, "3"})
    end
  end)

  it("of nested lists", function()
    assert.are.same({0}, moon.tensor{}.shape)
    assert.are.same({2, 0}, moon.tensor{{}, {}}.shape)
    assert.are.equal(0, moon.tensor(5):rank())
    local list = 1
    for rank = 1, 8 do
      list = {list}
      if rank <= 4 then
        assert.are.equal(rank, moon.tensor(list):rank())
      else
        raises({"lists are nested more than 4 deep"}, "tensor", moon.tensor, list)
      end
    end
    raises({"element %[1%] is '3' %(a string%), expected a number"}, "tensor", moon.tensor, {"3"})
    raises({"element %[2%] is a table"}, "tensor", moon.tensor, {1, {2}})
    raises({"length 1, expected 2"}, "tensor", moon.tensor, {{1, 2}, {3}})
    assert.is_true(moon.tensor{nan}[1] ~= moon.tensor{nan}[1])
    assert.are.equal(inf, moon.tensor{inf}[1])
  end)

  it("of eye, randperm and linspace", function()
    local whole = {"expected a whole number"}
    for name, make in pairs{
      eye = moon.eye, randperm = moon.randperm, linspace = function(n) return moon.linspace(0, 1, n) end,
    } do
      for _, v in ipairs(wrong) do
        if name ~= "eye" or type(v) ~= "table" then raises(whole, name, make, v) end
      end
      for _, v in ipairs(huge) do raises({too_large[1], too_large[2], "whole number of 0 to"}, name, make, v) end
      assert.are.equal(0, make(0):numel())
      assert.are.equal(1, make(1):numel())
      raises({"missing", "is nil"}, name, make)
    end
    assert.are.same({5}, moon.linspace(5, 9, 1):totable())
    for _, v in ipairs{nan, inf, -inf} do
      raises({"linspace: start is .*, expected a finite number"}, "linspace", moon.linspace, v, 1, 3)
      raises({"linspace: end is .*, expected a finite number"}, "linspace", moon.linspace, 0, v, 3)
    end
    local far = moon.linspace(-3e38, 3e38, 3)
    assert.are.equal(0, far[2])
  end)

  it("of arange", function()
    assert.are.same({0, 1, 2}, moon.arange(3):totable())
    assert.are.same({0}, moon.arange(0.5):totable())
    for _, v in ipairs{0, -1, -2 ^ 31, -2 ^ 53} do assert.are.equal(0, moon.arange(v):numel()) end
    for _, v in ipairs{nan, inf, -inf} do
      raises({"arange: end is .*, expected a finite number"}, "arange", moon.arange, v)
      raises({"arange: start is .*, expected a finite number"}, "arange", moon.arange, v, 1)
      raises({"arange: step is .*, expected a finite number"}, "arange", moon.arange, 0, 1, v)
    end
    raises({"arange: end is '3' %(a string%), expected a number"}, "arange", moon.arange, "3")
    raises({"arange: step is 0"}, "arange", moon.arange, 0, 1, 0)
    for _, v in ipairs(huge) do raises(too_large, "arange", moon.arange, v) end
    raises(too_large, "arange", moon.arange, 0, 1, 5e-324)
    raises(too_large, "arange", moon.arange, -1e308, 1e308, 1e-10)
  end)

  it("of reshape", function()
    local t = moon.arange(6)
    for _, v in ipairs{0.5, nan, "3", inf, true, -2, math.mininteger} do
      raises({"reshape: size 1 is .*, expected a whole number of at least %-1"}, "reshape", t.reshape, t, v, 2)
    end
    for _, v in ipairs(huge) do
      raises({"do not make"}, "reshape", t.reshape, t, v)
      raises({"do not make"}, "reshape", t.reshape, t, v, v)
      raises({"do not make"}, "reshape", t.reshape, t, 6, v)
      raises({"do not make"}, "reshape", t.reshape, t, v, -1)
      raises({"do not make"}, "reshape", t.reshape, t, 0, v)
    end
    raises({"do not make %[4 x %-1%]"}, "reshape", t.reshape, t, 4, -1)
    raises({"do not make"}, "reshape", t.reshape, t, -1, -1)
    raises({"do not make"}, "reshape", t.reshape, t, 0)
    raises({"do not make"}, "reshape", t.reshape, t, 0, -1)
    raises({"do not make %[%]"}, "reshape", t.reshape, t, {})
    assert.are.same({1, 6, 1, 1}, t:reshape(1, -1, 1, 1).shape)
    for rank = 5, 8 do
      raises({("%d sizes, expected at most 4"):format(rank)}, "reshape", t.reshape, t,
        table.unpack({6, 1, 1, 1, 1, 1, 1, 1}, 1, rank))
    end
    local none = moon.zeros(0, 3)
    assert.are.same({0}, none:reshape(-1).shape)
    assert.are.same({5, 0, 2}, none:reshape(5, 0, 2).shape)
    assert.are.equal(0, moon.ones(1):reshape{}:rank())
  end)

  it("of rows", function()
    local bad = {"rows: .* is .*, expected a whole number of"}
    for _, v in ipairs{0, -1, 0.5, nan, "3", inf, 5, 2 ^ 31, 2 ^ 53, math.maxinteger, math.mininteger, true, {}} do
      raises(bad, "rows", x.rows, x, v)
      if v ~= 0 then raises(bad, "rows", x.rows, x, 1, v) end
    end
    assert.are.same({0, 4}, x:rows(1, 0).shape)
    assert.are.same({0, 4}, x:rows(4, 3).shape)
    assert.are.same({3, 4}, x:rows(1.0, 3.0).shape)
    raises(bad, "rows", x.rows, x, 3, 1)
    raises({"no rows"}, "rows", x.rows, moon.zeros{}, 1)
    raises(bad, "rows", x.rows, moon.zeros(0, 4), 2)
    assert.are.same({0, 4}, moon.zeros(0, 4):rows(1, 0).shape)
  end)

  it("of views by index", function()
    for _, v in ipairs{0, -1, 5, 2 ^ 31, 2 ^ 53, math.maxinteger, math.mininteger} do
      raises({"index .* is out of range 1%.%.3"}, "t[i]", function() return x[v] end)
      raises({"index .* is out of range 1%.%.3"}, "t[i] = v", function() x[v] = 1 end)
    end
    for _, v in ipairs{0.5, nan, inf, 2 ^ 63} do
      raises({"expected a whole number"}, "t[i]", function() return x[v] end)
      if v == v then raises({"expected a whole number"}, "t[i] = v", function() x[v] = 1 end) end
    end
    raises({"no field or method '3'"}, "t[i]", function() return x["3"] end)
    raises({"no field '3' that can be set"}, "t[i] = v", function() x["3"] = 1 end)
    assert.is_nil(x[4])
    raises({"out of range"}, "t[i] = v", function() x[4] = 1 end)
    raises({"no rows"}, "t[i]", function() return moon.zeros{}[1] end)
  end)

  it("of single elements", function()
    local whole = {"index 2 is .*, expected a whole number of 1 to 4"}
    for _, v in ipairs{0, -1, 0.5, nan, "3", inf, 5, 2 ^ 31, 2 ^ 53, math.maxinteger, true} do
      raises(whole, "get", x.get, x, 1, v)
      raises(whole, "set", x.set, x, 9, 1, v)
    end
    for given = 0, 8 do
      if given ~= 2 then
        local indices = table.pack(table.unpack({1, 1, 1, 1, 1, 1, 1, 1}, 1, given))
        raises({("takes 2 indices, got %d"):format(given)}, "get", x.get, x, table.unpack(indices))
        raises({("takes 2 indices, got %d"):format(given)}, "set", x.set, x, 9, table.unpack(indices))
      end
    end
    raises({"expected a number"}, "set", x.set, x, "9", 1, 1)
    assert.are.equal(12, x:get(3, 4))
  end)

  it("of index", function()
    for _, v in ipairs{0, -1, 0.5, nan, "3", inf, 4, 2 ^ 31, 2 ^ 53, math.maxinteger, true} do
      raises({"index: row 2 is .*, expected a whole number of 1 to 3"}, "index", x.index, x, {1, v})
      if type(v) == "number" then
        raises({"index: row 2 is .*, expected a whole number of 1 to 3"}, "index", x.index, x, moon.tensor{1, v})
      end
    end
    assert.are.same({0, 4}, x:index{}.shape)
    assert.are.same({0, 4}, x:index(moon.zeros(0)).shape)
    raises({"expected a list or a tensor of one dimension"}, "index", x.index, x, 2)
    raises({"expected a list or a tensor of one dimension"}, "index", x.index, x, moon.ones(1, 1))
    raises({"no rows"}, "index", x.index, moon.zeros{}, {1})
  end)

  it("of dimensions, and of topk", function()
    local names = {"sum", "mean", "min", "max", "var", "std", "norm", "argmax", "size"}
    for _, v in ipairs{0, -1, 3, 0.5, nan, "1", inf, 2 ^ 31, 2 ^ 53, math.maxinteger, true} do
      for _, name in ipairs(names) do raises({"dim is .*, expected a whole number of 1 to 2"}, name, x[name], x, v) end
      raises({"topk: dim is .*, expected a whole number of 1 to 2"}, "topk", x.topk, x, 1, v)
      raises({"cat: dim is .*, expected a whole number of 1 to 2"}, "cat", moon.cat, {x, x}, v)
      if v ~= 3 then raises({"topk: k is .*, expected a whole number of 1 to 4"}, "topk", x.topk, x, v) end
    end
    for _, name in ipairs(names) do
      if name ~= "size" then raises({"rank 0, expected at least one dimension"}, name, x[name], moon.zeros{}, 1) end
    end
    assert.are.same({0, 0, 0, 0}, moon.zeros(0, 4):sum(1):totable())
    raises({"no elements", "empty"}, "max", x.max, moon.zeros(0))
  end)

  it("of cat", function()
    raises({"at least one tensor"}, "cat", moon.cat, {})
    raises({"rank 0, expected at least one dimension"}, "cat", moon.cat, {moon.zeros{}})
    for rank = 1, 4 do
      local sizes = table.move({2, 3, 1, 2}, 1, rank, 1, {})
      local t = moon.ones(table.unpack(sizes))
      for dim = 1, rank do
        local want = table.move(sizes, 1, rank, 1, {})
        want[dim] = 2 * want[dim]
        assert.are.same(want, moon.cat({t, t}, dim).shape)
      end
      raises({"cat: "}, "cat", moon.cat, {t, moon.ones(table.move(sizes, 2, rank, 1, {}))})
    end
    assert.are.same({3, 4}, moon.cat({x, moon.zeros(0, 4)}, 1).shape)
    raises({"cat: "}, "cat", moon.cat, {x, moon.zeros(3, 5)}, 1)
    raises({"part 2 is '3'"}, "cat", moon.cat, {x, "3"})
    local many = {}
    for i = 1, 3000 do many[i] = moon.zeros(1):reshape(1) end
    assert.are.same({3000}, moon.cat(many).shape)
    local large = moon.zeros(1 << 22)
    raises(too_large, "cat", moon.cat, {large, large, large, large})
  end)

  it("of layers", function()
    local whole = {"expected a whole number", "whole number"}
    for _, v in ipairs(wrong) do
      raises(whole, "dense", moon.dense, v, 3)
      if type(v) ~= "table" then raises(whole, "dense", moon.dense, 3, v) end
      for _, kind in ipairs{"k_sparse", "gaussian_code", "batch_norm", "layer_norm"} do
        if type(v) ~= "table" then raises(whole, kind, moon[kind], v) end
      end
    end
    raises(whole, "dense", moon.dense, 0, 3)
    raises(whole, "dense", moon.dense, 3, 0)
    raises(whole, "k_sparse", moon.k_sparse, 0)
    for _, v in ipairs(huge) do
      local refused = {too_large[1], too_large[2], "whole number"}
      raises(refused, "dense", moon.dense, v, 3)
      raises(refused, "dense", moon.dense, 3, v)
      raises(refused, "dense", moon.dense, v, v)
    end
    for _, name in ipairs{"dropout", "masking_noise", "salt_pepper_noise"} do
      for _, v in ipairs{-1, nan, inf, -inf, 2 ^ 31, 2 ^ 53, math.maxinteger, 1.5} do
        raises({name .. ": p is .*, expected a number of "}, name, moon[name], v)
      end
      for _, v in ipairs{"3", true} do raises({"p is .*, expected a number"}, name, moon[name], v) end
      assert.is_truthy(moon[name](0))
      assert.is_truthy(moon[name](0.5))
    end
    for _, v in ipairs{-1, nan, inf} do
      raises({"gaussian_noise: sigma is .*, expected a number"}, "gaussian_noise", moon.gaussian_noise, v)
    end
    for _, clip in ipairs{{1, 0}, {nan, 1}, {0, nan}, {0}, {0, "1"}, {}, 3, "3"} do
      raises({"clip"}, "gaussian_noise", moon.gaussian_noise, 0.1, {clip = clip})
    end
  end)

  it("of nets: layers, slices, batches, plans", function()
    local net = moon.sequential{moon.dense(4, 3), moon.dense(3, 4)}
    local loss, opt = moon.mse(), moon.adam()
    local data = core.dataset(x)
    for _, v in ipairs{0, -1, 0.5, nan, "3", inf, 2 ^ 31, 2 ^ 53, math.maxinteger, true} do
      raises({"layer: index is .*, expected a whole number of 1 to 2"}, "layer", net.layer, net, v)
      raises({"slice: first layer is .*, expected a whole number"}, "slice", net.slice, net, v, 2)
      raises({"slice: last layer is .*, expected a whole number"}, "slice", net.slice, net, 1, v)
      raises({"first row is .*, expected a whole number"}, "step_rows", net.step_rows, net, data, v, 1, loss, opt)
      raises({"number of rows is .*, expected a whole number"}, "step_rows", net.step_rows, net, data, 1, v, loss, opt)
    end
    for _, v in ipairs{0, -1, 0.5, nan, "3", inf, true} do
      raises({"batch_size is .*, expected a whole number"}, "predict", net.predict, net, x, {batch_size = v})
      raises({"number of rows is .*, expected a whole number"}, "plan", net.plan, net, v, loss, opt)
      for _, option in ipairs{"epochs", "batch_size", "threads"} do
        local given = {loss = "mse", [option] = v}
        raises({"fit: .*" .. option}, "fit{" .. option .. "}", net.fit, net, x, given)
      end
      raises({"evaluate: .*batch_size"}, "evaluate", net.evaluate, net, x, {loss = "mse", batch_size = v})
    end
    for _, v in ipairs(huge) do
      raises(too_large, "plan", net.plan, net, v, loss, opt)
      assert.are.same({3, 4}, net:predict(x, {batch_size = v}).shape)
      raises({"expected at most the 3 rows"}, "fit", net.fit, net, x, {loss = "mse", batch_size = v // 1})
    end
    local before = net:predict(x)
    assert.is_true(net:step(x, nil, loss, opt) > 0)
    assert.is_false(net:predict(x) == before)
    for rank = 0, 4 do
      local t = moon.ones(table.move({3, 4, 1, 1}, 1, rank, 1, {}))
      if rank ~= 2 then
        raises({"input is", "rank 0 has no rows", "x is"}, "predict", net.predict, net, t)
        raises({"input is", "no rows", "rows"}, "step", net.step, net, t, nil, loss, opt)
      end
    end
    for _, t in ipairs{moon.zeros(0, 4), moon.zeros(3, 0), moon.zeros(0, 0), moon.zeros(3, 5)} do
      local messages = {"input is %[%d x %d%], expected %[rows x 4%]", "at least one row"}
      raises(messages, "predict", net.predict, net, t)
      raises(messages, "fit", net.fit, net, t, {loss = "mse"})
    end
  end)

  it("of settings", function()
    for _, v in ipairs{-1, nan, "3", inf, true, {}} do
      raises({"limits: memory is .*, expected a number of bytes"}, "limits", moon.limits, {memory = v})
      assert.are.equal(1 << 26, moon.info().memory_limit)
    end
    raises({"limits: unknown limit 'memoir'.*%(known: memory%)"}, "limits", moon.limits, {memoir = 5})
    raises({"limits: unknown limit"}, "limits", moon.limits, {5})
    moon.limits{memory = 0.5} -- above 0, so it is a limit
    assert.are.equal(1, moon.info().memory_limit)
    moon.limits{memory = 2 ^ 53}
    assert.are.equal(1 << 53, moon.info().memory_limit)
    for _, v in ipairs{0, -1, 257, 2 ^ 31, 2 ^ 53, math.maxinteger, math.mininteger} do
      raises({"threads: expected a whole number of 1 to 256"}, "set_threads", moon.set_threads, v)
    end
    for _, v in ipairs{0.5, nan, inf, true, {}} do
      raises({"threads", "number"}, "set_threads", moon.set_threads, v)
    end
    for _, v in ipairs{-1, nan, "3", true} do
      raises({"adam: .*lr.* is"}, "adam", moon.adam, {lr = v})
      local opt = moon.adam()
      raises({"lr.* is"}, "opt.lr", function() opt.lr = v end)
      assert.are.equal(moon.adam().lr, opt.lr)
    end
  end)

  it("of pictures", function()
    for _, t in ipairs{moon.zeros{}, moon.zeros(3), moon.zeros(0, 3), moon.zeros(3, 0), moon.zeros(2, 2, 5),
      moon.zeros(2, 2, 0), moon.zeros(2, 2, 1, 1), moon.zeros(1000001, 1)} do
      raises({"png: image is "}, "png.encode", moon.png.encode, t)
    end
    for _, v in ipairs{0, -1, 0.5, nan, "3", inf, true} do
      raises({"shape", "columns", "grid"}, "image.grid", moon.image.grid, x, {shape = {v, 4}})
      raises({"columns"}, "image.grid", moon.image.grid, x, {shape = {2, 2}, columns = v})
      if v ~= 0 then raises({"pad"}, "image.grid", moon.image.grid, x, {shape = {2, 2}, pad = v}) end
    end
    for _, v in ipairs(huge) do
      raises({"shape", "memory", "elements", "whole"}, "image.grid", moon.image.grid, x, {shape = {v, v}})
      raises({"memory", "pad", "whole"}, "image.grid", moon.image.grid, x, {shape = {2, 2}, pad = v // 1})
    end
  end)
end)

-- What Lua says about reducers and shards without a second process. lua_ranks_test.c has a reducer.
local core = require "moonglass.core"
local moon = require "moonglass"

local function refuses(message, f, ...)
  local ok, got = pcall(f, ...)
  assert.is_false(ok)
  assert.equal(message, (got:gsub("^[^:]+:%d+: ", "")))
end

describe("a reducer", function()
  it("is the only thing that a net and reduce take", function()
    local net = moon.sequential{moon.dense(4, 2)}
    net:set_reducer(nil)
    net:set_reducer()
    refuses("bad argument #2 to '?' (moonglass.reducer expected, got number)", net.set_reducer, net, 4)
    refuses("bad argument #1 to 'moonglass.core.reduce' (moonglass.reducer expected, got table)", core.reduce, {},
      moon.ones(2))
  end)

  it("that is nil leaves the tensor as it is", function()
    local t = moon.tensor{1, 2, 3}
    core.reduce(nil, t)
    assert.same({1, 2, 3}, t:totable())
    refuses("reduce: the tensor has bytes, expected float32", core.reduce, nil, moon.ones{2, dtype = "uint8"})
  end)
end)

describe("shards", function()
  local data = moon.dataset(moon.rand(5, 3))

  it("count the rows of all", function()
    data:set_shards{5, 7, 2}
    assert.equal(14, #data)
    assert.equal(14, data:rows())
    data:set_shards(nil)
    assert.equal(5, #data)
  end)

  it("need a net with a reducer", function()
    data:set_shards{5, 7}
    local net = moon.sequential{moon.dense(3, 3)}
    refuses("step: the dataset is a shard of 2, but the net has no reducer (moon_net_set_reducer)",
      net.step_rows, net, data, 1, 4, moon.mse(), moon.adam())
    refuses("evaluate: the dataset is a shard of 2, but the net has no reducer (moon_net_set_reducer)",
      net.evaluate_rows, net, data, moon.mse(), 4)
    data:set_shards(nil)
  end)

  it("are refused if they cannot be these rows", function()
    refuses("shards: none of 2 ranks has 5 rows, as this dataset", data.set_shards, data, {4, 7})
    refuses("set_shards: number of rows 2 is 0, expected a whole number of 1 to 4294967295", data.set_shards, data,
      {5, 0})
    refuses("shards: more than 2^32 - 1 rows", data.set_shards, data, {5, 4294967295})
    refuses("bad argument #2 to '?' (table expected, got number)", data.set_shards, data, 5)
    assert.equal(5, #data)
  end)

  it("leave batches to the own rows", function()
    data:set_shards{5, 7}
    assert.equal(5, data:own_rows())
    assert.equal(5, data:batch(1, 5):size(1))
    refuses("batch: number of rows is 3, expected a whole number of 1 to 2", data.batch, data, 4, 3)
    data:set_shards(nil)
  end)
end)

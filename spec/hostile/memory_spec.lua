-- Memory limits: temporaries are freed in time, and a training runs out of memory.
local moon = require "moonglass"

-- The address sanitizer keeps freed memory, so with it only the limit is tested.
local sanitized = (os.getenv("MOONGLASS_BIN") or "build/moonglass"):find("/san/") ~= nil

local resident = dofile("spec/support/files.lua").resident

describe("temporaries", function()
  after_each(function() moon.limits{memory = 0} end)

  -- spec/stress/memory_temporaries.lua makes 100,000 of them.
  it("of 1 MB come and go in 16 MB", function()
    local n = 1 << 18
    local x = moon.rand(n)
    collectgarbage()
    local before, most = resident(), 0
    moon.limits{memory = 16 << 20}
    for i = 1, 300 do
      local y = (x * 2 + 1):relu():reshape(-1, 512):rows(2, 3)
      assert.are.equal(y[1][1], (string.unpack("f", string.pack("f", x[513] * 2 + 1)))) -- as a float32
      if i % 50 == 0 then most = math.max(most, resident()) end
    end
    assert.is_true(sanitized or most - before < 24 << 10, ("grown by %d KB"):format(most - before))
  end)
end)

describe("a fit under a limit", function()
  local x, plenty

  local function new_net()
    moon.seed(4)
    return moon.sequential{moon.dropout(0.1), moon.dense(60, 40, {activation = "sigmoid", kl_weight = 1e-3}),
      moon.dense(40, 60, {activation = "sigmoid"})}
  end

  local function fit(net, opt)
    return net:fit(x, {loss = "mse", optimizer = opt, batch_size = 48, seed = 2, threads = 1}).loss[1]
  end

  local function bits(net)
    local list = {}
    for i, p in ipairs(net:parameters()) do list[i] = p.value:totable() end
    return list
  end

  before_each(function()
    moon.seed(3)
    x = moon.rand(200, 60)
    collectgarbage()
    local net = new_net()
    plenty = {loss = fit(net, moon.adam()), net = net}
  end)

  after_each(function() moon.limits{memory = 0} end)

  -- Limits from no free memory up to enough: fit works, or fails with a message and unchanged weights. After a failure
  -- and with a higher limit, it gives the same result.
  it("works, or fails and goes on when the limit is raised", function()
    local failures, successes, spare = 0, 0, 0
    while successes < 10 and spare < 4 << 20 do
      spare = spare + (4 << 10)
      local net, opt = new_net(), moon.adam()
      local first = bits(net)
      collectgarbage()
      moon.limits{memory = moon.info().memory + spare}
      local ok, result = pcall(fit, net, opt)
      if ok then
        successes = successes + 1
      else
        failures = failures + 1
        assert.matches("out of memory: wanted %d+ bytes more, holding %d+ %(limit %d+%)", result)
        assert.are.equal(0, opt:steps())
        assert.are.same(first, bits(net))
        moon.limits{memory = 0}
        result = fit(net, opt)
      end
      moon.limits{memory = 0}
      assert.are.equal(plenty.loss, result)
      assert.are.same(bits(plenty.net), bits(net))
    end
    assert.is_true(failures > 5 and successes == 10, ("%d failed, %d worked"):format(failures, successes))
  end)

  it("that stops in the middle keeps the last whole step", function()
    local net, opt = new_net(), moon.adam()
    local stopper = {}
    function stopper.on_batch_end(_, state)
      if state.batch == 2 then
        moon.limits{memory = 1}
        moon.zeros(100)
      end
    end
    local ok, message = pcall(net.fit, net, x, {loss = "mse", optimizer = opt, batch_size = 48, seed = 2, threads = 1,
      callbacks = {stopper}})
    assert.is_false(ok)
    assert.matches("out of memory", message)
    assert.are.equal(2, opt:steps())
    moon.limits{memory = 0}
    assert.is_true(fit(net, opt) > 0)
    assert.are.equal(7, opt:steps())
  end)
end)

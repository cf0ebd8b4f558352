-- Sources: rows that are gathered or read when a batch needs them. Training on them is training on a tensor, bit for
-- bit where the order is the same.
local core = require "moonglass.core"
local moon = require "moonglass"

local function weights(net)
  local list = {}
  for i, parameter in ipairs(net:parameters()) do list[i] = parameter.value end
  return ("%016x"):format(core.digest(list))
end

local function net(width)
  moon.seed(7)
  return moon.autoencoder.plain{input = width or 6, hidden = 3}
end

-- A source of x's rows, and the list of its calls of read.
local function source_of(x, block)
  local calls = {}
  return moon.source{rows = #x, width = x:size(2), block = block, read = function(first, n)
    calls[#calls + 1] = {first, n}
    return x:rows(first, first + n - 1)
  end}, calls
end

local function options(more)
  local o = {loss = "mse", epochs = 3, batch_size = 7, seed = 5, shuffle = false}
  for name, v in pairs(more or {}) do o[name] = v end
  return o
end

-- [n x 1]: the numbers of the rows.
local function numbered(n) return moon.arange(1, n + 1):reshape(n, 1) end

local function failure(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  return message
end

local x
before_each(function()
  moon.seed(1)
  x = moon.rand(100, 6)
end)

describe("windows", function()
  local function copied(t, n, step)
    local list, flat = {}, t:reshape(#t, -1)
    for first = 1, #t - n + 1, step do list[#list + 1] = flat:rows(first, first + n - 1):reshape(1, -1) end
    return moon.cat(list, 1)
  end

  it("are rows of the series, of floats and of bytes, of one and of several columns", function()
    for _, t in ipairs{x, x:reshape(-1), (x * 255):byte()} do
      for _, case in ipairs{{1, 1}, {4, 1}, {5, 3}, {100, 7}, {2, 1000}} do
        local w, all = t:windows(table.unpack(case)), copied(t, table.unpack(case))
        if all.dtype == "uint8" then all = all / 255 end
        assert.same(all.shape, w.shape)
        assert.equal(#all, #w)
        assert.is_true(w:batch(1, #w) == all)
        assert.is_true(w:rows(#w, #w):batch(1, 1) == all:rows(#all, #all))
      end
    end
  end)

  it("train as the copied windows do, bit for bit, shuffled too, on one thread and on two", function()
    for threads = 1, 2 do
      for _, t in ipairs{x, (x * 255):byte()} do
        local a, b, all = net(24), net(24), copied(t, 4, 2)
        local of_all = a:fit(all, options{shuffle = true, threads = threads, validation_split = 0.2})
        local of_windows = b:fit(t:windows(4, 2), options{shuffle = true, threads = threads, validation_split = 0.2})
        assert.same(of_all.loss, of_windows.loss)
        assert.same(of_all.val_loss, of_windows.val_loss)
        assert.equal(weights(a), weights(b))
        assert.equal(a:evaluate(all), a:evaluate(t:windows(4, 2)))
        assert.is_true(a:predict(all) == a:predict(t:windows(4, 2)))
        assert.is_true(a:errors(all) == a:errors(t:windows(4, 2), {batch_size = 5}))
      end
    end
  end)

  it("are targets, too: what follows a window", function()
    local a = moon.sequential{moon.dense(12, 6)}
    local b = a:clone()
    a:fit(copied(x, 2, 1):rows(1, 98), x:rows(3, 100), options{shuffle = true})
    b:fit(x:windows(2):rows(1, 98), x:rows(3, 100):windows(1), options{shuffle = true})
    assert.equal(weights(a), weights(b))
  end)

  it("refuse what is no window", function()
    assert.matches("windows: 101 times in a window, expected 1 to 100: the series is %[100 x 6%]",
      failure(x.windows, x, 101))
    assert.matches("windows: n is 0, expected a whole number of at least 1", failure(x.windows, x, 0))
    assert.matches("windows: step is 0, expected", failure(x.windows, x, 2, 0))
    assert.matches("windows: the series is %[10 x 10 x 6%], expected %[times x width%]",
      failure(x.windows, x:reshape(10, 10, 6):reshape(10, 10, 6), 2))
    assert.matches("batch: number of rows is 9, expected a whole number of 1 to 3", failure(function()
      x:windows(2):batch(97, 9)
    end))
    assert.matches("source has no field or method 'bach'; did you mean 'batch'", failure(function()
      return x:windows(2).bach
    end))
  end)
end)

describe("a source with a reader", function()
  it("gives the same bits as the tensor in the rows' own order, whatever the block and the batch", function()
    local a = net()
    local of_tensor = a:fit(x, options())
    for _, block in ipairs{1, 7, 13, 100, 1000} do
      local b, s = net(), source_of(x, block)
      local of_source = b:fit(s, options())
      assert.same(of_tensor.loss, of_source.loss)
      assert.equal(weights(a), weights(b))
      assert.equal(a:evaluate(x), b:evaluate(s))
      assert.is_true(a:predict(x) == b:predict(s))
      assert.is_true(a:errors(x) == b:errors(s, {batch_size = 9}))
      assert.is_true(a:encode(x) == b:encode(s))
      assert.is_true(a:reconstruct(x) == b:reconstruct(s))
    end
  end)

  it("is read block by block, each block once an epoch, and not before the training", function()
    local s, calls = source_of(x, 32)
    net():fit(s, options{epochs = 1})
    assert.same({{1, 32}, {33, 32}, {65, 32}, {97, 4}}, calls)
    for i = #calls, 1, -1 do calls[i] = nil end
    net():fit(s:rows(20, 70), options{epochs = 1})
    assert.same({{20, 13}, {33, 32}, {65, 6}}, calls)
  end)

  it("is shuffled by blocks: each row once an epoch, another order each epoch, the same for the same seed", function()
    local n = 1000
    local s = source_of(numbered(n), 16)
    local data, other = moon.dataset(s:rows(5, n - 3)), moon.dataset(s:rows(5, n - 3))
    local rows = data:rows()
    local function order(d, seed, epoch)
      d:shuffle(seed, epoch)
      local list = {}
      for first = 1, rows, 50 do
        local part = d:batch(first, math.min(50, rows - first + 1))
        for i = 1, #part do list[#list + 1] = part:get(i, 1) end
      end
      return list
    end
    local one, two = order(data, 3, 1), order(data, 3, 2)
    assert.same(one, order(other, 3, 1))
    assert.same(two, order(other, 3, 2))
    assert.is_false(table.concat(one, " ") == table.concat(two, " "))
    assert.is_false(table.concat(one, " ") == table.concat(order(data, 4, 1), " "))
    for _, list in ipairs{one, two} do
      local seen, far = {}, 0
      for i, v in ipairs(list) do
        seen[v] = (seen[v] or 0) + 1
        if math.abs(list[i + 1] or v - v) > 16 then far = far + 1 end
      end
      for v = 5, n - 3 do assert.equal(1, seen[v]) end
      assert.is_true(far > rows / 2)
    end
    data:unshuffle()
    assert.same({5, 6, 7}, data:batch(1, 3):reshape(-1):totable())
    assert.same({900, 901}, data:batch(896, 2):reshape(-1):totable())
  end)

  it("trains beside targets in memory and targets that are read, in the same order", function()
    local y = x:t():rows(1, 2):t()
    local function trained(of_x, of_y, more)
      moon.seed(9)
      local m = moon.sequential{moon.dense(6, 2)}
      m:fit(of_x, of_y, options(more))
      return weights(m)
    end
    assert.equal(trained(x, y), trained(source_of(x, 9), y))
    assert.equal(trained(x, y), trained(source_of(x, 9), source_of(y, 9)))
    assert.equal(trained(x, y), trained(x, source_of(y, 9)))
    assert.equal(trained(x, y), trained(x:windows(1), source_of(y, 9)))
    local shuffled = trained(source_of(x, 9), y, {shuffle = true})
    assert.equal(shuffled, trained(source_of(x, 9), source_of(y, 5), {shuffle = true}))
    assert.equal(shuffled, trained(source_of(x, 9), source_of(y, 9), {shuffle = true}))
    local pair = moon.dataset(source_of(numbered(50), 8), numbered(50))
    pair:shuffle(1)
    local bx, by = pair:batch(3, 40)
    assert.is_true(bx == by)
  end)

  it("takes class numbers, of a tensor of bytes and of a source of width 1", function()
    local labels = moon.arange(0, 100):reshape(100, 1)
    labels = labels - (labels / 3):floor() * 3
    local function trained(of_x, of_y)
      moon.seed(9)
      local m = moon.sequential{moon.dense(6, 3, {activation = "softmax"})}
      m:fit(of_x, of_y, options{loss = "cross_entropy"})
      return weights(m), m
    end
    local expected = trained(x, labels:reshape(-1))
    assert.equal(expected, trained(source_of(x, 9), labels:reshape(-1):byte()))
    assert.equal(expected, trained(source_of(x, 9), source_of(labels, 4)))
    local flat = moon.source{rows = 100, width = 1, read = function(first, n)
      return labels:reshape(-1):rows(first, first + n - 1)
    end}
    local same, m = trained(x, flat)
    assert.equal(expected, same)
    assert.matches("target of row %d+ is class 7, expected a whole number of 0 to 2", failure(m.fit, m, x,
      source_of(labels:clone():fill_(7), 9), options{loss = "cross_entropy"}))
  end)

  it("may have missing cells (mask)", function()
    for i = 1, 100, 3 do x:set(0 / 0, i, 1 + i % 6) end
    local a, b, c = net(), net(), net()
    local expected = a:fit(x, options{mask = true}).loss
    assert.same(expected, b:fit(source_of(x, 9), options{mask = true}).loss)
    assert.same(expected, c:fit(x:windows(1), options{mask = true}).loss)
    assert.equal(weights(a), weights(b))
    assert.equal(weights(a), weights(c))
    assert.equal(a:evaluate(x, {mask = true}), a:evaluate(source_of(x, 9), {mask = true}))
  end)

  it("is for nets with layers in Lua, too", function()
    local function mixed()
      moon.seed(3)
      local same = {forward = function(_, v) return v end, backward = function(_, v) return v end}
      return moon.sequential{moon.dense(6, 3), same, moon.dense(3, 6)}
    end
    local a, b, s = mixed(), mixed(), source_of(x, 9)
    assert.same(a:fit(x, options()).loss, b:fit(s, options()).loss)
    assert.equal(a:evaluate(x), b:evaluate(s))
    assert.is_true(a:predict(x) == b:predict(s))
    assert.is_true(a:errors(x) == b:errors(s))
  end)

  it("goes on after a checkpoint as if nothing had been, with validation", function()
    local function run(m, more)
      return m:fit(source_of(x, 9), options{shuffle = true, epochs = 4, validation_split = 0.3, optimizer = more.opt,
        initial_epoch = more.from, callbacks = more.callbacks, resume = more.resume})
    end
    local path = os.tmpname()
    local a, b = net(), net()
    local whole = run(a, {})
    local ok, message = pcall(run, b, {callbacks = {moon.callbacks.checkpoint(path, {every = 2}), function(state)
      if state.epoch == 3 then error("power cut", 0) end
    end}})
    assert.is_false(ok)
    assert.matches("power cut", message)
    local checkpoint = assert(moon.checkpoint.load(path))
    os.remove(path)
    assert.equal(2, checkpoint.epoch)
    local rest = run(checkpoint.net, {resume = checkpoint})
    assert.same(whole.loss, rest.loss)
    assert.same(whole.val_loss, rest.val_loss)
    assert.equal(weights(a), weights(checkpoint.net))
  end)

  it("is validation, of its own", function()
    local a, b = net(), net()
    assert.same(a:fit(x, options{validation = x:rows(1, 30)}).val_loss,
      b:fit(source_of(x, 9), options{validation = source_of(x:rows(1, 30), 4)}).val_loss)
  end)

  it("may train the net that it feeds, and use another dataset of itself", function()
    local m, s = net(), nil
    local opt, loss = moon.adam(), moon.mse()
    s = moon.source{rows = 20, width = 6, block = 5, read = function(first, n)
      if first > 1 then
        m:step(x:rows(1, 3), nil, loss, opt)
        m:predict(x)
        assert.equal(1, #s:rows(1, 1):batch(1, 1))
      end
      return x:rows(first, first + n - 1)
    end}
    local history = m:fit(s, options{epochs = 2, shuffle = true, optimizer = opt})
    assert.is_true(history.loss[2] == history.loss[2])
    assert.equal(2 * 3 + 2 * 3, opt:steps())
  end)

  it("may be closed, and its dataset too, while it is read", function()
    local s, data
    s = moon.source{rows = 20, width = 6, block = 5, read = function(first, n)
      getmetatable(s).__close(s)
      getmetatable(data).__close(data)
      collectgarbage()
      return x:rows(first, first + n - 1)
    end}
    data = moon.dataset(s)
    assert.is_true(data:batch(3, 10) == x:rows(3, 12))
    assert.matches("closed", failure(function() return data:batch(1, 1) end))
    assert.matches("closed", tostring(s))
  end)

  it("is collected though its function refers to it", function()
    local gone = setmetatable({}, {__mode = "k"})
    do
      local s
      s = moon.source{rows = 3, width = 6, read = function() return s end}
      gone[s] = true
      gone[moon.dataset(s)] = true
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(gone))
  end)
end)

describe("a reader that fails", function()
  local function fit(read, more)
    local m = net()
    local before = weights(m)
    local message = failure(m.fit, m, moon.source{rows = 40, width = 6, block = 16, read = read}, options(more))
    assert.equal(before, weights(m))
    return message
  end

  it("is named, with the rows", function()
    assert.matches("sources_spec.lua:%d+: disk gone %(in read of a source, rows 1 to 16%)$",
      fit(function() error("disk gone") end))
    local shapes = "source: read%(1, 16%) gave %[3 x 6%], expected a tensor %[16 x 6%] of float32$"
    assert.matches("sources_spec.lua:%d+: " .. shapes,
      fit(function() return moon.zeros(3, 6) end))
    assert.matches("read%(1, 16%) gave %[16 x 6%] uint8, expected", fit(function() return moon.zeros(16, 6):byte() end))
    assert.matches("read%(1, 16%) gave nil, expected a tensor", fit(function() end))
    assert.matches("read%(1, 16%) gave a table, expected a tensor", fit(function() return {1} end))
    assert.matches("read%(1, 16%) gave %[16%], expected", fit(function() return moon.zeros(16) end))
    assert.matches("yield.* %(in read of a source, rows 1 to 16%)", fit(function() coroutine.yield() end))
    local thrown = {}
    assert.equal(thrown, fit(function() error(thrown) end))
  end)

  it("leaves the steps before it, and the rows can be read again", function()
    local m, broken, calls = net(), true, 0
    local s = moon.source{rows = 40, width = 6, block = 10, read = function(first, n)
      calls = calls + 1
      if first == 21 and broken then error("no signal", 0) end
      return x:rows(first, first + n - 1)
    end}
    local opt = moon.adam()
    assert.matches("no signal %(in read of a source, rows 21 to 30%)", failure(m.fit, m, s,
      options{optimizer = opt, batch_size = 10}))
    assert.equal(2, opt:steps())
    broken = false
    m:fit(s, options{optimizer = opt, batch_size = 10, epochs = 1})
    assert.equal(6, opt:steps())
    assert.matches("rows 21 to 30", (function() broken = true return failure(m.predict, m, s, {batch_size = 10}) end)())
    assert.matches("rows 21 to 30", failure(m.evaluate, m, s))
    assert.matches("rows 21 to 30", failure(s.batch, s, 1, 40))
  end)

  it("may not use or reorder the dataset that it reads for", function()
    local data, deed
    local s = moon.source{rows = 40, width = 6, block = 10, read = function(first, n)
      deed()
      return x:rows(first, first + n - 1)
    end}
    data = moon.dataset(s)
    deed = function() data:batch(1, 2) end
    assert.matches("asks for rows of the dataset that it reads for %(in read of a source, rows 1 to 10%)",
      failure(data.batch, data, 1, 2))
    deed = function() data:shuffle(1) end
    assert.matches("has changed the order of the dataset that it reads for", failure(data.batch, data, 1, 2))
    deed = function() end
    assert.equal(2, #data:batch(1, 2))
  end)

  it("lets errors of hooks out unchanged", function()
    local reason = "time is up"
    local function read(first, n)
      debug.sethook(function() debug.sethook() error(reason, 0) end, "", 1)
      return x:rows(first, first + n - 1)
    end
    assert.equal(reason, fit(read))
    reason = {}
    assert.equal(reason, fit(read))
    -- Also through functions of this library, which the reader calls.
    assert.equal(reason, fit(function(first, n)
      net():fit(x, options{callbacks = {function() read(first, n) end}})
      return x:rows(first, first + n - 1)
    end))
  end)

  it("can be interrupted", function()
    local calls = 0
    local message = fit(function(first, n)
      calls = calls + 1
      if calls == 2 then moon.interrupt() end
      return x:rows(first, first + n - 1)
    end, {shuffle = true})
    assert.matches("interrupted", message)
    assert.equal(2, calls)
  end)

  it("runs in coroutines", function()
    local s = source_of(x, 9)
    local train = coroutine.wrap(function() return net():fit(s, options()).loss[3] end)
    assert.equal(net():fit(x, options()).loss[3], train())
  end)
end)

describe("moon.source", function()
  it("checks its options", function()
    local function read() end
    assert.matches("source: option rows is missing", failure(moon.source, {width = 1, read = read}))
    assert.matches("source: width is 0, expected", failure(moon.source, {rows = 1, width = 0, read = read}))
    assert.matches("source: read is 5, expected a function", failure(moon.source, {rows = 1, width = 1, read = 5}))
    assert.matches("source: unknown option 'blok'; did you mean 'block'", failure(moon.source,
      {rows = 1, width = 1, read = read, blok = 1}))
    assert.matches("more than memory can hold", failure(moon.source,
      {rows = 2 ^ 32 - 1 | 0, width = 2 ^ 32 - 1 | 0, block = 2 ^ 32 - 1 | 0, read = read}))
  end)

  it("refuses other widths and numbers of rows, before it reads", function()
    local s, calls = source_of(x, 9)
    local m = net(5)
    assert.matches("fit: input is %[100 x 6%], expected %[rows x 5%]", failure(m.fit, m, s, options()))
    assert.matches("evaluate: input is %[100 x 6%], expected", failure(m.evaluate, m, s, nil, {loss = "mse"}))
    assert.matches("predict: input is %[100 x 6%], expected %[rows x 5%]", failure(m.predict, m, s))
    assert.matches("encode: input is", failure(m.encode, m, s))
    assert.matches("y is %[50 x 6%] and x %[100 x 6%]", failure(moon.dataset, s, x:rows(1, 50)))
    assert.equal(0, #calls)
  end)

  it("shows itself", function()
    local s = source_of(x, 9)
    assert.equal("source [100 x 6]", tostring(s))
    assert.equal("dataset x [100 x 6]", tostring(moon.dataset(s)))
    assert.equal(100, s:size(1))
    assert.equal(6, s:size(2))
    assert.same({100, 6}, s.shape)
    assert.equal("float32", s.dtype)
    assert.equal("source [3 x 6]", tostring(s:rows(2, 4)))
    assert.equal("source [1 x 6]", tostring(s:rows(100)))
    assert.matches("rows: first row is 101, expected a whole number of 1 to 100", failure(s.rows, s, 101))
    assert.matches("rows: last row is 101, expected a whole number of 2 to 100", failure(s.rows, s, 2, 101))
  end)
end)

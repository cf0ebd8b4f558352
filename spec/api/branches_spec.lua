-- Test branches with a common input: against the same by hand, numeric gradients, threads, files, copies, refusals.
local moon = require "moonglass"
local core = require "moonglass.core"
local failure = dofile("spec/support/expect.lua").failure

local dense = moon.dense

-- A trunk 6 -> 5, and branches of widths 4, 3 and, without layers, 5.
local function small()
  local trunk, first, second = dense(6, 5, {activation = "tanh"}),
    {dense(5, 7, {activation = "silu"}), dense(7, 4, {activation = "sigmoid"})}, dense(5, 3)
  return moon.sequential{trunk, moon.branches{first, second, {}}}, trunk, first, second
end

local nests = {
  small = small,
  ["within one another"] = function()
    local inner = moon.branches{{}, dense(4, 3, {activation = "sigmoid"}), {dense(4, 2), moon.dropout(0.2)}}
    return moon.sequential{dense(6, 5, {activation = "tanh"}),
      moon.branches{{}, {dense(5, 4, {activation = "tanh"}), inner}, {moon.gaussian_noise(0.1), dense(5, 2)}}}
  end,
  ["one behind the other, first in the net"] = function()
    return moon.sequential{moon.branches{dense(6, 4), {}}, moon.branches{{}, dense(10, 3)},
      dense(13, 4, {activation = "tanh"})}
  end,
  ["beginning at one input"] = function()
    return moon.sequential{dense(6, 4), moon.branches{{moon.branches{dense(4, 2), {}}, dense(6, 3)}, dense(4, 2)}}
  end,
  ["with normalisation"] = function()
    return moon.sequential{dense(6, 5), moon.batch_norm(5), moon.branches{
      {moon.batch_norm(5), dense(5, 4, {activation = "tanh"}), moon.layer_norm(4)},
      {dense(5, 3), moon.batch_norm(3)}, {}}, moon.batch_norm(12)}
  end,
  ["a layer used twice"] = function()
    local shared = dense(5, 4, {activation = "tanh"})
    return moon.sequential{dense(6, 5), moon.branches{shared, {shared, dense(4, 5, {tied = shared})}}}
  end,
}

-- A layer written in Lua: twice its input.
local function twice()
  return {name = "twice", forward = function(_, x) return x * 2 end, backward = function(_, dy) return dy * 2 end,
    clone = twice}
end

local function weights(net)
  local list = {}
  for i, p in ipairs(net:parameters()) do list[i] = p.value:clone() end
  return list
end

local function difference(a, b)
  local worst = 0
  for i = 1, #a do worst = math.max(worst, (a[i] - b[i]):abs():max()) end
  return worst
end

describe("branches", function()
  before_each(function() moon.seed(3) end)

  it("put their outputs side by side", function()
    local net, trunk, first, second = small()
    local x = moon.randn(9, 6)
    local h = trunk:forward(x)
    local expected = moon.cat({first[2]:forward(first[1]:forward(h)), second:forward(h), h}, 2)
    assert.same({6, 12}, {net:inputs(), net:outputs()})
    assert.equal(expected, net:predict(x))
    assert.equal(expected, net:predict(x, {batch_size = 2}))
    assert.equal(expected, net:forward(x))
    assert.equal(net:predict(x):columns(5, 7), (select(2, table.unpack(net:predict(x):split(2, {4, 3, 5})))))
  end)

  for name, make in pairs(nests) do
    it("have the gradients of numeric differences: " .. name, function()
      local net = make()
      local x, target = moon.randn(7, 6), moon.rand(7, net:outputs())
      local _, details = moon.gradcheck(net, x, {loss = moon.mse{}, target = target})
      assert.is_true(details.passed, tostring(details))
    end)

    it("are the same with layers in Lua around them: " .. name, function()
      local net, x = make(), moon.randn(7, 6)
      if name == "a layer used twice" then return end
      local mixed = moon.sequential{net, twice()}
      assert.near(0, (mixed:predict(x) - net:predict(x) * 2):abs():max(), 1e-6)
      local _, details = moon.gradcheck(mixed, x)
      assert.is_true(details.passed, tostring(details))
      assert.equal(mixed:predict(x), mixed:clone():predict(x))
    end)

    it("are saved, cloned and shared: " .. name, function()
      local net, x, path = make(), moon.randn(7, 6), os.tmpname()
      assert(net:save(path))
      local loaded = moon.load(path)
      os.remove(path)
      local optimizers = {moon.adam{}, moon.adam{}, moon.adam{}}
      local all, y = {net, loaded, net:clone()}, moon.rand(7, net:outputs())
      assert.equal(net:predict(x), loaded:predict(x))
      for i, one in ipairs(all) do
        one:seed(4)
        for _ = 1, 3 do one:step(x, y, "mse", optimizers[i]) end
      end
      assert.equal(0, difference(weights(net), weights(loaded)))
      assert.equal(0, difference(weights(net), weights(all[3])))
    end)
  end

  it("train the same by rows, by columns and by one thread", function()
    local function make(width)
      moon.seed(5)
      local tanh = {activation = "tanh"}
      return moon.sequential{dense(width, 200, tanh), moon.branches{{}, {dense(200, 300, tanh),
        moon.branches{{}, dense(300, 200, {activation = "sigmoid"}), {moon.dropout(0.2), dense(300, 50)}}},
        dense(200, 100)}, dense(850, 64)}
    end
    for _, rows in ipairs{7, 32, 512} do
      local found = {}
      for threads = 1, 3 do
        local net = make(300)
        moon.set_threads(threads)
        net:seed(1)
        local optimizer, x, y = moon.sgd{lr = 0.01, momentum = 0.9}, moon.rand(rows, 300), moon.rand(rows, 64)
        for _ = 1, 4 do net:step(x, y, moon.mse{}, optimizer) end
        found[threads] = weights(net)
      end
      moon.set_threads(1)
      assert.is_true(difference(found[1], found[2]) < 1e-6, rows)
      assert.is_true(difference(found[1], found[3]) < 1e-6, rows)
    end
  end)

  it("train the same as layers run by hand", function()
    local net = small()
    local x, y, copy = moon.randn(9, 6), moon.rand(9, 12), net:clone()
    net:step(x, y, "mse", moon.sgd{lr = 0.5})
    local trunk, first, second = copy:layer(1), {copy:layer(2), copy:layer(3)}, copy:layer(5)
    local h = trunk:forward(x, true)
    local loss = moon.mse{}
    loss:forward(moon.cat({first[2]:forward(first[1]:forward(h, true), true), second:forward(h, true), h}, 2), y)
    local a, b, c = table.unpack(loss:backward():split(2, {4, 3, 5}))
    trunk:backward(first[1]:backward(first[2]:backward(a)) + second:backward(b) + c)
    moon.sgd{lr = 0.5}:step(copy:parameters())
    assert.is_true(difference(weights(net), weights(copy)) < 1e-6)
  end)

  it("train the same beside layers that need no gradient", function()
    local tanh = {activation = "tanh"}
    local function three()
      moon.seed(6)
      return moon.sequential{dense(30, 80, tanh), moon.branches{{dense(80, 70, tanh), dense(70, 40)},
        {dense(80, 60, tanh), moon.branches{{}, {dense(60, 50, tanh), dense(50, 30)}}}, {}}}
    end
    for _, frozen in ipairs{{1}, {1, 2, 3}, {1, 5}, {1, 5, 7, 8}, {1, 2, 5, 7}, {2, 3}, {5, 7, 8}, {3, 8},
      {1, 2, 3, 5}} do
      for _, rows in ipairs{9, 300} do
        local net, copy = three(), three()
        for _, i in ipairs(frozen) do net:layer(i).trainable = false end
        local x, y, before = moon.randn(rows, 30), moon.randn(rows, net:outputs()), weights(net)
        moon.set_threads(rows > 9 and 2 or 1)
        net:step(x, y, moon.mse{}, moon.sgd{lr = 1})
        copy:step(x, y, moon.mse{}, moon.sgd{lr = 1})
        moon.set_threads(1)
        local all = copy:parameters()
        for i, p in ipairs(net:parameters()) do
          local expected = p.trainable == false and before[i] or all[i].value
          assert.is_true((p.value - expected):abs():max() < 1e-7, p.name)
          assert.is_true(p.trainable == false or (p.value - before[i]):abs():max() > 0, p.name)
        end
      end
    end
  end)

  it("are frozen as a whole, or a layer in them", function()
    local function train(net, frozen)
      local before = weights(net)
      local x, y = moon.rand(8, 6), moon.rand(8, net:outputs() > 0 and net:outputs() or 12)
      net:fit(x, y, {loss = "mse", optimizer = moon.sgd{lr = 1}})
      for i, p in ipairs(net:parameters()) do
        assert.equal(frozen(p.name), p.value == before[i], p.name)
      end
    end
    local net = small()
    net:layer(1).trainable, net:layer(3).trainable = false, false
    train(net, function(name) return name:find("^[13]%.") ~= nil end)
    net.trainable = true
    net:layer(5).trainable, net:layer(1).trainable = false, false
    train(net, function(name) return name:find("^[15]%.") ~= nil end)
    local branches = moon.branches{dense(5, 7), dense(5, 5)}
    local mixed = moon.sequential{dense(6, 5), branches, twice()}
    branches.trainable = false
    assert.is_false(branches.trainable)
    train(mixed, function(name) return name:find("^2%.") ~= nil end)
    branches.parts[2].trainable = true
    assert.is_true(branches.trainable)
    train(mixed, function(name) return name:find("^2%.1") ~= nil end)
    assert.equal("branches: trainable is 1, expected true or false", failure(function() branches.trainable = 1 end))
  end)

  it("are a half of an autoencoder", function()
    local ae = moon.autoencoder{encoder = {dense(6, 5, {activation = "tanh"})},
      decoder = {moon.branches{{dense(5, 6)}, {dense(5, 3, {activation = "softmax"})}}}}
    local x = moon.rand(8, 6)
    assert.same({1, 4}, {#ae.encoder, #ae.decoder})
    assert.equal(ae:predict(x), ae:decode(ae:encode(x)))
    local copy = ae:clone()
    assert.equal(ae:predict(x), copy:decode(copy:encode(x)))
    local two = moon.autoencoder{encoder = {moon.branches{dense(6, 2), {}}, dense(8, 3)}, decoder = {dense(3, 6)}}
    assert.equal(two:predict(x), two:decode(two:encode(x)))
  end)

  it("are slices as a whole only", function()
    local net = moon.sequential{small(), dense(12, 2)}
    local x = moon.randn(4, 6)
    assert.equal(net:predict(x), net:slice(2, 8):predict(net:slice(1, 1):predict(x)))
    assert.equal(net:predict(x), net:slice(8, 8):predict(net:slice(1, 7):predict(x)))
    assert.equal("slice: layer 3 (branch): no join stands behind it; a net has all branches of a join, or none",
      failure(function() net:slice(2, 5) end))
    assert.equal("slice: layer 2 (branch): back is 2, expected at most the 1 layers before it; a net has all branches "
      .. "of a join, or none", failure(function() net:slice(3, 7) end))
  end)

  it("show in texts", function()
    local net = small()
    assert.matches("branch 2, dense 5%->3, branch 4", tostring(net))
    assert.matches("join 3%s+%[%* x 12%]%s+0\n", net:summary())
    assert.matches("branch 4%s+%[%* x 5%]%s+0\n", net:summary())
    assert.equal("branches (dense 2->3), ()", tostring(moon.branches{dense(2, 3), {}}))
    assert.equal("net (3 branches, twice)", tostring(moon.sequential{moon.branches{dense(2, 3), {}, {}}, twice()}))
  end)

  it("name the layer whose output is not finite", function()
    local net = small()
    net:layer(5).weight:fill_(3e38)
    net:layer(5).bias:fill_(3e38)
    assert.matches("the output of layer 2 %(3 branches%) has infinity", failure(function()
      net:fit(moon.randn(4, 6) * 1e6, moon.rand(4, 12), {loss = "mse"})
    end))
  end)

  it("have the width of the first layer that has one, also behind a join", function()
    local relu = moon.activation("relu")
    local net = moon.sequential{moon.branches{{}, relu}, moon.branches{{}, {}, relu}, dense(12, 1)}
    net:layer(#net).weight:fill_(1)
    assert.equal(2, net:inputs())
    assert.same({{(-1 + 2 + 0 + 2) * 2 + (0 + 2 + 0 + 2)}}, net:forward(moon.tensor{{-1, 2}}):totable())
    assert.equal("in layer 4 (dense 3->1): input is [* x 2], expected [* x 3]",
      failure(moon.sequential, {moon.branches{{}, relu}, dense(3, 1)}))
    assert.equal("a net with branches, but without a layer of a given width: expected one, such as dense",
      failure(moon.sequential, {moon.branches{{}, relu}}))
  end)

  it("are refused if they do not fit", function()
    local function of(...)
      local layers = {...}
      return failure(function() moon.sequential(layers) end)
    end
    local function branch(back) return moon.layer("branch", back) end
    local function join(heads) return moon.layer("join", heads) end
    assert.equal("layer 1 (branch): no join stands behind it; a net has all branches of a join, or none", of(branch(0)))
    assert.equal("layer 2 (join): heads is 2, but there are 1 branches: expected one less of the layer `branch` before "
      .. "it than heads", of(dense(3, 3), join(2)))
    assert.equal("layer 3 (join): heads is 3, but there are 2 branches: expected one less of the layer `branch` before "
      .. "it than heads", of(dense(3, 3), branch(1), join(3)))
    assert.equal("layer 6 (branch): back is 2, which leads to layer 4: branches begin there in another join, or behind "
      .. "another branch", of(dense(3, 2), branch(1), dense(3, 2), join(2), dense(4, 4), branch(2), join(2)))
    assert.equal("layer 6 (branch): back is 4, which leads to layer 2: branches begin there in another join, or behind "
      .. "another branch",
      of(dense(3, 2), branch(1), dense(3, 3), branch(0), dense(3, 2), branch(4), join(2), join(2)))
    assert.equal("in layer 3 (dense 2->2): input is [* x 3], expected [* x 2]",
      of(dense(3, 2), branch(1), dense(2, 2), join(2)))
    local doubling = {dense(1, 1)}
    for i = 1, 40 do doubling[2 * i], doubling[2 * i + 1] = branch(0), join(2) end
    assert.equal("layer 65 (join): its branches have 2^32 columns or more together", of(table.unpack(doubling)))
    table.remove(doubling, 1)
    doubling[81] = dense(1, 1)
    assert.equal("layer 64 (join): its branches have 2^32 columns or more together", of(table.unpack(doubling)))
    assert.equal("branch: back is -1, expected a whole number of at least 0 and at most 1e+09",
      failure(function() branch(-1) end))
    assert.equal("join: heads is 1, expected a whole number of at least 2 and at most 1e+09",
      failure(function() join(1) end))
  end)

  it("say what they take", function()
    local function refused(...) return failure(moon.branches, ...) end
    assert.equal("branches: the list has 1, expected at least two branches", refused{dense(2, 2)})
    assert.equal("branches: got a moonglass.layer, expected a list of branches: branches{{layer, layer}, {layer}}",
      refused(dense(2, 2)))
    assert.equal("branches: branch 2 is 3, expected a list of layers, a layer or a net", refused{dense(2, 2), 3})
    assert.equal("branches: unknown key 'x', expected a list of branches", refused{dense(2, 2), {}, x = 1})
    assert.equal("branches: branch 2: in layer 2 (dense 3->3): input is [* x 2], expected [* x 3]",
      refused{dense(2, 2), {dense(3, 2), dense(3, 3)}})
    assert.equal("branches: branch 1: element 1 is 'relu', expected a layer, a net, branches or a table with forward "
      .. "and backward", refused{{"relu"}, {}})
    assert.equal("in layer 3 (dense 2->2): input is [* x 3], expected [* x 2]",
      failure(moon.sequential, {moon.branches{dense(3, 2), dense(2, 2)}}))
  end)

  it("in Lua say where a row does not fit", function()
    local net = moon.sequential{dense(6, 5), moon.branches{dense(5, 4), moon.branches{{dense(4, 3)}, twice()}}}
    assert.equal("in layer 2 (2 branches): in branch 2: in branch 1: forward: input is [3 x 5], expected [rows x 4]",
      failure(net.forward, net, moon.rand(3, 6)))
    assert.equal("branches: backward without a forward before it",
      failure(function() moon.branches{{}, {}}:backward(moon.rand(2, 2)) end))
  end)

  it("with a layer twice, in Lua, are refused", function()
    local shared = dense(3, 3)
    local words = "sequential: layer %d: dense 3->3 has its weights elsewhere, too, which only nets of native layers "
      .. "can have"
    assert.equal(words:format(1), failure(moon.sequential, {shared, moon.branches{shared, {}}, twice()}))
    assert.equal(words:format(1), failure(moon.sequential, {moon.branches{shared, shared}, twice()}))
    assert.equal(words:format(1),
      failure(moon.sequential, {moon.branches{shared, dense(3, 3, {tied = shared})}, twice()}))
    local within = moon.sequential{moon.branches{{shared, dense(3, 3, {tied = shared}), shared}, {}}, twice()}
    local _, details = moon.gradcheck(within, moon.randn(4, 3))
    assert.is_true(details.passed, tostring(details))
  end)

  it("go to ONNX", function()
    assert.is_string(moon.onnx.encode((small())))
  end)

  it("keep their layers when a file tells of others", function()
    local net = small()
    local archive, texts = net:archive()
    assert.is_table(archive)
    for _, change in ipairs{{'"back":4', '"back":3'}, {'"back":2', '"back":7'}, {'"heads":3', '"heads":2'},
      {'"heads":3', '"heads":4'}} do
      local text = texts.moonglass:gsub(change[1], change[2])
      assert.not_equal(texts.moonglass, text)
      local changed, words = core.net_from(archive, {moonglass = text})
      assert.is_nil(changed)
      assert.matches("layer %d", words)
    end
  end)
end)

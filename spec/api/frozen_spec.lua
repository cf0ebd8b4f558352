-- Options that are set after construction, and frozen layers: what a step leaves as it is.
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"
local expect = dofile "spec/support/expect.lua"

local failure, setter = expect.failure, expect.setter

-- Some rows in [0, 1) and their targets.
local function problem(n)
  moon.seed(4)
  return moon.rand(n or 40, 6), moon.rand(n or 40, 3)
end

local function same_weights(a, b)
  local p, q = a:parameters(), b:parameters()
  assert.equal(#p, #q)
  for i = 1, #p do assert.is_true(p[i].value:equal(q[i].value), p[i].name) end
end

describe("an option of a layer that is set", function()
  it("changes the noise of the next forward", function()
    local layer, x = moon.gaussian_noise(0), moon.zeros(100, 50)
    assert.equal(0, layer:forward(x, true):abs():max())
    layer.sigma = 0.3
    assert.equal(0.3, layer.sigma)
    assert.near(0.3, layer:forward(x, true):std(), 0.01)
    layer.clip = {-0.1, 0.2}
    assert.near(0.2, layer:forward(x, true):max(), 1e-7)
    layer.clip = nil
    assert.is_nil(layer.clip)
    assert.is_true(layer:forward(x, true):max() > 0.5)
  end)

  it("changes the probability of dropout, masking and salt and pepper", function()
    for _, kind in ipairs{"dropout", "masking_noise", "salt_pepper_noise"} do
      local layer, x = moon.layer(kind, 0), moon.full(0.5, 100, 50)
      assert.equal(0.5, layer:forward(x, true):max())
      layer.p = 0.4
      local changed = layer:forward(x, true):ne(0.5):mean()
      assert.near(kind == "dropout" and 1 or 0.4, changed, 0.02, kind)
    end
  end)

  it("trains as if it had been given at construction", function()
    local x, y = problem()
    for _, option in ipairs{"activity_l1", "weight_l1", "weight_l2", "kl_weight", "contractive"} do
      local function train(given, later)
        moon.seed(7)
        local net = moon.sequential{moon.dense(6, 5, {activation = "relu"}),
          moon.dense(5, 3, {activation = "sigmoid", [option] = given})}
        if later then net:layer(2)[option] = later end
        local opt, loss = moon.adam(), moon.bce()
        for _ = 1, 5 do net:step(x, y, loss, opt) end
        return net
      end
      same_weights(train(0.1), train(nil, 0.1))
      same_weights(train(nil), train(0.1, 0))
    end
  end)

  it("is saved, loaded and cloned as it stands", function()
    local net = moon.sequential{moon.gaussian_noise(0.1), moon.dense(6, 5), moon.dropout(0.5), moon.dense(5, 3)}
    net:layer(1).sigma, net:layer(1).clip, net:layer(3).p = 0.25, {0, 1}, 0.125
    net:layer(2).weight_l2, net:layer(4).trainable = 0.5, false
    local loaded
    files.temporary(function(path)
      assert(net:save(path))
      loaded = assert(moon.load(path))
    end)
    for _, copy in ipairs{loaded, net:clone(), net:slice(1, 4)} do
      assert.equal(0.25, copy:layer(1).sigma)
      assert.same({0, 1}, copy:layer(1).clip)
      assert.equal(0.125, copy:layer(3).p)
      assert.equal(0.5, copy:layer(2).weight_l2)
      assert.is_true(copy:layer(2).trainable)
      assert.is_false(copy:layer(4).trainable)
    end
  end)

  it("keeps its value if the new one is refused", function()
    local layer = moon.dense(3, 2, {activation = "relu"})
    assert.equal("dense: activation is relu, expected one with outputs in [0, 1], such as sigmoid, for kl_weight",
      failure(setter(layer, "kl_weight", 1)))
    assert.equal(0, layer.kl_weight)
    layer = moon.dense(3, 2, {activation = "softmax", kl_weight = 1})
    assert.equal("dense: activation is softmax, expected an element-wise one for contractive",
      failure(setter(layer, "contractive", 1)))
    assert.same({0, 1}, {layer.contractive, layer.kl_weight})
  end)

  it("is written only if it is not the default", function()
    local _, metadata = moon.sequential{moon.dense(2, 2)}:archive()
    assert.is_nil(metadata.moonglass:find("trainable", 1, true))
  end)
end)

-- Each layer's parameters, copied; and which layers have others now, as a text.
local function kept(net)
  local list = {}
  for i = 1, #net do
    list[i] = {}
    for k, p in ipairs(net:layer(i):parameters()) do list[i][k] = p.value:clone() end
  end
  return list
end

local function changed(net, before)
  local list = {}
  for i = 1, #net do
    local other = false
    for k, p in ipairs(net:layer(i):parameters()) do other = other or not p.value:equal(before[i][k]) end
    if other then list[#list + 1] = i end
  end
  return table.concat(list, " ")
end

-- Layers 1, 3 and 4 have parameters. options: of layer 3.
local function deep(options)
  moon.seed(9)
  options = options or {}
  options.activation = "tanh"
  return moon.sequential{moon.dense(6, 8, {activation = "relu"}), moon.gaussian_noise(0.1), moon.dense(8, 7, options),
    moon.dense(7, 3, {activation = "sigmoid"})}
end

-- The net after n steps, the objectives and the optimizer.
local function steps(net, n, opt, loss)
  local x, y = problem()
  local list = {}
  loss, opt = loss or moon.bce(), opt or moon.adam()
  for i = 1, n do list[i] = net:step(x, y, loss, opt) end
  return net, list, opt
end

local function freeze(net, ...)
  for _, i in ipairs{...} do net:layer(i).trainable = false end
  return net
end

local all_frozen = "step: all layers are frozen, expected one to train: set a layer's trainable to true"

describe("a frozen layer", function()
  local cases = {{{1}, "3 4"}, {{3}, "1 4"}, {{4}, "1 3"}, {{1, 3}, "4"}, {{3, 4}, "1"}}

  it("keeps its parameters and its gradient, and gets no moments, with any optimizer", function()
    for _, case in ipairs(cases) do
      for _, kind in ipairs(moon.registered "optimizers") do
        local net = freeze(deep(), table.unpack(case[1]))
        local before = kept(net)
        local _, _, opt = steps(net, 3, moon.optimizer(kind, {weight_decay = 0.1}))
        assert.equal(case[2], changed(net, before), kind)
        for _, i in ipairs(case[1]) do
          local layer = net:layer(i)
          assert.equal(0, layer.weight_grad:abs():sum() + layer.bias_grad:abs():sum())
          assert.same({{}, {}}, opt:moments(layer:parameters()))
        end
      end
    end
  end)

  it("leaves the others their gradients and their update, bit for bit", function()
    for _, case in ipairs(cases) do
      local whole, net = steps(deep(), 1, moon.sgd()), steps(freeze(deep(), table.unpack(case[1])), 1, moon.sgd())
      for i in case[2]:gmatch "%d" do
        local a, b = whole:layer(tonumber(i)), net:layer(tonumber(i))
        for _, field in ipairs{"weight", "bias", "weight_grad", "bias_grad"} do
          assert.is_true(a[field]:equal(b[field]), ("%s of layer %s"):format(field, i))
        end
      end
    end
  end)

  it("has no penalty of its weights, but that of its outputs", function()
    local function objective(options, frozen)
      local net = deep(options)
      if frozen then freeze(net, 3) end
      local x, y = problem()
      net:seed(1)
      return net:step(x, y, moon.bce(), moon.sgd{lr = 0}), net:evaluate(x, y, {loss = "bce"})
    end
    local plain, plain_evaluated = objective()
    local a, b = objective({weight_l2 = 0.1, weight_l1 = 0.1}, true)
    assert.same({plain, plain_evaluated}, {a, b})
    for _, options in ipairs{{activity_l1 = 0.1}, {contractive = 0.1}} do
      local trained, trained_evaluated = objective(options)
      a, b = objective(options, true)
      assert.same({trained, trained_evaluated}, {a, b})
      assert.is_true(a > plain)
    end
  end)

  it("sends its activity penalty to the layers below", function()
    local function gradient(frozen)
      local net = deep{activity_l1 = 0.5, contractive = 0.3}
      if frozen then freeze(net, 3) end
      return steps(net, 1, moon.sgd{lr = 0}):layer(1).weight_grad
    end
    assert.is_true(gradient(true):equal(gradient(false)))
  end)

  it("trains again once it is no longer frozen, and its moments begin there", function()
    local net = freeze(deep(), 1, 3)
    local _, _, opt = steps(net, 2, moon.adam{lr = 0})
    net.trainable = true
    steps(net, 1, opt)
    local whole = deep()
    steps(whole, 3, moon.adam{lr = 0})
    for _, i in ipairs{1, 3, 4} do
      assert.is_true(net:layer(i).weight_grad:equal(whole:layer(i).weight_grad))
    end
    local moment = opt:moments(net:layer(1):parameters())[1]
    assert.near(0, (moment.m - net:layer(1).weight_grad * 0.1):abs():max(), 1e-9)
    opt.lr = 0.01
    local before = kept(net)
    steps(net, 1, opt)
    assert.equal("1 3 4", changed(net, before))
    freeze(net, 4)
    before = kept(net)
    local v = opt:moments(net:layer(4):parameters())[1].v
    local old = v:clone()
    steps(net, 1, opt)
    assert.equal("1 3", changed(net, before))
    assert.is_true(v:equal(old))
  end)

  it("owns its tied weight: the tied layer only its bias", function()
    local function tied(owner_trains, tied_trains)
      moon.seed(3)
      local first = moon.dense(6, 4, {activation = "relu", trainable = owner_trains})
      local net = moon.sequential{first, moon.dense(4, 6, {tied = first, trainable = tied_trains, weight_l2 = 0.1})}
      local x = problem()
      local before = {first.weight:clone(), first.bias:clone(), net:layer(2).bias:clone()}
      local objective = net:step(x, x, moon.mse(), moon.sgd{lr = 0.1})
      return {not first.weight:equal(before[1]), not first.bias:equal(before[2]),
        not net:layer(2).bias:equal(before[3])}, objective, net
    end
    local results, with_penalty = tied(true, true)
    assert.same({true, true, true}, results)
    local _, unpenalised, net = tied(false, true)
    assert.same({false, false, true}, (tied(false, true)))
    assert.is_true(unpenalised < with_penalty)
    assert.is_false(net:layer(2):parameters()[1].trainable)
    assert.is_nil(net:layer(2):parameters()[2].trainable)
    assert.same({true, true, false}, (tied(true, false)))
    assert.is_true(net.trainable)
  end)

  it("has no gradient in a backward by itself, which goes through it", function()
    local x = problem()
    local net, frozen = deep(), freeze(deep(), 1, 3)
    local dx = {}
    for k, n in ipairs{net, frozen} do dx[k] = n:backward(n:forward(x, false)) end
    assert.is_true(dx[1]:equal(dx[2]))
    assert.equal(0, frozen:layer(1).weight_grad:abs():sum() + frozen:layer(3).bias_grad:abs():sum())
    assert.is_true(net:layer(4).weight_grad:equal(frozen:layer(4).weight_grad))
    frozen.trainable = false
    assert.is_true(dx[1]:equal(frozen:backward(frozen:forward(x, false))))
  end)

  it("is left out by opt:step, the gradient check and on_nan", function()
    local net = freeze(deep(), 3)
    local x = problem()
    net:backward(net:forward(x, false))
    local before = kept(net)
    moon.adam():step(net:parameters())
    assert.equal("1 4", changed(net, before))
    local smooth = moon.sequential{moon.dense(6, 4, {activation = "tanh"}), moon.dense(4, 3, {trainable = false})}
    local err, details = moon.gradcheck(smooth, x)
    assert.is_true(err < 0.01)
    assert.equal(3, #details)
    local _, y = problem()
    net:fit(x, y, {epochs = 2, loss = "bce", on_nan = "stop", verbose = 0})
    assert.same({{}, {}}, net.optimizer:moments(net:layer(3):parameters()))
  end)

  it("is counted in the summary", function()
    local net = freeze(deep(), 1)
    expect.has(net:summary(), "143 parameters, 572 bytes, 56 frozen")
    expect.has(net:summary(), "dense 6->8 relu trainable false")
  end)
end)

describe("net.trainable", function()
  it("reads and sets all layers, of a half, a slice or an autoencoder too", function()
    local ae = moon.autoencoder.adopt(deep(), 3)
    assert.is_true(ae.trainable)
    ae.encoder.trainable = false
    assert.same({true, false, true}, {ae.trainable, ae.encoder.trainable, ae.decoder.trainable})
    assert.is_false(ae:layer(3).trainable)
    ae.trainable = false
    assert.is_false(ae.decoder.trainable)
    ae:slice(2, 3).trainable = true
    assert.same({false, true, false}, {ae:layer(1).trainable, ae:layer(3).trainable, ae:layer(4).trainable})
    assert.equal("net: trainable is 0, expected true or false", failure(setter(ae, "trainable", 0)))
  end)

  it("is false for layers without parameters, whatever is set", function()
    local noise = moon.dropout(0.1)
    noise.trainable = true
    assert.is_false(noise.trainable)
    assert.is_false(moon.sequential{noise}.trainable)
    assert.equal("layer has no field 'trainable' that can be set", failure(setter(noise, "trainable", 1)))
  end)

  it("leaves nothing to train: a step says so, and changes nothing", function()
    local net = deep()
    net.trainable = false
    local x, y = problem()
    local opt = moon.adam()
    assert.equal(all_frozen, failure(net.step, net, x, y, moon.bce(), opt))
    assert.equal(0, opt:steps())
    expect.has(failure(net.fit, net, x, y, {loss = "bce", verbose = 0}), "all layers are frozen")
    local loss = {forward = function(_, p, t) return ((p - t) ^ 2):mean() end, backward = function() return y end}
    assert.equal(all_frozen, failure(net.step, net, x, y, loss, opt))
    assert.is_true(net:evaluate(x, y, {loss = "bce"}) > 0)
    moon.sequential{moon.activation "relu"}:step(x, x, moon.mse(), moon.sgd()) -- nothing to freeze
  end)
end)

-- A dense layer written in Lua.
local function in_lua(n_in, n_out)
  local layer = moon.dense(n_in, n_out)
  return {
    forward = function(_, x, training) return layer:forward(x, training) end,
    backward = function(_, dy) return layer:backward(dy) end,
    parameters = function() return layer:parameters() end, seed = function(_, n) layer:seed(n) end,
  }
end

describe("freezing from Lua", function()
  it("gives the same with a loss, an optimizer or a layer in Lua", function()
    local bce = moon.bce()
    local loss = {
      forward = function(_, p, t) return bce:forward(p, t) end, backward = function() return bce:backward() end,
    }
    local function sgd()
      return {step = function(_, parameters)
        for _, p in ipairs(parameters) do p.value:sub_(p.grad * 0.1) end
      end}
    end
    local native = steps(freeze(deep(), 1, 4), 3, moon.sgd{lr = 0.1})
    for _, net in ipairs{(steps(freeze(deep(), 1, 4), 3, moon.sgd{lr = 0.1}, loss)),
      (steps(freeze(deep(), 1, 4), 3, sgd()))} do
      for i, p in ipairs(net:parameters()) do
        assert.near(0, (p.value - native:parameters()[i].value):abs():max(), 1e-6, p.name)
      end
    end
  end)

  it("freezes the layers of a mixed net", function()
    moon.seed(5)
    local net = moon.sequential{moon.dense(6, 5), in_lua(5, 4), moon.dense(4, 3)}
    assert.is_true(net.trainable)
    local function trained(...)
      freeze(net, ...)
      local before = {}
      for i, p in ipairs(net:parameters()) do before[i] = p.value:clone() end
      steps(net, 2, moon.adam(), moon.mse())
      local names = {}
      for i, p in ipairs(net:parameters()) do
        if not p.value:equal(before[i]) then names[#names + 1] = p.name end
      end
      net.trainable = true
      return table.concat(names, " ")
    end
    assert.equal("1.weight 1.bias 2.weight 2.bias 3.weight 3.bias", trained())
    assert.equal("1.weight 1.bias 3.weight 3.bias", trained(2))
    assert.equal("2.weight 2.bias", trained(1, 3))
    net.trainable = false
    assert.is_false(net.trainable)
    local x, y = problem()
    assert.equal(all_frozen, failure(net.step, net, x, y, moon.mse(), moon.sgd()))
    assert.equal("net: trainable is nil, expected true or false", failure(setter(net, "trainable", nil)))
  end)
end)

describe("a checkpoint of frozen layers", function()
  -- Trains 6 epochs; layer 1 is frozen until epoch 3, layer 4 from epoch 4 on. Ends after `last`.
  local function options(path, last)
    return {epochs = last, loss = "bce", batch_size = 16, threads = 1, verbose = 0, callbacks = {
      {on_epoch_begin = function(_, state)
        state.net:layer(1).trainable, state.net:layer(4).trainable = state.epoch > 3, state.epoch < 4
      end},
      moon.callbacks.checkpoint(path),
    }}
  end

  it("resumes bit for bit, before and after layers are frozen and unfrozen", function()
    local x, y = problem()
    files.temporary(function(path)
      local whole = options(path, 6)
      whole.optimizer, whole.seed = moon.adam(), 2
      local net = freeze(deep(), 1)
      net:fit(x, y, whole)
      for last = 1, 5 do
        local part = options(path, last)
        part.optimizer, part.seed = moon.adam(), 2
        freeze(deep(), 1):fit(x, y, part)
        local found = assert(moon.checkpoint.load(path))
        assert.equal(last > 3, found.net:layer(1).trainable)
        assert.same(last > 3 and 1 or nil, next(found.opt:moments(found.net:layer(1):parameters())[1]) and 1)
        assert.is_not_nil(next(found.opt:moments(found.net:layer(4):parameters())[1]))
        local rest = options(path, 6)
        rest.resume = found
        found.net:fit(x, y, rest)
        same_weights(net, found.net)
      end
    end)
  end)
end)

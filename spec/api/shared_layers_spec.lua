-- Layers used in several places of a net; clones of nets, which share nothing; slices, which share parameters.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"

local failure = expect.raised

local function near(expected, v, slack)
  assert.is_true(math.abs(v - expected) < slack, ("%g, expected %g"):format(v, expected))
end

local function pass() return {forward = function(_, v) return v end, backward = function(_, g) return g end} end

-- Identity weights, so that the output shows the masks before and after the layer.
local function eye(n)
  local layer = moon.dense(n, n, {init = "zeros"})
  layer.weight = moon.eye(n)
  return layer
end

-- Nets by name, with d in two places.
local function nets_with(d)
  local ae = moon.autoencoder{encoder = {eye(40), d}, decoder = {eye(40), d}}
  return {
    ["one behind the other"] = moon.sequential{d, d},
    ["between dense layers"] = moon.sequential{d, eye(40), d, eye(40)},
    ["in both halves"] = ae,
    ["a slice"] = moon.sequential{eye(40), d, eye(40), d}:slice(2, 4),
    ["a clone"] = moon.sequential{d, eye(40), d}:clone(),
    ["walked from Lua"] = moon.sequential{d, pass(), d},
    ["a clone walked from Lua"] = moon.sequential{d, {
      forward = pass().forward, backward = pass().backward, clone = pass,
    }, d}:clone(),
  }
end

describe("noise in two places", function()
  it("has a different mask in each, before and after a seed", function()
    moon.seed(1)
    local x = moon.ones(500, 40)
    for name, net in pairs(nets_with(moon.dropout(0.5))) do
      for round = 1, 2 do
        local y = net:forward(x, true)
        near(0.25, y:gt(0):mean(), 0.015)
        near(1, y:mean(), 0.06)
        assert.is_true(y:gt(0):mean() > 0, name .. round)
        net:seed(7)
      end
    end
  end)

  it("adds up", function()
    moon.seed(2)
    local g, m, s = moon.gaussian_noise(1), moon.masking_noise(0.5), moon.salt_pepper_noise(0.5)
    near(math.sqrt(2), moon.sequential{g, g}:forward(moon.zeros(500, 40), true):std(), 0.03)
    near(0.25, moon.sequential{m, m}:forward(moon.ones(500, 40), true):mean(), 0.015)
    near(0.25, moon.sequential{s, s}:forward(moon.full(0.5, 500, 40), true):eq(0.5):mean(), 0.015)
  end)

  it("differs between the halves of an autoencoder", function()
    local d = moon.dropout(0.5)
    local ae = moon.autoencoder{encoder = {d}, decoder = {d, eye(40)}}
    local x = moon.ones(50, 40)
    assert.is_false(ae.encoder:forward(x, true):equal(ae.decoder:forward(x, true)))
  end)

  it("differs between nets", function()
    for _, between in ipairs{false, pass()} do
      local d, x = moon.dropout(0.5), moon.ones(500, 40)
      local encoder = moon.sequential{eye(40), d, between or nil}
      local decoder = moon.sequential{d, eye(40), between or nil}
      near(0.25, decoder:forward(encoder:forward(x, true), true):gt(0):mean(), 0.015)
    end
  end)

  it("is repeated by the same seed, after saving too", function()
    local d, x = moon.dropout(0.5), moon.ones(30, 40)
    local net, path = moon.sequential{d, eye(40), d}, os.tmpname()
    assert(net:save(path))
    local again = assert(moon.load(path))
    os.remove(path)
    net:seed(3)
    again:seed(3)
    for _ = 1, 3 do assert.is_true(net:forward(x, true):equal(again:forward(x, true))) end
    assert.is_false(net:forward(x, true):equal(again:predict(x)))
  end)

  it("does not depend on the number of threads", function()
    local d, x, before = moon.dropout(0.5), moon.ones(600, 200), moon.info().threads
    local net, first = moon.sequential{d, eye(200), d, eye(200)}, nil
    for threads = 1, 3 do
      moon.set_threads(threads)
      net:seed(11)
      local y = net:forward(x, true)
      first = first or y
      assert.is_true(y:equal(first))
    end
    moon.set_threads(before)
  end)

  it("equals that of two layers with the seeds of the places", function()
    local d, x = moon.dropout(0.5), moon.ones(30, 40)
    local one, two = moon.sequential{d, d}, moon.sequential{moon.dropout(0.5), moon.dropout(0.5)}
    one:seed(9)
    two:seed(9)
    assert.is_true(one:forward(x, true):equal(two:forward(x, true)))
  end)

  it("is the same in a resumed training", function()
    local function build()
      moon.seed(4)
      local d = moon.dropout(0.3)
      return moon.sequential{moon.dense(6, 5, {activation = "relu"}), d, moon.dense(5, 5, {activation = "relu"}), d,
        moon.dense(5, 6)}
    end
    local x, path = moon.seed(5) or moon.rand(40, 6), os.tmpname()
    local whole, first = build(), build()
    local function options(more)
      local o = {loss = "mse", batch_size = 16, callbacks = {moon.callbacks.checkpoint(path)}}
      for k, v in pairs(more) do o[k] = v end
      return o
    end
    whole:fit(x, {loss = "mse", batch_size = 16, epochs = 4, seed = 6})
    first:fit(x, options{epochs = 2, seed = 6})
    local c = assert(moon.checkpoint.load(path))
    c.net:fit(x, options{epochs = 4, resume = c})
    os.remove(path)
    assert.is_true(whole:predict(x):equal(c.net:predict(x)))
    assert.is_false(whole:predict(x):equal(first:predict(x)))
  end)

  it("is refused in a net with layers in Lua only for a layer with state", function()
    local dense, own = moon.dense(3, 3), pass()
    assert.matches("layer 3 is layer 1 again", failure(moon.sequential, {dense, own, dense}))
    assert.matches("layer 3 is layer 1 again",
      failure(moon.sequential, {dense, own, moon.sequential{dense}:slice(1, 1):layer(1)}))
    assert.matches("layer 2 is layer 1 again", failure(moon.sequential, {own, own}))
    local relu = moon.activation("relu")
    assert.equal(4, moon.sequential{relu, own, relu}:forward(moon.ones(2, 2), false):sum())
  end)
end)

describe("a penalty of a layer in two places", function()
  local function penalty(net, x)
    net:forward(x, true)
    return net:penalty()
  end

  it("on weights counts once; a penalty on outputs counts in each place", function()
    for name, places in pairs{weight_l1 = 1, weight_l2 = 1, activity_l1 = 2, kl_weight = 2, contractive = 2} do
      moon.seed(3)
      local layer, x = moon.dense(4, 4, {[name] = 1, activation = "sigmoid"}), moon.rand(6, 4)
      local once = moon.sequential{layer}
      local first = penalty(once, x)
      local sum = first + (places == 2 and penalty(once, once:predict(x)) or 0)
      near(sum, penalty(moon.sequential{layer, layer}, x), 1e-5)
      moon.seed(3)
      layer = moon.dense(4, 4, {[name] = 0.2, activation = "sigmoid"})
      layer.weight = layer.weight + layer.weight:sign() * 0.1 -- away from the kink of |w|
      local worst = moon.gradcheck(moon.sequential{layer, layer}, x, {loss = moon.mse(), target = moon.rand(6, 4)})
      assert.is_true(worst < 1e-2, name)
    end
  end)

  it("counts once with any number of threads", function()
    local before, values = moon.info().threads, {}
    for threads = 1, 3 do
      moon.set_threads(threads)
      moon.seed(8)
      local layer = moon.dense(200, 200, {weight_l1 = 0.1, weight_l2 = 0.5})
      local net = moon.sequential{layer, layer}
      values[threads] = net:step(moon.rand(300, 200), nil, moon.mse(), moon.sgd{lr = 1e-3})
      values[-threads] = layer.weight:norm()
    end
    moon.set_threads(before)
    for threads = 2, 3 do
      near(values[1], values[threads], 1e-3)
      near(values[-1], values[-threads], 1e-4)
    end
  end)
end)

describe("net:clone", function()
  it("has separate parameters", function()
    local x = moon.seed(1) or moon.rand(20, 6)
    local net = moon.sequential{moon.dense(6, 4, {activation = "tanh"}), moon.dense(4, 6)}
    net:fit(x, {loss = "mse"})
    local copy, before = net:clone(), net:predict(x)
    assert.is_true(copy:predict(x):equal(before))
    assert.equal("mse", copy.loss:kind())
    assert.is_nil(copy.optimizer)
    copy:fit(x, {epochs = 3})
    assert.is_true(net:predict(x):equal(before))
    assert.is_false(copy:predict(x):equal(before))
    before = copy:predict(x)
    net:layer(1).weight:fill_(0)
    assert.is_true(copy:predict(x):equal(before))
  end)

  it("keeps tied and repeated layers", function()
    local ae, x = moon.autoencoder.plain{input = 6, hidden = 3, tied = true}, moon.rand(20, 6)
    local copy = ae:clone()
    copy:layer(1).weight:fill_(0.5)
    assert.equal(0.5, copy:layer(2).tied.weight:max())
    assert.is_true(copy.encoder:predict(x):equal(copy:encode(x)))
    assert.is_true(copy:encode(x):equal(copy:slice(1, 1):predict(x)))
    assert.is_false(ae:encode(x):equal(copy:encode(x)))
    assert.equal(1, copy:encoder_layers())
    local dense = moon.dense(4, 4)
    local twice = moon.sequential{dense, dense}:clone()
    assert.equal(2, #twice:parameters())
    assert.is_true(twice:layer(1) == twice:layer(2))
    assert.is_false(twice:layer(1) == dense)
  end)

  it("of a half copies the weight that it is tied to", function()
    local ae = moon.autoencoder.plain{input = 6, hidden = 3, tied = true}
    local code, copy = moon.rand(5, 3), ae.decoder:clone()
    local before = copy:predict(code)
    assert.is_true(before:equal(ae:decode(code)))
    ae:layer(1).weight:fill_(0)
    assert.is_true(copy:predict(code):equal(before))
  end)

  it("continues the noise of the original", function()
    local net, x = moon.sequential{moon.gaussian_noise(1), moon.dropout(0.2)}, moon.zeros(9, 9)
    net:forward(x, true)
    local copy = net:clone()
    assert.is_true(copy:forward(x, true):equal(net:forward(x, true)))
  end)

  it("of a net with layers in Lua calls their clone", function()
    local function scaled(factor)
      local layer = pass()
      layer.forward = function(_, v) return v * factor[1] end
      layer.clone = function() return scaled{factor[1]} end
      return layer
    end
    local factor, x = {2}, moon.ones(3, 4)
    local net = moon.autoencoder{encoder = {scaled(factor), moon.dense(4, 2)}, decoder = {moon.dense(2, 4)}}
    local copy = net:clone()
    local before = copy:predict(x)
    assert.is_true(before:equal(net:predict(x)))
    assert.is_true(copy:decode(copy:encode(x)):equal(before))
    factor[1] = 3
    net:layer(3).weight:fill_(0)
    assert.is_true(copy:predict(x):equal(before))
    assert.matches("clone: layer 1 %(Lua layer%) is written in Lua and has no method clone",
      failure(function() moon.sequential{pass()}:clone() end))
    local bad = pass()
    bad.clone = function() return 7 end
    assert.matches("in layer 1 %(Lua layer%): clone gave 7, expected a layer", failure(function()
      moon.sequential{bad}:clone()
    end))
    bad.clone = function() return bad end
    assert.matches("clone gave the layer itself", failure(function() moon.sequential{bad}:clone() end))
  end)
end)

describe("a slice", function()
  it("shows that it shares parameters", function()
    local ae = moon.autoencoder.plain{input = 4, hidden = 2}
    assert.equal("net (dense 4->2 relu), sharing layers 1 to 1 of another net", tostring(ae.encoder))
    assert.matches("sharing layers 2 to 2 of another net$", ae.decoder:summary())
    assert.equal("layers 2 to 2 of another net", ae:slice(2, 2).shares)
    local mixed = moon.sequential{pass(), moon.dense(2, 2)}
    assert.equal("net (Lua layer), sharing layers 1 to 1 of another net", tostring(mixed:slice(1, 1)))
    assert.is_nil(ae.shares)
    assert.is_nil(mixed.shares)
    assert.is_nil(ae.encoder:clone().shares)
    assert.is_nil(tostring(ae:slice(1, 2):clone()):find("sharing"))
  end)
end)

-- net:fold(): which batch_norm layers go into which dense layer, and that the outputs stay.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"

local dense, norm, act = moon.dense, moon.batch_norm, moon.activation

-- A net whose normalisation has weights and statistics that show mistakes.
local function net_of(layers)
  local net = moon.sequential(layers)
  for i = 1, #net do
    local layer = net:layer(i)
    if layer:kind() == "batch_norm" then
      layer.weight, layer.bias = moon.rand(layer.n) + 0.5, moon.randn(layer.n)
      layer.running_mean, layer.running_var = moon.randn(layer.n), moon.rand(layer.n) + 0.5
    elseif layer:kind() == "dense" and layer.bias then
      layer.bias = moon.randn(layer.out)
    end
  end
  return net
end

local function kinds(net)
  local list = {}
  for i = 1, #net do list[i] = net:layer(i):kind() end
  return table.concat(list, " ")
end

local function check(expected, net, x)
  x = x or moon.randn(7, net:inputs())
  local before, folded = net:predict(x), net:fold()
  assert.equal(expected, kinds(folded))
  local after = folded:predict(x)
  local off = (after - before):abs():max() / math.max(1, before:abs():max())
  assert(off <= 1e-6, ("outputs are off by %g"):format(off))
  assert.is_true(net:predict(x):equal(before)) -- the net itself has not changed
  return folded
end

describe("fold", function()
  before_each(function() moon.seed(12) end)

  it("puts batch_norm into the linear dense layer before it", function()
    check("dense", net_of{dense(5, 4), norm(4)})
    check("dense dense", net_of{dense(5, 4), norm(4), dense(4, 3, {activation = "tanh"})})
    local folded = check("dense", net_of{dense(5, 4, {bias = false, name = "code"}), norm(4), norm(4), norm(4)})
    assert.equal("code", folded:layer(1).name)
    assert.equal("glorot_uniform", folded:layer(1).init)
    assert.is_truthy(folded:layer(1).bias)
  end)

  it("takes the activation behind it along, with its slope", function()
    for _, name in ipairs{"relu", "softmax", "selu", "gelu"} do
      assert.equal(name, check("dense", net_of{dense(5, 4), norm(4), act(name)}):layer(1).activation)
    end
    local folded = check("dense dense", net_of{
      dense(5, 4), norm(4), act("leaky_relu", {negative_slope = 0.3}), dense(4, 4), norm(4), act("elu", {alpha = 2}),
    })
    assert.near(0.3, folded:layer(1).negative_slope, 1e-12)
    assert.near(2, folded:layer(2).alpha, 1e-12)
  end)

  it("puts it into the dense layer behind it, if there is none before it", function()
    check("dense", net_of{norm(5), dense(5, 4, {activation = "tanh"})})
    check("dense dense", net_of{dense(5, 4, {activation = "relu"}), norm(4), dense(4, 3, {bias = false})})
    check("activation dense", net_of{act "tanh", norm(5), dense(5, 4)})
  end)

  it("looks beyond dropout and noise", function()
    check("dense dropout", net_of{dense(5, 4), moon.dropout(0.5), norm(4), act "relu"})
    check("gaussian_noise dropout dense", net_of{moon.gaussian_noise(1), norm(5), moon.dropout(0.5), dense(5, 4)})
  end)

  it("leaves what cannot be folded", function()
    check("dense batch_norm", net_of{dense(5, 4, {activation = "relu"}), norm(4)})
    check("dense batch_norm layer_norm dense", net_of{dense(5, 4, {activation = "relu"}), norm(4), moon.layer_norm(4),
      dense(4, 3)})
    local owner = dense(5, 4)
    check("dense batch_norm dense batch_norm", net_of{owner, norm(4), dense(4, 5, {tied = owner}), norm(5)})
    local shared = norm(4)
    check("dense batch_norm dense batch_norm", net_of{dense(5, 4), shared, dense(4, 4), shared})
    local twice = dense(4, 4)
    check("dense batch_norm dense batch_norm", net_of{twice, norm(4), twice, norm(4)})
  end)

  it("keeps the halves of an autoencoder", function()
    local ae = net_of{dense(6, 5), norm(5), act "relu", dense(5, 2), norm(2),
      dense(2, 5), norm(5), act "relu", dense(5, 6)}
    moon.autoencoder.adopt(ae, 5)
    local x = moon.randn(9, 6)
    local folded = check("dense dense dense dense", ae, x)
    assert.equal(2, folded:encoder_layers())
    assert.is_true(folded:encode(x):allclose(ae:encode(x), 1e-5, 1e-6))
    assert.is_true(folded:decode(ae:encode(x)):allclose(ae:reconstruct(x), 1e-5, 1e-6))
    local first, last = net_of{dense(6, 2), norm(2), dense(2, 6)}, net_of{dense(6, 2), act "tanh", norm(2), dense(2, 6)}
    assert.equal("dense dense", kinds(moon.autoencoder.adopt(first, 1):fold())) -- into the decoder's
    assert.is_true(first:fold():encode(x):equal(first:encode(x)))
    assert.equal("dense activation batch_norm dense", kinds(moon.autoencoder.adopt(last, 3):fold()))
  end)

  it("folds within branches, and not where they begin or end", function()
    local x = moon.randn(8, 6)
    local function arm() return {dense(5, 4), norm(4), act "relu"} end
    check("dense dense branch dense join", net_of{
      dense(6, 5), norm(5), act "relu", moon.branches{arm(), {norm(5), dense(5, 3)}},
    }, x)
    local function fork() return moon.branches{{norm(5), dense(5, 2)}, {dense(5, 3)}} end
    check("dense dense branch dense join", net_of{dense(6, 5), fork()}, x)       -- its input goes elsewhere, too
    check("dense dense branch dense join", net_of{dense(6, 5), norm(5), moon.branches{{dense(5, 2)}, {dense(5, 3)}}}, x)
    check("dense batch_norm dense branch dense join",
      net_of{dense(6, 5, {activation = "relu"}), norm(5), moon.branches{{dense(5, 2)}, {dense(5, 3)}}}, x)
    check("dense dense branch dense dense branch dense join join batch_norm", net_of{
      dense(6, 5), norm(5), moon.branches{arm(), {dense(5, 4), norm(4), moon.branches{{norm(4), dense(4, 2)},
        {dense(4, 3), norm(3)}}}}, norm(9),
    }, x)
  end)

  it("agrees in random nets", function()
    for seed = 1, 60 do
      moon.seed(seed)
      local function pick(n) return math.floor(moon.rand(1):get(1) * n) + 1 end
      local layers, width = {}, 4
      for i = 1, 8 do
        local kind = pick(5)
        if kind == 1 then
          local out = pick(6)
          layers[i] = dense(width, out, {bias = pick(2) == 1, activation = pick(2) == 1 and "linear" or "tanh"})
          width = out
        elseif kind == 2 then layers[i] = moon.dropout(0.5)
        elseif kind == 3 then layers[i] = act "sigmoid"
        else layers[i] = norm(width) end
      end
      local net = net_of(layers)
      local x = moon.randn(5, 4)
      local before, folded = net:predict(x), net:fold()
      assert(folded:predict(x):allclose(before, 1e-4, 1e-5), "seed " .. seed)
      assert(folded:fold():predict(x):equal(folded:predict(x)), "seed " .. seed)
    end
  end)

  it("copies: the net, its loss, frozen layers and what is drawn next stay", function()
    local net = net_of{dense(5, 4), norm(4), moon.dropout(0.5), dense(4, 5)}
    net:layer(1).trainable = false
    net:fit(moon.randn(8, 5), nil, {loss = "mse", epochs = 1})
    moon.seed(3)
    local drawn = moon.rand(1):get(1)
    moon.seed(3)
    local folded = net:fold()
    assert.equal(drawn, moon.rand(1):get(1))
    assert.equal("mse", folded.loss:kind())
    assert.is_false(folded:layer(1).trainable)
    folded:layer(2).p = 0.1
    assert.equal(0.5, net:layer(3).p)
    local plain = moon.sequential{dense(5, 4)}
    local copy = plain:fold() -- without batch_norm it is a clone
    copy:layer(1).weight[1][1] = 9
    assert.not_equal(9, plain:layer(1).weight:get(1, 1))
  end)

  it("is not for nets with a layer in Lua", function()
    local lua = {forward = function(_, x) return x end, backward = function(_, dy) return dy end}
    local net = moon.sequential{dense(3, 2), norm(2), lua}
    assert.matches("fold", expect.failure(function() net:fold() end))
  end)
end)

-- Purohit et al. 2019 (arXiv 1909.09347): the autoencoder of five frames of 128 mel bands, the baseline of DCASE's
-- task 2.
describe("the anomaly net with batch_norm and relu", function()
  it("trains, is saved and loaded, folds and is exported, with the same outputs", function()
    moon.seed(2)
    local layers = {}
    local function block(from, to)
      for _, layer in ipairs{dense(from, to), norm(to), act "relu"} do layers[#layers + 1] = layer end
    end
    block(640, 128)
    for _ = 1, 3 do block(128, 128) end
    block(128, 8)
    block(8, 128)
    for _ = 1, 3 do block(128, 128) end
    layers[#layers + 1] = dense(128, 640)
    local net = moon.autoencoder.adopt(moon.sequential(layers), 15)
    local x = moon.randn(512, 8):matmul(moon.randn(8, 640)) * 0.3
    local history = net:fit(x, {loss = "mse", optimizer = moon.adam(), epochs = 8, batch_size = 64})
    assert.is_true(history.loss[8] < 0.6 * history.loss[1])
    local path = os.tmpname()
    assert(net:save(path))
    local loaded = assert(moon.load(path))
    os.remove(path)
    local expected = net:predict(x)
    assert.is_true(loaded:predict(x):equal(expected))
    local folded = loaded:fold()
    assert.equal(10, #folded)
    assert.equal(5, folded:encoder_layers())
    local off = (folded:predict(x) - expected):abs():max()
    assert(off <= 1e-5, ("off by %g"):format(off))
    local bytes = assert(moon.onnx.encode(loaded))
    assert.is_nil(bytes:find("BatchNormalization", 1, true))
  end)
end)

-- Autoencoders: constructors, halves, training, saving and loading.
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"
local sorted_keys = dofile "spec/support/sorted_keys.lua"

local temporary = files.temporary

local function rows(n, k) return moon.rand(n, k) end

describe("an autoencoder", function()
  before_each(function() moon.seed(3) end)

  it("is a net with an encoder and a decoder", function()
    local ae = moon.autoencoder{
      encoder = {moon.dense(8, 6, {activation = "relu"}), moon.dense(6, 2)},
      decoder = {moon.dense(2, 8, {activation = "sigmoid"})},
    }
    local x = rows(5, 8)
    local code = ae:encode(x)
    assert.same({5, 2}, code.shape)
    assert.same({5, 8}, ae:decode(code).shape)
    assert.is_true(ae:decode(code):allclose(ae:reconstruct(x), 1e-6, 1e-7))
    assert.is_true(ae:reconstruct(x):allclose(ae:predict(x), 0, 0))
    assert.equal(2, #ae.encoder)
    assert.equal(1, #ae.decoder)
    assert.equal(3, #ae)
  end)

  it("is also made by build, and from a net by adopt", function()
    local layers = {encoder = {moon.dense(8, 2)}, decoder = {moon.dense(2, 8)}}
    local built = moon.autoencoder.build(layers)
    local net = moon.sequential{layers.encoder[1], layers.decoder[1]}
    assert.equal(0, net:encoder_layers())
    assert.equal(net, moon.autoencoder.adopt(net, 1))
    assert.equal(1, net:encoder_layers())
    local x = rows(5, 8)
    assert.equal(built:encode(x), net:encode(x))
    assert.equal(built:reconstruct(x), net:reconstruct(x))
    assert.equal(net, moon.autoencoder.restore(net))
  end)

  it("shares its parameters with its halves", function()
    local ae = moon.autoencoder.plain{input = 8, hidden = 3}
    local x = rows(4, 8)
    local before = ae:encode(x)
    ae:fit(x, {loss = "mse", epochs = 2, seed = 1})
    assert.is_false(ae:encode(x):allclose(before, 1e-6, 1e-7))
    assert.is_true(ae:decode(ae:encode(x)):allclose(ae:predict(x), 1e-6, 1e-7))
  end)

  it("gives errors by row", function()
    local ae = moon.autoencoder.plain{input = 8, hidden = 3}
    local x = rows(40, 8)
    local errors = ae:errors(x)
    assert.same({40}, errors.shape)
    assert.is_true(errors:allclose((ae:predict(x) - x):square():mean(2), 1e-5, 1e-7))
    assert.near(errors:mean(), ae:evaluate(x, {loss = "mse"}), 1e-6)
  end)

  it("fits to its input with or without a target", function()
    local x = rows(64, 8)
    local function train(...)
      moon.seed(9)
      local ae = moon.autoencoder.plain{input = 8, hidden = 3}
      return ae:fit(...).loss
    end
    local opts = {loss = "mse", epochs = 3, seed = 4, batch_size = 16}
    assert.same(train(x, opts), train(x, x, opts))
    assert.same(train(x, opts), train(x, nil, opts))
  end)

  it("learns", function()
    local code = rows(256, 2)
    local x = moon.cat({code, 1 - code, code * 0.5, code:clone()}, 2)
    local ae = moon.autoencoder.deep{input = 8, hidden = {6}, code = 2, activation = "tanh", code_activation = "linear"}
    local history = ae:fit(x, {loss = "mse", optimizer = moon.adam{lr = 1e-2}, epochs = 60, seed = 1})
    assert.is_true(history.loss[60] < 0.1 * history.loss[1], tostring(history))
  end)

  it("takes bytes as pixels", function()
    local bytes = moon.tensor({{0, 51, 102, 255}, {255, 0, 0, 51}}, {dtype = "uint8"})
    local floats = bytes:float() / 255
    local ae = moon.autoencoder.plain{input = 4, hidden = 2}
    assert.is_true(ae:encode(bytes):allclose(ae:encode(floats), 1e-6, 1e-7))
    assert.near(ae:evaluate(floats, {loss = "bce"}), ae:evaluate(bytes, {loss = "bce"}), 1e-6)
  end)
end)

describe("the constructors", function()
  before_each(function() moon.seed(3) end)

  local function activations(ae)
    local list = {}
    for i = 1, #ae do
      local layer = ae:layer(i)
      list[i] = layer:kind() == "dense" and layer.activation or layer:kind()
    end
    return list
  end

  it("plain", function()
    local ae = moon.autoencoder.plain{input = 784, hidden = 32, output = "relu"}
    assert.same({784, 32}, ae:layer(1).weight.shape)
    assert.same({32, 784}, ae:layer(2).weight.shape)
    assert.same({"relu", "relu"}, activations(ae))
  end)

  it("deep", function()
    local ae = moon.autoencoder.deep{input = 20, hidden = {12, 6}, code = 3, code_activation = "linear"}
    assert.same({"relu", "relu", "linear", "relu", "relu", "sigmoid"}, activations(ae))
    assert.same({20, 12}, ae:layer(1).weight.shape)
    assert.same({12, 20}, ae:layer(6).weight.shape)
    assert.equal(3, #ae.encoder)
  end)

  it("denoising", function()
    local ae = moon.autoencoder.denoising{input = 8, hidden = 4, noise = moon.gaussian_noise(0.5, {clip = {0, 1}})}
    assert.same({"gaussian_noise", "relu", "sigmoid"}, activations(ae))
    local x = rows(6, 8)
    assert.is_true(ae:encode(x):allclose(ae:encode(x), 0, 0), "no noise in inference")
    assert.is_false(ae:forward(x, true):allclose(ae:forward(x, false), 1e-3, 1e-3), "noise in training")
    local noisy = (x + moon.randn(6, 8) * 0.3):clamp(0, 1)
    assert.equal(2, #ae:fit(noisy, x, {loss = "bce", epochs = 2}).loss)
  end)

  it("sparse", function()
    local ae = moon.autoencoder.sparse{input = 8, hidden = 6, code = 4, l1 = 0.5, reduction = "sum"}
    local x = rows(5, 8)
    ae:forward(x, false)
    assert.near(0.5 * ae:encode(x):abs():sum(), ae:penalty(), 1e-4)
    ae = moon.autoencoder.sparse{input = 8, hidden = 4, l1 = 0.5}
    ae:forward(x, false)
    assert.near(0.5 * ae:encode(x):abs():sum() / 5, ae:penalty(), 1e-5)
  end)

  it("sparse in every hidden layer", function()
    local ae = moon.autoencoder.sparse{input = 8, hidden = {6}, code = 4, l1 = 0.5, layers = "all", activation = "tanh"}
    local x, sum = rows(5, 8), 0
    ae:forward(x, false)
    for i = 1, 3 do sum = sum + ae:slice(1, i):predict(x):abs():sum() end
    assert.near(0.5 * sum / 5, ae:penalty(), 1e-5)
  end)

  it("sparse in the encoder, and in a list of layers", function()
    local x = rows(5, 8)
    for _, case in ipairs{{"encoder", {1, 2}}, {{1, 3}, {1, 3}}, {{4}, {4}}, {{}, {}}} do
      local ae, sum = moon.autoencoder.sparse{input = 8, hidden = {6}, code = 4, l1 = 0.5, layers = case[1]}, 0
      ae:forward(x, false)
      for _, i in ipairs(case[2]) do sum = sum + ae:slice(1, i):predict(x):abs():sum() end
      assert.near(0.5 * sum / 5, ae:penalty(), 1e-5)
    end
  end)

  it("sparse in the mean", function()
    local ae = moon.autoencoder.sparse{input = 8, hidden = {6}, code = 4, kl_weight = 2, kl_target = 0.1}
    assert.same({"relu", "sigmoid", "relu", "sigmoid"}, activations(ae))
    local x, sum = rows(5, 8), 0
    ae:forward(x, false)
    local means = ae:encode(x):mean(1)
    for j = 1, 4 do sum = sum + 0.1 * math.log(0.1 / means[j]) + 0.9 * math.log(0.9 / (1 - means[j])) end
    assert.near(2 * sum, ae:penalty(), 1e-5)
  end)

  it("k-sparse", function()
    local ae = moon.autoencoder.sparse{input = 8, hidden = 6, k = 2}
    assert.same({"linear", "k_sparse", "sigmoid"}, activations(ae))
    assert.equal(2, #ae.encoder)
    local x = rows(20, 8)
    local code, dense = ae:encode(x), ae:slice(1, 1):predict(x)
    for r = 1, 20 do
      local kept, threshold = {}, dense[r]:totable()
      table.sort(threshold, function(a, b) return a > b end)
      for j = 1, 6 do kept[j] = dense:get(r, j) >= threshold[2] and dense:get(r, j) or 0 end
      assert.same(kept, code[r]:totable())
    end
  end)

  it("contractive", function()
    local plain = moon.autoencoder.plain{input = 8, hidden = 3, code_activation = "sigmoid", contractive = 0.5}
    local deep = moon.autoencoder.deep{input = 8, hidden = {5}, code = 3, code_activation = "tanh", contractive = 0.5}
    local slope = {sigmoid = function(y) return y * (1 - y) end, tanh = function(y) return 1 - y * y end}
    local x = rows(5, 8)
    for _, ae in ipairs{plain, deep} do
      local code, layer = ae:encode(x), ae:layer(#ae.encoder)
      local derivatives = code:map(slope[layer.activation]):square():matmul(layer.weight:square():t())
      ae:forward(x, false)
      assert.near(0.5 * derivatives:sum() / 5, ae:penalty(), 1e-6)
    end
  end)

  it("tied", function()
    local noise, constructors = moon.masking_noise(0.2), moon.autoencoder
    local designs = {
      constructors.plain{input = 8, hidden = 6, tied = true},
      constructors.deep{input = 8, hidden = {7, 6}, code = 3, tied = true},
      constructors.denoising{input = 8, hidden = {6}, code = 3, tied = true, noise = noise},
      constructors.sparse{input = 8, hidden = {6}, code = 3, tied = true, k = 2},
    }
    for _, ae in ipairs(designs) do
      local x, encoder = rows(20, 8), {}
      for i = 1, #ae.encoder do
        local layer = ae:layer(i)
        if layer:kind() == "dense" then table.insert(encoder, 1, layer) end
      end
      for i = 1, #ae.decoder do assert.is_true(ae.decoder:layer(i).tied == encoder[i]) end
      ae:fit(x, {loss = "mse", epochs = 2, seed = 1})
      local code, last = ae.decoder:slice(1, #ae.decoder), ae.decoder:layer(#ae.decoder)
      local h = #ae.decoder > 1 and code:slice(1, #ae.decoder - 1):predict(ae:encode(x)) or ae:encode(x)
      local z = h:matmul(encoder[#encoder].weight:t()) + last.bias
      assert.is_true(z:sigmoid():allclose(ae:predict(x), 1e-5, 1e-6))
    end
    assert.is_nil(moon.autoencoder.plain{input = 8, hidden = 6}:layer(2).tied)
  end)

  it("say what is wrong with sparse options", function()
    local function message(given)
      given.input, given.hidden = given.input or 8, given.hidden or 4
      return select(2, pcall(moon.autoencoder.sparse, given))
    end
    assert.matches("sparse: l1 and k are given, expected one kind of sparsity: l1, kl_weight or k",
      message{l1 = 1, k = 2})
    assert.matches("sparse: reduction and kl_weight are given", message{reduction = "sum", kl_weight = 1})
    assert.matches("sparse: layers and k are given", message{layers = "all", k = 1})
    assert.matches("sparse: kl_target and k are given", message{kl_target = 0.1, k = 1})
    assert.matches("sparse: kl_target is given without kl_weight, expected both", message{kl_target = 0.1})
    assert.matches("layers is 'some' %(known: all, code, encoder, or a list of numbers%)", message{layers = "some"})
    assert.matches("layers has 3, expected dense layers of 1 to 2", message{layers = {1, 3}})
    assert.matches("tied is 1, expected true or false", message{tied = 1})
    assert.matches("activation is tanh, expected one with outputs in %[0, 1%]", message{kl_weight = 1,
      code_activation = "tanh"})
    assert.matches("sparse: k is 5, expected at most the 4 elements of the code", message{k = 5})
    assert.matches("autoencoder_spec%.lua:%d+: autoencoder%.sparse: l1 is %-1", select(2, pcall(function()
      moon.autoencoder.sparse{input = 3, hidden = 2, l1 = -1}
    end)))
    assert.matches("contractive is %-1, expected a number of at least 0", select(2, pcall(moon.autoencoder.plain,
      {input = 3, hidden = 2, contractive = -1})))
    assert.matches("activation is softmax, expected an element%-wise one", select(2, pcall(moon.autoencoder.plain,
      {input = 3, hidden = 2, contractive = 1, code_activation = "softmax"})))
  end)

  it("name the options as the call does", function()
    local function has(part, f, ...)
      local text = select(2, pcall(f, ...))
      assert.is_truthy(tostring(text):find(part, 1, true), tostring(text))
    end
    local plain, sparse = moon.autoencoder.plain, moon.autoencoder.sparse
    has("autoencoder.plain: output: unknown activation 'foo'", plain, {input = 3, hidden = 2, output = "foo"})
    has("autoencoder.plain: code_activation: unknown activation 'foo'", plain,
      {input = 3, hidden = 2, code_activation = "foo"})
    has("autoencoder.deep: activation: unknown activation 'rellu'; did you mean 'relu'?", moon.autoencoder.deep,
      {input = 3, hidden = 2, code = 1, activation = "rellu"})
    has("autoencoder.plain: unknown init 'foo'", plain, {input = 3, hidden = 2, init = "foo"})
    has("autoencoder.plain: a width is 10000000000", plain, {input = 3, hidden = 1e10})
    has("autoencoder.sparse: code_activation is relu, expected one with outputs in [0, 1]", sparse,
      {input = 3, hidden = 2, kl_weight = 1, code_activation = "relu"})
    has("autoencoder: decoder: element 2 is 7, expected a layer", moon.autoencoder,
      {encoder = {moon.dense(3, 2)}, decoder = {moon.dense(2, 3), 7}, noise = moon.dropout(0.1)})
    has("autoencoder: encoder: element 1 is 7, expected a layer", moon.autoencoder,
      {encoder = {7}, decoder = {moon.dense(2, 3)}, noise = moon.dropout(0.1)})
    has("autoencoder.adopt: net is 3, expected a net", moon.autoencoder.adopt, 3, 1)
    has("autoencoder.adopt: layers is 2, expected a whole number of 1 to 1", moon.autoencoder.adopt,
      moon.sequential{moon.dense(3, 2), moon.dense(2, 3)}, 2)
    has("autoencoder.restore: net is nil, expected a net", moon.autoencoder.restore)
    has("gradcheck: net is 3, expected a net or a layer", moon.gradcheck, 3, moon.rand(2, 2))
    has("gradcheck: loss is 3, expected a loss object", moon.gradcheck, moon.dense(2, 2), moon.rand(2, 2),
      {loss = 3, target = moon.rand(2, 2)})
    has("autoencoder_spec.lua", moon.gradcheck, moon.dense(2, 2), moon.rand(2, 3))
    local labels = moon.tensor{0, 1, 0, 1, 0, 1, 0, 1}
    has("probe: loss is", moon.probe, moon.rand(8, 2), labels, {lr = 1e38, epochs = 9})
  end)

  it("say what is wrong", function()
    local function message(f, ...) return select(2, pcall(f, ...)) end
    local plain, deep = moon.autoencoder.plain, moon.autoencoder.deep
    assert.matches("unknown option 'inputs'; did you mean 'input'%? %(known: activation, .*input",
      message(plain, {inputs = 3}))
    assert.matches("option hidden is missing", message(plain, {input = 3}))
    assert.matches("expected one width", message(plain, {input = 3, hidden = {2}}))
    assert.matches("hidden is 2.5, expected a width", message(deep, {input = 3, hidden = 2.5, code = 1}))
    assert.matches("unknown option 'code'", message(plain, {input = 3, hidden = 2, code = 1}))
    assert.matches("unknown activation 'rely'", message(plain, {input = 3, hidden = 2, activation = "rely"}))
    assert.matches("option noise is missing", message(moon.autoencoder.denoising, {input = 3, hidden = 2}))
    assert.matches("encoder is a table, expected a list", message(moon.autoencoder, {encoder = {}, decoder = {}}))
    assert.matches("autoencoder_spec%.lua:%d+: autoencoder: unknown option",
      message(function() moon.autoencoder{encoders = 1} end))
  end)
end)

-- The expected numbers are computed by hand.
describe("the penalty", function()
  -- sigmoid(ln 3 x): 1/2, 3/4 at x = 0, 1.
  local function quarters(opts)
    opts.activation = "sigmoid"
    local layer = moon.dense(1, 1, opts)
    layer.weight = moon.tensor{{math.log(3)}}
    return layer
  end

  it("kl_weight", function()
    local layer = quarters{kl_weight = 2, kl_target = 0.25}
    layer:forward(moon.tensor{{0}, {1}}, false) -- the mean is 5/8
    assert.near(2 * (0.25 * math.log(0.4) + 0.75 * math.log(2)), layer:penalty(), 1e-6)
    layer:backward(moon.zeros(2, 1)) -- 2/2 (0.75 / 0.375 - 0.25 / 0.625) = 1.6 on y, times y (1 - y)
    assert.near(1.6 * (1 / 4 + 3 / 16), layer.bias_grad[1], 1e-6)
    assert.near(1.6 * 3 / 16, layer.weight_grad:get(1, 1), 1e-6)
  end)

  it("kl_weight is 0 at the target, and finite where a unit is always 0 or 1", function()
    local layer = quarters{kl_weight = 1, kl_target = 0.5}
    layer:forward(moon.zeros(3, 1), false)
    assert.near(0, layer:penalty(), 1e-6)
    for _, z in ipairs{-200, 200} do
      layer = quarters{kl_weight = 1}
      layer.bias = moon.tensor{z}
      layer:forward(moon.zeros(3, 1), false)
      layer:backward(moon.zeros(3, 1))
      local p = z < 0 and 0.05 or 0.95
      assert.near(p * math.log(p / 1e-7) + (1 - p) * math.log(1 - p), layer:penalty(), 1e-5)
      assert.is_true(layer.bias_grad:abs():max() < math.huge)
    end
  end)

  it("kl_weight uses means over whole batches", function()
    local net, x = moon.sequential{quarters{kl_weight = 1}}, moon.tensor{{0}, {1}, {0}, {1}}
    local y = net:predict(x)
    local function divergence(q) return 0.05 * math.log(0.05 / q) + 0.95 * math.log(0.95 / (1 - q)) end
    assert.near(divergence(5 / 8), net:evaluate(x, y, {loss = "mse"}), 1e-6)
    assert.near((divergence(1 / 2) + divergence(3 / 4)) / 2, net:evaluate(x, y, {loss = "mse", batch_size = 1}), 1e-6)
  end)

  it("contractive", function()
    local layer = moon.dense(2, 2, {contractive = 0.5})
    layer.weight = moon.tensor{{1, 2}, {3, 4}}
    layer:forward(moon.rand(3, 2), false)
    assert.near(0.5 * (1 + 4 + 9 + 16), layer:penalty(), 1e-5)
    layer:backward(moon.zeros(3, 2))
    assert.is_true(layer.weight_grad:allclose(layer.weight, 1e-6, 1e-6))
    assert.same({0, 0}, layer.bias_grad:totable())

    layer = quarters{contractive = 2}
    layer:forward(moon.tensor{{0}, {1}}, false) -- y (1 - y) is 1/4, 3/16; its own slope 0, -3/32
    local w, squares = math.log(3), 1 / 16 + 9 / 256
    assert.near(squares * w * w, layer:penalty(), 1e-6)
    layer:backward(moon.zeros(2, 1))
    local dz = 2 * (3 / 16) * (-3 / 32) * w * w
    assert.near(dz, layer.bias_grad[1], 1e-6)
    assert.near(dz + 2 * squares * w, layer.weight_grad:get(1, 1), 1e-6)
  end)

  it("contractive of a tied layer uses the transposed weight", function()
    local owner = moon.dense(2, 3)
    local layer = moon.dense(3, 2, {tied = owner, activation = "relu", contractive = 1})
    owner.weight = moon.tensor{{1, 2, 3}, {4, 5, 6}}
    layer.bias = moon.tensor{100, -100}
    layer:forward(moon.rand(4, 3), false) -- the second unit outputs 0
    assert.near(1 + 4 + 9, layer:penalty(), 1e-5)
  end)
end)

describe("k_sparse", function()
  it("keeps the largest; of equal ones the first", function()
    local x = moon.tensor{{1, 3, 2, 3, 3}, {-1, -2, -3, -4, -5}, {0, 0, 0, 0, 0}, {5, 0, -1, 0, 4}}
    local layer = moon.k_sparse(2)
    local y = layer:forward(x, true)
    assert.same({{0, 3, 0, 3, 0}, {-1, -2, 0, 0, 0}, {0, 0, 0, 0, 0}, {5, 0, 0, 0, 4}}, y:totable())
    local dx = layer:backward(moon.ones(4, 5))
    assert.same({{0, 1, 0, 1, 0}, {1, 1, 0, 0, 0}, {1, 1, 0, 0, 0}, {1, 0, 0, 0, 1}}, dx:totable())
    assert.is_true(layer:forward(x, false):allclose(y, 0, 0))
  end)

  it("keeps alpha k elements in inference", function()
    local x, layer = moon.tensor{{4, 1, 3, 2}}, moon.k_sparse(1, {alpha = 2})
    assert.same({{4, 0, 0, 0}}, layer:forward(x, true):totable())
    assert.same({{4, 0, 3, 0}}, layer:forward(x, false):totable())
    assert.same({{4, 1, 3, 2}}, moon.k_sparse(3, {alpha = 1e38}):forward(x, false):totable())
    assert.matches("alpha is 0.5, expected a number of at least 1", select(2, pcall(moon.k_sparse, 1, {alpha = 0.5})))
  end)

  it("does not hide NaN", function()
    local y = moon.k_sparse(1):forward(moon.tensor{{1, 0 / 0, 2}}, true)[1]
    assert.equal(0, y[1])
    assert.is_true(y[2] ~= y[2])
  end)
end)

-- One autoencoder of each kind, for rows of 100.
local function one_of_each()
  local sparse, plain = moon.autoencoder.sparse, moon.autoencoder.plain
  return {
    all = sparse{input = 100, hidden = {60}, code = 40, l1 = 1e-4, layers = "all"},
    kl = sparse{input = 100, hidden = 60, kl_weight = 0.01, kl_target = 0.1, tied = true},
    k = sparse{input = 100, hidden = {60}, code = 40, k = 10},
    tied_k = sparse{input = 100, hidden = 60, k = 10, tied = true},
    contractive = plain{input = 100, hidden = 60, code_activation = "sigmoid", contractive = 1e-3, tied = true},
    deep = moon.autoencoder.deep{input = 100, hidden = {60}, code = 20, code_activation = "tanh", contractive = 1e-3},
  }
end

describe("training with every kind of penalty", function()
  it("is the same with one and two threads, and reduces the loss", function()
    moon.seed(5)
    local basis = rows(6, 100)
    local x = rows(512, 6):matmul(basis):mul_(1 / 6)
    local function losses(threads, batch)
      moon.seed(3)
      local found = {}
      for name, ae in pairs(one_of_each()) do
        local opts = {loss = "bce", epochs = 3, batch_size = batch, seed = 1, threads = threads, validation = {x, x}}
        found[name] = ae:fit(x, opts)
      end
      return found
    end
    for _, batch in ipairs{64, 512} do -- divided by columns; by rows, except with kl
      local one, two = losses(1, batch), losses(2, batch)
      for name, history in pairs(one) do
        for e = 1, 3 do
          assert.near(history.loss[e], two[name].loss[e], 2e-5, name)
          assert.near(history.val_loss[e], two[name].val_loss[e], 2e-5, name)
        end
        assert.is_true(history.loss[3] < history.loss[1], name)
      end
    end
  end)
end)

describe("a saved autoencoder", function()
  it("keeps its penalties, tied weights and k", function()
    moon.seed(3)
    local x = rows(7, 100)
    for name, ae in pairs(one_of_each()) do
      temporary(function(path)
        assert(ae:save(path))
        local back = assert(moon.load(path))
        assert.equal(ae:summary(), back:summary())
        assert.equal(#ae:parameters(), #back:parameters())
        assert.is_true(back:encode(x):allclose(ae:encode(x), 0, 0), name)
        assert.equal(ae:evaluate(x, {loss = "mse"}), back:evaluate(x, {loss = "mse"}), name)
        local opts = {loss = "mse", seed = 1, epochs = 2}
        assert.same(ae:fit(x, opts).loss, back:fit(x, opts).loss)
      end)
    end
  end)

  it("counts k_sparse as a module of torch.nn.Sequential", function()
    local tensors = one_of_each().k:archive() -- Linear 0, ReLU 1, Linear 2, k-sparse 3, Linear 4, ReLU 5, Linear 6
    assert.same({"0.bias", "0.weight", "2.bias", "2.weight", "4.bias", "4.weight", "6.bias", "6.weight"},
      sorted_keys(tensors))
  end)

  it("loads as an autoencoder", function()
    temporary(function(path)
      moon.seed(3)
      local ae = moon.autoencoder.denoising{input = 8, hidden = {6}, code = 2, noise = moon.masking_noise(0.2)}
      assert(ae:save(path))
      local back = assert(moon.load(path))
      local x = rows(7, 8)
      assert.is_true(back:encode(x):allclose(ae:encode(x), 0, 0))
      assert.is_true(back:decode(ae:encode(x)):allclose(ae:reconstruct(x), 1e-6, 1e-7))
      assert.equal(3, #back.encoder)
    end)
  end)

  it("that does not exist gives nil and a message", function()
    local net, message, code = moon.load("no/such/file")
    assert.is_nil(net)
    assert.matches("no/such/file", message)
    assert.is_string(code)
  end)
end)

describe("an autoencoder with a layer in Lua", function()
  it("has the same methods", function()
    moon.seed(3)
    local halve = {
      name = "halve",
      forward = function(_, x) return x * 0.5 end,
      backward = function(_, dy) return dy * 0.5 end,
    }
    local ae = moon.autoencoder{encoder = {moon.dense(8, 3), halve}, decoder = {moon.dense(3, 8)}}
    local x = rows(20, 8)
    assert.same({20, 3}, ae:encode(x).shape)
    assert.is_true(ae:decode(ae:encode(x)):allclose(ae:reconstruct(x), 1e-6, 1e-7))
    assert.near(ae:errors(x):mean(), ae:evaluate(x, {loss = "mse"}), 1e-6)
    local history = ae:fit(x, {loss = "mse", epochs = 5, optimizer = moon.adam{lr = 0.01}})
    assert.is_true(history.loss[5] < history.loss[1])
  end)
end)

local moon = require "moonglass"

local function rows(n, k) return moon.rand(n, k) end

local function temporary(test)
  local path = os.tmpname()
  local ok, message = pcall(test, path)
  os.remove(path)
  assert(ok, message)
end

describe("an autoencoder", function()
  before_each(function() moon.seed(3) end)

  it("is a net with names for its halves", function()
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

  it("shares its halves' parameters", function()
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

  it("fits to itself with or without a target", function()
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

  it("takes pixels as bytes", function()
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

  it("say what is wrong", function()
    local function message(f, ...) return select(2, pcall(f, ...)) end
    local plain, deep = moon.autoencoder.plain, moon.autoencoder.deep
    assert.matches("unknown option 'inputs' %(known: activation, .*input", message(plain, {inputs = 3}))
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

describe("a saved autoencoder", function()
  it("comes back as one", function()
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

  it("that is not there is an error result", function()
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

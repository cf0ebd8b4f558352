-- The nets of `make test-interop`, and rows for them.
local moon = require "moonglass"

local nets = {}

-- Biases start at 0, where a mistake would not show.
local function with_biases(net)
  for _, parameter in ipairs(net:parameters()) do
    if parameter.name:find("%.bias$") then parameter.value:copy_(moon.randn(#parameter.value) * 0.3) end
  end
  return net
end

local function add(name, net, x) nets[#nets + 1] = {name = name, net = with_biases(net), x = x} end

moon.seed(11)

for _, name in ipairs(moon.registered("activations")) do
  add("dense_" .. name, moon.sequential{moon.dense(20, 12, {activation = name}), moon.dense(12, 5)},
    moon.randn(33, 20) * 4)
  add("layer_" .. name, moon.sequential{moon.dense(7, 9), moon.activation(name)}, moon.randn(17, 7) * 4)
  add("alone_" .. name, moon.sequential{moon.activation(name)}, moon.randn(6, 8) * 20)
end

local images = moon.data.mnist("test") or assert(moon.data.mnist("spec/fixtures/shapes", "test"))
local digits = images:rows(1, math.min(100, #images)):float() / 255
local pixels = digits:size(2)

add("deep", moon.autoencoder.deep{input = pixels, hidden = {128}, code = 32}, digits)
add("tied", moon.autoencoder.deep{input = pixels, hidden = {64}, code = 16, tied = true, activation = "elu"}, digits)
add("denoising", moon.autoencoder.denoising{input = pixels, hidden = 48, noise = moon.gaussian_noise(0.4)}, digits)
add("masked", moon.autoencoder.denoising{input = pixels, hidden = 48, noise = moon.masking_noise(0.4)}, digits)
add("dropout", moon.sequential{moon.dropout(0.2), moon.dense(30, 8, {activation = "tanh"}), moon.dropout(0.5),
  moon.dense(8, 30), moon.dropout(0.1)}, moon.randn(9, 30))
add("k_sparse", moon.autoencoder.sparse{input = pixels, hidden = 100, k = 25}, digits)
add("k_sparse_ties", moon.sequential{moon.k_sparse(3)}, (moon.randn(40, 9) * 1.5):floor())
add("k_sparse_alpha", moon.sequential{moon.dense(9, 12), moon.k_sparse(3, {alpha = 1.5})}, moon.randn(10, 9))
add("gaussian_code", moon.sequential{moon.dense(9, 8), moon.gaussian_code(4), moon.dense(4, 9)}, moon.randn(10, 9))
local tanh = {activation = "tanh"}
local inner = moon.branches{{}, moon.dense(4, 3, {activation = "gelu"})}
add("branches", moon.sequential{moon.dense(9, 8, tanh), moon.branches{moon.dense(8, 6, {activation = "sigmoid"}),
  {moon.dense(8, 4, tanh), inner, moon.dense(7, 5, {activation = "softmax"})}, {}}, moon.dense(19, 4)},
  moon.randn(10, 9))
add("no_bias", moon.sequential{moon.dense(6, 5, {bias = false, activation = "selu"}), moon.dense(5, 1, {bias = false})},
  moon.randn(8, 6))

local twice = moon.dense(6, 6, {activation = "tanh"})
add("repeated", moon.sequential{twice, twice, moon.dense(6, 6, {tied = twice}), twice}, moon.randn(8, 6))

-- Slopes that are not the defaults.
add("slopes", moon.sequential{moon.dense(6, 5, {activation = "leaky_relu", negative_slope = 0.35}),
  moon.activation("elu", {alpha = 1.7}), moon.dense(5, 4, {activation = "elu", alpha = 0.4}),
  moon.activation("leaky_relu", {negative_slope = 0.01})}, moon.randn(20, 6) * 3)

-- Normalisation: what ONNX files have folded, and what stays.
local function normalised(name, net, x)
  for _ = 1, 5 do net:forward(x, true) end -- running statistics
  for i = 1, #net do
    local layer = net:layer(i)
    if layer:kind():find("_norm$") then layer.weight = moon.rand(layer.n) + 0.5 end
  end
  add(name, net, x)
end
normalised("batch_norm", moon.sequential{moon.batch_norm(9, {momentum = 0.5}), moon.dense(9, 8),
  moon.batch_norm(8, {eps = 1e-5}), moon.activation("relu"), moon.dropout(0.2), moon.dense(8, 5, {activation = "tanh"}),
  moon.batch_norm(5, {momentum = 0.9})}, moon.randn(40, 9) * 3 + 1)
normalised("layer_norm", moon.sequential{moon.dense(9, 8), moon.layer_norm(8), moon.dense(8, 3, {activation = "silu"}),
  moon.layer_norm(3, {eps = 1e-6})}, moon.randn(40, 9))

local trained = moon.autoencoder.deep{input = pixels, hidden = {96, 48}, code = 12, activation = "gelu"}
trained:fit(digits, {loss = "binary_crossentropy", epochs = 3, seed = 1, threads = 1})
nets[#nets + 1] = {name = "trained", net = trained, x = digits}
nets[#nets + 1] = {name = "encoder", net = trained.encoder, x = digits}
nets[#nets + 1] = {name = "decoder", net = trained.decoder, x = trained:encode(digits)}
nets[#nets + 1] = {name = "one_row", net = trained, x = digits:rows(1, 1)}

return nets

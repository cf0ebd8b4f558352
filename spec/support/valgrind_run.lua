-- What `make valgrind` runs: training with a partial last batch, prediction, files, and an error during training.
local moon = require "moonglass"

moon.seed(1)
local x = moon.rand(40, 30)
local ae = moon.autoencoder {
  encoder = {moon.masking_noise(0.1), moon.dense(30, 12, {activation = "relu", activity_l1 = 1e-5}), moon.dropout(0.1)},
  decoder = {moon.dense(12, 30, {activation = "sigmoid"})},
}
local history = ae:fit(x, {loss = "binary_crossentropy", optimizer = "adam", epochs = 1, batch_size = 32, verbose = 0})
assert(history.loss[1] > 0 and history.loss[1] < 10)
assert(#ae:reconstruct(x) == 40 and #ae:errors(x) == 40)

local path = os.tmpname()
assert(ae:save(path))
local again = assert(moon.load(path))
assert(again:predict(x):allclose(ae:predict(x)))
local bytes = moon.png.encode(moon.image.grid(x:rows(1, 4), {shape = {5, 6}}))
assert(moon.png.decode(bytes).dtype == "uint8")

local file = assert(io.open(path, "wb"))
assert(file:write("not a safetensors file"))
file:close()
assert(not moon.load(path))
assert(not pcall(ae.predict, ae, moon.rand(3, 7)))
os.remove(path)

print(("two batches, loss %.4f, %s kernels"):format(history.loss[1], moon.info().simd))

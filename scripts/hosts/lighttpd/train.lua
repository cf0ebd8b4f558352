-- Trains the net that the server answers with, and saves it:
--   build/moonglass scripts/hosts/lighttpd/train.lua NET.safetensors [ROWS [FOLDER]]
local moon = require "moonglass"

local path, rows, folder = arg[1], math.tointeger(arg[2] or 10000), arg[3]
if not path or not rows or rows < 1 then
  io.stderr:write("usage: train.lua NET.safetensors [ROWS [FOLDER]]\n")
  os.exit(2)
end

moon.seed(42)
local images = folder and assert(moon.data.mnist(folder, "train")) or assert(moon.data.mnist("train"))
local ae = moon.autoencoder.denoising{
  input = 784, hidden = {128}, code = 32, noise = moon.gaussian_noise(0.4, {clip = {0, 1}}),
}
ae:fit(images:rows(1, math.min(rows, #images)), {loss = "binary_crossentropy", epochs = 5, verbose = 2})
assert(ae:save(path))

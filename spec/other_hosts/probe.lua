-- A net trained here, and the net in the file MOONGLASS_NET: every host must compute the same bits. The probe runs
-- inside the host. Its result is a text. If MOONGLASS_PROBE_OUT names a file, the text is written there too.
local moon = require "moonglass"

-- 64-bit FNV-1a of the tensors' bytes. Lua's integers wrap around, as the algorithm needs.
local function hash(tensors)
  local h = 0xcbf29ce484222325
  for _, t in ipairs(tensors) do
    for _, number in ipairs(t:reshape(t:numel()):totable()) do
      for _, byte in ipairs{string.pack("<f", number):byte(1, 4)} do h = (h ~ byte) * 0x100000001b3 end
    end
  end
  return ("%016x"):format(h)
end

local function values(net)
  local list = {}
  for i, p in ipairs(net:parameters()) do list[i] = p.value end
  return list
end

local shapes = assert(os.getenv("MOONGLASS_SHAPES"))
local train, test = assert(moon.data.mnist(shapes, "train")), assert(moon.data.mnist(shapes, "test"))

moon.seed(7)
local ae = moon.autoencoder.denoising{input = 784, hidden = {64}, code = 16, noise = moon.gaussian_noise(0.3)}
local history = ae:fit(train, {loss = "binary_crossentropy", epochs = 3, batch_size = 8, seed = 7, threads = 1})
local saved = assert(moon.load(assert(os.getenv("MOONGLASS_NET"))))

local text = ("trained %s, says %s, loss %.17g; loaded says %s\n"):format(hash(values(ae)),
  hash{ae:reconstruct(test)}, history.loss[3], hash{saved:reconstruct(test)})

local path = os.getenv("MOONGLASS_PROBE_OUT")
if path then
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  assert(file:close())
end
return text

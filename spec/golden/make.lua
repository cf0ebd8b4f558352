-- Write nets, checkpoints and results of this version into a new folder, spec/golden/<version>. A release runs it once:
-- build/moonglass spec/golden/make.lua [parent folder]. spec/api/golden_spec.lua reads the folders of all versions.
--   <name>.safetensors           a saved net, or a checkpoint
--   <name>.expected.safetensors  x [12 x 16]; y = net(x); of an autoencoder its code. Of a checkpoint: the weights
--                                after a fit on x that resumes it, "resumed.<parameter>"; as texts its options, losses
local moon = require "moonglass"
local samples = dofile "spec/support/samples.lua"

local version = moon.info().version
local parent = arg[1] or "spec/golden"
local folder = parent .. "/" .. version
local unfinished = folder .. ".unfinished"

local dense = moon.dense

-- Nets for the main kinds of layers and their usual activations.
local function make_nets(width)
  return {
    dense = moon.sequential{
      dense(width, 14, {activation = "gelu", name = "first", weight_l2 = 1e-4}), moon.dropout(0.1),
      dense(14, 12, {activation = "tanh", bias = false, init = "he_normal"}), moon.activation("softplus"),
      dense(12, 10, {activation = "silu"}), dense(10, width, {activation = "softmax"}),
    },
    tied = moon.autoencoder.deep{input = width, hidden = {12}, code = 4, tied = true, activation = "elu"},
    k_sparse = moon.autoencoder{
      encoder = {dense(width, 12, {activation = "leaky_relu"}), dense(12, 8), moon.k_sparse(3, {alpha = 1.5})},
      decoder = {dense(8, width, {activation = "sigmoid"})},
    },
    denoising = moon.autoencoder{
      noise = moon.gaussian_noise(0.2, {clip = {0, 1}}),
      encoder = {moon.masking_noise(0.1), dense(width, 12, {activation = "selu", activity_l1 = 1e-5}),
                 moon.salt_pepper_noise(0.05), dense(12, 4, {activation = "relu", contractive = 1e-3})},
      decoder = {dense(4, width, {activation = "sigmoid", kl_weight = 1e-3})},
    },
  }
end

-- A net of the registered layers and activations that the nets above lack; nil if there are none.
local function make_others(nets, width)
  local saved, list = "", {dense(width, width)}
  for _, net in pairs(nets) do saved = saved .. select(2, net:archive()).moonglass end
  local function add(family, make)
    for _, name in ipairs(moon.registered(family)) do
      if not saved:find('"' .. name .. '"', 1, true) then list[#list + 1] = make(name, width) end
    end
  end
  add("layers", samples.net)
  add("activations", function(name) return moon.activation(name) end)
  return #list > 1 and moon.sequential(list) or nil
end

local function path_of(name) return ("%s/%s.safetensors"):format(unfinished, name) end

local function outputs(net, x)
  return {x = x, y = net:predict(x), code = net:encoder_layers() > 0 and net:encode(x) or nil}
end

local function save_expected(name, tensors, texts)
  assert(moon.safetensors.save(path_of(name .. ".expected"), tensors, texts))
end

local function save_net(name, net, x)
  net:fit(x, {loss = "mse", epochs = 3, batch_size = 4, threads = 1, seed = 2, verbose = 0})
  assert(net:save(path_of(name)))
  save_expected(name, outputs(net, x))
end

-- Two epochs end with the checkpoint; two more resume from the file.
local function save_checkpoint(kind, net, x)
  local name = "checkpoint_" .. kind
  local options = {loss = "bce", batch_size = 4, validation_split = 0.25, threads = 1, verbose = 0}
  local function fit(from, epochs, more)
    for key, v in pairs(options) do more[key] = v end
    more.epochs, more.callbacks = epochs, {moon.callbacks.early_stopping{patience = 9}, more.callback}
    more.callback = nil
    return from:fit(x, more)
  end
  local opt = moon.optimizer(kind, kind == "sgd" and {momentum = 0.9} or nil)
  fit(net, 2, {seed = 3, optimizer = opt, callback = moon.callbacks.checkpoint(path_of(name))})

  local c = assert(moon.checkpoint.load(path_of(name)))
  local expected = outputs(c.net, x)
  local losses = {}
  for i, loss in ipairs(fit(c.net, 4, {resume = c}).loss) do losses[i] = ("%.9g"):format(loss) end
  for _, parameter in ipairs(c.net:parameters()) do expected["resumed." .. parameter.name] = parameter.value end
  local texts = {epochs = "4", patience = "9", losses = table.concat(losses, " ")}
  for key, v in pairs(options) do texts[key] = tostring(v) end
  save_expected(name, expected, texts)
end

moon.seed(1)
local x = moon.rand(12, 16)
local nets = make_nets(16)
nets.others = make_others(nets, 16)
if os.rename(folder, folder) then
  error(("golden: %s is there, and a golden folder is never changed"):format(folder), 0)
end
assert(os.execute(("rm -rf '%s' && mkdir -p '%s'"):format(unfinished, unfinished)))
for name, net in pairs(nets) do save_net(name, net, x) end
for _, kind in ipairs(moon.registered("optimizers")) do save_checkpoint(kind, make_nets(16).denoising, x) end
assert(os.rename(unfinished, folder))

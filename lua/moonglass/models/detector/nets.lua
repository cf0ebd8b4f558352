--- The nets of moon.detector.fit: denoising autoencoders (Vincent et al. 2010) of scaled rows, with early stopping.
-- The net is wider than the rows: not a narrow code keeps it from copying, but the noise. What it takes off a noisy row
-- is the way back to where normal rows are dense (Alain and Bengio 2014, What regularized auto-encoders learn from the
-- data-generating distribution), so its error is large wherever they are rare, also inside the range of every column.
-- tanh is bounded: a row far away is not rebuilt, as it would be with ReLU (Bouman and Heskes 2025).
local autoencoder = require "moonglass.models.autoencoder"
local callbacks = require "moonglass.net.callbacks"
local core = require "moonglass.core"
local native = require "moonglass.support.native"

local nets = {}

-- Rows of the validation: many rows are measured once; few ones several times, each with other noise.
nets.most_validation = 8192
local least_validation = 256

-- A net of so many rows learns by batches of 32 to 256.
local function batch_size(o, n)
  local size = 32
  while size < 256 and n >= size * 256 do size = 2 * size end
  return math.min(n, o.batch_size or size)
end

-- Epochs for `steps` steps, but at least 3, or 1 if the rows do not fit in memory.
local function epochs_for(o, x, batch)
  if o.epochs then return o.epochs end
  return math.max(native.is_source(x) and 1 or 3, math.ceil(o.steps * batch / #x))
end

-- The rows several times.
local function repeated(x, times)
  if times == 1 then return x end
  local list = {}
  for i = 1, times do list[i] = x end
  return core.cat(list, 1)
end

-- {noisy rows, clean rows}: what a net has to do in the training, with the same noise in each epoch.
local function validation(o, held)
  local clean = repeated(held, math.ceil(least_validation / #held))
  return {core.randn(clean.shape):mul_(o.noise):add_(clean), clean}
end

local function build(o, width)
  return autoencoder.build{
    noise = core.gaussian_noise(o.noise),
    encoder = {core.dense(width, o.hidden, {activation = o.activation})},
    decoder = {core.dense(o.hidden, width)},
  }
end

--- A net that has learnt x: a tensor or a source of scaled rows, NaN where a number is missing. held: a tensor of other
-- rows, for early stopping; nil: it learns `epochs` epochs. Returns the net and the number of its best epoch.
-- o: hidden, noise, activation, steps, epochs, batch_size, lr, masked, repeats, verbose, threads
function nets.train(o, x, held, epochs)
  x = repeated(x, o.repeats or 1)
  local batch = batch_size(o, #x)
  epochs = epochs or epochs_for(o, x, batch)
  local net, stopping = build(o, x:size(2)), nil
  if held then
    stopping = callbacks.early_stopping{patience = math.max(3, math.ceil(epochs / 5)), restore_best = true}
  end
  net:fit(x, {
    loss = "mse", optimizer = core.adam{lr = o.lr}, epochs = epochs, batch_size = batch, mask = o.masked or nil,
    validation = held and validation(o, held), callbacks = {stopping}, verbose = o.verbose or 0, threads = o.threads,
  })
  return net, stopping and stopping.best_epoch or epochs
end

return nets

-- What layers, losses and optimisers do, written out: two nets by hand, from tensors alone, as one would write them in
-- numpy, and each once more in layers. From the same initial weights both ways give the same losses and weights.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "by_hand",
  about = "Two nets with gradients written by hand, and the same in layers: the same losses and weights.",
  options = {
    {"steps", 200, "steps of gradient descent of the classifier"},
    {"images", 6400, "images that the autoencoder sees, once, in order"},
    {"batch", 32, "images in one of its steps"},
  },
  training = false,
}
local o = run.options

-- ---- gradient descent: points in the plane, 2 -> 100 -> 3 classes ----

local lr, penalty = 0.2, 0.5e-3
local x, y = moon.data.spirals{n = 100, classes = 3, noise = 0.2, seed = o.seed}
local t = moon.eye(3):index(y + 1) -- one-hot: the class's row of the unit matrix

-- What reduces rows gives [rows]; as a column [rows x 1] it combines with each column of a matrix.
local function softmax(z)
  local e = (z - z:max(2):reshape(-1, 1)):exp() -- minus the largest, so that exp does not overflow
  return e / e:sum(2):reshape(-1, 1)
end

local function classifier_by_hand(w1, b1, w2, b2)
  local n, losses = #x, {}
  for step = 1, o.steps do
    -- h = relu(x W1 + b1), p = softmax(h W2 + b2), L = -1/n sum t log p + c (sum W1^2 + sum W2^2)
    local h = (x:matmul(w1) + b1):relu()
    local p = softmax(h:matmul(w2) + b2)
    losses[step] = -(t * p:log()):sum() / n + penalty * (w1:square():sum() + w2:square():sum())
    -- dL/dz2 = (p - t)/n, z2 being what softmax gets. From there the chain rule, through W2 and ReLU: 1 where h > 0
    local dz2 = (p - t) / n
    local dz1 = dz2:matmul(w2:t()) * h:gt(0)
    local dw1, dw2 = x:t():matmul(dz1) + w1 * (2 * penalty), h:t():matmul(dz2) + w2 * (2 * penalty)
    -- W <- W - lr dL/dW; a bias is added to every row, so its gradient is the sum of theirs
    w1:add_(dw1, -lr)
    b1:add_(dz1:sum(1), -lr)
    w2:add_(dw2, -lr)
    b2:add_(dz2:sum(1), -lr)
  end
  return losses
end

local classifier = moon.sequential{
  moon.dense(2, 100, {activation = "relu", weight_l2 = penalty}),
  moon.dense(100, 3, {activation = "softmax", weight_l2 = penalty}),
}

local function classifier_in_layers()
  local loss, optimizer, losses = moon.cross_entropy(), moon.sgd{lr = lr}, {}
  for step = 1, o.steps do losses[step] = classifier:step(x, y, loss, optimizer) end
  return losses
end

-- ---- Adam: the autoencoder 784-32-784, ReLU both times, on the squared norm of the error ----

local images = run.train:rows(1, math.min(o.images, #run.train))
local batch = math.min(o.batch, #images)

-- Keras computes the powers below from 0.9 and 0.999 as float32, and so does this: it matters in the first steps.
local function float32(v) return moon.tensor{v}[1] end

-- Kingma and Ba 2014, arXiv 1412.6980: running means m, v of the gradient g and of its square; step k is of about lr.
local function adam_step(w, g, s, k)
  local beta1, beta2, eps = 0.9, 0.999, 1e-7
  s.m = (s.m or g * 0) * beta1 + g * (1 - beta1)
  s.v = (s.v or g * 0) * beta2 + g:square() * (1 - beta2)
  local rate = 1e-3 * math.sqrt(1 - float32(beta2) ^ k) / (1 - float32(beta1) ^ k)
  w:add_(s.m / (s.v:sqrt() + eps), -rate)
end

-- h = relu(v W1 + b1), r = relu(h W2 + b2)
local function reconstruct(v, w1, b1, w2, b2)
  local h = (v:matmul(w1) + b1):relu()
  return h, (h:matmul(w2) + b2):relu()
end

local function autoencoder_by_hand(...)
  local weights, moments, losses, w2 = {...}, {{}, {}, {}, {}}, {}, select(3, ...)
  for first = 1, #images, batch do
    local v = images:rows(first, math.min(first + batch - 1, #images)):float() / 255
    local h, r = reconstruct(v, ...)
    losses[#losses + 1] = (r - v):square():sum() / #v -- L = 1/n sum |r - v|^2
    local dz2 = (r - v) * (2 / #v) * r:gt(0)
    local dz1 = dz2:matmul(w2:t()) * h:gt(0)
    local gradients = {v:t():matmul(dz1), dz1:sum(1), h:t():matmul(dz2), dz2:sum(1)}
    for i, g in ipairs(gradients) do adam_step(weights[i], g, moments[i], #losses) end
  end
  return losses
end

local autoencoder = moon.autoencoder.plain{input = images:size(2), hidden = 32, output = "relu"}

local function autoencoder_in_layers()
  local losses = {}
  autoencoder:fit(images, {
    loss = moon.mse{reduction = "batchmean"}, optimizer = moon.adam{lr = 1e-3}, batch_size = batch, shuffle = false,
    callbacks = {{on_batch_end = function(_, state) losses[state.batch] = state.batch_loss end}},
  })
  return losses
end

-- ---- both ways from the same weights: how far are they apart? ----

local panels = {}

local function compare(name, net, by_hand, in_layers)
  local weights = {}
  for i, p in ipairs(net:parameters()) do weights[i] = p.value:clone() end
  local start = moon.clock()
  local losses = by_hand(table.unpack(weights))
  local middle = moon.clock()
  local layer_losses = in_layers()
  print(("%s: %d steps by hand %.3f s, in layers %.3f s"):format(name, #losses, middle - start, moon.clock() - middle))

  local rows, largest, weights_apart = {{"step", "by hand", "in layers", "apart"}}, 0, 0
  for i, loss in ipairs(losses) do
    rows[i + 1] = {i, loss, layer_losses[i], math.abs(loss - layer_losses[i]) / loss}
    largest = math.max(largest, rows[i + 1][4])
  end
  for i, p in ipairs(net:parameters()) do
    weights_apart = math.max(weights_apart, (p.value - weights[i]):abs():max())
  end
  panels[#panels + 1] = {title = name, xlabel = "step", ylabel = "loss", series = {
    {y = losses, label = "by hand", style = "points"}, {y = layer_losses, label = "in layers"},
  }}
  run:write(name .. ".csv", experiment.files.csv(rows))
  run:save(net, name)
  run:figure(name .. " loss", losses[#losses])
  run:figure(name .. " losses apart", largest, "%.0e")
  run:figure(name .. " weights apart", weights_apart, "%.0e")
  run:say("%s: the losses of both ways differ by at most %.0e of their value, the weights by %.0e.", name, largest,
    weights_apart)
  return weights
end

compare("classifier", classifier, classifier_by_hand, classifier_in_layers)
local weights = compare("autoencoder", autoencoder, autoencoder_by_hand, autoencoder_in_layers)

run:plot("panels", "losses", panels, {columns = 2, width = 900, height = 360,
  caption = "The losses of both nets, each by hand and in layers: the same"})
run:dead_units(autoencoder, images, "autoencoder")
local shown = run.test:rows(1, math.min(20, #run.test))
local _, by_hand = reconstruct(shown:float() / 255, table.unpack(weights))
run:picture("reconstructions", moon.image.rows({shown, by_hand, autoencoder:predict(shown)},
  {scale = 2, titles = {"original", "by hand", "in layers"}}), "Test images, and what the autoencoder makes of them")

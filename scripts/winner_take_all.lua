-- The winner-take-all autoencoder (Makhzani and Frey 2015, arXiv 1409.2752): in training a unit of the code may speak
-- only for a few images of the batch, those for which it is largest; for all others it is 0. Each unit gets its share
-- of the images, so that none dies, and no penalty has to be tuned. The trained encoder is a plain ReLU layer. Beside
-- it the same net without winners, from the same initial weights.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "winner_take_all",
  about = "Train an autoencoder whose code units each win a share of the batch, and the same net without.",
  options = {
    {"code", 500, "width of the code"},
    {"share", 0.05, "of the images of a batch for which a unit may speak", "fraction"},
    {"labelled", 1000, "training images whose labels the probe learns from"},
    {"shown", 100, "units whose weights are drawn"},
  },
  defaults = {epochs = 10, batch = 100},
  distributed = false, -- a layer in Lua
}
local o, train, test = run.options, run.train, run.test

-- y = x where x is among the k largest of its column, else 0. A winner may be negative: so no unit dies, as a ReLU
-- does that is 0 for all images. In inference y = relu(x).
local function winners(share)
  local mask
  local layer = {name = "winners"}

  function layer.forward(_, x, training)
    local k = math.max(1, math.floor(share * #x + 0.5))
    mask = training and x:ge(x:topk(k, 1)[k]) or x:gt(0) -- [rows x code]: 1 from the k-th largest of each column on
    return x * mask
  end

  function layer.backward(_, dy) return dy * mask end

  return layer
end

-- ---- both nets, with a linear output and the squared error, summed over the pixels ----

local names, nets = {"plain", "winners"}, {}
for i, name in ipairs(names) do
  moon.seed(o.seed)
  local encoder = {moon.dense(train:size(2), o.code), i == 2 and winners(o.share) or moon.activation("relu")}
  local ae = moon.autoencoder{encoder = encoder, decoder = {moon.dense(o.code, train:size(2))}}
  run:print(ae:summary())
  local history
  ae, history = run:fit(ae, {name = name, loss = moon.mse{reduction = "batchmean"}})
  nets[i] = {name = name, ae = ae, history = history}
end

-- ---- codes of the test images: how many units speak, and what a probe learns from few labels ----

-- The output as in training: each unit speaks for its share of these images only.
local function as_trained(ae, images) return ae:forward(images, true) end

local function squared_error(ae, predict)
  local sum = 0
  for first = 1, #test, 100 do
    local images = test:rows(first, math.min(first + 99, #test))
    sum = sum + (predict(ae, images) - images / 255):square():sum()
  end
  return sum / #test
end

local labelled = math.min(o.labelled, #train)
local rows = {{"net", "error as trained", "error of all units", "zeros", "dead units", "softmax probe"}}
local formats, filters = {nil, "%.2f", "%.2f", "%.3f", "%d", "%.4f"}, {}
for i, net in ipairs(nets) do
  local of_train, of_test = net.ae:encode(train), net.ae:encode(test)
  local dead, count = moon.metrics.dead_units(of_train)
  local probe = moon.probe(of_train:rows(1, labelled), run.train_labels:rows(1, labelled), {seed = o.seed})
  rows[i + 1] = {net.name, squared_error(net.ae, as_trained), squared_error(net.ae, net.ae.predict),
    of_test:eq(0):mean(), count, probe:accuracy(of_test, run.test_labels)}
  for k = 2, #formats do run:figure(("%s %s"):format(net.name, rows[1][k]), rows[i + 1][k], formats[k]) end
  local shown = math.min(o.shown, o.code)
  local decoder = net.ae:layer(#net.ae).weight
  filters[i] = run:filters(decoder:rows(1, shown), dead:rows(1, shown), "units, " .. net.name)
end
run:table("codes", rows, formats, "The test images: squared error of an image, as in training and if all units speak; "
  .. "zeros in the code; accuracy of a softmax regression on it")
run:say("With %d labels a softmax regression on the code is right for %.1f %% of the test images, %.1f %% without "
  .. "winners; %.0f %% of the code is 0, without winners %.0f %%.", labelled, 100 * rows[3][6], 100 * rows[2][6],
  100 * rows[3][4], 100 * rows[2][4])

-- ---- pictures ----

local images = test:rows(1, math.min(20, #test))
run:picture("filters", run.beside(table.unpack(filters)),
  "What a unit paints: its weight to each pixel, times the pixel's standard deviation")
local hundred = as_trained(nets[2].ae, test:rows(1, math.min(100, #test))):rows(1, #images)
run:picture("reconstructions", moon.image.rows({images, nets[1].ae:predict(images), hundred},
  {scale = 2, titles = {"original", names[1], names[2]}}), "Test images, and what each of the nets makes of them")
run:plot("lines", "loss", {
  {y = nets[1].history.loss, label = "plain"}, {y = nets[2].history.loss, label = "winners, training"},
  {y = nets[2].history.val_loss, label = "winners, test"},
}, {title = "Squared error of an image", xlabel = "epoch", ylabel = "squared error",
  caption = "Squared error after each epoch. In training only winners speak, in the test all units"})

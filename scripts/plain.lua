-- The lecture's autoencoder: 784-32-784, ReLU then ReLU, trained on the mean squared norm of the error. And what goes
-- wrong with it.
local moon = require "moonglass"
local experiment = require "moonglass.experiment"

local run <close> = experiment.start{
  name = "plain",
  about = "Train the lecture's autoencoder, 784-32-784 with ReLU, on MNIST, and say why its error is what it is.",
  options = {
    {"hidden", 32, "width of the code"},
    {"output", "relu", "activation of the output", {"relu", "sigmoid", "linear"}},
    {"loss", "mse", "squared error, or binary cross-entropy (with sigmoid)", {"mse", "bce"}},
  },
  check = function(o)
    return o.loss == "bce" and o.output ~= "sigmoid" and "--loss bce needs probabilities: --output sigmoid"
  end,
}
local o, train, test = run.options, run.train, run.test

moon.seed(o.seed)
local pixels = train:size(2)
local ae = moon.autoencoder.plain{input = pixels, hidden = o.hidden, activation = "relu", output = o.output}

local history = ae:fit(train, {
  loss = o.loss == "bce" and moon.bce() or moon.mse{reduction = "batchmean"},
  optimizer = moon.adam{lr = o.lr},
  epochs = o.epochs, batch_size = o.batch, seed = o.seed, threads = o.threads,
  validation = test, verbose = 1,
})

-- The squared error of an image: summed over its pixels.
local train_error, test_error = ae:errors(train):mean() * pixels, ae:errors(test):mean() * pixels
print(("squared error an image: train %.2f, test %.2f"):format(train_error, test_error))

-- A ReLU that is 0 for every image has gradient 0 as well: it never comes back.
local function always_zero(t) return t:max(1):eq(0) end
print(("dead code units: %d of %d"):format(always_zero(ae:encode(test)):sum(), o.hidden))

if o.output == "relu" then
  local dead, dark = always_zero(ae:predict(test)), always_zero(train)
  local lost = ((test:float() / 255):square():mean(1) * dead):sum() -- an output of 0 costs the pixel's own square
  print(("dead output pixels: %d of %d, of which %d are 0 in all training images as well"):format(dead:sum(), pixels,
    (dead * dark):sum()))
  print(("the dead pixels make %.2f of the test error of %.2f; --output sigmoid has none"):format(lost, test_error))
end

run:save(ae, history)

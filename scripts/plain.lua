-- The lecture's autoencoder: 784-32-784, ReLU then ReLU, trained on the squared error. And why its error stays large.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "plain",
  about = "Train the lecture's autoencoder, 784-32-784 with ReLU, on MNIST, and say why its error is what it is.",
  options = {
    {"hidden", 32, "width of the code"},
    {"output", "relu", "activation of the output", {"relu", "sigmoid", "linear"}},
    {"loss", "mse", "squared error, or binary cross-entropy (with sigmoid)", {"mse", "bce"}},
    {"tied", false, "the decoder's weights are the encoder's, transposed"},
    {"contractive", 0, "weight of the squared derivatives of the code by the input (0.1 is much)", "amount"},
  },
  check = function(o)
    return o.loss == "bce" and o.output ~= "sigmoid" and "--loss bce needs probabilities: --output sigmoid"
  end,
}
local o, train, test = run.options, run.train, run.test

local pixels = train:size(2)
local ae, history = run:fit(
  moon.autoencoder.plain{
    input = pixels, hidden = o.hidden, activation = "relu", output = o.output, tied = o.tied,
    contractive = o.contractive,
  },
  {loss = o.loss == "bce" and moon.bce() or moon.mse{reduction = "batchmean"}}) -- summed over the pixels of an image
if not run.first then return end -- with --distributed rank 0 makes the rest

-- The squared error of an image, summed over its pixels. PCA is the best linear code of 32 numbers.
local pca = moon.pca(train, math.min(o.hidden, #train, pixels))
local test_error = ae:errors(test):mean() * pixels
run:figure("squared error a training image", ae:errors(train):mean() * pixels, "%.2f")
run:figure("squared error a test image", test_error, "%.2f")
local pca_error = pca:errors(test):mean() * pixels
run:figure("PCA's", pca_error, "%.2f")
run:say("The net's code of %d numbers leaves a squared error of %.2f for a test image; PCA with as many leaves %.2f.",
  o.hidden, test_error, pca_error)

run:pictures_of(ae)
run:plot("lines", "loss", {{y = history.loss, label = "training"}, {y = history.val_loss, label = "test"}},
  {title = "Loss", xlabel = "epoch", ylabel = "loss", caption = "Loss of training and test images after each epoch"})
if run:is_mnist() and o.hidden == 32 then
  local as_published = run:is_published_training() and o.loss == "bce" and not o.tied and o.contractive == 0
  local losses = as_published and {0.1624, 0.1041, 0.0962, 0.0949, 0.0944, [20] = 0.0933} or {}
  local rows = run.epochs_beside(history.loss, losses)
  rows[#rows + 1] = {"PCA's squared error of a test image", pca_error, 13.19}
  run:published(rows, "The same net in Keras, and 32 principal components of MNIST by LAPACK")
end

-- A ReLU that is 0 for every image has gradient 0 as well: it never recovers. So too the output's pixels.
if o.output == "relu" then
  local dead, dark = moon.metrics.dead_units(ae:predict(test)), moon.metrics.dead_units(train)
  local lost = ((test:float() / 255):square():mean(1) * dead):sum() -- an output of 0 costs the pixel's square
  run:figure("dead output pixels", dead:sum(), "%d")
  run:say("Dead output pixels: %d of %d are 0 for all test images, and %d of these are 0 in all training images.",
    dead:sum(), pixels, (dead * dark):sum())
  run:say("The dead pixels cause %.2f of the test error of %.2f; --output sigmoid has none.", lost, test_error)
end

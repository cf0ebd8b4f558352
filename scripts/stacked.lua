-- The deep autoencoder of Hinton and Salakhutdinov (2006), 784-1000-500-250-30 and mirrored. They could train it only
-- layer by layer, and reached 3.00, the squared error of a test image summed over its pixels. With ELU, today's
-- initialisers and Adam it trains from scratch; weight decay keeps the test error low.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "stacked",
  about = "Train 784-1000-500-250-30-250-500-1000-784 to the squared error of Hinton and Salakhutdinov, 3.00.",
  options = {
    {"hidden", {1000, 500, 250}, "widths from the input to the code"},
    {"code", 30, "width of the code"},
    {"activation", "elu", "of the hidden layers", {"relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid"}},
    {"loss", "bce", "binary cross-entropy, or squared error", {"bce", "mse"}},
    {"decay", 0.1, "fraction of each weight, times the learning rate, that each step subtracts", "amount"},
  },
  defaults = {epochs = 50, batch = 128, schedule = "cosine"},
}
local o, train, test = run.options, run.train, run.test
local pixels = train:size(2)

local ae = moon.autoencoder.deep{
  input = pixels, hidden = o.hidden, code = o.code, activation = o.activation, code_activation = "linear",
}
run:print(ae:summary())

local history
ae, history = run:fit(ae, {
  loss = o.loss == "bce" and moon.bce() or moon.mse(),
  optimizer = moon.adam{lr = o.lr, weight_decay = o.decay},
})
if not run.first then return end -- with --distributed rank 0 makes the rest

-- PCA with as many numbers is the best that a linear net could reach.
local pca = moon.pca(train, math.min(o.code, #train))
local codes = ae:encode(test)
run:figure("squared error a training image", ae:errors(train):mean() * pixels, "%.2f")
run:figure("a test image", ae:errors(test):mean() * pixels, "%.2f")
run:figure("PCA", pca:errors(test):mean() * pixels, "%.2f")
run:figure("mean absolute code", codes:abs():mean(), "%.2f")
local seconds = 0
for _, s in ipairs(history.epoch_seconds) do seconds = seconds + s end
run:figure("seconds of training", seconds, "%.0f")

run:dead_units(ae, train)
local test_error = ae:errors(test):mean() * pixels
run:say("A squared error of %.2f for a test image; PCA with as many numbers has %.2f.", test_error,
  pca:errors(test):mean() * pixels)
if run:is_mnist() and o.code == 30 then
  run:published({{"squared error of a test image, with layers trained one by one", test_error, 3.00},
    {"without", test_error, 2.65}, {"PCA", pca:errors(test):mean() * pixels, 13.87}},
    "Hinton and Salakhutdinov 2006, the same without training layer by layer, and 30 principal components")
end

local images = test:rows(1, math.min(20, #test))
run:picture("reconstructions", moon.image.rows({images, ae:predict(images), pca:reconstruct(images)},
  {scale = 2, titles = {"original", "net", "PCA"}}), "Test images, and what the net and PCA make of them")
local epochs = #history.loss
run:plot("lines", "loss", {
  {y = history.loss, label = "training"}, {y = history.val_loss, label = "test"},
}, {title = "Loss", xlabel = "epoch", ylabel = "loss", logy = epochs > 1,
  caption = "Loss of training and test images after each epoch"})

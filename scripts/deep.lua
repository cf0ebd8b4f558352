-- The deep autoencoder: 784-128-32-128-784, ReLU, with a sigmoid output and binary cross-entropy.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "deep",
  about = "Train the deep autoencoder, 784-128-32-128-784, on MNIST.",
  options = {
    {"hidden", {128}, "widths from the input to the code, e.g. 256,128"},
    {"code", 32, "width of the code"},
    {"loss", "bce", "binary cross-entropy, or squared error", {"bce", "mse"}},
    {"tied", false, "the decoder's weights are the encoder's, transposed"},
  },
}
local o, train, test = run.options, run.train, run.test

local ae = moon.autoencoder.deep{
  input = train:size(2), hidden = o.hidden, code = o.code, activation = "relu", output = "sigmoid", tied = o.tied,
}
run:print(ae:summary())

-- The loss of the test images after each epoch shows whether the net has learnt digits, or only these. The result is
-- the net after the last epoch, or with --patience after the best one.
local history
ae, history = run:fit(ae, {loss = o.loss == "bce" and moon.bce() or moon.mse()})
if not run.first then return end -- with --distributed rank 0 makes the rest

run:figure("training loss", history.loss[#history.loss], "%.4f")
run:figure("test loss", ae:evaluate(test), "%.4f")
run:figure("squared error a test image", ae:errors(test):mean() * train:size(2), "%.2f")
run:say("The code of %d numbers leaves a squared error of %.2f for a test image.", o.code,
  ae:errors(test):mean() * train:size(2))
run:pictures_of(ae)
run:plot("lines", "loss", {{y = history.loss, label = "training"}, {y = history.val_loss, label = "test"}},
  {title = "Loss", xlabel = "epoch", ylabel = "loss", caption = "Loss of training and test images after each epoch"})
if run:is_published_training() and table.concat(o.hidden, ",") == "128" and o.code == 32 and o.loss == "bce"
  and not o.tied then
  run:published(run.epochs_beside(history.loss, {0.1416, 0.0997, 0.0935}),
    "Keras' losses of the same net, as published with the lecture")
end

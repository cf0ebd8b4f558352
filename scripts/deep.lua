-- The deep autoencoder: 784-128-32-128-784, ReLU, with a sigmoid output and binary cross-entropy.
local moon = require "moonglass"
local experiment = require "moonglass.experiment"

local run <close> = experiment.start{
  name = "deep",
  about = "Train the deep autoencoder, 784-128-32-128-784, on MNIST.",
  options = {
    {"hidden", {128}, "widths from the input to the code, e.g. 256,128"},
    {"code", 32, "width of the code"},
  },
}
local o, train, test = run.options, run.train, run.test

moon.seed(o.seed)
local ae = moon.autoencoder.deep{
  input = train:size(2), hidden = o.hidden, code = o.code, activation = "relu", output = "sigmoid",
}
print(ae:summary())

local history = ae:fit(train, {
  loss = moon.bce(), optimizer = moon.adam{lr = o.lr},
  epochs = o.epochs, batch_size = o.batch, seed = o.seed, threads = o.threads,
  validation = test, verbose = 1,
})

print(("test loss %.4f"):format(ae:evaluate(test)))
run:save(ae, history)

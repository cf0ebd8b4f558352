-- The adversarial autoencoder (Makhzani et al. 2015, arXiv 1511.05644): its codes come to lie as a given distribution
-- does, here a normal one in the plane. A second net, the critic, learns to tell codes from draws of that distribution,
-- and the encoder learns to mislead it. Then any draw decodes to an image. No formula for the distribution is needed,
-- only draws: compare variational.lua. Three steps for each batch, each with its own optimiser.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "adversarial",
  about = "Train an autoencoder whose codes a second net cannot tell from draws of a normal distribution.",
  options = {
    {"epochs", 20, "passes over the training images"},
    {"batch", 100, "images in a step"},
    {"lr", 0.001, "first learning rate; the critic takes a fifth of it", "positive"},
    {"hidden", {512, 128}, "widths from the input to the code of 2"},
    {"critic", {128, 128}, "widths of the critic's hidden layers"},
    {"side", 20, "pictures along each side of the map"},
  },
  training = false,
}
local o, train, test = run.options, run.train, run.test

-- ---- the nets: the encoder is in two of the three ----

local ae = moon.autoencoder.deep{input = train:size(2), hidden = o.hidden, code = 2, code_activation = "linear"}
local layers, width = {}, 2
for i, hidden in ipairs(o.critic) do
  layers[i], width = moon.dense(width, hidden, {activation = "relu", init = "he_uniform"}), hidden
end
layers[#layers + 1] = moon.dense(width, 1)
local critic = moon.sequential(layers)
local misleading = moon.sequential{ae.encoder, critic} -- trains the encoder only: the critic is frozen then
run:print(ae:summary())
run:print(critic:summary())

-- ---- training ----

local summed, told = moon.bce{reduction = "batchmean"}, moon.bce{from_logits = true}
local of_ae, of_critic, of_encoder = moon.adam(), moon.adam(), moon.adam()
local data, history = moon.dataset(train), {reconstruction = {}, critic = {}, encoder = {}}
for epoch = 1, o.epochs do
  local sums, steps, lr = {0, 0, 0}, 0, o.lr * (1 - (epoch - 1) / o.epochs) -- falls, so that the game comes to rest
  of_ae.lr, of_critic.lr, of_encoder.lr = lr, lr / 5, lr -- a critic that wins teaches nothing
  data:shuffle(o.seed, epoch)
  for first = 1, #train, o.batch do
    local x = data:batch(first, math.min(o.batch, #train - first + 1))
    local n = #x
    local drawn, codes = moon.randn(n, 2), ae.encoder:predict(x)
    sums[1] = sums[1] + ae:step(x, x, summed, of_ae)
    critic.trainable = true
    sums[2] = sums[2] + critic:step(moon.cat({drawn, codes}, 1), moon.cat({moon.ones(n, 1), moon.zeros(n, 1)}, 1),
      told, of_critic)
    critic.trainable = false
    sums[3] = sums[3] + misleading:step(x, moon.ones(n, 1), told, of_encoder)
    steps = steps + 1
  end
  for i, name in ipairs{"reconstruction", "critic", "encoder"} do history[name][epoch] = sums[i] / steps end
  run:print(("epoch %d/%d  reconstruction %.2f  critic %.3f  encoder %.3f"):format(epoch, o.epochs,
    history.reconstruction[epoch], history.critic[epoch], history.encoder[epoch]))
end
run:save(ae, "model")
run:save(critic, "critic")

-- ---- how near are the codes to the distribution? ----

local codes = ae:encode(test)
local mean, deviation = codes:mean(1), codes:std(1)
local logits = critic:predict(moon.cat({moon.randn(#test, 2), codes}, 1))
local right = (logits:rows(1, #test):gt(0):mean() + logits:rows(#test + 1, 2 * #test):le(0):mean()) / 2
local within = codes:square():sum(2):lt(2 * math.log(2)):mean() -- half of the distribution is within this circle
run:figure("test loss", summed:forward(ae:predict(test), test), "%.2f")
for i = 1, 2 do
  run:figure(("mean of number %d"):format(i), mean[i], "%.3f")
  run:figure(("deviation of number %d"):format(i), deviation[i], "%.3f")
end
run:figure("codes within the circle of half", within, "%.3f")
run:figure("critic right", right, "%.3f")
run:say("The critic is right for %.0f %% of codes and draws, which is by chance 50 %%; %.0f %% of the codes are where "
  .. "half of the distribution is.", 100 * right, 100 * within)

-- ---- pictures ----

local shown = math.min(3000, #test)
local labels, x, y = run.test_labels:rows(1, shown), codes:t()[1], codes:t()[2]
run:columns("plane", {"label", "number 1", "number 2"}, {labels, x, y})
run:plot("scatter", "plane", codes:rows(1, shown), labels, {title = "The code of 2 numbers", xlabel = "number 1",
  ylabel = "number 2", labels = run.classes, named = true, width = 960, height = 720,
  caption = "Test images in the plane of the code, coloured by labels that no net has seen"})
run:picture("samples", moon.image.grid(ae:decode(moon.randn(o.side * o.side, 2)), {columns = o.side}),
  "What draws of the normal distribution decode to")
run:plot("lines", "loss", {{y = history.critic, label = "critic"}, {y = history.encoder, label = "encoder"}}, {
  title = "The game", xlabel = "epoch", ylabel = "binary cross-entropy",
  caption = "Loss of the critic, and of the encoder that misleads it; log 2 = 0.69 is chance"})

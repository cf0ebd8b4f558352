-- A code of classes (Jang et al. 2016, arXiv 1611.01144): it is a word, and each of its letters one of a few. A letter
-- has no derivative. So in training the code is the softmax of logits plus Gumbel noise, divided by a temperature that
-- falls: near 0 that is a draw of a letter, and above it has a gradient. The layer is written in Lua; its penalty is
-- the divergence from letters that are all equally likely.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "categorical",
  about = "Train a variational autoencoder whose code is a word of a few letters.",
  options = {
    {"variables", 20, "letters of the word"},
    {"classes", 10, "letters to choose from"},
    {"hidden", {512, 256}, "widths from the input to the code"},
    {"coldest", 0.5, "temperature of the last epoch; it is 1 in the first", "positive"},
    {"side", 20, "pictures along each side of the samples"},
  },
  defaults = {epochs = 20, batch = 100},
  check = function(o) return o.classes < 2 and "--classes 1 says nothing: at least 2" end,
  distributed = false, -- a layer in Lua
}
local o, train, test = run.options, run.train, run.test

-- ---- the layer: logits [rows x variables * classes] to letters, one-hot in inference, near to it in training ----

local function largest(x) return moon.eye(o.classes):index(x:argmax(2)) end -- one-hot rows
local function gumbel(n) return (-(moon.rand(n, o.classes):clamp_(1e-7, 1):log_()) + 1e-7):log_():neg_() end

local function classes()
  local layer = {name = "classes", temperature = 1}
  local rows, y, q, divergences
  function layer:forward(x, training)
    rows = #x
    local logits = x:reshape(-1, o.classes)
    q = logits:softmax()
    divergences = (q + 1e-20):log() + math.log(o.classes) -- of each letter from 1 / classes
    y = training and ((logits + gumbel(#logits)) / self.temperature):softmax() or largest(logits)
    return y:reshape(rows, -1)
  end

  -- Through the softmax y, and through the divergence q . (log q + log classes).
  function layer:backward(dy)
    dy = dy:reshape(-1, o.classes)
    local of_y = y * (dy - (y * dy):sum(2):reshape(-1, 1)) / self.temperature
    local of_q = q * (divergences - (q * divergences):sum(2):reshape(-1, 1)) / rows
    return (of_y + of_q):reshape(rows, -1)
  end

  function layer.penalty() return (q * divergences):sum() / rows end
  function layer.seed(_, n) moon.seed(n) end
  function layer:state() return {temperature = self.temperature} end
  function layer:load_state(t) self.temperature = t.temperature end
  return layer
end

-- ---- training: the loss is summed over the pixels, as the penalty is over the variables ----

local width, code = o.variables * o.classes, classes()
local ae = moon.autoencoder.deep{input = train:size(2), hidden = o.hidden, code = width, code_activation = "linear"}
ae = moon.autoencoder{encoder = {ae.encoder, code}, decoder = {ae.decoder}}
run:print(ae:summary())
local function cool(_, state) code.temperature = o.coldest ^ ((state.epoch - 1) / math.max(1, o.epochs - 1)) end
local summed = moon.bce{reduction = "batchmean"}
local _, history = run:fit(ae, {loss = summed, callbacks = {{on_epoch_begin = cool}}}) -- the same net

-- ---- the evidence lower bound of test images: by drawn letters, not by the softmax of the training ----

moon.seed(o.seed)
local logits = ae.encoder:slice(1, #ae.encoder - 1):predict(test):reshape(-1, o.classes)
local q = logits:softmax()
local drawn = largest(logits + gumbel(#logits)):reshape(#test, -1)
local divergence = (q * ((q + 1e-20):log() + math.log(o.classes))):sum(2):reshape(#test, -1):mean(1)
local reconstruction = summed:forward(ae:decode(drawn), test)
run:figure("reconstruction", reconstruction, "%.2f")
run:figure("divergence", divergence:sum(), "%.2f")
run:figure("negative ELBO of a test image", reconstruction + divergence:sum(), "%.2f")
run:figure("variables in use", divergence:gt(0.01):sum(), "%d")
run:say("The negative evidence lower bound of a test image is %.1f nats; its %d letters say %.1f bits.",
  reconstruction + divergence:sum(), o.variables, divergence:sum() / math.log(2))

-- ---- pictures: words that are drawn, and one letter after the other in the words of test images ----

local words = largest(moon.rand(o.side * o.side * o.variables, o.classes)):reshape(-1, width)
run:picture("samples", moon.image.grid(ae:decode(words), {columns = o.side}), "What words of random letters decode to")
local images, lines, _, order = test:rows(1, math.min(10, #test)), {}, divergence:topk(math.min(8, o.variables))
for k = 1, #order do
  local word, changed = ae:encode(images:rows(1, 1)):reshape(o.variables, o.classes), {}
  for class = 1, o.classes do
    word[order[k]]:copy_(moon.eye(o.classes)[class])
    changed[class] = word:reshape(1, -1):clone()
  end
  lines[k] = ae:decode(moon.cat(changed, 1))
end
run:picture("letters", moon.image.rows(lines, {scale = 2}),
  "The first test image with another letter: each line one of the places that say most, each column a letter")
run:picture("reconstructions", moon.image.rows({images, ae:predict(images)},
  {scale = 2, titles = {"original", "reconstruction"}}), "Test images, and what their words decode to")
run:plot("lines", "loss", {{y = history.loss, label = "training"}}, {title = "Loss", xlabel = "epoch", ylabel = "nats",
  caption = "Reconstruction and divergence of the training images after each epoch"})

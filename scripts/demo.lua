-- The lecture's notebook as one program: five autoencoders on the same images, what they reconstruct and what their
-- first layers look at, on one page.
local moon = require "moonglass"
local experiment = require "moonglass.experiment"

local run <close> = experiment.start{
  name = "demo",
  about = "Five autoencoders, from the simplest to the sparse one, and a page with their pictures.",
  defaults = {epochs = 10},
}
local o, train, test = run.options, run.train, run.test
local pixels, long = train:size(2), 2 * o.epochs
local images = test:rows(1, math.min(10, #test))

-- Drawn before any training: one draw, the same when a training is resumed.
local noise = moon.gaussian_noise(0.2, {clip = {0, 1}})
local noisy = moon.gaussian_noise(0.2, {clip = {0, 1}}):forward(images / 255, true)

local page = moon.page("Autoencoders on " .. run.description:match("^(.-) in "))
local results = {{"net", "parameters", "epochs", "training loss", "test loss"}}

-- ---- a chapter: train, and put everything about the net on the page ----

local shown_fit = [[
local ae = %s
ae:fit(train, {loss = "%s", optimizer = moon.adam{lr = %g}, epochs = %d, batch_size = %d, validation = test})]]

local function add_pictures(name, net, given)
  local first = net:layer(1):kind() == "dense" and net:layer(1) or net:layer(2)
  local units = math.min(32, first.weight:size(2))
  local lines = {images, net:predict(given.noisy or images)}
  if given.noisy then table.insert(lines, 2, given.noisy) end
  run:picture(name, moon.image.rows(lines, {scale = 2}))
  run:picture(name .. "-weights",
    moon.image.grid(first.weight:t():rows(1, units), {normalize = "each", columns = 16, scale = 2}))
  page:picture(run:read(name .. ".png"), given.noisy and "Test images, the same with noise, and what the net makes of "
    .. "these" or "Test images, and below what the net makes of them")
  page:picture(run:read(name .. "-weights.png"), ("Weights of the first %d units of the first layer"):format(units))
end

-- code: how the net is made, as the page shows it.
local function chapter(name, title, text, code, net, given)
  print("\n" .. title)
  local epochs, loss = given.epochs or o.epochs, given.loss or "bce"
  local ae, history = run:fit(net, {name = name, loss = loss, epochs = epochs})
  local parameters, last = 0, #history.loss
  for _, p in ipairs(ae:parameters()) do parameters = parameters + p.value:numel() end
  results[#results + 1] = {title, parameters, last, ("%.4f"):format(history.loss[last]),
    ("%.4f"):format(history.val_loss[last])}
  run:figure(name .. " test loss", history.val_loss[last], "%.4f")

  page:heading(title):text(text):code(shown_fit:format(code:format(pixels), loss, o.lr, epochs, o.batch))
  page:code(("%s\n\n%s"):format(ae:summary(), history))
  add_pictures(name, ae, given)
  local curves = {{y = history.loss, label = "training"}, {y = history.val_loss, label = "test"}}
  if run:plot("lines", name .. "-loss", curves, {title = "Loss", xlabel = "epoch", width = 560, height = 320}) then
    page:picture(run:read(name .. "-loss.png"), "Loss of training and test images after each epoch")
  end
end

-- ---- the notebook ----

local function shape(t) return table.concat(t.shape, " x ") end
page:heading("The data"):text(run.description)
page:code([[
local moon = require "moonglass"
local train, train_labels = assert(moon.data.mnist(folder, "train"))
local test, test_labels = assert(moon.data.mnist(folder, "test"))]])
page:code(("train %s %s, labels %s\ntest %s %s, labels %s"):format(shape(train), train.dtype, shape(run.train_labels),
  shape(test), test.dtype, shape(run.test_labels)))
run:picture("data", moon.image.grid(train:rows(1, math.min(40, #train)), {columns = 20}))
page:picture(run:read "data.png", "The first training images; a byte b counts as b/255")

chapter("simple", "One hidden layer", "The smallest autoencoder: 32 numbers have to say all about a digit.",
  "moon.autoencoder.plain{input = %d, hidden = 32}",
  moon.autoencoder.plain{input = pixels, hidden = 32}, {loss = "mse"})

chapter("deep", "Deeper with a smaller code", "Two layers to a code of 8 numbers, and two back.",
  "moon.autoencoder.deep{input = %d, hidden = {64}, code = 8}",
  moon.autoencoder.deep{input = pixels, hidden = {64}, code = 8}, {})

chapter("denoising", "Denoising", "The input is spoilt anew each time, the target stays clean: copying does not help.",
  "moon.autoencoder.denoising{input = %d, hidden = {128}, code = 32,\n"
    .. "  noise = moon.gaussian_noise(0.2, {clip = {0, 1}})}",
  moon.autoencoder.denoising{input = pixels, hidden = {128}, code = 32, noise = noise}, {noisy = noisy})

moon.seed(o.seed)
chapter("standard", "The same net without noise", "To compare with the sparse one below.",
  "moon.autoencoder.deep{input = %d, hidden = {128}, code = 32}",
  moon.autoencoder.deep{input = pixels, hidden = {128}, code = 32}, {epochs = long})

moon.seed(o.seed)
chapter("sparse", "Sparse", "An L1 penalty on the hidden layer and on the code: each digit may use only a few units.",
  'moon.autoencoder.sparse{input = %d, hidden = {128}, code = 32, l1 = 1e-4, layers = "encoder"}',
  moon.autoencoder.sparse{input = pixels, hidden = {128}, code = 32, l1 = 1e-4, layers = "encoder"}, {epochs = long})

print()
run:table("results", results)
page:heading("All of them"):text("The first one's loss is a squared error, the others' a binary cross-entropy, the "
  .. "sparse net's with its penalty."):table(results)
run:write("demo.html", page:html())

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

local page = moon.page("Autoencoders on " .. run.description:match("^(.-) in "))
local results = {{"net", "parameters", "epochs", "training loss", "test loss"}}

-- Train, and put everything about the net on the page.
local function chapter(name, title, text, code, net, given)
  print("\n" .. title)
  given.name, given.loss, given.epochs = name, given.loss or moon.bce(), given.epochs or o.epochs
  local history
  net, history = run:fit(net, given)
  local parameters = 0
  for _, p in ipairs(net:parameters()) do parameters = parameters + p.value:numel() end
  results[#results + 1] = {title, parameters, #history.loss, ("%.4f"):format(history.loss[#history.loss]),
    ("%.4f"):format(history.val_loss[#history.val_loss])}
  run:figure(name .. " test loss", history.val_loss[#history.val_loss], "%.4f")

  local images = test:rows(1, math.min(10, #test))
  local shown = given.corrupt and given.corrupt(images) or images
  local pictures = {images, shown, net:predict(shown)}
  if shown == images then table.remove(pictures, 2) end
  run:picture(name, moon.image.rows(pictures, {scale = 2}))
  local first = net:layer(1):kind() == "dense" and net:layer(1) or net:layer(2)
  local units = math.min(32, first.weight:size(2))
  run:picture(name .. "-weights",
    moon.image.grid(first.weight:t():rows(1, units), {normalize = "each", columns = 16, scale = 2}))

  page:heading(title):text(text):code(code):code(tostring(history))
  page:picture(run:read(name .. ".png"), "Test images, and below what the net makes of them")
  page:picture(run:read(name .. "-weights.png"), ("Weights of the first %d units of the first layer"):format(units))
end

page:heading("The data"):text(run.description)
local function shape(t) return table.concat(t.shape, " x ") end
page:code(("train %s, test %s, %s"):format(shape(train), shape(test), train.dtype))
run:picture("data", moon.image.grid(train:rows(1, math.min(40, #train)), {columns = 20}))
page:picture(run:read "data.png", "The first training images")

chapter("simple", "One hidden layer", "The smallest autoencoder: 32 numbers have to say all about a digit.",
  'moon.autoencoder.plain{input = 784, hidden = 32}   -- mean squared error',
  moon.autoencoder.plain{input = pixels, hidden = 32}, {loss = moon.mse()})

chapter("deep", "Deeper, with a smaller code", "Two layers to a code of 8 numbers, and two back.",
  'moon.autoencoder.deep{input = 784, hidden = {64}, code = 8}',
  moon.autoencoder.deep{input = pixels, hidden = {64}, code = 8}, {})

local noise = moon.gaussian_noise(0.2, {clip = {0, 1}})
chapter("denoising", "Denoising", "The input is spoilt anew each time, the target stays clean: copying does not help.",
  'moon.autoencoder.denoising{input = 784, hidden = {128}, code = 32, noise = noise}   -- 0.2, clipped to [0, 1]',
  moon.autoencoder.denoising{input = pixels, hidden = {128}, code = 32, noise = noise},
  {corrupt = function(images) return noise:forward(images:float() / 255, true) end})

moon.seed(o.seed)
chapter("standard", "The same net without noise", "To compare with the sparse one below.",
  'moon.autoencoder.deep{input = 784, hidden = {128}, code = 32}',
  moon.autoencoder.deep{input = pixels, hidden = {128}, code = 32}, {epochs = long})

moon.seed(o.seed)
local l1 = {l1 = 1e-4, reduction = "batchmean", layers = "all"}
chapter("sparse", "Sparse", "An L1 penalty on both hidden layers: each digit may use only a few of the units.",
  'moon.autoencoder.sparse{input = 784, hidden = {128}, code = 32, l1 = 1e-4, layers = "all"}',
  moon.autoencoder.sparse{input = pixels, hidden = {128}, code = 32, l1 = l1.l1, reduction = l1.reduction,
    layers = l1.layers}, {epochs = long})

print()
run:table("results", results)
page:heading("All of them"):table(results)
run:write("demo.html", page:html())

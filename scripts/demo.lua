-- The lecture's notebook as one program: five autoencoders on the same images, their reconstructions and their
-- first-layer weights, on one page.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "demo",
  about = "Five autoencoders, from the simplest to the sparse one, and a page with their pictures.",
  defaults = {epochs = 10},
}
local o, train, test = run.options, run.train, run.test
local pixels, long = train:size(2), 2 * o.epochs
local shown = math.min(20, #test)

local function noise() return moon.gaussian_noise(0.2, {clip = {0, 1}}) end

local noisy = run:one_draw(noise, test, 1)

local set_name = run.description:sub(1, -#(" in " .. run.folder) - 1)
local page = moon.page("Autoencoders on " .. set_name)
local results = {{"net", "parameters", "epochs", "training loss", "test loss", "dead units"}}

-- ---- a chapter: train, and put everything about the net on the page ----

local shown_fit = [[
local ae = %s
ae:fit(train, {
  loss = "%s", optimizer = moon.adam{lr = %g}, epochs = %d, batch_size = %d,
  validation = %s,
})]]

local function add_pictures(name, net, dead, input)
  local first = net:layer(1):kind() == "dense" and net:layer(1) or net:layer(2)
  local few = input:rows(1, shown)
  local lines, titles = {test:rows(1, shown), net:predict(few)}, {"original", "reconstruction"}
  if input ~= test then
    table.insert(lines, 2, few)
    table.insert(titles, 2, "noisy")
  end
  local captions = {
    input ~= test and "Test images, the same with noise, and what the net makes of these"
      or "Test images, and below each what the net makes of it",
    ("Weights of the %d units of the first layer. %s"):format(first.weight:size(2), run.filters_caption),
  }
  run:picture(name, moon.image.rows(lines, {scale = 2, titles = titles}), captions[1])
  run:picture(name .. "-weights", run:filters(first.weight:t(), dead[1], "units of the first layer", 16), captions[2])
  page:picture(run:read(name .. ".png"), captions[1])
  page:picture(run:read(name .. "-weights.png"), captions[2])
end

-- code: how the net is made, as the page shows it.
local function chapter(name, title, text, code, net, given)
  run:print("\n" .. title)
  local epochs, loss, input = given.epochs or o.epochs, given.loss or "bce", given.noisy or test
  local ae, history = run:fit(net, {name = name, loss = loss, epochs = epochs, validation = {input, test}})
  if not run.first then return history end
  local parameters, last = 0, #history.loss
  for _, p in ipairs(ae:parameters()) do parameters = parameters + p.value:numel() end
  run:figure(name .. " test loss", history.val_loss[last], "%.4f")

  page:heading(title):text(text)
  local validation = given.noisy and "{noisy, test}" or "test"
  page:code(shown_fit:format(code:format(pixels), loss, o.lr, epochs, o.batch, validation))
  page:code(("%s\n\n%s"):format(ae:summary(), history))
  local learnt = given.noisy and run:one_draw(noise, train, 2) or train
  local dead = run:dead_units(ae, learnt, name)
  page:text(run.remarks[#run.remarks])
  local count = 0
  for _, mask in ipairs(dead) do count = count + math.tointeger(mask:sum()) end
  results[#results + 1] = {title, parameters, last, ("%.4f"):format(history.loss[last]),
    ("%.4f"):format(history.val_loss[last]), count}
  add_pictures(name, ae, dead, input)
  local curves = {
    {y = history.loss, label = "training"}, {y = history.val_loss, label = given.noisy and "noisy test" or "test"},
  }
  local caption = "Loss of training and test images after each epoch"
  if run:plot("lines", name .. "-loss", curves, {title = "Loss", xlabel = "epoch", ylabel = "loss", width = 640,
    height = 360, caption = caption}) then
    page:picture(run:read(name .. "-loss.png"), caption)
  end
  return history
end

-- ---- the notebook ----

local function shape(t) return table.concat(t.shape, " x ") end

-- Some training images, a row for each class.
local function classes_picture()
  local lines, titles, most = {}, {}, 20
  for class = 0, math.tointeger(run.train_labels:max()) do
    local numbers = {}
    for i, label in ipairs(run.train_labels:rows(1, math.min(2000, #train)):totable()) do
      if label == class and #numbers < most then numbers[#numbers + 1] = i end
    end
    if #numbers > 0 then
      lines[#lines + 1] = numbers
      titles[#titles + 1] = run.classes and run.classes[class + 1] or ("class %d"):format(class)
    end
  end
  for _, numbers in ipairs(lines) do most = math.min(most, #numbers) end
  for i, numbers in ipairs(lines) do lines[i] = train:index(table.move(numbers, 1, most, 1, {})) end
  return moon.image.rows(lines, {scale = 2, titles = titles})
end

local function introduction()
  page:text(("Five autoencoders learn %s, each by itself and without labels: from one hidden layer to a sparse code. A "
    .. "loss of test images is that of the %d images that no net has learnt."):format(set_name, #test)):contents()
  page:heading("The data"):text(run.description)
  page:code(([[
local moon = require "moonglass"
local folder = %q
local train, train_labels = assert(moon.data.mnist(folder, "train"))
local test, test_labels = assert(moon.data.mnist(folder, "test"))]]):format(run.folder))
  page:code(("train %s %s, labels %s\ntest %s %s, labels %s"):format(shape(train), train.dtype, shape(run.train_labels),
    shape(test), test.dtype, shape(run.test_labels)))
  local of_data = "Training images of each class; a byte b counts as b/255"
  run:picture("data", classes_picture(), of_data)
  page:picture(run:read "data.png", of_data)
end
if run.first then introduction() end -- with --distributed rank 0 makes the page

chapter("simple", "One hidden layer", "The smallest autoencoder: 32 numbers have to describe an image.",
  "moon.autoencoder.plain{input = %d, hidden = 32}",
  moon.autoencoder.plain{input = pixels, hidden = 32}, {loss = "mse"})

-- The lecture's code is a ReLU. In three of ten trainings one of the 8 units dies, and with it an eighth of the code.
local deeper = chapter("deep", "Deeper with a smaller code", "Two layers to a code of 8 numbers, and two back. The "
  .. "lecture has a ReLU in the code as well; here it is a leaky one. One that is 0 for every image gets no gradient "
  .. "and stays dead, and of 8 numbers each one matters: with 3 of 10 seeds one dies on MNIST, and the loss is 0.005 "
  .. "higher. A leaky ReLU keeps its gradient, and none dies.",
  'moon.autoencoder.deep{input = %d, hidden = {64}, code = 8, code_activation = "leaky_relu"}',
  moon.autoencoder.deep{input = pixels, hidden = {64}, code = 8, code_activation = "leaky_relu"}, {})
local landmark = {"Deeper: training loss, epoch 10", deeper.loss[10], 0.1313}
if run:is_published_training() and deeper.loss[10] then
  page:text(("Training loss of epoch 10: %.4f here, %.4f as published with the lecture."):format(
    table.unpack(landmark, 2)))
end

chapter("denoising", "Denoising", "New noise in each epoch, and a clean target: copying does not help. "
  .. "The test loss compares what the net makes of noisy test images with the clean ones; their noise is drawn once.",
  "moon.autoencoder.denoising{\n  input = %d, hidden = {128}, code = 32, noise = moon.gaussian_noise(0.2, "
    .. "{clip = {0, 1}}),\n}\n"
    .. "local noisy = moon.gaussian_noise(0.2, {clip = {0, 1}}):forward(test:float() / 255, true)",
  moon.autoencoder.denoising{input = pixels, hidden = {128}, code = 32, noise = noise()}, {noisy = noisy})

moon.seed(o.seed)
chapter("standard", "The same net without noise",
  "To compare with the sparse one below; both learn for twice as many epochs as the nets above.",
  "moon.autoencoder.deep{input = %d, hidden = {128}, code = 32}",
  moon.autoencoder.deep{input = pixels, hidden = {128}, code = 32}, {epochs = long})

moon.seed(o.seed)
chapter("sparse", "Sparse", "An L1 penalty on the hidden layer and on the code: each image may use only a few units.",
  'moon.autoencoder.sparse{\n  input = %d, hidden = {128}, code = 32, l1 = 1e-4, layers = "encoder",\n}',
  moon.autoencoder.sparse{input = pixels, hidden = {128}, code = 32, l1 = 1e-4, layers = "encoder"}, {epochs = long})

if not run.first then return end
run:print()
run:table("results", results, nil, "All five nets")
run:say("Loss of the test images: %s with a code of 8, %s for cleaning noisy ones, %s with 32, %s when that is sparse.",
  results[3][5], results[4][5], results[5][5], results[6][5])
page:heading("All of them"):text("The first one's loss is a squared error, the others' a binary cross-entropy, the "
  .. "sparse net's with its penalty."):table(results)
if run:is_published_training() then run:published({landmark}, "As published with the lecture") end
run:write("demo.html", page:html(), "The page of this notebook")

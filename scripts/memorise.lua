-- A large net and few images: it memorises these, and knows little about others. The training loss keeps falling, the
-- test loss soon rises again: overfitting. The same net from the same initial weights does better with a remedy: noise,
-- which changes the images in each epoch; a penalty, which keeps weights small; or stopping while the test loss is low.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "memorise",
  about = "Let a net memorise a few images, and then train it so that it does not.",
  options = {
    {"images", 500, "how many training images, the first ones"},
    {"against", "noise", "what the second net has against it", {"noise", "penalty", "stopping"}},
    {"masked", 0.6, "noise: share of the pixels that it sets to 0", "share"},
    {"decay", 3, "penalty: weight decay, the fraction of each weight that a step subtracts, times lr", "amount"},
    {"hidden", {512, 256}, "widths from the input to the code"},
    {"code", 2, "width of the code"},
  },
  defaults = {epochs = 200, patience = 10}, -- patience: of the second net, for --against stopping
}
local o, test = run.options, run.test
local few = run.train:rows(1, math.min(o.images, #run.train))
local others = test:rows(1, math.min(2000, #test)) -- enough for a figure after each epoch

-- Train one of the two nets. An epoch's loss is that of the noisy images, while the net changed; the loss of the clean
-- ones is measured after the epoch.
local function train(name, given, noise)
  run:print(name)
  moon.seed(o.seed)
  local make = noise and moon.autoencoder.denoising or moon.autoencoder.deep
  local net = make{input = few:size(2), hidden = o.hidden, code = o.code, code_activation = "linear", noise = noise}
  local on_few = experiment.recorder(function(trained) return trained:evaluate(few, {loss = moon.bce()}) end)
  given.name, given.loss, given.callbacks = name, moon.bce(), {on_few}
  given.x, given.validation, given.batch_size = few, others, math.min(o.batch, #few)
  given.patience = given.patience or 0
  local ae, history = run:fit(net, given)
  return {name = name, ae = ae, curves = {
    {y = on_few.values, label = name .. ", training images"}, {y = history.val_loss, label = name .. ", test images"},
  }}
end

local first = train("memorising", {})
local second
if o.against == "noise" then
  second = train("noise", {}, moon.masking_noise(o.masked))
elseif o.against == "penalty" then
  second = train("penalty", {optimizer = moon.adam{lr = o.lr, weight_decay = o.decay}})
else
  second = train("stopping", {patience = o.patience})
end
if not run.first then return end -- with --distributed rank 0 makes the rest

local pixels = few:size(2)
local rows = {{"net", "training loss", "test loss", "gap", "squared error a training image", "a test image"}}
for i, net in ipairs{first, second} do
  local ae = net.ae
  local on_few, on_test = ae:evaluate(few), ae:evaluate(test)
  rows[i + 1] = {net.name, on_few, on_test, on_test - on_few, ae:errors(few):mean() * pixels,
    ae:errors(test):mean() * pixels}
  run:figure(net.name .. " training loss", on_few, "%.4f")
  run:figure(net.name .. " test loss", on_test, "%.4f")
end
run:table("errors", rows, {nil, "%.4f", "%.4f", "%.4f", "%.2f", "%.2f"},
  "Both nets on the images that they have learnt, and on test images")
run:say("The gap between training and test images is %.3f, with %s against it %.3f.", rows[2][4], o.against, rows[3][4])
for _, net in ipairs{first, second} do run:dead_units(net.ae, few, net.name) end

-- A net that has memorised answers with images that it has seen: sharp, and often another digit.
local images = test:rows(1, math.min(20, #test))
run:picture("reconstructions", moon.image.rows({images, first.ae:predict(images), second.ae:predict(images)},
  {scale = 2, titles = {"original", first.name, second.name}}),
  "Test images, and what the two nets make of them: the net that memorises answers with images that it has seen")

local curves = {first.curves[1], first.curves[2], second.curves[1], second.curves[2]}
local names, columns = {"epoch"}, {{}}
for epoch in ipairs(curves[1].y) do columns[1][epoch] = epoch end
for i, curve in ipairs(curves) do names[i + 1], columns[i + 1] = curve.label:gsub(",", ""), curve.y end
run:columns("curves", names, columns)

-- The first epochs of a net with noise are far above the rest.
local top = 0
for _, curve in ipairs(first.curves) do top = math.max(top, table.unpack(curve.y)) end
run:plot("lines", "curves", curves,
  {title = "Loss of training and test images", xlabel = "epoch", ylabel = "loss", yrange = {nil, 1.05 * top},
    legend = "below", caption = "The test loss of the net that memorises soon rises again; the other net's does not"})

-- A denoising autoencoder: the input is noisy, the target is the clean image. Copying does not help then: the net must
-- know what clean images look like. There is noise in training only; a trained net takes noisy images as they are.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "denoising",
  about = "Train an autoencoder to remove noise from images, and measure how much of it is left.",
  options = {
    {"noise", "gaussian", "kind of noise", {"gaussian", "masking", "salt_pepper"}},
    {"amount", 0.4, "the standard deviation of the Gaussian, or the probability that a pixel is changed", "amount"},
    {"clip", false, "cut Gaussian noise off at 0 and 1, as images are (the default)"},
    {"no-clip", false, "leave Gaussian noise as it is"},
    {"once", false, "draw the noise once, before the training; else again in each epoch"},
    {"hidden", {128}, "widths from the input to the code"},
    {"code", 32, "width of the code"},
  },
  defaults = {epochs = 10},
  check = function(o)
    if o.clip and o.no_clip then return "--clip and --no-clip exclude each other" end
    if o.noise == "gaussian" then return end
    if o.clip or o.no_clip then return "--clip and --no-clip are for --noise gaussian" end
    return o.amount > 1 and ("--amount is %g, but a probability is at most 1"):format(o.amount)
  end,
}
local o, train, test = run.options, run.train, run.test

local function noise()
  if o.noise == "gaussian" then return moon.gaussian_noise(o.amount, {clip = not o.no_clip and {0, 1} or nil}) end
  return moon[o.noise .. "_noise"](o.amount)
end

-- The noise layer alone, as in training, on bytes as value/255.
local function spoilt(images) return noise():forward(images:float() / 255, true) end

local noisy = run:one_draw(noise, test, 1)

-- If the noise is drawn once, each image has one noisy copy, and the net may memorise the copies. As a layer in front
-- of the encoder the noise is new in each epoch.
local sizes = {input = train:size(2), hidden = o.hidden, code = o.code}
local task = {loss = moon.bce(), validation = {noisy, test}}
local net
if o.once then
  net = moon.autoencoder.deep(sizes)
  task.x, task.y = spoilt(train), train
else
  sizes.noise = noise()
  net = moon.autoencoder.denoising(sizes)
end
run:print(net:summary())
local ae, history = run:fit(net, task)
if not run.first then return end -- with --distributed rank 0 makes the rest

-- The error of the noisy images, and that of the net's output.
local output = ae:reconstruct(noisy)
local before, after = moon.metrics.mse(noisy, test), moon.metrics.mse(output, test)
run:figure("training loss", history.loss[#history.loss], "%.4f")
run:figure("noisy test loss", ae:evaluate(noisy, test), "%.4f")
run:figure("squared error a pixel of the input", before, "%.4f")
run:figure("squared error a pixel of the output", after, "%.4f")
run:figure("ratio", after / before, "%.3f")
run:figure("PSNR of the input", moon.metrics.psnr(noisy, test), "%.1f dB")
run:figure("PSNR of the output", moon.metrics.psnr(output, test), "%.1f dB")

run:say("The noise is a squared error of %.4f a pixel; the net reduces it to %.4f, which is %.0f %%.", before, after,
  100 * after / before)

local shown = math.min(20, #test)
run:picture("denoised", moon.image.rows({test:rows(1, shown), noisy:rows(1, shown), output:rows(1, shown)},
  {scale = 2, titles = {"original", "noisy", "reconstruction"}}),
  "Test images, the same with noise, and what the net makes of these")
-- The weights of the units after the noise: strokes and blobs. Dead units are those that no noisy image activates.
local dead = run:dead_units(ae, task.x or run:one_draw(noise, train, 2))
run:picture("filters", run:filters(ae:layer(o.once and 1 or 2).weight:t(), dead[1], "units of the first layer"),
  run.filters_caption)
run:plot("lines", "loss", {
  {y = history.loss, label = "training"}, {y = history.val_loss, label = "noisy test images"},
}, {title = "Loss", xlabel = "epoch", ylabel = "loss",
  caption = "Loss after each epoch; the test images have one draw of noise that stays"})

-- The published run drew its noise once, so that an epoch sees the same noisy images again.
if run:is_published_training() and o.noise == "gaussian" and o.amount == 0.4 and not o.no_clip and o.code == 32
  and table.concat(o.hidden, ",") == "128" then
  run:published(run.epochs_beside(history.loss, {0.1690, 0.1322, 0.1255, [5] = 0.1201, [10] = 0.1151}),
    "The same net in Keras, as published with the lecture, its noise drawn once as with --once")
end

-- The variational autoencoder (Kingma and Welling 2014): a code that is drawn. The encoder says where, by a mean and a
-- variance for each number of the code, and a penalty draws all of that towards the standard normal distribution. So
-- every place there stands for some image, and new images can be drawn. Beside it a plain autoencoder: in the plane of
-- its code of 2 there are holes, where no image was and none comes out.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "variational",
  about = "Train a variational autoencoder, draw new images, and compare its plane with a plain autoencoder's.",
  options = {
    {"code", 20, "width of the code"},
    {"hidden", {400}, "widths from the input to the code"},
    {"plane-hidden", {512, 128}, "widths from the input to the codes of 2"},
    {"beta", 1, "weight of the divergence from the standard normal distribution", "amount"},
    {"steps", 12, "pictures from one image to another"},
    {"side", 20, "pictures along each side of the maps and of the samples"},
  },
  defaults = {epochs = 10, batch = 128},
  check = function(o) return o.code < 2 and "--code 1 has no plane in it to draw: at least 2" end,
}
local o, train, test = run.options, run.train, run.test

-- ---- three nets: the variational one, one with a code of 2, and a plain one of the same size. The loss is summed over
-- the pixels of an image, as the penalty is over the code ----

local summed = moon.bce{reduction = "batchmean"}
local function fit(name, ae)
  run:print(ae:summary())
  return run:fit(ae, {name = name, loss = summed})
end
local function variational(hidden, code)
  return moon.autoencoder.variational{input = train:size(2), hidden = hidden, code = code, beta = o.beta}
end
local vae, history = fit("variational", variational(o.hidden, o.code))
local drawn = fit("variational-plane", variational(o.plane_hidden, 2))
local plain = fit("plain-plane", moon.autoencoder.deep{
  input = train:size(2), hidden = o.plane_hidden, code = 2, code_activation = "linear",
})
if not run.first then return end -- with --distributed rank 0 makes the rest

-- ---- the evidence lower bound of test images: one draw of each code, and the divergence by its formula ----

moon.seed(o.seed)
local used
for i, ae in ipairs{vae, drawn} do
  local mean, log_variance = ae:encode(test)
  local code = mean + (log_variance / 2):exp() * moon.randn(#test, mean:size(2))
  local divergence = (mean:square() + log_variance:exp() - 1 - log_variance):sum(1) / (2 * #test) -- of each number
  local reconstruction, name = summed:forward(ae:decode(code), test), "code of " .. mean:size(2)
  used = i == 1 and divergence:gt(0.01):sum() or used
  run:figure(name .. ": reconstruction", reconstruction, "%.2f")
  run:figure(name .. ": divergence", divergence:sum(), "%.2f")
  run:figure(name .. ": negative ELBO of a test image", reconstruction + divergence:sum(), "%.2f")
end
run:figure("numbers of the code in use", used, "%d")
run:say("The negative evidence lower bound of a test image is %.1f nats; of %d numbers of the code %d say anything.",
  run.figures[3].value, o.code, used)
run:plot("lines", "loss", {
  {y = history.reconstruction, label = "reconstruction"}, {y = history.kl, label = "divergence"},
  {y = history.loss, label = "both"}, {y = history.val_loss, label = "both, test, at the mean"},
}, {title = "The two parts of the loss", xlabel = "epoch", ylabel = "nats an image",
  caption = "Reconstruction and divergence of the training images after each epoch"})

-- ---- new images: codes drawn from the standard normal distribution ----

run:picture("samples", moon.image.grid(vae:sample(o.side * o.side), {columns = o.side}),
  "Images that no image stands behind: the decoder's for codes drawn from the standard normal distribution")

-- ---- two planes: where test images lie, and what regular places decode to, also those where no image lies. The
-- plane's edges are the quantiles of 1 and 99 % of each number. A cell, a place with what is around it, may be empty --

local function map(name, ae)
  local codes, cells, empty, places = ae:encode(test), {}, o.side * o.side, {} -- of two results only the first
  local numbers, shown = codes:t(), math.min(3000, #test)
  local edges = {moon.metrics.quantile(numbers[1], {0.01, 0.99}), moon.metrics.quantile(numbers[2], {0.01, 0.99})}
  local function cell(axis, v) return (v - edges[axis][1]) / (edges[axis][2] - edges[axis][1]) * o.side // 1 end
  local function place(axis, i) return edges[axis][1] + (i - 0.5) / o.side * (edges[axis][2] - edges[axis][1]) end
  for _, code in ipairs(codes:totable()) do
    local x, y = cell(1, code[1]), cell(2, code[2])
    if x >= 0 and x < o.side and y >= 0 and y < o.side and not cells[y * o.side + x] then
      cells[y * o.side + x], empty = true, empty - 1
    end
  end
  for i = o.side, 1, -1 do
    for j = 1, o.side do places[#places + 1] = {place(1, j), place(2, i)} end
  end
  local labels, caption = run.test_labels:rows(1, shown), "code of 2 of the " .. name .. " autoencoder"
  run:columns(name .. "-plane", {"label", "number 1", "number 2"}, {labels, numbers[1], numbers[2]})
  run:plot("scatter", name .. "-plane", codes:rows(1, shown), labels, {
    title = "The " .. caption, xlabel = "number 1", ylabel = "number 2", labels = run.classes, width = 960,
    height = 720, caption = "Test images in the plane of the " .. caption .. ", coloured by their labels",
  })
  run:picture(name .. "-map", moon.image.grid(ae:decode(moon.tensor(places)), {columns = o.side}),
    "What regular places of that plane decode to")
  run:figure(name .. " plane: cells without a test image", empty / o.side ^ 2, "%.3f")
  return 100 * empty / o.side ^ 2
end
run:say("Of the cells of the plane, %.0f %% are empty with the variational autoencoder, %.0f %% with the plain one.",
  map("variational", drawn), map("plain", plain))

-- ---- from one image to another: along a line between their codes every picture should be an image ----

local share = moon.linspace(0, 1, o.steps):reshape(o.steps, 1)
local mixtures, lines, titles = moon.cat({1 - share, share}, 2), {}, {}
for i = 2, math.min(8, #test), 2 do
  for _, way in ipairs{{"code of " .. o.code, vae}, {"code of 2", drawn}, {"plain code of 2", plain}} do
    local codes = way[2]:encode(test:rows(i - 1, i))
    lines[#lines + 1], titles[#titles + 1] = way[2]:decode(mixtures:matmul(codes)), way[1]
  end
end
run:picture("interpolation", moon.image.rows(lines, {scale = 2, titles = titles}),
  "From one test image to another: by the variational autoencoders' codes, and by the plain one's")

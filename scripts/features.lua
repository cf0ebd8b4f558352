-- What does a code hold? Two autoencoders learn without ever seeing a label: one has a code of 32 numbers, the other of
-- 2, which are a point in the plane and can be drawn. Then we look at their weights, at where the images lie, at what
-- lies between them, and at how well a code tells classes apart, compared with PCA with as many numbers.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "features",
  about = "Train autoencoders with codes of 32 and of 2 numbers, and look at what the codes hold.",
  options = {
    {"code", 32, "width of the larger code"},
    {"activation", "linear", "of both codes", {"linear", "relu"}},
    {"hidden", {128}, "widths from the input to the larger code"},
    {"plane-hidden", {512, 128}, "widths from the input to the code of 2"},
    {"neighbours", 5, "training images that vote on the label of a test image"},
    {"steps", 12, "pictures from one image to another"},
    {"side", 20, "pictures along each side of the map"},
  },
  defaults = {epochs = 15, batch = 64, schedule = "cosine"},
  check = function(o) return o.code < 2 and "--code 1 has no plane in it to draw: at least 2" end,
}
local o, train, test = run.options, run.train, run.test

-- With ReLU a code could use only a quarter of the plane; a linear code may use all of it, as in PCA.
local function autoencoder(name, hidden, code)
  local ae = moon.autoencoder.deep{
    input = train:size(2), hidden = hidden, code = code, code_activation = o.activation,
  }
  run:print(ae:summary())
  local history
  ae, history = run:fit(ae, {name = name, loss = moon.bce()})
  run:figure(name .. " test loss", history.val_loss[#history.val_loss], "%.4f")
  return ae
end
local deep = autoencoder("deep", o.hidden, o.code)
local plane = autoencoder("plane", o.plane_hidden, 2)
if not run.first then return end -- with --distributed rank 0 makes the rest

-- ---- weights: what a unit of the first layer detects, and what a unit of the last hidden layer draws ----

local dead = run:dead_units(deep, train, "deep")
run:dead_units(plane, train, "plane")
run:picture("encoder-filters", run:filters(deep:layer(1).weight:t(), dead[1], "units of the first layer"),
  "What the units of the larger net's first layer look for. " .. run.filters_caption)
run:picture("decoder-filters", run:filters(deep:layer(#deep).weight, dead[#dead], "units of the last hidden layer"),
  "What the units of the larger net's last hidden layer paint: weights to each pixel. " .. run.filters_caption)

-- ---- where test images lie, coloured by the labels that no net has seen ----

local codes, points = deep:encode(test), plane:encode(test)
local axes, drawn = moon.pca(codes, 2), math.min(3000, #test)
local pixels = moon.pca(train, 2)
local function scatter(name, places, title, kind, caption)
  local labels, x, y = run.test_labels:rows(1, drawn), kind .. " 1", kind .. " 2"
  run:columns(name, {"label", x, y}, {labels, places:t()[1], places:t()[2]})
  run:plot("scatter", name, places, labels, {title = title, xlabel = x, ylabel = y, labels = run.classes, named = true,
    width = 960, height = 720, caption = caption})
end
scatter("pca", pixels:encode(test:rows(1, drawn)), ("PCA with 2 numbers: %.0f %% of the variance"):format(
    100 * pixels.explained_ratio:sum()), "principal component",
  "Test images in the first two principal components of the images, coloured by labels")
scatter("plane", points:rows(1, drawn), "The code of 2 numbers", "number",
  "The same images at their places in the code of 2 numbers; no net has seen the labels")
scatter("components", axes:encode(codes:rows(1, drawn)),
  ("The code of %d numbers: %.0f %% of its variance is in this plane"):format(o.code,
    100 * axes.explained_ratio:sum()), "principal component",
  "The same images in the first two principal components of the larger code")

-- ---- from one image to another: through the larger code, through the plane, and from pixels to pixels. Halfway
-- between pixels both images show; halfway between points of the plane is mostly an image of some class again ----

local share = moon.linspace(0, 1, o.steps):reshape(o.steps, 1)
local mixtures = moon.cat({1 - share, share}, 2)
local lines, line_titles, heads = {}, {}, {}
for i = 1, o.steps do heads[i] = ("%.0f %%"):format(100 * (i - 1) / math.max(1, o.steps - 1)) end
for i = 2, math.min(8, #test), 2 do
  local two = test:rows(i - 1, i)
  for _, ae in ipairs{deep, plane} do lines[#lines + 1] = ae:decode(mixtures:matmul(ae:encode(two))) end
  lines[#lines + 1] = mixtures:matmul(two / 255)
  for _, way in ipairs{("code of %d"):format(o.code), "code of 2", "pixels"} do line_titles[#line_titles + 1] = way end
end
run:picture("interpolation", moon.image.rows(lines, {scale = 2, titles = line_titles, heads = heads}),
  "From one test image to another, in three ways: through the larger code, through the code of 2, and from pixels to "
    .. "pixels, where both images show halfway")

-- ---- a map of the plane: what its points decode to, denser along each axis where codes are denser ----

local shares = {}
for i = 1, o.side do shares[i] = (i - 0.5) / o.side end
local numbers = points:t()
local across, up = moon.metrics.quantile(numbers[1], shares), moon.metrics.quantile(numbers[2], shares)
local places = {}
for i = o.side, 1, -1 do
  for j = 1, o.side do places[#places + 1] = {across[j], up[i]} end
end
local numbered, of_lines, of_columns = math.max(1, o.side // 5), {}, {} -- a number at every so many places
for i = 1, o.side, numbered do
  of_lines[o.side + 1 - i], of_columns[i] = ("%.1f"):format(up[i]), ("%.1f"):format(across[i])
end
run:picture("map", moon.image.grid(plane:decode(moon.tensor(places)), {
  columns = o.side, titles = of_lines, heads = of_columns, title = "number 1 to the right, number 2 upwards",
}), "What places of the plane decode to, denser where the codes of the test images are denser")

-- ---- labels from codes: by a softmax regression, and by the nearest training images ----

local neighbours = math.min(o.neighbours, #train)
local rows = {{"representation", "numbers", "softmax probe", neighbours .. "-NN"}}
local function judge(name, of_train, of_test)
  local probe = moon.probe(of_train, run.train_labels, {seed = o.seed})
  local knn = moon.knn(of_train, run.train_labels, {k = neighbours})
  local row = {name, of_test:size(2), probe:accuracy(of_test, run.test_labels), knn:accuracy(of_test, run.test_labels)}
  for i = 3, 4 do run:figure(("%s %d %s"):format(name, row[2], rows[1][i]), row[i], "%.4f") end
  rows[#rows + 1] = row
end
for _, ae in ipairs{deep, plane} do
  judge("autoencoder", ae:encode(train), ae:encode(test))
  local pca = moon.pca(train, math.min(rows[#rows][2], train:size(2)))
  judge("PCA", pca:encode(train), pca:encode(test))
end
run:table("labels", rows, {nil, "%d", "%.4f", "%.4f"},
  "Fraction of the test images whose label is right from the code: by softmax regression, and by the nearest codes")
run:say("With %d numbers %.1f %% of the labels are right by the nearest codes, %.1f %% with PCA's; with 2 it is %.1f "
  .. "and %.1f %%.", o.code, 100 * rows[2][4], 100 * rows[3][4], 100 * rows[4][4], 100 * rows[5][4])

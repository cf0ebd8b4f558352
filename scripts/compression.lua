-- How small can a code be? An autoencoder compresses: an image of 784 bytes becomes a few numbers. Here the error is
-- measured against their count: for PCA, the best that a linear net can do; for a net with one hidden layer, whose
-- sigmoid output at least keeps pixels between black and white; and for a deep net.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local methods = {"pca", "plain", "deep"}

local run <close> = experiment.start{
  name = "compression",
  about = "Measure the error of PCA and of autoencoders against the size of their codes.",
  options = {
    {"codes", {2, 4, 8, 16, 32, 64, 128}, "sizes of the code"},
    {"methods", methods, "some of pca, plain (one hidden layer) and deep", methods},
    {"hidden", {512}, "widths from the input to the code of the deep net"},
    {"bits", 8, "of a number of the code when it is stored", "count"},
  },
  defaults = {epochs = 8, batch = 128, lr = 0.005, schedule = "cosine"},
  check = function(o) return o.bits > 16 and ("--bits is %d, expected 1 to 16"):format(o.bits) end,
}
local o, train, test = run.options, run.train, run.test
local pixels = train:size(2)
table.sort(o.codes)

-- ---- the methods: each makes something that can encode and decode, with k numbers in between ----

local make = {}

-- PCA's codes may be negative, so the nets' code layers are linear.
function make.plain(k)
  return moon.autoencoder.plain{input = pixels, hidden = k, activation = "linear"}
end

function make.deep(k)
  return moon.autoencoder.deep{input = pixels, hidden = o.hidden, code = k, code_activation = "linear"}
end

local nets = {}
for _, method in ipairs(o.methods) do
  nets[method] = {}
  for _, k in ipairs(make[method] and o.codes or {}) do
    local name = ("%s-%d"):format(method, k)
    run:print("\n" .. name)
    moon.seed(o.seed)
    nets[method][k] = run:fit(make[method](k), {name = name, loss = moon.mse()})
  end
end
if not run.first then return end -- with --distributed rank 0 makes the rest

local function model_of(method, k)
  moon.seed(o.seed)
  if method == "pca" then return moon.pca(train, math.min(k, pixels)) end
  return nets[method][k]
end

-- ---- their errors ----

-- Each number of a code in so many bits: 0 is the smallest value in training, all bits set the largest.
local function quantised(codes, train_codes)
  local most, low = 2 ^ o.bits - 1, train_codes:min(1)
  local step = (train_codes:max(1) - low):clamp_(1e-12) / most
  local stored = ((codes - low) / step):add_(0.5):floor():clamp_(0, most)
  return stored:mul_(step):add_(low)
end

local rows = {
  {"method", "code", "bytes", "error an image", "mse a pixel", "stored bytes", "stored error", "dead units"},
}
local formats = {nil, "%d", "%d", "%.2f", "%.6f", "%.4g", "%.2f", "%d"}
local images = test:rows(1, math.min(20, #test))

-- The squared error of an image, summed over its pixels; and the reconstructions of some images.
local function measure(method, k)
  local model = model_of(method, k)
  local codes = model:encode(test)
  local mse = moon.metrics.mse(model:decode(codes), test)
  local rough = moon.metrics.mse(model:decode(quantised(codes, model:encode(train))), test)
  local dead = 0
  for _, layer in ipairs(method == "pca" and {} or run.dead_layers(model, train)) do dead = dead + layer.count end
  rows[#rows + 1] = {method, k, 4 * k, mse * pixels, mse, k * o.bits / 8, rough * pixels, dead}
  run:figure(("%s %d"):format(method, k), mse * pixels, "%.2f")
  return mse * pixels, model:reconstruct(images)
end

local curves, published = {}, {}
local landmarks = {pca = {[2] = 43.65, [8] = 29.35, [16] = 21.06, [32] = 13.19, [64] = 7.09}}
local whose = {pca = "PCA", plain = "the plain net", deep = "the deep net"}
for _, method in ipairs(o.methods) do
  local errors, pictures, titles = {}, {images}, {"original"}
  for i, k in ipairs(o.codes) do
    errors[i], pictures[i + 1] = measure(method, k)
    titles[i + 1] = ("%d number%s"):format(k, k == 1 and "" or "s")
    local known = (landmarks[method] or {})[k]
    if known then published[#published + 1] = {("squared error, PCA with %d numbers"):format(k), errors[i], known} end
  end
  curves[#curves + 1] = {x = o.codes, y = errors, label = method, style = "linespoints"}
  run:say("%s: a squared error of %.1f with %d numbers, %.1f with %d.", method, errors[1], o.codes[1], errors[#errors],
    o.codes[#o.codes])
  run:picture(method, moon.image.rows(pictures, {scale = 2, titles = titles}),
    ("Test images, and what %s makes of them with ever more numbers"):format(whose[method]))
end

-- ---- the result; for comparison the bytes of an image as a PNG file, which loses nothing ----

run:print()
run:table("sizes", rows, formats, ("Error of a test image by the size of its code, and when each number of the code is "
  .. "stored in %d bits"):format(o.bits))
if run:is_mnist() then run:published(published, "Principal components of MNIST by LAPACK") end
local bytes, counted = 0, math.min(1000, #test)
local side = math.tointeger(math.sqrt(pixels))
for i = 1, side and counted or 0 do bytes = bytes + #moon.png.encode(test[i]:reshape(side, side)) end
if side then run:figure("bytes of a PNG", bytes / counted, "%.0f") end
run:plot("lines", "curve", curves, {
  title = "What a code of so many numbers loses", xlabel = "numbers in the code", logx = 2, logy = true,
  ylabel = "squared error of a test image", caption = "Squared error by the size of the code: lower is better",
})

-- A code that uses few of its units for any one image: 784-32-784, beside the same net without the wish for few, from
-- the same first weights. Three ways to wish: an L1 penalty on the code; the KL divergence of each unit's mean over the
-- batch from kl-target, for units between 0 and 1; and to keep only the k largest of each code.
-- Of the L1 penalty of 1e-5 there are two readings, and with batches of 32 the "sum" is 32 times as strong.
local moon = require "moonglass"
local experiment = require "moonglass.experiment"

local run <close> = experiment.start{
  name = "sparse",
  about = "Train an autoencoder with a sparse code and the same net without, and compare their codes.",
  options = {
    {"kind", "l1", "of sparsity", {"l1", "kl", "k"}},
    {"l1", 1e-5, "weight of the sum of the absolute codes", "amount"},
    {"reduction", "batchmean", "of that sum: its mean over the images of a batch, or its sum", {"batchmean", "sum"}},
    {"layers", "code", "where it is: code, encoder (with the code), all (hidden ones), or numbers: 1,3", "layers"},
    {"kl-target", 0.05, "mean of a unit that costs nothing", "fraction"},
    {"kl-weight", 0.01, "weight of the divergence from it", "amount"},
    {"k", 8, "code units that are kept"},
    {"code", 32, "width of the code"},
    {"hidden", nil, "widths between the input and the code, e.g. 128 (default: none)", "widths"},
  },
  defaults = {epochs = 20},
  check = function(o)
    local layers = 2 * #(o.hidden or {}) + 2
    for _, i in ipairs(type(o.layers) == "table" and o.layers or {}) do
      if i > layers then return ("--layers has %d, but the net has %d layers"):format(i, layers) end
    end
    return o.kind == "k" and o.k > o.code and ("--k is %d, but the code has %d units"):format(o.k, o.code)
  end,
}
local o, train, test = run.options, run.train, run.test

-- ---- the two nets ----

local activation = ({l1 = "relu", kl = "sigmoid", k = "linear"})[o.kind]
local penalty = ({
  l1 = {l1 = o.l1, reduction = o.reduction, layers = o.layers},
  kl = {kl_target = o.kl_target, kl_weight = o.kl_weight},
  k = {k = o.k},
})[o.kind]

local function net(more)
  moon.seed(o.seed)
  more.input, more.hidden, more.code, more.code_activation = train:size(2), o.hidden or {}, o.code, activation
  return (more == penalty and moon.autoencoder.sparse or moon.autoencoder.deep)(more)
end
local standard, standard_history = run:fit(net{}, {name = "standard", loss = moon.bce()})
local sparse, sparse_history = run:fit(net(penalty), {name = "sparse", loss = moon.bce()})

-- ---- their codes of the test images ----

-- The mean code is the mean over all units and images; a dead unit is 0 for each image.
local titles = {"net", "test loss", "without penalty", "mean code", "zeros", "below 0.1", "dead units"}
local formats = {nil, "%.4f", "%.4f", "%.3f", "%.3f", "%.3f", "%d"}

local function judged(name, ae)
  local all = ae:evaluate(test, {loss = moon.bce(), batch_size = o.batch})
  local loss, code = moon.bce():forward(ae:predict(test), test / 255), ae:encode(test)
  local sizes = code:abs()
  local row = {name, all, loss, sizes:mean(), code:eq(0):mean(), sizes:lt(0.1):mean(),
    sizes:max(1):eq(0):sum()}
  for k = 2, #row do run:figure(("%s %s"):format(name, titles[k]), row[k], formats[k]) end
  return row, code
end
local of_standard, standard_code = judged("standard", standard)
local of_sparse, sparse_code = judged("sparse", sparse)
run:table("codes", {titles, of_standard, of_sparse}, formats)

-- A code dies when the penalty weighs too much: what comes out no longer depends on what went in, and the best constant
-- is the mean image, at whose loss the training settles. Of a code of zeros that is to be expected, even if it is not
-- there yet. The binary cross-entropy is linear in the target, so for the mean image the mean target is enough.
local image, target = train:mean(1):div_(255):clamp_(1e-7, 1 - 1e-7), test:mean(1):div_(255)
local of_mean = -(target * image:log() + (1 - target) * (1 - image):log()):mean()
run:figure("test loss of the mean image", of_mean, "%.4f")
for _, row in ipairs{of_standard, of_sparse} do
  local name, loss, zeros, dead = row[1], row[3], row[5], row[#row]
  if zeros > 0.99 or math.abs(loss / of_mean - 1) < 0.01 then
    print(("The %s net's code has died, %d of %d units are always 0: its loss without penalty is %.4f, and the mean "
      .. "image alone has %.4f."):format(name, dead, o.code, loss, of_mean))
  end
end

-- ---- pictures; on filters.png the standard net's are on the left, and both began as the same ones ----

-- A weight times its pixel's deviation is what it can contribute. In the corners, always black, no weight learns.
local function filters(ae)
  return moon.image.grid(ae:layer(1).weight:t() * train:std(1), {normalize = "each", scale = 2})
end
local left = filters(standard)
run:picture("filters", moon.cat({left, moon.full(255, left:size(1), 8, {dtype = "uint8"}), filters(sparse)}, 2))
local images = test:rows(1, math.min(20, #test))
run:picture("reconstructions",
  moon.image.rows({images, standard:predict(images), sparse:predict(images)}, {scale = 2}))
local shares = moon.linspace(0, 1, 101):totable()
run:columns("quantiles", {"share", "standard", "sparse"},
  {shares, moon.metrics.quantile(standard_code, shares), moon.metrics.quantile(sparse_code, shares)})
run:plot("histogram", "codes",
  {{values = standard_code, label = "standard"}, {values = sparse_code, label = "sparse"}},
  {title = "Code values of the test images", xlabel = "value", logy = true})
run:plot("lines", "loss",
  {{y = standard_history.val_loss, label = "standard"}, {y = sparse_history.val_loss, label = "sparse"}},
  {title = "Test loss, with the penalty", xlabel = "epoch"})

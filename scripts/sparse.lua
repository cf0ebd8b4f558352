-- A sparse code: for any one image most of its numbers are near 0. The net is 784-32-784, beside the same net without
-- sparsity, from the same initial weights. Three kinds of sparsity: an L1 penalty on the code; the KL divergence of
-- each unit's mean over the batch from --kl-target, for units between 0 and 1; and keeping only the k largest of each
-- code. An L1 penalty of 1e-5 can be read in two ways, and both are trained here: as the mean over the images of a
-- batch ("batchmean"), or as their sum ("sum"), which is 32 times as strong with batches of 32 and which was published.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "sparse",
  about = "Train an autoencoder with a sparse code and the same net without, and compare their codes.",
  options = {
    {"kind", "l1", "of sparsity", {"l1", "kl", "k"}},
    {"l1", 1e-5, "weight of the sum of the absolute codes", "amount"},
    {"reduction", "both", "the penalty over a batch: mean of its images, sum, or a net for each",
      {"both", "batchmean", "sum"}},
    {"layers", "code", "which layers: code, encoder (with the code), all (hidden ones), or numbers: 1,3", "layers"},
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

-- ---- the nets: one without a penalty, and one or two with ----

local activation = ({l1 = "relu", kl = "sigmoid", k = "linear"})[o.kind]
local function l1(reduction) return {l1 = o.l1, reduction = reduction, layers = o.layers} end

local nets = {{name = "standard"}}
if o.kind == "kl" then
  nets[2] = {name = "sparse", penalty = {kl_target = o.kl_target, kl_weight = o.kl_weight}}
elseif o.kind == "k" then
  nets[2] = {name = "sparse", penalty = {k = o.k}}
elseif o.reduction == "both" then
  nets[2], nets[3] = {name = "batchmean", penalty = l1("batchmean")}, {name = "sum", penalty = l1("sum")}
else
  nets[2] = {name = "sparse", penalty = l1(o.reduction)}
end

for _, net in ipairs(nets) do
  moon.seed(o.seed)
  run:print("\n" .. net.name)
  local more = net.penalty or {}
  more.input, more.hidden, more.code, more.code_activation = train:size(2), o.hidden or {}, o.code, activation
  local ae = (net.penalty and moon.autoencoder.sparse or moon.autoencoder.deep)(more)
  net.ae, net.history = run:fit(ae, {name = net.name, loss = moon.bce()})
end
if not run.first then return end -- with --distributed rank 0 makes the rest
run:print()

-- ---- their codes of the test images ----

-- The mean code is the mean over all units and images; a dead unit is 0 for each training image.
local titles = {"net", "test loss", "without penalty", "mean code", "zeros", "below 0.1", "dead units"}
local formats = {nil, "%.4f", "%.4f", "%.3f", "%.3f", "%.3f", "%d"}
local rows = {titles}

for i, net in ipairs(nets) do
  local code = net.ae:encode(test)
  local sizes = code:abs()
  net.dead = run:dead_units(net.ae, train, net.name)
  local dead = math.tointeger(net.dead[#(o.hidden or {}) + 1]:sum())
  net.code, net.loss = code, moon.bce():forward(net.ae:predict(test), test / 255)
  rows[i + 1] = {net.name, net.ae:evaluate(test, {loss = moon.bce(), batch_size = o.batch}), net.loss, sizes:mean(),
    code:eq(0):mean(), sizes:lt(0.1):mean(), dead}
  for k = 2, #titles - 1 do run:figure(("%s %s"):format(net.name, titles[k]), rows[i + 1][k], formats[k]) end
end
run:table("codes", rows, formats, "The codes of the test images: the mean is over all units and images")
for i, net in ipairs(nets) do
  run:say("Net %s: the mean code is %.2f, and %.0f %% of the code values are below 0.1.", net.name, rows[i + 1][4],
    100 * rows[i + 1][6])
end

-- A code dies when the penalty is too strong: then the output no longer depends on the input, and the training settles
-- at the loss of the best constant, the mean image. A code of zeros is counted as dead even if the loss is not there
-- yet. The binary cross-entropy is linear in the target, so for the mean image the mean target is enough.
local image, target = train:mean(1):div_(255):clamp_(1e-7, 1 - 1e-7), test:mean(1):div_(255)
local of_mean = -(target * image:log() + (1 - target) * (1 - image):log()):mean()
run:figure("test loss of the mean image", of_mean, "%.4f")
for i, net in ipairs(nets) do
  local zeros, dead = rows[i + 1][5], rows[i + 1][7]
  if zeros > 0.99 or math.abs(net.loss / of_mean - 1) < 0.01 then
    run:say("The %s net's code has died, %d of %d units are always 0: its loss without penalty is %.4f, and the mean "
      .. "image alone has %.4f.", net.name, dead, o.code, net.loss, of_mean)
  end
end

-- ---- pictures: the nets side by side; all began with the same weights ----

local filters, images = {}, test:rows(1, math.min(20, #test))
local lines, line_titles = {images}, {"original"}
local curves, codes, names, columns = {}, {}, {"share"}, {moon.linspace(0, 1, 101):totable()}
for i, net in ipairs(nets) do
  filters[i] = run:filters(net.ae:layer(1).weight:t(), net.dead[1], "units, " .. net.name)
  lines[i + 1], line_titles[i + 1] = net.ae:predict(images), net.name
  curves[i], codes[i] = {y = net.history.val_loss, label = net.name}, {values = net.code, label = net.name}
  names[i + 1], columns[i + 1] = net.name, moon.metrics.quantile(net.code, columns[1])
end
run:picture("filters", run.beside(table.unpack(filters)), run.filters_caption)
run:picture("reconstructions", moon.image.rows(lines, {scale = 2, titles = line_titles}),
  "Test images, and what each of the nets makes of them")
run:columns("quantiles", names, columns)

-- Codes without a penalty are far larger: the few largest are left out, or the sparse ones would be a needle.
local function quantile(net, q) return moon.metrics.quantile(net.code, q) end
local least, most = math.min(0, quantile(nets[1], 0.02)), quantile(nets[1], 0.98)
run:plot("histogram", "codes", codes, {
  title = "Code values of the test images", xlabel = "value of a code unit", bins = 60, style = "steps",
  range = most > least and {least, most} or nil,
  caption = "Densities of all code values. Those of a sparse code crowd at and near 0; without a penalty they spread",
})
run:plot("lines", "loss", curves, {
  title = "Test loss, with the penalty", xlabel = "epoch", ylabel = "loss",
  caption = "Loss of the test images after each epoch, the penalty included",
})

local is_plain = not o.hidden and o.code == 32
if run:is_published_training() and is_plain and o.kind == "l1" and o.l1 == 1e-5 and o.layers == "code" then
  local all = {}
  local function add(i, losses, test_loss, mean_code)
    for _, row in ipairs(run.epochs_beside(nets[i].history.loss, losses)) do
      all[#all + 1] = {nets[i].name .. " " .. row[1], row[2], row[3]}
    end
    if o.epochs ~= 20 then return end
    all[#all + 1] = {nets[i].name .. " test loss", rows[i + 1][2], test_loss}
    all[#all + 1] = {nets[i].name .. " mean code", rows[i + 1][4], mean_code}
  end
  add(1, {0.1624, 0.1041, 0.0962, [20] = 0.0933}, 0.0920, 6.6)
  if o.reduction ~= "batchmean" then add(#nets, {0.1836, 0.1283, 0.1183, [20] = 0.1032}, 0.1019, 0.78) end
  run:published(all, "The same nets in Keras, as published, with the sum as penalty")
end

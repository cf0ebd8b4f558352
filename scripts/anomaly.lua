-- Finding anomalies: an autoencoder that has learnt only digits cannot rebuild a shoe. So its error measures how
-- strange an image is, without a single strange image in the training. The threshold is a quantile of the errors of
-- normal images that were held out and are like those to come: half of the test images; the other half is measured.
-- With 0.99, about one normal image in a hundred raises a false alarm.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "anomaly",
  about = "Find images that are not like the training images by the error of their reconstruction.",
  options = {
    {"normal", nil, "labels that are normal (default: all; against digits 0,1,2,3)", "digits"},
    {"against", nil, "anomalies: Fashion-MNIST, or (default if that is learnt) other labels", {"fashion", "digits"}},
    {"against-data", nil, "folder of another set instead of Fashion-MNIST", "text"},
    {"quantile", 0.99, "fraction of the normal images below the threshold", "fraction"},
    {"held-out", 0.5, "fraction of the normal test images that set the threshold; the others are measured", "fraction"},
    {"hidden", {128}, "widths from the input to the code"},
    {"code", 32, "width of the code"},
  },
  defaults = {epochs = 10, batch = 64, lr = 0.002, schedule = "cosine"},
  check = function(o) return o.against == "digits" and o.against_data and "--against-data is for --against fashion" end,
}
local o = run.options

-- ---- normal images and others ----

-- A net that has learnt Fashion-MNIST finds nothing strange in it.
local is_fashion = run.description:find("^Fashion") and not o.against_data
local against = o.against or (is_fashion and "digits" or "fashion")
local labels, is_normal = o.normal or (against == "digits" and {0, 1, 2, 3} or nil), {}
for _, label in ipairs(labels or {}) do is_normal[label] = true end

-- The images whose label is normal, or those whose label is not.
local function chosen(images, their_labels, normal)
  local numbers = {}
  for i, label in ipairs(their_labels:totable()) do
    if (not labels or is_normal[label] or false) == normal then numbers[#numbers + 1] = i end
  end
  if #numbers == 0 then error(("there are no images with %s labels"):format(normal and "these" or "other"), 0) end
  return images:index(numbers)
end

local train, tests = chosen(run.train, run.train_labels, true), chosen(run.test, run.test_labels, true)
local order, held = moon.randperm(#tests), math.max(1, math.floor(o.held_out * #tests))
if held == #tests then error(("--held-out %g leaves none of %d images"):format(o.held_out, held), 0) end
local held_out, normal = tests:index(order:rows(1, held)), tests:index(order:rows(held + 1, #tests))
local other_set = against == "fashion" and experiment.dataset(not o.against_data and "fashion" or nil, o.against_data)
local strange = other_set and other_set.test or chosen(run.test, run.test_labels, false)
if labels then
  local names = {}
  for i, label in ipairs(labels) do names[i] = run.classes and run.classes[label + 1] or ("label %d"):format(label) end
  run:say("Normal is: %s.", table.concat(names, ", "))
end
run:print("against " .. (other_set and other_set.description or "the other labels"))
if strange:size(2) ~= train:size(2) then error(other_set.description .. ": its images have another size", 0) end
run:print(("%d normal images to learn, %d for the threshold; %d normal and %d others to tell apart"):format(#train,
  held, #normal, #strange))

-- Another normal image exceeds the ceil((n + 1) q)-th of n held-out errors with a probability of at most 1 - q (Vovk et
-- al. 2005, Algorithmic learning in a random world). If n is too small for that, the largest error is taken.
local place = math.min(held, math.ceil((held + 1) * o.quantile))
local expected, enough = (held + 1 - place) / (held + 1), math.ceil(10 / (1 - o.quantile) - 1e-6)
if held < enough then
  run:say("The quantile %g needs at least %d held-out images, so that 10 of them are above it; there are %d, and the "
    .. "threshold is rough: take a larger --held-out or a lower --quantile.", o.quantile, enough, held)
end

local ae = run:fit(moon.autoencoder.deep{input = train:size(2), hidden = o.hidden, code = o.code}, {
  loss = moon.bce(), x = train, validation = tests, batch_size = math.min(o.batch, #train),
})
if not run.first then return end -- with --distributed rank 0 makes the rest

-- ---- the errors, a threshold, and the decisions on the test images ----

local normal_errors, strange_errors = ae:errors(normal), ae:errors(strange)
local held_out_errors = ae:errors(held_out)
local threshold = held_out_errors:topk(held + 1 - place):min()
local function count_above(errors) return math.tointeger(errors:gt(threshold):sum()) end
local alarms, caught = count_above(normal_errors), count_above(strange_errors)

run:table("confusion", {
  {"images", "above the threshold", "below", "share above"},
  {"normal", alarms, #normal - alarms, alarms / #normal},
  {"others", caught, #strange - caught, caught / #strange},
}, {nil, "%d", "%d", "%.4f"}, "Test images above and below the threshold")
run:figure("threshold", threshold, "%.4f")
run:figure("caught", caught / #strange, "%.4f")
run:figure("false alarms", alarms / #normal, "%.4f")

-- How far the rate of false alarms may be from the expected one: the test images are a sample, and so are the held-out
-- ones that set the threshold.
local spread = 1.96 * math.sqrt(expected * (1 - expected) * (1 / #normal + 1 / held))
run:say("False alarms: %.2f %% of the normal test images; expected are %.2f %%, and 95 %% of the time %.2f to %.2f %%.",
  100 * alarms / #normal, 100 * expected, 100 * math.max(0, expected - spread), 100 * (expected + spread))
run:say("%.1f %% of the others are caught.", 100 * caught / #strange)
run:dead_units(ae, train)

-- ---- every threshold: the area under the curve is how often a strange image has a larger error than a normal one ----

local scores = moon.cat({normal_errors, strange_errors}, 1)
local positive = moon.cat({moon.zeros(#normal), moon.ones(#strange)}, 1)
local auc, roc = moon.metrics.auc(scores, positive), moon.metrics.roc(scores, positive)
run:figure("AUC", auc, "%.4f")
run:columns("roc", {"threshold", "false alarms", "caught"}, {roc.thresholds, roc.fpr, roc.tpr})
run:columns("errors", {"other", "error"}, {positive, scores})
run:columns("held-out", {"error"}, {held_out_errors})
run:plot("lines", "roc", {
  {x = roc.fpr, y = roc.tpr, label = ("errors, area %.4f"):format(auc)},
  {x = {0, 1}, y = {0, 1}, label = "chance"},
  {x = {alarms / #normal}, y = {caught / #strange}, label = "the threshold"},
}, {title = "ROC curve", xlabel = "false alarms", ylabel = "caught", legend = "bottom right", width = 700,
  caption = "Every threshold: the rate of false alarms, and of anomalies that are detected"})

-- ---- the densities of both kinds of errors, over the logarithm, because they differ by powers of ten ----

local bins, least, most = 80, math.log(math.max(scores:min(), 1e-9)), math.log(scores:max())
local width = (most - least) / bins
local function density(errors, label)
  local x, y = {}, {}
  for i = 1, bins + 1 do x[i], y[i] = math.exp(least + (i - 1) * width), 0 end
  for _, e in ipairs(errors:log():sub_(least):div_(width):clamp_(0, bins - 1):totable()) do
    local i = math.floor(e) + 1
    y[i] = y[i] + 1 / (#errors * width)
  end
  return {x = x, y = y, label = label, style = "steps"}
end
local of_normal = density(normal_errors, "normal")
run:plot("lines", "errors", {
  of_normal, density(strange_errors, "others"),
  {x = {threshold, threshold}, y = {0, moon.tensor(of_normal.y):max()}, label = "threshold"},
}, {title = "Errors of the test images", xlabel = "squared error a pixel", ylabel = "density", logx = true,
  caption = "Errors of the images: those to the right of the threshold are called strange"})

-- ---- pictures: the least strange images and, below, the strangest, each over its reconstruction ----

local function extremes(images, errors)
  local lines = {}
  for _, largest in ipairs{false, true} do
    local shown = images:index((select(2, errors:topk(math.min(20, #images), 1, largest))))
    table.move({shown, ae:reconstruct(shown)}, 1, 2, #lines + 1, lines)
  end
  return moon.image.rows(lines, {
    scale = 2, titles = {"least error", "reconstruction", "largest error", "reconstruction"},
  })
end
run:picture("normal", extremes(normal, normal_errors), "Normal test images: those with the least error and those with "
  .. "the largest, each over what the net makes of it")
run:picture("others", extremes(strange, strange_errors), "The others in the same way: the least errors are missed")

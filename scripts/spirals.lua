-- Three spirals, which straight lines cannot separate: softmax regression, which draws straight lines, against a net
-- with one hidden layer of ReLUs. Both minimise the cross-entropy and penalty/2 times the sum of the squared weights.
-- Gradient descent takes a step from the gradient over all points (--method batch). With minibatches (sgd, adam) a step
-- sees 32 of them, so a step takes far less time, but the gradient is noisy, and the learning rate has to fall.
package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- finds experiment/ beside this script
local moon = require "moonglass"
local experiment = require "experiment.run"

local run <close> = experiment.start{
  name = "spirals",
  about = "Points in the plane in classes: softmax regression, and a net with one hidden layer.",
  options = {
    {"set", "spirals", "the points", {"spirals", "circles", "blobs"}},
    {"n", 300, "points of a class; as many again for the test"},
    {"noise", nil, "deviation of the points (default: that of the set)", "amount"},
    {"points", nil, "train on x, y of this safetensors file; softmax regression begins with its w, if any", "text"},
    {"hidden", 100, "ReLUs of the hidden layer"},
    {"penalty", 1e-3, "of the squared weights", "amount"},
    {"method", "batch", "gradient descent on all points, or on minibatches", {"batch", "sgd", "adam"}},
    {"steps", 9000, "steps of each net"},
    {"lr", nil, "learning rate (default: 1; with adam 0.01)", "positive"},
    {"batch", 32, "points in a minibatch"},
  },
  training = false, data = false, distributed = true,
}
local o = run.options

-- ---- the points: test points are drawn from another seed ----

-- x [n x 2], y [n] and the other tensors of the file.
local function read_points(path)
  local file, message = moon.safetensors.load(path)
  if not file then error(message, 0) end
  local points, labels = file.x, file.y
  if not (points and labels) or points:rank() ~= 2 or points:size(2) ~= 2 or labels:numel() ~= #points then
    error(path .. ": expected tensors x [n x 2] and y [n]", 0)
  end
  return points, labels:reshape(#points):byte(), file.w
end

local x, y, first_weights
if o.points then
  x, y, first_weights = read_points(o.points)
else
  x, y = moon.data[o.set]{n = o.n, noise = o.noise, seed = o.seed}
end
local test_x, test_y = moon.data[o.set]{n = o.n, noise = o.noise, seed = o.seed + 1000}
local classes = math.tointeger(y:max()) + 1
local whole = o.method == "batch"
local batch = whole and #x or math.min(o.batch, #x)
local epochs = math.max(1, o.steps * batch // #x)

-- ---- both nets, trained in the same way ----

local results, curves = {{"net", "loss", "accuracy", "test accuracy", "seconds"}}, {}

local function train(name, net)
  local rate = o.lr or (o.method == "adam" and 0.01 or 1)
  local start = moon.clock()
  local history = net:fit(x, y, {
    loss = moon.cross_entropy(), optimizer = o.method == "adam" and moon.adam{lr = rate} or moon.sgd{lr = rate},
    epochs = epochs, batch_size = batch, shuffle = not whole, seed = o.seed,
    callbacks = not whole and {moon.callbacks.cosine{epochs = epochs, lr_min = rate / 100}} or nil,
    distributed = run.mpi,
  })
  if not run.first then return end
  local seconds, loss = moon.clock() - start, history.loss[epochs]
  local accuracy = moon.metrics.accuracy(net:predict(x), y)
  local test_accuracy = moon.metrics.accuracy(net:predict(test_x), test_y)

  curves[#curves + 1] = {y = history.loss, label = name}
  results[#results + 1] = {name, loss, accuracy, test_accuracy, seconds}
  run:figure(name .. " loss", loss, "%.4f")
  run:figure(name .. " accuracy", accuracy, "%.3f")
  run:figure(name .. " test accuracy", test_accuracy, "%.3f")
  run:save(net, name)
  run:plot("regions", name .. "-regions", net, test_x, test_y, {
    title = ("%s: right on %.1f %% of the test points"):format(name, 100 * test_accuracy), width = 640, height = 560,
    xlabel = "x1", ylabel = "x2",
    caption = ("Test points over the regions that %s gives to the classes"):format(
      name == "softmax" and "softmax regression" or "the net with a hidden layer"),
  })
  run:dead_units(net, x)
end

-- weight_l2 = c costs c sum W^2, and the penalty is half of such a sum.
local function dense(inputs, outputs, activation)
  return moon.dense(inputs, outputs, {activation = activation, weight_l2 = o.penalty / 2})
end

local softmax = moon.sequential{dense(2, classes, "softmax")}
if first_weights then softmax:layer(1).weight = first_weights end
train("softmax", softmax)
train("net", moon.sequential{dense(2, o.hidden, "relu"), dense(o.hidden, classes, "softmax")})
if not run.first then return end -- with --distributed rank 0 makes the rest

-- ---- pictures and tables ----

run:say("Straight lines are right on %.1f %% of the test points, the net on %.1f %%.", 100 * results[2][4],
  100 * results[3][4])
run:table("results", results, {nil, "%.4f", "%.3f", "%.3f", "%.2f"}, "Both nets, on points of training and test")
if o.set == "spirals" and o.method == "batch" and o.penalty == 1e-3 and o.steps == 9000 then
  run:published({{"softmax accuracy", results[2][3], 0.49}, {"net accuracy", results[3][3], 0.98}},
    "On training points, as published with the lecture: 100 points a class with noise 0.2")
end
run:columns("points", {"class", "x1", "x2"}, {y, x:t()[1], x:t()[2]})
run:plot("scatter", "points", x, y, {title = "training points", width = 640, height = 560, xlabel = "x1", ylabel = "x2",
  caption = "The training points, a colour for each class"})
run:plot("lines", "loss", curves, {
  title = "loss, penalty included", xlabel = whole and "step" or "epoch", ylabel = "loss", logx = true, yrange = {0},
  caption = "The loss of both nets, their penalty included",
})
local counted = {}
for i = 1, epochs do counted[i] = i end
run:columns("history", {"epoch", "softmax", "net"}, {counted, curves[1].y, curves[2].y})

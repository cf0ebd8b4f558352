--- The settings of the room "points": what playground.tensorflow.org offers, three classes, own points and adam.
local settings = require "playground.settings"

-- Choices {value, label}, from a flat list.
local function choices(...)
  local flat, result = {...}, {}
  for i = 1, #flat, 2 do result[#result + 1] = {value = flat[i], label = flat[i + 1]} end
  return result
end

-- Numbers, whose labels are the numbers.
local function rates(list)
  local result = {}
  for i, v in ipairs(list) do result[i] = {value = v, label = settings.number(v)} end
  return result
end

local data = {
  {
    name = "problem", label = "Data set", group = "data", kind = "choice", default = "circle",
    help = "The points that the net learns. A class is a colour; in a regression the colour is a value.",
    choices = choices("circle", "Circle", "xor", "Exclusive or", "gauss", "Two clouds", "spiral", "Two spirals",
      "spirals3", "Three spirals", "plane", "Plane (regression)", "gaussian", "Hills (regression)",
      "own", "Own points"),
  },
  {
    name = "own_labels", label = "Own points are", group = "data", kind = "choice", default = "two",
    help = "What a point of your own stands for: one of two classes, one of three, or a value from -1 to 1.",
    only = {{problem = {"own"}}},
    choices = choices("two", "Two classes", "three", "Three classes", "values", "Values"),
  },
  {
    name = "noise", label = "Noise (%)", group = "data", kind = "number", low = 0, high = 50, step = 5, default = 0,
    help = "How far points stray, and how many have the wrong colour. It does not change your own points.",
  },
  {
    name = "ratio", label = "Training share (%)", group = "data", kind = "number", low = 10, high = 90, step = 10,
    default = 50, help = "So many of the points train the net. It never sees the others: they test it.",
  },
  {
    name = "batch", label = "Batch size", group = "data", kind = "number", low = 1, high = 30, whole = true,
    default = 10,
    help = "Points of one step. The weights change after each batch; an epoch is all training points once.",
  },
  {
    name = "seed", label = "Seed", group = "data", kind = "number", low = 0, high = 999999, whole = true, default = 1,
    help = "Points, first weights and order are drawn from it. The same seed gives the same run.",
  },
}

local net = {
  {
    name = "features", label = "Features", group = "net", kind = "list", least = 1, most = 7, default = {"x1", "x2"},
    help = "What the net sees of a point.",
    choices = choices("x1", "x1", "x2", "x2", "x1sq", "x1 squared", "x2sq", "x2 squared", "x1x2", "x1 times x2",
      "sinx1", "sin x1", "sinx2", "sin x2"),
  },
  {
    name = "hidden", label = "Hidden layers", group = "net", kind = "list", low = 1, high = 8, least = 0, most = 6,
    default = {4, 2}, help = "The units of each layer. Without a hidden layer the net draws a straight line.",
  },
  {
    name = "activation", label = "Activation", group = "net", kind = "choice", default = "tanh",
    help = "The bend in each hidden unit. Linear has none: then all layers together are one straight line.",
    choices = choices("tanh", "Tanh", "relu", "ReLU", "sigmoid", "Sigmoid", "linear", "Linear"),
  },
}

local training = {
  {
    name = "rate", label = "Learning rate", group = "training", kind = "choice", default = 0.03,
    help = "The length of a step. You can change it while the net trains. The loss is the mean of squares, without "
      .. "a half, so a step is twice that of playground.tensorflow.org.",
    choices = rates{0.00001, 0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10},
  },
  {
    name = "optimizer", label = "Optimizer", group = "training", kind = "choice", default = "sgd",
    help = "SGD goes straight down the slope. Adam gives each weight a step of its own; take a small rate.",
    choices = choices("sgd", "SGD", "adam", "Adam"),
  },
  {
    name = "regularisation", label = "Regularisation", group = "training", kind = "choice", default = "none",
    help = "A price for large weights, which is part of the loss. L1: the sum of |w|, which makes weights 0. "
      .. "L2: the sum of their squares.",
    choices = choices("none", "None", "L1", "L1", "L2", "L2"),
  },
  {
    name = "regularisation_rate", label = "Regularisation rate", group = "training", kind = "choice", default = 0,
    help = "The factor of that price.", only = {{regularisation = {"L1", "L2"}}},
    choices = rates{0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10},
  },
}

local all = {}
for _, group in ipairs{data, net, training} do
  for _, item in ipairs(group) do all[#all + 1] = item end
end
return settings.new(all)

-- Small trainings for the tests of distributed fit: local trainings = dofile "spec/mpi/trainings.lua"
--   trainings.list                   {name =, net = function() end, x =, y =, options =}: every kind of net
--   trainings.named(name)            one of them
--   trainings.difference(a, b)       the largest difference of two nets' weights, over the largest weight of each
--                                    parameter; infinite if there is a NaN
--   trainings.fit(t, net, more)      fits with t's options and `more`; returns the history
local moon = require "moonglass"

local trainings = {list = {}}

local width = 20

-- Rows with structure: mixtures of few patterns, from 0 to 1.
local function rows(n)
  moon.seed(n)
  local t = moon.rand(n, 4):matmul(moon.randn(4, width)):sigmoid()
  return t
end

local function labels(x)
  moon.seed(3)
  return x:matmul(moon.randn(width, 3)):argmax(2)
end

local function add(name, make, options, more)
  local t = {name = name, net = function() moon.seed(17) return make() end, options = options or {}, x = rows(90)}
  for key, v in pairs(more or {}) do t[key] = v end
  trainings.list[#trainings.list + 1] = t
end

local function plain(more)
  return function()
    local o = {input = width, hidden = 8, activation = "tanh"}
    for key, v in pairs(more or {}) do o[key] = v end
    return moon.autoencoder.plain(o)
  end
end

local function denoising(noise)
  return function()
    return moon.autoencoder.denoising{input = width, hidden = 12, activation = "sigmoid", noise = noise()}
  end
end

local function sparse(more)
  return function()
    local o = {input = width, hidden = 16, activation = "sigmoid"}
    for key, v in pairs(more) do o[key] = v end
    return moon.autoencoder.sparse(o)
  end
end

add("plain", plain())
add("plain, rows that every rank can have equally many of", plain(), {batch_size = 32}, {x = rows(96)})
add("plain, a last batch of one row", plain(), {batch_size = 16}, {x = rows(65)})
add("plain, fewer rows than ranks in each batch", plain(), {batch_size = 2}, {x = rows(9)})
add("plain, all rows in one batch", plain(), {batch_size = 90})
add("plain, bytes", plain(), {loss = "bce"}, {x = (rows(90) * 255):byte()})
add("plain, in order", plain(), {shuffle = false})
add("plain, two threads in each rank", plain(), {threads = 2})
for _, kind in ipairs{
  {"sgd", {lr = 0.1}}, {"adam", {lr = 0.01}}, {"rmsprop", {}}, {"adagrad", {}}, {"adamax", {}}, {"nadam", {}},
  {"adadelta", {lr = 1}},
} do
  local name, o = table.unpack(kind)
  add("plain, " .. name, plain(), {optimizer = function() return moon[name](o) end})
end
for _, clip in ipairs{"clip_value", "clip_norm", "global_clip_norm"} do
  add("plain, " .. clip, plain(), {optimizer = function() return moon.sgd{lr = 1, [clip] = 1e-3} end})
end
add("plain, contractive", plain{contractive = 0.1})
add("tied", plain{tied = true})
add("deep", function()
  return moon.autoencoder.deep{input = width, hidden = {16, 12}, code = 4, activation = "elu"}
end, {loss = "bce"})
add("deep, tied", function()
  return moon.autoencoder.deep{input = width, hidden = {12}, code = 4, activation = "softplus", tied = true}
end)
add("denoising, gaussian", denoising(function() return moon.gaussian_noise(0.3) end))
add("denoising, clipped", denoising(function() return moon.gaussian_noise(0.3, {clip = {0, 1}}) end))
add("denoising, masking", denoising(function() return moon.masking_noise(0.3) end))
add("denoising, salt and pepper", denoising(function() return moon.salt_pepper_noise(0.2) end))
add("dropout within", function()
  return moon.sequential{
    moon.dense(width, 16, {activation = "tanh"}), moon.dropout(0.3), moon.dense(16, width, {activation = "sigmoid"}),
  }
end)
add("sparse, l1", sparse{l1 = 1e-2})
add("sparse, l1, summed", sparse{l1 = 1e-3, reduction = "sum"})
add("sparse, KL", sparse{kl_weight = 0.1, kl_target = 0.1})
add("sparse, the k largest", sparse{k = 4})
add("weights' penalties", function()
  return moon.sequential{
    moon.dense(width, 8, {activation = "tanh", weight_l2 = 0.01}),
    moon.dense(8, width, {activation = "sigmoid", weight_l1 = 0.001}),
  }
end)
add("a classifier", function()
  return moon.sequential{moon.dense(width, 16, {activation = "tanh"}), moon.dense(16, 3, {activation = "softmax"})}
end, {loss = "cross_entropy"}, {y = labels(rows(90))})
add("a regression, Huber's loss", function()
  return moon.sequential{moon.dense(width, 16, {activation = "tanh"}), moon.dense(16, 2)}
end, {loss = "huber"}, {y = rows(90):matmul(moon.ones(width, 2))})

function trainings.named(name)
  for _, t in ipairs(trainings.list) do
    if t.name == name then return t end
  end
  error("no training is called " .. name)
end

function trainings.difference(a, b)
  local largest, of = 0, b:parameters()
  for i, parameter in ipairs(a:parameters()) do
    local scale = math.max(parameter.value:abs():max(), 1e-3)
    local difference = (parameter.value - of[i].value):abs():max() / scale
    if difference ~= difference then return math.huge end
    largest = math.max(largest, difference)
  end
  return largest
end

function trainings.fit(t, net, more)
  local o = {loss = "mse", batch_size = 24, seed = 5, optimizer = moon.sgd{lr = 0.1, momentum = 0.9}}
  for _, from in ipairs{t.options, more or {}} do
    for name, v in pairs(from) do o[name] = v end
  end
  if type(o.optimizer) == "function" then o.optimizer = o.optimizer() end
  return net:fit(t.x, t.y, o)
end

return trainings

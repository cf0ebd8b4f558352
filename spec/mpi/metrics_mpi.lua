-- The option metrics of fit and evaluate: several ranks measure what one process measures.
-- ranks: 1 2 3
-- mpi: openmpi
-- seconds: 120
local moon = require "moonglass"
local mpi = require "moonglass.mpi"
local check = dofile "spec/mpi/check.lua"
local trainings = dofile "spec/mpi/trainings.lua"

moon.set_threads(1)

local function right(net, x, y) return net:predict(x):argmax(2):eq(y + 1):mean() end

local function assert_same_metrics(together, alone)
  for name, list in pairs(alone) do
    check.equal(#together[name], #list, name)
    for i, v in ipairs(list) do
      if math.abs(together[name][i] - v) > 2e-5 * math.max(math.abs(v), 1) then
        error(("%s of epoch %d is %.9g, alone %.9g"):format(name, i, together[name][i], v))
      end
    end
  end
  for name, list in pairs(mpi.broadcast(together, 0)) do
    assert(alone[name], name)
    check.equal(table.concat(together[name], " "), table.concat(list, " "), name .. " on rank 0")
  end
end

local function options(t, more)
  local o = {epochs = 3, metrics = {"penalty", "mae", "accuracy", "binary_accuracy"}, validation_split = 0.3}
  if t.options.loss == "cross_entropy" then
    o.metrics = {"accuracy", "penalty", "cross_entropy", "binary_accuracy", f = right}
  end
  for name, v in pairs(more or {}) do o[name] = v end
  if o.validation then o.validation_split = nil end
  return o
end

for _, name in ipairs{
  "plain", "plain, fewer rows than ranks in each batch", "plain, bytes", "plain, two threads in each rank",
  "sparse, KL", "a classifier", "weights' penalties",
} do
  check(name, function()
    local t = trainings.named(name)
    local together = trainings.fit(t, t.net(), options(t, {distributed = mpi}))
    assert_same_metrics(together.metrics, trainings.fit(t, t.net(), options(t)).metrics)
  end)
end

check("with missing cells", function()
  local t = trainings.named "plain"
  local x = t.x:clone()
  for i = 1, 60 do x:set(0 / 0, i, i % 20 + 1) end
  local masked = {net = t.net, x = x, options = {}}
  local more = {mask = true, metrics = {"mae", "mse", "penalty"}}
  local alone = trainings.fit(masked, t.net(), options(t, more))
  more.distributed = mpi
  assert_same_metrics(trainings.fit(masked, t.net(), options(t, more)).metrics, alone.metrics)
end)

-- Rows `from` to `to` are this rank's shard.
local function assert_same_sharded(from, to)
  local t = trainings.named "a classifier"
  local x, y = t.x:rows(from, to), t.y:rows(from, to)
  local more = {batch_size = #t.x, shuffle = false, validation = {t.x, t.y}}
  local alone = trainings.fit(t, t.net(), options(t, more))
  more.distributed, more.sharded, more.validation = mpi, true, {x, y}
  local together = trainings.fit({net = t.net, x = x, y = y, options = t.options}, t.net(), options(t, more))
  assert_same_metrics(together.metrics, alone.metrics)
end

check("of rows that each rank has for itself", function()
  local n = #trainings.named("a classifier").x
  assert_same_sharded(mpi.rank * n // mpi.size + 1, (mpi.rank + 1) * n // mpi.size)
end)

check("of unequal shards, weighted by rows", function()
  local others = #trainings.named("a classifier").x - mpi.size + 1 -- rank 0 has all rows but one for each other rank
  assert_same_sharded(mpi.rank == 0 and 1 or others + mpi.rank, others + mpi.rank)
end)

-- A net and its rows like those of trainings.list. y and options are those of fit.
local function training(make, y, o)
  local x = trainings.named("plain").x
  local function net()
    moon.seed(18)
    return make(x:size(2))
  end
  return {net = net, x = x, y = y(x), options = o}
end

local function labels(x) return x:columns(1, 3):argmax(2) - 1 end

local relu, softmax = {activation = "relu"}, {activation = "softmax"}

check("of heads", function()
  local t = training(function(n)
    return moon.sequential{moon.dense(n, 6, relu), moon.branches{moon.dense(6, n), moon.dense(6, 3, softmax)}}
  end, function(x) return {x, labels(x)} end, {loss = moon.heads{
    {"mse", columns = 20, name = "picture"}, {"cross_entropy", columns = 3, weight = 0.1, name = "class"},
  }})
  local more = {metrics = {"penalty", wide = function(n, x, y) return n:predict(x):mean() + y:size(2) end}}
  local alone = trainings.fit(t, t.net(), options(t, more))
  more.distributed = mpi
  local together = trainings.fit(t, t.net(), options(t, more))
  for _, name in ipairs{"picture", "class", "val_class_accuracy"} do assert(alone.metrics[name], name) end
  assert_same_metrics(together.metrics, alone.metrics)
end)

check("of a variational net", function()
  local t = training(function(n) return moon.autoencoder.variational{input = n, hidden = {8}, code = 2} end,
    function() end, {loss = moon.bce{reduction = "batchmean"}})
  local alone = trainings.fit(t, t.net(), options(t))
  assert(alone.metrics.val_kl)
  assert_same_metrics(trainings.fit(t, t.net(), options(t, {distributed = mpi})).metrics, alone.metrics)
end)

check("behind batch_norm, with weights of classes", function()
  local t = training(function(n)
    return moon.sequential{moon.dense(n, 6), moon.batch_norm(6), moon.activation("relu"), moon.dense(6, 3, softmax)}
  end, labels, {loss = "cross_entropy", class_weight = {[1] = 5}})
  local alone = trainings.fit(t, t.net(), options(t))
  assert_same_metrics(trainings.fit(t, t.net(), options(t, {distributed = mpi})).metrics, alone.metrics)
end)

check("of evaluate", function()
  local t = trainings.named "a classifier"
  local o = options(t, {loss = "cross_entropy", batch_size = 7})
  o.epochs, o.validation_split = nil, nil
  local net = t.net()
  local _, alone = net:evaluate(t.x, t.y, o)
  o.distributed = mpi
  local _, together = net:evaluate(t.x, t.y, o)
  for name, v in pairs(alone) do assert(math.abs(v - together[name]) < 1e-6, name) end
end)

-- The error that fit raises, without its place.
local function failure(t, more)
  more.distributed = mpi
  local ok, text = pcall(trainings.fit, t, t.net(), options(t, more))
  assert(not ok, "expected an error")
  return (tostring(text):gsub("[^ ]+%.lua:%d+: ", ""))
end

check("must be the same on all ranks", function()
  if mpi.size == 1 then return end
  local text = failure(trainings.named "plain", {metrics = {mpi.rank == 1 and "mse" or "mae"}})
  assert(text:find("fit: metrics is {mse}, but {mae} on rank 0", 1, true), text)
end)

check("a function that fails on one rank ends the training on all", function()
  if mpi.size == 1 then return end
  local text = failure(trainings.named "plain", {metrics = {f = function() return mpi.rank == 0 and 1 or nil end}})
  assert(text:find("metric f gave nil, expected a number", 1, true), text)
end)

check.done()

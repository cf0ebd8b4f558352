--- What rank 0 gives to all ranks of a distributed fit: weights, moments, and how far the training is. And the check
-- that the weights are still the same, bit for bit.
local core = require "moonglass.core"
local net_state = require "moonglass.net.state"

local broadcasts = {}

-- The keys of a table in an order that is the same in every process.
local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- ---- weights and moments ----

function broadcasts.weights(group, net)
  for _, t in ipairs(net_state.tensors(net)) do group:from_first(t) end
end

-- The parameters whose moments rank 0 has: those of frozen ones it may have or not.
local function with_moments(group, net, opt)
  local list, has = net:parameters(), {}
  for i, moments in ipairs(opt:moments(list)) do has[i] = next(moments) ~= nil end
  has = group:from_first(has)
  for i, parameter in ipairs(list) do
    if has[i] then parameter.trainable = nil end
  end
  return list
end

function broadcasts.optimizer(group, net, opt)
  for _, moments in ipairs(opt:moments(with_moments(group, net, opt))) do
    for _, slot in ipairs(sorted_keys(moments)) do group:from_first(moments[slot]) end
  end
  local own = group:from_first{lr = opt.lr, steps = opt:steps()}
  opt:set_steps(own.steps)
  broadcasts.set_rate(opt, own.lr)
end

--- Sets the learning rate, if it is another.
function broadcasts.set_rate(opt, lr)
  if opt.lr ~= lr then opt.lr = lr end
end

-- A number for the bits of all weights, as a text: a broadcast keeps it exactly.
local function digest(net) return ("%016x"):format(core.digest(net_state.tensors(net))) end

--- Are this rank's weights, bit for bit, those of rank 0?
function broadcasts.has_same_weights(group, net)
  local own = digest(net)
  return group:from_first(own) == own
end

-- ---- histories ----

--- Puts rank 0's epochs into the history of each rank.
function broadcasts.history(group, history)
  local first = group:from_first{
    loss = history.loss, val_loss = history.val_loss, val_epochs = history.val_epochs, metrics = history.metrics,
    epoch_seconds = history.epoch_seconds, epochs = history.epochs,
  }
  if group.first then return end
  history.epochs, history.metrics = first.epochs, first.metrics
  for _, name in ipairs{"loss", "val_loss", "val_epochs", "epoch_seconds"} do
    local list = history[name]
    for i = 1, math.max(#list, #first[name]) do list[i] = first[name][i] end
  end
end

-- ---- what callbacks remember ----

-- For each callback its values, and the shapes of its tensors.
local function described(remembered)
  local list = {}
  for key, of in pairs(remembered) do
    local shapes = {}
    for name, t in pairs(of.tensors) do shapes[name] = {shape = t.shape, dtype = t.dtype} end
    list[key] = {values = of.values, shapes = shapes}
  end
  return list
end

local function empty(of)
  local t = core.zeros(of.shape)
  return of.dtype == "uint8" and t:byte() or t
end

--- What the callbacks of rank 0's checkpoint remember.
function broadcasts.remembered(group, remembered)
  local first = group:from_first(described(remembered))
  local all = {}
  for _, key in ipairs(sorted_keys(first)) do
    local own = group.first and remembered[key].tensors
    local tensors, shapes = {}, first[key].shapes
    for _, name in ipairs(sorted_keys(shapes)) do
      tensors[name] = own and own[name] or empty(shapes[name])
      group:from_first(tensors[name])
    end
    all[key] = {values = first[key].values, tensors = tensors}
  end
  return all
end

return broadcasts

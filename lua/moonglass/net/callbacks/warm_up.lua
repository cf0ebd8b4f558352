--- moon.callbacks.warm_up: an option that rises, or falls, over the first epochs. The value is a function of the epoch,
-- so a resumed training has nothing to remember.
local errors = require "moonglass.support.errors"
local monitor = require "moonglass.net.callbacks.monitor"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

---@class moonglass.callbacks
local callbacks = {}

---Options of `moon.callbacks.warm_up`.
---@class moonglass.WarmUpOptions
---@field from number? default 0: the value in the first epoch
---@field to number? default 1: the value after these epochs
---@field epochs integer? default 10: so many steps lead to `to`, which the epoch after them has first
local warm_up_options = options.checker("warm_up", {
  from = {"number", 0}, to = {"number", 1}, epochs = {"count", 10},
})

local function check_object(object)
  if native.is_layer(object) or native.is_optimizer(object) or type(object) == "table" then return end
  if math.type(object) == "integer" or object == "optimizer" then return end
  errors.raise("warm_up: object is %s, expected a layer or its number, an optimizer, or 'optimizer' for that of fit",
    options.show(object))
end

local function worded(text) return "warm_up: " .. text end

-- A layer by its number is that of the net that is trained: a resumed training has another one than the first.
local function find(object, state)
  if object == "optimizer" then return state.opt end
  if math.type(object) ~= "integer" then return object end
  if object < 1 or object > #state.net then
    errors.raise("warm_up: layer %d, but the net has %d", object, #state.net)
  end
  return state.net:layer(object)
end

---Lead an option of a layer or of an optimiser from one value to another, in equal steps before each epoch: the factor
---of a variational autoencoder's divergence (`beta`), the strength of noise, a learning rate. The last value stays at
---the end of the training. The object is a layer or its number in the net, an optimiser, or "optimizer" for that of
---`fit`; a number suits a resumed training, which has a new net.
---@param object moonglass.Layer|moonglass.LuaLayer|moonglass.AnyOptimizer|integer|"optimizer" whose option it is
---@param option string an option that may be set: "beta", "sigma", "lr"
---@param options moonglass.WarmUpOptions?
---@return moonglass.Callback callback
function callbacks.warm_up(object, option, given)
  check_object(object)
  if type(option) ~= "string" then
    errors.raise("warm_up: option is %s, expected the name of one", options.show(option))
  end
  local o = warm_up_options(given)
  local self = {}

  local function set(owner, v) owner[option] = v end

  -- Both ends must be allowed.
  function self.check(_, state)
    local owner = errors.guard(find, object, state)
    local before = errors.guard_by(worded, nil, nil, function() return owner[option] end)
    if type(before) ~= "number" then
      errors.raise("warm_up: the option %s is %s, expected a number", option, options.show(before))
    end
    for _, v in ipairs{o.from, o.to, before} do errors.guard_by(worded, nil, nil, set, owner, v) end
  end

  function self.on_epoch_begin(_, state)
    local share = (state.epoch - 1) / o.epochs
    set(find(object, state), share < 1 and o.from + (o.to - o.from) * share or o.to)
  end
  return monitor.built_in(self)
end

return callbacks

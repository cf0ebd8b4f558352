--- The loss and the optimizer that a caller means: given as a name, an object, a table with methods or, for a loss, a
-- function.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

local resolve = {}

-- f(prediction, target) -> number, gradient
local function loss_of_function(f)
  local gradient
  return {
    forward = function(_, prediction, target)
      local value
      value, gradient = f(prediction, target)
      return value
    end,
    backward = function() return gradient end,
  }
end

local function has_methods(v, ...)
  if type(v) ~= "table" then return false end
  for _, name in ipairs{...} do
    if type(v[name]) ~= "function" then return false end
  end
  return true
end

local function with_prefix(text, what) return what .. ": " .. text end

-- The object of that name; an error says which function asked.
local function by_name(what, make, name) return errors.guard_by(with_prefix, what, nil, make, name) end

-- The caller wrote moon.adam instead of moon.adam{}.
local function refuse_constructor(what, noun, family, v)
  for _, name in ipairs(core.registered(family)) do
    if rawequal(v, core[name]) then
      errors.raise("%s: %s is the function %s itself, expected what it makes: moon.%s{}, or the name '%s'", what, noun,
        name, name, name)
    end
  end
end

--- The names of the losses, for messages.
function resolve.loss_names() return table.concat(core.registered("losses"), ", ") end

--- A loss object. what: the function that the user called, for messages.
function resolve.loss(what, loss)
  if type(loss) == "string" then return by_name(what, core.loss, loss) end
  refuse_constructor(what, "loss", "losses", loss)
  if type(loss) == "function" then return loss_of_function(loss) end
  if native.is_loss(loss) or has_methods(loss, "forward", "backward") then return loss end
  errors.raise("%s: loss is %s, expected a name (%s), a loss object, a table with forward and backward, or a function",
    what, options.show(loss), resolve.loss_names())
end

--- An optimizer object.
function resolve.optimizer(what, opt)
  if type(opt) == "string" then return by_name(what, core.optimizer, opt) end
  refuse_constructor(what, "optimizer", "optimizers", opt)
  if native.is_optimizer(opt) or has_methods(opt, "step") then return opt end
  errors.raise("%s: optimizer is %s, expected a name (%s), an optimizer object or a table with step", what,
    options.show(opt), table.concat(core.registered("optimizers"), ", "))
end

--- The objects of a single step: an optimizer by name would lose its state after the call.
function resolve.of_step(what, loss, opt)
  if type(opt) == "string" then
    errors.raise("%s: optimizer is the name '%s', but its state must outlive the step: give an object, moon.%s{}", what,
      opt, opt)
  end
  if not native.is_loss(loss) then loss = resolve.loss(what, loss) end
  if not native.is_optimizer(opt) then opt = resolve.optimizer(what, opt) end
  return loss, opt
end

return resolve

--- The datasets that fit and evaluate make from their arguments: rows and targets, for training and for validation.
local checks = require "moonglass.support.checks"
local compatibility = require "moonglass.net.compatibility"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"

local datasets = {}

--- y and options of fit(x, y, options), or of fit(x, options), where the target is x.
function datasets.arguments(y, opts)
  if opts == nil and type(y) == "table" then return nil, y end
  return y, opts
end

local function check_tensor(what, name, t)
  if native.is_source(t) then return end
  checks.is_tensor(what, name, t)
  if #t == 0 then errors.raise("%s: %s is %s, expected at least one row", what, name, native.shape_text(t)) end
end

local function check_tensors(what, x, y)
  check_tensor(what, "x", x)
  if y ~= nil then check_tensor(what, "y", y) end
end

--- A dataset of x [rows x in] and y [rows x out] or class numbers [rows]; y nil: the target is x. mask: NaN is missing.
function datasets.make(what, loss, x, y, mask)
  check_tensors(what, x, y)
  compatibility.check_targets(what, loss, x, y)
  local data = errors.guard_as(what, "dataset", core.dataset, x, y)
  if mask then data:set_mask(true) end
  return data
end

--- Checks each row of x and y, before anything is trained.
function datasets.check(what, net, loss, x, y)
  check_tensors(what, x, y)
  compatibility.check_rows(what, net, loss, x, y)
end

-- x, y, xv, yv: the last rows are for validation, taken before any shuffle, as in Keras.
local function split(x, y, fraction)
  local n = #x
  -- n (1 - fraction), with its rounding undone: 10 (1 - 0.8) is 1.9999999999999996.
  local at = math.floor(n * (1 - fraction) + n * 1e-15 + 1e-9)
  if at == 0 then
    errors.raise("fit: validation_split is %g, which leaves none of the %d rows for training: take less", fraction, n)
  end
  if y and #y ~= n then
    errors.raise("fit: y is %s, expected as many rows as x, %s", native.shape_text(y), native.shape_text(x))
  end
  local xv, yv = x:rows(at + 1, n), y and y:rows(at + 1, n)
  return x:rows(1, at), y and y:rows(1, at), xv, yv
end

-- xv, yv of the option validation: xv, {xv} or {xv, yv}.
local function validation_tensors(validation, y)
  local xv, yv = validation, nil
  if type(validation) == "table" then
    for key, v in pairs(validation) do
      if key ~= 1 and key ~= 2 then
        errors.raise("fit: validation has %s at [%s], expected {x} or {x, y}", options.show(v), tostring(key))
      end
    end
    xv, yv = validation[1], validation[2]
  end
  if y and not yv then errors.raise("fit: validation has no targets, expected {x, y}") end
  return xv, yv
end

--- For fit with the options o: the training set, the validation set (nil without validation), and x and y of both.
function datasets.of_fit(net, loss, x, y, o)
  datasets.check("fit", net, loss, x, y)
  local xv, yv
  if o.validation ~= nil then
    xv, yv = validation_tensors(o.validation, y)
    datasets.check("fit: validation", net, loss, xv, yv)
  elseif o.validation_split then
    x, y, xv, yv = split(x, y, o.validation_split)
  end
  local training = datasets.make("fit", loss, x, y, o.mask)
  return training, xv ~= nil and datasets.make("fit: validation", loss, xv, yv, o.mask) or nil, x, y, xv, yv
end

return datasets

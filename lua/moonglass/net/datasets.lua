--- The datasets that fit and evaluate make from their arguments: rows and targets, for training and for validation.
local checks = require "moonglass.support.checks"
local compatibility = require "moonglass.net.compatibility"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local heads = require "moonglass.net.heads"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local weights = require "moonglass.net.weights"

local datasets = {}

--- y and options of fit(x, y, options), or of fit(x, options), where the target is x.
function datasets.arguments(y, opts)
  if opts == nil and type(y) == "table" and y[1] == nil then return nil, y end
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
-- w: weights [rows], or nil.
function datasets.make(what, loss, x, y, mask, w)
  check_tensors(what, x, y)
  compatibility.check_targets(what, loss, x, y)
  local data = errors.guard_as(what, "dataset", core.dataset, x, y)
  if mask then data:set_mask(true) end
  if w then data:set_weights(w) end
  return data
end

--- Checks each row of x and y, before anything is trained.
function datasets.check(what, net, loss, x, y)
  check_tensors(what, x, y)
  compatibility.check_rows(what, net, loss, x, y)
end

-- x, y, w, xv, yv, wv: the last rows are for validation, taken before any shuffle, as in Keras.
local function split(x, y, w, fraction)
  local n = #x
  -- n (1 - fraction), with its rounding undone: 10 (1 - 0.8) is 1.9999999999999996.
  local at = math.floor(n * (1 - fraction) + n * 1e-15 + 1e-9)
  if at == 0 then
    errors.raise("fit: validation_split is %g, which leaves none of the %d rows for training: take less", fraction, n)
  end
  if y and #y ~= n then
    errors.raise("fit: y is %s, expected as many rows as x, %s", native.shape_text(y), native.shape_text(x))
  end
  local function part(t, first, last) return t and t:rows(first, last) end
  return part(x, 1, at), part(y, 1, at), part(w, 1, at), part(x, at + 1, n), part(y, at + 1, n), part(w, at + 1, n)
end

-- xv, yv, wv of the option validation: xv, {xv}, {xv, yv} or {xv, yv, wv}.
local function validation_tensors(validation, y)
  local xv, yv, wv = validation, nil, nil
  if type(validation) == "table" then
    for key, v in pairs(validation) do
      if key ~= 1 and key ~= 2 and key ~= 3 then
        errors.raise("fit: validation has %s at [%s], expected {x}, {x, y} or {x, y, weights}", options.show(v),
          tostring(key))
      end
    end
    xv, yv, wv = validation[1], validation[2], validation[3]
  end
  if y and not yv then errors.raise("fit: validation has no targets, expected {x, y}") end
  return xv, yv, wv
end

--- For fit with the options o: the training set, the validation set (nil without validation), and x, y and weights of
-- both.
function datasets.of_fit(net, loss, x, y, o)
  datasets.check("fit", net, loss, x, y)
  heads.check_weights("fit", loss, o)
  local w, xv, yv, wv = weights.of("fit", net, x, y, o), nil, nil, nil
  if o.validation ~= nil then
    xv, yv, wv = validation_tensors(o.validation, y)
    yv = heads.targets("fit: validation", loss, yv)
    datasets.check("fit: validation", net, loss, xv, yv)
    wv = wv ~= nil and weights.check("fit: validation", "the third value", wv, #xv) or nil
  elseif o.validation_split then
    x, y, w, xv, yv, wv = split(x, y, w, o.validation_split)
    if o.class_weight then wv = nil end -- as in Keras: they weigh what is trained
  end
  local training = datasets.make("fit", loss, x, y, o.mask, w)
  local validation = xv ~= nil and datasets.make("fit: validation", loss, xv, yv, o.mask, wv) or nil
  return training, validation, {x, y, w, xv, yv, wv}
end

return datasets

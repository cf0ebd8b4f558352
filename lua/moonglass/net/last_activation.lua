--- Does the net's last activation give what the loss takes? A pair that cannot work is an error that says what to take
-- instead. A pair that is probably a mistake gives words for a warning.
local branching = require "moonglass.net.branching"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local heads = require "moonglass.net.heads"
local native = require "moonglass.support.native"

local last_activation = {}

-- ---- what comes out of the net ----

local ranges = {}

-- What an activation's outputs can be, found by running it: "probabilities" (within [0, 1]), "positive", "bounded"
-- (within [-1, 1]) or "any".
local function range_of(activation)
  if not ranges[activation] then
    local y = core.activation(activation):forward(core.linspace(-20, 20, 401):reshape(1, -1))
    local low, high = y:min(), y:max()
    ranges[activation] = low >= 0 and (high <= 1 and "probabilities" or "positive")
      or (low >= -1 and high <= 1 and "bounded" or "any")
  end
  return ranges[activation]
end

local noises = {dropout = true, gaussian_noise = true, masking_noise = true, salt_pepper_noise = true}

--- The last activation; nil if it is unknown, as after a layer written in Lua.
function last_activation.of(net)
  for i = #net, 1, -1 do
    local layer = net:layer(i)
    if not native.is_layer(layer) then return nil end
    local kind = layer:kind()
    if kind == "dense" or kind == "activation" then return layer.activation end
    if not noises[kind] then return nil end
  end
end

-- ---- what the loss takes ----

-- For each loss, with and without logits, and for each range: what is wrong, and what to do. doubtful: only a warning.
-- Every pair that is not listed is fine.
local unfit = {
  bce = {
    any = {"can be below 0", "end with sigmoid, or take moon.bce{from_logits = true}"},
    bounded = {"can be below 0", "end with sigmoid, or take moon.bce{from_logits = true}"},
    positive = {"can be above 1", "end with sigmoid", doubtful = true},
  },
  bce_logits = {
    probabilities = {"are probabilities", "end with linear, or take moon.bce{}"},
    bounded = {"are within [-1, 1]", "end with linear", doubtful = true},
    positive = {"are never below 0, so that no probability is below 1/2", "end with linear", doubtful = true},
  },
  cross_entropy = {
    any = {"can be below 0", "end with softmax, or take moon.cross_entropy{from_logits = true}"},
    bounded = {"can be below 0", "end with softmax, or take moon.cross_entropy{from_logits = true}"},
    positive = {"can all be 0", "end with softmax"},
  },
  cross_entropy_logits = {
    probabilities = {"are probabilities", "end with linear, or take moon.cross_entropy{}"},
  },
}

-- Pairs that work but are seldom meant.
local seldom = {
  bce = {softmax = "which takes each output by itself: cross_entropy takes a row as one choice"},
  cross_entropy = {sigmoid = "which divides each row by its sum: end with softmax"},
}

local function check_single_output(what, net, activation, kind)
  if net:outputs() ~= 1 then return end
  if activation == "softmax" then
    errors.raise("%s: the net ends with softmax of one output, which is always 1: end with sigmoid", what)
  end
  if kind == "cross_entropy" then
    errors.raise("%s: cross_entropy of one output is always 0, expected an output for each class: or end with sigmoid, "
      .. "and take bce", what)
  end
end

local function check_one(what, net, loss)
  local activation = last_activation.of(net)
  if not activation then return nil end
  local kind = native.is_loss(loss) and loss:kind()
  check_single_output(what, net, activation, kind)
  local takes_logits = unfit[kind] and loss.from_logits
  local found = unfit[takes_logits and kind .. "_logits" or kind]
  local reason = found and found[range_of(activation)]
  if reason then
    local text = ("%s: the net ends with %s, whose outputs %s, but %s takes %s: %s"):format(what, activation, reason[1],
      kind, takes_logits and "logits" or "probabilities", reason[2])
    if not reason.doubtful then errors.raise(text) end
    return text
  end
  local doubt = found and not takes_logits and seldom[kind][activation]
  return doubt and ("%s: the net ends with %s, and the loss is %s, %s"):format(what, activation, kind, doubt) or nil
end

-- Each head's loss with the branch that ends in its columns.
local function check_heads(what, list, net)
  local words
  for _, branch in ipairs(branching.last(net) or {{first = 1, last = net:outputs(), net = net}}) do
    for _, head in ipairs(list) do
      if head.first == branch.first and head.last == branch.last and branch.net then
        words = check_one(("%s: %s"):format(what, head.name), branch.net, head.loss) or words
      end
    end
  end
  return words
end

--- Raises, returns words for a warning, or returns nil. what: the function that the user called.
function last_activation.check(what, net, loss)
  local list = heads.of(loss)
  if list then return check_heads(what, list, net) end
  return check_one(what, net, loss)
end

return last_activation

--- The net, loss and optimiser that the settings ask for, and the same as text of a script. Both come from one list of
-- options, so that the script makes the net that was seen.
local moon = require "moonglass"
local noise = require "playground.autoencoder.noise"
local script = require "playground.script"

local nets = {}

-- ---- options of the constructors ----

-- An option's value that is written in another way than %g: the layer, and its text.
local function noise_of(s)
  return {layer = noise.layer(s.noise, s.noise_level), text = noise.text(s.noise, s.noise_level)}
end

-- For each kind of sparsity: its options, in the order of the script.
local sparsities = {
  l1 = function(s) return {{"code_activation", s.code_activation}, {"l1", s.penalty}} end,
  kl = function(s) return {{"kl_weight", s.penalty}, {"kl_target", s.target}} end,
  k = function(s) return {{"code_activation", s.code_activation}, {"k", math.min(s.kept, s.code)}} end,
}

local function hidden(s) return {"hidden", s.hidden > 0 and {s.hidden} or {}} end

-- For each kind: the options of its constructor after `input`.
local kinds = {
  plain = function(s) return {{"hidden", s.code}, {"activation", s.code_activation}} end,
  deep = function(s)
    return {hidden(s), {"code", s.code}, {"activation", s.activation}, {"code_activation", s.code_activation}}
  end,
  denoising = function(s)
    return {
      hidden(s), {"code", s.code}, {"activation", s.activation}, {"code_activation", s.code_activation},
      {"noise", noise_of(s)},
    }
  end,
  sparse = function(s)
    local list = {hidden(s), {"code", s.code}, {"activation", s.activation}}
    for _, pair in ipairs(sparsities[s.sparsity](s)) do list[#list + 1] = pair end
    return list
  end,
  variational = function(s)
    return {hidden(s), {"code", s.code}, {"activation", s.activation}, {"beta", s.beta}}
  end,
}

---The kinds of autoencoder, in the page's order.
nets.kinds = {"plain", "deep", "denoising", "sparse", "variational"}

---@param s table the room's settings
---@param input integer the width of a row
---@return moonglass.Autoencoder net with new weights from the stream of moon.seed
function nets.make(s, input)
  local given = {input = input}
  for _, pair in ipairs(kinds[s.kind](s)) do
    local value = pair[2]
    given[pair[1]] = type(value) == "table" and value.layer or value
  end
  return moon.autoencoder[s.kind](given)
end

-- ---- loss and optimiser ----

-- A variational net weighs the reconstruction of a whole row against its penalty, so its loss is summed over the row.
local function reduction(s) return s.kind == "variational" and "batchmean" or nil end

---@return moonglass.Loss loss a new one
function nets.loss(s) return moon[s.loss]{reduction = reduction(s)} end

---@return moonglass.Optimizer optimizer a new one
function nets.optimizer(s) return moon[s.optimizer]{lr = s.rate} end

-- ---- as text ----

local function text_of(value)
  if type(value) == "string" then return script.quote(value) end
  if type(value) == "number" then return script.number(value) end
  return value.text or script.list(value)
end

---The constructor's call as text of a script, for rows in `rows`.
function nets.text(s, rows)
  local lines = {("  input = %s:size(2),\n"):format(rows)}
  for _, pair in ipairs(kinds[s.kind](s)) do lines[#lines + 1] = ("  %s = %s,\n"):format(pair[1], text_of(pair[2])) end
  return ("moon.autoencoder.%s{\n%s}"):format(s.kind, table.concat(lines))
end

---The loss as text of a script.
function nets.loss_text(s)
  return ("moon.%s%s"):format(s.loss, reduction(s) and '{reduction = "batchmean"}' or "()")
end

---The optimiser as text of a script, with the rate of the first epoch.
function nets.optimizer_text(s, rate) return ("moon.%s{lr = %s}"):format(s.optimizer, script.number(rate)) end

return nets

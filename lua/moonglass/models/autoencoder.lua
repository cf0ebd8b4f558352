--- moon.autoencoder: nets with names for their halves.
--   ae = moon.autoencoder{encoder = {layers}, decoder = {layers}, noise = layer}
--   ae = moon.autoencoder.plain{input = 784, hidden = 32}
--   ae:fit(x, options)   ae:encode(x)   ae:decode(code)   ae:reconstruct(x)   ae:errors(x)
-- The noise stands before the encoder and acts in training only. The target of fit(x) is the clean x.
-- The methods are in net/halves.lua, because loading and cloning make autoencoders too.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local halves = require "moonglass.net.halves"
local native = require "moonglass.support.native"
local options = require "moonglass.support.options"
local sequential = require "moonglass.net.sequential"

---Autoencoders. `moon.autoencoder{encoder = {...}, decoder = {...}, noise = layer}` makes one of given layers.
---@class moonglass.autoencoder
---@overload fun(options: moonglass.AutoencoderOptions): moonglass.Autoencoder
local autoencoder = {}

autoencoder.adopt, autoencoder.restore = halves.adopt, halves.restore

-- ---- from layers ----

local function check_half(name, half)
  if native.is_net(half) or (type(half) == "table" and #half > 0) then return end
  errors.raise("autoencoder: %s is %s, expected a list of layers", name, options.show(half))
end

local function check_noise(noise)
  if noise == nil or native.is_layer(noise) or (type(noise) == "table" and noise.forward) then return end
  errors.raise("autoencoder: noise is %s, expected a layer, such as moon.gaussian_noise(0.4)", options.show(noise))
end

---Options of `moon.autoencoder`.
---@class moonglass.AutoencoderOptions
---@field encoder moonglass.AnyLayer[]|moonglass.Net required: a list of layers, or a net
---@field decoder moonglass.AnyLayer[]|moonglass.Net required: a list of layers, or a net
---@field noise moonglass.AnyLayer? before the encoder, active in training only; the target stays the clean x
local build_options = options.checker("autoencoder", {
  encoder = {"any", required = true}, decoder = {"any", required = true}, noise = {"any"},
})

-- A half as a net. An error names the half.
local function as_net(name, half)
  if native.is_net(half) then return half end
  return errors.guard_as("autoencoder: " .. name, "sequential", sequential, half)
end

---An autoencoder of given layers: what `moon.autoencoder{...}` calls.
---@param options moonglass.AutoencoderOptions
---@return moonglass.Autoencoder autoencoder
function autoencoder.build(given)
  local o = build_options(given)
  check_half("encoder", o.encoder)
  check_half("decoder", o.decoder)
  check_noise(o.noise)
  local encoder, decoder = as_net("encoder", o.encoder), as_net("decoder", o.decoder)
  if o.noise then encoder = errors.guard_as("autoencoder", "sequential", sequential, {o.noise, encoder}) end
  local net = errors.guard_as("autoencoder", "sequential", sequential, {encoder, decoder})
  return halves.adopt(net, #encoder)
end

-- ---- from sizes ----

-- The rules for options of every constructor below, with `more`.
local function sizes(more)
  local rules = {
    input = {"count", required = true}, hidden = {"any", required = true}, activation = {"text", "relu"},
    code_activation = {"text"}, output = {"text", "sigmoid"}, init = {"text", "glorot_uniform"}, tied = {"flag", false},
  }
  for name, rule in pairs(more or {}) do rules[name] = rule end
  return rules
end

-- {784, 128, 32}: the widths from the input to the code.
local function widths(what, o)
  local list = {o.input}
  local hidden = type(o.hidden) == "table" and o.hidden or {o.hidden}
  for _, width in ipairs(hidden) do
    if type(width) ~= "number" or math.tointeger(width) == nil or width < 1 then
      errors.raise("%s: hidden is %s, expected a width or a list of widths", what, options.show(width))
    end
    list[#list + 1] = math.tointeger(width)
  end
  list[#list + 1] = o.code
  if #list < 2 then errors.raise("%s: hidden is empty and there is no code, expected at least one width", what) end
  return list
end

-- Options of a dense layer that have other names in the constructors here.
local called = {["in"] = "a width", out = "a width", activity_l1 = "l1", activity_reduction = "reduction"}

-- A dense layer's message with the names of the user's call. activation: the option that gave the layer's activation.
local function in_own_words(text, what, activation)
  local rest = text:match("^dense: (.*)$")
  if not rest then return text end
  if rest:find("^unknown activation") then rest = activation .. ": " .. rest end
  rest = rest:gsub("^([%w_]+) is", function(name)
    return (name == "activation" and activation or called[name] or name) .. " is"
  end)
  return what .. ": " .. rest
end

-- A dense layer n_in -> n_out. Its activation is the option o[activation]; `more` overrides opts.
local function dense(what, n_in, n_out, o, activation, opts, more)
  opts.activation, opts.init = o[activation], o.init
  for name, v in pairs(more or {}) do opts[name] = v end
  return errors.guard_by(in_own_words, what, activation, core.dense, n_in, n_out, opts)
end

-- The encoder's dense layers. more[i]: further options of dense layer i, counted from the input.
local function down(what, width, o, more)
  local list, n = {}, #width - 1
  for i = 1, n do
    local activation = i == n and o.code_activation and "code_activation" or "activation"
    list[i] = dense(what, width[i], width[i + 1], o, activation, {}, more[i])
  end
  return list
end

-- The decoder's dense layers: the mirror images of the encoder's, with their weights if tied.
local function up(what, width, o, more, encoder)
  local list, n = {}, #encoder
  for i = n, 1, -1 do
    local opts = {tied = o.tied and encoder[i] or nil}
    local activation = i == 1 and "output" or "activation"
    list[#list + 1] = dense(what, width[i + 1], width[i], o, activation, opts, more[2 * n + 1 - i])
  end
  return list
end

-- more(n): further options for each dense layer, where layer n gives the code. after: a layer after that one.
local function hourglass(what, o, more, after)
  local width = widths(what, o)
  if o.k and o.k > width[#width] then
    errors.raise("%s: k is %d, expected at most the %d elements of the code", what, o.k, width[#width])
  end
  local given = more and more(#width - 1) or {}
  local encoder = down(what, width, o, given)
  local decoder = up(what, width, o, given, encoder)
  encoder[#encoder + 1] = after
  return autoencoder.build{encoder = encoder, decoder = decoder, noise = o.noise}
end

---Options of every autoencoder that is made from sizes.
---@class moonglass.SizesOptions
---@field input integer required: the width of a row
---@field activation moonglass.ActivationName? default "relu": the activation of the hidden layers
---@field output moonglass.ActivationName? default "sigmoid": the activation of the last layer
---@field init moonglass.InitName? default "glorot_uniform": the initialiser of the weights
---@field tied boolean? default false: the decoder uses the encoder's weights, transposed

---Options of `moon.autoencoder.plain`.
---@class moonglass.PlainOptions: moonglass.SizesOptions
---@field hidden integer required: the width of the code
---@field code_activation moonglass.ActivationName? the activation of the code; `activation` if not given
---@field contractive number? default 0: weight of the penalty on the squared derivatives of the code by its inputs
local plain_options = options.checker("autoencoder.plain", sizes{contractive = {"number", 0}})

---Options of `moon.autoencoder.deep`.
---@class moonglass.DeepOptions: moonglass.SizesOptions
---@field hidden integer|integer[] required: the widths of the layers before the code; the decoder mirrors them
---@field code integer required: the width of the code
---@field code_activation moonglass.ActivationName? the activation of the code; `activation` if not given
---@field contractive number? default 0: weight of the penalty on the squared derivatives of the code by its inputs
local deep_options = options.checker("autoencoder.deep",
  sizes{code = {"count", required = true}, contractive = {"number", 0}})

---Options of `moon.autoencoder.denoising`.
---@class moonglass.DenoisingOptions: moonglass.SizesOptions
---@field noise moonglass.AnyLayer required: for example `moon.gaussian_noise(0.4, {clip = {0, 1}})`
---@field hidden integer|integer[] required: the widths of the hidden layers; without `code` the last is the code's
---@field code integer? the width of the code
---@field code_activation moonglass.ActivationName? the activation of the code; `activation` if not given
local denoising_options = options.checker("autoencoder.denoising",
  sizes{code = {"count"}, noise = {"any", required = true}})

local function contractive(o)
  return function(code) return {[code] = {contractive = o.contractive}} end
end

---One hidden layer, which is the code: `moon.autoencoder.plain{input = 784, hidden = 32}`.
---@param options moonglass.PlainOptions
---@return moonglass.Autoencoder autoencoder
function autoencoder.plain(given)
  local o = plain_options(given)
  if type(o.hidden) == "table" then
    errors.raise("autoencoder.plain: hidden is a table, expected one width (autoencoder.deep takes a list)")
  end
  return hourglass("autoencoder.plain", o, contractive(o))
end

---Hidden layers on both sides of the code: `moon.autoencoder.deep{input = 784, hidden = {128}, code = 32}`.
---@param options moonglass.DeepOptions
---@return moonglass.Autoencoder autoencoder
function autoencoder.deep(given)
  local o = deep_options(given)
  return hourglass("autoencoder.deep", o, contractive(o))
end

---Plain or deep, after a noise layer that is active in training only. The target stays the clean x.
---@param options moonglass.DenoisingOptions
---@return moonglass.Autoencoder autoencoder
function autoencoder.denoising(given) return hourglass("autoencoder.denoising", denoising_options(given)) end

-- ---- variational ----

---Options of `moon.autoencoder.variational`.
---@class moonglass.VariationalOptions
---@field input integer required: the width of a row
---@field hidden integer|integer[] required: the widths of the layers before the code; the decoder mirrors them
---@field code integer required: the width of the code
---@field beta number? default 1, at least 0: weight of the divergence from the standard normal distribution
---@field activation moonglass.ActivationName? default "relu": the activation of the hidden layers
---@field output moonglass.ActivationName? default "sigmoid": the activation of the last layer
---@field init moonglass.InitName? default "glorot_uniform": the initialiser of the weights
local variational_options = options.checker("autoencoder.variational", {
  input = {"count", required = true}, hidden = {"any", required = true}, code = {"count", required = true},
  beta = {"number", 1}, activation = {"text", "relu"}, output = {"text", "sigmoid"}, init = {"text", "glorot_uniform"},
})

---A variational autoencoder (Kingma and Welling 2014): the encoder gives means and log variances, and the layer
---`moon.gaussian_code` draws the code from them, as in
---`moon.autoencoder.variational{input = 784, hidden = {400}, code = 20}`.
---@param options moonglass.VariationalOptions
---@return moonglass.Variational autoencoder
function autoencoder.variational(given)
  local what, o = "autoencoder.variational", variational_options(given)
  local width = widths(what, o)
  local last = errors.guard_as(what, "gaussian_code", core.gaussian_code, o.code, {beta = o.beta})
  local doubled = table.move(width, 1, #width - 1, 1, {})
  doubled[#width], o.code_activation = 2 * o.code, "linear"
  local encoder = down(what, doubled, o, {})
  local decoder = up(what, width, o, {}, encoder)
  encoder[#encoder + 1] = last
  return autoencoder.build{encoder = encoder, decoder = decoder}
end

-- ---- sparse codes ----

-- The options of each kind of sparsity. The first one selects the kind; without any, the kind is l1. An option without
-- a default here has the layer's default.
local kinds = {
  {"l1", "reduction", "layers"},
  {"kl_weight", "kl_target"},
  {"k"},
}

-- The first option of this kind that was given.
local function first_given(kind, o)
  for _, name in ipairs(kind) do
    if o[name] ~= nil then return name end
  end
end

-- "l1", "kl_weight" or "k".
local function sparsity(o)
  local chosen, named
  for _, kind in ipairs(kinds) do
    local name = first_given(kind, o)
    if name and chosen then
      errors.raise("autoencoder.sparse: %s and %s are given, expected one kind of sparsity: l1, kl_weight or k", named,
        name)
    end
    if name then chosen, named = kind[1], name end
  end
  if named == "kl_target" then
    errors.raise("autoencoder.sparse: kl_target is given without kl_weight, expected both")
  end
  return chosen or "l1"
end

-- For each name, the first and the last dense layer. code: the number of the layer that gives the code.
local spans = {
  code = function(code) return code, code end,
  encoder = function(code) return 1, code end,
  all = function(code) return 1, 2 * code - 1 end,
}

-- The numbers of the chosen dense layers.
local function chosen_layers(layers, code)
  local list = layers
  if type(layers) ~= "table" then
    if not spans[layers] then
      errors.raise("autoencoder.sparse: layers is %s (known: all, code, encoder, or a list of numbers)",
        options.show(layers))
    end
    local first, last = spans[layers](code)
    list = {}
    for i = first, last do list[#list + 1] = i end
  end
  for _, i in ipairs(list) do
    if math.type(i) ~= "integer" or i < 1 or i > 2 * code then
      errors.raise("autoencoder.sparse: layers has %s, expected dense layers of 1 to %d", options.show(i), 2 * code)
    end
  end
  return list
end

-- For each kind, hourglass's arguments more and after.
local makers = {}

function makers.l1(o)
  return function(code)
    local more = {}
    for _, i in ipairs(chosen_layers(o.layers or "code", code)) do
      more[i] = {activity_l1 = o.l1 or 1e-5, activity_reduction = o.reduction}
    end
    return more
  end
end

function makers.kl_weight(o)
  o.code_activation = o.code_activation or "sigmoid"
  return function(code) return {[code] = {kl_weight = o.kl_weight, kl_target = o.kl_target}} end
end

function makers.k(o)
  o.code_activation = o.code_activation or "linear"
  return nil, errors.guard(core.k_sparse, o.k)
end

---Options of `moon.autoencoder.sparse`. There are three kinds of sparsity: l1, kl_weight and k. Options of two kinds
---raise.
---@class moonglass.SparseOptions: moonglass.SizesOptions
---@field hidden integer|integer[] required: the widths of the hidden layers; without `code` the last is the code's
---@field code integer? the width of the code
---@field l1 number? default 1e-5, used if no kind is given: weight of the penalty on the sum of absolute outputs
---@field reduction "batchmean"|"sum"? default "batchmean": that penalty is averaged over the rows, or summed
---@field layers "code"|"encoder"|"all"|integer[]? default "code": the penalised layers, or a list of their numbers
---@field kl_weight number? weight of the penalty that draws the mean of each code element over the batch to kl_target
---@field kl_target number? default 0.05, above 0 and below 1
---@field k integer? only the k largest elements of each code are kept
---@field code_activation moonglass.ActivationName? "sigmoid" with kl_weight, "linear" with k, else `activation`
local sparse_options = options.checker("autoencoder.sparse", sizes{
  code = {"count"}, l1 = {"number"}, reduction = {{"batchmean", "sum"}}, layers = {"any"},
  kl_weight = {"number"}, kl_target = {"fraction"}, k = {"count"},
})

---Plain or deep, with a code made sparse in one of three ways. The penalty l1 is for the code; with `layers =
---"encoder"` also for the hidden layers before it, with "all" for every hidden layer, with a list like {1, 3} for these
---dense layers.
---@param options moonglass.SparseOptions
---@return moonglass.Autoencoder autoencoder
function autoencoder.sparse(given)
  local o = sparse_options(given)
  return hourglass("autoencoder.sparse", o, makers[sparsity(o)](o))
end

return setmetatable(autoencoder, {__call = function(_, given) return autoencoder.build(given) end})

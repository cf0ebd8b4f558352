--- Autoencoders: a sequential with names for its halves.
--   ae = moon.autoencoder{encoder = {layers}, decoder = {layers}, noise = layer}
--   ae = moon.autoencoder.plain{input = 784, hidden = 32}
--   ae:fit(x, options)   ae:encode(x)   ae:decode(code)   ae:reconstruct(x)   ae:errors(x)
-- The noise stands before the encoder and is active in training only: the target of fit(x) stays the clean x.
local core = require "moonglass.core"
local errors = require "moonglass.errors"
local native = require "moonglass.native"
local options = require "moonglass.options"
local sequential = require "moonglass.sequential"

local autoencoder = {}

-- ---- methods ----

local methods = {}

--- The code of each row. options: batch_size, as in all of these.
function methods:encode(x, given) return errors.guard(self.encoder.predict, self.encoder, x, given) end

--- The rows that codes stand for.
function methods:decode(code, given) return errors.guard(self.decoder.predict, self.decoder, code, given) end

function methods:reconstruct(x, given) return errors.guard(self.predict, self, x, given) end

--- Make a net an autoencoder whose first `layers` layers are the encoder. Returns the net.
function autoencoder.adopt(net, layers)
  for name, method in pairs(methods) do net[name] = method end
  net.encoder, net.decoder = net:slice(1, layers), net:slice(layers + 1, #net)
  if native.is_net(net) then net:set_encoder_layers(layers) end
  return net
end

--- A net that was read from a file: an autoencoder again if it was one.
function autoencoder.restore(net)
  local layers = net:encoder_layers()
  return layers > 0 and autoencoder.adopt(net, layers) or net
end

-- ---- from layers ----

local function check_half(name, half)
  if native.is_net(half) or (type(half) == "table" and #half > 0) then return end
  errors.raise("autoencoder: %s is %s, expected a list of layers", name, options.show(half))
end

local build_options = options.checker("autoencoder", {
  encoder = {"any", required = true}, decoder = {"any", required = true}, noise = {"any"},
})

local function as_list(half) return native.is_net(half) and {half} or half end

function autoencoder.build(given)
  local o = build_options(given)
  check_half("encoder", o.encoder)
  check_half("decoder", o.decoder)
  local front = table.move(as_list(o.encoder), 1, #as_list(o.encoder), o.noise and 2 or 1, {o.noise})
  local encoder = sequential(front)
  return autoencoder.adopt(sequential{encoder, table.unpack(as_list(o.decoder))}, #encoder)
end

-- ---- from sizes ----

-- Options of every constructor below.
local function sizes(more)
  local rules = {
    input = {"count", required = true}, hidden = {"any", required = true}, activation = {"text", "relu"},
    code_activation = {"text"}, output = {"text", "sigmoid"}, init = {"text", "glorot_uniform"},
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

-- Dense layers down to the code and, mirrored, up again. `code` holds further options of the layer that gives the code.
local function hourglass(what, o, code)
  local width = widths(what, o)
  local encoder, decoder = {}, {}
  local function dense(n_in, n_out, opts)
    opts.init = o.init
    return errors.guard(core.dense, n_in, n_out, opts)
  end
  for i = 1, #width - 2 do encoder[i] = dense(width[i], width[i + 1], {activation = o.activation}) end
  code.activation = o.code_activation or o.activation
  encoder[#width - 1] = dense(width[#width - 1], width[#width], code)
  for i = #width, 3, -1 do decoder[#decoder + 1] = dense(width[i], width[i - 1], {activation = o.activation}) end
  decoder[#decoder + 1] = dense(width[2], width[1], {activation = o.output})
  return autoencoder.build{encoder = encoder, decoder = decoder, noise = o.noise}
end

local plain_options = options.checker("autoencoder.plain", sizes())
local deep_options = options.checker("autoencoder.deep", sizes{code = {"count", required = true}})
local denoising_options = options.checker("autoencoder.denoising",
  sizes{code = {"count"}, noise = {"any", required = true}})
local sparse_options = options.checker("autoencoder.sparse",
  sizes{code = {"count"}, l1 = {"number", 1e-5}, reduction = {{"batchmean", "sum"}, "batchmean"}})

--- One hidden layer, which is the code. Options of all of these: input, hidden, activation="relu", code_activation,
-- output="sigmoid" (the last activation), init="glorot_uniform".
function autoencoder.plain(given)
  local o = plain_options(given)
  if type(o.hidden) == "table" then
    errors.raise("autoencoder.plain: hidden is a table, expected one width (autoencoder.deep takes a list)")
  end
  return hourglass("autoencoder.plain", o, {})
end

--- The same with layers in between: {input=784, hidden={128}, code=32}.
function autoencoder.deep(given) return hourglass("autoencoder.deep", deep_options(given), {}) end

--- Plain, or with a code deep, behind a layer of noise.
function autoencoder.denoising(given) return hourglass("autoencoder.denoising", denoising_options(given), {}) end

--- Plain, or with a code deep, and l1 times the sum of the code's absolute values as a penalty (of each batch, or its
-- mean over the rows).
function autoencoder.sparse(given)
  local o = sparse_options(given)
  return hourglass("autoencoder.sparse", o, {activity_l1 = o.l1, activity_reduction = o.reduction})
end

return setmetatable(autoencoder, {__call = function(_, given) return autoencoder.build(given) end})

--- Variational autoencoders (Kingma and Welling 2014, arXiv 1312.6114): what an autoencoder can do more if its encoder
-- ends with a gaussian_code layer, and the warning of a loss that does not go with that layer's penalty.
local arity = require "moonglass.support.arity"
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local last_activation = require "moonglass.net.last_activation"
local measures = require "moonglass.net.measures"
local native = require "moonglass.support.native"
local passes = require "moonglass.net.passes"

local variational = {}

---An autoencoder whose code is drawn from normal distributions in training, and is their means otherwise. If it ends
---with sigmoid, its loss is `moon.bce{reduction = "batchmean"}` unless `fit` or `evaluate` get another one.
---@class moonglass.Variational: moonglass.Autoencoder
local Variational = {}

-- The layers that give means and log variances, as a net.
local function statistics(encoder)
  local n = #encoder
  return n > 1 and encoder:slice(1, n - 1) or core.net{core.activation("linear")}
end

---The distribution of each row's code: means, and logarithms of variances.
---@param x moonglass.Tensor|moonglass.Source [rows x in]
---@param options moonglass.BatchOptions?
---@return moonglass.Tensor mean [rows x code], the code in inference
---@return moonglass.Tensor log_variance [rows x code]
function Variational:encode(x, given)
  checks.net("encode", self)
  local both = passes.predict("encode", statistics(self.encoder), x, given)
  return table.unpack(both:split(2, both:size(2) // 2))
end

---The rows that the codes stand for. Log variances behind the code change nothing: `ae:decode(ae:encode(x))`.
---@param code moonglass.Tensor|moonglass.Source [rows x code]
---@param options moonglass.BatchOptions|moonglass.Tensor?
---@return moonglass.Tensor x [rows x out]
function Variational:decode(code, given)
  checks.net("decode", self)
  if native.is_tensor(given) then given = nil end
  return passes.predict("decode", self.decoder, code, given)
end

---Rows that no row stands behind: codes drawn from the standard normal distribution, decoded.
---@param n integer how many, at least 1
---@return moonglass.Tensor x [n x out]
function Variational:sample(n)
  checks.net("sample", self)
  checks.whole("sample", "n", n, 1, math.maxinteger)
  return passes.predict("sample", self.decoder, core.randn(n, self:layer(#self.encoder).k))
end

arity.check_class(Variational)

--- Gives an autoencoder these methods and the loss, if its encoder ends with a gaussian_code layer.
function variational.extend(ae)
  local layer = ae:layer(#ae.encoder)
  if not native.is_layer(layer) or layer:kind() ~= "gaussian_code" then return end
  for name, method in pairs(Variational) do ae[name] = method end
  if last_activation.of(ae) == "sigmoid" then ae.loss = core.bce{reduction = "batchmean"} end
end

-- The largest beta of the net's codes; nil if there are none.
local function largest_beta(net)
  local beta
  for i = 1, #net do
    local layer = net:layer(i)
    if native.is_layer(layer) and layer:kind() == "gaussian_code" then beta = math.max(beta or 0, layer.beta) end
  end
  return beta
end

-- ---- the two parts of the objective, in the history of every fit ----

measures.provide(function(net)
  if not largest_beta(net) then return nil end
  return {{name = "reconstruction", measure = "data"}, {name = "kl", measure = "kl", in_core = true}}
end)

-- ---- a loss with another scale than the penalty ----

local function reduction_of(loss)
  for _, option in ipairs(core.options("losses", loss:kind())) do
    if option.name == "reduction" then return loss.reduction end
  end
end

--- Words for a warning, or nil. The penalty is summed over the code and averaged over the rows: a loss that is averaged
-- over the outputs of a row too weighs so little beside it that the code says nothing about the rows.
function variational.doubt(what, net, loss)
  if not native.is_loss(loss) then return nil end
  local beta, reduction, width = largest_beta(net), reduction_of(loss), net:outputs()
  if not beta or beta == 0 then return nil end
  if reduction == "mean" and beta * width >= 2 then
    return ("%s: the loss %s is a mean over the %d outputs of a row, but gaussian_code's penalty a sum over its code, "
      .. "so that it counts %.4g times: take moon.%s{reduction = \"batchmean\"}, or beta = %g / %d"):format(what,
      loss:kind(), width, beta * width, loss:kind(), beta, width)
  elseif reduction == "sum" then
    return ("%s: the loss %s is a sum over the rows of a batch, but gaussian_code's penalty a mean: "
      .. "take moon.%s{reduction = \"batchmean\"}"):format(what, loss:kind(), loss:kind())
  end
end

return variational

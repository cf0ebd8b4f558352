-- The formulas of activations, losses, optimisers and initialisers, in plain Lua and double precision, for comparison
-- with the engine: local formulas = dofile "spec/support/formulas.lua". registry_spec tells which are missing.
local formulas = {}

local function sigmoid(x) return 1 / (1 + math.exp(-x)) end

-- An integral by Simpson's rule.
function formulas.erf(x)
  local n, sum = 200, 0
  local h = math.min(math.abs(x), 6) / n
  for i = 0, n do
    sum = sum + math.exp(-(i * h) ^ 2) * ((i == 0 or i == n) and 1 or i % 2 == 1 and 4 or 2)
  end
  return (x < 0 and -1 or 1) * sum * h / 3 * 2 / math.sqrt(math.pi)
end

-- ---- activations ----

local function softmax(row)
  local largest, sum, result = math.max(table.unpack(row)), 0, {}
  for _, v in ipairs(row) do sum = sum + math.exp(v - largest) end
  for i, v in ipairs(row) do result[i] = math.exp(v - largest) / sum end
  return result
end

local function selu(x)
  return 1.0507009873554805 * (x > 0 and x or 1.6732632423543772 * (math.exp(x) - 1))
end

--- Each has `element`, a function of a number, or `row`, of a list; and `onnx`, the operators of its export.
formulas.activations = {
  linear = {element = function(x) return x end, onnx = ""},
  relu = {element = function(x) return math.max(x, 0) end, onnx = "Relu"},
  sigmoid = {element = sigmoid, onnx = "Sigmoid"},
  tanh = {element = function(x) return 1 - 2 / (1 + math.exp(2 * x)) end, onnx = "Tanh"},
  softplus = {
    element = function(x) return math.log(1 + math.exp(-math.abs(x))) + math.max(x, 0) end, onnx = "Softplus",
  },
  elu = {element = function(x) return x > 0 and x or math.exp(x) - 1 end, onnx = "Elu"},
  leaky_relu = {element = function(x) return x > 0 and x or 0.2 * x end, onnx = "LeakyRelu"},
  selu = {element = selu, onnx = "Selu"},
  gelu = {element = function(x) return x / 2 * (1 + formulas.erf(x / math.sqrt(2))) end, onnx = "Mul Erf Mul Add Mul"},
  silu = {element = function(x) return x * sigmoid(x) end, onnx = "Sigmoid Mul"},
  softmax = {row = softmax, onnx = "Softmax"},
}

-- ---- losses ----

--- Each has `element`, a function of a prediction and its target, both in (0, 1), or `row`, of lists of them.
formulas.losses = {
  mse = {element = function(p, t) return (p - t) ^ 2 end},
  mae = {element = function(p, t) return math.abs(p - t) end},
  bce = {element = function(p, t) return -(t * math.log(p) + (1 - t) * math.log(1 - p)) end},
  huber = {element = function(p, t)
    local d = math.abs(p - t)
    return d <= 1 and d * d / 2 or d - 0.5
  end},
  cross_entropy = {row = function(p, t)
    local sum, loss = 0, 0
    for _, v in ipairs(p) do sum = sum + v end
    for i, v in ipairs(p) do loss = loss - t[i] * math.log(v / sum) end
    return loss
  end},
}

-- ---- optimisers: one weight, its gradient, the options; state is a table that starts empty ----

formulas.optimizers = {}

function formulas.optimizers.sgd(w, g, o, state)
  state.v = (o.momentum or 0) * (state.v or 0) - o.lr * g
  return w + (o.nesterov and o.momentum * state.v - o.lr * g or state.v)
end

function formulas.optimizers.rmsprop(w, g, o, state)
  local rho = o.rho or 0.9
  state.v = rho * (state.v or 0) + (1 - rho) * g * g
  state.mean = rho * (state.mean or 0) + (1 - rho) * g
  local variance = o.centered and state.v - state.mean ^ 2 or state.v
  state.step = (o.momentum or 0) * (state.step or 0) + o.lr * g / math.sqrt(variance + (o.eps or 1e-7))
  return w - state.step
end

function formulas.optimizers.adagrad(w, g, o, state)
  state.a = (state.a or o.initial_accumulator or 0.1) + g * g
  return w - o.lr * g / math.sqrt(state.a + (o.eps or 1e-7))
end

function formulas.optimizers.adam(w, g, o, state)
  local b1, b2 = o.beta1 or 0.9, o.beta2 or 0.999
  state.t = (state.t or 0) + 1
  state.m = (state.m or 0) + (g - (state.m or 0)) * (1 - b1)
  state.v = (state.v or 0) + (g * g - (state.v or 0)) * (1 - b2)
  local alpha = o.lr * math.sqrt(1 - b2 ^ state.t) / (1 - b1 ^ state.t)
  return w - alpha * state.m / (math.sqrt(state.v) + (o.eps or 1e-7))
end

function formulas.optimizers.adamw(w, g, o, state)
  return formulas.optimizers.adam(w, g, o, state)
end

function formulas.optimizers.adamax(w, g, o, state)
  local b1, b2 = o.beta1 or 0.9, o.beta2 or 0.999
  state.t = (state.t or 0) + 1
  state.m = (state.m or 0) + (g - (state.m or 0)) * (1 - b1)
  state.u = math.max(b2 * (state.u or 0), math.abs(g))
  return w - o.lr * state.m / ((1 - b1 ^ state.t) * (state.u + (o.eps or 1e-7)))
end

function formulas.optimizers.nadam(w, g, o, state)
  local b1, b2 = o.beta1 or 0.9, o.beta2 or 0.999
  state.t = (state.t or 0) + 1
  local u, ahead = b1 * (1 - 0.5 * 0.96 ^ state.t), b1 * (1 - 0.5 * 0.96 ^ (state.t + 1))
  state.product = (state.product or 1) * u
  state.m = (state.m or 0) + (g - (state.m or 0)) * (1 - b1)
  state.v = (state.v or 0) + (g * g - (state.v or 0)) * (1 - b2)
  local m = ahead * state.m / (1 - state.product * ahead) + (1 - u) * g / (1 - state.product)
  return w - o.lr * m / (math.sqrt(state.v / (1 - b2 ^ state.t)) + (o.eps or 1e-7))
end

function formulas.optimizers.adadelta(w, g, o, state)
  local rho, eps = o.rho or 0.95, o.eps or 1e-7
  state.a = rho * (state.a or 0) + (1 - rho) * g * g
  local step = math.sqrt((state.b or 0) + eps) / math.sqrt(state.a + eps) * g
  state.b = rho * (state.b or 0) + (1 - rho) * step * step
  return w - o.lr * step
end

--- Options to test each optimiser with, with and without weight decay.
formulas.options = {
  sgd = {{}, {momentum = 0.9}, {momentum = 0.9, nesterov = true}},
  rmsprop = {{}, {rho = 0.5, eps = 1e-3}, {momentum = 0.8}, {centered = true, eps = 1e-3},
             {centered = true, momentum = 0.8, eps = 1e-3}},
  adagrad = {{}, {initial_accumulator = 1}, {eps = 0.5}},
  adam = {{}, {beta1 = 0.5, beta2 = 0.9}, {eps = 0.1}},
  adamw = {{}, {beta1 = 0.5, beta2 = 0.9}},
  adamax = {{}, {beta1 = 0.5, beta2 = 0.9}, {eps = 0.1}},
  nadam = {{}, {beta1 = 0.5, beta2 = 0.9}, {eps = 0.1}},
  adadelta = {{}, {rho = 0.5, eps = 1e-3}},
}

-- ---- initialisers ----

formulas.fan_in, formulas.fan_out = 300, 200
local fan_in, fan_out = formulas.fan_in, formulas.fan_out

local cut = 2 / 0.87962566103423978 -- two deviations of the normal distribution before truncation

--- For initial weights [fan_in x fan_out]: {deviation, largest absolute value in deviations, or nil, mean =}.
formulas.inits = {
  glorot_uniform = {math.sqrt(2 / (fan_in + fan_out)), math.sqrt(3)},
  glorot_normal = {math.sqrt(2 / (fan_in + fan_out)), cut},
  he_uniform = {math.sqrt(2 / fan_in), math.sqrt(3)},
  he_normal = {math.sqrt(2 / fan_in), cut},
  lecun_normal = {math.sqrt(1 / fan_in), cut},
  uniform = {0.05 / math.sqrt(3), math.sqrt(3)},
  normal = {0.05},
  zeros = {0, 0},
  ones = {0, 0, mean = 1},
}

return formulas

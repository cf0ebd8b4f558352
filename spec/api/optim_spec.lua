-- Optimisers against their formulas in plain Lua, with each of their options; initialisers by their moments.
local moon = require "moonglass"

-- ---- formulas: one weight, a list of gradients; state is a table that starts empty ----

local formulas = {}

function formulas.sgd(w, g, o, state)
  state.v = (o.momentum or 0) * (state.v or 0) - o.lr * g
  return w + (o.nesterov and o.momentum * state.v - o.lr * g or state.v)
end

function formulas.rmsprop(w, g, o, state)
  local rho = o.rho or 0.9
  state.v = rho * (state.v or 0) + (1 - rho) * g * g
  state.mean = rho * (state.mean or 0) + (1 - rho) * g
  local variance = o.centered and state.v - state.mean ^ 2 or state.v
  state.step = (o.momentum or 0) * (state.step or 0) + o.lr * g / math.sqrt(variance + (o.eps or 1e-7))
  return w - state.step
end

function formulas.adagrad(w, g, o, state)
  state.a = (state.a or o.initial_accumulator or 0.1) + g * g
  return w - o.lr * g / math.sqrt(state.a + (o.eps or 1e-7))
end

function formulas.adam(w, g, o, state)
  local b1, b2 = o.beta1 or 0.9, o.beta2 or 0.999
  state.t = (state.t or 0) + 1
  state.m = (state.m or 0) + (g - (state.m or 0)) * (1 - b1)
  state.v = (state.v or 0) + (g * g - (state.v or 0)) * (1 - b2)
  local alpha = o.lr * math.sqrt(1 - b2 ^ state.t) / (1 - b1 ^ state.t)
  return w - alpha * state.m / (math.sqrt(state.v) + (o.eps or 1e-7))
end

-- Each is tried with weight decay as well.
local variants = {
  sgd = {{}, {momentum = 0.9}, {momentum = 0.9, nesterov = true}},
  rmsprop = {{}, {rho = 0.5, eps = 1e-3}, {momentum = 0.8}, {centered = true, eps = 1e-3},
             {centered = true, momentum = 0.8, eps = 1e-3}},
  adagrad = {{}, {initial_accumulator = 1}, {eps = 0.5}},
  adam = {{}, {beta1 = 0.5, beta2 = 0.9}, {eps = 0.1}},
}

local width, steps = 37, 6 -- an odd width: whole vectors of each instruction set, and a rest

local function copy(options, more)
  local result = {}
  for _, t in ipairs{options, more} do
    for name, v in pairs(t) do result[name] = v end
  end
  return result
end

local function described(kind, options)
  local parts = {}
  for name, v in pairs(options) do parts[#parts + 1] = name .. "=" .. tostring(v) end
  table.sort(parts)
  return kind .. "{" .. table.concat(parts, ", ") .. "}"
end

local function check(kind, options)
  moon.seed(3)
  local opt, value, grad = moon[kind](options), moon.randn(1, width), moon.zeros(1, width)
  local expected, states, decay = value:totable()[1], {}, options.lr * (options.weight_decay or 0)
  for i = 1, width do states[i] = {} end
  for _ = 1, steps do
    grad:copy_(moon.randn(1, width))
    local g = grad:totable()[1]
    opt:step{{name = "w", value = value, grad = grad}}
    for i = 1, width do
      expected[i] = formulas[kind](expected[i], g[i], options, states[i]) - decay * expected[i]
    end
  end
  assert.is_true(value:allclose(moon.tensor{expected}, 1e-5, 1e-6), "too far from the formula")
end

describe("the optimiser", function()
  for _, kind in ipairs(moon.registered("optimizers")) do
    for _, options in ipairs(assert(variants[kind], "no formula of " .. kind .. " in this spec: add one")) do
      for _, more in ipairs{{lr = 0.05}, {lr = 0.05, weight_decay = 0.1}} do
        local given = copy(options, more)
        it(described(kind, given), function() check(kind, given) end)
      end
    end
  end
end)

-- ---- initialisers ----

local fan_in, fan_out = 300, 200

-- What the deviation is; the largest absolute value in deviations, nil where there is none.
local cut = 2 / 0.87962566103423978 -- at two deviations of the normal distribution before it was cut
local moments = {
  glorot_uniform = {math.sqrt(2 / (fan_in + fan_out)), math.sqrt(3)},
  glorot_normal = {math.sqrt(2 / (fan_in + fan_out)), cut},
  he_uniform = {math.sqrt(2 / fan_in), math.sqrt(3)},
  he_normal = {math.sqrt(2 / fan_in), cut},
  lecun_normal = {math.sqrt(1 / fan_in), cut},
  uniform = {0.05 / math.sqrt(3), math.sqrt(3)},
  normal = {0.05},
  zeros = {0, 0},
}

describe("the initialiser", function()
  for _, name in ipairs(moon.registered("inits")) do
    it(name .. " draws weights with its mean, deviation and bound; the bias is 0", function()
      local expected = assert(moments[name], "no moments of " .. name .. " in this spec: add them")
      moon.seed(5)
      local layer = moon.dense(fan_in, fan_out, {init = name})
      local w, deviation, bound = layer.weight, expected[1], expected[2]
      local values = w:reshape(-1)
      -- 60,000 draws: the mean is within 5 of its own deviations, the deviation within 5 of its.
      assert.is_true(math.abs(values:mean()) <= 5 * deviation / math.sqrt(fan_in * fan_out))
      assert.is_true(math.abs(values:std() - deviation) <= 0.015 * deviation)
      local largest = values:abs():max()
      if bound then assert.is_true(largest <= bound * deviation * 1.00001) end
      assert.is_true(largest >= 0.95 * (bound or 4) * deviation)
      assert.equal(0, layer.bias:abs():max())
    end)
  end
end)

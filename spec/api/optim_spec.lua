-- Optimizers compared with their formulas in plain Lua, with each of their options; initialisers by their moments.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"
local formulas = dofile "spec/support/formulas.lua"
local known = dofile "spec/support/known.lua"

local width, steps = 37, 6 -- an odd width: whole vectors of each instruction set and a remainder

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
  local expected, states, decay = value:totable()[1], {}, options.lr * opt.weight_decay
  for i = 1, width do states[i] = {} end
  for _ = 1, steps do
    grad:copy_(moon.randn(1, width))
    local g = grad:totable()[1]
    opt:step{{name = "w", value = value, grad = grad}}
    for i = 1, width do
      expected[i] = formulas.optimizers[kind](expected[i], g[i], options, states[i]) - decay * expected[i]
    end
  end
  assert.is_true(value:allclose(moon.tensor{expected}, 1e-5, 1e-6), "too far from the formula")
end

describe("the optimiser", function()
  for _, kind in ipairs(moon.registered("optimizers")) do
    for _, options in ipairs(formulas.options[kind] or {}) do
      for _, more in ipairs{{lr = 0.05}, {lr = 0.05, weight_decay = 0.1}} do
        local given = copy(options, more)
        it(described(kind, given), function() check(kind, given) end)
      end
    end
  end
end)

-- ---- initialisers ----

local fan_in, fan_out = formulas.fan_in, formulas.fan_out

describe("the initialiser", function()
  for name in pairs(formulas.inits) do
    it(name .. " draws weights with its mean, deviation and bound; the bias is 0", function()
      moon.seed(5)
      local layer = moon.dense(fan_in, fan_out, {init = name})
      local deviation, bound = table.unpack(formulas.inits[name])
      local values = layer.weight:reshape(-1) - (formulas.inits[name].mean or 0)
      -- 60,000 draws: mean and deviation are within 5 standard errors.
      assert.is_true(math.abs(values:mean()) <= 5 * deviation / math.sqrt(fan_in * fan_out))
      assert.is_true(math.abs(values:std() - deviation) <= 0.015 * deviation)
      local largest = values:abs():max()
      if bound then assert.is_true(largest <= bound * deviation * 1.00001) end
      assert.is_true(largest >= 0.95 * (bound or 4) * deviation)
      assert.equal(0, layer.bias:abs():max())
    end)
  end

  it("of the bias takes its length for both fans, as in Keras, and draws after the weight's", function()
    moon.seed(5)
    local weight = moon.dense(fan_in, fan_out).weight
    for name in pairs(formulas.inits) do
      moon.seed(5)
      local layer = moon.dense(fan_in, fan_out, {bias_init = name})
      assert.is_true(layer.weight:equal(weight), name)
      assert.equal(name, layer.bias_init)
    end
    assert.is_true(moon.dense(2, 50, {bias_init = "ones"}).bias:equal(moon.ones(50)))
    local limit = math.sqrt(3 * 2 / (20000 + 20000))
    local bias = moon.dense(1, 20000, {bias_init = "glorot_uniform"}).bias
    assert.is_true(bias:abs():max() <= limit * 1.00001 and bias:abs():max() > 0.99 * limit)
    assert.is_true(math.abs(bias:std() - limit / math.sqrt(3)) < 0.03 * limit)
  end)

  it("of the bias needs a bias", function()
    assert.equal("dense: bias_init is ones, but bias is false, expected a bias",
      expect.raised(moon.dense, 2, 3, {bias = false, bias_init = "ones"}))
    assert.equal(known.fill "dense: unknown init 'one'; did you mean 'ones'? (known: <inits>)",
      expect.raised(moon.dense, 2, 3, {bias_init = "one"}))
  end)
end)

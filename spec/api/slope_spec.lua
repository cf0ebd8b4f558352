-- The parameters of activations as options of layers, negative_slope of leaky_relu and alpha of elu; files with and
-- without these options, and with bias_init.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"
local files = dofile "spec/support/files.lua"

local failure, temporary = expect.raised, files.temporary

-- {activation, option, value, what x below 0 becomes}
local cases = {
  {"leaky_relu", "negative_slope", 0, function() return 0 end},
  {"leaky_relu", "negative_slope", 0.01, function(x) return 0.01 * x end},
  {"leaky_relu", "negative_slope", 3, function(x) return 3 * x end},
  {"elu", "alpha", 0, function() return 0 end},
  {"elu", "alpha", 0.5, function(x) return 0.5 * (math.exp(x) - 1) end},
  {"elu", "alpha", 2, function(x) return 2 * (math.exp(x) - 1) end},
}

-- The layer as its own kind and behind a product by the identity; of many widths, for all paths through the kernels.
local function layers(width, name, options)
  local of_dense = {activation = name}
  for key, v in pairs(options) do of_dense[key] = v end
  local dense = moon.dense(width, width, of_dense)
  dense.weight = moon.eye(width)
  return {moon.activation(name, options), dense}
end

describe("the option", function()
  for _, case in ipairs(cases) do
    local name, option, value, below = table.unpack(case)
    it(("%s = %g of %s"):format(option, value, name), function()
      for _, width in ipairs{1, 5, 8, 37} do
        local x = moon.randn(9, width)
        local expected = x:totable()
        for _, row in ipairs(expected) do
          for j, v in ipairs(row) do row[j] = v > 0 and v or below(v) end
        end
        for _, layer in ipairs(layers(width, name, {[option] = value})) do
          local net = moon.sequential{layer}
          assert.is_true(net:forward(x):allclose(moon.tensor(expected), 1e-5, 1e-6), layer:kind())
          assert.equal(value, layer[option])
          assert.is_true(net:clone():predict(x):equal(net:predict(x)), "clone")
          assert.is_truthy(tostring(layer):find(("%s %g"):format(option, value), 1, true), tostring(layer))
        end
      end
    end)
  end

  it("has the default of before", function()
    local x = moon.randn(9, 7)
    for _, name in ipairs{"leaky_relu", "elu"} do
      for _, layer in ipairs(layers(7, name, {})) do
        assert.is_true(moon.sequential{layer}:forward(x):equal(x[name](x)))
        assert.same({0.2, 1}, {layer.negative_slope, layer.alpha})
      end
    end
  end)

  it("is refused with another activation, whose name is in the message", function()
    assert.equal("dense: negative_slope is 0.1, but activation is relu, expected leaky_relu, which alone has it",
      failure(moon.dense, 3, 2, {activation = "relu", negative_slope = 0.1}))
    assert.equal("dense: alpha is 2, but activation is leaky_relu, expected elu, which alone has it",
      failure(moon.dense, 3, 2, {activation = "leaky_relu", negative_slope = 0.1, alpha = 2}))
    assert.equal("activation: alpha is 0.5, but activation is linear, expected elu, which alone has it",
      failure(moon.activation, "linear", {alpha = 0.5}))
    assert.equal("activation: negative_slope is -1, expected a number of at least 0",
      failure(moon.activation, "leaky_relu", {negative_slope = -1}))
  end)

  it("trains by columns and by rows as in one part", function()
    local usual = moon.info().threads
    for _, rows in ipairs{48, 1024} do
      local results = {}
      for threads = 1, 2 do
        moon.set_threads(threads)
        moon.seed(3)
        local net = moon.sequential{
          moon.dense(96, 256, {activation = "elu", alpha = 0.3, contractive = 1e-3}),
          moon.activation("leaky_relu", {negative_slope = 0.5}),
          moon.dense(256, 96, {activation = "leaky_relu", negative_slope = 0.05, bias_init = "normal"}),
        }
        local x = moon.rand(rows, 96)
        for _ = 1, 3 do net:step(x, x, "mse", moon.sgd{lr = 0.1}) end
        results[threads] = net:predict(x)
      end
      assert.is_true(results[1]:allclose(results[2], 1e-5, 1e-6))
    end
    moon.set_threads(usual)
  end)
end)

describe("a file", function()
  it("has the options that are not at their defaults, and a net of it has the same bits", function()
    temporary(function(path)
      local x = moon.randn(5, 6)
      local net = moon.sequential{
        moon.dense(6, 5, {activation = "elu", alpha = 0.25, bias_init = "ones"}), moon.activation("elu"),
        moon.activation("leaky_relu", {negative_slope = 0.01}), moon.dense(5, 4, {activation = "leaky_relu"}),
      }
      assert(net:save(path))
      local text = files.read(path)
      for word, count in pairs{alpha = 1, negative_slope = 1, bias_init = 1} do
        assert.equal(count, select(2, text:gsub(word, "")), word)
      end
      local loaded = assert(moon.load(path))
      assert.is_true(loaded:predict(x):equal(net:predict(x)))
      local first, third, last = loaded:layer(1), loaded:layer(3), loaded:layer(4)
      assert.same({0.25, "ones", 0.01, 0.2}, {first.alpha, first.bias_init, third.negative_slope, last.negative_slope})
    end)
  end)
end)

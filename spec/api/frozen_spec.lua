-- Options that are set after construction, and frozen layers: what a step leaves as it is.
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"
local expect = dofile "spec/support/expect.lua"

local failure, setter = expect.failure, expect.setter

-- Some rows in [0, 1) and their targets.
local function problem(n)
  moon.seed(4)
  return moon.rand(n or 40, 6), moon.rand(n or 40, 3)
end

local function same_weights(a, b)
  local p, q = a:parameters(), b:parameters()
  assert.equal(#p, #q)
  for i = 1, #p do assert.is_true(p[i].value:equal(q[i].value), p[i].name) end
end

describe("an option of a layer that is set", function()
  it("changes the noise of the next forward", function()
    local layer, x = moon.gaussian_noise(0), moon.zeros(100, 50)
    assert.equal(0, layer:forward(x, true):abs():max())
    layer.sigma = 0.3
    assert.equal(0.3, layer.sigma)
    assert.near(0.3, layer:forward(x, true):std(), 0.01)
    layer.clip = {-0.1, 0.2}
    assert.near(0.2, layer:forward(x, true):max(), 1e-7)
    layer.clip = nil
    assert.is_nil(layer.clip)
    assert.is_true(layer:forward(x, true):max() > 0.5)
  end)

  it("changes the probability of dropout, masking and salt and pepper", function()
    for _, kind in ipairs{"dropout", "masking_noise", "salt_pepper_noise"} do
      local layer, x = moon.layer(kind, 0), moon.full(0.5, 100, 50)
      assert.equal(0.5, layer:forward(x, true):max())
      layer.p = 0.4
      local changed = layer:forward(x, true):ne(0.5):mean()
      assert.near(kind == "dropout" and 1 or 0.4, changed, 0.02, kind)
    end
  end)

  it("trains as if it had been given at construction", function()
    local x, y = problem()
    for _, option in ipairs{"activity_l1", "weight_l1", "weight_l2", "kl_weight", "contractive"} do
      local function train(given, later)
        moon.seed(7)
        local net = moon.sequential{moon.dense(6, 5, {activation = "relu"}),
          moon.dense(5, 3, {activation = "sigmoid", [option] = given})}
        if later then net:layer(2)[option] = later end
        local opt, loss = moon.adam(), moon.bce()
        for _ = 1, 5 do net:step(x, y, loss, opt) end
        return net
      end
      same_weights(train(0.1), train(nil, 0.1))
      same_weights(train(nil), train(0.1, 0))
    end
  end)

  it("is saved, loaded and cloned as it stands", function()
    local net = moon.sequential{moon.gaussian_noise(0.1), moon.dense(6, 5), moon.dropout(0.5), moon.dense(5, 3)}
    net:layer(1).sigma, net:layer(1).clip, net:layer(3).p = 0.25, {0, 1}, 0.125
    net:layer(2).weight_l2, net:layer(4).trainable = 0.5, false
    local loaded
    files.temporary(function(path)
      assert(net:save(path))
      loaded = assert(moon.load(path))
    end)
    for _, copy in ipairs{loaded, net:clone(), net:slice(1, 4)} do
      assert.equal(0.25, copy:layer(1).sigma)
      assert.same({0, 1}, copy:layer(1).clip)
      assert.equal(0.125, copy:layer(3).p)
      assert.equal(0.5, copy:layer(2).weight_l2)
      assert.is_true(copy:layer(2).trainable)
      assert.is_false(copy:layer(4).trainable)
    end
  end)

  it("keeps its value if the new one is refused", function()
    local layer = moon.dense(3, 2, {activation = "relu"})
    assert.equal("dense: activation is relu, expected one with outputs in [0, 1], such as sigmoid, for kl_weight",
      failure(setter(layer, "kl_weight", 1)))
    assert.equal(0, layer.kl_weight)
    layer = moon.dense(3, 2, {activation = "softmax", kl_weight = 1})
    assert.equal("dense: activation is softmax, expected an element-wise one for contractive",
      failure(setter(layer, "contractive", 1)))
    assert.same({0, 1}, {layer.contractive, layer.kl_weight})
  end)

  it("is written only if it is not the default", function()
    local _, metadata = moon.sequential{moon.dense(2, 2)}:archive()
    assert.is_nil(metadata.moonglass:find("trainable", 1, true))
  end)
end)

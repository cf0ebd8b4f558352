-- Gradient clipping: clip_value, clip_norm and global_clip_norm of every optimiser, in steps of nets however they are
-- divided, and in steps of lists; numbers that are not finite; checkpoints.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"
local files = dofile "spec/support/files.lua"

local failure, temporary = expect.raised, files.temporary

local huge, usual = math.huge, moon.info().threads
local clips = {"clip_value", "clip_norm", "global_clip_norm"}

local function norm(...)
  local sum = 0
  for _, t in ipairs{...} do sum = sum + (t * t):sum() end
  return math.sqrt(sum)
end

local function parameters(...)
  local list = {}
  for i, grad in ipairs{...} do
    list[i] = {name = "p" .. i, value = moon.zeros(table.unpack(grad.shape)), grad = grad}
  end
  return list
end

-- The weights after the step, from 0 on.
local function stepped(opt, ...)
  local list = parameters(...)
  opt:step(list)
  for i, p in ipairs(list) do list[i] = p.value end
  return table.unpack(list)
end

local function scaled(t, most, whole) return t * math.min(1, most / (whole or norm(t))) end

-- What the gradients become, by the definitions.
local clipped = {
  clip_value = function(most, ...)
    local list = {...}
    for i, t in ipairs(list) do list[i] = t:clamp(-most, most) end
    return table.unpack(list)
  end,
  clip_norm = function(most, ...)
    local list = {...}
    for i, t in ipairs(list) do list[i] = scaled(t, most) end
    return table.unpack(list)
  end,
  global_clip_norm = function(most, ...)
    local list, whole = {...}, norm(...)
    for i, t in ipairs(list) do list[i] = scaled(t, most, whole) end
    return table.unpack(list)
  end,
}

describe("a step of a list", function()
  for _, kind in ipairs(moon.registered("optimizers")) do
    for _, clip in ipairs(clips) do
      it(("of %s with %s is the step of the clipped gradients"):format(kind, clip), function()
        moon.seed(3)
        for _, most in ipairs{0.01, 1.5, 1000} do -- all, some and no gradients are clipped
          local a, b = moon.randn(33, 41), moon.randn(1100) * 0.01 -- longer than a strip
          local x, y = stepped(moon[kind]{lr = 0.1, [clip] = most}, a, b)
          local u, v = stepped(moon[kind]{lr = 0.1}, clipped[clip](most, a, b))
          assert.is_true(x:allclose(u, 1e-5, 1e-7) and y:allclose(v, 1e-5, 1e-7), "most is " .. most)
        end
      end)
    end
  end

  it("leaves the gradients as they are", function()
    for _, clip in ipairs(clips) do
      local grad = moon.full(3, 5)
      stepped(moon.sgd{[clip] = 0.1}, grad)
      assert.same({3, 3, 3, 3, 3}, grad:totable())
    end
  end)

  it("counts a shared parameter once in the norm", function()
    local grad = moon.full(4, 1)
    local list = parameters(grad, grad)
    list[2].shared = true
    moon.sgd{lr = 1, global_clip_norm = 1}:step(list)
    assert.near(-1, list[1].value:get(1), 1e-6)
  end)

  it("takes gradients whose squares are infinite", function()
    for _, clip in ipairs{"clip_norm", "global_clip_norm"} do
      local value = stepped(moon.sgd{lr = 1, [clip] = 1}, moon.full(1e30, 4))
      assert.is_true(value:allclose(moon.full(-0.5, 4), 1e-5))
    end
  end)

  it("changes nothing where a norm is not finite", function()
    for _, clip in ipairs{"clip_norm", "global_clip_norm"} do
      for _, bad in ipairs{huge, -huge, 0 / 0} do
        local opt = moon.adam{[clip] = 1}
        local a, b = stepped(opt, moon.ones(3), moon.tensor{1, bad, 2})
        assert.equal(0, a:abs():max() + b:abs():max())
        assert.equal(0, opt:steps())
        assert.equal(0, opt:moments(parameters(moon.ones(3)))[1].m:abs():max())
      end
    end
  end)

  it("cuts an infinity to clip_value, and takes NaN for 0", function()
    local value = stepped(moon.sgd{lr = 1, clip_value = 2}, moon.tensor{huge, -huge, 0 / 0, 1})
    assert.same({-2, 2, 0, -1}, value:totable())
  end)
end)

-- ---- steps of nets ----

local dense = moon.dense

-- Each divides its batch in another way with 2 threads (net/plan.c): not at all, by columns, by rows; with weights that
-- are used twice.
local function nets()
  local owner = dense(256, 256, {activation = "tanh"})
  local again = dense(64, 64, {activation = "tanh"})
  return {
    ["a small net"] = {moon.sequential{dense(8, 5, {activation = "relu"}), dense(5, 8)}, 12},
    ["by columns"] = {moon.sequential{dense(256, 128, {activation = "relu"}), dense(128, 256)}, 48},
    ["by rows"] = {moon.sequential{dense(32, 48, {activation = "relu"}), dense(48, 32)}, 1024},
    ["tied, by columns"] = {
      moon.sequential{dense(16, 256), owner, dense(256, 256, {tied = owner}), dense(256, 16)}, 48,
    },
    ["used twice, by rows"] = {moon.sequential{dense(32, 64), again, again, dense(64, 32)}, 2048},
  }
end

-- The same step by the definitions: gradients by backward, clipped here, and a list.
local function step_by_hand(net, x, clip, most, opt)
  local f = net:forward(x, true)
  net:backward((f - x) * (2 / f:numel()))
  local owned, grads = {}, {}
  for _, p in ipairs(net:parameters()) do
    if not p.shared then owned[#owned + 1], grads[#grads + 1] = p, p.grad end
  end
  grads = {clipped[clip](most, table.unpack(grads))}
  for i, p in ipairs(owned) do owned[i] = {name = p.name, value = p.value, grad = grads[i]} end
  opt:step(owned)
end

local function limit_of(clip) return clip == "clip_value" and 1e-4 or 3e-3 end

describe("a step of a net", function()
  for _, clip in ipairs(clips) do
    it("with " .. clip .. " is the step of its clipped gradients, which it shows unclipped", function()
      for _, threads in ipairs{1, 2} do
        moon.set_threads(threads)
        moon.seed(7)
        for name, made in pairs(nets()) do
          local net = made[1]
          local x = moon.rand(made[2], net:layer(1)["in"])
          local other, plain, most = net:clone(), net:clone(), limit_of(clip)
          net:step(x, x, moon.mse(), moon.sgd{lr = 100, [clip] = most})
          plain:step(x, x, moon.mse(), moon.sgd{lr = 100})
          step_by_hand(other, x, clip, most, moon.sgd{lr = 100})
          for i, p in ipairs(net:parameters()) do
            local hand, what = other:parameters()[i], ("%s, %d threads, %s"):format(name, threads, p.name)
            assert.is_true(p.value:allclose(hand.value, 1e-5, 1e-5), what)
            assert.is_true(p.grad:equal(plain:parameters()[i].grad), what)
            assert.is_true((p.value - plain:parameters()[i].value):abs():max() > 1e-4, what .. " is not clipped")
          end
        end
      end
      moon.set_threads(usual)
    end)
  end

  it("changes nothing where a norm is not finite, though the objective is", function()
    for _, clip in ipairs{"clip_norm", "global_clip_norm"} do
      for _, threads in ipairs{1, 2} do
        moon.set_threads(threads)
        for _, rows in ipairs{16, 1024} do -- by columns, by rows
          local net = moon.sequential{dense(256, 256, {activation = "sigmoid"}), dense(256, 256)}
          local opt, before = moon.adam{[clip] = 1}, net:clone()
          local x = moon.rand(rows, 256)
          x:set(huge, 1, 1)
          local y = moon.rand(rows, 256)
          assert.is_true(net:step(x, y, moon.mse(), opt) < huge)
          assert.equal(0, opt:steps())
          for i, p in ipairs(net:parameters()) do
            assert.is_true(p.value:equal(before:parameters()[i].value), p.name)
          end
          x:set(0, 1, 1)
          net:step(x, y, moon.mse(), opt)
          assert.equal(1, opt:steps())
          assert.is_false(net:layer(1).weight:equal(before:layer(1).weight))
        end
      end
    end
    moon.set_threads(usual)
  end)

  it("with clip_value stays finite where a gradient is not", function()
    local net = moon.sequential{dense(8, 6, {activation = "sigmoid"}), dense(6, 8)}
    local x, y = moon.rand(4, 8), moon.rand(4, 8)
    x:set(huge, 1, 1)
    for _ = 1, 5 do net:step(x, y, moon.mse(), moon.sgd{lr = 0.1, clip_value = 1}) end
    for _, p in ipairs(net:parameters()) do assert.is_true(p.value:abs():max() < 10) end
  end)

  it("does not count what is frozen in the norm of all gradients", function()
    for _, threads in ipairs{1, 2} do
      moon.set_threads(threads)
      for _, rows in ipairs{4, 48, 2048} do -- not divided, by columns, by rows
        moon.seed(6)
        local net = moon.sequential{dense(64, 256, {activation = "relu"}), dense(256, 64)}
        local x = moon.rand(rows, 64)
        net:step(x, x, "mse", moon.sgd{lr = 1}) -- so that the frozen layer has a gradient, of the step before
        net:layer(1).trainable = false
        local other, layer, before = net:clone(), net:layer(2), net:clone():layer(2)
        net:step(x, x, "mse", moon.sgd{lr = 1, global_clip_norm = 0.01})
        assert.is_true(norm(layer.weight_grad, layer.bias_grad) > 0.02)
        assert.near(0.01, norm(layer.weight - before.weight, layer.bias - before.bias), 1e-5)
        local f = other:forward(x, true)
        other:backward((f - x) * (2 / f:numel()))
        moon.sgd{lr = 1, global_clip_norm = 0.01}:step(other:parameters())
        assert.is_true(layer.weight:allclose(other:layer(2).weight, 1e-5, 1e-6))
      end
    end
    moon.set_threads(usual)
  end)

  it("is the same with a loss, or a layer, written in Lua", function()
    local function loss()
      return {
        forward = function(self, f, y) self.d = f - y return (self.d * self.d):mean() end,
        backward = function(self) return self.d * (2 / self.d:numel()) end,
      }
    end
    for _, clip in ipairs(clips) do
      moon.seed(9)
      local net = moon.sequential{dense(6, 4, {activation = "tanh"}), dense(4, 6)}
      local lua_loss, x = net:clone(), moon.rand(10, 6)
      local mixed = moon.sequential{net:clone():layer(1), {
        forward = function(_, t) return t end, backward = function(_, t) return t end,
      }, net:clone():layer(2)}
      local o = {lr = 10, [clip] = 0.001}
      net:step(x, x, "mse", moon.sgd(o))
      lua_loss:step(x, x, loss(), moon.sgd(o))
      mixed:step(x, x, "mse", moon.sgd(o))
      for i, p in ipairs(net:parameters()) do
        assert.is_true(p.value:allclose(lua_loss:parameters()[i].value, 1e-5, 1e-7), p.name)
        assert.is_true(p.value:allclose(mixed:parameters()[i].value, 1e-5, 1e-7), p.name)
      end
    end
  end)
end)

-- ---- the options ----

describe("the options of clipping", function()
  it("are refused together, at construction and later", function()
    local words = "expected at most one of clip_value, clip_norm and global_clip_norm: set the others to 0"
    for _, kind in ipairs(moon.registered("optimizers")) do
      assert.equal(("%s: clip_value and global_clip_norm are set, %s"):format(kind, words),
        failure(moon[kind], {clip_value = 1, global_clip_norm = 2}))
      local opt = moon[kind]{clip_norm = 1}
      assert.equal(("%s: clip_value and clip_norm are set, %s"):format(kind, words),
        failure(function() opt.clip_value = 0.5 end):match("%d: (.*)"))
      assert.equal(0, opt.clip_value)
      opt.clip_norm = 0
      opt.clip_value = 0.5
      assert.equal(0.5, opt.clip_value)
    end
    assert.equal("adam: clip_norm is -1, expected a number of at least 0", failure(moon.adam, {clip_norm = -1}))
    assert.matches("unknown option 'clipnorm'; did you mean 'clip_norm'", failure(moon.adam, {clipnorm = 1}))
  end)

  it("can be set between steps", function()
    local opt, grad = moon.sgd{lr = 1}, moon.full(4, 1)
    assert.equal(-4, stepped(opt, grad):get(1))
    opt.global_clip_norm = 1
    assert.equal(-1, stepped(opt, grad):get(1))
    opt.global_clip_norm = 0
    opt.clip_value = 2
    assert.equal(-2, stepped(opt, grad):get(1))
  end)

  it("are in a checkpoint if they are on, and a resumed training has the same bits", function()
    for _, clip in ipairs{"off", table.unpack(clips)} do
      temporary(function(path)
        moon.seed(4)
        local first = moon.sequential{dense(6, 4, {activation = "tanh"}), dense(4, 6)}
        local whole, x = first:clone(), moon.rand(20, 6)
        local function optimizer()
          local opt = moon.nadam{lr = 0.02}
          if clip ~= "off" then opt[clip] = 0.01 end
          return opt
        end
        whole:fit(x, {loss = "mse", optimizer = optimizer(), epochs = 4, seed = 2, batch_size = 4})
        first:fit(x, {loss = "mse", optimizer = optimizer(), epochs = 2, seed = 2, batch_size = 4,
          callbacks = {moon.callbacks.checkpoint(path)}})
        local _, metadata = moon.safetensors.load(path)
        for _, name in ipairs(clips) do
          assert.equal(name == clip, metadata["opt.option." .. name] ~= nil, name)
        end
        local c = assert(moon.checkpoint.load(path))
        c.net:fit(x, {loss = "mse", resume = c, epochs = 4, batch_size = 4})
        for i, p in ipairs(whole:parameters()) do
          assert.is_true(p.value:equal(c.net:parameters()[i].value), clip .. " " .. p.name)
        end
      end)
    end
  end)
end)

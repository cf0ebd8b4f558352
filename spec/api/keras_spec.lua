-- Nets against Keras, to float32 accuracy. Each file holds Keras's results in float64: initial weights, output,
-- gradients, weights after 1 and 10 Adam steps, and the objective before each step. The small files are in
-- spec/fixtures. Those on MNIST are read from the folder MOONGLASS_REFERENCE, if it is set.
local moon = require "moonglass"
local sorted_keys = dofile "spec/support/sorted_keys.lua"

local squared_norm = {"mse", {reduction = "batchmean"}}
local hidden = {"relu", "relu", "relu", "sigmoid"}
local deep = {784, 128, 32, 128, 784}

local cases = {
  small_l1 = {{12, 7, 12}, {"relu", "sigmoid"}, {"mse"}, l1 = 1e-2},
  small_adam = {{12, 7, 12}, {"tanh", "linear"}, squared_norm,
    adam = {lr = 0.02, beta1 = 0.7, beta2 = 0.9, eps = 1e-4}},
  small_classes = {{4, 6, 5}, {"relu", "softmax"}, {"cross_entropy"}},
  plain = {{784, 32, 784}, {"relu", "relu"}, squared_norm},
  deep = {deep, hidden, {"bce"}},
  denoising = {deep, hidden, {"bce"}},
  sparse = {{784, 32, 784}, {"relu", "sigmoid"}, {"bce"}, l1 = 1e-5},
  spirals = {{2, 100, 3}, {"relu", "softmax"}, {"cross_entropy"}},
}
for _, act in ipairs {"relu", "sigmoid", "tanh", "elu", "selu", "softplus", "leaky_relu", "gelu", "silu", "linear"} do
  cases["small_" .. act] = {{12, 7, 3, 7, 12}, {act, act, act, "sigmoid"}, {"bce"}}
end

local folders = {"spec/fixtures", os.getenv "MOONGLASS_REFERENCE"}

local function find(name)
  for _, folder in ipairs(folders) do
    local tensors = moon.safetensors.load(folder .. "/" .. name .. ".safetensors")
    if tensors then return tensors end
  end
end

local function build(case, file)
  local sizes, activations = case[1], case[2]
  local layers = {}
  for i = 1, #activations do
    local penalty = i == 1 and case.l1 or nil
    layers[i] = moon.dense(sizes[i], sizes[i + 1], {activation = activations[i], activity_l1 = penalty})
    layers[i].weight = file["w" .. i - 1]
    layers[i].bias = file["b" .. i - 1]
  end
  return moon.sequential(layers), moon[case[3][1]](case[3][2] or {}), moon.adam(case.adam or {})
end

local function largest(t) return t:abs():max() end

local function near(expected, got, tolerance, what)
  local off = largest(got - expected)
  assert(off <= tolerance, ("%s is off by %g, allowed %g"):format(what, off, tolerance))
end

local function gradients_near(file, net, what)
  for i = 1, #net do
    local layer = net:layer(i)
    for _, p in ipairs {{"gw", "weight_grad"}, {"gb", "bias_grad"}} do
      local expected = file[p[1] .. i - 1]
      near(expected, layer[p[2]], 2e-6 * largest(expected), what .. p[1] .. i - 1)
    end
  end
end

local function weights_near(file, net, steps)
  for i = 1, #net do
    for _, p in ipairs {{"w", "weight"}, {"b", "bias"}} do
      local name = ("%s%d.%d"):format(p[1], i - 1, steps)
      near(file[name], net:layer(i)[p[2]], 2e-6, name)
    end
  end
end

describe("Keras's result", function()
  for _, name in ipairs(sorted_keys(cases)) do
    it(name .. ": output, gradients, ten Adam steps", function()
      local file = find(name)
      if not file then return pending(name .. ".safetensors is not here: set MOONGLASS_REFERENCE") end
      local net, loss, opt = build(cases[name], file)
      near(file.out, net:predict(file.x), 1e-6, "output")

      local objective = loss:forward(net:forward(file.x, true), file.y) + net:penalty()
      local first = file.losses:get(1)
      assert(math.abs(objective - first) <= 1e-6 * first, ("objective is %.9g, Keras's %.9g"):format(objective, first))
      net:backward(loss:backward())
      gradients_near(file, net, "apart: ")

      for step = 1, 10 do
        objective = net:step(file.x, file.y, loss, opt)
        local expected = file.losses:get(step)
        assert(math.abs(objective - expected) <= 2e-6 * expected, ("objective %d is %.9g, Keras's %.9g"):format(
          step, objective, expected))
        if step == 1 then
          gradients_near(file, net, "in a step: ")
          weights_near(file, net, 1)
        end
      end
      weights_near(file, net, 10)
    end)
  end

  it("curve: 400 steps over consecutive batches of MNIST", function()
    local file = find "curve"
    local folder, what = moon.data.find()
    if not file or not folder or what:find "Fashion" then return pending "curve.safetensors or MNIST is not here" end
    local images = assert(moon.data.mnist(folder, "train"))
    local net, loss, opt = build(cases.deep, file)
    for step = 1, 400 do
      local x = images:rows((step - 1) * 32 + 1, step * 32)
      local off = math.abs(net:step(x, x, loss, opt) - file.losses:get(step))
      assert(off <= 2e-4, ("step %d is off by %g"):format(step, off))
    end
  end)
end)

-- Steps against Keras: normalisation, clipping, weights of rows, label smoothing, frozen layers, other optimisers. The
-- files breadth_*.safetensors of MOONGLASS_REFERENCE hold what Keras computed in float64 (make_breadth.py beside them).
local moon = require "moonglass"

local ready = {
  "batch_norm", "batch_norm_first", "layer_norm", "clip_value", "clip_norm", "global_clip_norm",
  "adamw", "adamax", "nadam", "adadelta", "sample_weight", "class_rows_weight", "label_smoothing", "bce_smoothing",
  "frozen",
}

local folder = os.getenv "MOONGLASS_REFERENCE"

-- Keras's names of parameters, of loss names, and of optimisers' options.
local fields = {kernel = "weight", bias = "bias", gamma = "weight", beta = "bias", moving_mean = "running_mean",
  moving_variance = "running_var"}
local opt_options = {learning_rate = "lr", clipvalue = "clip_value", clipnorm = "clip_norm",
  global_clipnorm = "global_clip_norm"}

local function read_json(path)
  local file = assert(io.open(path))
  local text = file:read "a"
  file:close()
  text = text:gsub('"([%w_]+)":', "%1="):gsub("%[", "{"):gsub("%]", "}"):gsub("null", "nil")
  return assert(load("return " .. text, path, "t", {}))()
end

local function layer_of(spec, width)
  local kind, a, b, trainable = table.unpack(spec, 1, 4)
  if kind == "dense" then
    local layer = moon.dense(width, a, {activation = b})
    if trainable == false then layer.trainable = false end
    return layer, a
  elseif kind == "batch_norm" then
    return moon.batch_norm(width, {momentum = a, eps = b}), width
  end
  return moon.layer_norm(width, {eps = a}), width
end

-- f(layer, its field, the name in the file) for each array of the file's layers.
local function each_array(net, file, f)
  for i = 1, #net do
    for keras, field in pairs(fields) do
      local name = ("%d.%s"):format(i - 1, keras)
      if file[name] then f(net:layer(i), field, name) end
    end
  end
end

local function build(case, file)
  local layers, width = {}, case.input
  for i, spec in ipairs(case.layers) do layers[i], width = layer_of(spec, width) end
  local net = moon.sequential(layers)
  each_array(net, file, function(layer, field, name) layer[field] = file[name] end)
  local options, kind = {}, case.optimizer.name:lower()
  for name, value in pairs(case.optimizer) do
    if name ~= "name" then options[opt_options[name] or name] = value end
  end
  return net, moon[case.loss]{label_smoothing = case.label_smoothing}, moon[kind](options)
end

local function near(expected, got, tolerance, what)
  local off = (got - expected):abs():max()
  assert(off <= tolerance, ("%s is off by %g, allowed %g"):format(what, off, tolerance))
end

-- A gradient may be 0 (that of a bias before batch normalisation), so the largest one of all sets the measure.
local function largest_gradient(file)
  local largest = 0
  for name, t in pairs(file) do
    if name:find "^grad%." then largest = math.max(largest, t:abs():max()) end
  end
  return largest
end

local function gradients_near(net, file)
  local largest = largest_gradient(file)
  each_array(net, file, function(layer, field, name)
    local expected = file["grad." .. name]
    if expected then near(expected, layer[field .. "_grad"], 2e-6 * largest, "grad." .. name) end
  end)
end

-- Adam divides a gradient by its size. Of one below 1e-4 of the largest float32 knows few digits: in batch_norm such a
-- weight, one of 133 in a kernel, has 5e-6.
local function arrays_near(net, file, steps, case_name)
  local tiny = case_name == "batch_norm" and 1e-4 * largest_gradient(file) or 0
  each_array(net, file, function(layer, field, name)
    local expected, gradient = file[("%s.%d"):format(name, steps)]:totable(), file["grad." .. name]
    local function compare(want, got, g, place)
      if type(want) == "table" then
        for i in ipairs(want) do compare(want[i], got[i], g and g[i], place .. "," .. i) end
      else
        local off, allowed = math.abs(got - want), g and math.abs(g) < tiny and 5e-6 or 3e-6
        assert(off <= allowed, ("%s.%d[%s] is off by %g, allowed %g"):format(name, steps, place, off, allowed))
      end
    end
    compare(expected, layer[field]:totable(), gradient and gradient:totable(), "")
  end)
end

local function stepper(net, file, loss, opt)
  if not file.sample_weight then return function() return net:step(file.x, file.y, loss, opt) end end
  return function()
    return net:fit(file.x, file.y, {loss = loss, optimizer = opt, batch_size = #file.x, shuffle = false,
      sample_weight = file.sample_weight}).loss[1]
  end
end

describe("Keras's result", function()
  for _, name in ipairs(ready) do
    it(name .. ": output, gradients, ten steps", function()
      local path = ("%s/breadth_%s"):format(folder, name)
      if not folder then return pending "set MOONGLASS_REFERENCE" end
      local file, case = assert(moon.safetensors.load(path .. ".safetensors")), read_json(path .. ".json")
      local net, loss, opt = build(case, file)
      near(file.out, net:clone():forward(file.x, true), 1e-6, "output")
      local step = stepper(net, file, loss, opt)
      for i = 1, 10 do
        local objective, expected = step(), file.losses:get(i)
        assert(math.abs(objective - expected) <= 2e-6 * math.max(1, expected), ("objective %d is %.9g, Keras's %.9g")
          :format(i, objective, expected))
        if i == 1 then
          gradients_near(net, file)
          arrays_near(net, file, 1, name)
        end
      end
      arrays_near(net, file, 10, name)
      if name ~= "batch_norm" then near(file["predict.10"], net:predict(file.x), 3e-6, "predict.10") end
      each_array(net, file, function(layer, field, array) layer[field] = file[array .. ".10"] end)
      near(file["predict.10"], net:predict(file.x), 1e-6 * math.max(1, file["predict.10"]:abs():max()), "predict.10")
    end)
  end
end)

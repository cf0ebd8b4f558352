-- The core module from Lua: constructors, methods, fields, error messages, and the life of userdata.
local core = require "moonglass.core"
local lfs = require "lfs"
local expect = dofile "spec/support/expect.lua"
local files = dofile "spec/support/files.lua"
local known = dofile "spec/support/known.lua"
local samples = dofile "spec/support/samples.lua"

local failure, getter, setter, shape = expect.failure, expect.getter, expect.setter, expect.shape
local temporary = files.temporary

local function near(expected, got, tolerance) assert.is_true(math.abs(expected - got) <= (tolerance or 1e-6), got) end

-- Close an object now.
local function close(object) local _ <close> = object end

local function memory()
  collectgarbage() collectgarbage()
  return core.info().memory
end

local function small_net() return core.net{core.dense(6, 4, {activation = "tanh"}), core.dense(4, 6)} end

-- The option with this name, of a registered class.
local function option_of(family, name, wanted)
  for _, o in ipairs(core.options(family, name)) do
    if o.name == wanted then return o end
  end
end

describe("core.options", function()
  it("gives the kind, default, bounds and choices of each option", function()
    assert.same({name = "kl_target", kind = "number", default = 0.05, low = 0, high = 1, open_low = true,
      open_high = true, settable = true, positional = false, required = false,
      help = "the mean output that the kl_weight penalty draws to"}, option_of("layers", "dense", "kl_target"))
    local out = option_of("layers", "dense", "out")
    assert.same({"count", 1, true, true, nil}, {out.kind, out.low, out.positional, out.required, out.default})
    assert.equal("integer", math.type(out.low))
    assert.same({"mean", "batchmean", "sum"}, option_of("losses", "bce", "reduction").choices)
    assert.same(core.registered("activations"), option_of("layers", "activation", "activation").choices)
    assert.same(core.registered("inits"), option_of("layers", "dense", "init").choices)
    assert.is_nil(option_of("layers", "dense", "name").choices)
    assert.equal("glorot_uniform", option_of("layers", "dense", "init").default)
    assert.equal(true, option_of("layers", "dense", "bias").default)
    assert.is_nil(option_of("layers", "gaussian_noise", "clip").default)
    assert.equal("range", option_of("layers", "gaussian_noise", "clip").kind)
    assert.equal("layer", option_of("layers", "dense", "tied").kind)
    assert.is_nil(option_of("optimizers", "adam", "lr").high)
    assert.same({}, core.options("layers", "convolution"))
  end)

  it("agrees with constructors: new objects have the defaults, and settable options can be set", function()
    for _, kind in ipairs(core.registered("optimizers")) do
      local opt = core.optimizer(kind)
      for _, o in ipairs(core.options("optimizers", kind)) do
        assert.equal(o.default, opt[o.name], kind .. "." .. o.name)
        assert.equal(o.settable, (pcall(function() opt[o.name] = o.default end)), kind .. "." .. o.name)
      end
    end
    for _, kind in ipairs(core.registered("losses")) do
      for _, o in ipairs(core.options("losses", kind)) do
        assert.equal(o.default, core.loss(kind)[o.name], kind .. "." .. o.name)
      end
    end
  end)

  it("has one line of help for every option, without the default and without bounds", function()
    for _, family in ipairs{"layers", "losses", "optimizers"} do
      for _, kind in ipairs(core.registered(family)) do
        for _, o in ipairs(core.options(family, kind)) do
          assert.is_true(#o.help > 5 and not o.help:find("\n"), kind .. "." .. o.name)
          assert.is_nil(o.help:find("default"), kind .. "." .. o.name)
          assert.is_nil(o.help:find("at least"), kind .. "." .. o.name)
        end
      end
    end
  end)
end)

describe("constructors", function()
  it("exist for everything registered, by its name and through its family's function", function()
    for _, kind in ipairs(core.registered("layers")) do
      local layer = samples.layer(kind, 6)
      if layer then assert.equal(kind, layer:kind()) end -- registry_spec reports a missing sample
      assert.equal("function", type(core[kind]))
    end
    for _, kind in ipairs(core.registered("losses")) do
      assert.equal(kind, core[kind]():kind())
      assert.equal(kind, core.loss(kind, {}):kind())
    end
    for _, kind in ipairs(core.registered("optimizers")) do
      assert.equal(kind, core[kind]{lr = 0.125}:kind())
      assert.equal(0.125, core.optimizer(kind, {lr = 0.125}).lr)
    end
    assert.equal("dense 3->4 relu", tostring(core.layer("dense", 3, 4, {activation = "relu"})))
    assert.equal("bce", core.loss("binary_crossentropy"):kind())
  end)

  it("take options by position and by name", function()
    local layer = core.dense{["in"] = 3, out = 4, bias = false}
    assert.equal("3 4", shape(layer.weight))
    assert.equal("dense 3->4", tostring(core.dense(3, {out = 4})))
    assert.equal("dense 3->4", tostring(core.dense(nil, nil, {["in"] = 3, out = 4})))
    assert.equal("dense 3->4", tostring(core.dense(3, 4, nil)))
    assert.equal(0.25, core.dropout{p = 0.25}.p)
  end)

  it("name unknown options and list the known ones", function()
    assert.equal(known.fill "dense: unknown option 'actvation'; did you mean 'activation'? (known: <DenseOptions>)",
      failure(core.dense, 3, 4, {actvation = "relu"}))
    assert.equal(known.fill "adam: the value at [1] has no name, expected options by name (known: <AdamOptions>)",
      failure(core.adam, {0.1}))
    assert.equal(known.fill "mse: unknown option 'foo' (known: <MseOptions>)", failure(core.mse, {foo = 1}))
    assert.equal(known.fill "binary_crossentropy: unknown option 'foo' (known: <BceOptions>)",
      failure(core.loss, "binary_crossentropy", {foo = 1}))
  end)

  it("name values of the wrong type", function()
    assert.equal("dense: bias is 'no' (a string), expected true or false", failure(core.dense, 3, 4, {bias = "no"}))
    assert.equal("dense: in is '3' (a string), expected a whole number", failure(core.dense, "3", 4))
    assert.equal("dense: activation is 1, expected a string", failure(core.dense, 3, 4, {activation = 1}))
    assert.equal("dense: tied is a moonglass.tensor, expected a layer",
      failure(core.dense, 3, 4, {tied = core.eye(2)}))
    assert.equal("adam: lr is '0.1' (a string), expected a number", failure(core.adam, {lr = "0.1"}))
    assert.equal("gaussian_noise: clip is 1, expected two numbers {low, high}",
      failure(core.gaussian_noise, 0.4, {clip = 1}))
    assert.equal("gaussian_noise: clip is a table, expected two numbers {low, high}",
      failure(core.gaussian_noise, 0.4, {clip = {1}}))
    assert.equal("dense: option 'activation' holds a zero byte, expected text",
      failure(core.dense, 3, 4, {activation = "relu\0"}))
  end)

  it("name values that are not allowed", function()
    assert.matches("^dense: in is 3.5, expected a whole number", failure(core.dense, 3.5, 4))
    assert.matches("^dense: out is 0, expected a whole number", failure(core.dense, 3, 0))
    assert.matches("^dense: out is missing", failure(core.dense, 3))
    for option, text in pairs{
      activation = "dense: unknown activation 'foo' (known: <activations>)",
      init = "dense: unknown init 'foo' (known: <inits>)",
      activity_reduction = "dense: unknown activity_reduction 'foo' (known: <DenseOptions.activity_reduction>)",
    } do
      assert.equal(known.fill(text), failure(core.dense, 3, 4, {[option] = "foo"}))
    end
    assert.matches("^dropout: p is 1, expected a number of at least 0 and below 1", failure(core.dropout, 1))
    assert.matches("clip is {1, 0}, expected two numbers, the lower first",
      failure(core.gaussian_noise, 0.4, {clip = {1, 0}}))
    assert.matches("^adam: lr is %-?nan, expected", failure(core.adam, {lr = 0 / 0}))
    assert.matches("tied is dense 3%->4, expected 5%->3", failure(core.dense, 3, 5, {tied = core.dense(3, 4)}))
  end)

  it("refuse too many arguments and options given twice", function()
    assert.equal("dropout: argument 2 is 0.5, expected a table of named options (by position: p)",
      failure(core.dropout, 0.5, 0.5))
    assert.equal("adam: argument 1 is 0.1, expected a table of named options "
      .. known.fill "(known: <AdamOptions>)", failure(core.adam, 0.1))
    assert.matches("^dense: in is a table, expected a whole number", failure(core.dense, {}, 3, 4))
    assert.equal("dense: option 'in' is given twice, by position and by name",
      failure(core.dense, 3, 4, {["in"] = 3}))
  end)

  it("name unknown kinds and list the known ones", function()
    assert.equal(known.fill "unknown layer 'conv' (known: <layers>)", failure(core.layer, "conv", 3, {foo = 1}))
    assert.equal(known.fill "unknown loss 'foo' (known: <LossName>)", failure(core.loss, "foo"))
    assert.equal(known.fill "unknown optimizer 'foo' (known: <optimizers>)", failure(core.optimizer, "foo"))
    assert.equal("loss: name is 3, expected a string", failure(core.loss, 3))
    assert.equal("optimizer: name is missing, expected a string", failure(core.optimizer))
  end)
end)

describe("a layer", function()
  it("has a kind and a text", function()
    local owner = core.dense(3, 4, {activation = "relu"})
    local texts = {
      ["dense 3->4 relu"] = owner,
      ["dense 4->3 bias false weight_l2 0.5 tied to (dense 3->4 relu)"] =
        core.dense(4, 3, {bias = false, weight_l2 = 0.5, tied = owner}),
      ["activation tanh"] = core.activation("tanh"),
      ["dropout 0.5"] = core.dropout(0.5),
      ["gaussian_noise 0.4 clip {0, 1}"] = core.gaussian_noise(0.4, {clip = {0, 1}}),
    }
    for text, layer in pairs(texts) do assert.equal(text, tostring(layer)) end
  end)

  it("shows its options and parameters as fields", function()
    local layer = core.dense(3, 4, {activation = "relu", name = "code", activity_l1 = 1e-5})
    assert.equal("relu", layer.activation)
    assert.equal("code", layer.name)
    assert.equal(1e-5, layer.activity_l1)
    assert.is_false(core.dense(3, 4, {bias = false}).bias)
    assert.equal(3, layer["in"])
    assert.is_nil(layer.tied)
    assert.is_nil(core.dense(3, 4).name)
    assert.equal("3 4", shape(layer.weight))
    assert.equal("4", shape(layer.bias))
    assert.equal("3 4", shape(layer.weight_grad))
    assert.same({0, 1}, core.gaussian_noise(1, {clip = {0, 1}}).clip)
    assert.is_nil(core.gaussian_noise(1).clip)
    assert.equal("layer has no field or method 'wieght'; did you mean 'weight'?", failure(getter(layer, "wieght")))
    assert.equal("layer has no field or method 'weight_'; did you mean 'weight'?", failure(getter(layer, "weight_")))
    assert.equal("layer has no field or method '1'", failure(getter(layer, 1)))
  end)

  it("has live parameters; assignment copies into them", function()
    local layer = core.dense(2, 2)
    local weight, source = layer.weight, core.tensor{{1, 2}, {3, 4}}
    layer.weight = source
    assert.equal(3, weight:get(2, 1))
    source:fill_(9)
    assert.equal(3, weight:get(2, 1))
    weight:set(7, 1, 1)
    assert.equal(7, layer.weight:get(1, 1))
    layer.bias_grad = core.ones(2)
    assert.equal(2, layer.bias_grad:sum())
    assert.equal("dense: weight: copy: [3 x 2] does not fit into [2 x 2]",
      failure(setter(layer, "weight", core.zeros(3, 2))))
    assert.equal("dense: bias is a table, expected a tensor", failure(setter(layer, "bias", {1, 2})))
    assert.equal("dense: option 'activation' is fixed at construction", failure(setter(layer, "activation", "relu")))
    assert.equal("layer has no field 'foo' that can be set", failure(setter(layer, "foo", 1)))
  end)

  it("lists its parameters", function()
    local layer = core.dense(3, 4)
    local list = layer:parameters()
    assert.equal(2, #list)
    assert.equal("weight", list[1].name)
    assert.equal("bias", list[2].name)
    assert.equal("3 4", shape(list[1].grad))
    assert.is_nil(list[1].shared)
    list[1].value:fill_(0.5)
    assert.equal(6, layer.weight:sum())
    assert.same({}, core.dropout(0.5):parameters())
    assert.is_true(core.dense(4, 3, {tied = layer}):parameters()[1].shared)
  end)

  it("runs by itself", function()
    local layer = core.dense(2, 3, {activation = "relu"})
    layer.weight = core.tensor{{1, -1, 0}, {0, 1, 2}}
    layer.bias = core.tensor{0, 0, -1}
    assert.same({{1, 1, 3}}, layer:forward(core.tensor{{1, 2}}):totable())
    assert.same({{3, -1 + 1}}, layer:backward(core.tensor{{1, 0, 0}}):add(core.tensor{{2, 0}}):totable())
    assert.same({{1, 0, 0}, {2, 0, 0}}, layer.weight_grad:totable())
    assert.same({1, 0, 0}, layer.bias_grad:totable())
    local noise = core.masking_noise(0.5)
    local x = core.ones(4, 50)
    assert.is_true(noise:forward(x):equal(x))
    noise:seed(3)
    local first = noise:forward(x, true)
    assert.is_false(first:equal(x))
    assert.is_true(noise:backward(core.ones(4, 50)):equal(first))
    noise:seed(3)
    assert.is_true(noise:forward(x, true):equal(first))
  end)

  it("computes its penalty", function()
    local layer = core.dense(2, 2, {activity_l1 = 0.5, activity_reduction = "sum", weight_l2 = 0.25})
    layer.weight = core.eye(2)
    assert.equal(0, layer:penalty())
    layer:forward(core.tensor{{1, -2}})
    near(0.5 * 3 + 0.25 * 2, layer:penalty())
    layer = core.dense(2, 2, {weight_l1 = 0.5, weight_l2 = 0.25})
    layer.weight = core.tensor{{1, -2}, {0, 3}}
    layer:forward(core.tensor{{1, -2}})
    near(0.5 * 6 + 0.25 * 14, layer:penalty())
    layer:backward(core.zeros(1, 2))
    assert.is_true(layer.weight_grad:allclose(core.tensor{{1, -1.5}, {0, 2}}, 0, 1e-6))
  end)

  it("takes bytes as value/255", function()
    local layer = core.activation("linear")
    near(0.2, layer:forward(core.tensor({{51, 255}}, {dtype = "uint8"})):get(1, 1))
  end)

  it("names shapes that do not match", function()
    local layer = core.dense(3, 4)
    assert.equal("forward: input is [3], expected a matrix; one row is x:reshape(1, -1)",
      failure(layer.forward, layer, core.zeros(3)))
    assert.equal("forward: input is [2 x 5], expected [rows x 3]", failure(layer.forward, layer, core.zeros(2, 5)))
    assert.equal("forward: input is [2 x 3 x 1], expected [rows x 3]",
      failure(layer.forward, layer, core.zeros(2, 3, 1)))
    assert.equal("forward: input is [0 x 3], expected [rows x 3]", failure(layer.forward, layer, core.zeros(0, 3)))
    assert.matches("moonglass.tensor expected, got table", failure(layer.forward, layer, {{1, 2, 3}}))
    assert.matches("^backward: expected a forward before it", failure(layer.backward, layer, core.zeros(2, 4)))
    layer:forward(core.zeros(2, 3))
    assert.matches("%[2 x 3%], expected %[2 x 4%]", failure(layer.backward, layer, core.zeros(2, 3)))
    assert.matches("%[4%], expected %[2 x 4%]", failure(layer.backward, layer, core.zeros(4)))
  end)

  it("is equal to itself through any handle", function()
    local layer = core.dense(3, 3)
    local tied = core.dense(3, 3, {tied = layer})
    assert.is_true(tied.tied == layer)
    assert.is_false(rawequal(tied.tied, layer))
    assert.is_false(tied == layer)
    assert.is_false(layer == core.zeros(1))
  end)
end)

describe("a loss", function()
  it("has the kind of its name", function()
    local p, t = core.tensor{{0, 3}, {0.5, 1}}, core.tensor{{1, 1}, {0.5, 0}}
    assert.equal((1 + 4 + 0 + 1) / 4, core.mse():forward(p, t))
    assert.equal((1 + 2 + 0 + 1) / 4, core.mae():forward(p, t))
    assert.equal((1 + 2 + 0 + 1) / 2, core.mae{reduction = "batchmean"}:forward(p, t))
    assert.equal((0.5 + 1.5 + 0 + 0.5) / 4, core.huber():forward(p, t))
  end)

  it("gives its value and then its gradient", function()
    local loss = core.mse()
    local p, t = core.tensor{{1, 2}}, core.tensor{{0, 4}}
    assert.equal(2.5, loss:forward(p, t))
    assert.same({{1, -2}}, loss:backward():totable())
    assert.same({{1, -2}}, loss:backward():totable())
    assert.equal(5, core.mse{reduction = "batchmean"}:forward(p, t))
  end)

  it("takes class numbers if it is a loss of classes", function()
    local loss = core.cross_entropy()
    near(-math.log(0.75), loss:forward(core.tensor{{0.25, 0.75}}, core.tensor({1}, {dtype = "uint8"})))
    assert.equal("1 2", shape(loss:backward()))
  end)

  it("shows its options", function()
    local loss = core.bce{reduction = "sum", from_logits = true}
    assert.equal("bce reduction sum from_logits true", tostring(loss))
    assert.equal("sum", loss.reduction)
    assert.is_true(loss.from_logits)
    assert.equal("bce: option 'reduction' is fixed at construction", failure(setter(loss, "reduction", "mean")))
    assert.equal("loss has no field or method 'foo'", failure(getter(loss, "foo")))
  end)

  it("names mistakes, and keeps the last successful forward", function()
    local loss = core.mse()
    assert.equal("mse: backward without a forward before it", failure(loss.backward, loss))
    loss:forward(core.ones(2, 3), core.zeros(2, 3))
    assert.matches("target is %[2 x 4%], expected %[2 x 3%] as the prediction",
      failure(loss.forward, loss, core.ones(2, 3), core.zeros(2, 4)))
    assert.equal("2 3", shape(loss:backward()))
    assert.matches("moonglass.tensor expected, got number", failure(loss.forward, loss, 1, 2))
    local p = core.ones(1, 1)
    loss:forward(p, p)
    close(p)
    assert.equal("mse: backward: the prediction or the target of the last forward is closed",
      failure(loss.backward, loss))
  end)
end)

describe("an optimiser", function()
  it("steps a list of parameters", function()
    local opt, layer = core.sgd{lr = 0.5}, core.dense(2, 2)
    layer.weight = core.ones(2, 2)
    layer.weight_grad = core.ones(2, 2)
    layer.bias_grad = core.full(2, 2)
    opt:step(layer:parameters())
    assert.same({{0.5, 0.5}, {0.5, 0.5}}, layer.weight:totable())
    assert.same({-1, -1}, layer.bias:totable())
    assert.equal(1, opt:steps())
    opt:set_steps(10)
    assert.equal(10, opt:steps())
    opt:step({})
    assert.equal(11, opt:steps())
  end)

  it("is made by its constructor, or by name", function()
    for _, pair in ipairs{
      {core.adam{lr = 0.5}, "adam"}, {core.sgd{lr = 0.5}, "sgd"}, {core.rmsprop{lr = 0.5}, "rmsprop"},
      {core.adagrad{lr = 0.5}, "adagrad"}, {core.adamw{lr = 0.5}, "adamw"}, {core.adamax{lr = 0.5}, "adamax"},
      {core.nadam{lr = 0.5}, "nadam"}, {core.adadelta{lr = 0.5}, "adadelta"},
    } do
      assert.equal(pair[2], pair[1]:kind())
      assert.same(core.optimizer(pair[2], {lr = 0.5}):state(), pair[1]:state())
    end
  end)

  it("leaves shared parameters to their owner", function()
    local owner = core.dense(2, 3)
    local tied = core.dense(3, 2, {tied = owner, bias = false})
    local before = owner.weight:clone()
    owner.weight_grad = core.ones(2, 3)
    core.sgd():step(tied:parameters())
    assert.is_true(owner.weight:equal(before))
  end)

  it("shows its options; settable ones can be set", function()
    local opt = core.adam{beta1 = 0.5}
    assert.equal("adam lr 0.001 beta1 0.5", tostring(opt))
    opt.lr = 0.25
    assert.equal(0.25, opt.lr)
    assert.equal(0.5, opt.beta1)
    assert.equal("adam: lr is '0.1' (a string), expected a number", failure(setter(opt, "lr", "0.1")))
    assert.matches("^adam: lr is %-1, expected", failure(setter(opt, "lr", -1)))
    assert.matches("^adam: lr is %-?nan, expected", failure(setter(opt, "lr", 0 / 0)))
    assert.equal(0.25, opt.lr)
    assert.equal("sgd: option 'momentum' is fixed at construction", failure(setter(core.sgd(), "momentum", 0.5)))
    assert.equal("optimizer has no field 'foo' that can be set", failure(setter(opt, "foo", 1)))
    assert.equal("optimizer has no field or method 'foo'", failure(getter(opt, "foo")))
  end)

  it("gives its state and its moments", function()
    local opt, layer = core.adam{lr = 0.01}, core.dense(2, 2)
    assert.same({kind = "adam", steps = 0, lr = 0.01, beta1 = 0.9, beta2 = 0.999, eps = 1e-7, weight_decay = 0,
      clip_value = 0, clip_norm = 0, global_clip_norm = 0}, opt:state())
    layer.weight_grad = core.ones(2, 2)
    opt:step(layer:parameters())
    local moments = opt:moments(layer:parameters())
    assert.equal(2, #moments)
    near(0.1, moments[1].m:get(1, 1))
    near(0.001, moments[1].v:get(1, 1), 1e-9)
    assert.equal(0, moments[2].m:sum())
    moments[1].m:fill_(3) -- they are live tensors
    assert.equal(3, opt:state(layer:parameters()).moments[1].m:get(2, 2))
    assert.same({{}, {}}, core.sgd():moments(layer:parameters()))
    local fresh = core.adam():moments(layer:parameters())
    assert.equal(0, fresh[1].v:sum())
  end)

  it("refuses lists that are not parameters", function()
    local opt = core.adam()
    assert.equal("adam: got nil, expected a list as parameters() returns it", failure(opt.step, opt, nil))
    assert.equal("adam: parameter 1 has no tensor 'value', expected a list as parameters() returns it",
      failure(opt.step, opt, {3}))
    assert.equal("adam: parameter 2 has no tensor 'grad', expected a list as parameters() returns it",
      failure(opt.step, opt, {{value = core.zeros(1), grad = core.zeros(1)}, {value = core.zeros(1)}}))
    assert.equal("adam: parameter 1 is [2], but its gradient is [3]",
      failure(opt.step, opt, {{value = core.zeros(2), grad = core.zeros(3)}}))
    assert.matches("parameter 1 has no tensor 'value'", failure(opt.moments, opt, {{}}))
    assert.equal(0, opt:steps())
    assert.matches("at least 0", failure(opt.set_steps, opt, -1))
  end)
end)

describe("a net", function()
  it("is a list of layers", function()
    local first = core.dense(6, 4, {activation = "relu"})
    local net = core.net{first, core.dense(4, 6, {activation = "sigmoid"})}
    assert.equal(2, #net)
    assert.equal(6, net:inputs())
    assert.equal(6, net:outputs())
    assert.equal("net (dense 6->4 relu, dense 4->6 sigmoid)", tostring(net))
    assert.is_true(rawequal(net:layer(1), first))
    assert.is_true(net:slice(1, 1):layer(1) == first)
    assert.equal(4, net:slice(2, 2):inputs())
    assert.equal(0, core.net{core.dropout(0.5)}:inputs())
    local many = {}
    for i = 1, 9 do many[i] = core.activation("relu") end
    assert.matches(", activation relu, and 3 more%)$", tostring(core.net(many)))
  end)

  it("keeps its layers alive", function()
    local net = small_net():slice(1, 2)
    local dx = net:layer(1):backward(net:layer(1):forward(core.rand(2, 6)))
    assert.equal("2 6", shape(dx))
    net:layer(2):forward(core.rand(2, 4))
    collectgarbage() collectgarbage()
    assert.equal("2 4", shape(net:layer(2):backward(core.rand(2, 6))))
  end)

  it("refuses lists that are not matching layers", function()
    assert.matches("at least one layer", failure(core.net, {}))
    assert.equal("net: element 2 is 3, expected a layer", failure(core.net, {core.dropout(0.1), 3}))
    assert.equal("in layer 2 (dense 3->4): input is [* x 4], expected [* x 3]",
      failure(core.net, {core.dense(6, 4), core.dense(3, 4)}))
    assert.matches("table expected, got no value", failure(core.net))
    local net = small_net()
    assert.equal("layer: index is 3, expected a whole number of 1 to 2", failure(net.layer, net, 3))
    assert.equal("layer: index is 0, expected a whole number of 1 to 2", failure(net.layer, net, 0))
    assert.equal("slice: last layer is 1, expected a whole number of 2 to 2", failure(net.slice, net, 2, 1))
  end)

  it("has fields, and names unknown ones", function()
    local net, other = small_net(), small_net()
    net.title, net.predict = "mine", false
    assert.equal("mine", net.title)
    assert.is_false(net.predict)
    assert.equal("function", type(other.predict))
    net.title = nil
    assert.equal("net has no field or method 'title'", failure(getter(net, "title")))
    assert.equal("net has no field or method 'foward'; did you mean 'forward'?", failure(getter(net, "foward")))
    assert.equal("net: a layer is net:layer(1), not net[1]", failure(getter(net, 1)))
    assert.is_nil(net.__foo)
    assert.equal("net: a field has a name, got 1", failure(setter(net, 1, 2)))
  end)

  it("takes methods from core.methods, where false declares a field that may be missing", function()
    local methods = core.methods["moonglass.net"]
    methods.spec_twice = function(net) return 2 * #net end
    methods.spec_field = false
    local net = small_net()
    assert.equal(4, net:spec_twice())
    assert.is_nil(net.spec_field)
    net.spec_field = 7
    assert.equal(7, net.spec_field)
    methods.spec_twice, methods.spec_field = nil, nil
  end)

  it("runs forward and backward", function()
    local net = core.net{core.dense(2, 2), core.dense(2, 1)}
    net:layer(1).weight = core.tensor{{1, 2}, {3, 4}}
    net:layer(2).weight = core.tensor{{1}, {-1}}
    local x = core.tensor{{1, 1}, {0, 2}}
    assert.same({{-2}, {-2}}, net:forward(x):totable())
    assert.same({{-1, -1}, {-1, -1}}, net:backward(core.ones(2, 1)):totable())
    assert.same({{4}, {6}}, core.tensor{{4}, {6}}:totable())
    assert.same({{10}, {14}}, net:layer(2).weight_grad:totable())
    assert.is_true(net:predict(x):equal(net:forward(x)))
    assert.is_true(net:predict(x, {batch_size = 1}):equal(net:forward(x)))
    assert.equal(0, net:penalty())
    assert.equal(known.fill "predict: unknown option 'batch'; did you mean 'batch_size'? (known: <BatchOptions>)",
      failure(net.predict, net, x, {batch = 1}))
    assert.equal("predict: batch_size is 0, expected a whole number of at least 1",
      failure(net.predict, net, x, {batch_size = 0}))
    assert.equal("predict: options is 3, expected {batch_size = n}", failure(net.predict, net, x, 3))
    assert.matches("^predict: input is %[2 x 3%], expected %[rows x 2%]", failure(net.predict, net, core.zeros(2, 3)))
  end)

  it("lists every parameter once", function()
    local owner = core.dense(6, 4)
    local net = core.net{core.dropout(0.1), owner, core.dense(4, 6, {tied = owner})}
    local names = {}
    for i, p in ipairs(net:parameters()) do names[i] = p.name end
    assert.same({"2.weight", "2.bias", "3.bias"}, names)
    names = {}
    for i, p in ipairs(net:slice(3, 3):parameters()) do names[i] = p.name end
    assert.same({"1.weight", "1.bias"}, names)
  end)

  it("trains by steps", function()
    local a, b = small_net(), small_net()
    for i, p in ipairs(b:parameters()) do p.value:copy_(a:parameters()[i].value) end
    local x, y, loss = core.rand(8, 6), core.rand(8, 6), core.mse()
    local oa, ob = core.adam(), core.adam()
    for _ = 1, 3 do
      local value = loss:forward(b:forward(x, true), y)
      b:backward(loss:backward())
      ob:step(b:parameters())
      near(value, a:step(x, y, loss, oa))
    end
    for i, p in ipairs(b:parameters()) do assert.is_true(p.value:allclose(a:parameters()[i].value, 1e-5, 1e-6)) end
    assert.equal("number", type(a:step(x, nil, loss, oa)))
    assert.equal(4, oa:steps())
  end)

  it("steps and evaluates on the rows of a dataset", function()
    local x = core.rand(10, 6)
    local a, loss, opt = small_net(), core.mse(), core.sgd{lr = 0}
    local data = core.dataset(x)
    near(a:step(x:rows(3, 6), nil, loss, opt), a:step_rows(data, 3, 4, loss, opt))
    near(loss:forward(a:predict(x), x), a:evaluate_rows(data, loss, 3))
    near(loss:forward(a:predict(x), x), a:evaluate_rows(data, loss))
    local errors = a:errors(x, {batch_size = 4})
    assert.equal("10", shape(errors))
    near(loss:forward(a:predict(x), x), errors:mean())
    assert.equal("step_rows: number of rows is 4, expected a whole number of 1 to 2",
      failure(a.step_rows, a, data, 9, 4, loss, opt))
    assert.equal("step_rows: first row is 0, expected a whole number of 1 to 10",
      failure(a.step_rows, a, data, 0, 4, loss, opt))
    assert.equal("evaluate_rows: batch is 0, expected a whole number of at least 1",
      failure(a.evaluate_rows, a, data, loss, 0))
  end)

  it("takes only objects, and names a wrong one", function()
    local net, x, loss, opt = small_net(), core.rand(2, 6), core.mse(), core.adam()
    assert.matches("moonglass.tensor expected, got moonglass.loss", failure(net.step, net, loss, x, loss, opt))
    assert.matches("moonglass.loss expected, got string", failure(net.step, net, x, x, "mse", opt))
    assert.matches("moonglass.optimizer expected, got no value", failure(net.step, net, x, x, loss))
    assert.matches("target is %[2 x 5%], expected %[rows x 6%]", failure(net.step, net, x, core.zeros(2, 5), loss, opt))
    assert.equal(0, opt:steps())
  end)

  it("makes no garbage in a step, and allocates nothing once planned", function()
    local net, loss, opt = small_net(), core.mse(), core.adam()
    local x = core.rand(32, 6)
    local data, step, step_rows = core.dataset(x), net.step, net.step_rows
    net:plan(32, loss, opt)
    step(net, x, x, loss, opt)
    step_rows(net, data, 1, 32, loss, opt)
    collectgarbage() collectgarbage("stop")
    local held = core.info().memory
    local count = collectgarbage("count")
    for _ = 1, 100 do
      step(net, x, x, loss, opt)
      step_rows(net, data, 5, 28, loss, opt)
    end
    local grown = collectgarbage("count") - count
    collectgarbage("restart")
    assert.equal(0, grown)
    assert.equal(held, core.info().memory)
  end)

  it("plans, and names wrong sizes", function()
    local net = small_net()
    net:plan(4)
    net:plan(4, core.mse())
    assert.equal("plan: number of rows is 0, expected a whole number of at least 1", failure(net.plan, net, 0))
    assert.matches("expected at least one row and a width", failure(function() core.net{core.dropout(0.1)}:plan(4) end))
  end)

  it("repeats its noise from a seed", function()
    local net = core.net{core.gaussian_noise(1)}
    local x = core.zeros(3, 5)
    net:seed(5)
    local first = net:forward(x, true)
    assert.is_false(first:equal(net:forward(x, true)))
    net:seed(5)
    assert.is_true(first:equal(net:forward(x, true)))
  end)

  it("remembers its encoder", function()
    local net = small_net()
    assert.equal(0, net:encoder_layers())
    net:set_encoder_layers(1)
    assert.equal(1, net:encoder_layers())
    assert.matches("number of layers is %-1", failure(net.set_encoder_layers, net, -1))
    assert.matches("encoder has 2 layers, expected fewer than the net's 2", failure(net.set_encoder_layers, net, 2))
    assert.equal(1, net:encoder_layers())
  end)

  it("becomes tensors and texts, and a net again", function()
    local net, x = small_net(), core.rand(3, 6)
    net:set_encoder_layers(1)
    local tensors, metadata = net:archive()
    assert.equal("4 6", shape(tensors["0.weight"]))
    assert.equal("string", type(metadata.moonglass))
    local again = assert(core.net_from(tensors, metadata))
    assert.is_true(again:predict(x):equal(net:predict(x)))
    assert.equal(1, again:encoder_layers())
    tensors["0.weight"] = nil
    local nothing, message, code = core.net_from(tensors, metadata)
    assert.is_nil(nothing)
    assert.matches("0%.weight", message)
    assert.equal("format", code)
    assert.equal("net_from: tensors is missing, expected a table {name = tensor}", failure(core.net_from))
    assert.equal("net_from: tensors['a'] is 1, expected a tensor", failure(core.net_from, {a = 1}, {}))
  end)
end)

describe("a dataset", function()
  it("gives batches of rows with their targets", function()
    local x = core.tensor({{0, 51}, {102, 153}, {204, 255}}, {dtype = "uint8"})
    local y = core.tensor({2, 0, 1}, {dtype = "uint8"})
    local data = core.dataset(x, y)
    assert.equal(3, #data)
    assert.equal(3, data:rows())
    assert.equal("dataset x [3 x 2], y [3]", tostring(data))
    local bx, by = data:batch(2, 2)
    assert.equal("float32", bx.dtype)
    near(0.8, bx:get(2, 1))
    assert.equal("uint8", by.dtype)
    assert.same({0, 1}, by:totable())
    local _, wide = core.dataset(x, core.ones(3, 4)):batch(1, 2)
    assert.equal("2 4", shape(wide))
    local alone = table.pack(core.dataset(x):batch(1, 3))
    assert.equal(1, alone.n)
  end)

  it("is shuffled by seed and epoch only", function()
    local x = core.arange(1, 101):reshape(100, 1)
    local data = core.dataset(x)
    data:shuffle(1, 2)
    local first = data:batch(1, 100)
    assert.is_false(first:equal(x))
    assert.equal(5050, first:sum())
    data:shuffle(1, 3)
    assert.is_false(data:batch(1, 100):equal(first))
    data:shuffle(1, 2)
    assert.is_true(data:batch(1, 100):equal(first))
    data:unshuffle()
    assert.is_true(data:batch(1, 100):equal(x))
  end)

  it("keeps its tensors, even closed ones", function()
    local x = core.ones(2, 3)
    local data = core.dataset(x)
    close(x)
    collectgarbage()
    assert.equal(6, data:batch(1, 2):sum())
  end)

  it("names shapes that do not match", function()
    assert.matches("x is %[3%], expected %[rows x width%]", failure(core.dataset, core.zeros(3)))
    assert.matches("y is %[2 x 3%] and x %[3 x 3%]", failure(core.dataset, core.zeros(3, 3), core.zeros(2, 3)))
    assert.matches("at least one row", failure(core.dataset, core.zeros(0, 3)))
    assert.matches("moonglass.tensor expected, got table", failure(core.dataset, {}))
    local data = core.dataset(core.zeros(5, 2))
    assert.equal("batch: first row is 6, expected a whole number of 1 to 5", failure(data.batch, data, 6, 1))
    assert.equal("batch: number of rows is 3, expected a whole number of 1 to 2", failure(data.batch, data, 4, 3))
    assert.equal("batch: number of rows is 1.5, expected a whole number of 1 to 2", failure(data.batch, data, 4, 1.5))
  end)
end)

describe("files:", function()
  local function io_failure(f, ...)
    local result, message, code = f(...)
    assert.is_nil(result)
    assert.equal("string", type(message))
    return code, message
  end

  it("a net is saved and loaded", function()
    temporary(function(path)
      local net, x = small_net(), core.rand(3, 6)
      assert.is_true(net:save(path))
      assert.is_true(assert(core.load_net(path)):predict(x):equal(net:predict(x)))
    end)
  end)

  it("safetensors keep tensors, texts and the order of the names", function()
    temporary(function(path)
      assert.is_true(core.safetensors_save(path, {b = core.ones(2), a = core.zeros(3, 1)}, {key = "text"}))
      local tensors, metadata, names = core.safetensors_load(path)
      assert.equal("3 1", shape(tensors.a))
      assert.equal(2, tensors.b:sum())
      assert.equal("text", metadata.key)
      assert.same({"a", "b"}, names)
      assert.is_true(core.safetensors_save(path, {}))
      tensors, metadata, names = core.safetensors_load(path)
      assert.same({{}, {}, {}}, {tensors, metadata, names})
    end)
  end)

  it("bytes in memory are those of the files", function()
    temporary(function(path)
      local net, x = small_net(), core.rand(3, 6)
      assert.is_true(net:save(path))
      assert.is_true(files.read(path) == net:bytes())
      assert.is_true(assert(core.net_from_bytes(net:bytes())):predict(x):equal(net:predict(x)))
      local tensors, texts = {b = core.ones(2), a = core.zeros(3, 1)}, {key = "text"}
      assert.is_true(core.safetensors_save(path, tensors, texts))
      local bytes = core.safetensors_encode(tensors, texts)
      assert.is_true(files.read(path) == bytes)
      local again, metadata, names = core.safetensors_decode(bytes)
      assert.is_true(again.a:equal(tensors.a) and again.b:equal(tensors.b))
      assert.same({{"a", "b"}, texts}, {names, metadata})
      assert.same({{}, {}, {}}, {core.safetensors_decode(core.safetensors_encode{})})
      for _, damaged in ipairs{"", bytes:sub(1, -2), bytes .. "\0", bytes:gsub("text", "tent")} do
        assert.equal("format", (io_failure(core.safetensors_decode, damaged)))
        assert.equal("format", (io_failure(core.net_from_bytes, damaged)))
      end
      local _, message = io_failure(core.net_from_bytes, bytes)
      assert.equal("no text entry 'moonglass': not a net of Moonglass", message)
    end)
  end)

  it("pictures go to PNG and back", function()
    local t = core.tensor({{0, 128}, {255, 7}, {1, 2}}, {dtype = "uint8"})
    local bytes = core.png_encode(t)
    assert.equal("\137PNG", bytes:sub(1, 4))
    assert.is_true(assert(core.png_decode(bytes)):equal(t))
    temporary(function(path)
      assert.is_true(core.png_write(path, t))
      assert.is_true(assert(core.png_read(path)):equal(t))
    end)
    assert.matches("png", failure(core.png_encode, core.zeros(3)))
  end)

  it("an IDX file becomes a tensor", function()
    temporary(function(path)
      local f = assert(io.open(path, "wb"))
      f:write(string.pack(">I1I1I1I1I4I4", 0, 0, 8, 2, 2, 3), "\1\2\3\4\5\6")
      f:close()
      local t = assert(core.idx_load(path))
      assert.equal("uint8", t.dtype)
      assert.same({{1, 2, 3}, {4, 5, 6}}, t:totable())
    end)
  end)

  it("a failed read or write gives nil, a message and a code", function()
    temporary(function(path)
      local f = assert(io.open(path, "wb"))
      f:write("no such format")
      f:close()
      local missing = path .. ".missing"
      for _, name in ipairs{"idx_load", "npy_load", "png_read", "safetensors_load", "load_net"} do
        local code, message = io_failure(core[name], missing)
        assert.equal("I/O", code)
        assert.is_truthy(message:find(missing, 1, true))
        assert.equal("format", (io_failure(core[name], path)))
      end
      assert.equal("format", (io_failure(core.png_decode, "foo")))
      local inside = path .. "/inside"
      assert.equal("I/O", (io_failure(core.png_write, inside, core.zeros(2, 2))))
      assert.equal("I/O", (io_failure(core.safetensors_save, inside, {})))
      local net = small_net()
      assert.equal("I/O", (io_failure(net.save, net, inside)))
      assert.is_nil(lfs.attributes(missing))
    end)
  end)

  it("misuse raises", function()
    for _, name in ipairs{"idx_load", "npy_load", "png_read", "safetensors_load", "load_net"} do
      assert.matches("the path holds a zero byte", failure(core[name], "a\0b"))
      assert.matches("string expected", failure(core[name]))
    end
    local net = small_net()
    assert.matches("the path holds a zero byte", failure(net.save, net, "a\0b"))
    assert.matches("the path holds a zero byte", failure(core.png_write, "a\0b", core.zeros(2, 2)))
    assert.matches("moonglass.tensor expected", failure(core.png_write, "a", {}))
    local save = function(...) return failure(core.safetensors_save, "never/written", ...) end
    assert.equal("safetensors.save: a name in tensors is 1, expected a string", save{core.ones(1)})
    assert.equal("safetensors.save: tensors['a'] is 1, expected a tensor", save{a = 1})
    assert.equal("safetensors.save: metadata['a'] is 1, expected a string", save({}, {a = 1}))
    assert.equal("safetensors.save: metadata['a'] holds a zero byte, expected text", save({}, {a = "b\0c"}))
    assert.matches("the name 'a...' in tensors holds a zero byte", save{["a\0b"] = core.ones(1)})
    assert.matches("metadata is 'text' %(a string%), expected a table", save({}, "text"))
  end)
end)

describe("userdata", function()
  local function makers()
    local x = core.rand(4, 6)
    return {
      layer = function() return core.dense(6, 4) end,
      loss = core.mse,
      optimizer = core.adam,
      net = small_net,
      dataset = function() return core.dataset(x) end,
    }
  end

  it("is closed by a to-be-closed variable, and then raises errors", function()
    local x = core.rand(4, 6)
    local uses = { -- a call for each class
      layer = {forward = {x}, backward = {x}, parameters = {}, kind = {}, penalty = {}, seed = {1}},
      loss = {forward = {x, x}, backward = {}, kind = {}},
      optimizer = {step = {{}}, moments = {{}}, steps = {}, state = {}, kind = {}, set_steps = {1}},
      net = {forward = {x}, backward = {x}, predict = {x}, errors = {x}, parameters = {}, layer = {1}, slice = {1, 1},
        penalty = {}, seed = {1}, archive = {}, inputs = {}, encoder_layers = {}, save = {"x"}, plan = {1},
        step = {x, x}, step_rows = {x}, evaluate_rows = {x}},
      dataset = {batch = {1, 1}, rows = {}, shuffle = {1}, unshuffle = {}},
    }
    for noun, make in pairs(makers()) do
      local kept
      do
        local object <close> = make()
        kept = object
      end
      assert.equal("moonglass." .. noun .. " (closed)", tostring(kept))
      for name, arguments in pairs(uses[noun]) do
        assert.matches("closed", failure(kept[name], kept, table.unpack(arguments)), name)
      end
      close(kept) -- closing twice is allowed
    end
  end)

  it("that is closed is named when it is used", function()
    local layer, loss, opt, x = core.dense(6, 4), core.mse(), core.adam(), core.rand(2, 6)
    close(layer)
    assert.equal("net: element 1 is a closed moonglass.layer, expected a layer", failure(core.net, {layer}))
    assert.equal("dense: tied is a closed moonglass.layer, expected a layer",
      failure(core.dense, 4, 6, {tied = layer}))
    assert.matches("this moonglass.layer is closed", failure(getter(layer, "weight")))
    local net = small_net()
    close(loss)
    assert.matches("this moonglass.loss is closed", failure(net.step, net, x, x, loss, opt))
    local inner = net:layer(1)
    close(inner)
    assert.equal("dense 6->4 tanh", tostring(net:layer(1))) -- the net still holds the layer
    assert.equal("2 6", shape(net:predict(x)))
  end)

  it("frees its memory", function()
    local before = memory()
    for _, make in pairs(makers()) do make() end
    do
      local net, x = small_net(), core.rand(50, 6)
      local opt = core.adam()
      net:step(x, nil, core.mse(), opt)
      net.again, net.layers = net, {net:layer(1), net:layer(2)} -- a cycle
      net:layer(1):forward(x)
      net:archive()
    end
    for _ = 1, 20 do pcall(core.dense, 3, 4, {init = "foo"}) end
    assert.equal(before, memory())
  end)

  it("of the same kind is not mistaken for another", function()
    local net, layer = small_net(), core.dense(6, 4)
    assert.matches("moonglass.net expected, got moonglass.layer", failure(net.parameters, layer))
    assert.matches("moonglass.layer expected, got moonglass.net", failure(layer.forward, net, core.zeros(1, 6)))
    assert.matches("moonglass.loss expected", failure(core.mse().forward, layer))
  end)

  it("without references is freed when memory is short", function()
    local held = memory()
    core.limits{memory = held + 3000000}
    for _ = 1, 40 do core.dense(500, 300):forward(core.zeros(1, 500)) end -- 1.2 MB and more each
    local message = failure(core.dense, 2000, 2000)
    local net = small_net()
    local _, wide = pcall(net.predict, net, core.zeros(1, 6))
    core.limits{memory = 0}
    assert.matches("memory", message)
    assert.equal("1 6", shape(wide))
  end)

  it("may be closed by a finaliser at any time", function()
    local net, x = core.net{core.dense(6, 4), core.dense(4, 6)}, core.rand(3, 6)
    local list, done = net:parameters(), false
    for _, f in ipairs{
      function() return net:parameters() end, function() return net:forward(x) end,
      function() return core.adam():step(list) end, function() return net:layer(1).weight end,
    } do
      collectgarbage("generational")
      local closing = {net, x, list[1].value}
      setmetatable({}, {__gc = function()
        for i = 1, 3 do close(closing[i]) end
        done = true
      end})
      for _ = 1, 10000 do
        local ok = pcall(f)
        if not ok and done then break end
      end
      collectgarbage("incremental")
      net, x = small_net(), core.rand(3, 6)
      list, done = net:parameters(), false
    end
  end)
end)

describe("an operand of a running function", function()
  local function close_in_coroutine(t) coroutine.wrap(function() close(t) end)() end

  -- A finaliser resurrects a tensor whose finaliser is pending: it then runs in the middle of a call on that tensor.
  it("stays valid when the collector finalises its resurrected userdata", function()
    collectgarbage() collectgarbage("stop")
    local saved
    local function make(depth) -- deep in the stack, so that no reference remains
      if depth > 0 then return (make(depth - 1)) end
      local holder = {core.ones(50)}
      for _ = 1, 500 do setmetatable({}, {__gc = function() end}) end
      setmetatable(holder, {__gc = function(h) saved = h[1] end})
    end
    make(20)
    collectgarbage("incremental", 100, 100, 8)
    while not saved do collectgarbage("step", 0) end
    collectgarbage("restart")
    local calls, ok, sum = 0, true, nil
    while ok and calls < 10000 do
      calls = calls + 1
      ok, sum = pcall(function() return (saved + saved):sum() end)
      if ok then assert.equal(100, sum) end
    end
    collectgarbage("incremental", 200, 100, 13)
    assert.matches("this moonglass.tensor is closed", sum)
  end)

  it("may be closed by the function that map calls", function()
    for _, how in ipairs{close, close_in_coroutine} do
      local t = core.ones(3)
      local message = failure(t.map, t, function(v)
        how(t)
        return v
      end)
      assert.equal("this moonglass.tensor is closed", message:gsub("^.-: ", ""))
    end
  end)

  it("is freed at once by close, after an error too, and in a coroutine", function()
    local function without(f)
      local t, before = core.zeros(1000, 100), memory()
      f(t)
      return before - memory()
    end
    local function fail(t)
      pcall(t.reshape, t, 3)
      pcall(t.map, t, error)
      close(t)
    end
    assert.is_true(without(close) >= 400000)
    assert.is_true(without(close_in_coroutine) >= 400000)
    assert.is_true(without(fail) >= 400000)
    assert.is_true(without(coroutine.wrap(fail)) >= 400000)
  end)

  it("is freed by the collector when a finaliser has closed it during a call", function()
    local before = memory()
    local function finish()
      local t = core.ones(1000, 100)
      collectgarbage("stop")
      setmetatable({}, {__gc = function() close_in_coroutine(t) end})
      collectgarbage("restart")
      return pcall(function() return (t + t):sum() end)
    end
    assert.is_boolean(finish())
    assert.is_true(memory() <= before)
  end)

  it("may be one of many", function()
    local list = {}
    for i = 1, 500 do list[i] = core.full(i, 1) end
    collectgarbage("incremental", 1, 1000, 40)
    setmetatable({}, {__gc = function()
      for i = 1, 500 do
        close(list[i])
        list[i] = nil
      end
    end})
    local ok, whole = pcall(core.cat, list)
    collectgarbage("incremental", 200, 100, 13)
    assert(not ok or whole:sum() == 125250, whole)
  end)
end)

describe("an error that a hook raises", function()
  -- pcall(f, ...), with act called at the n-th function call; f is the first.
  local function with_hook(n, act, f, ...)
    local count, arguments = 0, table.pack(...)
    -- In a coroutine, because the main one may have a hook already, which cannot be put back (make coverage).
    local co = coroutine.create(function() return pcall(f, table.unpack(arguments, 1, arguments.n)) end)
    debug.sethook(co, function()
      if count > 0 or debug.getinfo(2, "f").func == f then count = count + 1 end
      if count == n then act() end
    end, "c")
    local _, ok, value = coroutine.resume(co)
    return ok, value
  end

  local function raised(n, f, ...) return with_hook(n, function() error("from the hook", 0) end, f, ...) end

  -- Run with memory for only a few numbers.
  local function without_memory(f)
    collectgarbage()
    core.limits{memory = memory() + 1000}
    local results = table.pack(pcall(f))
    core.limits{memory = 0}
    return table.unpack(results, 2, results.n)
  end

  it("is raised by the call that needs memory", function()
    local path, held = os.tmpname(), core.zeros(100, 100)
    assert(core.png_write(path, held))
    local messages = without_memory(function()
      local list = {}
      for n = 1, 3 do
        list[n] = {select(2, raised(n, core.zeros, 100, 100)), select(2, raised(n, core.png_read, path))}
      end
      return list
    end)
    os.remove(path)
    assert.same({"from the hook", "from the hook"}, messages[1]) -- raised in the function
    assert.same({"from the hook", "from the hook"}, messages[2]) -- raised in its test call of a finaliser
    assert.matches("out of memory", messages[3][1])
    assert.matches("out of memory", messages[3][2])
  end)

  it("may come from a hook that closes what the call works on", function()
    local t, clone = core.ones(100, 100), core.methods["moonglass.tensor"].clone
    local ok, copy = without_memory(function() return with_hook(2, function() close(t) end, clone, t) end)
    assert.equal("moonglass.tensor (closed)", tostring(t))
    assert.is_false(ok) -- t is in use, so its memory is not free for the copy
    assert.matches("out of memory", copy)
  end)
end)

describe("an aggressive collector", function()
  -- 1,000 operations on a changing pool of objects; shapes may not match.
  local function storm(seed)
    math.randomseed(seed)
    local random = math.random
    local pool = {}
    local function pick(noun)
      local list = pool[noun] or {}
      return list[random(#list > 0 and #list or 1)]
    end
    local function put(noun, object)
      pool[noun] = pool[noun] or {}
      pool[noun][random(6)] = object
    end
    local operations = {
      function() put("tensor", core.rand(random(1, 8), 6)) end,
      function()
        local kinds = core.registered("layers")
        put("layer", random(2) == 1 and core.dense(6, 4) or samples.layer(kinds[random(#kinds)], 6))
      end,
      function()
        local layer = pick "layer"
        put("layer", core.dense(layer.out, layer["in"], {tied = layer}))
      end,
      function() put("loss", random(2) == 1 and core.mse() or core.huber()) end,
      function() put("optimizer", random(2) == 1 and core.adam() or core.rmsprop()) end,
      function() put("net", core.net{core.dense(6, 4), core.dense(4, 6)}) end,
      function() put("net", core.net{pick "layer", pick "layer"}) end,
      function() put("dataset", core.dataset(pick "tensor", random(2) == 1 and pick "tensor" or nil)) end,
      function() put("tensor", pick "layer":forward(pick "tensor", true)) end,
      function()
        local layer = pick "layer"
        put("tensor", layer:backward(layer:forward(pick "tensor", true)))
      end,
      function() put("tensor", pick "net":forward(pick "tensor", true)) end,
      function()
        local net = pick "net"
        put("tensor", net:backward(net:forward(pick "tensor", true)))
      end,
      function() put("tensor", pick "net":predict(pick "tensor", {batch_size = random(4)})) end,
      function() put("net", pick "net":slice(1, 1)) end,
      function() put("layer", pick "net":layer(random(2))) end,
      function() pick "net":step(pick "tensor", nil, pick "loss", pick "optimizer") end,
      function() pick "net":step_rows(pick "dataset", 1, 1, pick "loss", pick "optimizer") end,
      function() pick "net":evaluate_rows(pick "dataset", pick "loss", 2) end,
      function() pick "optimizer":step(pick "net":parameters()) end,
      function() put("tensor", pick "optimizer":moments(pick "net":parameters())[1].v) end,
      function()
        local loss, t = pick "loss", pick "tensor"
        pcall(loss.forward, loss, t, random(2) == 1 and t or pick "tensor")
        put("tensor", loss:backward())
      end,
      function() put("net", core.net_from(pick "net":archive())) end,
      function() put("tensor", core.png_decode(core.png_encode(pick "tensor"))) end,
      function() put("tensor", pick "layer".weight) end,
      function()
        local layer = pick "layer"
        layer.weight = random(2) == 1 and layer.weight_grad or pick "tensor"
      end,
      function() local net = pick "net" net.friend = pick "net" end,
      function() put("tensor", (pick "dataset":batch(1, 1))) end,
      function() close(pick(({"tensor", "layer", "loss", "optimizer", "net", "dataset"})[random(6)])) end,
      function() return tostring(pick "net") .. tostring(pick "layer") .. tostring(pick "dataset") end,
    }
    local succeeded = 0
    for _ = 1, 1000 do
      if pcall(operations[random(#operations)]) then succeeded = succeeded + 1 end
    end
    assert(succeeded > 300, ("only %d operations succeeded"):format(succeeded))
  end

  for _, mode in ipairs{"generational", "incremental"} do
    it("finds no invalid object, " .. mode, function()
      local before = memory()
      if mode == "generational" then
        collectgarbage("generational", 5, 20)
      else
        collectgarbage("incremental", 50, 1000)
      end
      local ok, message = pcall(storm, 7)
      collectgarbage("incremental", 200, 100)
      assert(ok, message)
      assert.equal(before, memory())
    end)
  end
end)

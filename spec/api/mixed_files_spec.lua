-- Files of nets with layers in Lua: save, load, checkpoint and resume, with the state that such a layer offers; what
-- cannot be saved; files that do not fit leave the net as it was.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"
local files = dofile "spec/support/files.lua"
local samples = dofile "spec/support/samples.lua"
local trainings = dofile "spec/support/trainings.lua"

local failure, has, temporary = expect.failure, expect.has, files.temporary

-- y = x * scale; its state has something of each kind, and changes with each training pass.
local function scaling(width, name)
  local layer = {name = name or "scaling"}
  local scale, grad, mean, x = moon.ones(width), moon.zeros(width), moon.zeros(width), nil
  layer.count, layer.note, layer.odd, layer.bytes = 0, "new", false, moon.zeros(2, {dtype = "uint8"})

  function layer:forward(given, training)
    x = given
    if training then
      self.count, self.odd = self.count + 1, not self.odd
      self.note = ("it's the %dth \u{e9}"):format(self.count)
      mean:copy_(x:mean(1))
      self.bytes:fill_(self.count % 256)
    end
    return x * scale + mean * 0.01
  end

  function layer.backward(_, dy)
    grad:copy_((x * dy):sum(1))
    return dy * scale
  end

  function layer.parameters() return {{name = "scale", value = scale, grad = grad}} end

  function layer:state()
    return {count = self.count, note = self.note, odd = self.odd, mean = mean, bytes = self.bytes}
  end

  function layer:load_state(t)
    if t.count < 0 then error("count is negative") end
    self.count, self.note, self.odd = t.count, t.note, t.odd
    mean:copy_(t.mean)
    self.bytes:copy_(t.bytes)
  end

  return layer
end

-- Without state: a layer that only squares.
local function square()
  local x
  return {
    name = "square",
    forward = function(_, given) x = given return x * x end,
    backward = function(_, dy) return dy * x * 2 end,
  }
end

local function make_net()
  moon.seed(5)
  return moon.sequential{
    moon.gaussian_noise(0.1), moon.dense(6, 5, {activation = "tanh"}), scaling(5), square(), moon.dropout(0.2),
    moon.dense(5, 3, {activation = "sigmoid"}),
  }
end

local function trained()
  local net = make_net()
  trainings.fit(net, {seed = 3, epochs = 2})
  return net
end

local function show(v) return type(v) == "userdata" and table.concat(v:reshape(-1):totable(), " ") or tostring(v) end

-- All that a net holds, as texts by name.
local function contents(net)
  local all = {}
  for _, parameter in ipairs(net:parameters()) do all[parameter.name] = show(parameter.value) end
  for i = 1, #net do
    local layer = net:layer(i)
    if type(layer) == "table" and rawget(layer, "state") then
      for name, v in pairs(layer:state()) do all[("%d.state.%s"):format(i, name)] = show(v) end
    end
  end
  return all
end

describe("a net with layers in Lua", function()
  it("is saved, and fills a net made by the same code", function()
    temporary(function(path)
      local net, other = trained(), make_net()
      assert.is_true(net:save(path))
      assert.are_not.same(contents(net), contents(other))
      assert.is_true(other:load(path))
      assert.same(contents(net), contents(other))
      assert.equal("it's the 6th \u{e9}", other:layer(3).note)
      local x = trainings.problem()
      assert.is_true(net:predict(x):equal(other:predict(x)))
      assert.equal(files.read(path), net:bytes())
      assert.equal(net:bytes(), other:bytes())
    end)
  end)

  it("names tensors by their place in torch.nn.Sequential", function()
    local tensors, metadata = trained():archive()
    local names = {}
    for name in pairs(tensors) do names[#names + 1] = name end
    table.sort(names)
    assert.same({"0.bias", "0.weight", "2.bytes", "2.mean", "2.scale", "5.bias", "5.weight"}, names)
    assert.equal("lua", metadata["layer.3"])
    assert.equal("scaling", metadata["layer.3.name"])
  end)

  it("has the names of a native net for every kind of layer", function()
    for _, kind in ipairs(moon.registered("layers")) do
      local function layers(middle)
        moon.seed(3)
        return {samples.net(kind, 6), middle, moon.dense(6, 6)}
      end
      local native, mixed = moon.sequential(layers(moon.activation("tanh"))), moon.sequential(layers(square()))
      local ok, expected = pcall(native.archive, native)
      assert.is_true(ok, kind)
      local tensors = mixed:archive()
      for name, t in pairs(expected) do assert.is_true(tensors[name]:equal(t), kind .. " " .. name) end
      for name in pairs(tensors) do assert.is_truthy(expected[name], kind .. " " .. name) end
    end
  end)

  it("does not share the tensors of its archive", function()
    local net = trained()
    local tensors = net:archive()
    local before = contents(net)
    for _, t in pairs(tensors) do t:zero_() end
    assert.same(before, contents(net))
  end)

  it("loads parameters and tensors of another program's file, below a prefix, too", function()
    temporary(function(path)
      local net, other = trained(), make_net()
      local tensors, theirs = net:archive(), {}
      for name, t in pairs(tensors) do theirs["encoder." .. name] = t end
      theirs.other = moon.zeros(1)
      assert(moon.safetensors.save(path, theirs))
      assert.is_true(other:load(path, {prefix = "encoder."}))
      assert.equal("new", other:layer(3).note)
      assert.is_true(other:layer(3):state().mean:equal(net:layer(3):state().mean))
      for i, parameter in ipairs(net:parameters()) do
        assert.is_true(parameter.value:equal(other:parameters()[i].value))
      end
    end)
  end)

  it("is an autoencoder, too", function()
    temporary(function(path)
      local function make()
        return moon.autoencoder{encoder = {moon.dense(6, 3), scaling(3)}, decoder = {moon.dense(3, 6)}}
      end
      local x, ae, other = trainings.problem(), make(), make()
      ae:fit(x, {loss = "mse", epochs = 2})
      assert(ae:save(path))
      assert(other:load(path))
      assert.is_true(ae:encode(x):equal(other:encode(x)))
      assert.is_true(ae:reconstruct(x):equal(other:reconstruct(x)))
    end)
  end)

  it("may have branches, with layers in Lua in some", function()
    temporary(function(path)
      local function make()
        moon.seed(4)
        return moon.sequential{
          moon.dense(6, 4), moon.branches{
            {moon.gaussian_noise(0.2), moon.dense(4, 2, {activation = "tanh"})}, {}, {scaling(4), moon.dense(4, 3)},
          }, moon.dense(9, 3),
        }
      end
      local x, y = trainings.problem()
      local opts = {loss = "mse", epochs = 2, seed = 3, callbacks = {moon.callbacks.checkpoint(path)}}
      local net, other = make(), make()
      local state = net:layer(2).parts[3]:layer(1)
      net:fit(x, y, opts)
      net:layer(2).parts[1]:layer(1).sigma = 0.3
      assert(net:save(path))
      local function refused(words, change)
        local tensors, metadata = net:archive()
        local before = contents(other)
        change(tensors, metadata)
        assert(moon.safetensors.save(path, tensors, metadata))
        local ok, message = other:load(path)
        assert.is_nil(ok)
        has(message, words)
        assert.same(before, contents(other))
      end
      refused("in branch 3 of layer 2: tensor '0.mean' [4] is missing", function(t) t["1.3.0.mean"] = nil end)
      refused("in branch 1 of layer 2: layer 2 (dense): tensor '0.weight'", function(t) t["1.1.0.weight"] = nil end)
      refused("branch 2 of layer 2 has layers in the file", function(t) t["1.2.0.weight"] = moon.zeros(1) end)
      refused("tensor '1.4.x' belongs to no branch", function(t) t["1.4.x"] = moon.zeros(1) end)
      refused("layer 2 is 3 branches, and another layer in the file", function(_, m) m["layer.2"] = "lua" end)
      refused("count is negative", function(_, m) m["layer.2.3.layer.1.state.count"] = "-1" end)
      assert(net:save(path))
      assert(other:load(path))
      assert.same(contents(net), contents(other))
      local theirs = other:layer(2).parts[3]:layer(1)
      assert.equal(4, theirs.count)
      assert.equal(state.note, theirs.note)
      assert.equal(0.3, other:layer(2).parts[1]:layer(1).sigma)
      state.load_state = nil
      assert.equal("checkpoint: layer 1 (scaling): it has state, but no load_state, expected both",
        failure(net.fit, net, x, y, opts))
    end)
  end)

  it("may make a part of its state in its first pass", function()
    temporary(function(path)
      local function late()
        local self = {name = "late", forward = function(_, x) return x end, backward = function(_, dy) return dy end}
        function self.state() return {mean = self.mean, n = self.n} end
        function self.load_state(_, t) self.mean, self.n = t.mean, t.n end
        return self
      end
      local a, b = late(), late()
      a.mean, a.n = moon.tensor{1, 2}, 7
      assert(moon.sequential{a}:save(path))
      assert(moon.sequential{b}:load(path))
      assert.is_true(a.mean:equal(b.mean))
      assert.equal(7, b.n)
      assert.equal("integer", math.type(b.n))
    end)
  end)

  it("is not made by moon.load, which says what to do", function()
    temporary(function(path)
      local net = trained()
      assert(net:save(path))
      local words = "a net with layers written in Lua: make it by the same code, then fill it by net:load"
      assert.same({n = 3, nil, ("'%s': %s"):format(path, words), "format"}, table.pack(moon.load(path)))
      assert.same({n = 3, nil, words, "format"}, table.pack(moon.load_bytes(net:bytes())))
      assert.same({n = 3, nil, path .. ": not a checkpoint: there is no entry 'checkpoint'", "format"},
        table.pack(moon.checkpoint.load(path, net)))
      assert(moon.checkpoint.save(path, {net = net}))
      assert.same({n = 3, nil, path .. ": its net has layers written in Lua: make it by the same code, and give it: "
        .. "moon.checkpoint.load(path, net)", "format"}, table.pack(moon.checkpoint.load(path)))
    end)
  end)
end)

describe("what cannot be saved is refused before the training:", function()
  local function refused(words, layer)
    local net = moon.sequential{moon.dense(6, 6), layer, moon.dense(6, 3)}
    local before = net:layer(1).weight:clone()
    temporary(function(path)
      assert.equal("save: " .. words, failure(net.save, net, path))
      assert.equal("checkpoint.save: " .. words, failure(moon.checkpoint.save, path, {net = net}))
      local callbacks = {moon.callbacks.checkpoint(path)}
      assert.equal("checkpoint: " .. words, failure(trainings.fit, net, {callbacks = callbacks}))
      assert.is_nil(files.read_if_there(path))
    end)
    assert.equal("bytes: " .. words, failure(net.bytes, net))
    assert.equal("archive: " .. words, failure(net.archive, net))
    assert.is_true(before:equal(net:layer(1).weight))
  end

  local function with(fields)
    local layer = square()
    for name, v in pairs(fields) do layer[name] = v end
    return layer
  end

  local function with_state(state)
    return with{state = function() return state end, load_state = function() end}
  end

  it("one of two methods", function()
    refused("layer 2 (square): it has state, but no load_state, expected both", with{state = function() return {} end})
    refused("layer 2 (square): it has load_state, but no state, expected both", with{load_state = function() end})
    refused("layer 2 (square): state is 7, expected a method; a field needs another name", with{state = 7})
  end)

  it("what is no state", function()
    refused("layer 2 (square): state gave nil, expected a table", with_state(nil))
    refused("layer 2 (square): state gave 7, expected a table", with_state(7))
    refused("layer 2 (square): f of its state is a function, expected a tensor, a number, a text or a boolean",
      with_state{f = print})
    refused("layer 2 (square): list of its state is a table, expected a tensor, a number, a text or a boolean",
      with_state{list = {1, 2}})
    refused("layer 2 (square): an entry of its state has the name 1, expected letters, digits, '_', '.' and '-'",
      with_state{moon.zeros(2)})
    refused("layer 2 (square): note of its state is a text that is not UTF-8 or has a zero byte, which files cannot "
      .. "hold", with_state{note = "\xff"})
    refused("layer 2 (\xff): its name is not UTF-8 or has a zero byte, which files cannot hold", with{name = "\xff"})
  end)

  it("parameters without a name of their own", function()
    local a, b = moon.zeros(6), moon.zeros(6)
    local function parameters(...)
      local list = {...}
      return with{parameters = function() return list end}
    end
    refused("layer 2 (square): parameter 1 has the name nil, expected letters, digits, '_', '.' and '-'",
      parameters{value = a, grad = b})
    refused("layer 2 (square): two parameters have the name 'w'",
      parameters({name = "w", value = a, grad = b}, {name = "w", value = a, grad = b}))
    local layer = with_state{w = b}
    layer.parameters = function() return {{name = "w", value = a, grad = b}} end
    refused("layer 2 (square): 'w' is a parameter, and another value in its state, expected another name", layer)
  end)

  it("a state that raises, with the layer's name", function()
    local net = moon.sequential{with{state = function() error("no luck", 0) end, load_state = print}}
    assert.equal("in layer 1 (square): no luck", failure(net.bytes, net))
  end)
end)

describe("a file that does not fit leaves the net as it was:", function()
  -- change(tensors, metadata) of a good file; words: what load says then.
  local function check(words, change, load, save)
    temporary(function(path)
      local net, other = trained(), make_net()
      trainings.fit(other, {seed = 9, epochs = 1})
      save(path, net)
      local tensors, metadata = assert(moon.safetensors.load(path))
      change(tensors, metadata)
      assert(moon.safetensors.save(path, tensors, metadata))
      local before = contents(other)
      local ok, message, code = load(path, other)
      assert.is_nil(ok)
      has(message, words)
      assert.equal("format", code)
      assert.same(before, contents(other))
    end)
  end

  local function refused(words, change)
    check(words, change, function(path, net) return net:load(path) end,
      function(path, net) assert(net:save(path)) end)
    check(words, change, moon.checkpoint.load, function(path, net)
      assert(moon.checkpoint.save(path, {net = net, opt = net.optimizer}))
    end)
  end

  it("tensors", function()
    refused("tensor '2.scale' [5] is missing", function(t) t["2.scale"] = nil end)
    refused("tensor '2.scale' is [4], expected [5]", function(t) t["2.scale"] = moon.zeros(4) end)
    refused("tensor '2.scale' is [5] uint8, expected [5]", function(t)
      t["2.scale"] = moon.zeros(5, {dtype = "uint8"})
    end)
    refused("tensor '2.mean' [5] is missing", function(t) t["2.mean"] = nil end)
    refused("tensor '2.mean' is [1 x 5], expected [5]", function(t) t["2.mean"] = moon.zeros(1, 5) end)
    refused("tensor '2.bytes' is [2], expected [2] uint8", function(t) t["2.bytes"] = moon.zeros(2) end)
    refused("layer 2 (dense): tensor '0.weight' [5 x 6] is missing", function(t) t["0.weight"] = nil end)
    refused("layer 6 (dense): tensor '5.bias' is [7], expected [3] float32", function(t)
      t["5.bias"] = moon.zeros(7)
    end)
    refused("tensor '9.weight' belongs to no layer", function(t) t["9.weight"] = moon.zeros(1) end)
    refused("layer 4 (square): 'w' belongs to no parameter, and it has no load_state", function(t)
      t["3.w"] = moon.zeros(1)
    end)
  end)

  it("numbers, texts and booleans of a state", function()
    local key = "layer.3.state."
    refused("layer 3 (scaling): count of its state is nil, expected a number", function(_, m)
      m[key .. "count"] = nil
    end)
    refused("layer 3 (scaling): count of its state is 'x', expected a number", function(_, m)
      m[key .. "count"] = "'x"
    end)
    refused("layer 3 (scaling): note of its state is 3, expected a text", function(_, m) m[key .. "note"] = "3" end)
    refused("layer 3 (scaling): odd of its state is nil, expected a boolean", function(_, m) m[key .. "odd"] = nil end)
    refused("layer 3 (scaling): odd of its state is a tensor, expected a boolean", function(t, m)
      t["2.odd"], m[key .. "odd"] = moon.zeros(2), nil
    end)
    refused("layer.3.state.count is one, expected a number, true, false or a text after '", function(_, m)
      m[key .. "count"] = "one"
    end)
    refused("in layer 3 (scaling): ", function(_, m) m[key .. "count"] = "-1" end)
    refused("count is negative", function(_, m) m[key .. "count"] = "-1" end)
  end)

  it("the layers", function()
    refused("a net with layers in Lua of version '2', expected '1'", function(_, m) m.mixed = "2" end)
    refused("7 layers, and 6 in the net", function(_, m) m.layers = "7" end)
    refused("nil layers, and 6 in the net", function(_, m) m.layers = nil end)
    refused("layer 2 is dense 6->5, and missing in the file", function(_, m) m["layer.2"] = nil end)
    refused("layer 2 is dense 6->5, and written in Lua in the file", function(_, m) m["layer.2"] = "lua" end)
    refused("layer 3 (scaling) is written in Lua, and native in the file", function(_, m)
      m["layer.3"] = m["layer.5"]
    end)
    refused("layer 3 (scaling) is written in Lua, and missing in the file", function(_, m) m["layer.3"] = nil end)
    refused("layer 3 is other in the file, and scaling in the net", function(_, m) m["layer.3.name"] = "other" end)
    refused("layer 3 is without a name in the file", function(_, m) m["layer.3.name"] = nil end)
    refused("layer 5 is gaussian_noise in the file, and dropout in the net", function(_, m)
      m["layer.5"] = m["layer.1"]
    end)
    refused("layer 2 (dense 6->5): activation is 'relu' in the file, and 'tanh' in the net", function(_, m)
      m["layer.2"] = m["layer.2"]:gsub("tanh", "relu")
    end)
    refused("the text entry 'moonglass'", function(_, m) m["layer.2"] = "{" end)
    refused("layer 5 is 2 layers in the file, expected one", function(_, m)
      m["layer.5"] = m["layer.5"]:gsub("%[(.*)%]", "[%1,%1]")
    end)
  end)

  it("a native net's, and the other way round", function()
    temporary(function(path)
      local native = trainings.make_net()
      assert(moon.checkpoint.save(path, {net = trained()}))
      assert.same({n = 3, nil, path .. ": the file's net has layers written in Lua, the net has none", "format"},
        table.pack(moon.checkpoint.load(path, native)))
      assert(moon.checkpoint.save(path, {net = native}))
      local net = make_net()
      local before = contents(net)
      assert.is_nil((moon.checkpoint.load(path, net)))
      assert.same(before, contents(net))
    end)
  end)
end)

describe("a checkpoint", function()
  local function result(net, history)
    local all = contents(net)
    local parameters = net:parameters()
    for i, moments in ipairs(net.optimizer:moments(parameters)) do
      for slot, t in pairs(moments) do all[("%s.%s"):format(parameters[i].name, slot)] = show(t) end
    end
    all.loss, all.val_loss = table.concat(history.loss, " "), table.concat(history.val_loss, " ")
    return all
  end

  local function all_callbacks(path)
    return {
      moon.callbacks.cosine{epochs = 6, warmup = 1}, moon.callbacks.early_stopping{patience = 9, restore_best = true},
      moon.callbacks.checkpoint(path),
    }
  end

  it("resumes bit for bit", function()
    temporary(function(path)
      local whole = make_net()
      local expected = result(whole, trainings.fit(whole,
        {optimizer = moon.adam{lr = 0.02}, epochs = 5, seed = 8, callbacks = all_callbacks(path)}))
      for stop = 1, 4 do
        trainings.fit(make_net(),
          {optimizer = moon.adam{lr = 0.02}, epochs = stop, seed = 8, callbacks = all_callbacks(path)})
        local net = make_net()
        local c = assert(moon.checkpoint.load(path, net))
        assert.is_true(rawequal(c.net, net))
        assert.equal(stop, c.epoch)
        local history = trainings.fit(net, {epochs = 5, resume = c, callbacks = all_callbacks(path)})
        assert.same(expected, result(net, history))
      end
    end)
  end)

  it("resumes after an error within an epoch, from the newest intact file", function()
    temporary(function(path)
      local function callbacks() return {moon.callbacks.checkpoint(path, {keep = 2})} end
      local whole = make_net()
      local expected = result(whole, trainings.fit(whole, {optimizer = "rmsprop", epochs = 4, seed = 8}))
      local opts = {optimizer = "rmsprop", epochs = 4, seed = 8, callbacks = callbacks()}
      table.insert(opts.callbacks, {on_batch_end = function(_, state)
        if state.epoch == 3 and state.batch == 2 then error("enough") end
      end})
      has(failure(trainings.fit, make_net(), opts), "enough")
      files.write(path, files.read(path):sub(1, 200))
      local net = make_net()
      local c, skipped = assert(moon.checkpoint.latest(path, net))
      assert.equal(1, c.epoch)
      assert.equal(1, #skipped)
      assert.same(expected, result(net, trainings.fit(net, {epochs = 4, resume = c})))
    end)
  end)

  it("holds the options that were set in the training", function()
    temporary(function(path)
      local function callbacks(stop)
        return {function(state)
          state.net:layer(1).sigma = 0.1 * state.epoch
          state.net:layer(2).trainable = state.epoch < 2
          if state.epoch == stop then state.stop = true end
        end, moon.callbacks.checkpoint(path)}
      end
      local whole = make_net()
      local expected = result(whole, trainings.fit(whole, {epochs = 5, seed = 8, callbacks = callbacks()}))
      for stop = 1, 3 do
        trainings.fit(make_net(), {epochs = 5, seed = 8, callbacks = callbacks(stop)})
        local net = make_net()
        local c = assert(moon.checkpoint.load(path, net))
        assert.near(0.1 * stop, net:layer(1).sigma, 1e-12)
        assert.equal(stop < 2, net:layer(2).trainable)
        assert.same(expected, result(net, trainings.fit(net, {epochs = 5, resume = c, callbacks = callbacks()})))
      end
    end)
  end)

  it("comes from bytes, and fills a native net, too", function()
    temporary(function(path)
      local function run(make)
        local net, other = make(), make()
        trainings.fit(net, {epochs = 1, seed = 2, callbacks = {moon.callbacks.checkpoint(path)}})
        local c = assert(moon.checkpoint.load_bytes(files.read(path), other))
        assert.is_true(rawequal(c.net, other))
        assert.same(contents(net), contents(other))
      end
      run(make_net)
      run(trainings.make_net)
    end)
  end)

  it("of a native net fits only a net of the same options", function()
    temporary(function(path)
      local function made(activation) return moon.sequential{moon.dense(6, 3, {activation = activation})} end
      assert(moon.checkpoint.save(path, {net = made("relu")}))
      local net = made("tanh")
      local before = contents(net)
      local words = ": layer 1 (dense 6->3): activation is 'relu' in the file, and 'tanh' in the net"
      assert.same({n = 3, nil, path .. words, "format"}, table.pack(moon.checkpoint.load(path, net)))
      assert.same(before, contents(net))
      assert.equal("checkpoint.load: net is 7, expected a net", failure(moon.checkpoint.load, path, 7))
    end)
  end)
end)

describe("load_state that fails", function()
  it("is undone in the layers before it, and an error of a hook comes out", function()
    temporary(function(path)
      local function make(fails)
        local a, b = scaling(6, "a"), scaling(6, "b")
        local take = b.load_state
        function b:load_state(t)
          take(self, t)
          if fails and t.count == 6 then fails() end
        end
        moon.seed(2)
        return moon.sequential{a, moon.dense(6, 6), b, moon.dense(6, 3)}
      end
      local net = make()
      trainings.fit(net, {seed = 3, epochs = 2})
      assert(net:save(path))
      local other = make(function() error("no luck", 0) end)
      local before = contents(other)
      assert.same({n = 3, nil, ("'%s': in layer 3 (b): no luck"):format(path), "format"}, table.pack(other:load(path)))
      assert.same(before, contents(other))
      local stopped = {}
      other = make(function()
        debug.sethook(function()
          debug.sethook()
          error(stopped, 0)
        end, "", 1)
        for _ = 1, 100 do end
      end)
      before = contents(other)
      local ok, raised = pcall(other.load, other, path)
      assert.is_false(ok)
      assert.is_true(rawequal(stopped, raised))
      assert.same(before, contents(other))
    end)
  end)
end)

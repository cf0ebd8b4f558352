-- Names from other libraries: accepted where they mean the same, otherwise suggested in the message.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"

local failure = expect.raised

describe("a name that another library has", function()
  it("is accepted for activations, losses, optimizers and initialisers, and printed as ours", function()
    for theirs, ours in pairs{
      swish = "silu", Swish = "silu", SiLU = "silu", ReLU = "relu", LeakyReLU = "leaky_relu", Tanh = "tanh",
      ["leaky-relu"] = "leaky_relu", Softmax = "softmax", identity = "linear", logistic = "sigmoid", GELU = "gelu",
    } do
      assert.equal(ours, moon.dense(2, 2, {activation = theirs}).activation)
      assert.equal(ours, moon.activation(theirs).activation)
    end
    for theirs, ours in pairs{
      MSE = "mse", MSELoss = "mse", mean_squared_error = "mse", MeanSquaredError = "mse", L1Loss = "mae", MAE = "mae",
      BCELoss = "bce", BinaryCrossentropy = "bce", sparse_categorical_crossentropy = "cross_entropy", Huber = "huber",
      CrossEntropy = "cross_entropy", HuberLoss = "huber",
    } do
      assert.equal(ours, moon.loss(theirs):kind())
    end
    for theirs, ours in pairs{
      Adam = "adam", SGD = "sgd", RMSprop = "rmsprop", AdaGrad = "adagrad", AdamW = "adamw", Nadam = "nadam",
    } do
      assert.equal(ours, moon.optimizer(theirs):kind())
    end
    for theirs, ours in pairs{
      xavier_uniform = "glorot_uniform", XavierNormal = "glorot_normal", kaiming_uniform = "he_uniform",
      kaiming_normal = "he_normal", HeNormal = "he_normal", Zeros = "zeros",
    } do
      assert.equal(ours, moon.dense(2, 2, {init = theirs}).init)
    end
    local net = moon.sequential{moon.dense(2, 2, {activation = "Sigmoid"})}
    net:fit(moon.rand(8, 2), {loss = "MSE", optimizer = "Adam"})
    assert.equal("mse", net.loss:kind())
    assert.equal("net (dense 2->2 sigmoid)", tostring(net))
  end)

  it("is saved as ours", function()
    local path, x = os.tmpname(), moon.rand(3, 4)
    local dense = moon.dense(4, 3, {activation = "swish", init = "xavier_normal"})
    local net = moon.sequential{dense, moon.activation("ReLU")}
    assert(net:save(path))
    local loaded = assert(moon.load(path))
    os.remove(path)
    assert.is_true(loaded:predict(x):equal(net:predict(x)))
    assert.equal("silu", loaded:layer(1).activation)
    assert.equal("relu", loaded:layer(2).activation)
  end)

  it("is refused if it means something else", function()
    for _, name in ipairs{"CrossEntropyLoss", "BCEWithLogitsLoss", "NLLLoss"} do -- of logits or log-probabilities
      assert.matches("did you mean", failure(moon.loss, name))
    end
    for theirs, ours in pairs{l1 = "mae", smooth_l1 = "huber", nll = "cross_entropy", log_loss = "bce"} do
      assert.matches(("did you mean '%s'%%?"):format(ours), failure(moon.loss, theirs))
    end
    assert.matches("did you mean 'leaky_relu'%?", failure(moon.activation, "lrelu"))
    assert.matches("did you mean 'normal'%?", failure(moon.dense, 2, 2, {init = "random_normal"}))
    assert.matches("unknown activation ''", failure(moon.activation, ""))
    assert.matches("unknown activation '_'", failure(moon.activation, "_"))
  end)

  it("is suggested among options", function()
    local net, x = moon.sequential{moon.dense(2, 2)}, moon.rand(4, 2)
    local function option(call, theirs, ours, ...)
      local given = {...}
      given[#given + 1] = {[theirs] = 1}
      local text = failure(call, table.unpack(given))
      assert.is_truthy(text:find(("unknown option '%s'; did you mean '%s'?"):format(theirs, ours), 1, true), text)
    end
    for theirs, ours in pairs{
      batch = "batch_size", batchsize = "batch_size", epoch = "epochs", n_epochs = "epochs", max_iter = "epochs",
      validation_data = "validation", criterion = "loss", optim = "optimizer", optimiser = "optimizer",
      workers = "threads", random_state = "seed", learning_rate = "optimizer", lr = "optimizer", patience = "callbacks",
    } do
      option(net.fit, theirs, ours, net, x, x)
    end
    for theirs, ours in pairs{learning_rate = "lr", LearningRate = "lr", epsilon = "eps", beta_1 = "beta1"} do
      option(moon.adam, theirs, ours)
    end
    for theirs, ours in pairs{
      units = "out", out_features = "out", in_features = "in", input_shape = "in", use_bias = "bias",
      kernel_initializer = "init", kernel_regularizer = "weight_l2", activity_regularizer = "activity_l1",
    } do
      option(moon.dense, theirs, ours, 2, 2)
    end
    for theirs, ours in pairs{tol = "min_delta", threshold = "min_delta", gamma = "factor", metric = "monitor"} do
      option(moon.callbacks.reduce_on_plateau, theirs, ours)
    end
    option(moon.callbacks.step_decay, "step_size", "every")
    for theirs, ours in pairs{T_max = "epochs", eta_min = "lr_min", warmup_epochs = "warmup"} do
      option(moon.callbacks.cosine, theirs, ours)
    end
    for _, theirs in ipairs{"max_val", "data_range"} do option(moon.metrics.psnr, theirs, "peak", x, x) end
    option(moon.bce, "logits", "from_logits")
    option(net.fit, "val_split", "validation_split", net, x, x)
    option(moon.autoencoder.plain, "hidden_size", "hidden")
    option(moon.dropout, "rate", "p")
    option(moon.gaussian_noise, "stddev", "sigma")
    option(moon.callbacks.early_stopping, "restore_best_weights", "restore_best")
    option(moon.callbacks.checkpoint, "save_best_only", "best", "x")
    option(moon.callbacks.reduce_on_plateau, "min_lr", "lr_min")
    option(moon.autoencoder.plain, "latent_dim", "hidden")
    option(moon.autoencoder.deep, "encoding_dim", "code")
    option(moon.knn, "n_neighbors", "k", x, moon.zeros(4))
    for theirs, ours in pairs{
      contamination = "quantile", percentile = "quantile", n_estimators = "ensemble", nets = "ensemble",
      feature_names = "columns", na_values = "missing",
    } do
      option(moon.detector.fit, theirs, ours, x)
    end
    for theirs, ours in pairs{
      usecols = "columns", exclude = "ignore", drop = "ignore", sep = "delimiter", na_values = "missing",
      nrows = "rows", chunksize = "stream",
    } do
      option(moon.data.csv, theirs, ours, "x.csv")
    end
    option(moon.data.images, "target_size", "size", "x")
    option(moon.data.images, "grayscale", "gray", "x")
  end)

  it("is suggested among fields and methods", function()
    local t, layer = moon.rand(2, 2), moon.dense(2, 2)
    for theirs, ours in pairs{view = "reshape", mm = "matmul", dot = "matmul", tolist = "totable", clip = "clamp"} do
      assert.matches(("'%s'; did you mean '%s'%%?"):format(theirs, ours), failure(function() return t[theirs] end))
    end
    for theirs, ours in pairs{fillna = "fill_nan", nan_to_num = "fill_nan", isna = "isnan", unfold = "windows"} do
      assert.matches(("'%s'; did you mean '%s'%%?"):format(theirs, ours), failure(function() return t[theirs] end))
    end
    local detector, scaler = moon.detector(moon.sequential{layer}), moon.scaler(t)
    for theirs, ours in pairs{
      predict = "alarms", decision_function = "scores", score_samples = "scores", partial_fit = "update",
    } do
      local text = failure(function() return detector[theirs] end)
      assert.matches(("'%s'; did you mean '%s'%%?"):format(theirs, ours), text)
    end
    for theirs, ours in pairs{transform = "apply", inverse_transform = "invert"} do
      assert.matches(("'%s'; did you mean '%s'%%?"):format(theirs, ours), failure(function() return scaler[theirs] end))
    end
    assert.matches("did you mean 'weight'", failure(function() return layer.kernel end))
    assert.matches("did you mean 'fit'", failure(function() return moon.sequential{layer}.compile end))
  end)
end)

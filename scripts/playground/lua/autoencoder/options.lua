--- The settings of the room: what a visitor can choose, in the words that a student reads. A setting with `only` counts
-- just where the other settings are as one of the lines there says.
local nets = require "playground.autoencoder.nets"

-- {value, label} for each; values that are a label by themselves need none.
local function choices(list)
  local made = {}
  for i, v in ipairs(list) do
    made[i] = type(v) == "table" and {value = v[1], label = v[2]} or {value = v, label = tostring(v)}
  end
  return made
end

-- Numbers of training rows, as far as the set has so many, and all that it has.
local function row_choices(available)
  local list = {}
  for _, n in ipairs{50, 100, 300, 1000, 5000, 20000} do
    if n < available then list[#list + 1] = n end
  end
  list[#list + 1] = available
  return choices(list)
end

local activations = choices{
  {"relu", "ReLU"}, {"leaky_relu", "leaky ReLU"}, {"elu", "ELU"}, {"gelu", "GELU"}, "tanh", "sigmoid", "linear",
}

local help_of_kinds = "Plain has one hidden layer, deep has more. Denoising learns to remove noise. Sparse uses few "
  .. "numbers of its code at a time. Variational draws its codes to a normal distribution."

local with_hidden = {{kind = {"deep", "denoising", "sparse", "variational"}}}
local with_activation_of_code = {
  {kind = {"plain", "deep", "denoising"}}, {kind = {"sparse"}, sparsity = {"l1", "k"}},
}

local function of_net()
  return {
    {
      name = "kind", label = "Kind", kind = "choice", choices = choices(nets.kinds), default = "deep", group = "net",
      help = help_of_kinds,
    },
    {
      name = "hidden", label = "Hidden units", kind = "number", low = 0, high = 512, whole = true, default = 128,
      group = "net", only = with_hidden,
      help = "Units of the layer before the code, and of its mirror image after it. 0: no such layers.",
    },
    {
      name = "code", label = "Code", kind = "number", low = 2, high = 128, whole = true, default = 32, group = "net",
      help = "How many numbers the 784 pixels are squeezed into. A code of 2 can be drawn as a map.",
    },
    {
      name = "activation", label = "Activation", kind = "choice", choices = activations, default = "relu",
      group = "net", only = with_hidden, help = "What each hidden unit does with its weighted sum.",
    },
    {
      name = "code_activation", label = "Code's activation", kind = "choice", choices = activations, default = "relu",
      group = "net", only = with_activation_of_code,
      help = "ReLU keeps the code at 0 or above. Linear leaves it as it is, which suits a map.",
    },
  }
end

local function of_kinds()
  return {
    {
      name = "noise", label = "Noise", kind = "choice", default = "gaussian", group = "kind",
      choices = choices{{"gaussian", "Gaussian"}, {"masking", "masking"}, {"salt_pepper", "salt and pepper"}},
      only = {{kind = {"denoising"}}},
      help = "Gaussian is added to each pixel. Masking makes pixels black, salt and pepper black or white.",
    },
    {
      name = "noise_level", label = "Noise level", kind = "number", low = 0, high = 1, step = 0.05, default = 0.4,
      group = "kind", only = {{kind = {"denoising"}}},
      help = "How strong the noise is: its standard deviation, or the share of pixels that it spoils.",
    },
    {
      name = "sparsity", label = "Sparsity", kind = "choice", default = "l1", group = "kind",
      choices = choices{{"l1", "L1 penalty"}, {"kl", "KL penalty"}, {"k", "k largest"}},
      only = {{kind = {"sparse"}}},
      help = "L1 pulls every number of the code to 0. KL sets how active a unit is on average. Or only the k largest "
        .. "numbers are kept.",
    },
    {
      name = "penalty", label = "Penalty", kind = "choice", default = 3e-4, group = "kind",
      choices = choices{{0, "0"}, {1e-5, "0.00001"}, {1e-4, "0.0001"}, {3e-4, "0.0003"}, {1e-3, "0.001"},
        {3e-3, "0.003"}, {1e-2, "0.01"}, {3e-2, "0.03"}, {1e-1, "0.1"}},
      only = {{kind = {"sparse"}, sparsity = {"l1", "kl"}}},
      help = "How much the net pays for active units. More makes the code sparser and the picture worse.",
    },
    {
      name = "target", label = "Target activity", kind = "number", low = 0.01, high = 0.5, step = 0.01, default = 0.05,
      group = "kind", only = {{kind = {"sparse"}, sparsity = {"kl"}}},
      help = "The mean that each unit of the code is drawn to.",
    },
    {
      name = "kept", label = "Kept numbers", kind = "number", low = 1, high = 128, whole = true, default = 8,
      group = "kind", only = {{kind = {"sparse"}, sparsity = {"k"}}},
      help = "How many numbers of each code are kept; the others become 0.",
    },
    {
      name = "beta", label = "Beta", kind = "number", low = 0, high = 10, step = 0.1, default = 1, group = "kind",
      only = {{kind = {"variational"}}},
      help = "How strongly the codes are drawn to a normal distribution. More fills the holes and blurs the pictures.",
    },
  }
end

local function of_training(available, set_name)
  local rows = row_choices(available)
  return {
    {
      name = "data", label = "Data", kind = "choice", default = "set",
      choices = choices{{"set", set_name or "the set"}, {"own", "own pictures"}},
      group = "data", help = "The pictures that the net learns from.",
    },
    {
      name = "rows", label = "Training pictures", kind = "choice", choices = rows,
      default = rows[math.min(6, #rows)].value, group = "data", only = {{data = {"set"}}},
      help = "With few pictures the net learns them by heart; with many it learns what they have in common.",
    },
    {
      name = "loss", label = "Loss", kind = "choice", default = "bce", group = "training",
      choices = choices{{"bce", "cross-entropy"}, {"mse", "squared error"}},
      help = "How the difference between picture and reconstruction is counted.",
    },
    {
      name = "rate", label = "Learning rate", kind = "choice", default = 1e-3, group = "training",
      choices = choices{{1e-5, "0.00001"}, {1e-4, "0.0001"}, {3e-4, "0.0003"}, {1e-3, "0.001"}, {3e-3, "0.003"},
        {1e-2, "0.01"}, {3e-2, "0.03"}, {0.1, "0.1"}, {0.3, "0.3"}, {1, "1"}, {3, "3"}},
      help = "How far each step goes. It can be changed while the net trains.",
    },
    {
      name = "optimizer", label = "Optimizer", kind = "choice", default = "adam", group = "training",
      choices = choices{{"adam", "Adam"}, {"sgd", "SGD"}, {"rmsprop", "RMSprop"}},
      help = "The rule of a step. SGD needs a larger rate than Adam.",
    },
    {
      name = "batch", label = "Batch size", kind = "choice", default = 32, group = "training",
      choices = choices{1, 8, 16, 32, 64, 128, 256}, help = "How many pictures each step looks at.",
    },
    {
      name = "seed", label = "Seed", kind = "number", low = 0, high = 2147483647, whole = true, default = 1,
      group = "training", help = "The same seed gives the same training again, to the last digit.",
    },
  }
end

---@param available integer training rows of the set
---@param set_name string? what the set is called
---@return table[] schema
return function(available, set_name)
  local schema = {}
  for _, list in ipairs{of_net(), of_kinds(), of_training(available, set_name)} do
    table.move(list, 1, #list, #schema + 1, schema)
  end
  return schema
end

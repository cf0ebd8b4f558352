-- Small trainings that several specs use: local trainings = dofile "spec/support/trainings.lua".
local moon = require "moonglass"

local trainings = {}

-- A small net with every source of randomness: noise, dropout, shuffled rows.
function trainings.make_net()
  moon.seed(31)
  return moon.sequential{
    moon.gaussian_noise(0.1), moon.dense(6, 5, {activation = "relu"}), moon.dropout(0.3),
    moon.dense(5, 3, {activation = "sigmoid"}),
  }
end

function trainings.problem()
  moon.seed(21)
  local x = moon.rand(50, 6)
  return x, x:matmul(moon.randn(6, 3)):sigmoid()
end

-- opts, completed by the common options of these trainings.
function trainings.fit(net, opts)
  local x, y = trainings.problem()
  moon.seed(os.time()) -- must not matter
  local all = {loss = "mse", batch_size = 16, validation_split = 0.2, threads = 1}
  for name, v in pairs(opts) do all[name] = v end
  return net:fit(x, y, all)
end

return trainings

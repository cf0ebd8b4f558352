--- What the room "points" sends: points, heat maps of features, units and output, and weights. Maps are bytes: 0 is -1
-- or less, 255 is 1 or more; their first row is the top, x2 = 6.
local moon = require "moonglass"
local features = require "playground.points.sets.features"
local options = require "playground.points.options"

local pictures = {}

local small, large = 24, 100 -- pixels of a unit's map, and of the output's
local half = 6               -- the axes end at -6 and 6

-- The middles of n x n pixels as the net sees them: [n^2 x names].
local function grid(n, names)
  local rows = {}
  for i = 1, n do
    local x2 = half - (i - 0.5) * 2 * half / n
    for k = 1, n do
      local x1, row = (k - 0.5) * 2 * half / n - half, {}
      for f, name in ipairs(names) do row[f] = features[name](x1, x2) end
      rows[#rows + 1] = row
    end
  end
  return moon.tensor(rows)
end

-- Values [n^2 x units] from -1 to 1 as bytes [units x n x n].
local function maps(values, n) return ((values:t() + 1) * 127.5):byte():reshape(-1, n, n) end

local function all_features()
  local names = {}
  for i, choice in ipairs(options.by_name.features.choices) do names[i] = choice.value end
  return names
end

--- The grids of a net with these features, which stay the same while it trains.
function pictures.grids(names) return {small = grid(small, names), large = grid(large, names)} end

function pictures.features(on)
  local names, is_on, list = all_features(), {}, {}
  for _, name in ipairs(on) do is_on[name] = true end
  for i, name in ipairs(names) do list[i] = is_on[name] or false end
  return {names = names, on = list, maps = maps(grid(small, names), small)}
end

-- Points {x1, x2, label} as x [n x 2] and labels [n].
local function plain(points)
  local x, labels = {}, {}
  for i, point in ipairs(points) do x[i], labels[i] = {point[1], point[2]}, point[3] end
  if #points == 0 then return moon.zeros(0, 2), moon.zeros(0) end
  return moon.tensor(x), moon.tensor(labels)
end

function pictures.points(data)
  local train, train_labels = plain(data.train)
  local test, test_labels = plain(data.test)
  return {train = train, train_labels = train_labels, test = test, test_labels = test_labels, classes = data.classes}
end

local function hidden_maps(net, rows)
  local list, widths = {}, {}
  for i = 1, #net - 1 do
    rows = net:layer(i):forward(rows)
    list[i], widths[i] = maps(rows, small), rows:size(2)
  end
  return #list > 0 and moon.cat(list) or moon.zeros(0, small, small, {dtype = "uint8"}), widths
end

local function output_map(net, rows, classes)
  local y = net:predict(rows)
  if classes == 3 then return (y:t() * 255):byte():reshape(3, large, large) end
  return maps(y, large):reshape(large, large)
end

--- list: host.list
function pictures.units(net, grids, classes, list)
  local hidden, widths = hidden_maps(net, grids.small)
  return {layers = list(widths), maps = hidden, output = output_map(net, grids.large, classes)}
end

function pictures.weights(net)
  local layers = {}
  for i = 1, #net do layers[i] = {weight = net:layer(i).weight, bias = net:layer(i).bias} end
  return {layers = layers}
end

return pictures

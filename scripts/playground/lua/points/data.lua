--- The points of a room: drawn, or the visitor's own.
--   local d = data.new(settings, own)    own: a list of {x1, x2, label}
--   d.classes                  2 (labels -1 and 1), 3 (0, 1, 2) or 0 (values)
--   d.train, d.test            lists of {x1, x2, label}
--   d.x, d.y, d.test_x, d.test_y   as the net sees them; test_x is nil without test points
--   data.check_point(point, own_labels, where)   {x1, x2, label} as numbers, or raises words
--   data.text(host, settings, own)    the code that makes x, y, test_x and test_y, for the exported script
local moon = require "moonglass"
local divide = require "playground.points.sets.divide"
local features = require "playground.points.sets.features"
local new_random = require "playground.points.sets.random"
local script = require "playground.script"
local settings = require "playground.settings"
local tensors = require "playground.points.sets.tensors"

local data = {most = 2000} -- own points

local drawn = 500 -- points
local classes_of = {circle = 2, xor = 2, gauss = 2, spiral = 2, spirals3 = 3, plane = 0, gaussian = 0}
local own_classes = {two = 2, three = 3, values = 0}
data.own_labels = {[2] = "two", [3] = "three", [0] = "values"}

function data.classes(s) return s.problem == "own" and own_classes[s.own_labels] or classes_of[s.problem] end

-- All points, before they are divided. The stream goes on with the order.
local function all_points(s, own, random)
  if s.problem == "own" then return own end
  return require("playground.points.sets." .. s.problem)(drawn, s.noise / 100, random)
end

function data.new(s, own)
  local random, classes = new_random(s.seed), data.classes(s)
  local points = all_points(s, own, random)
  local d = {classes = classes, points = points, train = {}, test = {}, x = moon.zeros(0, #s.features)}
  if #points == 0 then return d end
  d.train, d.test = divide(points, s.ratio / 100, random)
  d.x, d.y = tensors(d.train, s.features, features, classes)
  if #d.test > 0 then d.test_x, d.test_y = tensors(d.test, s.features, features, classes) end
  return d
end

-- ---- own points ----

local refuse, show = settings.refuse, settings.show

local labels = {
  two = {function(v) return v == -1 or v == 1 end, "-1 or 1"},
  three = {function(v) return v == 0 or v == 1 or v == 2 end, "0, 1 or 2"},
  values = {function(v) return v >= -1 and v <= 1 end, "a number of -1 to 1"},
}

function data.check_point(point, own_labels, where)
  if type(point) ~= "table" then refuse("%s is %s, expected [x, y, label]", where, show(point)) end
  local x1 = settings.check_number(where .. ": x", point[1], -6, 6)
  local x2 = settings.check_number(where .. ": y", point[2], -6, 6)
  local rule = labels[own_labels]
  if type(point[3]) ~= "number" or not rule[1](point[3]) then
    refuse("%s: label is %s, expected %s", where, show(point[3]), rule[2])
  end
  return {x1, x2, point[3]}
end

-- ---- the exported script ----

local function source(host, name) return script.functions(host.source("playground.points.sets." .. name)) .. "\n" end

-- Own points, four in a line.
local function numbers(own)
  local lines = {}
  for i = 1, #own, 4 do
    local parts = {}
    for k = i, math.min(i + 3, #own) do parts[#parts + 1] = script.list(own[k]) end
    lines[#lines + 1] = "  " .. table.concat(parts, ", ") .. ",\n"
  end
  return "local points = {\n" .. table.concat(lines) .. "}\n"
end

local tail = [[
local train, test = divide(points, %s, random)
local features_of_net, classes = %s, %d -- 0 classes: a regression
local x, y = tensors(train, features_of_net, features, classes)
]]

function data.text(host, s, own, has_test)
  local parts = {source(host, "random")}
  if s.problem ~= "own" then parts[2] = source(host, s.problem) end
  for _, name in ipairs{"divide", "features", "tensors"} do parts[#parts + 1] = source(host, name) end
  parts[#parts + 1] = ("local random = new_random(%d)\n"):format(s.seed)
  parts[#parts + 1] = s.problem == "own" and numbers(own)
    or ("local points = %s(%d, %s, random)\n"):format(s.problem, drawn, script.number(s.noise / 100))
  parts[#parts + 1] = tail:format(script.number(s.ratio / 100), script.list(s.features), data.classes(s))
  if has_test then
    parts[#parts + 1] = "local test_x, test_y = tensors(test, features_of_net, features, classes)\n"
  end
  return table.concat(parts)
end

return data

--- Points in the plane, in classes: x [n * classes x 2] float32, class after class, and y [n * classes] uint8, from 0.
-- With a seed the points depend on it only, and the context's random stream does not change. Without one the seed is
-- drawn from that stream, so that moon.seed repeats the points.
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local options = require "moonglass.support.options"

---@class moonglass.data
local data = {}

-- ---- a random stream of our own: SplitMix64, and Box and Muller's normals ----

local function new_stream(seed)
  local state, spare = seed, nil

  -- Uniform in (0, 1): never 0, since its logarithm is infinite.
  local function uniform()
    state = state + 0x9E3779B97F4A7C15
    local z = state
    z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
    z = (z ~ (z >> 27)) * 0x94D049BB133111EB
    z = z ~ (z >> 31)
    return ((z >> 11) + 0.5) * 2.0 ^ -53
  end

  local function normal()
    local value = spare
    spare = nil
    if value then return value end
    local radius, angle = math.sqrt(-2 * math.log(uniform())), 2 * math.pi * uniform()
    spare = radius * math.sin(angle)
    return radius * math.cos(angle)
  end

  return normal
end

-- ---- sets ----

---Options of every set of drawn points.
---@class moonglass.PointsOptions
---@field n integer? default 100: points per class
---@field seed integer? drawn from the stream of `moon.seed` if not given

-- A function from options to x, y: point(i, class, o, normal) -> two coordinates; i and class count from 0.
local function set(name, defaults, point)
  local what = "data." .. name
  local check = options.checker(what, {
    n = {"count", 100}, classes = {"count", defaults.classes}, noise = {"number", defaults.noise}, seed = {"seed"},
  })
  return function(given)
    local o = check(given)
    if o.classes > 256 then errors.raise("%s: classes is %d, expected at most 256", what, o.classes) end
    if o.noise < 0 then errors.raise("%s: noise is %g, expected at least 0", what, o.noise) end
    local normal = new_stream(o.seed or core.draw_seed())
    local x, y = {}, {}
    for class = 0, o.classes - 1 do
      for i = 0, o.n - 1 do
        x[#x + 1] = {point(i, class, o, normal)}
        y[#y + 1] = class
      end
    end
    return core.tensor(x), core.tensor(y, {dtype = "uint8"})
  end
end

-- The i-th of n points from 0 to 1, ends included; i counts from 0.
local function fraction(i, n) return n > 1 and i / (n - 1) or 0 end

---Options of `moon.data.spirals`.
---@class moonglass.SpiralsOptions: moonglass.PointsOptions
---@field classes integer? default 3, at most 256
---@field noise number? default 0.2, at least 0: standard deviation of the angle

---Points in the plane along spirals, as in CS231n's lecture: each goes from the origin to radius 1, over 4 radians.
---@name moon.data.spirals(options)
---@param options moonglass.SpiralsOptions?
---@return moonglass.Tensor x [n * classes x 2], class after class
---@return moonglass.Tensor y uint8 [n * classes], from 0
data.spirals = set("spirals", {classes = 3, noise = 0.2}, function(i, class, o, normal)
  local r = fraction(i, o.n)
  local t = 4 * class + 4 * fraction(i, o.n) + o.noise * normal()
  return r * math.sin(t), r * math.cos(t)
end)

---Options of `moon.data.circles`.
---@class moonglass.CirclesOptions: moonglass.PointsOptions
---@field classes integer? default 2, at most 256
---@field noise number? default 0.05, at least 0: standard deviation of each coordinate

---Points in the plane on rings around the origin, the last of radius 1.
---@name moon.data.circles(options)
---@param options moonglass.CirclesOptions?
---@return moonglass.Tensor x [n * classes x 2], class after class
---@return moonglass.Tensor y uint8 [n * classes], from 0
data.circles = set("circles", {classes = 2, noise = 0.05}, function(i, class, o, normal)
  local r, t = (class + 1) / o.classes, 2 * math.pi * i / o.n
  return r * math.cos(t) + o.noise * normal(), r * math.sin(t) + o.noise * normal()
end)

---Options of `moon.data.blobs`.
---@class moonglass.BlobsOptions: moonglass.PointsOptions
---@field classes integer? default 3, at most 256
---@field noise number? default 0.2, at least 0: standard deviation of each coordinate

---Points in the plane in clouds around centres on the unit circle.
---@name moon.data.blobs(options)
---@param options moonglass.BlobsOptions?
---@return moonglass.Tensor x [n * classes x 2], class after class
---@return moonglass.Tensor y uint8 [n * classes], from 0
data.blobs = set("blobs", {classes = 3, noise = 0.2}, function(_, class, o, normal)
  local t = 2 * math.pi * class / o.classes
  return math.cos(t) + o.noise * normal(), math.sin(t) + o.noise * normal()
end)

return data

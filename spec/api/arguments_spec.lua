-- Extra arguments are errors. Every public function is called with too many arguments. Functions that take any number
-- of arguments are listed here, with what they refuse.
local core = require "moonglass.core"
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"
local annotations = dofile "lua/moonglass/help/annotations.lua"
local expect = dofile "spec/support/expect.lua"
local samples = dofile "spec/support/samples.lua"

local failure = expect.raised

local interface = annotations.parse(files.read("lua/moonglass/help/meta.lua"))

-- The function, and the object before its arguments.
local function find(f, of)
  local class, method = f.path:match("^(%a+):([%w_]+)$")
  if class then return of[class][method], of[class] end
  local v = f.path:find("^moon%.") and moon or require("moonglass.session").globals
  for name in f.path:gmatch("%.([%w_]+)") do v = v[name] end
  return v
end

local function takes_any(f) return f.arguments[#f.arguments] == "..." end

-- Constructors of layers, losses and optimizers count their positional arguments themselves.
local function has_options_by_place(name)
  for _, family in ipairs{"layers", "losses", "optimizers"} do
    for _, known in ipairs(core.registered(family)) do
      if name == known then return true end
    end
  end
  return name == "loss" or name == "optimizer"
end

-- Call with 20 numbers. Return nil, or what is wrong with the message.
local function wrong(f, of)
  local called, object = find(f, of)
  if takes_any(f) or has_options_by_place(f.path:match("^moon%.([%w_]+)$")) then return nil end
  local filler = {}
  for i = 1, 20 do filler[i] = i end
  for i, name in ipairs(f.arguments) do
    if name == "options" or name == "layers" then filler[i] = {} end -- another value would be refused first,
    if name == "path" then filler[i] = "x" end -- and so would a path that is not a text
  end
  if object then table.insert(filler, 1, object) end
  local names = table.concat(f.arguments, ", ")
  local given, taken = object and #filler - 1 or #filler, #f.arguments
  local expected = ("got %d arguments, expected %s"):format(given,
    taken == 0 and "none" or ("at most %d (%s)"):format(taken, names))
  local ok, message = pcall(called, table.unpack(filler))
  if ok then return f.path .. " takes any arguments" end
  if message:sub(-#expected) ~= expected then return ("%s: '%s', expected '%s'"):format(f.path, message, expected) end
end

describe("an argument too many", function()
  it("is refused by every public function, with the names of its arguments", function()
    local of, list = samples.of_classes(), {}
    for _, f in ipairs(interface.functions) do
      -- spec/mpi/module_mpi.lua tests those of moonglass.mpi, which not every system has
      if not f.path:find("^mpi%.") then list[#list + 1] = wrong(f, of) end
    end
    assert.equal("", table.concat(list, "\n"))
  end)

  it("is refused by callable tables", function()
    for name, v in pairs(moon) do
      local meta = type(v) == "table" and getmetatable(v)
      if meta and meta.__call then
        local many = {}
        for i = 1, 9 do many[i] = {} end
        assert.matches("^[^ ]+ " .. name .. ": got 9 arguments, expected at most %d", failure(v, table.unpack(many)))
      end
    end
  end)

  it("is refused by functions that take any number", function()
    local x = moon.rand(2, 2)
    for message, call in pairs{
      ["zeros: got 5 sizes"] = function() moon.zeros(1, 1, 1, 1, 1) end,
      ["get: [2 x 2] takes 2 indices"] = function() x:get(1, 1, 1) end,
      ["takes 2 indices, got 3"] = function() x:set(1, 1, 1, 1) end,
      ["reshape: got 5 sizes"] = function() x:reshape(1, 1, 1, 1, 4) end,
      ["dense: argument 3 is a table, expected named options"] = function() moon.dense(2, 2, {}, 5) end,
      ["adam: argument 1 is a table"] = function() moon.adam({}, {}) end,
      ["mse: argument 1 is a table"] = function() moon.loss("mse", {}, {}) end,
    } do
      assert.matches(message, failure(call), 1, true)
    end
  end)

  it("is ignored if it is nil", function()
    local x = moon.ones(2)
    assert.equal(2, x:sum(nil, nil))
    assert.equal(0, moon.metrics.mse(x, x, nil, nil))
    assert.matches("got 3 arguments", failure(moon.metrics.mse, x, x, 1, nil))
    assert.matches("got 2 arguments", failure(x.sum, x, nil, 1))
  end)

  it("is reported after wrong options", function()
    assert.matches("options are 784", failure(moon.autoencoder.plain, 784, 32))
  end)

  it("is refused with the line of the script", function()
    local chunk = load('local moon = ...\n\nmoon.sequential({moon.dense(1, 1)}, 3)', "=script")
    assert.equal("script:3: sequential: got 2 arguments, expected at most 1 (layers)", failure(chunk, moon))
  end)
end)

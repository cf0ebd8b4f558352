-- scripts/winner_take_all.lua, run as a program: their figures and pictures are
-- compared with the nets that they save. scripts_spec.lua kills and resumes the one with a layer in Lua.
local moon = require "moonglass"

local shapes = "spec/fixtures/shapes"
local runs = dofile("spec/support/script_runs.lua")(after_each, "--data spec/fixtures/shapes")
local folder = runs.folder

local test = moon.data.mnist(shapes, "test")

local function tensors(name) return assert(moon.safetensors.load(("%s/%s.safetensors"):format(folder, name))) end

local function picture(name) return assert(moon.png.read(("%s/%s.png"):format(folder, name))) end

local function is_coloured(name)
  local plot = picture(name)
  assert.equal(3, plot:rank(), name)
  assert.is_true((plot:float():max(3) - plot:float():min(3)):max() > 60, name)
end

describe("scripts/winner_take_all.lua", function()
  it("compares codes with and without winners", function()
    local output = runs.succeeds("winner_take_all", "--epochs 20 --batch 20 --code 12 --share 0.2 --lr 0.01 --shown 6")
    local saved, found = tensors "winners", runs.figures()
    local x = test:float() / 255
    local codes = (x:matmul(saved["0.weight"]:t()) + saved["0.bias"]):relu()
    assert.near(codes:eq(0):mean(), found["winners zeros"], 1e-6)
    local output_of_all = codes:matmul(saved["2.weight"]:t()) + saved["2.bias"]
    assert.near((output_of_all - x):square():sum() / #x, found["winners error of all units"], 1e-3)
    -- As trained: of each unit the largest fifth, found by sorting.
    local linear = x:matmul(saved["0.weight"]:t()) + saved["0.bias"]
    local kept, most = moon.zeros(#x, 12), math.floor(0.2 * #x + 0.5)
    for j, column in ipairs(linear:t():totable()) do
      local order = {}
      for i = 1, #column do order[i] = i end
      table.sort(order, function(a, b) return column[a] > column[b] end)
      for i = 1, most do kept:set(column[order[i]], order[i], j) end
    end
    local as_trained = kept:matmul(saved["2.weight"]:t()) + saved["2.bias"]
    assert.near((as_trained - x):square():sum() / #x, found["winners error as trained"], 1e-3)
    assert.equal(0, found["winners dead units"])
    local plain = assert(moon.load(folder .. "/plain.safetensors"))
    assert.near(plain:errors(test):mean() * 784, found["plain error of all units"], 1e-3)
    runs.has(output, "3  dense 12->784")
    is_coloured "loss"
    local drawn = runs.tiles(picture "reconstructions", 2 * (3 * 29 + 1), 2 * (20 * 29 + 1))
    local images = test:rows(1, 20)
    local lines = moon.image.rows({images, plain:predict(images), as_trained:rows(1, 20)}, {scale = 2})
    assert.is_true((drawn:float() - lines:float()):abs():max() <= 1)
  end)

  it("refuses mistakes before it writes", function()
    runs.rejects("winner_take_all", "--share 1", "--share: '1' is not a number above 0 and below 1")
    runs.rejects("winner_take_all", "--distributed", "unknown option '--distributed'")
  end)
end)

-- scripts/winner_take_all.lua, adversarial.lua and categorical.lua, run as programs: their figures and pictures are
-- compared with the nets that they save. scripts_spec.lua kills and resumes those with a layer in Lua.
local moon = require "moonglass"

local shapes = "spec/fixtures/shapes"
local runs = dofile("spec/support/script_runs.lua")(after_each, "--data spec/fixtures/shapes")
local folder = runs.folder

local test, test_labels = moon.data.mnist(shapes, "test")

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

describe("scripts/adversarial.lua", function()
  it("measures how near the codes are to the distribution", function()
    runs.succeeds("adversarial", "--epochs 60 --batch 10 --hidden 20 --critic 16 --side 4")
    local ae = assert(moon.load(folder .. "/model.safetensors"))
    local critic, found, codes = assert(moon.load(folder .. "/critic.safetensors")), runs.figures(), ae:encode(test)
    assert.same({2, 1}, {critic:inputs(), critic:outputs()})
    assert.near(moon.bce{reduction = "batchmean"}:forward(ae:predict(test), test), found["test loss"], 0.01)
    for i = 1, 2 do
      assert.near(codes:mean(1)[i], found["mean of number " .. i], 1e-3)
      assert.near(codes:std(1)[i], found["deviation of number " .. i], 1e-3)
    end
    local inside = 0
    for _, code in ipairs(codes:totable()) do
      if math.exp(-(code[1] ^ 2 + code[2] ^ 2) / 2) > 0.5 then inside = inside + 1 end
    end
    assert.near(inside / #test, found["codes within the circle of half"], 1e-6)
    local places = runs.csv "plane.csv"
    assert.equal(#test + 1, #places)
    assert.equal(test_labels[3], places[4][1])
    assert.same({4 * 29 + 1, 4 * 29 + 1}, picture("samples").shape)
    is_coloured "plane"
    is_coloured "loss"
  end)

  it("refuses mistakes before it writes", function()
    runs.rejects("adversarial", "--critic x", "--critic: 'x' is not a list of widths like 256,128")
    runs.rejects("adversarial", "--lr 0", "--lr: '0' is not a number above 0")
  end)
end)

describe("scripts/categorical.lua", function()
  it("measures the bound of a code of classes", function()
    runs.succeeds("categorical", "--epochs 20 --batch 8 --hidden 20 --variables 3 --classes 4 --side 3 --lr 0.01")
    local saved, found = tensors "model", runs.figures()
    local h = (test:float() / 255):matmul(saved["0.weight"]:t()) + saved["0.bias"]
    local logits = h:relu():matmul(saved["2.weight"]:t()) + saved["2.bias"]
    local sum, used = 0, {0, 0, 0}
    for _, row in ipairs(logits:totable()) do
      for v = 0, 2 do
        local total, own = 0, 0
        for c = 1, 4 do total = total + math.exp(row[4 * v + c]) end
        for c = 1, 4 do
          local q = math.exp(row[4 * v + c]) / total
          if q > 0 then own = own + q * math.log(4 * q) end
        end
        sum, used[v + 1] = sum + own, used[v + 1] + own
      end
    end
    assert.near(sum / #test, found.divergence, 1e-3)
    local count = 0
    for v = 1, 3 do count = count + (used[v] / #test > 0.01 and 1 or 0) end
    assert.equal(count, found["variables in use"])
    assert.near(found.reconstruction + found.divergence, found["negative ELBO of a test image"], 1e-3)
    assert.is_true(found.divergence > 0.1 and found.divergence <= 3 * math.log(4))
    assert.same({3 * 29 + 1, 3 * 29 + 1}, picture("samples").shape)
    is_coloured "loss"
    -- The words of training and inference: one-hot rows.
    local _, metadata = assert(moon.safetensors.load(folder .. "/model.safetensors"))
    assert.near(0.5, tonumber(metadata["layer.3.state.temperature"]), 1e-12)
  end)

  it("refuses mistakes before it writes", function()
    runs.rejects("categorical", "--classes 1", "--classes 1 says nothing: at least 2")
    runs.rejects("categorical", "--coldest 0", "--coldest: '0' is not a number above 0")
  end)
end)

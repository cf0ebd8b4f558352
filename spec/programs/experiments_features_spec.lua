-- scripts/features.lua, variational.lua, compression.lua and anomaly.lua, run as programs: their tables and pictures
-- are compared with the nets that they save.
local lfs = require "lfs"
local moon = require "moonglass"

local shapes = "spec/fixtures/shapes"
local files = dofile("spec/support/files.lua")

local train, train_labels = moon.data.mnist(shapes, "train")
local test, test_labels = moon.data.mnist(shapes, "test")

local runs = dofile("spec/support/script_runs.lua")(after_each, "")
local folder, rejects = runs.folder, runs.rejects

local function train_on_shapes(script, more)
  return runs.succeeds(script, ("--data %s --batch 8 %s"):format(shapes, more))
end

-- A CSV file without quoted fields: its rows, numbers as numbers, and the names of its columns.
local function csv(name)
  local rows = {}
  for line in io.lines(("%s/%s.csv"):format(folder, name)) do
    local row = {}
    for field in (line .. ","):gmatch("([^,]*),") do row[#row + 1] = tonumber(field) or field end
    rows[#rows + 1] = row
  end
  return rows, table.remove(rows, 1)
end

local function figures()
  local list = {}
  for _, row in ipairs((csv "figures")) do list[row[1]] = row[2] end
  return list
end

local function picture(name) return assert(moon.png.read(("%s/%s.png"):format(folder, name))) end

local function load(name) return assert(moon.load(("%s/%s.safetensors"):format(folder, name))) end

-- Does a plot have this many colours that are not grey? Every fifth line is checked.
local function check_plot(name, colours)
  local plot, numbers = picture(name), {}
  assert.equal(3, plot:rank())
  for y = 1, #plot, 5 do numbers[#numbers + 1] = y end
  local seen, count = {}, 0
  for _, line in ipairs(plot:index(numbers):totable()) do
    for _, pixel in ipairs(line) do
      local key = pixel[1] << 16 | pixel[2] << 8 | pixel[3]
      if math.max(table.unpack(pixel)) - math.min(table.unpack(pixel)) > 60 and not seen[key] then
        seen[key], count = true, count + 1
      end
    end
  end
  assert.is_true(count >= colours, ("%s has %d colours"):format(name, count))
end

-- The tile in a line and a column of a picture of 28 x 28 tiles, each pixel scale x scale: its values as a list.
local function tile(image, line, column, scale)
  local values = {}
  for y = 0, 27 do
    local row = image[((line - 1) * 29 + 1 + y) * scale + 1]
    for x = 0, 27 do values[#values + 1] = row[((column - 1) * 29 + 1 + x) * scale + 1] end
  end
  return values
end

local function check_tile(expected, image, line, column, scale)
  local values = tile(image, line, column, scale)
  for i, v in ipairs(expected:totable()) do assert.near(math.max(0, math.min(1, v)) * 255, values[i], 0.51) end
end

-- As numpy.quantile: linear interpolation between the sorted values.
local function quantile(list, q)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local at = (#sorted - 1) * q
  local low, high = sorted[at // 1 + 1], sorted[math.min(at // 1 + 2, #sorted)]
  return low + (high - low) * (at - at // 1)
end

-- The fraction of rows that agree with the majority of their 5 nearest rows; the nearest decides ties.
local function nearest_accuracy(x, labels, queries, expected)
  local right = 0
  for i = 1, #queries do
    local order, distance, count = {}, {}, {}
    for j = 1, #x do order[j], distance[j] = j, (x[j] - queries[i]):square():sum() end
    table.sort(order, function(a, b) return distance[a] < distance[b] end)
    for k = 1, 5 do count[labels[order[k]]] = (count[labels[order[k]]] or 0) + 1 end
    local best
    for k = 1, 5 do
      local class = labels[order[k]]
      if not best or count[class] > count[best] then best = class end
    end
    if best == expected[i] then right = right + 1 end
  end
  return right / #queries
end

describe("scripts/features.lua", function()
  it("draws weights, codes, interpolations between digits and a map, and predicts labels from codes", function()
    train_on_shapes("features", "--epochs 3 --code 6 --hidden 20 --plane-hidden 30 --steps 5 --side 4")
    local deep, plane = load "deep", load "plane"
    assert.equal(6, deep:encode(test):size(2))
    assert.equal(2, plane:encode(test):size(2))

    for name, weights in pairs{encoder = deep:layer(1).weight:t(), decoder = deep:layer(#deep).weight} do
      local outputs = deep:slice(1, name == "encoder" and 1 or #deep - 1):predict(train)
      local expected = moon.image.grid(weights * train:std(1),
        {normalize = "signed", scale = 2, crossed = moon.metrics.dead_units(outputs)})
      local drawn = runs.tiles(picture(name .. "-filters"), #expected, expected:size(2), true)
      assert.is_true(drawn:equal(expected))
    end
    check_plot("plane", 5)
    check_plot("components", 5)
    check_plot("pca", 5)
    local of_pca = moon.pca(train, 2):encode(test)
    for i, row in ipairs((csv "pca")) do assert.near(of_pca:get(i, 1), row[2], 1e-3 * of_pca:abs():max()) end
    local places, points_of = csv "plane", plane:encode(test)
    assert.equal(#test, #places)
    assert.same({test_labels[7], 3}, {places[7][1], #places[7]})
    assert.near(points_of:get(7, 2), places[7][3], 1e-4)

    -- The second pair of images: its lines are 4 (the larger code), 5 (the plane) and 6 (pixels).
    local between = runs.tiles(picture "interpolation", 2 * (12 * 29 + 1), 2 * (5 * 29 + 1))
    local a, b = test:rows(3, 3), test:rows(4, 4)
    check_tile(deep:decode(deep:encode(a) * 0.75 + deep:encode(b) * 0.25)[1], between, 4, 2, 2)
    check_tile(plane:reconstruct(a)[1], between, 5, 1, 2)
    check_tile(plane:reconstruct(b)[1], between, 5, 5, 2)
    check_tile((a:float() * 0.25 + b:float() * 0.75)[1] / 255, between, 6, 4, 2)

    -- The first number grows to the right, the second upwards, and the axes have numbers.
    local places_of, titles, heads = {}, {}, {}
    points_of = points_of:t():totable()
    for line = 1, 4 do
      local up = quantile(points_of[2], (4.5 - line) / 4)
      titles[line] = ("%.1f"):format(up)
      for column = 1, 4 do
        local across = quantile(points_of[1], (column - 0.5) / 4)
        heads[column], places_of[#places_of + 1] = ("%.1f"):format(across), {across, up}
      end
    end
    local map = moon.image.grid(plane:decode(moon.tensor(places_of)),
      {columns = 4, titles = titles, heads = heads, title = "number 1 to the right, number 2 upwards"})
    assert.same(map.shape, picture("map").shape)
    assert.is_true((map:float() - picture("map"):float()):abs():max() <= 1)

    local rows, names = csv "labels"
    assert.same({"representation", "numbers", "softmax probe", "5-NN"}, names)
    local pca = moon.pca(train, 6)
    assert.same({"autoencoder", "PCA", "autoencoder", "PCA"}, {rows[1][1], rows[2][1], rows[3][1], rows[4][1]})
    assert.same({6, 6, 2, 2}, {rows[1][2], rows[2][2], rows[3][2], rows[4][2]})
    for i, model in ipairs{deep, pca, plane} do
      local found = nearest_accuracy(model:encode(train), train_labels, model:encode(test), test_labels)
      assert.near(found, rows[i][4], 1e-6)
      local probe = moon.probe(model:encode(train), train_labels, {seed = 42})
      assert.near(probe:accuracy(model:encode(test), test_labels), rows[i][3], 1e-6)
    end
    local all = figures()
    assert.near(rows[2][3], all["PCA 6 softmax probe"], 1e-6)
    assert.near(rows[3][4], all["autoencoder 2 5-NN"], 1e-6)
    assert.near(plane:evaluate(test, {loss = "bce"}), all["plane test loss"], 1e-6)
  end)

  it("rejects bad options", function()
    rejects("features", "--code 1", "--code 1 has no plane in it to draw")
    rejects("features", "--plane-hidden x", "'x' is not a list of widths")
    rejects("features", "--activation tanh", "--activation", "linear", "relu")
  end)
end)

describe("scripts/variational.lua", function()
  local function divergence(mean, log_variance)
    return (mean:square() + log_variance:exp() - 1 - log_variance):sum() / (2 * #mean)
  end

  it("measures the bound, draws images, and compares two planes", function()
    train_on_shapes("variational", "--epochs 8 --code 5 --hidden 20 --plane-hidden 30 --steps 4 --side 5 --lr 0.01")
    local vae, drawn, plain, all = load "variational", load "variational-plane", load "plain-plane", figures()
    assert.equal(2, drawn:encode(test):size(2))
    assert.equal(2, plain:encode(test):size(2))
    local mean, log_variance = vae:encode(test)
    assert.near(divergence(mean, log_variance), all["code of 5: divergence"], 1e-4)
    assert.near(all["code of 5: reconstruction"] + all["code of 5: divergence"],
      all["code of 5: negative ELBO of a test image"], 1e-3)
    -- Drawn codes cost more than the means, but the reconstruction is not another one.
    local at_mean = moon.bce{reduction = "batchmean"}:forward(vae:decode(mean), test:float() / 255)
    assert.is_true(math.abs(all["code of 5: reconstruction"] - at_mean) < 0.2 * at_mean)
    assert.same({5 * 29 + 1, 5 * 29 + 1}, picture("samples").shape)

    -- Cells of the plane between the quantiles of 1 and 99 %, counted in another way.
    for name, ae in pairs{variational = drawn, plain = plain} do
      local numbers, taken = (ae:encode(test)):t():totable(), {}
      for i = 1, #test do
        local place = {}
        for k = 1, 2 do
          local low, high = quantile(numbers[k], 0.01), quantile(numbers[k], 0.99)
          place[k] = math.floor((numbers[k][i] - low) / (high - low) * 5)
        end
        local inside = math.min(place[1], place[2]) >= 0 and math.max(place[1], place[2]) < 5
        if inside then taken[place[1] .. "," .. place[2]] = true end
      end
      local count = 0
      for _ in pairs(taken) do count = count + 1 end
      assert.near(1 - count / 25, all[name .. " plane: cells without a test image"], 0.0401) -- rounding at an edge
      check_plot(name .. "-plane", 5)
    end
    local between = runs.tiles(picture "interpolation", 2 * (12 * 29 + 1), 2 * (4 * 29 + 1))
    check_tile(vae:reconstruct(test:rows(3, 3))[1], between, 4, 1, 2)
    check_tile(drawn:reconstruct(test:rows(4, 4))[1], between, 5, 4, 2)
    check_tile(plain:reconstruct(test:rows(4, 4))[1], between, 6, 4, 2)
  end)

  it("rejects bad options", function()
    rejects("variational", "--beta -1", "--beta", "'-1' is not a number of at least 0")
    rejects("variational", "--code 1", "--code 1 has no plane in it to draw")
  end)
end)

describe("scripts/compression.lua", function()
  -- The squared error of an image when each number of its code is stored in `bits` bits, over its range in training.
  local function stored_error(model, bits)
    local of_train, codes, most = model:encode(train):t():totable(), model:encode(test):t():totable(), 2 ^ bits - 1
    for j, column in ipairs(codes) do
      local low, high = math.min(table.unpack(of_train[j])), math.max(table.unpack(of_train[j]))
      for i, v in ipairs(column) do
        local level = math.floor((v - low) / (high - low) * most + 0.5)
        column[i] = low + math.max(0, math.min(most, level)) / most * (high - low)
      end
    end
    local off = model:decode(moon.tensor(codes):t()) - test:float() / 255
    return off:square():sum() / #test
  end

  it("measures the error of each method and size, and of stored codes", function()
    train_on_shapes("compression", "--epochs 3 --codes 3,1 --hidden 20 --bits 2")
    local rows = csv "sizes"
    local models = {
      moon.pca(train, 1), moon.pca(train, 3), load "plain-1", load "plain-3", load "deep-1", load "deep-3",
    }
    assert.equal(#models, #rows)
    local all = figures()
    for i, model in ipairs(models) do
      local row, k = rows[i], i % 2 == 1 and 1 or 3
      local method = ({"pca", "plain", "deep"})[(i + 1) // 2]
      assert.same({method, k, 4 * k, k / 4}, {row[1], row[2], row[3], row[6]})
      local off = model:reconstruct(test) - test:float() / 255
      local expected = off:square():sum() / #test
      assert.near(expected, row[4], 1e-4 * expected)
      assert.near(expected / 784, row[5], 1e-6)
      assert.near(stored_error(model, 2), row[7], 1e-3 * row[7])
      assert.near(expected, all[("%s %d"):format(method, k)], 1e-4 * expected)
    end
    -- Storing 3 numbers in 2 bits each adds more than 10 % to the error.
    assert.is_true(rows[2][7] > 1.1 * rows[2][4])

    for i, method in ipairs{"pca", "plain", "deep"} do
      local lines = {test, models[2 * i - 1]:reconstruct(test), models[2 * i]:reconstruct(test)}
      assert.is_true(picture(method):equal(moon.image.rows(lines,
        {scale = 2, titles = {"original", "1 number", "3 numbers"}})))
    end
    check_plot("curve", 3)
    local bytes = 0
    for i = 1, #test do bytes = bytes + #moon.png.encode(test[i]:reshape(28, 28)) end
    assert.near(bytes / #test, all["bytes of a PNG"], 1e-3)
  end)

  it("rejects bad options", function()
    rejects("compression", "--methods pca,zip", "--methods: 'pca,zip' is not a list of some of pca, plain, deep")
    rejects("compression", "--methods pca,dep",
      "--methods: 'pca,dep' is not a list of some of pca, plain, deep; did you mean 'deep'?")
    rejects("compression", "--codes 0,2", "--codes: '0,2' is not a list of widths")
    rejects("compression", "--bits 17", "--bits is 17, expected 1 to 16")
  end)
end)

describe("scripts/anomaly.lua", function()
  local function labelled(normal)
    local numbers = {}
    for i = 1, #test do
      if (test_labels[i] <= 1) == normal then numbers[#numbers + 1] = i end
    end
    return test:index(numbers)
  end

  -- A set in MNIST's format of n images, with any bytes: pixel(image, place).
  local function write_set(path, n, side, pixel)
    lfs.mkdir(path)
    for _, prefix in ipairs{"train", "t10k"} do
      local bytes = {}
      for i = 1, n * side * side do
        bytes[i] = string.char(pixel((i - 1) // (side * side) + 1, (i - 1) % (side * side) + 1))
      end
      files.write(("%s/%s-images-idx3-ubyte"):format(path, prefix), string.pack(">I4I4I4I4", 0x803, n, side, side),
        table.concat(bytes))
      files.write(("%s/%s-labels-idx1-ubyte"):format(path, prefix), string.pack(">I4I4", 0x801, n), ("\0"):rep(n))
    end
  end

  -- The fraction of pairs in which the second kind has the larger error; equal ones count half.
  local function won(normal, others)
    local sum = 0
    for _, a in ipairs(normal) do
      for _, b in ipairs(others) do sum = sum + (b > a and 1 or b == a and 0.5 or 0) end
    end
    return sum / (#normal * #others)
  end

  local function share_above(list, threshold)
    local count = 0
    for _, v in ipairs(list) do count = count + (v > threshold and 1 or 0) end
    return count / #list, count
  end

  -- Compare figures, table and picture of a run with the net that it saved.
  local function check(normal, others, share)
    local net, all = load "model", figures()
    local of_others = net:errors(others):totable()
    -- Half of the normal test images set the threshold, the other half is held out.
    local of_normal, of_held_out, both = {}, {}, {}
    for _, row in ipairs((csv "errors")) do
      if row[1] == 0 then of_normal[#of_normal + 1] = row[2] end
    end
    for i, row in ipairs((csv "held-out")) do of_held_out[i] = row[1] end
    table.move(of_normal, 1, #of_normal, 1, both)
    table.move(of_held_out, 1, #of_held_out, #both + 1, both)
    table.sort(both)
    local expected = net:errors(normal):totable()
    table.sort(expected)
    assert.equal(#expected, #both)
    for i, v in ipairs(expected) do assert.near(v, both[i], 1e-6) end
    assert.equal(#normal // 2, #of_held_out)
    table.sort(of_held_out)
    local place = math.min(#of_held_out, math.ceil((#of_held_out + 1) * share))
    assert.near(of_held_out[place], all.threshold, 1e-6)
    assert.near(won(of_normal, of_others), all.AUC, 1e-6)
    local alarm_share, alarms = share_above(of_normal, all.threshold)
    local caught_share, caught = share_above(of_others, all.threshold)
    assert.near(alarm_share, all["false alarms"], 1e-6)
    assert.near(caught_share, all.caught, 1e-6)
    local rows = csv "confusion"
    assert.same({"normal", alarms, #of_normal - alarms}, {rows[1][1], rows[1][2], rows[1][3]})
    assert.same({"others", caught, #others - caught}, {rows[2][1], rows[2][2], rows[2][3]})
    check_plot("roc", 3)
    check_plot("errors", 3)
    local errors = csv "errors"
    assert.equal(#of_normal + #others, #errors)
    assert.same({0, 1}, {errors[1][1], errors[#errors][1]})
    local roc, area = csv "roc", 0
    for i = 2, #roc do area = area + (roc[i][2] - roc[i - 1][2]) * (roc[i][3] + roc[i - 1][3]) / 2 end
    assert.near(all.AUC, area, 1e-5)

    -- Line 1 begins with the smallest error, line 3 with the largest, each above its reconstruction.
    local strangest = net:errors(others):argmax()
    local image = runs.tiles(picture "others", 2 * (4 * 29 + 1), 2 * (math.min(20, #others) * 29 + 1))
    check_tile(others[strangest] / 255, image, 3, 1, 2)
    check_tile(net:reconstruct(others)[strangest], image, 4, 1, 2)
    check_tile(others[(-net:errors(others)):argmax()] / 255, image, 1, 1, 2)
    return all
  end

  it("learns some classes, and detects the others", function()
    train_on_shapes("anomaly", "--epochs 20 --against digits --normal 0,1 --quantile 0.5 --hidden 20 --code 4")
    check(labelled(true), labelled(false), 0.5)
  end)

  it("detects the images of another set", function()
    local other = os.tmpname()
    os.remove(other)
    write_set(other, 7, 28, function(image, place) return (image * 31 + place * 17) % 256 end)
    train_on_shapes("anomaly", ("--epochs 20 --quantile 0.9 --against-data %s"):format(other))
    local all = check(test, (assert(moon.data.mnist(other, "test"))), 0.9)
    assert.equal(1, all.AUC)
    os.execute(("rm -rf '%s'"):format(other))
  end)

  it("says how many images a quantile needs", function()
    local few = "The quantile 0.9 needs at least 100 held-out images, so that 10 of them are above it; there are 10"
    local options = "--epochs 1 --against digits --hidden 9 --code 4 --quantile "
    local output, errors = runs.run("anomaly", ("--data %s --batch 8 %s 0.9 --normal 0,1,2,3"):format(shapes, options))
    runs.has(output, (few:gsub("10$", "8")))
    assert.equal("", errors)
    output = runs.run("anomaly", ("--data %s --batch 8 %s 0.05 --normal 0,1,2,3 --held-out 0.7"):format(shapes,
      options))
    assert.is_nil(output:find("needs at least", 1, true))
    runs.has(output, "False alarms: ")
  end)

  it("refuses images of another size before it trains", function()
    local other = os.tmpname()
    os.remove(other)
    write_set(other, 2, 5, function() return 9 end)
    local output, errors, status = runs.run("anomaly", ("--data %s --batch 8 --against-data %s"):format(shapes, other))
    assert.equal(("anomaly: a set in MNIST's format in %s: its images have another size\n"):format(other), errors)
    assert.equal(1, status)
    assert.is_nil(output:find("epoch 1/", 1, true))
    os.execute(("rm -rf '%s'"):format(other))
  end)

  it("rejects bad options", function()
    rejects("anomaly", "--against shoes", "--against", "fashion", "digits")
    rejects("anomaly", "--against digits --normal 1 --against-data x", "--against-data is for --against fashion")
    rejects("anomaly", "--quantile 1", "--quantile: '1' is not a number above 0 and below 1")
    rejects("anomaly", "--held-out 0", "--held-out: '0' is not a number above 0 and below 1")
    rejects("anomaly", "--normal 1,x", "'1,x' is not a list of labels")
  end)
end)

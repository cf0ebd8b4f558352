-- The parts of `make bench-mpi`: the model's formulas, and its tables from canned figures. No test depends on speed.
local path = package.path
package.path = "scripts/scaling/?.lua;scripts/bench/?.lua;" .. path
local model = require "model"
local tables = require "tables"
local new_results, read_results = require("results").new, require("results").read
package.path = path
local expect = dofile "spec/support/expect.lua"
local files = dofile "spec/support/files.lua"

local has, run = expect.has, files.run
local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"

describe("the model of an allreduce", function()
  local net = {alpha = 1, beta = 0.01, gamma = 0.001}

  it("counts messages and bytes as published", function()
    local cost = model.algorithms
    -- lg p (alpha + n beta + n gamma)
    assert.near(3 * (1 + 100 * 0.011), cost.doubling(100, 8, net), 1e-12)
    -- 2 lg p alpha + (p - 1) / p n (2 beta + gamma)
    assert.near(2 * 3 + 7 / 8 * 100 * 0.021, cost.halving(100, 8, net), 1e-12)
    -- 2 (p - 1) alpha + (p - 1) / p n (2 beta + gamma)
    assert.near(2 * 7 + 7 / 8 * 100 * 0.021, cost.ring(100, 8, net), 1e-12)
  end)

  it("sends more between ranks that are not a power of 2, except around a ring", function()
    local extra = 2 + 100 * 0.021
    assert.near(model.algorithms.doubling(100, 4, net) + extra, model.algorithms.doubling(100, 6, net), 1e-12)
    assert.near(model.algorithms.halving(100, 4, net) + extra, model.algorithms.halving(100, 6, net), 1e-12)
    assert.near(2 * 5 + 5 / 6 * 100 * 0.021, model.algorithms.ring(100, 6, net), 1e-12)
  end)

  it("takes the fastest algorithm", function()
    local function chosen(n, p) return select(2, model.allreduce(n, p, net)) end
    assert.equal("none", chosen(100, 1))
    assert.equal(0, (model.allreduce(100, 1, net)))
    assert.equal("doubling", chosen(4, 8))
    assert.equal("halving", chosen(1e6, 8))
    assert.equal("ring", chosen(1e6, 6))
  end)

  it("is fitted to what was measured", function()
    local samples = {}
    for i = 0, 12 do samples[i + 1] = {4 << 2 * i, 2e-6 + 1e-9 * (4 << 2 * i)} end
    local alpha, beta = model.fit(samples)
    assert.near(2e-6, alpha, 1e-15)
    assert.near(1e-9, beta, 1e-18)
    alpha, beta = model.fit{{100, 3}}
    assert.same({3, 0}, {alpha, beta})
    alpha, beta = model.fit{{10, 1}, {20, 3}} -- a line through them would begin below 0
    assert.equal(0, alpha)
    assert.is_true(beta > 0.1 and beta < 0.15)
    alpha, beta = model.fit{{10, 3}, {20, 1}}
    assert.equal(0, beta)
    assert.is_true(alpha > 1 and alpha < 3)
  end)

  it("says what a link costs", function()
    local doubling, ring = model.links(6, 3, 4)
    assert.same({alpha = 3, beta = 1.5}, doubling)
    assert.same({alpha = 1, beta = 2}, ring)
  end)
end)

describe("the model of a step", function()
  local net = {alpha = 0.5, beta = 0.001, gamma = 0}
  local case = {bytes = 1000, compute = model.compute{{8, 10}, {16, 18}, {116, 118}}}

  it("knows the parameters of a net", function()
    assert.same({784, 32, 784}, model.widths("784-32-784"))
    assert.equal(784 * 32 + 32 + 32 * 784 + 784, model.parameters("784-32-784"))
    assert.equal(4 * 50992, model.bytes("784-32-784"))
  end)

  it("gives each rank whole grains of 8 rows", function()
    assert.equal(512, model.slice(1024, 2))
    assert.equal(344, model.slice(1024, 3)) -- 128 grains: 43, 43, 42
    assert.equal(8, model.slice(1024, 1000))
    assert.equal(5, model.slice(5, 4))
  end)

  it("draws lines between the measured batches, and beyond", function()
    assert.equal(10, case.compute(8))
    assert.equal(14, case.compute(12))
    assert.equal(68, case.compute(66))
    assert.equal(218, case.compute(216))
    assert.equal(6, case.compute(4))
    assert.near(10 / 8, model.compute{{8, 10}, {16, 30}}(1), 1e-12) -- the line would be below 0
  end)

  it("adds the computing and the sums", function()
    assert.near(18 + 1.5, model.step(case, net, 2, 32), 1e-12)
    assert.near(34 / 19.5, model.speed_up(case, net, 2, 32), 1e-12)
    assert.near(2 * 34 / 35.5, model.growth(case, net, 2, 32), 1e-12)
  end)

  it("finds the best number of ranks, and the batch from which on it pays", function()
    local nodes, speed = model.best(case, net, 16, 100)
    assert.equal(2, nodes)
    assert.near(18 / 11.5, speed, 1e-12)
    assert.same({1, 1}, {model.best(case, {alpha = 100, beta = 1, gamma = 0}, 16, 100)})
    local batch = model.pays(case, net, 8, 0.5)
    assert.is_true(model.speed_up(case, net, 8, batch) >= 4 and model.speed_up(case, net, 8, batch // 2) < 4)
    assert.is_nil(model.pays(case, {alpha = 1e12, beta = 1, gamma = 0}, 8, 0.5))
  end)
end)

-- ---- canned figures ----

local lecture = tables.nets[1].sizes

local function canned()
  local r = new_results()
  local function step(engine, threads, ...)
    for i, us in ipairs{...} do
      r:add{test = "step", engine = engine, sizes = lecture, batch = ({128, 1024})[i], threads = threads, unit = "us",
            value = us}
    end
  end
  step("1 rank", 1, 1000, 8000)
  step("1 rank", 2, 600, 4000)
  step("2 ranks", 1, 800, 5000)
  step("ddp", 1, 2000, 6000)
  r:add{test = "reduction", engine = "2 ranks", sizes = lecture, batch = 128, threads = 1, unit = "us", value = 250}
  for _, ranks in ipairs{2, 4} do
    for _, bytes in ipairs{4, 1 << 20} do
      r:add{test = "allreduce", engine = ranks .. " ranks", batch = bytes, unit = "us", value = 2 + bytes / 1e3}
    end
  end
  r:add{test = "gamma", engine = "1 rank", unit = "s/byte", value = 1e-10}
  return r
end

describe("the tables", function()
  it("have what was measured, and what the model makes of it", function()
    local text = tables.text(canned(), 2):gsub(" +", " ")
    for _, part in ipairs{
      "Microseconds a step, 784-128-32-128-784, 209,968 parameters",
      "128 1000 600 800 250 0.75 - 2000 - 2.50\n", "1024 8000 4000 5000 - 0.80 - 6000 - 1.20\n",
      "1 MB 1050.6 998", "2 ranks 2.00 1000 2.00 1000 1.00 1000", "gamma: 10000 MB/s are added here",
      -- 512 rows take 4000 us, and 839,872 bytes 841.9 us
      "the lecture's, 1024 8000 5000 4842 -3 %",
      "2 ranks against 2 threads, batch 1024, the lecture's net >= 0.85 0.80 MISSED",
      "ddp / 2 ranks, batch 128, the lecture's net >= 2 2.50 met",
    } do has(text, part) end
    for _, network in ipairs(model.networks) do has(text, "the lecture's, " .. network.name) end
  end)

  it("are the same from their CSV", function()
    assert.equal(tables.text(canned(), 2), tables.text(read_results(canned():csv()), 2))
  end)

  it("have a text without figures", function()
    assert.equal("", tables.text(new_results(), 2))
    assert.same({}, tables.panels(new_results()))
  end)

  it("draw a panel for each net and kind", function()
    local panels = tables.panels(canned())
    assert.equal(2, #panels)
    assert.equal("The lecture's net, batch 1,024 in all", panels[1].title)
    assert.equal(1 + #model.networks, #panels[1].series)
    for _, series in ipairs(panels[2].series) do
      assert.equal(1, series.y[1])
      assert.equal(1000, series.x[#series.x])
    end
    local picture = os.tmpname()
    assert(require("moonglass").plot.panels(picture, panels))
    os.remove(picture)
  end)
end)

describe("rank.lua", function()
  it("times steps on one rank without MPI", function()
    local output, complaint, status = run(files.quote(program) ..
      " scripts/scaling/rank.lua steps --sizes 20-8-20 --batches 8,16 --rows 64 --seconds 0.01")
    assert.equal("", complaint)
    assert.equal(0, status)
    has(output, '{"library":"none","ranks":1,"threads":1,"found":[{"batch":8,"step_us":')
    has(output, '"reduce_us":0.000}]}')
  end)

  it("refuses what it does not know", function()
    local _, complaint, status = run(files.quote(program) .. " scripts/scaling/rank.lua steps --batches 8,x")
    has(complaint, "'8,x' is not a list like 32,128")
    assert.equal(1, status)
  end)
end)

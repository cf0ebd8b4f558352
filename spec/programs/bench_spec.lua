-- The parts of `make bench` and `make profile`, with small runs and recorded figures. No test depends on speed.
local path = package.path
package.path = "scripts/bench/?.lua;" .. path
local json = require "json"
local measure = require "measure"
local parts = require "parts"
local report = require "report"
local read_results, new_results = require("results").read, require("results").new
package.path = path
local expect = dofile "spec/support/expect.lua"
local files = dofile "spec/support/files.lua"

local has, run = expect.has, files.run
local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"
local bench = program:gsub("[^/]*$", "bench/bench")

local function run_bench(arguments)
  local output, complaint, status = run(files.quote(bench) .. " " .. arguments)
  assert.equal("", complaint)
  assert.equal(0, status)
  return assert(json.decode(output))
end

describe("json", function()
  it("reads every kind of JSON value", function()
    assert.same({a = {1, -2.5, 3e2}, b = {c = true, d = false}, e = "", f = {}, g = "x"},
      json.decode(' {"a": [1, -2.5, 3e2], "b": {"c":true, "d" :false}, "e": "", "f": [ ], "g": "x", "h": null} '))
    assert.equal('"\\/\n\t\u{e9}A', json.decode([["\"\\\/\n\t\u00e9\u0041"]]))
  end)

  it("refuses invalid JSON with a message", function()
    for _, text in ipairs{"", "{", "[1,]", "[1 2]", '{"a" 1}', '"abc', '"\\x"', "nope", "1 2", "{1: 2}"} do
      local v, message = json.decode(text)
      assert.is_nil(v)
      has(message, "JSON: ")
    end
  end)
end)

describe("bench", function()
  for _, threads in ipairs{1, 2} do
    it(("epoch and floor, %d threads"):format(threads), function()
      local got = run_bench(("epoch --sizes 20-8-20 --batch 16 --rows 40 --rounds 2 --threads %d"):format(threads))
      assert.equal("20-8-20", got.sizes)
      assert.equal(16, got.batch)
      assert.equal(threads, got.threads)
      assert.equal(40, got.rows)
      assert.equal(2.5, got.steps)
      assert.equal(2, #got.epochs)
      assert.equal(2, #got.floors)
      assert.is_true(got.epoch_s > 0 and got.floor_s > 0 and got.share > 0 and got.loss > 0)
      local products = {}
      for i, g in ipairs(got.gemms) do products[i] = ("%d %s %dx%dx%d"):format(g.layer, g.pass, g.m, g.n, g.k) end
      assert.same({"1 forward 16x8x20", "1 weights 20x8x16", "2 forward 16x20x8", "2 weights 8x20x16",
                   "2 input 16x8x20"}, products)
      for _, g in ipairs(got.gemms) do
        assert.is_true(g.us > 0 and g.trial_us[g.layout] > 0)
        assert.equal(threads == 1, g.split == "none")
      end
    end)
  end

  it("epoch of a variational autoencoder, which has no floor", function()
    local got = run_bench("epoch --sizes 20-8-3-8-20 --net variational --batch 16 --rows 40 --rounds 2 --threads 2")
    assert.equal("variational", got.net)
    assert.is_nil(got.floor_s)
    assert.is_true(got.loss > 3) -- summed over the 20 pixels; a mean would be below 1
  end)

  it("epoch of a net with batch_norm, which has no floor", function()
    local got = run_bench("epoch --sizes 20-8-20 --net batch_norm --batch 16 --rows 40 --rounds 2 --threads 2")
    assert.equal("batch_norm", got.net)
    assert.is_nil(got.floor_s)
    assert.is_true(got.loss < 1)
  end)

  it("epoch of files, without the floor", function()
    local got = run_bench("epoch --sizes 784-8-784 --data spec/fixtures/shapes --batch 32 --rounds 1 --floor 0")
    assert.equal(40, got.rows)
    assert.is_nil(got.floor_s)
  end)

  it("busy: one thread and two, in turns", function()
    local got = run_bench("busy --sizes 20-8-20 --rows 8000 --rounds 3 --threads 2 --busy 2")
    assert.equal(2, got.busy) -- and they have ended: else the output would not end
    assert.equal(2, got.threads)
    assert.equal(3, #got.ones)
    assert.equal(3, #got.epochs)
    assert.near((got.epochs[1] + got.epochs[2] + got.epochs[3]) / 3, got.epoch_s, 1e-6)
    assert.near(got.epoch_s / got.one_s, got.ratio, 1e-3 * got.ratio + 1e-3)
  end)

  it("row, startup", function()
    assert.is_true(run_bench("row --sizes 20-8-20").row_us > 0)
    local got = run_bench("startup --sizes 20-8-20 --batch 8 --threads 2")
    assert.is_true(got.net_us > 0 and got.plan_us > 0 and got.step_us > 0)
  end)

  it("run", function()
    local got = run_bench("run 3 sh -c 'echo dropped'")
    assert.equal(3, got["repeat"])
    assert.is_true(got.wall_ms > 0 and got.wall_ms <= got.median_ms and got.peak_mb > 0)
    local output, complaint, status = run(files.quote(bench) .. " run 1 false")
    assert.equal("", output)
    has(complaint, "false ended with status 1")
    assert.equal(1, status)
  end)

  it("mistakes end with a message", function()
    for arguments, part in pairs{
      ["epoch --wrong 1"] = "--wrong 1", ["epoch --batch"] = "--batch", ["epoch --batch 0"] = "--batch 0",
      ["epoch --sizes 3"] = "--sizes 3", ["epoch --sizes 3-x"] = "--sizes 3-x", ["run x true"] = "usage",
      ["nothing"] = "mode 'nothing'", ["epoch --net conv"] = "--net conv", ["epoch --data /nowhere"] = "/nowhere",
      ["epoch --rows 9 --sizes 9-4-5"] = "target is",
    } do
      local output, complaint, status = run(files.quote(bench) .. " " .. arguments)
      assert.equal("", output)
      has(complaint, part)
      assert.is_true(status == 1 or status == 2)
    end
  end)
end)

-- ---- recorded figures ----

local lecture = report.lecture

local function canned()
  local r = new_results()
  r.versions = {moonglass = "0.1.0", jax = "0.10", keras = "3.15"}
  r.machine = {cpu = "A CPU", cores = "2", system = "Linux 6", blis = "0.9.0", blis_config = "haswell", simd = "avx2"}
  local function epoch(engine, batch, threads, ...)
    for _, v in ipairs{...} do
      r:add{test = "epoch", engine = engine, sizes = lecture, batch = batch, threads = threads, unit = "s", value = v}
    end
  end
  epoch("moonglass", 32, 2, 0.6, 0.5, 0.7)
  epoch("floor", 32, 2, 0.4)
  epoch("jax", 32, 2, 1.2, 1.1)
  epoch("keras", 32, 2, 4.5)
  epoch("moonglass", 128, 1, 0.8)
  epoch("moonglass", 128, 2, 0.4)
  epoch("jax", 128, 2, 0.3)
  r:add{test = "require", engine = "moonglass", unit = "ms", value = 3.5}
  for _, ratio in ipairs{1.1, 0.9, 1.5} do
    r:add{test = "busy 6", engine = "moonglass", sizes = lecture, batch = 128, threads = 2, unit = "x", value = ratio}
  end
  for threads, speed in ipairs{1e5, 1.5e5} do
    r:add{test = "scale", engine = "moonglass", sizes = lecture, batch = 64, threads = threads, unit = "rows/s",
          value = speed}
    r:add{test = "scale", engine = "moonglass", sizes = lecture, batch = 64, threads = threads, unit = "rows/s",
          value = speed / 2}
  end
  return r
end

describe("results", function()
  local function what(engine, batch, threads)
    return {test = "epoch", engine = engine, sizes = lecture, batch = batch, threads = threads}
  end

  it("keeps the best samples, and finds the fastest peer", function()
    local r = canned()
    assert.equal(0.5, r:best(what("moonglass", 32, 2)))
    assert.equal(1e5, r:best{test = "scale", engine = "moonglass", sizes = lecture, batch = 64, threads = 1})
    assert.is_nil(r:best(what("torch", 32, 2)))
    assert.equal(0.6, r:median(what("moonglass", 32, 2)))
    assert.is_nil(r:median(what("torch", 32, 2)))
    assert.equal(0.8, r:ratio(what("floor", 32, 2)))
    assert.is_nil(r:ratio(what("jax", 1024, 2)))
    assert.same({"jax", "keras"}, r:peers())
    assert.same({1.1, "jax"}, {r:fastest_peer(what(nil, 32, 2))})
    assert.is_nil(r:fastest_peer(what(nil, 128, 1)))
    assert.same({32, 128}, r:values("epoch", "batch", lecture))
    assert.same({}, r:values("epoch", "batch", report.deep))
  end)

  it("writes CSV", function()
    local r = canned()
    r.versions.keras = 'a "b", c'
    local lines = {}
    for line in r:csv():gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.equal("test,engine,version,sizes,batch,threads,unit,best,median,samples,ratio", lines[1])
    assert.equal("epoch,moonglass,0.1.0,784-128-32-128-784,32,2,s,0.5,0.6,3,1", lines[2])
    assert.equal("epoch,jax,0.10,784-128-32-128-784,32,2,s,1.1,1.2,2,2.2", lines[4])
    assert.equal('epoch,keras,"a ""b"", c",784-128-32-128-784,32,2,s,4.5,4.5,1,9', lines[5])
    assert.equal("require,moonglass,0.1.0,,,,ms,3.5,3.5,1,1", lines[9])
  end)

  it("reads the best figures of its CSV", function()
    local r, again = canned(), read_results(canned():csv())
    assert.equal(#r.entries, #again.entries)
    for _, e in ipairs(r.entries) do assert.equal(r:best(e), again:best(e)) end
    assert.same(r.versions, again.versions)
  end)

  it("reads the recorded figures of README's picture", function()
    local r = read_results(files.read("scripts/bench/recorded.csv"))
    assert.same({"jax", "torch", "keras"}, r:peers())
    assert.equal(3, #report.panels(r))
    assert.equal(0.41, r:best(what("moonglass", 32, 2)))
  end)
end)

describe("report", function()
  it("aligns by characters", function()
    assert.equal("a   bb\nß  ccc", report.align{{"a", "bb"}, {"ß", "ccc"}})
  end)

  it("has everything that was measured", function()
    local text = report.text(canned())
    for _, part in ipairs{
      "A CPU, 2 cores, Linux 6", "0.9.0, haswell kernels", "jax 0.10, keras 3.15, moonglass 0.1.0",
      "batch, threads  moonglass  floor  floor/epoch            jax          keras",
      "32, 2               0.500  0.400         80 %  1.100 (2.20x)  4.500 (9.00x)",
      "128, 1              0.800      -            -              -              -",
      "with require, ms       3.50", "64       100000     150000      1.50",
    } do has(text, part) end
    text = text:gsub(" +", " ")
    has(text, "fastest peer / ours, batch 32, threads 2 (jax) >= 1.9 2.20 met")
    has(text, "fastest peer / ours, batch 128, threads 2 (jax) >= 1.6 0.75 MISSED")
    has(text, "start with require, ms <= 20 3.50 met")
    has(text, "2 threads over 1 beside 6 busy, 784-128-32-128-784, batch 128 <= 1.2 1.10 met")
    assert.is_nil(text:find("batch 1024", 1, true))
  end)

  it("has a text without results", function()
    local r = new_results()
    has(report.text(r), "Machine")
    assert.same({}, report.panels(r))
  end)

  it("draws its data", function()
    local panels = report.panels(canned())
    assert.equal(3, #panels)
    assert.equal("Epoch of 60,000 rows, 784-128-32-128-784, 1 thread", panels[1].title)
    assert.same({32, 128}, panels[1].labels)
    assert.equal(1, #panels[1].series)
    local labels, seconds = {}, {}
    for i, s in ipairs(panels[2].series) do labels[i], seconds[i] = s.label, ("%g %g"):format(s.y[1], s.y[2]) end
    assert.same({"floor", "moonglass", "jax", "keras"}, labels)
    for i, expected in ipairs{"^0.4 %-?nan$", "^0.5 0.4$", "^1.1 0.3$", "^4.5 %-?nan$"} do
      assert.is_truthy(seconds[i]:find(expected), seconds[i])
    end
    assert.same({{label = "1 thread", style = "linespoints", x = {64}, y = {100000}},
                 {label = "2 threads", style = "linespoints", x = {64}, y = {150000}}}, panels[3].series)
    local picture = os.tmpname()
    assert(require("moonglass").plot.panels(picture, panels))
    os.remove(picture)
  end)
end)

describe("measure", function()
  local folder, results, m

  -- A peer.py for sh, which replaces Python.
  local function peer(script)
    local file = assert(io.open(folder .. "/peer.py", "w"))
    file:write(script)
    file:close()
  end

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    results = new_results()
    m = measure.new(results, {bench = bench, program = program, python = "sh", folder = folder .. "/", data = "it's",
                              peer_epochs = 3}, function() end)
  end)
  after_each(function() os.execute("rm -r " .. folder) end)

  local case = {kind = "epoch", sizes = "20-8-20", batch = 16, threads = 2, row = true}

  it("reads a peer's figures", function()
    peer([[echo noise; echo "{\"epoch_s\": 0.25, \"loss\": [2, 1], \"row_us\": 9, \"args\": \"$*\"}"]])
    assert.equal("jax --batch 16 --threads 2 --epochs 3 --sizes 20-8-20 --net plain --data it's",
      m:peer("jax", case, 3).args)
    assert.equal("0.250 s", m:peer_epoch("jax", case))
    assert.equal(0.25, results:best{test = "epoch", engine = "jax", sizes = "20-8-20", batch = 16, threads = 2})
    assert.equal(1, results:best{test = "loss", engine = "jax", sizes = "20-8-20", batch = 16, threads = 2})
    assert.equal(9, results:best{test = "row", engine = "jax", sizes = "20-8-20"})
  end)

  it("skips a peer that failed", function()
    peer("echo first >&2; echo 'No module named jax' >&2; exit 1")
    has(m:peer_epoch("jax", case), "No module named jax")
    peer("exit 3")
    assert.equal("left out", m:peer_epoch("jax", case))
    has(m:peer_job("torch", case), "ended without a message")
    assert.same({}, results.entries)
  end)

  it("finds the peers that are installed", function()
    m.config.python = nil
    local there, reasons = m:find_peers{"jax", "torch"}
    assert.same({}, there)
    has(reasons[1], "jax is left out: no jax (make bench-peers)")
    assert.equal(2, #reasons)
  end)

  it("runs its cases in turns", function()
    peer([[echo '{"epoch_s": 1, "loss": [1]}']])
    local log = {}
    m.log = function(line) log[#log + 1] = line:match("moonglass") or line end
    m.epoch = function() return "ours" end
    m:round({case, {kind = "row", sizes = "20-8-20"}}, {"jax", "torch"})
    assert.same({"moonglass", "epoch 20-8-20 batch 16 threads 2  jax  1.000 s",
                 "epoch 20-8-20 batch 16 threads 2  torch  1.000 s", "moonglass"}, log)
  end)
end)

describe("parts of a profile", function()
  it("are read from perf's output", function()
    local list = parts.read([[
# Samples: 6K of event 'cpu-clock'
#      Samples;Shared Object    ;Symbol
 1178       ;profiled         ;[.] update
 402        ;profiled         ;[.] logit_rows
 284        ;profiled         ;[.] mooni_from_bytes_avx512
 54         ;libblis.so.4     ;[.] 0x0000000000056ddf
 53         ;libblis.so.4     ;[.] 0x0000000000056f3e
 20         ;profiled         ;[.] bli_sgemmsup_rv_haswell_asm_6x16n
 9          ;profiled         ;[.] wait_until
 8          ;[kernel.kallsyms];[k] do_futex
 7          ;[kernel.kallsyms];[k] clear_page
 6          ;profiled         ;[.] something_else

]])
    assert.equal(10, #list)
    local by_part, sum = parts.totals(list, "part")
    assert.equal(2021, sum)
    assert.same({name = "optimiser", samples = 1178}, by_part[1])
    local found = {}
    for _, p in ipairs(by_part) do found[p.name] = p.samples end
    assert.same({
      optimiser = 1178, loss = 402, gather = 284, ["matrix products"] = 107, ["matrix products: kernels"] = 20,
      ["waiting for each other"] = 17, ["the system"] = 7, other = 6,
    }, found)
    local by_function = parts.totals(list, "symbol")
    assert.same({name = "(in libblis.so.4)", samples = 107}, by_function[4])
  end)
end)

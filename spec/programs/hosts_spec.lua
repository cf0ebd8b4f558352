-- The host programs of scripts/hosts: each gives the same bits as Lua does. Also what they refuse, and scripts that try
-- to escape from the sandbox.
local lfs = require "lfs"
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"

local has = expect.has

local lua = os.getenv("LUA") or "lua5.4"
local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"
local hosts = program:gsub("[^/]*$", "hosts/")

local files = dofile "spec/support/files.lua"
local read_file, write_file = files.read, files.write

local folder -- with a net of 64-16-64 and 20 rows for it

local function path(name) return folder .. "/" .. name end

local quote = files.quote

-- The host as a quoted word for the shell.
local function host_of(name) return quote(hosts .. name) end

local runs = dofile("spec/support/program_runs.lua")(path)
local sh, fails, floats = runs.sh, runs.fails, runs.floats

-- Run a host with `arguments`, and with `input` as standard input if it is given.
local function run(host, arguments, input) return runs.run(host_of(host), arguments, input) end

-- FNV-1a of 64 bits.
local function fnv(bytes)
  local h = 0xcbf29ce484222325
  for i = 1, #bytes do h = (h ~ bytes:byte(i)) * 0x100000001b3 end
  return ("digest %016x"):format(h)
end

local function bytes(t) return string.char(table.unpack(t:reshape(-1):totable())) end

local function csv(t)
  local lines = {}
  for i, row in ipairs(t:totable()) do
    for k, v in ipairs(row) do row[k] = ("%.9g"):format(v) end
    lines[i] = table.concat(row, ",") .. "\n"
  end
  return table.concat(lines)
end

local net, x, values -- x are bytes, values the same from 0 to 1

setup(function()
  folder = os.tmpname()
  os.remove(folder)
  assert(lfs.mkdir(folder))
  moon.seed(7)
  x = (moon.rand(20, 64) * 255):byte()
  values = x:float() / 255
  net = moon.autoencoder.deep{input = 64, code = 16, hidden = {32}}
  assert(net:save(path("net.safetensors")))
  write_file(path("rows.idx"), string.pack(">I4I4I4I4", 0x803, 20, 8, 8), bytes(x))
end)

teardown(function()
  for name in lfs.dir(folder) do os.remove(path(name)) end
  lfs.rmdir(folder)
end)

-- Damaged nets, each with a part of the message that every host prints.
local function each_bad_net(check)
  local whole = read_file(path("net.safetensors"))
  local missing = path("nothing.safetensors")
  check(missing, "cannot read '" .. missing .. "'")
  for _, size in ipairs{0, 7, 100, #whole - 1} do
    write_file(path("cut.safetensors"), whole:sub(1, size))
    check(path("cut.safetensors"), "cut.safetensors")
  end
end

describe("the same net gives the same bits", function()
  it("in embed, scripted, lua and moonglass", function()
    local digest = fnv(floats(net:predict(x)))
    has(run("embed", {path("net.safetensors"), path("rows.idx")}), digest)
    has(run("scripted", {path("net.safetensors"), path("rows.idx"), "scripts/hosts/guest.lua"}), digest)
    write_file(path("predict.lua"), ([[
      local moon = require "moonglass"
      local x = assert(moon.data.idx("%s")):reshape(20, 64)
      for _, v in ipairs(assert(moon.load("%s")):predict(x):reshape(-1):totable()) do
        io.write(string.pack("=f", v))
      end]]):format(path("rows.idx"), path("net.safetensors")))
    for _, runner in ipairs{lua, program} do
      assert.equal(digest, fnv((sh(quote(runner) .. " " .. path("predict.lua")))))
    end
  end)

  it("in reconstruct, of one row", function()
    local row = x:rows(3, 3)
    assert(moon.png.write(path("in.png"), row:reshape(8, 8)))
    local out, err, status = run("reconstruct", {path("net.safetensors"), path("in.png"), path("out.png")})
    assert.same({"", 0}, {err, status})
    assert.equal(("mean squared error %.6f\n%s\n"):format(net:errors(row)[1], fnv(floats(net:predict(row)))), out)
    assert.is_true(moon.png.read(path("out.png")) == moon.png.decode(moon.png.encode(net:predict(row):reshape(8, 8))))
  end)

  it("in embed, as errors", function()
    local expected = {}
    for i, e in ipairs(net:errors(x):totable()) do expected[i] = ("%.9g\n"):format(e) end
    local out = run("embed", {path("net.safetensors"), path("rows.idx")}):gsub("digest.*", "")
    assert.equal(table.concat(expected), out)
  end)
end)

describe("reconstruct", function()
  it("makes colours grey, without alpha", function()
    local colours = (moon.rand(8, 8, 4) * 255):byte()
    local grey, channels = {}, colours:reshape(64, 4):totable()
    for i, p in ipairs(channels) do grey[i] = (299 * p[1] + 587 * p[2] + 114 * p[3] + 500) // 1000 end
    local row = moon.tensor{grey}:byte()
    assert(moon.png.write(path("in.png"), colours))
    local out = run("reconstruct", {path("net.safetensors"), path("in.png"), path("out.png")})
    has(out, fnv(floats(net:predict(row))))
  end)

  it("writes nothing when something is wrong", function()
    local model, output = path("net.safetensors"), path("never.png")
    local function refuses(status, part, ...) fails(status, part, "", run("reconstruct", {...})) end
    assert(moon.png.write(path("in.png"), moon.zeros(8, 8)))
    assert(moon.png.write(path("large.png"), moon.zeros(9, 8)))
    write_file(path("cut.png"), read_file(path("in.png")):sub(1, 60))
    refuses(2, "usage: reconstruct", model, path("in.png"))
    refuses(2, "usage: reconstruct", model, path("in.png"), output, "more")
    refuses(1, "large.png has 9 x 8 pixels, expected 64", model, path("large.png"), output)
    refuses(1, "cut.png", model, path("cut.png"), output)
    refuses(1, "no.png", model, path("no.png"), output)
    each_bad_net(function(bad, part) refuses(1, part, bad, path("in.png"), output) end)
    assert.is_nil(lfs.attributes(output))
    refuses(1, "no/out.png", model, path("in.png"), path("no/out.png"))
  end)
end)

describe("train", function()
  it("trains to the same bits as a script, which loads the saved net", function()
    local model = path("trained.safetensors")
    local out, err, status = run("train", {"--hidden", 24, "--code", 6, "--epochs", 3, "--batch", 8, "--seed", 5,
      path("rows.idx"), model})
    assert.same({"", 0}, {err, status})
    moon.seed(5)
    local ae = moon.autoencoder.deep{input = 64, hidden = {24}, code = 6}
    local history = ae:fit(x, {loss = "bce", epochs = 3, batch_size = 8, seed = 5})
    local lines = {}
    for i, loss in ipairs(history.loss) do lines[i] = ("epoch %d/3  loss %.4f\n"):format(i, loss) end
    assert.equal(table.concat(lines), out)
    local trained = assert(moon.load(model))
    assert.equal(fnv(floats(ae:predict(x))), fnv(floats(trained:predict(x))))
    assert.is_true(trained:encode(x):equal(ae:encode(x)))
  end)

  it("saves the net when Ctrl-C ends it", function()
    local model = path("interrupted.safetensors")
    local out, err, status = sh(("timeout -s INT 1 %s --epochs 1000000 %s %s"):format(host_of("train"),
      quote(path("rows.idx")), quote(model)))
    assert.same({"", 124}, {err, status}) -- 124: timeout sent the signal
    has(out, "interrupted: what was learnt so far is saved")
    assert.same({20, 64}, assert(moon.load(model)):predict(x).shape)
  end)

  it("refuses in one line, and writes nothing", function()
    local rows, model = path("rows.idx"), path("never.safetensors")
    local function refuses(status, part, ...) fails(status, part, "", run("train", {...})) end
    refuses(2, "expected a file of images and the name of the net to write")
    refuses(2, "expected a file of images and the name of the net to write", rows)
    refuses(2, "more: no such option, its value is missing, or one argument too many", rows, model, "more")
    refuses(2, "--epoch: no such option", "--epoch", 3, rows, model)
    refuses(2, "--seed: no such option, its value is missing", rows, model, "--seed")
    for _, bad in ipairs{"0", "-1", "1.5", "many", "", "99999999999999999999"} do
      refuses(2, ("--code is '%s', expected a whole number from 1 to 1000000"):format(bad), "--code", bad, rows, model)
    end
    refuses(1, "no.idx", path("no.idx"), model)
    write_file(path("cut.idx"), read_file(rows):sub(1, 100))
    refuses(1, "cut.idx", path("cut.idx"), model)
    write_file(path("empty.idx"), string.pack(">I4I4I4", 0x802, 0, 64))
    refuses(1, "at least one row", path("empty.idx"), model)
    assert.is_nil(lfs.attributes(model))
    local _, complaint, status = run("train", {rows, path("no/model.safetensors")})
    has(complaint, "no/model.safetensors")
    assert.equal(1, status)
  end)
end)

describe("embed", function()
  it("refuses in one line", function()
    local function refuses(status, part, ...) fails(status, part, "", run("embed", {...})) end
    refuses(2, "usage: embed")
    refuses(2, "usage: embed", path("net.safetensors"), path("rows.idx"), "more")
    refuses(1, "no.idx", path("net.safetensors"), path("no.idx"))
    write_file(path("cut.idx"), read_file(path("rows.idx")):sub(1, 100))
    refuses(1, "cut.idx", path("net.safetensors"), path("cut.idx"))
    write_file(path("empty.idx"), string.pack(">I4I4I4", 0x802, 0, 64))
    refuses(1, "no rows", path("net.safetensors"), path("empty.idx"))
    write_file(path("narrow.idx"), string.pack(">I4I4I4", 0x802, 1, 3), "abc")
    refuses(1, "[1 x 3] uint8, expected [rows x 64]", path("net.safetensors"), path("narrow.idx"))
    each_bad_net(function(bad, part) refuses(1, part, bad, path("rows.idx")) end)
  end)
end)

describe("alarm", function()
  it("gives the scores that Lua gives, and the column that each has most to do with", function()
    local rows = moon.randn(6, 3) * moon.tensor{{1, 10, 100}}
    local detector = moon.detector(moon.autoencoder.deep{input = 3, hidden = {4}, code = 2},
      {scaler = moon.scaler(rows), columns = {"a", "b", "c"}})
    rows[4][2] = 5000
    assert(detector:save(path("d.safetensors")))
    write_file(path("rows.csv"), "a,b,c\n" .. csv(rows))
    local out, err, status = run("alarm", {path("d.safetensors"), path("rows.csv")})
    assert.same({"", 0}, {err, status})
    local i, scores = 0, detector:scores(rows)
    for line in out:gmatch("(.-)\n") do
      i = i + 1
      local score, column = line:match("^(%S+)\t(%a) %S+ %(expected %S+%)$")
      assert.equal(("%.9g"):format(scores[i]), score)
      if i == 4 then assert.equal("b", column) end
    end
    assert.equal(6, i)
  end)

  it("refuses in one line", function()
    local function refuses(status, part, ...) fails(status, part, "", run("alarm", {...})) end
    write_file(path("rows.csv"), csv(values))
    refuses(2, "usage: alarm", path("net.safetensors"))
    refuses(1, "no.csv", path("net.safetensors"), path("no.csv"))
    each_bad_net(function(bad, part) refuses(1, part, bad, path("rows.csv")) end)
  end)
end)

describe("strange", function()
  local rows, detector

  setup(function()
    moon.seed(4)
    rows = moon.randn(3000, 3) -- more than a block
    rows[1500][2], rows[2999][1], rows[7][3] = 90, -70, 50
    detector = moon.detector(moon.autoencoder.deep{input = 3, hidden = {4}, code = 2},
      {columns = {"a", "b", "c"}, missing = "refuse"})
    assert(detector:save(path("d.safetensors")))
    write_file(path("rows.csv"), "a,b,c\n" .. csv(rows))
  end)

  it("names the strangest lines, with the scores that Lua gives", function()
    local out, err, status = run("strange", {path("d.safetensors"), path("rows.csv"), 3})
    assert.same({"", 0}, {err, status})
    local scores, expected = detector:scores(rows), {}
    for i, row in ipairs{1500, 2999, 7} do expected[i] = ("line %d\t%.9g\n"):format(row + 1, scores[row]) end
    assert.equal(table.concat(expected), out)
  end)

  it("refuses in one line", function()
    local function refuses(status, part, ...) fails(status, part, "", run("strange", {...})) end
    local rows_path, model = path("rows.csv"), path("d.safetensors")
    refuses(2, "usage: strange", model, rows_path)
    refuses(2, "usage: strange", model, rows_path, "0")
    refuses(1, "no.csv", model, path("no.csv"), "3")
    each_bad_net(function(bad, part) refuses(1, part, bad, rows_path, "3") end)
    write_file(path("bad.csv"), "a,b\n1,2\n")
    refuses(1, "'c'", model, path("bad.csv"), "3")
    write_file(path("bad.csv"), "a,b,c\n1,2,3\n1,2\n")
    refuses(1, "bad.csv': line 3", model, path("bad.csv"), "3")
    write_file(path("bad.csv"), "a,b,c\n1,2,3\n1,,3\n")
    refuses(1, "column 'b' is missing", model, path("bad.csv"), "3")
  end)
end)

describe("scripted", function()
  local function script(name, text)
    write_file(path(name .. ".lua"), text)
    return path(name .. ".lua")
  end

  -- Run scripts, each a text, in one process, and guest.lua after them, which must succeed. Return stderr's lines.
  local function run_texts(options, texts)
    local arguments = {table.unpack(options)}
    table.move({path("net.safetensors"), path("rows.idx")}, 1, 2, #arguments + 1, arguments)
    for i, text in ipairs(texts) do arguments[#arguments + 1] = script(("s%03d"):format(i), text) end
    arguments[#arguments + 1] = "scripts/hosts/guest.lua"
    local out, err, status = run("scripted", arguments)
    has(out, "scripts/hosts/guest.lua: 1280 numbers, " .. fnv(floats(net:predict(x))))
    local complaints = {}
    for line in err:gmatch("(.-)\n") do complaints[#complaints + 1] = line end
    return complaints, out, status
  end

  -- list: pairs of a script and a part of the line that reports its end.
  local function ends(options, list)
    local texts = {}
    for i, pair in ipairs(list) do texts[i] = pair[1] end
    local complaints, out, status = run_texts(options, texts)
    assert.equal(1, status)
    for i, pair in ipairs(list) do
      local name = ("scripted: %s: "):format(path(("s%03d.lua"):format(i)))
      assert.equal(name, (complaints[i] or "nothing"):sub(1, #name), pair[1])
      has(complaints[i], pair[2])
    end
    assert.equal(#list, #complaints)
    return out
  end

  it("lets a script train, and use the library", function()
    local complaints, out, status = run_texts({}, {[[
      local net, x = ...
      local moon = require "moonglass"
      assert(not pcall(require, "lfs") and _G.string.format and load("return 1 + 1")() == 2)
      local before = net:errors(x):mean()
      local h = net:fit(x, {loss = "mse", epochs = 30, batch_size = 5, optimizer = moon.adam{lr = 0.01}, verbose = 1})
      assert(#h.loss == 30 and tostring(h):find("epoch"))
      assert(net:errors(x):mean() < before)
      local ae = moon.autoencoder.denoising{input = 64, code = 4, hidden = {8}, noise = moon.gaussian_noise(0.1)}
      ae:fit(x, {loss = "bce", validation_split = 0.2})
      local sorted = {30, 1, 20, 4}
      table.sort(sorted)
      print(table.concat(sorted, " "), ("a-b"):gsub("%-", "+"))
      table.sort(sorted, function(a, b) return a > b end)
      print(table.concat(table.move(sorted, 1, 3, 2), " "), table.concat(table.move({1, 2, 3, 4}, 2, 4, 1), " "),
        table.concat(table.move({1, 2}, 1, 2, 1, {}), " "))
      print(moon.metrics.mse(x:float() / 255, ae:reconstruct(x)) > 0, #ae:summary() > 100)
      assert(#moon.knn(x, moon.ones(20), {k = 3}):predict(x) == 20)
      return ae:encode(x)
    ]]})
    assert.same({{}, 0}, {complaints, status})
    has(out, "  1 4 20 30\ta+b\t1\n")
    has(out, "  30 30 20 4\t2 3 4 4\t1 2\n")
    has(out, "  true\ttrue\n")
    has(out, "epoch 30/30")
    has(out, "s001.lua: 80 numbers, digest ")
  end)

  it("has no files, no programs, no other modules", function()
    local target = path("escaped")
    ends({}, {
      {"return io.open('/etc/passwd')", "global 'io'"},
      {("os.execute('touch %s')"):format(target), "global 'os'"},
      {"return loadfile('/etc/passwd')", "global 'loadfile'"},
      {"return dofile('/etc/passwd')", "global 'dofile'"},
      {"return package.loadlib", "global 'package'"},
      {"return debug.getregistry()", "global 'debug'"},
      {"return require 'lfs'", "there is no module 'lfs'"},
      {"return require 'io'", "there is no module 'io'"},
      {"return require '../../spec/files'", "there is no module"},
      {("local net = ... assert(net:save('%s'))"):format(target), "without files"},
      {("assert(require('moonglass').png.write('%s', ({...})[2]:reshape(20, 64)))"):format(target), "without files"},
      {("assert(require('moonglass').load('%s'))"):format(path("net.safetensors")), "without files"},
      {"assert(require('moonglass').data.mnist('train'))", "without files"},
      {"for name in pairs(require('moonglass.core')) do assert(not name:find('load'), name) end error('none')", "none"},
    })
    assert.is_nil(lfs.attributes(target))
  end)

  it("limits memory, the engine's too", function()
    ends({"--memory", 20}, {
      {"return ('x'):rep(2e9)", "not enough memory"},
      {"local s = 'x' while true do s = s .. s end", "not enough memory"},
      {"local t = {} for i = 1, 1e9 do t[i] = {} end", "not enough memory"},
      {"local function f() return 1 + f() end f()", "not enough memory"},
      {"return require('moonglass').zeros(50000, 50000)", "out of memory: wanted 10000000"},
      {"local m, t = require 'moonglass', {} for i = 1, 1e9 do t[i] = m.zeros(100000) end", "out of memory"},
      {"local m = require 'moonglass' return m.sequential{m.dense(3000, 3000)}", "out of memory"},
      {"local net, x = ... local m = require 'moonglass' net:predict(m.zeros(60000, 64))", "out of memory"},
      {"require('moonglass').limits{memory = 1 << 60} return require('moonglass').zeros(1 << 30)", "memory"},
    })
  end)

  it("limits instructions, even if the script catches the error", function()
    ends({"--instructions", 1e6}, {
      {"while true do end", "used up its instructions"},
      {"while true do pcall(function() while true do end end) end", "used up its instructions"},
      {"xpcall(function() while true do end end, function() while true do end end)", "used up its instructions"},
      {"local net, x = ... return net:predict(x), pcall(function() while true do end end)", "its instructions"},
      {"local _ <close> = setmetatable({}, {__close = function() while true do end end}) error()", "used up"},
      {"table.sort({3, 2, 1}, function() while true do end end)", "used up"},
      {"table.move({}, 1, 1 << 62, 2)", "used up"},
      {"load(function() return ' ' end)", "used up"},
      {"coroutine.wrap(function() while true do end end)()", "global 'coroutine'"},
      {"local net, x = ... net:fit(x, {loss = function(y, t) while true do end end})", "used up"},
    })
  end)

  it("limits time in which no instructions run", function()
    local started = moon.clock()
    ends({"--seconds", 0.2, "--instructions", 1e12}, {
      {"while true do end", "used up its time"},
      {"local net, x = ... net:fit(x, {loss = 'mse', epochs = 1e9})", "used up its time"},
      {[[local net = ... local x = require('moonglass').zeros(50000, 64)
         while true do pcall(net.predict, net, x) end]], "used up its time"},
      {[[local m = require 'moonglass' local a = m.randn(300, 300)
         while true do pcall(a.matmul, a, a) end]], "used up its time"},
      {"local s, t = ('x'):rep(1e6), {} for i = 1, 1e4 do t[i] = s end table.sort(t)", "used up its time"},
    })
    assert.is_true(moon.clock() - started < 4)
  end)

  it("runs no code that is not counted", function()
    ends({"--seconds", 0.3}, {
      {"setmetatable({}, {__gc = function() while true do end end})", "no __gc"},
      {"local m = {} setmetatable({}, m) m.__gc = error setmetatable({}, m)", "no __gc"},
      {[[local moon = require 'moonglass' local meta = getmetatable(moon.pca) or getmetatable(moon.autoencoder)
         meta.__gc = function() while true do end end setmetatable({}, meta)]], "no __gc"},
      {"local net, x = ... getmetatable(x).__gc = function() while true do end end", "index a nil value"},
      {"getmetatable('').__gc = 1", "index a nil value"},
      {"error(setmetatable({}, {__tostring = function() while true do end end}))", "its error is a table"},
      {"return ('a'):rep(30):find(('.-'):rep(20) .. 'b')", "may take too long"},
      {"return ('a'):rep(30):gsub(('a?'):rep(40) .. 'b', '')", "may take too long"},
      {"return ('a'):rep(1e6):find(('a'):rep(1e5) .. 'b', 1, true)", "may take too long"},
      {"for _ in ('^'):rep(3e4):gmatch('^.-.-b') do end", "may take too long"},
      {"return ('').rep('', 1 << 62)", "it returned a string"},
      {"table.concat(setmetatable({}, {__index = table.concat}), '', 1, 1 << 62)", "table without metatable"},
      {"table.insert(setmetatable({}, {__len = function() return 1 << 62 end}), 1, 0)", "table without metatable"},
      {"table.unpack(setmetatable({}, {__index = table.unpack, __metatable = false}), 1, 9)", "without metatable"},
      {"local net, x = ... net:fit(x, {loss = 'mse', threads = 64})", "allows 1 thread"},
    })
  end)

  it("takes only text, and reports mistakes", function()
    local code = string.dump(load("while true do end"))
    local out = ends({}, {
      {code, "attempt to load a binary chunk"},
      {("return assert(load(%q))"):format(code), "attempt to load a binary chunk"},
      {"return load('', '', 'b')", "text only"},
      {"return string.dump(print)", "field 'dump'"},
      {"this is no Lua", "syntax error"},
      {"return 1", "it returned a number, expected a tensor"},
      {"", "it returned a nil, expected a tensor"},
      {"error('\\27[2Jred\\nlines', 0)", "?[2Jred?lines"},
      {"while true do print(('x'):rep(100000)) end", "prints no more than 1048576 bytes"},
      {"_G.pcall, _G.error, string.format, table.concat = nil print(...) error 'x'", "global 'error'"},
      {"local net, x = ... x:fill_(7) error('rows are mine')", "rows are mine"},
    })
    assert.is_true(#out < 1100000)
  end)

  it("frees all memory under any limit", function()
    local digest = fnv(floats(net:predict(x)))
    local worked = 0
    for megabytes = 0.05, 1.75, 0.1 do
      local out, err, status = run("scripted", {"--memory", megabytes, path("net.safetensors"), path("rows.idx"),
        "scripts/hosts/guest.lua"})
      if status == 0 then
        has(out, digest)
        worked = worked + 1
      else
        fails(1, " memory", "", out, err, status)
      end
    end
    assert.is_true(worked > 0 and worked < 18)
  end)

  it("refuses in one line", function()
    local guest = "scripts/hosts/guest.lua"
    local function refuses(status, part, ...) fails(status, part, "", run("scripted", {...})) end
    refuses(2, "usage: scripted", path("net.safetensors"), path("rows.idx"))
    for _, bad in ipairs{{"--memory", "much"}, {"--seconds", 0}, {"--instructions", -1}, {"--frobnicate", 1}} do
      refuses(2, "usage: scripted", bad[1], bad[2], path("net.safetensors"), path("rows.idx"), guest)
    end
    refuses(1, "no.idx", path("net.safetensors"), path("no.idx"), guest)
    refuses(1, "no.lua", path("net.safetensors"), path("rows.idx"), path("no.lua"))
    refuses(1, "/nowhere/lua/moonglass", "--root", "/nowhere", path("net.safetensors"), path("rows.idx"), guest)
    each_bad_net(function(bad, part) refuses(1, part, bad, path("rows.idx"), guest) end)
  end)
end)

describe("the hosts", function()
  it("include only the two public headers", function()
    local seen = 0
    for name in lfs.dir("scripts/hosts") do
      if name:find("%.cp?p?$") then
        local text = read_file("scripts/hosts/" .. name)
        for header in text:gmatch('#include "([^"]*)"') do has("digest.h owned.h", header) end
        has(text, "#include <moonglass")
        if name ~= "scripted.c" then assert.is_nil(text:find("#include <l[au][^>]*>")) end
        seen = seen + 1
      end
    end
    assert.equal(6, seen)
  end)
end)

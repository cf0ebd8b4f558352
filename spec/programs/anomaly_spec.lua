-- The program moonglass-anomaly: what it scores is what Lua scores; columns by name, bad rows, files that grow, broken
-- output and input; and detectors that it trains.
local lfs = require "lfs"
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"
local files = dofile "spec/support/files.lua"

local has, read_file, write_file, quote = expect.has, files.read, files.write, files.quote

local tree_program = os.getenv("MOONGLASS_BIN") or "build/moonglass"
local program = quote(tree_program .. "-anomaly")
local sanitized = tree_program:find("/san/") ~= nil

local folder -- with detectors, and rows for them

local function path(name) return folder .. "/" .. name end

local runs = dofile("spec/support/program_runs.lua")(path)
local sh, floats = runs.sh, runs.floats

-- Run the program with `arguments`, and with `input` as standard input if it is given.
local function run(arguments, input) return runs.run(program, arguments, input) end

-- Check that it failed with this status and one line of its own that contains `part`, and printed `output`.
local function fails(status, part, output, got, complaint, got_status)
  has(complaint, "moonglass-anomaly: ")
  runs.fails(status, part, output, got, complaint, got_status)
end

local function lines(text)
  local list = {}
  for line in text:gmatch("(.-)\n") do list[#list + 1] = line end
  return list
end

local function bytes(t) return string.char(table.unpack(t:reshape(-1):totable())) end

-- Rows as CSV; names: a first line, or nil.
local function csv(t, names)
  local list = {names and table.concat(names, ",")}
  for _, row in ipairs(t:totable()) do
    for k, v in ipairs(row) do row[k] = ("%.9g"):format(v) end
    list[#list + 1] = table.concat(row, ",")
  end
  return table.concat(list, "\n") .. "\n"
end

local net, x, values -- a plain net; x are bytes, values the same from 0 to 1

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

teardown(function() os.execute("rm -rf " .. quote(folder)) end)

describe("score with a plain net", function()
  local function score(input, ...) return run({"score", path("net.safetensors"), ...}, input) end

  it("gives the net's errors, in all formats", function()
    local expected = {}
    for i, e in ipairs(net:errors(x):totable()) do expected[i] = e end
    for _, given in ipairs{
      {nil, path("rows.idx"), "--format", "idx"}, {bytes(x), "--format", "u8"},
      {floats(values), "--format", "f32"}, {csv(values)},
    } do
      local out, err, status = score(table.unpack(given, 1, 4))
      local got = lines(out)
      assert.same({"", 0, 20}, {err, status, #got})
      for i, e in ipairs(expected) do assert.near(e, tonumber(got[i]), 1e-6) end
    end
  end)

  it("flags rows above the threshold, or prints only these", function()
    local errors = net:errors(x)
    local threshold = moon.metrics.quantile(errors, 0.75)
    local flagged, only = lines(score(csv(values), "--threshold", threshold)), {}
    assert.equal(20, #flagged)
    for i, line in ipairs(flagged) do
      local value, flag = line:match("^(%S+)\t([01])$")
      assert.near(errors[i], tonumber(value), 1e-6)
      assert.equal(errors[i] > threshold and "1" or "0", flag)
      if flag == "1" then only[#only + 1] = ("%d\t%s"):format(i, value) end
    end
    assert.is_true(#only > 0 and #only < 20)
    assert.same(only, lines(score(csv(values), "--threshold", threshold, "--only")))
    local nans = (" "):rep(256):gsub("....", "\0\0\xc0\x7f")
    assert.equal(1, #lines(score(nans, "--format", "f32", "--threshold", threshold, "--only")))
  end)

  it("takes blanks, CRLF, a last line without an end, and no rows at all", function()
    local text = csv(values:rows(1, 2))
    local expected = score(text)
    assert.equal(2, #lines(expected))
    assert.same({expected, "", 0}, {score((text:gsub(",", " , "):gsub("\n", "\r\n"):gsub("\r\n$", "")))})
    assert.same({"", "", 0}, {score("", "--format", "u8")})
  end)

  it("answers each row at once, and ends when its output is closed", function()
    write_file(path("line"), csv(values:rows(1, 1)))
    for _, first in ipairs{"csv", "f32"} do
      write_file(path("answer"), "")
      if first == "f32" then write_file(path("line"), floats(values:rows(1, 1))) end
      local out, err = sh(([[
        { cat %s; i=0; while [ ! -s %s ] && [ $i -lt 400 ]; do sleep 0.01; i=$((i + 1)); done; cat %s >&2; } |
        %s score --format %s %s >%s]]):format(path("line"), path("answer"), path("answer"), program, first,
        path("net.safetensors"), path("answer")))
      assert.equal("", out)
      assert.equal(read_file(path("answer")), err)
      assert.equal(1, #lines(err))
    end
    write_file(path("line"), csv(values:rows(1, 1)))
    local first, complaint = sh(([[
      { yes "$(cat %s)" | { %s score %s; echo $? >%s; } | head -n 1; }]]):format(path("line"), program,
      path("net.safetensors"), path("status")))
    assert.same({1, ""}, {#lines(first), complaint})
    assert.equal("0\n", read_file(path("status")))
  end)

  it("holds some blocks, for any number of rows", function()
    if sanitized then return pending("sanitizers reserve address space") end
    local out, err = sh(("ulimit -v 250000; head -c 192000000 /dev/zero | %s score --format u8 %s | tail -n 1"):format(
      program, path("net.safetensors")))
    assert.same({"", 1}, {err, #lines(out)})
  end)

  it("names what is wrong with numbers as bytes", function()
    local _, complaint, status = score(bytes(x:rows(1, 3)) .. "123456789", "--format", "u8")
    has(complaint, "row 4 of standard input ends after 9 bytes, expected 64")
    assert.equal(1, status)
    fails(1, "row 1 of standard input ends after 255 bytes, expected 256", "", score(floats(values):sub(1, 255),
      "--format", "f32"))
    write_file(path("narrow.idx"), string.pack(">I4I4I4", 0x802, 1, 3), "abc")
    fails(1, "a row has 3 numbers, expected 64", "", score(nil, path("narrow.idx"), "--format", "idx"))
    fails(1, "no.idx", "", score(nil, path("no.idx"), "--format", "idx"))
  end)
end)

describe("score with a detector", function()
  local detector, rows, text, expected

  setup(function()
    moon.seed(3)
    rows = moon.randn(40, 3) * moon.tensor{{5, 0.1, 1000}} + moon.tensor{{20, 1, 5000}}
    detector = moon.detector(moon.autoencoder.deep{input = 3, hidden = {4}, code = 2},
      {scaler = moon.scaler(rows), columns = {"temp", "flow", "load"}})
    detector.threshold = moon.metrics.quantile(detector:scores(rows), 0.8)
    assert(detector:save(path("d.safetensors")))
    text = csv(rows, {"temp", "flow", "load"})
    local list = {}
    for i, s in ipairs(detector:scores(rows):totable()) do
      list[i] = ("%.9g\t%d\n"):format(s, s > detector.threshold and 1 or 0)
    end
    expected = table.concat(list)
  end)

  local function score(input, ...) return run({"score", path("d.safetensors"), ...}, input) end

  -- Rows as CSV with these columns; a name that the detector does not have is a column of texts.
  local function csv_with(columns)
    local place, list = {temp = 1, flow = 2, load = 3}, {table.concat(columns, ",")}
    for i, row in ipairs(rows:totable()) do
      local cells = {}
      for k, name in ipairs(columns) do cells[k] = place[name] and ("%.9g"):format(row[place[name]]) or "text" .. i end
      list[i + 1] = table.concat(cells, ",")
    end
    return table.concat(list, "\n") .. "\n"
  end

  it("gives the scores and alarms that Lua gives, from a file and from a pipe", function()
    write_file(path("rows.csv"), text)
    assert.same({expected, "", 0}, {score(text)})
    assert.same({expected, "", 0}, {score(nil, path("rows.csv"))})
    assert.same({expected, "", 0}, {sh(("cat %s | %s score %s -"):format(path("rows.csv"), program,
      path("d.safetensors")))})
  end)

  it("finds columns by their names, and tells others once", function()
    local out, err, status = score(csv_with{"load", "note", "temp", "flow", "id"})
    assert.same({expected, 0}, {out, status})
    assert.equal(2, #lines(err))
    has(err, "standard input: its columns are in another order than the detector's")
    has(err, "standard input: 2 of its columns are not used: note, id")
    out, err = score(csv_with{"temp", "flow", "load", "note"})
    assert.equal(expected, out)
    assert.equal("moonglass-anomaly: standard input: 1 of its columns is not used: note\n", err)
    fails(1, "flow", "", score(csv_with{"temp", "load"}))
  end)

  it("names guilty columns, as text and as JSON", function()
    local strange = rows:rows(1, 3):clone()
    strange[2][3] = 90000
    local out, err = score(csv(strange, {"temp", "flow", "load"}), "--only", "--why")
    assert.equal("", err)
    local place, why = out:match("(%d+)\t%S+\t(load 90000 %(expected [^\n]*, out of range%)[^\n]*)\n")
    assert.equal("3", place) -- the line in the file, whose first has the names
    assert.is_truthy(why)
    out = score(csv(strange, {"temp", "flow", "load"}), "--json", "--why")
    assert.equal(3, #lines(out))
    has(lines(out)[2], '{"line":3,"score":')
    has(lines(out)[2], '"alarm":true,"why":[{"column":"load","value":90000,"expected":')
    has(lines(out)[2], '"outside":true}')
    local scores = detector:scores(strange)
    for i, line in ipairs(lines(out)) do
      assert.equal(("%.9g"):format(scores[i]), line:match('"score":([^,]+),'))
      assert.equal(i + 1, tonumber(line:match('"line":(%d+)')))
    end
  end)

  it("escapes names in JSON, and hides control characters from terminals", function()
    local odd = moon.detector(detector.net, {scaler = moon.scaler(rows), columns = {'a"b\\', "c\27[2J", "d"}})
    odd.threshold = -1
    assert(odd:save(path("odd.safetensors")))
    local input = csv(rows:rows(1, 1), {'"a""b\\"', "c\27[2J", "d"})
    local out, err = run({"score", path("odd.safetensors"), "--json", "--why"}, input)
    assert.equal("", err)
    has(out, '"column":"a\\"b\\\\"')
    has(out, '"column":"c\\u001b[2J"')
    out = run({"score", path("odd.safetensors"), "--why"}, input)
    has(out, "c?[2J ")
    assert.is_nil(out:find("\27", 1, true))
    local _, told = run({"score", path("odd.safetensors")}, input:gsub("d\n", "d,e\27[2J\n", 1):gsub("\n$", ",1\n"))
    has(told, "not used: e?[2J")
  end)

  it("takes another threshold, and tells when there is none", function()
    local out = score(text, "--threshold", "1e9")
    assert.equal(select(2, expected:gsub("\n", "")), select(2, out:gsub("\t0\n", "")))
    assert(moon.autoencoder.deep{input = 3, hidden = {4}, code = 2}:save(path("plain.safetensors")))
    for _, option in ipairs{"--only", "--why"} do
      fails(1, option .. ": the detector has no threshold", "", run({"score", path("plain.safetensors"), option}, text))
    end
  end)

  it("stops at a bad row after the scores before it, or skips it", function()
    local good = lines(text)
    local input = table.concat(good, "\n", 1, 4) .. "\n1,x,3\n1,2\n" .. table.concat(good, "\n", 5, 7) .. "\n"
    local scores = lines(expected)
    local out, err, status = score(input)
    assert.same({table.concat(scores, "\n", 1, 3) .. "\n", 1}, {out, status})
    has(err, "line 5, column 2 (flow)")
    assert.equal(1, #lines(err))
    out, err, status = score(input, "--on-bad", "skip")
    assert.same({table.concat(scores, "\n", 1, 6) .. "\n", 3}, {out, status})
    assert.equal(3, #lines(err))
    has(lines(err)[1], "line 5")
    has(lines(err)[2], "line 6")
    has(lines(err)[3], "2 of 8 rows were bad, and are left out")
    out = score(input, "--on-bad", "skip", "--json")
    local places = {}
    for place in out:gmatch('"line":(%d+)') do places[#places + 1] = tonumber(place) end
    assert.same({2, 3, 4, 7, 8, 9}, places)
  end)

  it("counts lines where a text has line breaks", function()
    local out = score('temp,flow,load,note\n1,2,3,"a\nb"\n1,2,3,"c\n\nd"\n1,2,3,e\n', "--json")
    local places = {}
    for place in out:gmatch('"line":(%d+)') do places[#places + 1] = tonumber(place) end
    assert.same({2, 4, 7}, places)
  end)

  it("refuses damaged detectors", function()
    local whole = read_file(path("d.safetensors"))
    fails(1, "cannot read '" .. path("none.safetensors"), "", run({"score", path("none.safetensors")}, text))
    for _, size in ipairs{0, 7, 100, 300, #whole // 2, #whole - 1} do
      write_file(path("cut.safetensors"), whole:sub(1, size))
      fails(1, "cut.safetensors", "", run({"score", path("cut.safetensors")}, text))
    end
    for _, change in ipairs{{'"threshold%p*:', '"threshold\\":"x",\\"y\\":'}, {'"offset%p*:%[', '"offset\\":[1,'}} do
      local broken, count = whole:gsub(change[1], change[2], 1)
      write_file(path("broken.safetensors"), broken)
      if count > 0 then fails(1, "broken.safetensors", "", run({"score", path("broken.safetensors")}, text)) end
    end
    fails(1, folder, "", run({"score", folder}, text))
    assert(moon.sequential{moon.dense(64, 3)}:save(path("narrow.safetensors")))
    local _, _, status = run({"score", path("narrow.safetensors")}, text)
    assert.equal(1, status)
  end)

  it("tells what it cannot read or write", function()
    local function shell(command)
      return sh((command:gsub("PROGRAM", program):gsub("DETECTOR", path("d.safetensors"))))
    end
    write_file(path("rows.csv"), text)
    fails(1, "cannot write the scores", "", shell("PROGRAM score DETECTOR " .. path("rows.csv") .. " >/dev/full"))
    fails(1, "standard output is closed", "", shell("PROGRAM score DETECTOR " .. path("rows.csv") .. " >&-"))
    fails(1, folder, "", score(nil, folder))
    fails(1, "none.csv", "", score(nil, path("none.csv")))
    fails(1, folder, "", score(nil, folder, "--follow"))
    fails(1, "none.csv", "", score(nil, path("none.csv"), "--follow"))
  end)
end)

describe("score --follow", function()
  -- Run shell commands beside a program that follows grows.csv. `until_lines N` waits for the N-th line of its output.
  local function follow(options, commands)
    local names = "a,b\n"
    write_file(path("grows.csv"), names .. "1,2\n")
    moon.seed(1)
    local d = moon.detector(moon.autoencoder.deep{input = 2, hidden = {3}, code = 1},
      {scaler = moon.scaler(moon.randn(50, 2)), columns = {"a", "b"}})
    d.threshold = 1e9
    assert(d:save(path("follow.safetensors")))
    local out, err, status = sh(([[
      cd %s
      until_lines() { i=0; while [ $(wc -l <answers) -lt $1 ] && [ $i -lt 1000 ]; do sleep 0.01; i=$((i + 1)); done; }
      : >answers
      env --default-signal=INT %s score follow.safetensors grows.csv --follow --json %s >answers 2>said & process=$!
      until_lines 1
      %s
      kill -INT $process; wait $process; echo $? >&2]]):format(quote(folder), program:gsub("^'([^/])", "'" ..
      lfs.currentdir() .. "/%1"), options, commands))
    local places = {}
    for place in read_file(path("answers")):gmatch('"line":(%d+)') do places[#places + 1] = tonumber(place) end
    return places, read_file(path("said")), err, out, status
  end

  it("answers to what is appended, a line at a time, and ends with Ctrl-C", function()
    local places, said, status = follow("", [[
      printf '3,' >>grows.csv; sleep 0.05; wc -l <answers >early
      printf '4\n' >>grows.csv; until_lines 2
      printf '5,6\n7,8\n' >>grows.csv; until_lines 4]])
    assert.same({{2, 3, 4, 5}, "", "130\n"}, {places, said, status})
    assert.equal(1, tonumber(read_file(path("early"))))
  end)

  it("reads a file that is cut off, or replaced, from its start", function()
    local places, said = follow("", [[
      mv grows.csv old.csv; printf '3,4\n' >>old.csv; until_lines 2
      printf 'b,a\n5,6\n' >grows.csv; until_lines 3
      printf 'a,b\n' >grows.csv; sleep 0.3; printf '7,8\n' >>grows.csv; until_lines 4
      printf '9,10\n' >>grows.csv; until_lines 5]])
    assert.same({2, 3, 2, 2, 3}, places)
    has(said, "grows.csv was replaced")
    has(said, "grows.csv was cut off")
  end)

  it("skips bad rows, and tells how many at the end", function()
    local places, said, status = follow("--on-bad skip", [[
      printf '3,x\n5,6\n' >>grows.csv; until_lines 2]])
    assert.same({{2, 4}, "130\n"}, {places, status})
    has(said, "grows.csv")
    has(said, "line 3, column 2 (b)")
    has(said, "1 of 3 rows were bad")
  end)
end)

describe("fit", function()
  local count = 400

  -- Rows that lie near a plane; every 40th has a wrong `load`, and label `bad` or 1. texts: labels are texts.
  local function sensors(texts)
    moon.seed(5)
    local list = {"time,temp,flow,load,mode,fault"}
    for i, row in ipairs(moon.randn(count, 2):totable()) do
      local fault = i % 40 == 0
      local load = 100 * (row[1] - row[2]) + (fault and 700 or 0)
      list[i + 1] = ("12:%02d,%.4g,%.4g,%.5g,%s,%s"):format(i % 60, 20 + row[1], 3 + row[2] / 10, load,
        row[1] > 0 and "high" or "low", texts and (fault and "bad" or "good") or (fault and "1" or "0"))
    end
    return table.concat(list, "\n") .. "\n"
  end

  local function fit(...) return run{"fit", path("sensors.csv"), ...} end

  if not rawget(moon.detector, "fit") then
    return it("trains a detector", function() pending("moon.detector.fit is not there yet") end)
  end

  it("trains a detector that score and Lua take, and tells how good it is", function()
    write_file(path("sensors.csv"), sensors())
    local model = path("fitted.safetensors")
    local out, err, status = fit("-o", model, "--columns", "temp,flow,load,mode", "--categorical", "mode", "--label",
      "fault", "--seed", 2)
    assert.equal(0, status)
    has(err, "the threshold is rough")
    has(out, "sensors.csv: 400 rows, 5 columns")
    has(out, "threshold ")
    has(out, "false alarms")
    assert.is_true(tonumber(out:match("AUC ([%d.]+), of 10 anomalies against 78 normal rows")) > 0.95)
    local detector = assert(moon.load(model))
    assert.same({"temp", "flow", "load"}, {table.unpack(detector.columns, 1, 3)})
    assert.is_true(detector.threshold > 0)
    local scored, told = run({"score", model, path("sensors.csv"), "--only", "--why"})
    has(told, "2 of its columns are not used: time, fault")
    local found = 0
    for line in scored:gmatch("(%d+)\t") do found = found + ((tonumber(line) - 1) % 40 == 0 and 1 or 0) end
    assert.is_true(found >= 8)
    has(scored, "load ")
  end)

  it("gives the same detector with the same seed", function()
    write_file(path("sensors.csv"), sensors(true))
    local models = {}
    for i, seed in ipairs{7, 7, 8} do
      local model = path("seed.safetensors")
      local out, err, status = fit("-o", model, "--ignore", "time,mode", "--label", "fault", "--normal", "good",
        "--seed", seed, "--quiet", "--threads", 1, "--epochs", 3)
      assert.same({"", 0}, {out, status})
      has(err, "the threshold is rough")
      models[i] = read_file(model)
    end
    assert.equal(models[1], models[2])
    assert.are_not.equal(models[1], models[3])
  end)

  it("refuses what it cannot use, and writes nothing", function()
    write_file(path("sensors.csv"), sensors(true))
    local model = path("never.safetensors")
    local function refuses(part, ...) fails(1, part, "", fit("-o", model, "--quiet", ...)) end
    refuses("column 1 (time): found '12:01'")
    refuses("no row has the label '0' in column fault; its labels are good, bad: name the normal one by --normal",
      "--columns", "temp,flow", "--label", "fault")
    refuses("pressure", "--columns", "temp,pressure")
    refuses("wrong", "--columns", "temp,flow", "--label", "wrong")
    fails(1, "none.csv", "", run{"fit", path("none.csv"), "-o", model})
    fails(1, folder, "", run{"fit", folder, "-o", model})
    write_file(path("empty.csv"), "")
    fails(1, "empty.csv", "", run{"fit", path("empty.csv"), "-o", model})
    assert.is_nil(lfs.attributes(model))
    local _, err, status = fit("-o", path("no/never.safetensors"), "--columns", "temp,flow", "--quiet", "--epochs", 1)
    has(err, "no/never.safetensors")
    assert.equal(1, status)
  end)

  it("ends with Ctrl-C, and then writes nothing", function()
    write_file(path("sensors.csv"), sensors())
    local out, err = sh(([[
      env --default-signal=INT %s fit %s -o %s --columns temp,flow,load --epochs 100000000 >/dev/null & process=$!
      sleep 1; kill -INT $process; wait $process; echo $?]]):format(program, path("sensors.csv"),
      path("never.safetensors")))
    assert.equal("130\n", out)
    assert.equal("moonglass-anomaly: interrupted; no detector was written\n", err)
    assert.is_nil(lfs.attributes(path("never.safetensors")))
  end)
end)

describe("the command line", function()
  it("has help and a version, and refuses in one line", function()
    for _, words in ipairs{{"--help"}, {"help"}, {"score", "--help"}, {"fit", "--help"}} do
      local out, err, status = run(words)
      has(out, "--on-bad stop|skip")
      assert.same({"", 0}, {err, status})
    end
    assert.is_truthy(run{"--version"}:match("^moonglass%-anomaly %d+%.%d+%.%d+\n$"))
    local d = path("net.safetensors")
    local function refuses(part, ...) fails(2, part, "", run({...}, csv(values))) end
    refuses("expected a command")
    refuses("there is no command 'train'", "train")
    refuses("no detector is given", "score")
    refuses("an argument too many", "score", d, "rows.csv", "more")
    refuses("no option --frobnicate", "score", d, "--frobnicate", 1)
    refuses("give one", "fit", "rows.csv", "-o", "d", "--columns", "a", "--ignore", "b")
    refuses("--threshold: its value is missing", "score", d, "--threshold")
    refuses("--threshold is 'much'", "score", d, "--threshold", "much")
    refuses("--format is 'xls'", "score", d, "--format", "xls")
    refuses("--on-bad is 'never'", "score", d, "--on-bad", "never")
    refuses("--follow needs the name of a file", "score", d, "--follow")
    refuses("are for --format csv", "score", d, "--format", "u8", "--on-bad", "skip")
    refuses("needs the name of a file", "score", d, "--format", "idx")
    refuses("no file of rows is given", "fit")
    refuses("no detector to write is given", "fit", "rows.csv")
    refuses("no option --quantil; did you mean '--quantile'", "fit", "rows.csv", "--quantil", 1)
    refuses("--quantile is '2', expected a number above 0 and below 1", "fit", "rows.csv", "--quantile", 2)
    refuses("--output: its value is missing", "fit", "rows.csv", "-o")
  end)
end)

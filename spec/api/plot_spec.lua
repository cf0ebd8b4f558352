-- moon.plot: the pictures that gnuplot draws, the scripts that it gets, and refused arguments. In some tests a shell
-- script replaces gnuplot: it stores the script, or fails.
local moon = require "moonglass"
local lfs = require "lfs"
local files = dofile "spec/support/files.lua"
local expect = dofile "spec/support/expect.lua"
local known = dofile "spec/support/known.lua"
local plot = moon.plot

local message, has = expect.raised, expect.has

local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"
local folder, picture

local function entries()
  local list = {}
  for name in lfs.dir(folder) do
    if name ~= "." and name ~= ".." then list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

before_each(function()
  folder = os.tmpname()
  os.remove(folder)
  assert(lfs.mkdir(folder))
  picture = folder .. "/plot.png"
end)

after_each(function()
  for _, name in ipairs(entries()) do os.remove(folder .. "/" .. name) end
  assert(lfs.rmdir(folder))
end)

-- ---- pictures ----

-- The picture's height and width, and its colours, 0xrrggbb, as a flat list.
local function open(path)
  local t = assert(moon.png.read(path))
  local h, w = t:size(1), t:size(2)
  local channels = t:reshape(h * w, 3):float():t()
  return h, w, (channels[1] * 65536 + channels[2] * 256 + channels[3]):totable()
end

-- The number of pixels of each colour, and the number of colours.
local function count_colours(path)
  local counts, n = {}, 0
  local _, _, colours = open(path)
  for _, colour in ipairs(colours) do
    colour = math.tointeger(colour)
    n = counts[colour] and n or n + 1
    counts[colour] = (counts[colour] or 0) + 1
  end
  return counts, n
end

-- The colours of classes and curves, in their order.
local palette = {
  0x2b6cb0, 0xe8862e, 0x43a04a, 0xc93c3c, 0x9a63c0, 0x70472f, 0xec92c0, 0x868a8e, 0xd2bd3c, 0x36b6c6,
}
local blue, orange = palette[1], palette[2]

-- A picture of that size with more than a few colours.
local function check_picture(path, width, height)
  local h, w = open(path)
  assert.same({width, height}, {w, h})
  local counts, n = count_colours(path)
  assert.is_true(n > 20, "blank")
  return counts
end

describe("a picture", function()
  it("lines: its size, and a colour for each curve", function()
    local series = {{y = {3, 1, 2}, label = "a"}, {x = moon.tensor{1, 2}, y = moon.tensor{1, 4}}}
    local options = {title = "t", xlabel = "x", ylabel = "y", width = 500, height = 300}
    assert.same({true}, {plot.lines(picture, series, options)})
    local counts = check_picture(picture, 500, 300)
    assert.is_true(counts[blue] > 50 and counts[orange] > 50)
    assert.same({"plot.png"}, entries())
  end)

  it("lines: a gap for NaN", function()
    for _, gap in ipairs{{0 / 0, 0 / 0}, {math.huge, -math.huge}, {}} do
      local y = {1, 1, gap[1], gap[2], 1, 1}
      assert(plot.lines(picture, {{y = y}}, {width = 300, height = 200, yrange = {0, 2}}))
      local _, w, colours = open(picture)
      local drawn, first, last = {}, math.huge, 0
      for i, colour in ipairs(colours) do
        if colour == blue then drawn[(i - 1) % w] = true end
      end
      local columns = 0
      for k in pairs(drawn) do columns, first, last = columns + 1, math.min(first, k), math.max(last, k) end
      -- The axis goes from 1 to 6: a fifth of it is drawn at either end.
      local share = columns / (last - first + 1)
      assert.is_true(math.abs(share - 0.4) < 0.03, tostring(share))
    end
  end)

  it("lines: a single point is visible", function()
    assert(plot.lines(picture, {{y = {3}}}, {width = 200, height = 150}))
    assert.is_true(check_picture(picture, 200, 150)[blue] > 4)
  end)

  it("histogram, bars, panels", function()
    local size = {width = 300, height = 200}
    assert(plot.histogram(picture, {{values = moon.randn(20, 20), label = "a"}, {values = {1, 2, 3}}}, size))
    assert.is_true(check_picture(picture, 300, 200)[orange] > 50)
    assert(plot.bars(picture, {"a", 2}, {{y = {1, 2}, label = "s"}}, size))
    check_picture(picture, 300, 200)
    local panel = {series = {{y = {1, 2}}}}
    assert(plot.panels(picture, {panel, panel, {labels = {"a"}, series = {{y = {2}}}}}, {title = "t", columns = 2}))
    check_picture(picture, 720, 540)
  end)

  it("scatter: a colour for each of ten classes", function()
    local x, y = moon.data.blobs{n = 20, classes = 10, seed = 1}
    assert(plot.scatter(picture, x, y, {width = 400, height = 300, size = 1, labels = {"zero"}}))
    local counts = check_picture(picture, 400, 300)
    for class, colour in ipairs(palette) do assert.is_true((counts[colour] or 0) > 50, "class " .. class - 1) end
    assert(plot.scatter(picture, x, nil, {width = 400, height = 300}))
    counts = check_picture(picture, 400, 300)
    assert.is_true(counts[blue] > 100 and not counts[orange])
  end)

  it("scatter: the names of classes amid their points", function()
    local x, y = moon.tensor{{-1, -1}, {-1.1, -1}, {-9, -1}, {1, 1}, {1.2, 1}, {0 / 0, 3}}, {0, 0, 0, 1, 1, 1}
    local function dark(named)
      local size = {width = 400, height = 300, legend = "none", labels = {"mmm", "www"}, named = named, title = ""}
      assert(plot.scatter(picture, x, y, size))
      return check_picture(picture, 400, 300)[0x202020] or 0
    end
    assert.is_true(dark(true) > dark(false) + 20, ("%d and %d"):format(dark(true), dark(false)))
    assert(plot.scatter(picture, x, nil, {named = true, width = 200, height = 150}))
    assert(plot.scatter(picture, x, y, {named = true, labels = {"`touch a`", '"\n'}, width = 200, height = 150}))
  end)

  -- The colours in the four quarters of a picture, from the bottom; the drawn points are nearer to its corners.
  local function quarters(classify)
    local x = moon.tensor{{-1, -1}, {1, -1}, {-1, 1}, {1, 1}}
    local size = {width = 200, height = 150, steps = 20, legend = "none"}
    assert(plot.regions(picture, classify, x, {0, 1, 2, 3}, size))
    local h, w, colours = open(picture)
    local function at(down, right) return math.tointeger(colours[math.floor(down * h) * w + math.floor(right * w)]) end
    return {at(0.6, 0.4), at(0.6, 0.8), at(0.2, 0.4), at(0.2, 0.8)}
  end

  -- 35 % of the colour, the rest white.
  local tints = {0xb5cce3, 0xf7d5b6, 0xbddec0, 0xecbbbb}

  it("regions: the result of a function, a tensor or a list", function()
    local function quadrant(points) -- greater than 0: 1, else 0
      local signs = points:sign():clamp_(0, 1):t()
      return signs[1] + signs[2] * 2
    end
    assert.same(tints, quarters(quadrant))
    assert.same(tints, quarters(function(points) return quadrant(points):totable() end))
  end)

  it("regions: the largest output of a net, native or not", function()
    local dense = moon.dense(2, 4)
    dense.weight = moon.tensor{{-1, 1, -1, 1}, {-1, -1, 1, 1}}
    assert.same(tints, quarters(moon.sequential{dense}))
    local same = {forward = function(_, x) return x end, backward = function(_, dy) return dy end}
    assert.same(tints, quarters(moon.sequential{dense, same}))
  end)
end)

-- ---- scripts ----

local quote = files.quote

-- The output of a Lua program whose PATH has this gnuplot; nil: no gnuplot.
local function run(gnuplot, text)
  local script = folder .. "/script.lua"
  files.write(script, ("local moon, picture = require 'moonglass', %q\n"):format(picture), text)
  local path = "PATH=/nowhere"
  if gnuplot then
    files.write(folder .. "/gnuplot", "#!/bin/sh\n", gnuplot, "\n")
    assert(os.execute("chmod +x " .. quote(folder .. "/gnuplot")))
    path = ('PATH=%s:"$PATH"'):format(quote(folder))
  end
  local pipe = assert(io.popen(("%s %s %s 2>&1"):format(path, quote(program), quote(script))))
  local output = pipe:read("a")
  pipe:close()
  os.remove(script)
  os.remove(folder .. "/gnuplot")
  return output
end

-- The script that gnuplot gets, and the program's output.
local function script_of(text)
  local output = run(("cat >%s"):format(quote(folder .. "/kept")), text)
  has(output, "gnuplot has not written the whole picture")
  local kept = files.read(folder .. "/kept")
  os.remove(folder .. "/kept")
  assert.same({}, entries())
  return kept, output
end

-- The columns of the k-th datablock, as lists.
local function block(script, k)
  local columns = {}
  for line in script:match(("$data%d << EOD\n(.-)EOD\n"):format(k)):gmatch("[^\n]+") do
    local c = 0
    for word in line:gmatch("%S+") do
      c = c + 1
      columns[c] = columns[c] or {}
      columns[c][#columns[c] + 1] = tonumber(word) or word
    end
  end
  return columns
end

-- The heights of a histogram's bins, and their left edges.
local function bins(script, k)
  local x, y = table.unpack(block(script, k))
  local heights, starts = {}, {}
  for i = 2, #y - 1, 2 do heights[#heights + 1], starts[#starts + 1] = y[i], x[i] end
  return heights, starts
end

describe("a script", function()
  it("has the numbers", function()
    local script = script_of[[local bytes = moon.tensor({5, 6}, {dtype = "uint8"}):reshape(2, 1)
      local series = {{y = {0.1, nil, 1e-30}}, {x = moon.tensor{3, 4}, y = bytes}}
      print(moon.plot.lines(picture, series, {xrange = {1, 7}, logy = 2}))]]
    assert.same({{1, 2, 3}, {0.1, "NaN", 1e-30}}, block(script, 1))
    assert.same({{3, 4}, {5, 6}}, block(script, 2))
    has(script, "set xrange [1:7]")
    has(script, "set logscale y 2\n")
    has(script, 'set format x "% h"\n')
    has(script, 'set format y "%g"\n')
  end)

  it("has at least three tics on a logarithmic axis, all inside it", function()
    local function check(call, axis)
      local script = script_of(("print(moon.plot.%s)"):format(call))
      local low, high = script:match("set " .. axis .. "range %[(%S+):(%S+)%] noextend\n")
      low, high = tonumber(low), tonumber(high)
      local count, before = 0, -math.huge
      for word in script:match("set " .. axis .. "tics %(([^)]*)%)\n"):gmatch("[^, ]+") do
        local v = tonumber(word)
        assert.is_true(v > before and v >= low and v <= high, word)
        count, before = count + 1, v
      end
      assert.is_true(count >= 3 and count <= 12, ("%s: %d tics"):format(call, count))
      return low, high
    end
    for _, y in ipairs{"0.07, 0.2", "1, 9", "5", "1, 1.01", "1e-300, 1e300", "3, 40", "99, 101", "0.5, 128"} do
      for _, base in ipairs{"true", "2", "1.5", "100"} do
        local low, high = check(("lines(picture, {{y = {%s}}}, {logy = %s})"):format(y, base), "y")
        local last = tonumber(y:match("(%S+)$"))
        assert.is_true(low <= tonumber(y:match("^[^,]+")) and high >= last)
      end
    end
    check("lines(picture, {{x = {2, 3}, y = {1, 2}}}, {logx = 2})", "x")
    check("lines(picture, {{y = {3, 4}}}, {logy = true, yrange = {10}})", "y")
    check("lines(picture, {{y = {30, 40}}}, {logy = true, yrange = {nil, 10}})", "y")
    check("bars(picture, {'a', 'b'}, {{y = {3, 4}}}, {logy = true})", "y")
    check("histogram(picture, {{values = {1, 2, 2}}}, {logy = true})", "y")
    check("scatter(picture, moon.tensor{{1, 2}, {3, 2}}, nil, {logx = true})", "x")
  end)

  it("has whole numbers on an axis of small counts", function()
    local function tics(series, more)
      local script = script_of(("print(moon.plot.lines(picture, %s, %s))"):format(series, more or "{}"))
      return script:find("set xtics 1\n", 1, true)
    end
    assert.is_truthy(tics("{{y = {3, 4, 5}}}"))
    assert.is_nil(tics("{{y = {3, 4, 5}, x = {1, 2, 3}}}"))
    assert.is_nil(tics("{{y = {3, 4, 5}}}", "{logx = true}"))
    assert.is_nil(tics("{{y = moon.ones(11)}}"))
  end)

  it("has a decimal point in every locale", function()
    local script = script_of[[local format = string.format
      string.format = function(form, ...)
        local text = format(form, ...)
        return form:find("g", 1, true) and text:gsub("%.", ",") or text
      end
      print(moon.plot.lines(picture, {{y = {0.5, 2.25}}}, {xrange = {0.5, 3}}))]]
    assert.same({{1, 2}, {0.5, 2.25}}, block(script, 1))
    has(script, "set xrange [0.5:3]")
  end)

  it("has the bins of numpy.histogram", function()
    local script = script_of[[print(moon.plot.histogram(picture, {{values = {1, 2, 1, 0 / 0, 7}}, {values = {3, -1e9}}},
      {bins = 3, range = {0, 3}, density = false}))]]
    assert.same({{0, 2, 1}, {0, 1, 2}}, {bins(script, 1)})
    assert.same({0, 0, 1}, (bins(script, 2)))
    script = script_of[[print(moon.plot.histogram(picture, {{values = moon.tensor{0, 1, 2, 3}}},
      {bins = 4, range = {0, 4}}))]]
    assert.same({0.25, 0.25, 0.25, 0.25}, (bins(script, 1)))
  end)

  it("has the bins of large tensors", function()
    local script = script_of[[moon.seed(1)
      print(moon.plot.histogram(picture, {{values = moon.rand(300, 500)}, {values = {0, 1}}},
        {bins = 10, density = false}))]]
    moon.seed(1)
    local expected = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
    for _, v in ipairs(moon.rand(300, 500):reshape(-1):totable()) do
      local i = math.floor(v * 10) + 1
      expected[i] = expected[i] + 1
    end
    assert.same(expected, (bins(script, 1)))
  end)

  it("has the bars of a group side by side", function()
    local script = script_of[[print(moon.plot.bars(picture, {"a", "b"}, {{y = {1, 2}}, {y = moon.tensor{3, 4}}}))]]
    assert.same({{-0.2, 0.8}, {1, 2}}, block(script, 1))
    assert.same({{0.2, 1.2}, {3, 4}}, block(script, 2))
    has(script, "set boxwidth 0.4 absolute")
  end)

  it("calls the classifier at the centres of cells, line by line from the bottom", function()
    local script, output = script_of[[local function classify(points)
        print(table.concat(points:reshape(-1):totable(), " "))
        return {0, 1, 2, 13}
      end
      print(moon.plot.regions(picture, classify, moon.tensor{{0, 0}, {8, 80}}, {0, 1}, {steps = 2, margin = 0}))]]
    has(output, "2.0 20.0 6.0 20.0 2.0 60.0 6.0 60.0\n")
    assert.same({{0, 2}, {1, 3}}, block(script, 1))
    has(script, "$data1 matrix using (2 + $1 * 4):(20 + $2 * 40):3 with image")
  end)

  it("has ten colours that can be told apart", function()
    local script = script_of[[print(moon.plot.lines(picture, {{y = {1, 2}}}))]]
    local lab = {}
    local function linear(v) return v <= 0.04045 and v / 12.92 or ((v + 0.055) / 1.055) ^ 2.4 end
    local function f(t) return t > 216 / 24389 and t ^ (1 / 3) or (24389 / 27 * t + 16) / 116 end
    for text in script:gmatch('set linetype %d+ linecolor rgb "#(%x+)"') do -- CIE 1976 L*a*b* of sRGB, D65
      local c = tonumber(text, 16)
      local r, g, b = linear((c >> 16) / 255), linear((c >> 8 & 255) / 255), linear((c & 255) / 255)
      local x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047)
      local y = f(0.2126 * r + 0.7152 * g + 0.0722 * b)
      local z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883)
      lab[#lab + 1] = {116 * y - 16, 500 * (x - y), 200 * (y - z)}
    end
    assert.equal(10, #lab)
    for i, p in ipairs(lab) do
      for k = i + 1, 10 do
        local q = lab[k]
        assert.is_true(((p[1] - q[1]) ^ 2 + (p[2] - q[2]) ^ 2 + (p[3] - q[3]) ^ 2) ^ 0.5 > 33, i .. " and " .. k)
      end
    end
  end)
end)

-- ---- texts ----

describe("a text", function()
  local nasty = '";system "touch done";" \' `touch done` $(touch done) @a _b ^c {d} %g 100% \\n\\101 #e äß 1(1)\n'
    .. "!touch done"

  it("reaches gnuplot without special characters", function()
    local script = script_of(("local t = %q\n"):format(nasty) .. [[print(moon.plot.lines(picture, {{y = {1, 2}}},
      {title = t, xlabel = t, ylabel = t}))]])
    local found = {}
    for name, text in script:gmatch('set (%l+) "([^\n]-)" textcolor') do
      assert.is_nil(text:gsub("\\%d%d%d", ""):find("[^A-Za-z ]"))
      found[name] = text:gsub("\\(%d%d%d)", function(digits) return string.char(tonumber(digits, 8)) end)
    end
    assert.same({title = nasty, xlabel = nasty, ylabel = nasty}, found)
  end)

  it("runs nothing in any argument", function()
    local here = lfs.currentdir()
    assert(lfs.chdir(folder))
    local x, y = moon.tensor{{0, 0}, {1, 1}}, {0, 1}
    local ok, problem = pcall(function()
      local series, size = {{y = {1, 2}, label = nasty}}, {width = 200, height = 150}
      local bars = {labels = {nasty}, series = {{y = {1}, label = nasty}}}
      assert(plot.panels("a", {{series = series}, bars}, {title = nasty, width = 200}))
      assert(plot.histogram("a", {{values = {1, 2}, label = nasty}}, size))
      assert(plot.scatter("a", x, y, {labels = {nasty, nasty}, width = 200, height = 150}))
      assert(plot.lines("|touch done", series, size))
      assert(plot.lines("~", series, size))
      assert(plot.lines("`touch done`'; touch done \"$(touch done)\n", series, size))
    end)
    assert(lfs.chdir(here))
    assert.is_true(ok, problem)
    assert.same({"`touch done`'; touch done \"$(touch done)\n", "a", "|touch done", "~"}, entries())
    check_picture(folder .. "/|touch done", 200, 150)
  end)

  it("is drawn unchanged", function()
    local function bars(label, title)
      assert(plot.bars(picture, {label}, {{y = {1}}}, {title = title, width = 150, height = 100}))
      return files.read(picture)
    end
    local plain = bars("0")
    assert.equal(plain, bars(0))
    assert.not_equal(plain, bars("%g")) -- as a format it would print 0
    assert.not_equal(bars("%"), bars("%%"))
    assert.not_equal(bars("0", "ab"), bars("0", "a{b}")) -- as enhanced text they would be equal
    assert.not_equal(bars("0", "ab"), bars("0", "a\nb"))
  end)
end)

-- ---- failing ----

describe("a plot that fails", function()
  local series = {{y = {1, 2}}}

  it("says that gnuplot is missing", function()
    local output = run(nil, [[print(moon.plot.lines(picture, {{y = {1, 2}}}))]])
    assert.equal("nil\tplot.lines: there is no program gnuplot (Debian's package gnuplot-nox)\tI/O\n", output)
    assert.same({}, entries())
  end)

  it("reports gnuplot's message and keeps the old file", function()
    files.write(picture, "old")
    local output = run("echo 'something is' >&2; echo wrong; exit 3",
      [[print(moon.plot.lines(picture, {{y = {1, 2}}}))]])
    assert.equal("nil\tplot.lines: gnuplot ended with status 3: something is wrong\tI/O\n", output)
    has(run("kill -9 $$", [[print(moon.plot.lines(picture, {{y = {1, 2}}}))]]), "gnuplot was ended by signal 9")
    assert.same({"plot.png"}, entries())
    assert.equal("old", files.read(picture))
  end)

  it("survives a gnuplot that does not read a long script", function()
    local output = run("exit 3", [[local y = moon.rand(20000)
      print(moon.plot.lines(picture, {{y = y}}))]])
    has(output, "gnuplot ended with status 3")
  end)

  it("removes an incomplete picture", function()
    local output = run([[head -c 100 /dev/zero >"$(printf "$(sed -n 's/^set output "\(.*\)"/\1/p')")"]],
      [[print(moon.plot.lines(picture, {{y = {1, 2}}}))]])
    has(output, "gnuplot has not written the whole picture")
    assert.same({}, entries())
  end)

  it("names a path that cannot be written", function()
    local ok, text, code = plot.lines(folder .. "/none/plot.png", series)
    assert.is_nil(ok)
    has(text, "plot.lines: cannot write '" .. folder .. "/none/plot.png': No such file or directory")
    assert.equal("I/O", code)
    assert(lfs.mkdir(picture))
    ok, text = plot.lines(picture, series)
    assert.is_nil(ok)
    has(text, "directory")
    assert.same({"plot.png"}, entries())
    assert(lfs.rmdir(picture))
  end)

  it("says that a host does not allow programs", function()
    for _, change in ipairs{"io.popen = nil", "io = nil", "os = nil"} do
      has(run(nil, change .. "\nprint(moon.plot.lines(picture, {{y = {1, 2}}}))"),
        "nil\tplot.lines: this host does not let Lua run programs (io.popen), so gnuplot cannot run\tI/O\n")
    end
    local output = run(nil, [[io.popen = function() error("'popen' not supported", 0) end
      print(moon.plot.lines(picture, {{y = {1, 2}}}))]])
    has(output, "plot.lines: gnuplot cannot be started: 'popen' not supported")
  end)
end)

describe("mistakes are refused:", function()
  local x, y = moon.tensor{{0, 0}, {1, 1}}, {0, 1}

  after_each(function() assert.same({}, entries()) end)

  it("lines", function()
    local function refused(part, series, options, path)
      has(message(plot.lines, path or picture, series, options), part)
    end
    local fine = {{y = {1, 2}}}
    refused("plot.lines: path is '', expected the name of a file", fine, nil, "")
    refused("plot.lines: series is nil, expected a list of at least one")
    refused("plot.lines: series is empty", {})
    refused("plot.lines: series 1: option y is missing", {{x = {1}}})
    refused("plot.lines: series 2: y is 3, expected a list of numbers or a tensor [n]", {fine[1], {y = 3}})
    refused("series 1: y[2] is 'a', expected a number", {{y = {1, "a"}}})
    refused("series 1: y has the key 'a', expected a list of numbers", {{y = {a = 1}}})
    refused("series 1: y is [2 x 2], expected [n]", {{y = moon.zeros(2, 2)}})
    refused("series 1: x has 3 numbers, expected 2, as many as y", {{x = {1, 2, 3}, y = {1, 2}}})
    refused("series 1: there is nothing to draw, expected finite numbers", {{y = {}}})
    refused("series 1: there is nothing to draw, expected finite numbers", {{x = {0 / 0, 1}, y = {1, 0 / 0}}})
    refused("expected finite numbers, above 0 on a logarithmic axis", {{y = {0, -1}}}, {logy = true})
    refused(known.fill "series 1: style is 'dots' (known: <LineSeries.style>)", {{y = {1}, style = "dots"}})
    refused("series 1: label is not a UTF-8 text without control characters", {{y = {1}, label = "\xff"}})
    refused("plot.lines: title is not a UTF-8 text without control characters", fine, {title = "a\0b"})
    refused("unknown option 'colour'", fine, {colour = "red"})
    refused("plot.lines: width is 99, expected 100 to 10000", fine, {width = 99})
    refused("plot.lines: logx is 1, expected true, false or a base above 1", fine, {logx = 1})
    refused("plot.lines: xrange[1] is 'a', expected a finite number", fine, {xrange = {"a", 2}})
    refused("plot.lines: yrange[1] is 0, expected a finite number above 0", fine, {yrange = {0, 2}, logy = true})
    refused("plot.lines: yrange is from 2 to 2, expected two different numbers", fine, {yrange = {2, 2}})
  end)

  it("histogram", function()
    local function refused(part, list, options) has(message(plot.histogram, picture, list, options), part) end
    refused("plot.histogram: distributions is empty", {})
    refused("distribution 1: values is 3, expected a list of numbers or a tensor", {{values = 3}})
    refused("distribution 2: there is nothing to draw", {{values = {1}}, {values = moon.zeros(0)}})
    refused("distribution 1: no number lies from 2 to 3, expected", {{values = {1}}}, {range = {2, 3}})
    refused("range is {3, 2}, expected two finite numbers, the smaller first", {{values = {1}}}, {range = {3, 2}})
    refused("bins is 10001, expected at most 10000", {{values = {1}}}, {bins = 10001})
    refused("unknown option 'logx'", {{values = {1}}}, {logx = true})
  end)

  it("bars and panels", function()
    has(message(plot.bars, picture, {}, {{y = {}}}), "plot.bars: labels is empty")
    has(message(plot.bars, picture, {"a", "b"}, {{y = {1}}}), "y has 1 numbers, expected one for each of the 2 labels")
    has(message(plot.bars, picture, {{}}, {{y = {1}}}), "plot.bars: labels[1] is a table, expected a text")
    has(message(plot.panels, picture, {}), "plot.panels: panels is empty")
    has(message(plot.panels, picture, {{series = {{y = {1}}}}, {}}), "plot.panels: panel 2: option series is missing")
    has(message(plot.panels, picture, {{series = {{y = {}}}}}), "panel 1: series 1: there is nothing to draw")
    has(message(plot.panels, picture, {{series = {{y = {1}}}, width = 5}}), "panel 1: unknown option 'width'")
  end)

  it("scatter and regions", function()
    has(message(plot.scatter, picture, moon.zeros(2, 3)), "plot.scatter: x is [2 x 3], expected a tensor [n x 2]")
    has(message(plot.scatter, picture, {{1, 2}}), "plot.scatter: x is a table, expected a tensor [n x 2]")
    has(message(plot.scatter, picture, x, {1}), "plot.scatter: y has 1 class numbers, expected 2")
    has(message(plot.scatter, picture, x, {1, 0.5}), "plot.scatter: y[2] is 0.5, expected a class number: 0, 1, ...")
    has(message(plot.scatter, picture, x, {1, -1}), "y[2] is -1")
    has(message(plot.scatter, picture, x / 0 * 0, y), "plot.scatter: x: there is nothing to draw")
    has(message(plot.scatter, picture, x, y, {labels = {{}}}), "plot.scatter: labels[1] is a table, expected a text")
    has(message(plot.scatter, picture, x, y, {named = 1}), "plot.scatter: named is 1, expected true or false")
    local function regions(classify, options) return message(plot.regions, picture, classify, x, y, options) end
    has(regions(3), "plot.regions: classify is 3, expected a function or a net")
    has(regions(function() return {0} end, {steps = 2}), "what classify gave has 1 class numbers, expected 4")
    has(regions(moon.sequential{moon.dense(2, 1)}, {steps = 2}),
      "the net gave [4 x 1], expected an output for each of two classes or more")
    has(regions(function() error("mine", 0) end), "mine")
    has(regions(function() return {0} end, {steps = 1}), "steps is 1, expected 2 to 2000")
    has(regions(function() return {0} end, {margin = -1}), "margin is -1, expected at least 0")
  end)
end)

-- scripts/demo.lua, stacked.lua and experiments.lua, run as programs, and the page that they make.
local moon = require "moonglass"
local lfs = require "lfs"

local shapes = "spec/fixtures/shapes"
local read_file = dofile("spec/support/files.lua").read

local runs = dofile("spec/support/script_runs.lua")(after_each, "--data " .. shapes)
local program, folder, has = runs.program, runs.folder, runs.has

-- Output and exit status.
local function run(command)
  local log = os.tmpname()
  local _, _, status = os.execute(("env -u MOONGLASS_DATA %s >%s 2>&1 </dev/null"):format(command, log))
  local output = read_file(log)
  os.remove(log)
  return output, status
end

-- A figure of a script that experiments.lua has run.
local function figure_of(script, name)
  return tonumber(read_file(("%s/%s/figures.csv"):format(folder, script)):match("\n" .. name .. ",([^\n]+)"))
end

describe("page", function()
  it("escapes all text, and inlines a picture or names its file", function()
    local page = moon.page('A & "B" <script>')
    page:heading("1 < 2"):text("a > b"):code("x = '<b>'"):table{{"n", "<v>"}, {1, "&"}}
    page:picture("a folder/x.png", "<caption>")
    local html = page:html()
    has(html, '<h1>A &amp; &quot;B&quot; &lt;script&gt;</h1>')
    has(html, "<h2>1 &lt; 2</h2>")
    has(html, "<td>&amp;</td>")
    has(html, '<img alt="&lt;caption&gt;" src="a folder/x.png">')
    assert.is_nil(html:find("<script>", 1, true))
  end)

  it("has a table of contents with links to all headings", function()
    local html = moon.page("t"):heading("a & b"):contents():heading("c"):html()
    has(html, '<a id="s1"></a><h2>a &amp; b</h2>')
    has(html, '<li><a href="#s1">a &amp; b</a></li>\n<li><a href="#s2">c</a></li>')
    assert.is_true(html:find('href="#s1"', 1, true) > html:find('id="s1"', 1, true))
  end)

  it("encodes base64 correctly", function()
    -- The signature and 0, 1 and 2 more bytes, by coreutils' base64.
    local signature = "\137PNG\r\n\26\n"
    for more, expected in pairs{[""] = "iVBORw0KGgo=", ["f"] = "iVBORw0KGgpm", ["fo"] = "iVBORw0KGgpmbw=="} do
      has(moon.page("t"):picture(signature .. more):html(), 'src="data:image/png;base64,' .. expected .. '"')
    end
  end)

  it("refuses a file that is not a picture", function()
    assert.has_error(function() moon.page("t"):picture(nil) end,
      "page: picture is nil, expected the bytes of a PNG or its path")
  end)
end)

describe("scripts/demo.lua", function()
  it("trains the five nets and puts them on one page", function()
    local output, status = run(("%s scripts/demo.lua --data %s --out %s --epochs 1"):format(program, shapes, folder))
    assert.equal(0, status, output)
    local test = assert(moon.data.mnist(shapes, "test"))
    local figures = read_file(folder .. "/figures.csv")
    local function figure(name) return tonumber(figures:match("\n" .. name .. ",([^\n]+)")) end
    for name, epochs in pairs{simple = 1, deep = 1, denoising = 1, standard = 2, sparse = 2} do
      local net = assert(moon.load(folder .. "/" .. name .. ".safetensors"))
      local picture = assert(moon.png.read(folder .. "/" .. name .. ".png"))
      local few = test
      local lines = {test, net:predict(few)}
      if name == "denoising" then
        moon.seed(43)
        few = moon.gaussian_noise(0.2, {clip = {0, 1}}):forward(test / 255, true)
        lines = {test, few, net:predict(few)}
      end
      local expected = moon.image.rows(lines, {scale = 2})
      assert.is_true(runs.tiles(picture, #expected, expected:size(2)):equal(expected))
      assert.equal(784, net:parameters()[1].value:size(1))
      local first = net:layer(name == "denoising" and 2 or 1)
      if name ~= "denoising" then -- its training images are noisy
        local _, dead = moon.metrics.dead_units(net:slice(1, 1):predict((assert(moon.data.mnist(shapes, "train")))))
        local counted = name == "simple" and " dead code units" or " dead units of hidden layer 1"
        assert.equal(dead, figure(name .. counted))
      end
      local lines_of_tiles = math.ceil(first.weight:size(2) / 16)
      local weights = runs.tiles(assert(moon.png.read(folder .. "/" .. name .. "-weights.png")),
        2 * (lines_of_tiles * 29 + 1), 2 * (16 * 29 + 1))
      assert.is_true(weights:max() - weights:min() == 255)
      -- The denoiser's validation images are noisy too; the target is clean.
      local history = read_file(("%s/%s-history.csv"):format(folder, name))
      local loss = name == "simple" and moon.mse() or moon.bce()
      local last = tonumber(history:match("([^,\n]+)\n$"))
      assert.near(net:evaluate(few, test, {loss = loss}), last, 1e-6)
      local plot = assert(moon.png.read(folder .. "/" .. name .. "-loss.png"))
      assert.is_true(plot:size(1) == 360 and plot:max() - plot:min() > 200)
      assert.equal(epochs + 1, select(2, read_file(folder .. "/" .. name .. "-history.csv"):gsub("\n", "")))
    end
    -- The penalty is on the hidden layer and the code, not on the decoder.
    local net = assert(moon.load(folder .. "/sparse.safetensors"))
    local sum = net:slice(1, 1):predict(test):sum() + net:encode(test):sum()
    local loss = moon.bce():forward(net:predict(test), test / 255)
    assert.near(loss + 1e-4 * sum / 20, tonumber(output:match("sparse test loss ([%d.]+)")), 6e-5)
    local html = read_file(folder .. "/demo.html")
    assert.equal(16, select(2, html:gsub('<img alt="[^"]*" src="data:image/png;base64,', "")))
    has(html, "Five autoencoders learn a set in MNIST's format, each by itself")
    has(html, "local folder = &quot;spec/fixtures/shapes&quot;\n")
    has(html, "train 40 x 784 uint8, labels 40\ntest 20 x 784 uint8, labels 20")
    -- The page contains the picture file beside it.
    local encoded = html:match('below each what the net makes of it" src="data:image/png;base64,([A-Za-z0-9+/=]+)"')
    assert.equal(math.ceil(#read_file(folder .. "/simple.png") / 3) * 4, #encoded)
  end)
end)

local function rejects(script, arguments, message)
  runs.rejects(script, arguments, ("%s: %s (--help lists the options)\n"):format(script, message))
end

describe("scripts/demo.lua and stacked.lua", function()
  it("fail on bad options", function()
    rejects("demo", "--epochs 0", "--epochs: '0' is not a whole number of at least 1")
    rejects("demo", "--dataset cifar", "--dataset: 'cifar' is not one of mnist, fashion")
    rejects("demo", "--hidden 3", "unknown option '--hidden'")
    rejects("stacked", "--hidden 9,x", "--hidden: '9,x' is not a list of widths like 256,128")
    rejects("stacked", "--decay -1", "--decay: '-1' is not a number of at least 0")
    rejects("stacked", "--loss mae", "--loss: 'mae' is not one of bce, mse; did you mean 'mse'?")
  end)
end)

describe("scripts/stacked.lua", function()
  it("trains its net and compares it with PCA", function()
    local output, status = run(("%s scripts/stacked.lua --data %s --out %s --epochs 2 --batch 8 --hidden 20,10 "
      .. "--code 3"):format(program, shapes, folder))
    assert.equal(0, status, output)
    local figure, pca = output:match("stacked: .* a test image ([%d.]+), PCA ([%d.]+)")
    local net = assert(moon.load(folder .. "/model.safetensors"))
    local test = assert(moon.data.mnist(shapes, "test"))
    assert.near(net:errors(test):mean() * 784, tonumber(figure), 0.006)
    assert.is_true(tonumber(pca) > 0)
    local pca_of = moon.pca((assert(moon.data.mnist(shapes, "train"))), 3)
    local expected = moon.image.rows({test, net:predict(test), pca_of:reconstruct(test)}, {scale = 2})
    local picture = assert(moon.png.read(folder .. "/reconstructions.png"))
    assert.is_true(runs.tiles(picture, #expected, expected:size(2)):equal(expected))
    local plot = assert(moon.png.read(folder .. "/loss.png"))
    assert.is_true(plot:size(1) == 600 and plot:max() - plot:min() > 200)
  end)
end)

describe("scripts/experiments.lua", function()
  it("runs scripts, passes on their options and makes an index of their results", function()
    local output, status = run(("MOONGLASS_OUT=%s %s scripts/experiments.lua plain deep --data %s --epochs 1"):format(
      folder, program, shapes))
    assert.equal(0, status, output)
    assert.matches("\n2 experiments in %d+ s, 0 failed: ", output)
    has(output, "[1/2] plain ...\n[1/2] plain took 0:")
    has(output, "[2/2] deep ...\n[2/2] deep took 0:")
    for line in output:gmatch("[^\n]+") do assert.is_true(#line <= 160, line) end
    local html = read_file(folder .. "/index.html")
    for _, name in ipairs{"plain", "deep"} do
      assert.equal("file", lfs.attributes(("%s/%s/log.txt"):format(folder, name), "mode"))
      has(html, ('src="%s/reconstructions.png"'):format(name))
      has(html, ('href="%s/log.txt"'):format(name))
      has(html, ("<td>%.5g</td>"):format(figure_of(name, "squared error a test image")))
      for row in html:gmatch("<tr>(.-)</tr>") do -- commas in a field are text
        assert.equal(2, select(2, row:gsub("<t[dh]>", "")), row)
      end
      has(html, ("<li><a href=\"#s%d\">%s</a></li>"):format(name == "plain" and 1 or 2, name))
      local seen = read_file(("%s/%s/contents.txt"):format(folder, name)):match("\nseen\t([^\n]+)")
      has(html, "What is to be seen: " .. seen)
      has(html, "<figcaption>Test images, and below each what the net makes of it</figcaption>")
    end
    has(html, "On a set in MNIST's format in spec/fixtures/shapes: 40 training images and 20 test images")
    for alt in html:gmatch('<img alt="([^"]*)"') do assert.is_true(#alt > 20, alt) end -- captions are sentences
  end)

  it("shows the results of the last run, and no older pictures", function()
    os.execute(("mkdir -p %s/activations"):format(folder))
    dofile("spec/support/files.lua").write(folder .. "/activations/old.png", "")
    local output, status = run(("%s scripts/experiments.lua activations --out %s"):format(program, folder))
    assert.equal(0, status, output)
    local html = read_file(folder .. "/index.html")
    has(html, 'src="activations/activations.png"')
    has(html, "<td>softplus</td>")
    assert.is_nil(html:find("old.png", 1, true))
  end)

  it("prints its help, and refuses unknown names before anything runs", function()
    local output, status = run(("%s scripts/experiments.lua --help"):format(program))
    assert.equal(0, status)
    has(output, "Usage: experiments [names]")
    for arguments, message in pairs{
      ["plane"] = "there is no script 'plane' (known: plain, deep, ",
      ["../plain"] = "there is no script '../plain'",
      ["plain --epoch 3"] = "none of the scripts has an option '--epoch'",
      ["activations --batch=3"] = "none of the scripts has an option '--batch'",
      ["plain --out"] = "option '--out' requires an argument",
    } do
      output, status = run(("MOONGLASS_OUT=%s %s scripts/experiments.lua %s"):format(folder, program, arguments))
      assert.matches("^experiments: [^\n]+\n$", output)
      has(output, message)
      assert.equal(2, status)
      assert.is_nil(lfs.attributes(folder, "mode"))
    end
  end)

  it("does not pass options to scripts that lack them", function()
    local output, status = run(("%s scripts/experiments.lua activations plain --out=%s --data %s --epochs 1 "
      .. "--points 9"):format(program, folder, shapes))
    assert.equal(0, status, output)
    assert.equal(10, select(2, read_file(folder .. "/activations/activations.csv"):gsub("\n", "")))
  end)

  it("continues after a failing script, and reports it", function()
    local output, status = run(("MOONGLASS_OUT=%s %s scripts/experiments.lua plain --data /nowhere"):format(folder,
      program))
    assert.equal(1, status)
    has(output, "[1/1] plain FAILED: plain: ")
    assert.matches("\n1 experiment in %d+ s, 1 failed: ", output)
    has(read_file(folder .. "/index.html"), "failed: plain: ")
  end)
end)

describe("published losses", function()
  it("are shown only beside the same training on all of MNIST", function()
    local path = package.path
    package.path = "scripts/?.lua;" .. path
    local results = require "experiment.results"
    package.path = path
    local function of(changed)
      local learnt = {description = "MNIST in data/mnist", train = moon.zeros(changed.rows or 60000, 1), options = {
        batch = changed.batch or 32, lr = changed.lr or 0.001, schedule = changed.schedule or "none",
      }}
      learnt.description = changed.description or learnt.description
      return results.is_published_training(setmetatable(learnt, {__index = results}))
    end
    assert.is_true(of{})
    for _, changed in ipairs{
      {batch = 64}, {lr = 0.01}, {schedule = "cosine"}, {rows = 1000}, {description = "Fashion-MNIST in data/mnist"},
    } do
      assert.is_false(of(changed))
    end
  end)
end)

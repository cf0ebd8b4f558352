-- The session: completion, help, results, pictures and progress; called directly, in the program with a pipe, and in a
-- real terminal (tmux).
local graphics = require "moonglass.pictures.graphics"
local moon = require "moonglass"
local session = {globals = require("moonglass.session").globals}
local files = dofile "spec/support/files.lua"
local terminal = dofile "spec/support/terminal.lua"
local expect = dofile "spec/support/expect.lua"
local sorted_keys = dofile "spec/support/sorted_keys.lua"
local known = dofile "spec/support/known.lua"

local has = expect.has

local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"

local quote = files.quote

local function lacks(text, part)
  assert.is_nil(text:find(part, 1, true), ("expected no %q in:\n%s"):format(part, text))
end

-- Run the program with a script. Return its standard output.
local function run_script(text, environment)
  local path = os.tmpname()
  files.write(path, text)
  local output, errors, status = files.run(("env %s %s %s"):format(environment or "", quote(program), path))
  os.remove(path)
  assert.equal(0, status, errors)
  return output
end

-- Run a session in a pipe with these lines. Return its output and its errors.
local function session_of(lines)
  local path = os.tmpname()
  files.write(path, lines)
  local pipe = ("sh -c %s"):format(quote(("%s -i <%s"):format(quote(program), path)))
  local output, errors, status = files.run(pipe)
  os.remove(path)
  assert.equal(0, status)
  return output:gsub("^[^\n]*\n", ""), errors
end

-- ---- completion ----

describe("completion", function()
  local setup = [[
    moon = require "moonglass"
    t = moon.zeros(2, 3)
    layer = moon.dense(3, 2)
    net = moon.sequential{layer}
    ae = moon.autoencoder.plain{input = 4, hidden = 2}
    opt = moon.adam()
    p = moon.pca(moon.rand(8, 4), 2)
    mine = {first = 1, fifth = 5, call = print, _hidden = 0}
    local function called() print("CALLED") error("called") end
    local traps = {__index = called, __eq = called, __pairs = called, __len = called, __tostring = called,
      __call = called, __newindex = called, __name = "moonglass.net", __lt = called, __concat = called}
    trap, traps2 = setmetatable({}, traps), {}
    for k, v in pairs(traps) do traps2[k] = v end
    traps2.__index, traps2.__name = coroutine.wrap(called), "moonglass.pca"
    trap2 = setmetatable({}, traps2)
    moon.trapped = setmetatable({}, traps)
    circle = {}
    circle.__index = setmetatable({__index = circle}, circle)
    setmetatable(circle, circle)
    local complete = require "moonglass.session.complete"
    for _, case in ipairs{%s} do
      local insertion, listing = complete(case[1], case[2])
      print(insertion .. "|" .. (listing and listing:gsub("%%s+", " ") or ""))
    end
  ]]

  -- For each {before, line} "insertion|names listed".
  local function complete(...)
    local list = {...}
    for i, case in ipairs(list) do list[i] = ("{%q, %q}"):format(case[1], case[2]) end
    local results = {}
    for line in run_script(setup:format(table.concat(list, ", "))):gmatch("(.-)\n") do results[#results + 1] = line end
    assert.equal(#list, #results)
    return results
  end

  local function check(cases)
    local inputs = {}
    for i, case in ipairs(cases) do inputs[i] = {case.before or "", case[1]} end
    for i, result in ipairs(complete(table.unpack(inputs))) do
      assert.equal(cases[i][1] .. " -> " .. cases[i][2], cases[i][1] .. " -> " .. result)
    end
  end

  it("knows globals and keywords", function()
    check{{"moo", "n|"}, {"x = moo", "n|"}, {"func", "tion|"}, {"tos", "tring|"}, {"nosuch", "|"}, {"print(la", "yer|"}}
  end)

  it("knows fields of tables", function()
    check{
      {"moon.dat", "a|"}, {"moon.data.m", "nist|"}, {"moon.npy.", "|load save"},
      {"mine.f", "i|"}, {"mine.fi", "|fifth first"}, {"mine:", "call|"}, {"mine._", "hidden|"}, {"string.for", "mat|"},
      {"moon.nosuch.", "|"}, {"1 + moon.ze", "ros|"}, {"p:enc", "ode|"},
    }
  end)

  it("knows methods and fields of objects", function()
    check{
      {"t:resh", "ape|"}, {"t.", "|dtype shape"}, {"t.sh", "ape|"}, {"layer.w", "eight|"},
      {"layer:forw", "ard|"},
      {"layer:", "|backward forward parameters seed buffers kind penalty"}, {"net:f", "|fit fold forward"},
      {"ae:enc", "ode|"},
      {"ae.enc", "oder|"}, {"ae.encoder:pr", "edict|"}, {"opt.b", "eta|"}, {"opt.beta", "|beta1 beta2"},
    }
  end)

  it("knows the results of calls, without making them", function()
    check{
      {"moon.zeros(2, 3):resh", "ape|"}, {"net:layer(1):forw", "ard|"}, {"moon.dense(2, 3).wei", "ght|"},
      {"ae:encode(t):num", "el|"}, {"ae:slice(1, 1):f", "|fit fold forward"}, {"trap(1).x", "|"}, {"nosuch(1):x", "|"},
      {"moon.zeros(2):reshape(1):x", "|"}, {"moon.autoencoder.plain{input = 4}:", "|"},
    }
  end)

  it("knows the names of options", function()
    check{
      {"moon.adam{l", "r = |"}, {"moon.adam({l", "r = |"}, {"net:fit(t, {ep", "ochs = |"},
      {"net:fit(t, {epochs = 3, ba", "tch_size = |"}, {"moon.dense(3, 2, {activati", "on = |"},
      {"moon.adam{", "|beta1 clip_norm eps lr beta2 clip_value global_clip_norm weight_decay"},
      {"ae:fit(t, {val", "idation|"},
      {"ae:fit(t, {validation", "|validation validation_freq validation_split"},
      {"  ep", "ochs = |", before = "net:fit(t, {\n"},
      {"moon.autoencoder.plain{in", "|init input"}, {"moon.autoencoder{enc", "oder = |"},
      {"moon.adam{lr = laye", "r|"}, {"{l", "|layer load loadfile local"}, {"p:encode(t, {b", "atch_size = |"},
    }
  end)

  it("knows the choices of a text argument", function()
    check{
      {[[moon.dense(3, 2, {activation = "re]], [[lu"|]]}, {[[net:fit(t, {loss = 'hu]], "ber'|"},
      {[[moon.zeros(2, {dtype = "]], "|float32 uint8"},
    }
  end)

  it("knows files in texts", function()
    check{
      {[[moon.load("csrc/moonglass_]], "lua.h|"}, {[[io.open('csrc/lu]], "a/|"}, {[[x = "no such file]], "|"},
      {[[x = "lua/moonglass/sess]], "ion/|"},
    }
  end)

  it("shows the arguments of a call", function()
    check{
      {"moon.dense(", "|moon.dense(n_in, n_out, options)"}, {"net:fit(t, ", "|Net:fit(x, y, options)"}, {"x = ", "|"},
    }
  end)

  it("indents at the beginning of a line, and does nothing in comments and long texts", function()
    check{{"", "  |"}, {"  ", "  |", before = "for i = 1, 2 do\n"}, {"-- moo", "|"}, {"x = [[ moo", "|"},
      {" moo", "|", before = "x = [==[\n"}, {"--[[ a ]] moo", "n|"}, {[["\"" .. moo]], "n|"}}
  end)

  it("knows names after a question mark", function() check{{"? moon.zer", "os|"}, {"?moo", "n|"}} end)

  it("calls no code of the user", function()
    check{
      {"trap.a", "|"}, {"trap.a.b", "|"}, {"trap:fi", "t|"}, {"trap(", "|"}, {"trap{", "|"}, {"trap.", "|"},
      {"trap2.a", "|"}, {"trap2:enc", "|"}, {"trap2.mean.", "|"}, {"moon.trapped.", "|"}, {"moon.trapped:x", "|"},
      {"circle.x", "|"}, {"circle.x.y", "|"}, {"trap.encoder:f", "|"},
    }
  end)
end)

-- ---- help ----

describe("help", function()
  local help = require "moonglass.help"

  it("finds functions by name and by value", function()
    for _, x in ipairs{"moon.zeros", "zeros", moon.zeros, "moon.zeros()"} do
      has(help.text(x), "moon.zeros(...)\n  Zeros: ")
    end
    for _, x in ipairs{"Tensor:reshape", "reshape", moon.zeros(1).reshape} do
      has(help.text(x), "Tensor:reshape(...)\n")
    end
    has(help.text("fit"), "Net:fit(x, y, options)\n")
    has(help.text(moon.data.mnist), "moon.data.mnist(folder, split)\n")
    has(help.text(moon.metrics.auc), "moon.metrics.auc(")
  end)

  it("knows every method by its value", function()
    local objects = dofile("spec/support/samples.lua").of_classes()
    for _, f in ipairs(require("moonglass.help.interface").known().functions) do
      local class, name = f.path:match("^(%u%a+):([%w_]+)$")
      if class then has(help.text(objects[class][name]), name .. "(") end
    end
  end)

  it("shows arguments, options with their choices, and results", function()
    local text = help.text("moon.adam")
    has(text, "\noptions\n  lr                number?: default 0.001")
    has(text, "\nreturns\n  optimizer  Optimizer")
    has(help.text("dense"):gsub("%s+", " "), "'relu', 'sigmoid'")
    has(help.text("dense"), "\narguments\n  n_in     integer: at least 1: width of the input\n")
  end)

  it("stays within 80 columns", function()
    for _, name in ipairs{"fit", "dense", "mnist", "Tensor", "plot", "cosine"} do
      for line in (help.text(name) .. "\n"):gmatch("(.-)\n") do assert.is_true(#line <= 80, line) end
    end
  end)

  it("knows objects, classes, tables and options", function()
    has(help.text(moon.zeros(1)), "Tensor\n")
    has(help.text(moon.dense(2, 2)), "Dense, a Layer")
    has(help.text(moon.autoencoder.plain{input = 4, hidden = 2}), "Autoencoder, a Net")
    has(help.text(moon.sequential{moon.dense(2, 2)}), "Net\n")
    has(help.text(moon.data), "moon.data.mnist(folder, split)")
    has(help.text(moon), "moon.zeros(...)")
    has(help.text("data"), "moon.data.mnist(folder, split)")
    has(help.text("on_nan"), "option of Net:fit(x, y, options)\n  on_nan")
    has(help.text("forward"), "Layer:forward(x, training)")
    has(help.text("who"), "who()\n")
    has(help.text(moon.adam()), "Optimizer\n")
  end)

  it("knows methods of classes written in Lua", function()
    local p = moon.pca(moon.rand(8, 4), 2)
    has(help.text(p.encode), "Pca:encode(x, options)")
    has(help.text(p), "Pca\n")
  end)

  it("calls no code of the user", function()
    local calls = 0
    local function called() calls = calls + 1 return true end
    local traps = {__call = called}
    for _, event in ipairs{"index", "eq", "pairs", "len", "tostring", "newindex"} do traps["__" .. event] = called end
    _G.trap = setmetatable({}, traps) -- luacheck: ignore
    moon.trapped = setmetatable({}, traps)
    for _, name in ipairs{"net", "mixed_net", "pca", "tensor", "layer"} do
      traps.__name = "moonglass." .. name
      for _, x in ipairs{_G.trap, "trap", "trap.a", "trap:fit", "trap.a.b", "trap.encoder", moon.zeros(1), moon.data} do
        pcall(help.text, x)
      end
    end
    local file <close> = io.tmpfile()
    local before = getmetatable(file)
    debug.setmetatable(file, {__name = "moonglass.layer", __index = called, __close = before.__close})
    pcall(help.text, file)
    debug.setmetatable(file, before)
    _G.trap, moon.trapped = nil, nil -- luacheck: ignore
    assert.equal(0, calls)
  end)

  it("suggests the nearest name", function()
    local text, message = help.text("zeross")
    assert.is_nil(text)
    assert.equal("help: there is no documentation of 'zeross'; did you mean 'zeros'?", message)
    assert.is_nil(help.text(print))
  end)

  it("has a page for every stub", function()
    local documented = require("moonglass.help.interface").known()
    local signature = require("moonglass.help.pages").signature
    for _, f in ipairs(documented.functions) do has(help.text(f.path), signature(f) .. "\n") end
    for _, class in ipairs(documented.classes) do assert.is_string(help.text(class.name), class.name) end
  end)

  it("explains its use", function() has(help.text(), "moon.help(x)") end)

  it("is loaded on first use, and works in a plain lua", function()
    local lua = files.quote(os.getenv("LUA") or "lua5.4")
    local output = files.run(lua .. [[ -e 'local moon = require "moonglass"
      print(package.loaded["moonglass.help"], package.loaded["moonglass.help.annotations"]) moon.help "seed"']])
    has(output, "nil\tnil\nmoon.seed(seed)\n")
    assert.equal("[1. 1.]\n[2] float32\n", (files.run(lua .. " -l moonglass -e 'print(moonglass.ones(2))'")))
  end)
end)

-- ---- results ----

describe("a session's results", function()
  it("are silenced by a semicolon, and kept in _ and _1, _2, ...", function()
    assert.equal("42\n", (session_of("6 * 7;\n_\n")))
    assert.equal("6\n", (session_of("5;\n_ + 1 -- no semicolon;\n")))
    assert.equal("1\t2\t3\n1\t1\t2\t3\tnil\n", (session_of("1, 2, 3\n_, _1, _2, _3, _4\n")))
    assert.equal("7\nnil\n", (session_of("1, 2;\n7\n_2\n")))
    assert.equal("3\n3\n", (session_of("3\nlocal x = 4;\n_\n")))
  end)

  it("show nets as tables with totals", function()
    local text = session_of("moon.sequential{moon.dense(784, 32, {activation = 'relu'}), moon.dense(32, 784)}\n")
    assert.equal([[
   layer               output     parameters
1  dense 784->32 relu  [* x 32]       25,120
2  dense 32->784       [* x 784]      25,872
50,992 parameters, 203,968 bytes
]], text)
  end)

  it("show long tables shortened", function()
    has(session_of("(function() local t = {} for i = 1, 50 do t['k' .. i] = i end return t end)()\n"), "... 30 more")
    has(session_of("{[10] = 'a', [2.5] = 'b', ['end'] = 1, s = 'x\\ty\"'}\n"),
      [[{[2.5] = "b", [10] = "a", ["end"] = 1, s = "x\x09y\""}]])
  end)

  it("have helpers: who, time, help, show, clear", function()
    local text = session_of([[
who()
t = moon.zeros(2, 3, {dtype = "uint8"}) n = 5 net = moon.sequential{moon.dense(3, 2)} f = function() end
l = {1, 2, a = 3} h = net:fit(moon.rand(4, 3), moon.rand(4, 2), {loss = "mse", epochs = 2, verbose = 0})
who()
clear()
time(function(a, b) return a + b end, 40, 2)
? draw_seed
draw_seed?
help("draw_seed")
show(moon.full(1, 2, 4))
]])
    has(text, "no globals yet\n")
    has(text, "f     function\nh     history   2 epochs\nl     table     3 entries\nn     integer   5\n" ..
      "net   net       net (dense 3->2)\nt     tensor    [2 x 3] uint8\n")
    assert.is_truthy(text:find("\n[%d.e-]+ s\n42\n"), text)
    local _, pages = text:gsub("moon%.draw_seed%(%)\n", "")
    assert.equal(3, pages)
    has(text, "\n@@@@\n")
    lacks(text, "\27")
  end)

  it("include commands as people type them", function()
    for _, line in ipairs{"exit", "exit()", "quit", "quit()", "exit;", "  quit  ", "exit -- now", "exit(0)"} do
      assert.equal("before\n", (session_of("'before'\n" .. line .. "\n'after'\n")), line)
    end
    local path = os.tmpname()
    files.write(path, "quit(3)\n")
    local command = ("sh -c %s"):format(quote(("%s -i <%s"):format(quote(program), path)))
    assert.equal(3, (select(3, files.run(command))))
    os.remove(path)
    for _, line in ipairs{"help", "help()", "?", "help;"} do has(session_of(line .. "\n"), "moon.help(x) shows") end
    for _, line in ipairs{"help zeros", "help 'zeros'", "help(moon.zeros)", "help moon.zeros", "?zeros", "??zeros"} do
      has(session_of(line .. "\n"), "moon.zeros(...)\n")
    end
    has(session_of("x = 5\nwho\n"), "x     integer  5\n")
    assert.equal("7\n7\n", (session_of("exit = 7\nexit\nhelp = 7\nhelp\n")))
    assert.equal("5\n", (session_of("help and 5\nhelp, 5;\n")))
  end)

  it("come from all lines of a chunk", function()
    assert.equal("6\n", (session_of("x = 3 x * 2\n")))
    assert.equal("8\n", (session_of("x = {\n1} 8 -- note\n")))
    assert.equal("", (session_of("-- only\nx = 1 -- note\n")))
    assert.equal("7\n", (session_of("do x = 10\nend y = x\ny -3\n")))
  end)

  it("name local variables that are lost after their line", function()
    local function errors_of(lines) return (select(2, session_of(lines))) end
    assert.equal("note: local to this entry, and gone after it: x (leave out 'local' to keep it)\n",
      errors_of("local x = 1\n"))
    assert.equal("note: local to this entry, and gone after it: x, f (leave out 'local' to keep them)\n",
      errors_of("local x = 1 local function f() end\n"))
    local later = "note: local to an earlier entry, and gone: x (leave out 'local' to keep it)\n"
    assert.equal(later, errors_of("local x = 1 print(x)\nx\nx\n"))
    assert.equal(later .. "stdin:1: attempt to index a nil value (global 'x')\n",
      errors_of("local x = 1 print(x)\nx.y\n"))
    assert.equal("", errors_of("local x = 1 print(x)\nx = 2\nx\nt = {x = 1} t.x, ('x')\nlocal x = 2 x\n"))
  end)

  it("name the data set once", function()
    local path = "spec/fixtures/shapes"
    local load = ("images = moon.data.mnist('%s', 'test')\n"):format(path)
    assert.equal(("a set in MNIST's format in %s\n"):format(path), (session_of(load .. load)))
    assert.equal("", run_script(("require('moonglass').data.mnist('%s', 'test')"):format(path)))
  end)

  it("have no prompts without a terminal", function()
    assert.equal("3\n", (session_of("for i = 3, 3 do\nprint(i)\nend\n")))
  end)

  it("show errors with only the user's frames, without colours if there is no terminal", function()
    local _, errors = session_of([[
function mine(x) return moon.dense(2, 3):forward(x) end
function outer(x) local y = mine(x) return y end
outer(moon.zeros(1, 9))
]])
    lacks(errors, "\27")
    has(errors, "stdin:1: forward: input is [1 x 9]")
    has(errors, "stack traceback:\n\tstdin:1: in function 'mine'\n\tstdin:1: in function 'outer'\n")
    lacks(errors, "[C]")
    lacks(errors, "moonglass/")
    _, errors = session_of("function deep(n) if n == 0 then error('at last') end deep(n - 1) return 1 end\ndeep(50)\n")
    has(errors, "... 43 more")
    _, errors = session_of("function each(f) f() end\nmoon.sequential{moon.dense(2, 2)}:fit(moon.rand(4, 2), " ..
      "{loss = 'mse', callbacks = {function() error('in a callback') end}})\n")
    has(errors, "in a callback")
    lacks(errors, "train.lua")
  end)

  it("are the same as those of the functions", function()
    local said = {}
    local real = print
    _G.print = function(...) said[#said + 1] = table.concat({...}, "\t") end -- luacheck: ignore
    local ok, a, b = pcall(session.globals.time, function(x, y) return y, x end, 1, 2)
    _G.print = real -- luacheck: ignore
    assert.same({true, 2, 1}, {ok, a, b})
    assert.has_error(function() session.globals.time(5) end)
  end)
end)

-- ---- tensors and histories as text ----

describe("print_options", function()
  local before
  before_each(function() before = moon.print_options() end)
  after_each(function() moon.print_options(before) end)

  it("starts with numpy's defaults", function()
    assert.same({precision = 4, threshold = 1000, edge_items = 3, width = 75}, moon.print_options())
  end)

  it("sets the given options", function()
    local t = moon.arange(20):mul_(1 / 3)
    moon.print_options{precision = 2, threshold = 10, edge_items = 2}
    assert.equal("[0.   0.33 ... 6.   6.33]\n[20] float32", tostring(t))
    assert.equal(75, moon.print_options{edge_items = 1}.width)
    assert.equal("[0.   ... 6.33]\n[20] float32", tostring(t))
    moon.print_options{precision = 9, threshold = 1000, width = 22}
    assert.equal("[0.1       0.25\n 3.1415927]\n[3] float32", tostring(moon.tensor{0.1, 0.25, 3.14159274}))
  end)

  it("refuses mistakes", function()
    assert.has_error(function() moon.print_options{precison = 3} end,
      "print_options: unknown option 'precison'; did you mean 'precision'? " ..
      known.fill "(known: <declared PrintOptions>)")
    assert.has_error(function() moon.print_options{precision = 10} end,
      "print_options: precision is 10, expected a whole number of 0 to 9")
    assert.has_error(function() moon.print_options{edge_items = 0} end)
    assert.has_error(function() moon.print_options(3) end)
    assert.same(before, moon.print_options())
  end)
end)

describe("a history's text", function()
  local new_history = require "moonglass.net.history"

  local function history(losses, val_losses)
    local seconds = {}
    for i = 1, #losses do seconds[i] = 0.5 end
    return new_history{loss = losses, val_loss = val_losses or {}, epoch_seconds = seconds, epochs = #losses}
  end

  it("has the first and last epochs of a long training, and curves", function()
    local losses = {}
    for i = 1, 100 do losses[i] = 1 / i end
    local text = tostring(history(losses))
    local _, lines = text:gsub("\n", "")
    assert.equal(12, lines)
    has(text, "\n    5         0.2                 0.50\n  ...\n   96")
    assert.is_truthy(text:find("\nloss      [^\n]+  1 to 0%.01$"), text)
  end)

  it("draws with characters of the locale", function()
    local script = [[local moon = require "moonglass"
      print(require "moonglass.net.history"{loss = {4, 3, 2, 1, 0 / 0}, val_loss = {1, 1, 1, 1, 2},
        epoch_seconds = {1, 1, 1, 1, 1}, epochs = 5})]]
    local utf8_text = run_script(script, "LC_ALL=C.UTF-8")
    has(utf8_text, "loss      \u{2588}\u{2586}\u{2583}\u{2581}?  4 to ")
    has(utf8_text, "val_loss  \u{2581}\u{2581}\u{2581}\u{2581}\u{2588}  1 to 2")
    local plain = run_script(script, "LC_ALL=C")
    has(plain, "loss      #*-_?  4 to ")
    assert.is_nil(plain:find("[\x80-\xff]"))
  end)

  it("is a header without epochs, and has no curve for one epoch", function()
    assert.equal("epoch        loss    val_loss  seconds", tostring(history{}))
    lacks(tostring(history{1}), "\nloss")
  end)
end)

describe("the bar", function()
  local progress = require "moonglass.net.callbacks.progress_text"
  local state = {
    epoch = 3, epochs = 10, batch = 50, batches = 100, batch_size = 32, rows = 3200, loss = 0.25,
    history = {val_loss = {0.5, 0.4}},
  }

  it("shows the validation loss", function()
    has(progress.bar(state, 1), "loss 0.2500  val_loss 0.4000  1600 rows/s")
  end)

  it("fits the terminal's width", function()
    for columns = 10, 200 do
      local text = progress.bar(state, 1, columns)
      assert.is_true(#text < columns, text)
    end
    has(progress.bar(state, 1, 200), "[==========          ]")
    has(progress.bar(state, 1, 40), "epoch 3/10 50/100  loss 0.2500")
  end)
end)

-- ---- pictures ----

-- Decoders of each format, in plain Lua.
local decode = {}

local digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

function decode.base64(text)
  local bits, count, bytes = 0, 0, {}
  for c in text:gmatch("[^=]") do
    bits, count = bits << 6 | assert(digits:find(c, 1, true)) - 1, count + 6
    if count >= 8 then
      count = count - 8
      bytes[#bytes + 1] = string.char(bits >> count & 255)
    end
  end
  return table.concat(bytes)
end

function decode.kitty(text)
  local data, last = {}, nil
  for keys, chunk in text:gmatch("\27_G([^;]*);([^\27]*)\27\\") do
    assert.is_true(#chunk <= 4096)
    assert.is_not.equal("m=0", last)
    last = keys:match("m=%d")
    data[#data + 1] = chunk
  end
  assert.equal("m=0", last)
  return moon.png.decode(decode.base64(table.concat(data))):totable()
end

function decode.iterm2(text)
  local size, data = text:match("\27%]1337;File=inline=1;size=(%d+);[^:]*:([^\7]*)\7")
  local bytes = decode.base64(data)
  assert.equal(tonumber(size), #bytes)
  return moon.png.decode(bytes):totable()
end

-- Percentages of the registers, row by row.
function decode.sixel(text)
  local w, h, body = text:match("\27P0;1q\"1;1;(%d+);(%d+)(.-)\27\\")
  w, h = tonumber(w), tonumber(h)
  local rows, registers = {}, {}
  for y = 1, h do rows[y] = {} end
  body = body:gsub("#(%d+);2;(%d+);(%d+);(%d+)", function(n, r, g, b)
    registers[n] = {tonumber(r), tonumber(g), tonumber(b)}
    return ""
  end)
  local band = 0
  for line in (body .. "-"):gmatch("(.-)%-") do
    for colour in (line .. "$"):gmatch("(.-)%$") do
      local n, run = colour:match("^#(%d+)(.*)$")
      local x = 1
      run = run:gsub("!(%d+)(.)", function(count, c) return c:rep(tonumber(count)) end)
      for c in run:gmatch(".") do
        for dy = 0, 5 do
          if (c:byte() - 63) >> dy & 1 == 1 then
            assert.is_nil(rows[band + dy + 1][x], "a pixel is drawn twice")
            rows[band + dy + 1][x] = registers[n]
          end
        end
        x = x + 1
      end
      assert.equal(w + 1, x)
    end
    band = band + 6
  end
  for y = 1, h do assert.equal(w, #rows[y]) end
  return rows
end

-- The colours of both halves of a character: the numbers after "38;" and "48;".
function decode.blocks(text)
  local rows = {}
  for line in text:gmatch("(.-)\n") do
    local upper, lower = {}, {}
    for code, blocks in line:gmatch("\27%[([%d;]*)m([^\27]*)") do
      local fg, bg = code:match("38;[25];(%d+)"), code:match("48;[25];(%d+)")
      for _ in blocks:gmatch("\u{2580}") do
        upper[#upper + 1] = tonumber(fg)
        lower[#lower + 1] = tonumber(bg)
      end
    end
    rows[#rows + 1] = upper
    if #lower > 0 then rows[#rows + 1] = lower end
  end
  return rows
end

describe("pictures in the terminal", function()
  local picture = moon.randperm(11 * 17):sub_(1):reshape(11, 17):byte()
  local large = moon.rand(120, 90):mul_(255):byte() -- more than one chunk
  local colours = moon.rand(8, 9, 3):mul_(255):byte()

  local function encode(t, method, depth)
    return graphics.encode(t, {method = method, colours = depth or 1 << 24, columns = 200})
  end

  it("by kitty's protocol", function()
    for _, t in ipairs{picture, large, colours} do assert.same(t:totable(), decode.kitty((encode(t, "kitty")))) end
  end)

  it("by iTerm2's protocol", function()
    for _, t in ipairs{picture, large, colours} do assert.same(t:totable(), decode.iterm2((encode(t, "iterm2")))) end
  end)

  it("by sixels, to a percent", function()
    for _, t in ipairs{picture, large} do
      local rows, values = decode.sixel((encode(t, "sixel"))), t:totable()
      for y, row in ipairs(values) do
        for x, v in ipairs(row) do
          local level = math.floor(v * 100 / 255 + 0.5)
          assert.is_true(math.abs(rows[y][x][1] - level) <= 1 and rows[y][x][2] == rows[y][x][1])
        end
      end
    end
    for y, row in ipairs(decode.sixel((encode(colours, "sixel")))) do
      for x, pixel in ipairs(row) do
        for c = 1, 3 do assert.is_true(math.abs(pixel[c] - colours:get(y, x, c) * 100 / 255) <= 10.5) end
      end
    end
  end)

  it("by half blocks in 24-bit colours, exactly", function()
    local text, lines = encode(picture, "blocks")
    assert.equal(6, lines)
    assert.same(picture:totable(), decode.blocks(text))
  end)

  it("by half blocks in 256 colours, to the nearest grey", function()
    local rows = decode.blocks((encode(picture, "blocks", 256)))
    for y, row in ipairs(picture:totable()) do
      for x, v in ipairs(row) do
        local n = rows[y][x]
        local grey = n == 16 and 0 or n == 231 and 255 or 8 + 10 * (n - 232)
        assert.is_true(math.abs(grey - v) <= 9, ("%d as %d"):format(v, grey))
      end
    end
  end)

  it("shrunk to the width by averaging", function()
    local t = moon.tensor({{0, 100, 50, 50}, {100, 200, 50, 50}}, {dtype = "uint8"})
    local text = graphics.encode(t, {method = "blocks", colours = 1 << 24, columns = 2})
    assert.same({{100, 50}}, decode.blocks(text))
  end)

  it("by characters", function()
    local t = moon.tensor({{0, 255, 128}, {0, 255, 128}, {255, 0, 0}}, {dtype = "uint8"})
    assert.equal(" @+\n@\n", (encode(t, "ascii")))
  end)

  it("report their end, for redrawing", function()
    for _, method in ipairs{"kitty", "iterm2", "sixel"} do
      local text, lines = graphics.encode(picture, {method = method, columns = 80, in_place = true})
      assert.equal(("\n"):rep(lines) .. ("\27[%dA\0277"):format(lines), text:match("^\n+\27%[%d+A\0277"))
      assert.equal(("\0278\27[%dB\r"):format(lines), text:sub(-#("\0278\27[%dB\r"):format(lines)))
    end
  end)

  -- The method that an environment gives on a terminal.
  local function method_in(environment)
    local terminals = require "moonglass.support.terminal"
    local env, is_terminal = terminals.env, terminals.is_terminal
    terminals.env = function(name) return environment[name] end
    terminals.is_terminal = function() return true end
    local ok, method = pcall(graphics.method)
    terminals.env, terminals.is_terminal = env, is_terminal
    assert(ok, method)
    return method
  end

  it("are chosen by the environment", function()
    local function check(expected, environment)
      environment.LANG = environment.LANG or "en_GB.UTF-8"
      environment.TERM = environment.TERM or "xterm-256color"
      assert.equal(expected, method_in(environment))
    end
    check("blocks", {})
    check("kitty", {KITTY_WINDOW_ID = "1"})
    check("kitty", {TERM = "xterm-kitty"})
    check("kitty", {KONSOLE_VERSION = "221203"})
    check("blocks", {KONSOLE_VERSION = "211203"})
    check("iterm2", {TERM_PROGRAM = "iTerm.app"})
    check("iterm2", {TERM_PROGRAM = "WezTerm"})
    check("sixel", {TERM = "foot"})
    check("sixel", {TERM = "mlterm-256color"})
    check("blocks", {KITTY_WINDOW_ID = "1", TMUX = "/tmp/tmux"})
    check("ascii", {NO_COLOR = "1", KITTY_WINDOW_ID = "1"})
    check("ascii", {TERM = "dumb"})
    check("ascii", {LANG = "C"})
    assert.equal("ascii", graphics.method()) -- busted's output here is not a terminal
  end)

  it("are saved as files", function()
    local path = os.tmpname()
    assert.is_true(moon.show(picture, {save = path}))
    assert.is_true(moon.png.read(path):equal(picture))
    assert.is_true(moon.show(moon.rand(4, 784), {save = path}))
    assert.same({59, 59}, moon.png.read(path).shape)
    assert.is_true(moon.show(moon.full(-1, 3, 5), {save = path, shape = {3, 5}}))
    assert.is_true(moon.png.read(path):equal(moon.zeros(3, 5, {dtype = "uint8"})))
    assert.is_true(moon.show(moon.rand(6, 4, 4), {save = path, columns = 6, limit = 2}))
    assert.same({6, 11}, moon.png.read(path).shape)
    assert.is_true(moon.show(moon.rand(64), {save = path}))
    assert.same({8, 8}, moon.png.read(path).shape)
    assert.is_true(moon.show(colours, {save = path}))
    assert.is_true(moon.png.read(path):equal(colours))
    os.remove(path)
    assert.is_nil((moon.show(picture, {save = "build/no such folder/x.png"})))
  end)

  it("are refused with a reason", function()
    assert.has_error(function() moon.show(5) end, "show: got 5, expected a tensor")
    assert.has_error(function() moon.show(moon.rand(7)) end)
    assert.has_error(function() moon.show(moon.rand(4, 4), {shape = {3, 5}}) end)
    assert.has_error(function() moon.show(moon.rand(4, 4), {methd = "blocks"}) end)
    assert.has_error(function() moon.callbacks.show(5) end)
  end)

  it("do not change a fit without a terminal", function()
    local said = run_script([[local moon = require "moonglass"
      local net = moon.autoencoder.plain{input = 16, hidden = 2}
      local x = moon.rand(8, 16)
      net:fit(x, {loss = "mse", epochs = 2, verbose = 1, callbacks = {moon.callbacks.show(x)}})]])
    local _, lines = said:gsub("\n", "")
    assert.equal(2, lines)
    lacks(said, "\27")
    lacks(said, "\r")
  end)
end)

-- ---- a recorded session ----

describe("a session in a terminal", function()
  local home, t

  local function command(environment)
    return ("env -u XDG_STATE_HOME -u NO_COLOR HOME=%s TERM=screen-256color LC_ALL=C.UTF-8 %s %s"):format(home,
      environment or "", quote(program))
  end

  local function open(environment, size)
    if t then t.close() end
    t = terminal.open(command(environment) .. "; echo status=$?; sleep 60", size)
    t.wait_for("> ")
  end

  before_each(function()
    home = os.tmpname()
    os.remove(home)
    assert(os.execute("mkdir " .. home))
    if terminal.there then open() end
  end)

  after_each(function()
    if t then t.close() end
    t = nil
    os.execute("rm -rf " .. home)
  end)

  local function terminal_test(what, body)
    if terminal.there then it(what, body) else pending(what .. " (no tmux)") end
  end

  -- One key at a time: a Tab followed by more input counts as pasted.
  local function tab()
    os.execute("sleep 0.2")
    t.press("Tab")
  end

  terminal_test("completes with Tab", function()
    t.type("moon.ze")
    tab()
    t.wait_for("> moon.zeros")
    t.enter("(2):totable()")
    t.wait_for("\n{0.0, 0.0}")
    t.enter("t = moon.ones(2, 3)")
    t.ready()
    t.type("t:resh")
    tab()
    t.wait_for("> t:reshape")
    t.enter("(6).shape")
    t.wait_for("\n{6}")
    t.ready()
    t.type("moon.data.")
    tab()
    for _, name in ipairs(sorted_keys(moon.data)) do t.wait_for(name) end
    t.press("C-u")
    t.type("moon.adam{l")
    tab()
    t.wait_for("> moon.adam{lr = ")
    t.enter("0.5}.lr")
    t.wait_for("\n0.5")
    t.ready()
    t.type([[moon.load("csrc/moonglass_]])
    tab()
    t.wait_for([[> moon.load("csrc/moonglass_lua.h]])
  end)

  terminal_test("takes functions, tables and long texts over several lines, indented by Tab", function()
    t.enter("function twice(x)")
    t.wait_for("\n>>")
    t.ready()
    tab()
    os.execute("sleep 0.2")
    t.enter("return 2 * x")
    t.wait_for(">>   return 2 * x")
    t.enter("end")
    t.enter("twice(21)")
    t.wait_for("\n42")
    t.enter("{1,")
    t.enter("2}")
    t.wait_for("\n{1, 2}")
    t.enter("#[[one")
    t.enter("two]]")
    t.wait_for("\n7")
  end)

  terminal_test("takes a pasted block as one entry, which history keeps", function()
    t.paste("local a = 40\nfor i = 1, 1 do\n\tprint('sum', a + i + 1)\nend\n")
    t.wait_for("end")
    lacks(t.screen(), "sum\t42")
    t.press("Enter")
    t.wait_for("\nsum     42")
    t.press("C-d")
    t.wait_for("status=0")
    t.run(command())
    t.wait_for("> ")
    t.press("Up")
    t.wait_for("> local a = 40\nfor i = 1, 1 do")
    t.press("Enter")
    t.wait_for("\nsum     42")
  end)

  terminal_test("refuses a pasted text that is too long, as a whole", function()
    local path = home .. "/long.lua"
    files.write(path, "x = 0\n" .. ("x = x + 1 -- one of many lines\n"):rep(40000))
    t.paste_file(path)
    t.wait_for("1240006 characters were pasted")
    t.press("Enter")
    t.enter("'x is ' .. tostring(x)")
    t.wait_for("\nx is nil")
  end)

  terminal_test("accepts letters beyond ASCII in every locale", function()
    for _, locale in ipairs{"LC_ALL=C", "LC_ALL=POSIX", "LC_ALL= LANG=", "LC_ALL=xx_XX.UTF-8", "LC_ALL= LC_CTYPE=C"} do
      open(locale)
      t.enter("s = 'caf\u{e9} \u{65e5}'; #s .. ' bytes: ' .. s:upper()")
      t.wait_for("\n9 bytes: CAF\u{e9} \u{65e5}\n")
      t.ready()
      t.press("Up")
      t.wait_for("\u{65e5}\n> s = 'caf\u{e9} \u{65e5}'")
    end
  end)

  terminal_test("brings back an entry of several lines as one", function()
    t.enter("for i = 1, 2 do")
    t.wait_for("\n>>")
    t.enter("print('line ' .. i)")
    t.enter("end")
    t.wait_for("\nline 2")
    t.enter("? moon.seed")
    t.wait_for("Restart the stream")
    t.enter("for i = 1, 2 do")
    t.wait_for("\n>>")
    t.press("C-c")
    t.ready()
    t.press("Up")
    t.wait_for("> ? moon.seed")
    t.press("Up")
    t.wait_for("\n> for i = 1, 2 do\nprint('line ' .. i)\nend")
    t.press("Enter")
    t.wait_for("\nline 1\nline 2\n>")
    open()
    t.press("Up")
    t.wait_for("> for i = 1, 2 do\nprint('line ' .. i)\nend")
  end)

  terminal_test("tells its keys, and ends by exit", function()
    t.wait_for("? name: help    Tab: complete    Ctrl-C: stop    Ctrl-D or exit: leave\n>")
    t.enter("exit")
    t.wait_for("status=0")
    t.run(command() .. "; echo status=$?; sleep 60")
    t.wait_for("> ")
    t.enter("quit(4)")
    t.wait_for("status=4")
  end)

  terminal_test("Ctrl-C ends a program that a line waits for, and the line", function()
    t.enter("for i = 1, 9 do os.execute('echo begun; sleep 100') end")
    t.wait_for("\nbegun")
    t.press("C-c")
    t.wait_for("interrupted!")
    t.enter("'still ' .. 'here'")
    t.wait_for("\nstill here")
  end)

  terminal_test("takes what is pasted without marks, Tabs included", function()
    t.type("for i = 1, 2 do\r\tif i == 2 then\r\t\tprint('got ' .. i)\r\tend\rend\r")
    t.wait_for("\ngot 2")
  end)

  terminal_test("silences, keeps results, and answers questions", function()
    t.enter("moon.arange(3) * 2;")
    t.enter("_")
    t.wait_for("\n[0. 2. 4.]\n[3] float32")
    local _, shown = t.screen():gsub("%[3%] float32", "")
    assert.equal(1, shown)
    t.enter("? moon.seed")
    t.wait_for("\nmoon.seed(seed)\n  Restart the stream")
    t.enter("? moon.sed")
    t.wait_for("did you mean 'seed'?")
  end)

  terminal_test("shows errors in colour, and without it if asked", function()
    t.enter("function f() error('deep') end function g() f() return 1 end")
    t.enter("g()")
    t.wait_for("in function 'g'")
    has(t.screen("-e"), "\27[31mstdin:1: deep")
    open("NO_COLOR=1")
    t.enter("error('plain')")
    t.wait_for("\nstdin:1: plain")
    lacks(t.screen("-e"), "\27[31m")
  end)

  terminal_test("Ctrl-C ends a fit with its bar, and the line is clean", function()
    t.enter("x = moon.rand(20000, 784) net = moon.autoencoder.plain{input = 784, hidden = 99}")
    t.enter("net:fit(x, {loss = 'mse', epochs = 100000, batch_size = 1})")
    t.wait_for("rows/s  ")
    t.press("C-c")
    t.wait_for("interrupted")
    t.enter("'still ' .. 'here'")
    t.wait_for("\nstill here\n> ")
    has(t.screen(), "\nepoch 1/100000 [")
  end)

  terminal_test("Ctrl-C ends a prediction", function()
    t.enter("x = moon.rand(20000, 64) net = moon.autoencoder.plain{input = 64, hidden = 64}")
    t.enter("for i = 1, 1e9 do net:predict(x) end")
    os.execute("sleep 0.7")
    t.press("C-c")
    t.wait_for("interrupted")
    t.enter("'still ' .. 'here'")
    t.wait_for("\nstill here")
  end)

  terminal_test("keeps the bar within a narrow window", function()
    open(nil, {columns = 50, lines = 30})
    t.enter("x = moon.rand(20000, 784)")
    t.enter("net = moon.autoencoder.plain{input = 784, hidden = 99}")
    t.enter("net:fit(x, {loss='mse', epochs=9, batch_size=1})")
    t.wait_for(" loss 0")
    os.execute("sleep 1")
    local text = t.screen()
    local _, bars = text:gsub("\nepoch 1/", "")
    assert.equal(1, bars, text)
    t.press("C-c")
    t.wait_for("interrupted")
  end)

  terminal_test("draws pictures in half blocks", function()
    t.enter("show(moon.tensor({{0, 255, 0}, {255, 0, 255}, {98, 98, 98}}, {dtype = 'uint8'}))")
    t.wait_for("\u{2580}\u{2580}\u{2580}\n")
    local lines = {}
    for line in t.screen("-e"):gmatch("[^\n]+") do
      if line:find("\u{2580}", 1, true) then lines[#lines + 1] = line end
    end
    assert.equal(2, #lines)
    has(lines[1], "38;5;16")
    has(lines[1], "48;5;231")
    has(lines[1], "38;5;231")
    has(lines[1], "48;5;16")
    has(lines[2], "38;5;241")
  end)

  terminal_test("redraws reconstructions in place", function()
    t.enter("x = moon.rand(64, 64) net = moon.autoencoder.plain{input = 64, hidden = 4}")
    t.enter("net:fit(x, {loss = 'mse', epochs = 5, callbacks = {moon.callbacks.show(x, {columns = 2, every = 2})}});")
    t.wait_for("epoch 5/5")
    os.execute("sleep 0.3")
    local text = t.screen()
    local _, pictures = text:gsub("\n\u{2580}+", "")
    assert.equal(10, pictures) -- two lines of tiles of 8 pixels, bars between: 19 pixels
    assert.is_truthy(text:find("\nepoch 4/5[^\n]*\nepoch 5/5[^\n]*\n\u{2580}"), text)
    t.enter("y = x:reshape(64, 4, 16)")
    t.enter("net:fit(x, {loss = 'mse', epochs = 1, verbose = 0, callbacks = {moon.callbacks.show(y, {columns = 3})}});")
    t.enter("'drawn'")
    t.wait_for("\ndrawn")
    lacks(t.screen(), "stdin:")
    local width = utf8.len(t.screen():match("\n([\u{2580}]+)\n[^\n]*'drawn'")) -- three tiles of 16 pixels, bars between
    assert.equal(52, width)
  end)

  terminal_test("works on after a failed completion", function()
    t.enter("package.loaded['moonglass.session'].complete = function() error('broken') end")
    t.ready()
    t.type("moon.ze")
    tab()
    os.execute("sleep 0.2")
    t.enter("ros(1)")
    t.wait_for("\n[0.]\n[1] float32")
  end)

  -- The entries of the history file.
  local function history_of(path)
    local list = {}
    for line in files.read(path):gmatch("[^\n]+") do
      list[#list + 1] = line:gsub("\\(%d%d%d)", function(octal) return string.char(tonumber(octal, 8)) end)
    end
    return list
  end

  terminal_test("shares its history with other sessions", function()
    local other = terminal.open(command() .. "; sleep 60")
    other.wait_for("> ")
    for i = 1, 3 do
      t.enter("'first ' .. " .. i)
      t.wait_for("\nfirst " .. i)
      other.enter("'second ' .. " .. i)
      other.wait_for("\nsecond " .. i)
    end
    other.close()
    assert.same({"_HiStOrY_V2_", "'first ' .. 1\n", "'second ' .. 1\n", "'first ' .. 2\n", "'second ' .. 2\n",
      "'first ' .. 3\n", "'second ' .. 3\n"}, history_of(home .. "/.moonglass_history"))
    t.enter("'first ' .. 3")
    t.wait_for("\nfirst 3\n> 'first ' .. 3\nfirst 3\n")
    assert.equal(7, #history_of(home .. "/.moonglass_history")) -- a repeated line is not added
    open()
    t.press("Up")
    t.wait_for("> 'second ' .. 3")
  end)

  terminal_test("keeps its history where a link leads, and shortens it there", function()
    local path = home .. "/.moonglass_history"
    os.execute(("rm -f %s; mkdir %s/elsewhere; ln -s elsewhere/history %s"):format(path, home, path))
    open() -- the link is broken
    t.enter("'kept ' .. 1")
    t.wait_for("\nkept 1")
    assert.same({"_HiStOrY_V2_", "'kept ' .. 1\n"}, history_of(home .. "/elsewhere/history"))
    local lines = {"_HiStOrY_V2_"}
    for i = 1, 2100 do lines[#lines + 1] = ("x\\040=\\040%d\\012"):format(i) end
    files.write(home .. "/elsewhere/history", table.concat(lines, "\n") .. "\n")
    open()
    t.enter("'kept ' .. 2")
    t.wait_for("\nkept 2")
    assert.is_true(os.execute(("test -L %s"):format(path)))
    local kept = history_of(home .. "/elsewhere/history")
    assert.same({1002, "_HiStOrY_V2_", "x = 1101\n", "x = 2100\n", "'kept ' .. 2\n"},
      {#kept, kept[1], kept[2], kept[1001], kept[1002]})
    assert.equal("history\n", (files.run(("ls %s/elsewhere"):format(home))))
  end)

  terminal_test("does not change a file that is not a history", function()
    files.write(home .. "/.moonglass_history", "my own notes\n")
    open()
    t.enter("'not ' .. 'kept'")
    t.wait_for("\nnot kept")
    t.press("Up")
    t.wait_for("\n> 'not ' .. 'kept'")
    assert.equal("my own notes\n", files.read(home .. "/.moonglass_history"))
  end)

  terminal_test("clears the screen", function()
    t.enter("'some ' .. 'text'")
    t.wait_for("\nsome text")
    t.enter("clear()")
    for _ = 1, 50 do
      if not t.screen():find("some text", 1, true) then break end
      os.execute("sleep 0.1")
    end
    lacks(t.screen(), "some text")
    t.enter("1 + 1")
    t.wait_for("\n2")
  end)
end)

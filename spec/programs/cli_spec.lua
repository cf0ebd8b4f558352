-- The program: as a runner of scripts, and as a session in a pipe and in a terminal (tmux).
local program = os.getenv("MOONGLASS_BIN") or "build/moonglass"

local files = dofile "spec/support/files.lua"
local quote = files.quote
local terminal = dofile "spec/support/terminal.lua"
local expect = dofile "spec/support/expect.lua"
local read_file, write_file = files.read, files.write

local has = expect.has

-- Run the program with arguments in shell syntax. Return stdout, stderr, exit status.
local function run(arguments, stdin, environment)
  local input, out, err = os.tmpname(), os.tmpname(), os.tmpname()
  write_file(input, stdin or "")
  local call = ("%s %s %s"):format(environment or "", quote(program), arguments)
  local command = ("timeout 60 env -u LUA_INIT -u LUA_INIT_5_4 %s <%s >%s 2>%s"):format(call, input, out, err)
  local _, _, status = os.execute(command)
  local output, errors = read_file(out), read_file(err)
  os.remove(input)
  os.remove(out)
  os.remove(err)
  return output, errors, status
end

describe("moonglass as a runner", function()
  local script

  before_each(function() script = os.tmpname() end)
  after_each(function() os.remove(script) end)

  it("gives a script its arguments", function()
    write_file(script, "print(..., arg[0], arg[1], #arg, select('#', ...))")
    local out, err, status = run(script .. " 'a b' c")
    assert.equal("", err)
    assert.equal(("a b\t%s\ta b\t2\t2\n"):format(script):gsub("^a b", "a b"), out)
    assert.equal(0, status)
  end)

  it("has the options at negative indices of arg", function()
    write_file(script, "print(arg[-1], arg[-2], arg[-3] == arg[-#arg - 3])")
    local out = run("-e x=1 " .. script)
    has(out, "x=1\t-e")
  end)

  it("finds the library without configuration", function()
    local out, err, status = run([[-E -e 'print(require("moonglass").info().version, moon)']])
    assert.equal("", err)
    assert.is_truthy(out:match("^%d+%.%d+%.%d+\tnil\n$"), out)
    assert.equal(0, status)
  end)

  it("runs statements and libraries in their order", function()
    local out, _, status = run("-e 'x = 1' -l moonglass -l m=moonglass -e 'print(x, moonglass == m)' -ex=3" ..
                               " -e 'print(x)'")
    assert.equal("1\ttrue\n3\n", out)
    assert.equal(0, status)
  end)

  it("reads stdin when it is not a terminal", function()
    assert.equal("1\t0\n", (run("", "print(1, #arg)")))
    assert.equal("q\t-\n", (run("- q", "print(..., arg[0])")))
  end)

  it("uses LUA_INIT and LUA_PATH, except with -E", function()
    assert.equal("init\n1\n", (run("-e 'print(1)'", "", [[LUA_INIT='print("init")']])))
    assert.equal("1\n", (run("-E -e 'print(1)'", "", [[LUA_INIT='print("init")']])))
    has(run("-e 'print(package.path)'", "", "LUA_PATH_5_4='/nowhere/?.lua;;'"), "/nowhere/?.lua")
  end)

  it("shows its version", function()
    local out, _, status = run("-v")
    assert.is_truthy(out:match("^Moonglass %d+%.%d+%.%d+, Lua 5%.4"), out)
    has(out, "BLIS")
    assert.equal(0, status)
  end)

  it("shows its help", function()
    local out, _, status = run("--help")
    has(out, "usage: moonglass")
    assert.equal(0, status)
  end)

  it("ends with 1 and a traceback after an error", function()
    write_file(script, "local function f() error('no good') end\nf()\n")
    local out, err, status = run(script)
    assert.equal("", out)
    has(err, "moonglass: " .. script .. ":1: no good\nstack traceback:")
    has(err, "in main chunk")
    assert.equal(1, status)
  end)

  it("ends with 1 after a syntax error, a missing script and a bad option", function()
    local _, err, status = run("", "x = = 1")
    has(err, "stdin:1: unexpected symbol near '='")
    assert.equal(1, status)
    _, err, status = run("/nowhere/script.lua")
    has(err, "/nowhere/script.lua")
    assert.equal(1, status)
    _, err, status = run("-x")
    has(err, "unrecognized option '-x'")
    has(err, "usage:")
    assert.equal(1, status)
    _, err, status = run("-e")
    has(err, "'-e' needs an argument")
    assert.equal(1, status)
  end)

  it("describes an error that is not a text", function()
    has(select(2, run("-e 'error{}'")), "(error object is a table value)")
    local mine = [[-e 'error(setmetatable({}, {__tostring = function() return "mine" end}))']]
    has(select(2, run(mine)), "moonglass: mine")
  end)

  it("tells a script that uses a global of the session how to load the library", function()
    local advice = "global 'moon'); begin with: local moon = require \"moonglass\"\nstack traceback:"
    for _, statement in ipairs{"moon.zeros(2)", "moon()", "local m = require 'moonglass' print(moon.x)"} do
      write_file(script, statement)
      for _, arguments in ipairs{script, "-e " .. quote(statement), "-", "<" .. script} do
        local _, err, status = run(arguments, statement)
        has(err, advice)
        assert.equal(1, status)
      end
    end
    assert.is_nil(select(2, run("-e 'moonshine.x = 1'")):find("begin with", 1, true))
    has(select(2, run("-e 'local t = {} t.moon.x = 1'")), "(field 'moon')\n")
  end)

  it("reads a session's lines from a given descriptor, and child processes do not inherit it", function()
    write_file(script, "io.read('a')\nos.execute('cat; test -e /proc/self/fd/9 && echo taken')\n" ..
      "os.getenv('MOONGLASS_LINES')\n'last'\n")
    local out, err = run("-i 9<" .. script, "standard input", "MOONGLASS_LINES=9")
    assert.equal("", err)
    assert.equal("standard input\nnil\texit\t1\nnil\nlast\n", out:gsub("^[^\n]*\n", ""):gsub("\n>[> ]*", "\n"))
    for _, number in ipairs{"77", "x", "-1", "1"} do
      has(run("-i", "40 + 2\n", "MOONGLASS_LINES=" .. number), "42\n")
    end
  end)

  it("ends with the status of os.exit", function()
    assert.equal(7, (select(3, run("-e 'os.exit(7)'"))))
    assert.equal(0, (select(3, run("-e 'os.exit(true, true)'"))))
  end)

  it("is ended by SIGINT, with a traceback", function()
    write_file(script, "io.popen('kill -INT $PPID'):close()\nwhile true do end\n")
    local _, err, status = run(script)
    has(err, "interrupted!\nstack traceback:")
    assert.equal(1, status)
  end)

  it("is ended by SIGINT while a net trains", function()
    write_file(script, [[
      local moon = require "moonglass"
      local ae = moon.autoencoder.plain {input = 64, hidden = 16}
      local x = moon.rand(1024, 64)
      os.execute("(sleep 0.5; kill -INT $PPID) &")
      ae:fit(x, {loss = "mse", epochs = 1000000, verbose = 0})
    ]])
    local _, err, status = run(script)
    has(err, "interrupted")
    assert.equal(1, status)
  end)
end)

-- The same command line for the program and for lua: outputs, errors and statuses are the same, except for the names of
-- the programs.
describe("moonglass as lua:", function()
  local lua = os.getenv("LUA") or "lua5.4"
  local folder

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    for name, text in pairs{
      ["s.lua"] = "print(...) print(arg[0], #arg, arg[1])", ["e.lua"] = "local function f() error('x') end f() f()",
      ["o.lua"] = "error(setmetatable({}, {__tostring = function() return 'mine' end}))", ["syntax.lua"] = "x ==",
      ["mod1.lua"] = "return 5", ["bang.lua"] = "#!/usr/bin/env lua\nprint('bang', arg[0])",
      ["close.lua"] = "local c <close> = setmetatable({}, {__close = function() print('closed') end}) error('z')",
      ["input"] = "print('in', ...) print(arg[1])",
    } do
      write_file(folder .. "/" .. name, text)
    end
  end)
  after_each(function() os.execute("rm -rf " .. folder) end)

  local function result(interpreter, arguments, environment)
    local path = interpreter:find("/") and files.run("realpath " .. quote(interpreter)):gsub("\n", "") or interpreter
    local command = ("cd %s && env -u LUA_INIT_5_4 LUA_PATH_5_4='./?.lua' %s %s %s <input"):format(folder,
      environment or "", quote(path), arguments)
    local output, errors, status = files.run(("sh -c %s"):format(quote(command)))
    -- lua5.4 may be a script that starts a binary of another name; Lua's messages begin with that name.
    local name = interpreter == lua and "lua[%d.]*" or path:match("[^/]*$"):gsub("%p", "%%%0")
    errors = ("\n" .. errors):gsub("\n" .. name .. ": ", "\nlua: ")
    -- Only the program also searches for modules in its tree.
    return output, errors:gsub("\n\tno file[^\n]*", ""), status
  end

  for _, arguments in ipairs{
    "s.lua a 'b c'", "-e 'print(1)' s.lua a", "-e 'x = 1' -e 'print(x)'", "-", "- a b", "-- s.lua q", "-- - q",
    "-l mod1 -e 'print(mod1)'", "-lmod1 '-eprint(mod1)'", "-l g=mod1 -e 'print(g, mod1)'", "-l nosuch",
    "e.lua", "o.lua", "syntax.lua", "nosuch.lua", "bang.lua", "close.lua", "-W -e 'warn(\"a\", \"b\")'",
    "-e 'warn(\"a\")'", "-e 'warn(\"@on\") warn(\"q\")'", "-W s.lua", "-E -e 'print(os.getenv(\"HOME\") ~= nil)'",
    "-e 'os.exit(3)'",
    "-e 'os.exit(false)'", "-e 'error()'", "-e 'error(nil)'", "-e 'error({})'", "-e 'error(\"a\", 0)'",
    "-e 'error(\"a\", 2)'", "-e 'return 5'", "-e 'string.rep()'", "-e ''", "-e '' s.lua", "-e 'print(#arg, arg[1])'",
    "-e 'coroutine.wrap(function() error(\"co\") end)()'", "-i -e 'os.exit(4)'",
  } do
    it(arguments, function()
      local expected, output = {result(lua, arguments)}, {result(program, arguments)}
      if arguments:find("^%-i") then expected[1], output[1] = "", "" end -- its first lines have the version
      assert.same(expected, output)
    end)
  end

  for _, init in ipairs{[['print("init")']], [['error("bad")']], "@mod1.lua", "@nosuch.lua", "'x ='"} do
    it("LUA_INIT=" .. init, function()
      for _, arguments in ipairs{"s.lua a", "-E s.lua a"} do
        local environment = "LUA_INIT=" .. init
        assert.same({result(lua, arguments, environment)}, {result(program, arguments, environment)})
      end
    end)
  end
end)

describe("moonglass as a session in a pipe", function()
  -- The session's output for these lines, without banner and prompts.
  local function session(lines)
    local out, err, status = run("-i", lines)
    assert.equal(0, status)
    return out:gsub("^[^\n]*", ""):gsub("\n>[> ]*", "\n"):sub(2), err
  end

  it("prints results, and keeps the last in _", function()
    has(session("1 + 1\n"), "2\n")
    has(session("40\n_ + 2\n"), "42\n")
    has(session("1, nil, 'three'\n"), "1\tnil\tthree\n")
    has(session("=7\n"), "7\n")
    assert.equal("", (session("local x = 1\n")))
  end)

  it("has the library as moon", function()
    has(session("moon.zeros(2, 3)\n"), "0")
    has(session("moon.zeros(2, 3).shape\n"), "{2, 3}\n")
  end)

  it("opens plain tables one level deep", function()
    has(session("{1, 'two', a = 3, ['not a name'] = {}, b = {1}}\n"),
        [[{1, "two", ["not a name"] = {}, a = 3, b = {...}}]])
    has(session("(function() local t = {} for i = 1, 100 do t[i] = i end return t end)()\n"), "20, ... 80 more}")
    has(session("setmetatable({}, {__tostring = function() return 'mine' end})\n"), "mine\n")
  end)

  it("reads more lines until a chunk is complete", function()
    has(session("for i = 1, 2 do\nprint('i=' .. i)\nend\n"), "i=1\ni=2\n")
    has(session("{1,\n2}\n"), "{1, 2}\n")
    has(session("('a'\n..'b')\n"), "ab\n")
  end)

  it("continues after errors, each reported in one line", function()
    local out, err = session("error('bad')\nx = = 1\nfoo.bar\n'alive'\n")
    has(out, "alive\n")
    assert.equal("stdin:1: bad\nstdin:1: unexpected symbol near '='\n" ..
                 "stdin:1: attempt to index a nil value (global 'foo')\n", err)
  end)

  it("suggests a name for a missing field of the library, which stays nil for scripts", function()
    local _, err = session("moon = require 'moonglass'\nmoon.dens(3, 2)\n" ..
      "\nmoon.callbaks.progress()\nmoon.nothing_like_it()\n")
    assert.equal("stdin:1: attempt to call a nil value (field 'dens'); did you mean 'dense'?\n" ..
                 "stdin:1: attempt to index a nil value (field 'callbaks'); did you mean 'callbacks'?\n" ..
                 "stdin:1: attempt to call a nil value (field 'nothing_like_it')\n", err)
    has(session("require('moonglass').dens == nil\n"), "true\n")
  end)

  it("shows the traceback of an error down to the typed line", function()
    local _, err = session("function f() error('deep') end function g() f() end\ng()\n")
    has(err, "stdin:1: deep\nstack traceback:\n")
    has(err, "in function 'g'")
    assert.is_nil(err:find("main chunk", 1, true))
  end)

  it("continues after an error in __tostring", function()
    local out, err = session("setmetatable({}, {__tostring = function() error('no text') end})\n'alive'\n")
    has(err, "no text")
    has(out, "alive\n")
  end)
end)

describe("moonglass in a terminal", function()
  local home, t

  local function command()
    return ("env -u XDG_STATE_HOME HOME=%s TERM=screen %s"):format(home, quote(program))
  end

  before_each(function()
    if not terminal.there then return end
    home = os.tmpname()
    os.remove(home)
    assert(os.execute("mkdir " .. home))
    t = terminal.open(command() .. "; echo status=$?; sleep 60")
    t.wait_for("> ")
  end)

  after_each(function()
    if not terminal.there then return end
    t.close()
    os.execute("rm -rf " .. home)
  end)

  local function terminal_test(what, body)
    if terminal.there then it(what, body) else pending(what .. " (no tmux)") end
  end

  terminal_test("prints, survives errors, and leaves on Ctrl-D", function()
    t.enter("6 * 7")
    t.wait_for("\n42")
    t.enter("error('bad')")
    t.wait_for("\nstdin:1: bad")
    t.enter("for i = 1, 2 do")
    t.wait_for("\n>>")
    t.enter("print('i=' .. i) end")
    t.wait_for("\ni=1\ni=2")
    t.press("C-d")
    t.wait_for("status=0")
  end)

  terminal_test("Ctrl-C clears the line and the lines before it", function()
    t.enter("for i = 1, 2 do")
    t.wait_for("\n>>")
    t.type('print("never"')
    t.press("C-c")
    t.enter("'still ' .. 'here'")
    t.wait_for("\nstill here")
    assert.is_nil(t.screen():find("stdin:", 1, true))
  end)

  terminal_test("Ctrl-C ends a computation and not the session", function()
    t.enter("started = os.time() while true do end")
    os.execute("sleep 0.5")
    t.press("C-c")
    t.wait_for("interrupted!")
    t.enter("started ~= nil, 'back'")
    t.wait_for("\ntrue")
    t.press("C-d")
    t.wait_for("status=0")
  end)

  terminal_test("Ctrl-C ends training, and does not affect the next call", function()
    t.enter("x = moon.rand(1024, 64) ae = moon.autoencoder.plain{input = 64, hidden = 16}")
    t.enter("ae:fit(x, {loss = 'mse', epochs = 1000000, verbose = 0})")
    os.execute("sleep 0.7")
    t.press("C-c")
    t.wait_for("interrupted")
    t.enter("'epochs ' .. #ae:fit(x, {loss = 'mse', epochs = 2, verbose = 0}).loss")
    t.wait_for("\nepochs 2")
  end)

  terminal_test("keeps its history", function()
    t.enter("'first' .. 1")
    t.wait_for("\nfirst1")
    t.press("C-d")
    t.wait_for("status=0")
    has(read_file(home .. "/.moonglass_history"), "'first'")
    t.run(command())
    t.wait_for("> ")
    t.press("Up")
    t.wait_for("> 'first' .. 1")
    t.press("Enter")
    t.wait_for("\nfirst1")
  end)
end)

-- How the session and the notebook read a text: where its last expression begins, whether more lines must follow, which
-- of its variables are lost afterwards. Every text that Lua accepts also runs through `load`, and must leave the same
-- globals.
local chunk = require "moonglass.session.chunk"

-- Functions whose results show how they were called.
local function surroundings()
  local env = setmetatable({said = {}, total = 0, loss = 10, l1 = 3, n = 4}, {__index = _G})
  env.g = function(v) return "g(" .. tostring(v) .. ")" end
  env.f = function(...) return #{...} > 0 and "f(" .. tostring((...)) .. ")" or 8 end
  env.say = function(v) env.said[#env.said + 1] = tostring(v) end
  env.each = function() return function(v) return v end end
  env.t = setmetatable({field = 5}, {__call = function(_, v) return "t(" .. tostring(v) .. ")" end})
  function env.t:method(v) return self.field, v end
  return env
end

-- Run a function, compiled by the session's rules, with those functions. Return its results as one text, and globals.
local function run(f)
  local env = surroundings()
  for i = 1, math.huge do
    local name = debug.getupvalue(f, i)
    if not name then break end
    if name == "_ENV" then debug.setupvalue(f, i, env) end
  end
  local values = table.pack(f())
  for i = 1, values.n do values[i] = tostring(values[i]) end
  return table.concat(values, " "), env
end

local function globals_of(env)
  local list = {}
  for name, v in pairs(env) do
    if type(v) ~= "table" and type(v) ~= "function" then list[#list + 1] = ("%s=%s"):format(name, v) end
  end
  table.sort(list)
  return table.concat(list, " ") .. " said: " .. table.concat(env.said, " ")
end

local function check(cases)
  for _, case in ipairs(cases) do
    local text, expected = case[1], case[2]
    local made, message = chunk.compile(text, "=cell")
    assert.is_truthy(made, ("%q: %s"):format(text, message))
    local got, env = run(made.run)
    assert.equal(expected, got, ("%q"):format(text))
    assert.equal(case.silenced or false, made.silenced, ("%q"):format(text))
    if case.globals then assert.equal(case.globals, globals_of(env), ("%q"):format(text)) end
    local plain = load(text:gsub("^#![^\n]*", ""))
    if plain then
      local _, plain_env = run(plain)
      assert.equal(globals_of(plain_env), globals_of(env), ("%q"):format(text))
    end
  end
end

describe("the last expression", function()
  it("is the whole text, or the end of a text of statements", function()
    check{
      {"1 + 1", "2"}, {"1, nil, 'three'", "1 nil three"}, {"x = 3\nx * 2", "6"}, {"x = 3 x * 2", "6"},
      {"local y = 5; y * 2", "10"}, {"x, y = 1, 2\nx, y", "1 2"}, {"function q() return 1 end\nq()", "1"},
      {"local function q(a) return a end q(2)", "2"}, {"for i = 1, 3 do say(i) end n", "4"},
      {"if n then x = 9 end x", "9"}, {"while false do end f()", "8"}, {"repeat local k = 1 until k n", "4"},
      {"do local n = 5 end n", "4"}, {"x = true false", "false"}, {"x = nil nil", "nil"}, {"x = .5 x", "0.5"},
      {"x = 0x1p4 x", "16.0"}, {"x = 1e+2 x", "100.0"}, {"x = n // 3 x", "1"}, {"x = ... n", "4"},
      {"local a <const>, b = 1, 2 b", "2"}, {"local c <close> = nil n", "4"}, {"x = 1;n", "4"}, {"n\n", "4"},
      {"\n\n  n  \n\n", "4"}, {"=7", "7"}, {"#'abc'", "3"}, {"-n", "-4"}, {"~5", "-6"}, {"not n", "false"},
      {"x = 5 not n", "false"}, {"x = 5 #'ab'", "2"}, {"x = {} #x", "0"}, {"t.field", "5"}, {"...", ""},
      {"x = n\nt:method(1)", "5 1"}, {"t.x = 1 t.x", "1"}, {"t['x'] = 1 t['x']", "1"},
      {"x = 5 (function() return 6 end)()", "6"}, {"x = {1,\n2}\nx[2]", "2"}, {"n == 4 and\n'yes'", "yes"},
    }
  end)

  it("may be a call, which is a statement too; an earlier call is not the last", function()
    check{
      {"x = 1\nf()", "8"}, {"f() g()", "g(nil)"}, {"f 'a' g 'b'", "g(b)"}, {"say(1)", "", globals = "l1=3 loss=10 " ..
        "n=4 total=0 said: 1"}, {"say(1) say(2)", "", globals = "l1=3 loss=10 n=4 total=0 said: 1 2"},
      {"f()\ng()\n-- done", "g(nil)"}, {"x = f()", ""}, {"local x = f()", ""}, {"f();", "8", silenced = true},
    }
  end)

  it("is not a continuation of the statement before it", function()
    check{
      {"total = loss\n- l1", "", globals = "l1=3 loss=10 n=4 total=7 said: "}, {"total = loss\n- l1\ntotal", "7"},
      {"x = loss -- all of it\n- l1 -- but this\nx", "7"}, {"x = loss\n~ l1", ""}, {"x = loss\n~ l1 x", "9"},
      {"x = g\n('a')", ""}, {"x = g\n('a')\nx", "g(a)"}, {"x = g\n'a'\nx", "g(a)"}, {"x = g\n[[a]]\nx", "g(a)"},
      {"x = g ('a') .. 'b' x", "g(a)b"}, {"x = t\n.field\nx", "5"}, {"x = t\n:method(2)\nx", "5"},
      {"x = 'a'\n.. 'b'\nx", "ab"}, {"x = n\n+ 1\nx", "5"}, {"x = n\n* 2 x", "8"}, {"x = n\nand 5\nx", "5"},
      {"x = n\n== 4 x", "true"}, {"x = n\n~= 4 x", "false"}, {"repeat x = 1 until x\n- 1 == 0 x", "1"},
      {"x = 5\n-n", ""}, {"local x = loss\n- l1 x", "7"}, {"x = not g\n(5)\nx", "false"},
      {"x = f\n-- between\n()\nx", "8"}, {"x = g\n--[[ between ]]\n(n)\nx", "g(4)"},
      {"each()\n(say)\n(3)", "", globals = "l1=3 loss=10 n=4 total=0 said: 3"}, {"f\n(n)", "f(4)"}, {"f()\n- 1", "7"},
      {"x = 1 f()\n- 1", "7"}, {"g 'a'\n.. 'b'", "g(a)b"},
    }
  end)

  it("begins where a bracket or a quote cannot belong to a call", function()
    check{
      {"x = 5 ('a'):rep(2)", "aa"}, {"x = 'b' ('a'):rep(2)", "aa"}, {"x = nil 'a'", "a"}, {"x = {} 'a'", "a"},
      {"x = function() end ('a'):rep(2)", "aa"}, {"do end ('a'):rep(2)", "aa"}, {"::here:: 'a'", "a"},
      {"x = 1; ('a'):rep(2)", "aa"}, {"local y 'a'", "a"}, {"say(1);('a'):rep(2)", "aa"},
    }
  end)

  it("is not found in comments and texts", function()
    check{
      {"x = 1 -- n", ""}, {"-- n", ""}, {"", ""}, {"  \n\t", ""}, {"--[[ n ]]", ""}, {"--[==[\nn ]] ]==]\nn", "4"},
      {"n -- last", "4"}, {"n --[[ last ]]", "4"}, {"x = '-- n'\nx", "-- n"}, {"x = [[\n;n]]", ""},
      {"x = '\\'; n' x", "'; n"}, {'x = "\\\\" n', "4"}, {"x = 'a\\\nb' n", "4"}, {"x = '\\z\n  a' x", "a"},
      {"x = [==[ ]] ]=] ]==] n", "4"}, {"x --[[c]] = --[=[ ] ]=] 6 x", "6"}, {"x = 1 --\nn --", "4"},
      {"-- first\nx = 2 -- second\n-- third\n", ""}, {"n --[[ a\nb ]] -- c", "4"},
    }
  end)

  it("is the expression of `return`, if a text has one", function()
    check{
      {"return 5", "5"}, {"return", ""}, {"x = 5\nreturn x, n", "5 4"}, {"do return 7 end", "7"},
      {"if n then return 'early' end\nn", "early"}, {"if not n then return 'early' end\nn", "4"},
      {"return f()", "8"}, {"return 5;", "5", silenced = true},
    }
  end)

  it("may follow labels and goto", function()
    check{
      {"goto done; ::done:: n", "4"}, {"goto a x = 1 ::a:: n", "4"}, {"::top:: n", "4"},
      {"x = 0 ::top:: x = x + 1 if x < 3 then goto top end x", "3"},
    }
  end)

  it("is shown, unless a semicolon is the last token", function()
    check{
      {"5;", "5", silenced = true}, {"5; -- note", "5", silenced = true}, {"5 -- note;", "5"},
      {"5 ; ;\n", "5", silenced = true}, {"x = 1;", "", silenced = true}, {"n --[[ ; ]]", "4"}, {"';'", ";"},
      {"x = 3\nx * 2;\n-- done", "6", silenced = true}, {"#[[;]]", "1"}, {";", "", silenced = true},
    }
  end)

  it("may follow a line for the shell", function()
    check{{"#!/usr/bin/env moonglass\nn", "4"}, {"#!/bin/sh", ""}, {"#'x'", "1"}}
  end)
end)

describe("a text", function()
  -- "complete", or is more to come?
  local function status(text)
    local made, _, incomplete = chunk.compile(text, "=cell")
    return made and "complete" or incomplete and "incomplete" or "invalid"
  end

  it("is incomplete if more lines could complete it", function()
    for _, text in ipairs{
      "for i = 1, 3 do", "function f(", "x = {", "x =", "x = 1 +", "n +", "x = 1\nn *", "if n then", "repeat",
      "x = [[abc", "--[[ abc", "--[==[ abc ]]", "f(1,", "t:", "t.", "local function", "x = function()", "not",
      "say(1) if n then", "return 1 +", "::a", "x = 'a\\", "local x <", "goto",
    } do
      assert.equal("incomplete", status(text), text)
    end
  end)

  it("is complete or invalid otherwise", function()
    for _, text in ipairs{"-- only", "moon.seed(1); -- note", "x = 1\n-- last", "", "n", "x = 5 y"} do
      assert.equal("complete", status(text), text)
    end
    for _, text in ipairs{
      "x = = 1", "x = 'abc", 'n .. "', "end", "f(]", "x y z", "1 2", "x = 1..2", "goto nowhere", "break", "x = n\n5 6",
      "local x <wrong> = 1", "local c <const> = 1 c = 2", "\27Lua", "::a:: ::a::", ")", "x = 0xg", "return 1 n",
    } do
      assert.equal("invalid", status(text), text)
    end
  end)

  it("has Lua's messages, with the lines of the text", function()
    for _, text in ipairs{"x = = 1", "x = 1\nx = = 2", "goto nowhere", "for i = 1, 3 do", "x = 'abc"} do
      local _, expected = load(text .. "\n", "=cell")
      assert.same({nil, expected}, {(chunk.compile(text, "=cell")), (select(2, chunk.compile(text, "=cell")))})
    end
    local made = chunk.compile("x = 1\n\nno.such.thing", "=cell")
    assert.equal("cell:3: attempt to index a nil value (global 'no')", (select(2, pcall(made.run))))
  end)

  it("keeps its line in a traceback: its last call is not a tail call", function()
    local made = chunk.compile("local function fail()\n  error 'ups'\nend\nfail()", "=cell")
    local _, trace = xpcall(made.run, debug.traceback)
    assert.is_truthy(trace:find("cell:4: in", 1, true), trace)
  end)

  it("may be as large as Lua allows", function()
    local lines = {}
    for i = 1, 5000 do lines[i] = ("t[%d] = g(%d) -- %d"):format(i, i, i) end
    local made = chunk.compile("t = {}\n" .. table.concat(lines, "\n") .. "\n#t", "=cell")
    assert.equal("5000", (run(made.run)))
    local many = {}
    for i = 1, 200 do many[i] = ("local v%d = %d"):format(i, i) end
    assert.equal("200", (run(chunk.compile(table.concat(many, "\n") .. "\nv200", "=cell").run)))
    many[201] = "local v201 = 201"
    assert.is_truthy(select(2, chunk.compile(table.concat(many, "\n"), "=cell")):find("too many local", 1, true))
    assert.is_nil((chunk.compile(("("):rep(300) .. "1" .. (")"):rep(300), "=cell")))
  end)

  it("is compiled without the user's load", function()
    local real = load
    _G.load = error -- luacheck: ignore
    local ok, made = pcall(chunk.compile, "1 + 1", "=cell")
    _G.load = real -- luacheck: ignore
    assert.is_true(ok)
    assert.equal("2", (run(made.run)))
  end)
end)

describe("local variables of a text", function()
  local function locals(text)
    local made = assert(chunk.compile(text, "=cell"))
    return table.concat(made.locals, " ") .. (made.ends_local and ", last" or "")
  end

  it("are known, and whether a statement follows the last", function()
    for text, expected in pairs{
      ["x = 1"] = "", ["local x = 1"] = "x, last", ["local x"] = "x, last", ["local x = 1; x"] = "x",
      ["local a <const>, b <close> = 1, nil"] = "a b, last", ["local function f(a, b) local c end"] = "f, last",
      ["local x = f\n(1)"] = "x, last", ["local x = f {}; y = x"] = "x", ["local x = 1 local y = x"] = "x y, last",
      ["do local x = 1 end"] = "", ["function f() local x end"] = "",
      ["local x = function() local y = 1 end"] = "x, last",
      ["local t = {f = function() local z end} t.f()"] = "t", ["for i = 1, 2 do local x = i end"] = "",
      ["local x = 1 -- local y"] = "x, last", ["local x = 'local y'"] = "x, last", ["local x = 1;"] = "x, last",
      ["local x = loss\n- l1"] = "x, last", ["local x = 5 ('a'):rep(2)"] = "x", ["local x = 1 if x then end"] = "x",
      ["local x = 1 ::here::"] = "x", ["local x = 1 return x"] = "x", ["if x then local y end local z"] = "z, last",
    } do
      assert.equal(expected, locals(text), text)
    end
  end)
end)

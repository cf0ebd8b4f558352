-- The result of `make install`: the folder is moved, then used without access to this tree. Also the rock, and the
-- rules of spec/support/lint_layers.sh on objects that break them.
local lfs = require "lfs"

local root = lfs.currentdir()
local files = dofile "spec/support/files.lua"

local quote = files.quote

local function has(tool) return (os.execute("command -v " .. tool .. " >/dev/null")) end

-- Run a shell command without this process's settings for Lua, make and the linker. Return its output and status.
local function try(command)
  local pipe = assert(io.popen(([[{
    unset $(env | sed -nE 's/^((LUA|LD|PKG_CONFIG)_[A-Z0-9_]*|MAKE[A-Z]*|MFLAGS)=.*/\1/p')
    %s
    } 2>&1]]):format(command)))
  local output = pipe:read("a")
  local _, _, status = pipe:close()
  return output, status
end

local function run(command)
  local output, status = try(command)
  assert.equal(0, status, command .. "\n" .. output)
  return output
end

local function lines(text)
  local list = {}
  for line in text:gmatch("[^\n]+") do list[#list + 1] = line end
  table.sort(list)
  return list
end

-- The names that a header declares, sorted.
local function declared(...)
  local list = {}
  for _, header in ipairs{...} do
    for name in ("\n" .. files.read(header)):gmatch("\nMOON_API [^(\n]-([%w_]+)%(") do list[#list + 1] = name end
  end
  table.sort(list)
  return list
end

local function exported(library)
  return lines((run("nm -D --defined-only " .. library):gsub("[^\n]* (%S+)\n", "%1\n")))
end

-- The values of a tag in a file's dynamic section.
local function dynamic(file, tag)
  local list = {}
  for value in run("readelf -d " .. file):gmatch("%(" .. tag .. "%)[^\n]-%[([^%]\n]*)%]") do list[#list + 1] = value end
  return list
end

local function one_of(list, pattern)
  for _, value in ipairs(list) do if value:find(pattern) then return value end end
end

local step_c = [[
#include <moonglass.h>
#include <stdio.h>

/* Ten steps of a small net: its first objective and its last, in all their bits. */
int main(void) {
  moon_ctx *ctx = NULL;
  moon_layer *layer = NULL;
  moon_net *net = NULL;
  moon_loss *loss = NULL;
  moon_optim *adam = NULL;
  moon_tensor *x = NULL;
  moon_option units[] = {{"in", MOON_COUNT, 6, 0, NULL, NULL}, {"out", MOON_COUNT, 6, 0, NULL, NULL}};
  double first = 0, last = 0;
  size_t shape[] = {8, 6};
  moon_status status = moon_ctx_new(&ctx, NULL);
  if (status == MOON_OK) status = moon_layer_new(ctx, &layer, "dense", units, 2);
  if (status == MOON_OK) status = moon_net_new(ctx, &net, &layer, 1);
  if (status == MOON_OK) status = moon_loss_new(ctx, &loss, "mse", NULL, 0);
  if (status == MOON_OK) status = moon_optim_new(ctx, &adam, "adam", NULL, 0);
  if (status == MOON_OK) status = moon_tensor_new(ctx, &x, MOON_FLOAT32, 2, shape);
  if (status == MOON_OK) status = moon_tensor_uniform(x, 0, 1);
  for (int i = 0; i < 10 && status == MOON_OK; i++) status = moon_net_step(net, i ? &last : &first, x, x, loss, adam);
  if (status == MOON_OK) printf("%s %d %a %a\n", moon_version(), last < first, first, last);
  else fprintf(stderr, "%s\n", ctx ? moon_error(ctx) : "no context");
  moon_tensor_release(x);
  moon_optim_release(adam);
  moon_loss_release(loss);
  moon_net_release(net);
  moon_layer_release(layer);
  moon_ctx_release(ctx);
  return status != MOON_OK;
}
]]

local host_c = [[
#include <lauxlib.h>
#include <lualib.h>
#include <moonglass_lua.h>
#include <stdio.h>

/* A script works on this memory, and hands it back. */
int main(void) {
  float pixels[] = {1, 2, 3};
  size_t shape[] = {3};
  moon_tensor *x = NULL;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_requiref(L, "moonglass.core", luaopen_moonglass_core, 0);
  if (moon_tensor_wrap(moon_lua_ctx(L), &x, MOON_FLOAT32, 1, shape, pixels, NULL, NULL) != MOON_OK) return 1;
  moon_lua_push_tensor(L, x);
  lua_setglobal(L, "x");
  moon_tensor_release(x);
  if (luaL_dostring(L, "local moon = require 'moonglass'; x:add_(moon.ones(3)); return x") != LUA_OK)
    return fprintf(stderr, "%s\n", lua_tostring(L, -1)), 1;
  printf("%g %g %d\n", moon_tensor_get(moon_lua_check_tensor(L, -1), 0), pixels[2], moon_lua_to_net(L, -1) == NULL);
  lua_close(L);
  return 0;
}
]]

local train_lua = [[
  local moon = require "moonglass"
  local x = moon.rand(64, 6)
  local net = moon.sequential{moon.dense(6, 6)}
  local before = net:evaluate(x, {loss = "mse"})
  net:fit(x, {loss = "mse", epochs = 5})
  print(moon.info().version, net:evaluate(x) < before)
]]

local version = files.read("csrc/moonglass.h"):match('#define MOON_VERSION "([^"]*)"')
local soname = "libmoonglass.so." .. version:match("^%d+")

-- A build with sanitizers does not run in hosts without them.
local sanitized = (os.getenv("MOONGLASS_BIN") or "build/moonglass"):find("/san/") ~= nil
local suite = sanitized and function(name) pending(name .. " (not with the sanitizers)") end or describe

suite("an installation", function()
  local scratch, prefix, lib, make

  setup(function()
    scratch = os.tmpname()
    os.remove(scratch)
    assert(lfs.mkdir(scratch))
    make = ("cd %s && make -s PREFIX=/opt/moon DESTDIR=%s/stage "):format(quote(root), scratch)
    run(make .. "install")
    assert(os.rename(scratch .. "/stage", scratch .. "/moved"))
    prefix = scratch .. "/moved/opt/moon"
    lib = prefix .. "/lib"
    files.write(scratch .. "/train.lua", train_lua)
    files.write(scratch .. "/step.c", step_c)
    files.write(scratch .. "/host.c", host_c)
  end)

  teardown(function() os.execute("rm -rf " .. scratch) end)

  -- Run a command in the scratch folder, with moonglass.pc found as a user would find an installed one.
  local function here(command)
    return run(("cd %s; export PKG_CONFIG_PATH=%s/pkgconfig; %s"):format(scratch, lib, command))
  end

  local lua_paths = "LUA_PATH_5_4='%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua' LUA_CPATH_5_4='%s/lua/5.4/?.so' "
  local function with_paths() return lua_paths:format(prefix, prefix, lib) end

  it("has its files, and no others", function()
    local expected = lines((run("cd lua && find moonglass -name '*.lua'"):gsub("[^\n]+", "share/lua/5.4/%0")))
    for _, path in ipairs{
      "bin/moonglass", "bin/moonglass-anomaly", "include/moonglass.h", "include/moonglass_lua.h",
      "lib/libmoonglass.a", "lib/libmoonglass_lua.a",
      "lib/libmoonglass.so", "lib/" .. soname, "lib/libmoonglass.so." .. version, "lib/lua/5.4/moonglass/core.so",
      "lib/pkgconfig/moonglass.pc",
    } do
      expected[#expected + 1] = path
    end
    local function has_library(name) return run(("cc -print-file-name=lib%s.so"):format(name)):sub(1, 1) == "/" end
    if has_library "civetweb" and has_library "jansson" then expected[#expected + 1] = "bin/moonglass-playground" end
    for name, package in pairs{openmpi = "ompi-c", mpich = "mpich"} do
      local found = os.execute("pkg-config --exists " .. package)
      if found then expected[#expected + 1] = ("lib/lua/5.4/moonglass/%s.so"):format(name) end
    end
    table.sort(expected)
    assert.same(expected, lines(run(("cd %s && find . ! -type d | sed 's|^./||'"):format(prefix))))
    run(("diff -r lua/moonglass %s/share/lua/5.4/moonglass"):format(prefix))
  end)

  it("has a shared library under the name of its major version", function()
    assert.same({soname}, dynamic(lib .. "/libmoonglass.so", "SONAME"))
    assert.equal("libmoonglass.so." .. version, lfs.symlinkattributes(lib .. "/libmoonglass.so", "target"))
    assert.equal("libmoonglass.so." .. version, lfs.symlinkattributes(lib .. "/" .. soname, "target"))
  end)

  it("exports the recorded functions, which are those of the headers", function()
    local engine = declared("csrc/moonglass.h")
    assert.is_true(#engine > 100)
    assert.same(engine, exported(lib .. "/libmoonglass.so"))
    local all = declared("csrc/moonglass.h", "csrc/moonglass_lua.h")
    assert.same(all, exported(lib .. "/lua/5.4/moonglass/core.so"))
    assert.same(all, lines(files.read("csrc/exports.txt")))
  end)

  it("needs no Lua library for the module, and has all other libraries", function()
    for _, file in ipairs{lib .. "/lua/5.4/moonglass/core.so", lib .. "/libmoonglass.so"} do
      assert.is_truthy(one_of(dynamic(file, "NEEDED"), "^libpng"))
      local libraries = run("ldd " .. file)
      assert.is_nil(libraries:find("liblua", 1, true), libraries)
      assert.is_nil(libraries:find("not found", 1, true), libraries)
    end
  end)

  it("has the same version everywhere", function()
    assert.equal(version .. "\n", here("pkg-config --modversion moonglass"))
    assert.equal("NEWS " .. version, "NEWS " .. files.read("NEWS.md"):match("\n## (%S+)"))
    for rockspec in run("ls *.rockspec"):gmatch("%S+") do
      local number = files.read(rockspec):match('\nversion = "(.-)%-%d+"')
      assert.is_true(number == "scm" or number == version, rockspec)
    end
  end)

  it("has headers that C11 and C++17 take without a warning", function()
    for _, header in ipairs{"moonglass.h", "moonglass_lua.h"} do
      local flags = "-Wall -Wextra -Wpedantic -Werror -fsyntax-only $(pkg-config --cflags moonglass lua5.4)"
      local source = ("printf '#include <%s>\\nint main() { return moon_version() == 0; }\\n' | "):format(header)
      here(source:gsub("main%(%)", "main(void)") .. "cc -std=c11 -xc " .. flags .. " -")
      if has("g++") then here(source .. "g++ -std=c++17 -xc++ " .. flags .. " -") end
    end
  end)

  it("links into a C program, by pkg-config, shared and static, to the same result", function()
    here("cc -std=c11 -Wall -Wextra -Werror -o step step.c $(pkg-config --cflags --libs moonglass)")
    assert.same({soname, "libc.so.6"}, dynamic(scratch .. "/step", "NEEDED"))
    local shared = here(("LD_LIBRARY_PATH=%s ./step"):format(lib))
    assert.equal(version .. " 1", shared:match("^%S+ %S+"))

    here("cc -static -o step-static step.c $(pkg-config --static --cflags --libs moonglass) 2>&1")
    assert.same({}, dynamic(scratch .. "/step-static", "NEEDED"))
    assert.equal(shared, here("./step-static"))
  end)

  it("links into a C program with a Lua state", function()
    here("cc -std=c11 -Wall -Wextra -Werror -o host host.c -L" .. lib ..
         " -lmoonglass_lua $(pkg-config --cflags --libs moonglass lua5.4) -Wl,-rpath," .. lib)
    assert.is_truthy(one_of(dynamic(scratch .. "/host", "NEEDED"), "^" .. soname))
    assert.equal("2 4 1\n", here(with_paths() .. "./host"))

    here(("cc -o host-module host.c -L%s/lua/5.4/moonglass -l:core.so -Wl,-rpath,%s/lua/5.4/moonglass" ..
          " $(pkg-config --cflags moonglass) $(pkg-config --cflags --libs lua5.4)"):format(lib, lib))
    assert.equal("2 4 1\n", here(with_paths() .. "./host-module"))
  end)

  it("trains in a plain lua5.4", function()
    assert.equal(version .. "\ttrue\n", here(with_paths() .. "lua5.4 train.lua"))
  end)

  it("has a program that finds its library beside itself", function()
    assert.equal(version .. "\ttrue\n", here(prefix .. "/bin/moonglass -E train.lua"))
    local found = here(prefix .. [[/bin/moonglass -E -e 'print(package.searchpath("moonglass", package.path))']])
    assert.equal(prefix .. "/share/lua/5.4/moonglass/init.lua\n", found)
  end)

  it("is removed by uninstall, with its folders, and nothing else", function()
    local mine = "lib/lua/5.4/moonglass/mine.so"
    run(("cp -a %s/moved %s/stage"):format(scratch, scratch)) -- other tests need the installation
    local stage = scratch .. "/stage/opt/moon/"
    files.write(stage .. mine, "")
    run(make .. "uninstall")
    assert.same({mine}, lines(run(("cd %s && find . ! -type d | sed 's|^./||'"):format(stage))))
    assert.is_nil(lfs.attributes(stage .. "share/lua/5.4/moonglass"))
    os.remove(stage .. mine)
    run(make .. "uninstall")
    assert.equal("", run(("find %s -name 'moonglass*'"):format(stage)))
    os.execute(("rm -rf %s/stage"):format(scratch))
  end)
end)

-- Without the network, if that is possible here.
local function offline()
  return has("unshare") and select(2, try("unshare -rn true")) == 0 and "unshare -rn " or ""
end

suite("a rock", function()
  it("is built and installed without the network, by the command in lua/doc/install.md", function()
    if not has("luarocks") then return pending("luarocks is not installed") end
    local command = assert(files.read("lua/doc/install.md"):match("\n(luarocks [^#\n]-) *#"))
    local tree = os.tmpname()
    os.remove(tree)
    run(offline() .. command .. " --tree " .. tree)
    files.write(tree .. "/train.lua", train_lua)
    local paths = run(("luarocks --lua-version 5.4 --tree %s path --no-bin"):format(tree))
    assert.equal(version .. "\ttrue\n", run(paths .. "cd " .. tree .. " && lua5.4 train.lua"))
    assert.equal(version .. "\ttrue\n", run(("cd %s && bin/moonglass -E train.lua"):format(tree)))
    os.execute("rm -rf " .. tree)
  end)
end)

suite("a tree in a folder of any name", function()
  local scratch, here

  setup(function()
    scratch = os.tmpname()
    os.remove(scratch)
    local copy = scratch .. "/x y's é"
    here = ("cd %s && "):format(quote(copy))
    run(("mkdir -p %s && cp -a build csrc lua scripts spec Makefile moonglass-scm-1.rockspec %s"):format(quote(copy),
                                                                                                     quote(copy)))
    files.write(scratch .. "/train.lua", train_lua)
  end)

  teardown(function() os.execute("rm -rf " .. scratch) end)

  -- Add a line to a file of the copy and run make. Return the output and the status.
  local function changed(path, line, arguments)
    local text = files.read(path)
    run(here .. ("printf '%%s\\n' %s >>%s"):format(quote(line), path))
    local output, status = try(here .. "make " .. (arguments or ""))
    run(here .. ("cat >%s <<'END'\n%sEND"):format(path, text))
    return output, status
  end

  it("prints a short line for each file, and the compiler's warnings and errors", function()
    local short = "CC csrc/cli/main.c\nLD build/moonglass\n"
    run(here .. "make")
    assert.equal(short, (changed("csrc/cli/main.c", "/* more */")))
    assert.equal("", (run(here .. "make -s")))
    local output, status = changed("csrc/cli/main.c", "static int nobody;")
    assert.equal(0, status)
    assert.matches("^CC csrc/cli/main.c\n.*main.c:%d+:%d+: warning: .*nobody.*\nLD build/moonglass\n$", output)
    output, status = changed("csrc/cli/main.c", "int main(;")
    assert.equal(2, status)
    assert.matches("main.c:%d+:%d+: error: ", output)
    output, status = changed("csrc/cli/main.c", "/* more */", "V=1")
    assert.equal(0, status)
    assert.matches("\n?%S+ %-std=c11 [^\n]* %-c %-o build/obj/cli/main.o csrc/cli/main.c\n", output)
    assert.is_nil(output:find("CC csrc", 1, true))
    run(here .. "make")
  end)

  it("leaves a source file that is removed out of what is linked", function()
    local extra = "csrc/engine/core/extra.c"
    local function has_it() return run(here .. "nm build/libmoonglass.a"):find("mooni_extra", 1, true) ~= nil end
    run(here .. ("echo 'int mooni_extra(void); int mooni_extra(void) { return 1; }' >%s && make"):format(extra))
    assert.is_true(has_it())
    run(here .. ("rm %s && make"):format(extra))
    assert.is_false(has_it())
    assert.equal("make: Nothing to be done for 'all'.\n", (run(here .. "make")))
  end)

  it("runs from there, and installs into another such folder", function()
    run(here .. "make")
    local program = here .. "build/moonglass -E -i </dev/null && build/moonglass -E "
    assert.matches(version .. "\ttrue\n$", run(program .. scratch .. "/train.lua"))
    assert.equal(version .. "\ttrue\n", run(here .. 'eval "$(make -s env)" && lua5.4 ../train.lua'))
    local to = scratch .. "/to y's é"
    local said = run(here .. ("make install DESTDIR=%s PREFIX=%s"):format(quote(to), quote("/my ü")))
    assert.equal(("INSTALL %s/my ü\n"):format(to), said)
    assert.equal(version .. "\ttrue\n", run(("%s -E %s/train.lua"):format(quote(to .. "/my ü/bin/moonglass"), scratch)))
    assert.equal(version .. "\n", run(("PKG_CONFIG_PATH=%s pkg-config --modversion moonglass"):format(
      quote(to .. "/my ü/lib/pkgconfig"))))
    run(here .. ("make -s uninstall DESTDIR=%s PREFIX=%s"):format(quote(to), quote("/my ü")))
    assert.equal("", run(("find %s ! -type d"):format(quote(to))))
  end)

  -- The value of a variable in make.
  local function value(name, arguments)
    return run(here .. "make -pn help " .. (arguments or "")):match("\n" .. name .. " :?= ([^\n]*)")
  end

  it("asks the compiler for BLIS, even one without -print-multiarch", function()
    local compiler = scratch .. "/cc"
    files.write(compiler, '#!/bin/sh\ncase " $* " in *" -print-multiarch "*) exit 1 ;; esac\nexec cc "$@"\n')
    run("chmod +x " .. compiler)
    local folder = value("BLIS_LIBDIR")
    assert.matches("^/.*/blis%-%a+$", folder)
    assert.equal(folder, value("BLIS_LIBDIR", "CC=" .. compiler))
    if has("clang") then assert.equal(folder, value("BLIS_LIBDIR", "CC=clang")) end
  end)

  it("names everything that is missing, and compiles nothing", function()
    for arguments, part in pairs{
      ["BLIS_LIBS=-lnoblis"] = "BLIS (tried with cc). On Debian, make deps",
      ["LUA_CFLAGS=-Ifew LUA_LIBS=-lnolua BLIS_LIBS="] = "BLIS, Lua 5.4 (",
      ["CC=nocc"] = "a C compiler with its headers (tried with nocc)",
      ["PKG_CONFIG=false BLIS_LIBS=-lnoblis"] = "BLIS, Lua 5.4, libpng, zlib, libedit (",
    } do
      local output, status = try(here .. "make CC=cc B=build/none " .. arguments)
      assert.equal(2, status)
      assert.is_truthy(output:find("missing: " .. part, 1, true), part .. " in:\n" .. output)
      assert.is_nil(output:find("CC csrc", 1, true), output)
    end
  end)
end)

suite("the rules of objects (spec/support/lint_layers.sh)", function()
  -- Run lint_layers.sh on the build, with one more object in the engine, or with another libmoonglass.so. Return its
  -- messages and its status.
  local function lint(source, library)
    local folder = os.tmpname()
    os.remove(folder)
    run(("mkdir -p %s/obj %s/lib; cp -r build/obj/engine build/obj/kernels-* build/obj/lua %s/obj"):gsub("%%s", folder))
    run(("cp -r build/lib/moonglass %s/lib; cp build/libmoonglass.so %s"):gsub("%%s", folder))
    files.write(folder .. "/more.c", source)
    run(("cc -fPIC %s -o %s/%s %s/more.c"):format(library and "-shared" or "-c", folder,
                                                 library and "libmoonglass.so" or "obj/engine/core/more.o", folder))
    local output, status = try("sh spec/support/lint_layers.sh " .. folder)
    os.execute("rm -rf " .. folder)
    return output, status
  end

  it("hold for the build", function()
    local output, status = lint("int mooni_more(void) { return 1; }")
    assert.equal("lint: the rules of layering hold\n", output)
    assert.equal(0, status)
  end)

  it("see writable state and calls that a library must not make", function()
    local output, status = lint("#include <stdlib.h>\n#include <stdio.h>\nstatic int n; _Thread_local int t;\n" ..
      "int mooni_more(void) { if (n++) abort(); return printf(\"%d\", t); }")
    assert.equal(1, status)
    for _, part in ipairs{"more.o: abort", "more.o: printf", "more.o: .bss 4 bytes", "more.o: .tbss 4 bytes"} do
      assert.is_truthy(output:find(part, 1, true), part .. " in:\n" .. output)
    end
  end)

  it("see exports that are missing or not listed, and forbidden calls", function()
    local output, status = lint("#include <stdlib.h>\n" ..
      "int moon_version(void) { return 1; }\nvoid mooni_hidden(void) { exit(2); }", true)
    assert.equal(1, status)
    for _, part in ipairs{"too many: mooni_hidden", "missing: moon_error", "libmoonglass.so calls what", "  exit"} do
      assert.is_truthy(output:find(part, 1, true), part .. " in:\n" .. output)
    end
    assert.is_nil(output:find("moon_version", 1, true))
  end)
end)

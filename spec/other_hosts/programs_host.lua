-- Programs that contain a Lua 5.4, unchanged and without a terminal: each trains a net and gives the same result.
local support = dofile "spec/other_hosts/support.lua"

local folder, net, expected

setup(function()
  folder, net = support.folder()
  expected = support.expected(folder, net)
end)

teardown(function() os.execute("rm -rf " .. folder) end)

-- Run a program that runs the probe, with a limit of seconds. Return the probe's result, else the program's output.
local function probed(command, seconds)
  local out = folder .. "/said"
  os.remove(out)
  local text = support.run(("cd '%s' && %s timeout %d %s")
    :format(folder, support.environment(net, out), seconds or 20, command))
  return support.read(out) or text
end

local function host(program, command, seconds)
  it(program, function()
    if not support.installed(program) then pending(program .. " is not installed: make deps-hosts") end
    assert.equal(expected, probed(command(), seconds))
  end)
end

local function script(name, text) return support.write(folder .. "/" .. name, text) end

describe("the probe gives the same result in", function()
  it("build/moonglass", function()
    local program = os.getenv("MOONGLASS_BIN") or support.root .. "/build/moonglass"
    assert.equal(expected, probed(("%s '%s'"):format(program, support.probe)))
  end)

  -- An answer set solver: its program is in a logic language, with functions in Lua.
  host("clingo", function()
    return "clingo " .. script("facts.lp", ('#script (lua)\ndofile("%s")\n#end.\nfact.\n'):format(support.probe))
  end)

  -- Its terminal "lua" is a script that draws. Another script can replace it.
  host("gnuplot", function() return ([[gnuplot -e 'set terminal lua "%s"']]):format(support.probe) end)

  host("mle", function() return ("mle -N -H 1 -x '%s'"):format(support.probe) end)

  host("neomutt", function() return ("neomutt -n -F /dev/null -D -e 'lua-source %s'"):format(support.probe) end)

  -- An XMPP server: its tool runs a command of a module.
  host("prosodyctl", function()
    os.execute(("mkdir -p '%s/modules' '%s/certs'"):format(folder, folder))
    script("modules/mod_probe.lua", ('function module.command() dofile("%s") end\n'):format(support.probe))
    local config = script("prosody.cfg.lua", ([[
plugin_paths = {"%s/modules"}
data_path = "%s"
VirtualHost "localhost"
]]):format(folder, folder))
    return ("prosodyctl --root --config '%s' mod_probe"):format(config)
  end)

  -- A DHCP server, killed after a second. It forks a process without open descriptors, which runs the script.
  host("dnsmasq", function()
    if support.run("id -u"):match("%d+") ~= "0" then pending("dnsmasq serves DHCP for root only") end
    local path = script("lease.lua", ('dofile("%s")\nfunction lease() end\n'):format(support.probe))
    return ("dnsmasq --no-daemon --conf-file=/dev/null --user=root --port=0 --interface=lo --bind-interfaces "
      .. "--dhcp-alternate-port=%d --dhcp-range=127.0.0.2,127.0.0.9 --dhcp-leasefile='%s/leases' --dhcp-luascript='%s'")
      :format(math.random(20000, 60000), folder, path)
  end, 1)
end)

it("another version of Lua gets an error and goes on", function()
  if not support.installed("lua5.1") then pending("lua5.1 is not installed") end
  local text, status = support.run(([[lua5.1 -e 'package.cpath = "%s/build/lib/?.so"
    local ok, message = pcall(require, "moonglass.core")
    print(ok, message)']]):format(support.root))
  assert.equal(0, status)
  assert.matches("^false", text)
  assert.matches("undefined symbol: lua", text)
end)

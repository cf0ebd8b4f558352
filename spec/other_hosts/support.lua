-- Shared by the specs of other hosts: folders, commands with an environment, the probe's result in a plain Lua.
local lfs = require "lfs"
local files = dofile "spec/support/files.lua"

local support = {}

local root = lfs.currentdir()
local lua = os.getenv("LUA") or "lua5.4"

--- Wait some seconds until a condition holds.
function support.eventually(seconds, condition)
  for _ = 1, seconds * 50 do
    if condition() then return true end
    os.execute("sleep 0.02")
  end
  return false
end

support.read = files.read_if_there

function support.write(path, text)
  files.write(path, text)
  return path
end

--- Run a shell command. Return the output of both streams and the exit status.
function support.run(command)
  local pipe = assert(io.popen("{ " .. command .. "\n} 2>&1 </dev/null", "r"))
  local text = pipe:read("a")
  local _, _, status = pipe:close()
  return text, status
end

function support.installed(program) return os.execute(("command -v %s >/dev/null"):format(program)) == true end

--- Make a temporary folder with a net, trained by the server's script on the first data set found.
function support.folder()
  local path = support.run("mktemp -d"):match("%S+")
  local net = path .. "/net.safetensors"
  local text, status = support.run(("%s scripts/hosts/lighttpd/train.lua %s 4000"):format(lua, net))
  assert(status == 0, text)
  return path, net
end

--- The first words of a command that runs the probe in a host.
function support.environment(net, out)
  return ("MOONGLASS_SHAPES='%s/spec/fixtures/shapes' MOONGLASS_NET='%s' MOONGLASS_PROBE_OUT='%s'")
    :format(root, net, out)
end

support.root = root
support.probe = root .. "/spec/other_hosts/probe.lua"

--- The probe's result in a plain lua5.4.
function support.expected(folder, net)
  local out = folder .. "/expected"
  local text, status = support.run(("%s %s %s"):format(support.environment(net, out), lua, support.probe))
  assert(status == 0, text)
  return assert(support.read(out))
end

return support

-- Runs busted under the Lua that runs this file, whatever the command `busted` would start. reporter.lua prints.

-- Sanitizers are preloaded into this Lua. Programs that specs start must not inherit them: curl, for example, hangs.
if os.getenv("LD_PRELOAD") then
  local popen, execute = io.popen, os.execute
  io.popen = function(command, ...) return popen("unset LD_PRELOAD\n" .. command, ...) end -- luacheck: ignore 122
  os.execute = function(command) return execute(command and "unset LD_PRELOAD\n" .. command) end -- luacheck: ignore 122
end

require "busted.runner" {standalone = false, output = "spec/support/reporter.lua"}

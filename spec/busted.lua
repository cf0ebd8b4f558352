-- Runs busted under the Lua that runs this file, whatever the command `busted` would start.
require "busted.runner" {standalone = false}

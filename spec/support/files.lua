-- Reads and writes whole files, runs commands, makes folders: dofile "spec/support/files.lua".
local files = {}

function files.read(path)
  local file = assert(io.open(path, "rb"))
  local text = assert(file:read("a"))
  file:close()
  return text
end

-- nil if there is no file.
function files.read_if_there(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

function files.write(path, ...)
  local file = assert(io.open(path, "wb"))
  assert(file:write(...))
  assert(file:close())
end

-- A text quoted as one word for the shell.
function files.quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Run a command without input. Return its standard output, standard error and exit status.
function files.run(command)
  local out, err = os.tmpname(), os.tmpname()
  local _, _, status = os.execute(("%s >%s 2>%s </dev/null"):format(command, out, err))
  local output, errors = files.read(out), files.read(err)
  os.remove(out)
  os.remove(err)
  return output, errors, status
end

--- Make a folder. Return its path and a function that removes it with its contents.
function files.folder()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkdir " .. path))
  return path, function() assert(os.execute("rm -r " .. path)) end
end

--- Call test(path) with the path of a new file in a temporary folder, which is removed afterwards.
function files.temporary(test)
  local folder, remove = files.folder()
  local ok, message = pcall(test, folder .. "/file")
  remove()
  if not ok then error(message, 0) end
end

--- Resident memory of this process in kilobytes.
function files.resident()
  return 4 * tonumber(files.read("/proc/self/statm"):match("^%d+ (%d+)"))
end

return files

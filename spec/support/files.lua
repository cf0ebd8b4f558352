-- Reads and writes whole files, runs commands, makes folders: dofile "spec/support/files.lua".
local files = {}

function files.read(path)
  local file = assert(io.open(path, "rb"))
  local text = assert(file:read("a"))
  file:close()
  return text
end

-- nil where there is no file.
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

-- A text as one word of the shell's.
function files.quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Run a command without input: its standard output, standard error and exit status.
function files.run(command)
  local out, err = os.tmpname(), os.tmpname()
  local _, _, status = os.execute(("%s >%s 2>%s </dev/null"):format(command, out, err))
  local output, errors = files.read(out), files.read(err)
  os.remove(out)
  os.remove(err)
  return output, errors, status
end

--- A new folder, and what removes it with all that is in it.
function files.folder()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkdir " .. path))
  return path, function() assert(os.execute("rm -r " .. path)) end
end

--- test(path), with the name of a file, not there yet, in a folder that is gone afterwards.
function files.temporary(test)
  local folder, remove = files.folder()
  local ok, message = pcall(test, folder .. "/file")
  remove()
  if not ok then error(message, 0) end
end

--- Kilobytes of this process that are resident.
function files.resident()
  return 4 * tonumber(files.read("/proc/self/statm"):match("^%d+ (%d+)"))
end

return files

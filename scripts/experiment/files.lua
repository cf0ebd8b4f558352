--- The folders and files of an experiment. Functions return true | nil, message.
local lfs = require "lfs"
local library = require "moonglass.support.files"

local files = {}

local function is_folder(path) return lfs.attributes(path, "mode") == "directory" end

--- Is there a file?
function files.exists(path) return lfs.attributes(path, "mode") == "file" end

--- Makes the folder and its parents.
function files.make_folder(path)
  if is_folder(path) then return true end
  local above = path:match("^(.*[^/])/+[^/]+/*$")
  if above then
    local ok, message = files.make_folder(above)
    if not ok then return nil, message end
  end
  local ok, message = lfs.mkdir(path)
  if ok or is_folder(path) then return true end
  return nil, ("cannot make the folder %s: %s"):format(path, message)
end

--- Can files be written in the folder? This is checked before the training.
function files.check_writable(folder)
  local path = folder .. "/.moonglass-probe"
  local file, message = io.open(path, "wb")
  if not file then return nil, ("cannot write in the folder %s: %s"):format(folder, message) end
  file:close()
  os.remove(path)
  return true
end

--- Removes the folder's files whose names match the pattern.
function files.remove_all(folder, pattern)
  local names = {}
  for name in lfs.dir(folder) do
    if name:find(pattern) then names[#names + 1] = name end
  end
  for _, name in ipairs(names) do
    local ok, message = os.remove(folder .. "/" .. name)
    if not ok then return nil, message end
  end
  return true
end


files.read = library.read

--- Writes a file that appears whole or not at all.
files.write = library.write

-- A field with a comma, a quote or a line break is quoted (RFC 4180).
local function csv_field(v)
  local text = math.type(v) == "float" and ("%.9g"):format(v) or tostring(v)
  if text:find('[,"\r\n]') then text = '"' .. text:gsub('"', '""') .. '"' end
  return text
end

--- A list of rows as CSV. The first row has the names.
function files.csv(rows)
  local lines = {}
  for i, row in ipairs(rows) do
    local fields = {}
    for k, v in ipairs(row) do fields[k] = csv_field(v) end
    lines[i] = table.concat(fields, ",")
  end
  return table.concat(lines, "\n") .. "\n"
end

return files

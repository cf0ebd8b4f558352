--- The functions that open files: the core's, and files.read. In a host that opened Moonglass without files they return
-- nil, message, code, as for a file that cannot be read.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local host = require "moonglass.support.host"

local files = {}

local can_open = core.info().files
local has_io = host.io and host.io.open ~= nil

--- In words, why the function `what` cannot work here; nil if it can. needs_io: it needs Lua's io library too.
function files.lacking(what, needs_io)
  if not can_open then return what .. ": this host has opened Moonglass without files" end
  if needs_io and not has_io then return what .. ": this host has no io library" end
end

--- The same as a result: nil, message, code.
function files.refuse(what, needs_io) return nil, files.lacking(what, needs_io), "I/O" end

-- Puts the core's function of a path into `files`, or a function that refuses.
local function of_core(name, what)
  local f = core[name] or function() return files.refuse(what) end
  files[name] = function(path, ...)
    checks.path(what, path)
    return errors.guard_as(what, name, f, path, ...)
  end
end

of_core("file_kind", "file_kind")
of_core("file_access", "file_access")

-- In words, why Lua must not open the path, or rename to it: it is not a regular file. nil if it may. (Opening a FIFO
-- would wait for the other side, and a rename would replace a device by a file.)
local function in_the_way(path, action)
  local kind = files.file_kind(path)
  if not kind or kind == "file" or kind == "link" then return nil end -- a link to nothing: its file will be made
  return ("cannot %s '%s': %s"):format(action, path, kind == "folder" and "Is a directory" or "not a regular file")
end

of_core("folder_list", "data.images")
of_core("picture_kind", "data.images")
of_core("idx_load", "data.idx")

--- In words, why the file cannot be written; nil if it probably can. in_place: an existing file is opened, not
-- replaced.
function files.unwritable(path, in_place)
  local obstacle = in_the_way(path, "write")
  if obstacle then return obstacle end
  local ok, message = files.file_access(path, in_place)
  return not ok and ("cannot write '%s': %s"):format(path, message) or nil
end

--- The bytes of a regular file | nil, message, code. what: the function that the user called.
function files.read(what, path)
  if files.lacking(what, true) then return files.refuse(what, true) end
  checks.path(what, path)
  local obstacle = in_the_way(path, "read")
  if obstacle then return nil, obstacle, "I/O" end
  local file, message = host.io.open(path, "rb")
  if not file then return nil, ("cannot read '%s': %s"):format(path, message:sub(#path + 3)), "I/O" end
  local bytes
  bytes, message = file:read("a")
  file:close()
  if bytes then return bytes end
  return nil, ("cannot read '%s': %s"):format(path, message), "I/O"
end

---Read an NPY file, numpy's format. `moon.data.npy` is the same.
---@name moon.npy.load(path)
---@param path string
---@return moonglass.Tensor? tensor nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
of_core("npy_load", "npy.load")

of_core("npy_save", "npy.save")

---Read a PNG file.
---@name moon.png.read(path)
---@param path string
---@return moonglass.Tensor? picture uint8 [height x width] or [height x width x channels]; nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
of_core("png_read", "png.read")

of_core("png_write", "png.write")

---Read all tensors of a file. Floats of 16 and 64 bits become float32. Tensors of 1 MB or more of float32 or bytes are
---mapped, not copied: they may be larger than memory.
---@name moon.safetensors.load(path)
---@param path string
---@return table<string, moonglass.Tensor>? tensors nil if it cannot be read
---@return table<string, string>|string metadata the file's texts; or the message
---@return string[]|moonglass.Code names the tensors' names in the file's order; or the code
of_core("safetensors_load", "safetensors.load")

---Write tensors, in the order of their names. Writing is atomic: the file is complete, or as it was.
---@name moon.safetensors.save(path, tensors, metadata)
---@param path string
---@param tensors table<string, moonglass.Tensor>
---@param metadata table<string, string>?
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
of_core("safetensors_save", "safetensors.save")
of_core("load_net", "load")
of_core("file_rotate", "checkpoint")

local file_write = core.file_write

--- Writes a text, or a list of texts one after the other, to a file that appears whole or not at all.
-- true | nil, message, code
function files.write(path, content)
  if not file_write then return files.refuse("write") end
  return file_write(path, type(content) == "table" and content or {content})
end

local npy_save, png_write = files.npy_save, files.png_write

---Write a tensor as NPY, numpy's format: float32 as `<f4`, bytes as `|u1`. Writing is atomic: the file is complete, or
---as it was.
---@name moon.npy.save(path, tensor)
---@param path string
---@param tensor moonglass.Tensor
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function files.npy_save(path, tensor)
  checks.path("npy.save", path)
  checks.is_tensor("npy.save", "tensor", tensor)
  return npy_save(path, tensor)
end

---Write a PNG file. Writing is atomic: the file is complete, or as it was.
---@name moon.png.write(path, picture)
---@param path string
---@param picture moonglass.Tensor uint8 [height x width] or [height x width x channels], as `moon.image` makes it
---@return true? ok nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function files.png_write(path, picture)
  checks.path("png.write", path)
  checks.is_tensor("png.write", "picture", picture)
  return png_write(path, picture)
end

--- A number as text for a file or another program: always with a decimal point, whatever the host's locale has.
function files.number(format, v) return (format:format(v):gsub(",", ".")) end

return files

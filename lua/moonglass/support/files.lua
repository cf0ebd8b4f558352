--- All that opens files: the core's functions, and Lua's io.open for reading and for adding to the end; in a host that
-- has opened Moonglass without files, stand-ins that say so: nil, message, code, as when a file cannot be read or
-- written.
local checks = require "moonglass.support.checks"
local core = require "moonglass.core"
local errors = require "moonglass.support.errors"
local host = require "moonglass.support.host"

local files = {}

local can_open = core.info().files
local has_io = host.io and host.io.open ~= nil

--- Why `what` cannot work here, in words; nil if it can. With true as well, it needs Lua's io library.
function files.lacking(what, needs_io)
  if not can_open then return what .. ": this host has opened Moonglass without files" end
  if needs_io and not has_io then return what .. ": this host has no io library" end
end

--- The same as a result: nil, message, code.
function files.refuse(what, needs_io) return nil, files.lacking(what, needs_io), "I/O" end

-- The core's function of a path, or what says that there is none.
local function of_core(name, what)
  local f = core[name] or function() return files.refuse(what) end
  files[name] = function(path, ...)
    checks.path(what, path)
    return errors.guard_as(what, name, f, path, ...)
  end
end

of_core("file_kind", "file_kind")
of_core("file_access", "file_access")

-- Why Lua should not open the path for writing, or rename to it, in words: what is there is no file. nil if it may.
-- (Opening a FIFO would wait for whoever reads it, and a rename puts a file in the place of a device.)
local function in_the_way(path)
  local kind = files.file_kind(path)
  if not kind or kind == "file" or kind == "link" then return nil end -- a link that leads nowhere: its file is made
  return ("cannot write '%s': %s"):format(path, kind == "folder" and "Is a directory" or "not a regular file")
end

of_core("idx_load", "data.idx")

--- Why no file can be written under this path, in words; nil if nothing speaks against it. in_place: a file that is
-- there is opened, and not replaced by another one.
function files.unwritable(path, in_place)
  local obstacle = in_the_way(path)
  if obstacle then return obstacle end
  local ok, message = files.file_access(path, in_place)
  return not ok and ("cannot write '%s': %s"):format(path, message) or nil
end

---Read a PNG file.
---@name moon.png.read(path)
---@param path string
---@return moonglass.Tensor? picture uint8 [height x width] or [height x width x channels]; nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
of_core("png_read", "png.read")

of_core("png_write", "png.write")

---Read all tensors of a file. Floats of 16 and 64 bits become float32.
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

--- A text, or a list of texts one after the other, as a file that appears whole or not at all.
-- true | nil, message, code
function files.write(path, content)
  if not file_write then return files.refuse("write") end
  return file_write(path, type(content) == "table" and content or {content})
end

local png_write = files.png_write

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

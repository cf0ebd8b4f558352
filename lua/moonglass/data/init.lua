--- moon.data: data sets, read from files or drawn. A reader of a few lines stands in this file. A longer one has its
-- own file in this folder, and its name in the list below.
--   images, labels = assert(moon.data.mnist("train"))
--   x, y = moon.data.spirals{n = 100, classes = 3, noise = 0.2, seed = 1}
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"

---Data sets.
---@class moonglass.data
local data = {}

for _, name in ipairs{"csv", "images", "mnist", "synthetic"} do
  for reader, f in pairs(require("moonglass.data." .. name)) do data[reader] = f end
end

---Read an IDX file, plain or gzipped, as a tensor of the file's shape. Bytes stay bytes.
---@param path string
---@return moonglass.Tensor? tensor nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
function data.idx(path) return errors.guard(files.idx_load, path) end

---Read an NPY file, numpy's format, as a tensor of the file's shape: every type of numbers, either order of bytes and
---of indices. Bytes (`uint8`) stay bytes; all others become float32, which rounds whole numbers beyond 2^24. 1 MB or
---more of float32 or bytes in C's order is mapped, not copied: it may be larger than memory.
---@param path string
---@return moonglass.Tensor? tensor nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
function data.npy(path) return errors.guard_as("data.npy", "npy.load", files.npy_load, path) end

return data

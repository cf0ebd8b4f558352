--- moon.data: data sets, read from files or drawn.
--   images, labels = assert(moon.data.mnist("train"))
--   x, y = moon.data.spirals{n = 100, classes = 3, noise = 0.2, seed = 1}
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local mnist = require "moonglass.data.mnist"
local synthetic = require "moonglass.data.synthetic"

---Data sets.
---@class moonglass.data
local data = {
  mnist = mnist.load, find = mnist.find, classes = mnist.classes,
  spirals = synthetic.spirals, circles = synthetic.circles, blobs = synthetic.blobs,
}

---Read an IDX file, plain or gzipped, as a tensor of the file's shape. Bytes stay bytes.
---@param path string
---@return moonglass.Tensor? tensor nil if it cannot be read
---@return string? message
---@return moonglass.Code? code
function data.idx(path) return errors.guard(files.idx_load, path) end

return data

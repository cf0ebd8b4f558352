--- Data: sets in files, and sets that are drawn.
--   images, labels = assert(moon.data.mnist("train"))
--   x, y = moon.data.spirals{n = 100, classes = 3, noise = 0.2, seed = 1}
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"
local mnist = require "moonglass.data.mnist"
local synthetic = require "moonglass.data.synthetic"

local data = {
  mnist = mnist.load, find = mnist.find, classes = mnist.classes,
  spirals = synthetic.spirals, circles = synthetic.circles, blobs = synthetic.blobs,
}

--- An IDX file, plain or gzipped, as a tensor of the file's own shape; bytes stay bytes.
-- tensor | nil, message, code
function data.idx(path) return errors.guard(files.idx_load, path) end

return data

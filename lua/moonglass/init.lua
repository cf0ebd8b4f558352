--- Moonglass: an engine for autoencoders.   local moon = require "moonglass"
-- This file only gathers: the core's tensors, layers, losses and optimizers by name, and the modules of this folder.
local arity = require "moonglass.support.arity"
local core = require "moonglass.core"
local files = require "moonglass.support.files"
require "moonglass.support.hints" -- for the program, which looks for it among what is loaded

---An engine for autoencoders: `local moon = require "moonglass"`.
---@class moonglass
---@field interactive boolean? true: `fit` reports as on a terminal (verbose = 1) unless told otherwise; sessions set it
local moon = {}
for name in pairs(core.public) do moon[name] = core[name] end

moon.sequential = require "moonglass.net.sequential"
moon.autoencoder = require "moonglass.models.autoencoder"
moon.branches = require "moonglass.net.branches"
moon.callbacks = require "moonglass.net.callbacks"
moon.checkpoint = require "moonglass.net.checkpoint"
moon.gradcheck = require "moonglass.net.gradcheck"
moon.data = require "moonglass.data"
moon.detector = require "moonglass.models.detector"
moon.dictionary = require "moonglass.models.dictionary"
for name, f in pairs(require("moonglass.net.load").moon) do moon[name] = f end
moon.heads = require("moonglass.net.heads").make
moon.image = require "moonglass.pictures.image"
moon.metrics = require "moonglass.models.metrics"
moon.knn = require("moonglass.models.knn").knn
moon.onnx = require "moonglass.formats.onnx"
moon.probe = require "moonglass.models.probe"
moon.source = require("moonglass.data.source").source
moon.pca = require "moonglass.models.pca"
moon.page = require "moonglass.pictures.page"
moon.plot = require "moonglass.plot"
moon.scaler = require "moonglass.models.scaler"
moon.set_log = require("moonglass.support.log").set_log

---PNG files.
---@class moonglass.png
moon.png = {read = files.png_read, write = files.png_write, decode = core.png_decode, encode = core.png_encode}

---NPY files, numpy's format of one array.
---@class moonglass.npy
moon.npy = {load = files.npy_load, save = files.npy_save}

---Safetensors files, ours and those of other programs.
---@class moonglass.safetensors
moon.safetensors = {
  load = files.safetensors_load, save = files.safetensors_save,
  decode = core.safetensors_decode, encode = core.safetensors_encode,
}

---Print the documentation of a function, a class or an object, by name or by value: `moon.help "zeros"`,
---`moon.help(net.fit)`, in a session also `? zeros`. Without an argument it tells how to ask.
---@param x any
function moon.help(x) require("moonglass.help").show(x) end

---Show a picture in the terminal: by kitty's, iTerm2's or sixel graphics if the environment names such a terminal, else
---by coloured half blocks, else by plain text. A matrix is one picture, unless its rows are squares: [n x 784] is n
---tiles.
---@param t moonglass.Tensor [h x w], [n x h*w], [n x h x w], [h*w], or bytes [h x w x 3]; floats from 0 to 1
---@param options moonglass.ShowOptions?
---@return true? ok with `save`: nil if it cannot be written
---@return string? message
---@return moonglass.Code? code
function moon.show(t, given) return require("moonglass.pictures.show")(t, given) end

arity.check_all(moon)
arity.check_class(core.methods["moonglass.net"])

return moon

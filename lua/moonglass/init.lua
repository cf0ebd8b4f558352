--- Moonglass: an engine for autoencoders.   local moon = require "moonglass"
-- This file only gathers: the core's tensors, layers, losses and optimizers by name, and the modules of this folder.
local core = require "moonglass.core"
local counted = require "moonglass.support.counted"
local files = require "moonglass.support.files"
require "moonglass.support.hints" -- for the program, which looks for it among what is loaded

local moon = {}
for name in pairs(core.public) do moon[name] = core[name] end

moon.sequential = require "moonglass.net.sequential"
moon.autoencoder = require "moonglass.models.autoencoder"
moon.callbacks = require "moonglass.net.callbacks"
moon.checkpoint = require "moonglass.net.checkpoint"
moon.gradcheck = require "moonglass.net.gradcheck"
moon.data = require "moonglass.data"
moon.dictionary = require "moonglass.models.dictionary"
moon.load = require("moonglass.net.load").moon.load
moon.image = require "moonglass.pictures.image"
moon.metrics = require "moonglass.models.metrics"
moon.knn = require("moonglass.models.knn").knn
moon.onnx = require "moonglass.formats.onnx"
moon.probe = require "moonglass.models.probe"
moon.pca = require "moonglass.models.pca"
moon.page = require "moonglass.pictures.page"
moon.plot = require "moonglass.plot"
moon.set_log = require("moonglass.support.log").set_log

moon.png = {read = files.png_read, write = files.png_write, decode = core.png_decode, encode = core.png_encode}
moon.safetensors = {load = files.safetensors_load, save = files.safetensors_save}

--- Documentation of a function, a class or an object, by name or by value; without an argument, how to ask.
function moon.help(x) require("moonglass.help").show(x) end

--- A tensor as a picture, in the terminal or in a file; see show.lua.
function moon.show(t, given) return require("moonglass.pictures.show")(t, given) end

counted.all(moon)
counted.class(core.methods["moonglass.net"])

return moon

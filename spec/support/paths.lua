-- Every function that takes the path of a file, each with one entry. From it come paths that are no files
-- (hostile/paths.lua), damaged files and files with code in them (damaged_files_spec), refused memory
-- (hostile/refusals.lua), a host without files (no_files_spec), and fuzzing (fuzz/readers.lua). registry_spec names
-- what has no entry.
--   local paths = dofile("spec/support/paths.lua")(moon)
--   paths.entries[name]   by the name in the annotations, "moon.png.read" or "Net:save"
--   paths.names, paths.readers   their names, sorted; readers are those of files with a sample
--   entry.read(o, path), entry.write(o, path)   the call; o is paths.objects()
--   entry.sample(o, path)   writes a file for `read`; or entry.bytes: the bytes of such a file
--   entry.gives(result)     does the result have the contents of the sample?
--   entry.raises            a callback, which raises an error if it cannot write
--   entry.folder            the path is a folder's
--   entry.draws             starts gnuplot
local files = dofile "spec/support/files.lua"

return function(moon)
  local paths = {}

  --- Small objects. Only Net:load changes them.
  function paths.objects()
    moon.seed(2)
    return {
      net = moon.sequential{moon.dense(4, 2, {activation = "tanh"}), moon.dense(2, 4)}, opt = moon.adam(),
      x = moon.rand(4, 4), points = moon.rand(4, 2), labels = moon.tensor({0, 1, 0, 1}, {dtype = "uint8"}),
    }
  end

  local function save_net(o, path) return o.net:save(path) end
  local function save_detector(o, path)
    local d = moon.detector({o.net, o.net}, {
      scaler = moon.scaler(o.x), columns = {"a", "b=x", "b=y", "c"}, categories = {b = {"x", "y"}}, low = {0, 0, 0, 0},
      high = {1, 1, 1, 1},
    })
    d.threshold = 0.5
    return d:save(path)
  end
  local function save_tensors(o, path) return moon.safetensors.save(path, {x = o.x, y = o.labels}, {key = "text"}) end
  local function save_checkpoint(o, path)
    local history = {loss = {1}, val_loss = {}, epoch_seconds = {0}, epochs = 1}
    return moon.checkpoint.save(path, {net = o.net, opt = o.opt, epoch = 1, seed = 1, history = history})
  end
  local function save_npy(o, path) return moon.npy.save(path, o.x) end
  local function write_png(o, path) return moon.png.write(path, o.x) end

  -- Fit with a callback. If the callback cannot write, return nil, message, code.
  local function fit_with(make)
    return function(o, path)
      local ok, message = pcall(function()
        o.net:fit(o.x, {loss = "mse", verbose = 0, callbacks = {make(path, o)}})
      end)
      if ok then return true end
      return nil, message, "I/O"
    end
  end

  -- The same for a resumed fit, which continues the file.
  local function resume_with(make)
    return function(o, path)
      local beside = os.tmpname()
      assert(save_checkpoint(o, beside))
      local c = assert(moon.checkpoint.load(beside))
      os.remove(beside)
      local ok, message = pcall(c.net.fit, c.net, o.x, {loss = "mse", epochs = 2, verbose = 0, resume = c,
        callbacks = {make(path, o)}})
      if ok then return true end
      return nil, message, "I/O"
    end
  end

  local function csv_logger(path) return moon.callbacks.csv_logger(path) end

  paths.entries = {
    -- readers
    ["moon.load"] = {read = function(_, path) return moon.load(path) end, sample = save_net},
    ["moon.load, a detector"] = {
      read = function(_, path) return moon.load(path) end, sample = save_detector,
      gives = function(d) return d.threshold == 0.5 and #d.nets == 2 and d.columns[3] == "b=y" end,
    },
    ["Net:load"] = {read = function(o, path) return o.net:load(path) end, sample = save_net},
    ["moon.safetensors.load"] = {
      read = function(_, path)
        local tensors, metadata, code = moon.safetensors.load(path)
        if tensors then return {tensors, metadata} end
        return nil, metadata, code
      end,
      sample = save_tensors,
    },
    ["moon.checkpoint.load"] = {
      read = function(_, path) return moon.checkpoint.load(path) end, sample = save_checkpoint,
    },
    ["moon.checkpoint.latest"] = {
      read = function(_, path) return moon.checkpoint.latest(path) end, sample = save_checkpoint,
    },
    ["moon.data.idx"] = {
      read = function(_, path) return moon.data.idx(path) end, bytes = "\0\0\8\2\0\0\0\2\0\0\0\3abcdef",
      gives = function(t) return t == moon.tensor({{97, 98, 99}, {100, 101, 102}}, {dtype = "uint8"}) end,
    },
    ["moon.data.npy"] = {
      read = function(_, path) return moon.data.npy(path) end,
      bytes = "\x93NUMPY\1\0\62\0{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3)}     \na\0b\0c\0d\0e\0f\0",
      gives = function(t) return t == moon.tensor{{97, 99, 101}, {98, 100, 102}} end,
    },
    ["moon.npy.load"] = {read = function(_, path) return moon.npy.load(path) end, sample = save_npy},
    ["moon.data.csv"] = {
      read = function(_, path) return moon.data.csv(path) end, bytes = "a,b\n1,2\n3,\n",
      gives = function(t) return t[1] == moon.tensor{1, 2} and t[2][1] == 3 and t[2][2] ~= t[2][2] end,
    },
    ["moon.png.read"] = {read = function(_, path) return moon.png.read(path) end, sample = write_png},
    ["moon.data.mnist"] = {read = function(_, path) return moon.data.mnist(path, "test") end, folder = true},
    ["moon.data.images"] = {read = function(_, path) return moon.data.images(path) end, folder = true},
    ["moon.data.find"] = {read = function(_, path) return moon.data.find(path) end, folder = true},
    -- writers
    ["Net:save"] = {write = save_net},
    ["Detector:save"] = {write = save_detector},
    ["moon.safetensors.save"] = {write = save_tensors},
    ["moon.checkpoint.save"] = {write = save_checkpoint},
    ["moon.npy.save"] = {write = save_npy},
    ["moon.png.write"] = {write = write_png},
    ["moon.onnx.export"] = {write = function(o, path) return moon.onnx.export(path, o.net) end},
    ["moon.plot.lines"] = {draws = true, write = function(_, path) return moon.plot.lines(path, {{y = {1, 2}}}) end},
    ["moon.plot.bars"] = {draws = true, write = function(_, path) return moon.plot.bars(path, {"a"}, {{y = {1}}}) end},
    ["moon.plot.histogram"] = {
      draws = true, write = function(_, path) return moon.plot.histogram(path, {{values = {1, 2}}}) end,
    },
    ["moon.plot.scatter"] = {draws = true, write = function(o, path) return moon.plot.scatter(path, o.points) end},
    ["moon.plot.regions"] = {
      draws = true, write = function(o, path)
        return moon.plot.regions(path, function(points) return points:sum(2):ge(1) end, o.points, o.labels)
      end,
    },
    ["moon.plot.panels"] = {
      draws = true, write = function(_, path) return moon.plot.panels(path, {{series = {{y = {1, 2}}}}}) end,
    },
    ["moon.callbacks.csv_logger"] = {write = fit_with(csv_logger), raises = true},
    ["moon.callbacks.csv_logger, resumed"] = {write = resume_with(csv_logger), raises = true},
    ["moon.callbacks.checkpoint"] = {
      write = fit_with(function(path) return moon.callbacks.checkpoint(path) end), raises = true,
    },
    ["moon.callbacks.reconstructions"] = {
      write = fit_with(function(path, o) return moon.callbacks.reconstructions(path, o.x) end),
      raises = true, folder = true,
    },
  }

  paths.names, paths.readers = {}, {}
  for name, entry in pairs(paths.entries) do
    table.insert(paths.names, name)
    if entry.sample or entry.bytes then table.insert(paths.readers, name) end
  end
  table.sort(paths.names)
  table.sort(paths.readers)

  -- Parameters of these names are paths, but for two functions: an address in a page; one that gives no message.
  local parameters = {path = true, folder = true, dir = true, file = true, filename = true}
  local no_file = {["Page:link"] = true, ["moon.data.classes"] = true}

  --- Does a function, as the annotations have it, take the path of a file?
  function paths.taken_by(f)
    for _, p in ipairs(f.params) do
      if parameters[p.name] then return not no_file[f.path] end
    end
    return false
  end

  --- Write the sample of a reader: true, or nil and a message.
  function paths.write_sample(entry, o, path)
    if entry.sample then return entry.sample(o, path) end
    files.write(path, entry.bytes)
    return true
  end

  return paths
end

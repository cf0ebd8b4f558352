-- Make the seeds, small files of every kind: build/moonglass spec/fuzz/make_seeds.lua [folder]. Findings of the fuzzer
-- are added by hand; their names say what was wrong.
local lfs = require "lfs"
local files = dofile "spec/support/files.lua"
local sorted_keys = dofile "spec/support/sorted_keys.lua"
local moon = require "moonglass"

local folder = arg and arg[1] or "spec/fuzz/seeds"

-- Existing seeds are not overwritten.
local function seed(target, name, bytes)
  local path = ("%s/%s/%s"):format(folder, target, name)
  lfs.mkdir(folder .. "/" .. target)
  if not files.read_if_there(path) then files.write(path, bytes) end
end

-- ---- IDX ----

local function idx(type, format, shape, values)
  local parts = {"\0\0", string.char(type, #shape)}
  for _, n in ipairs(shape) do parts[#parts + 1] = (">I4"):pack(n) end
  for _, v in ipairs(values) do parts[#parts + 1] = format:pack(v) end
  return table.concat(parts)
end

local idx_files = {
  bytes_2x3 = idx(0x08, "B", {2, 3}, {0, 1, 127, 128, 254, 255}),
  signed_bytes = idx(0x09, "b", {4}, {0, 1, -128, 127}),
  int16_1x3x1 = idx(0x0B, ">i2", {1, 3, 1}, {1, -257, 32767}),
  int32 = idx(0x0C, ">i4", {2}, {65536, -2}),
  float_4_dimensions = idx(0x0D, ">f", {1, 1, 1, 2}, {1, -2.5}),
  double = idx(0x0E, ">d", {2}, {-0.75, 1e300}),
  no_rows = idx(0x08, "B", {0, 28}, {}),
  claims_2_to_31_images = idx(0x08, "B", {1 << 31, 28, 28}, {1, 2}),
}
for name, bytes in pairs(idx_files) do
  seed("idx", name, bytes)
  seed("idx_gz", name .. "_one_member", "\0" .. bytes)
  seed("idx_gz", name .. "_two_members", "\8" .. bytes)
end
local packed = os.tmpname()
files.write(packed, idx_files.bytes_2x3)
seed("idx_gz", "as_gzip_packs_it", (files.run(("gzip -nc %s"):format(packed))))
seed("idx_gz", "named_as_gzip_packs_it", (files.run(("gzip -Nc %s"):format(packed))))
seed("idx_gz", "wrong_checksum", "\x80" .. idx_files.int32)

-- ---- NPY ----

local function npy(descr, order, shape, values, version)
  local header = ("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n"):format(descr, order, shape)
  version = version or 1
  return "\x93NUMPY" .. string.char(version, 0) .. (version == 1 and "<s2" or "<s4"):pack(header) .. values
end

for _, kind in ipairs{"b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8"} do
  local size = math.tointeger(kind:sub(2))
  local values = ("\0\x3c\x80\xff\1\x7f\0\xc0"):rep(6):sub(1, 6 * size)
  seed("npy", "little_" .. kind, npy("<" .. kind, "False", "(2, 3)", values))
  seed("npy", "big_" .. kind, npy(">" .. kind, "True", "(2, 3)", values, 2))
end
seed("npy", "no_dimensions", npy("|u1", "False", "()", "\7", 3))
seed("npy", "four_dimensions", npy("|u1", "True", "(2, 1, 3, 2)", ("abc"):rep(4)))
seed("npy", "no_rows", npy("<f4", "False", "(0, 28)", ""))
seed("npy", "python_2", npy("|i1", "False", "(2L,)", "ab"))
seed("npy", "claims_2_to_31_rows", npy("<f8", "True", "(2147483648, 2147483648)", "ab"))
seed("npy", "records", npy("x", "False", "(1,)", "ab"):gsub("'x'", "[('a', '<f4')]"))
seed("npy", "objects", npy("|O", "False", "(1,)", "\x80\4K\1."))

-- ---- CSV ----

-- The first byte chooses the options, as in csv.c: 3 finds out all.
for name, bytes in pairs{
  names = "\3a,b,c\n1,2,3\n4,5.5,-6e-3\n", no_names = "\3" .. "1,2\n3,4", semicolons = "\3a;b\n1,5;2\n3;4,25\n\n",
  quotes = '\3"a","b ""c""\nd"\r\n"1", "2" \r\n', missing = "\3a,b\n?,NaN\n,NA\n", tabs = "\3a\tb\n1\t1,234\n",
  bad_cells = "\3a,b\n1,x\n1,2\n3\n\n4,1e400\n5,\"6\n", chosen = "\27a,b,c\n1,2,x\n3,4,y\n",
  categories = "\51a,b,c\n1,x,3\n2,yy,4\n", given = "\115a,b,c\n1,x,3\n2,zz,4\n", followed = "\131a,b\n1,2\n3,",
  long_numbers = "\3" .. "0.1000000000000000055511151231257827,123456789012345678901234567890\n1e-320,4.9e-324\n",
} do seed("csv", name, bytes) end
files.write(packed, "a,b\n1,2\n3,4\n")
seed("csv", "gzip", "\3" .. (files.run(("gzip -nc %s"):format(packed))))
os.remove(packed)

-- ---- PNG ----

local function crc32(text)
  local crc = 0xffffffff
  for i = 1, #text do
    crc = crc ~ text:byte(i)
    for _ = 1, 8 do crc = crc & 1 == 1 and (crc >> 1) ~ 0xedb88320 or crc >> 1 end
  end
  return crc ~ 0xffffffff
end

local function adler32(text)
  local a, b = 1, 0
  for i = 1, #text do
    a = (a + text:byte(i)) % 65521
    b = (b + a) % 65521
  end
  return b << 16 | a
end

local function chunk(type, data) return (">I4"):pack(#data) .. type .. data .. (">I4"):pack(crc32(type .. data)) end

-- Rows with their filter bytes, in one uncompressed block.
local function stored(raw)
  return "\x78\x01\x01" .. ("<I2I2"):pack(#raw, #raw ~ 0xffff) .. raw .. (">I4"):pack(adler32(raw))
end

local function png(width, height, depth, colour, interlace, raw, more)
  return "\137PNG\r\n\26\n" .. chunk("IHDR", (">I4I4BBBBB"):pack(width, height, depth, colour, 0, 0, interlace))
    .. (more or "") .. chunk("IDAT", stored(raw)) .. chunk("IEND", "")
end

local palette = chunk("PLTE", "\1\2\3\4\5\6\xff\xfe\xfd")
local png_files = {
  grey_8 = png(2, 2, 8, 0, 0, "\0\0\1\0\xfe\xff"),
  grey_1 = png(4, 1, 1, 0, 0, "\0\xa0"),
  grey_2 = png(3, 1, 2, 0, 0, "\0\x1b"),
  grey_4 = png(2, 1, 4, 0, 0, "\0\x1f"),
  grey_16 = png(2, 1, 16, 0, 0, "\0\x80\x80\xff\xff"),
  grey_alpha = png(1, 2, 8, 4, 0, "\0\1\2\0\3\4"),
  rgb = png(2, 1, 8, 2, 0, "\0\1\2\3\4\5\6"),
  rgba_16 = png(1, 1, 16, 6, 0, "\0\x10\x10\x20\x20\x30\x30\x40\x40"),
  palette_2 = png(3, 1, 2, 3, 0, "\0\x60", palette),
  palette_8_transparent = png(2, 1, 8, 3, 0, "\0\2\1", palette .. chunk("tRNS", "\x10\x20")),
  grey_transparent = png(2, 1, 8, 0, 0, "\0\7\9", chunk("tRNS", "\0\7")),
  adam7 = png(3, 2, 8, 0, 1, "\0\1\0\3\0\2\0\4\5\6"),
  filters = png(2, 5, 8, 0, 0, "\0\1\2\1\1\2\2\1\2\3\1\2\4\1\2"),
  text_chunks = png(1, 1, 8, 0, 0, "\0\1", chunk("tEXt", "Title\0moon") .. chunk("gAMA", "\0\0\xb1\x8f")),
  zipped_text = png(1, 1, 8, 0, 0, "\0\1", chunk("zTXt", "Title\0\0" .. stored("moon"))),
  a_million_squared = png(1000000, 1000000, 8, 6, 0, "\0"),
  written_here = moon.png.encode(moon.image.grid(moon.rand(4, 9), {shape = {3, 3}})),
}
for name, bytes in pairs(png_files) do seed("png", name, bytes) end

-- ---- safetensors, nets, checkpoints ----

local path = os.tmpname()

local function header(text, data) return ("<s8"):pack(text) .. data end

-- Remove our checksums: with them a changed seed would be refused at once, and fuzzing would get no further.
local function without_checksums(bytes)
  local text, data = ("<s8"):unpack(bytes)
  return header(text:gsub(',"crc32":%d+', ""), bytes:sub(data))
end

local function saved(ok, message)
  assert(ok, message)
  return without_checksums(files.read(path))
end

moon.seed(3)
local full = moon.autoencoder{
  noise = moon.gaussian_noise(0.4, {clip = {0, 1}}),
  encoder = {moon.dense(3, 2, {activation = "relu", activity_l1 = 1e-5})},
  decoder = {moon.dense(2, 3, {activation = "sigmoid"})},
}
local shared = moon.dense(2, 2, {activation = "tanh"})
local first = moon.dense(3, 2)
local nets = {
  autoencoder = full,
  repeated_layer = moon.sequential{shared, moon.dropout(0.25), shared},
  tied = moon.sequential{first, moon.activation("elu"), moon.dense(2, 3, {tied = first})},
  k_sparse = moon.sequential{moon.dense(3, 4, {bias = false}), moon.k_sparse(2), moon.masking_noise(0.5)},
  gaussian_code = moon.sequential{moon.dense(3, 4), moon.gaussian_code(2, {beta = 0.5}), moon.dense(2, 3)},
  normalised = moon.sequential{moon.batch_norm(3, {eps = 0.01}), moon.dense(3, 2), moon.layer_norm(2, {eps = 0.01}),
    moon.dense(2, 3), moon.batch_norm(3, {momentum = 0.5})},
  branches = moon.sequential{moon.dense(3, 2),
    moon.branches{{}, moon.dense(2, 3), {moon.branches{{}, moon.dense(2, 1)}, moon.dense(3, 2)}}},
  no_parameters = moon.sequential{moon.salt_pepper_noise(0.1), moon.activation("softmax")},
}

-- The format of net.c.
local function as_text(net)
  local tensors, metadata = net:archive()
  local lines = {metadata.moonglass}
  for _, name in ipairs(sorted_keys(tensors)) do
    lines[#lines + 1] = name .. " " .. table.concat(tensors[name].shape, " ")
  end
  return table.concat(lines, "\n")
end

for name, net in pairs(nets) do
  seed("safetensors", "net_" .. name, saved(net:save(path)))
  seed("net", name, as_text(net))
end

-- The format of detector.c.
local function detector_text(d)
  local _, texts = moon.safetensors.decode(d:bytes())
  return #d.nets .. texts["moonglass.detector"]
end

local wide, names = {moon.sequential{moon.dense(3, 3)}, moon.sequential{moon.dense(3, 3)}}, {"a", "b=x", "b=y"}
local detectors = {
  plain = moon.detector(wide[1]),
  whole = moon.detector(wide, {
    scaler = {offset = {1, 2, 3}, scale = {1, 0.5, 1e9}}, columns = names, categories = {b = {"x", "y"}},
    low = {0, 0, -1}, high = {1, 1, 1},
  }),
  refuses = moon.detector(wide[1], {score = "max", missing = "refuse", margin = 0.5}),
  fills = moon.detector(wide[1], {score = "scaled", missing = "fill"}),
}
for name, d in pairs(detectors) do
  if name ~= "plain" then d:calibrate(moon.rand(20, 3), {quantile = 0.5}) end
  seed("detector", name, detector_text(d))
  seed("safetensors", "detector_" .. name, without_checksums(d:bytes()))
end
seed("safetensors", "small_archive", saved(moon.safetensors.save(path, {
  bytes = moon.tensor({1, 2, 3}, {dtype = "uint8"}),
  ["f/\"\\\n\xc3\xa9"] = moon.tensor{{0.5, -3}}, none = moon.zeros(0, 4),
}, {key = "a \"text\"\n"})))
seed("safetensors", "with_checksums", files.read(path))
seed("safetensors", "empty", saved(moon.safetensors.save(path, {})))

for i, kind in ipairs{"F16", "BF16", "F64", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "BOOL"} do
  local size = ({2, 2, 8, 8, 4, 2, 1, 8, 4, 2, 1})[i]
  seed("safetensors", kind, header(('{"t":{"dtype":"%s","shape":[2],"data_offsets":[0,%d]}}'):format(kind, 2 * size),
    ("\1"):rep(2 * size)))
end

local function trained(net, options)
  options.epochs, options.verbose, options.seed, options.loss = 2, 0, 5, "mse"
  options.callbacks = options.callbacks or {}
  table.insert(options.callbacks, moon.callbacks.checkpoint(path))
  net:fit(moon.rand(6, 3), options)
  return without_checksums(files.read(path))
end

seed("checkpoint", "adam", trained(moon.sequential{moon.dense(3, 2, {activation = "relu"}), moon.dense(2, 3)},
  {optimizer = "adam"}))
seed("checkpoint", "sgd_with_validation", trained(moon.autoencoder.plain{input = 3, hidden = 1},
  {optimizer = moon.sgd{momentum = 0.9}, validation_split = 0.4}))
seed("checkpoint", "early_stopping", trained(moon.sequential{moon.dense(3, 3)},
  {callbacks = {moon.callbacks.early_stopping{monitor = "loss", restore_best = true}}}))
seed("checkpoint", "net_only", saved(moon.checkpoint.save(path, {net = moon.sequential{moon.dense(3, 1)}})))
seed("checkpoint", "with_checksums", files.read(path))
os.remove(path)

-- ---- all readers of files ----

local paths = dofile("spec/support/paths.lua")(moon)
for _, name in ipairs(paths.readers) do
  assert(paths.write_sample(paths.entries[name], paths.objects(), path))
  seed("readers", name:gsub("%W", "_"), name .. "\n" .. files.read(path))
end
os.remove(path)

-- ---- programs ----

local function program(n, seed_of_it)
  local x, bytes = seed_of_it, {}
  for i = 1, n do
    x = (x * 6364136223846793005 + 1442695040888963407)
    bytes[i] = string.char(x >> 40 & 255)
  end
  return table.concat(bytes)
end

for i = 1, 12 do
  seed("calls", ("random_%02d"):format(i), program(200 * i, i))
  seed("script", ("random_%02d"):format(i), program(60 * i, 100 + i))
end

-- Folders of pictures: sizes, colours, classes; what is left out, what is refused, and in which words.
local lfs = require "lfs"
local files = dofile "spec/support/files.lua"
local moon = require "moonglass"

local folder, remove

-- Write files into an empty folder: path -> bytes, or a picture, and makes the folders on the way.
local function set(content)
  if remove then remove() end
  folder, remove = files.folder()
  for path, what in pairs(content) do
    for at in path:gmatch("()/") do lfs.mkdir(folder .. "/" .. path:sub(1, at - 1)) end
    if type(what) == "string" then files.write(folder .. "/" .. path, what)
    else assert(moon.png.write(folder .. "/" .. path, what)) end
  end
  return folder
end
teardown(function() if remove then remove() end end)

local function bytes(list) return moon.tensor(list, {dtype = "uint8"}) end
local function flat(value, h, w) return moon.full(value, h or 2, w or 2, {dtype = "uint8"}) end

-- The call fails with this code and these words.
local function refused(code, words, path, options)
  local x, message, got = moon.data.images(path, options)
  assert.is_nil(x)
  assert.is_truthy(tostring(message):find(words, 1, true), message)
  assert.equal(code, got)
end

local black = moon.png.encode(moon.zeros(2, 2))

describe("data.images", function()
  it("gives rows in the order of the names, by bytes, and numbers the folders", function()
    local x, info = assert(moon.data.images(set{
      ["b/1.png"] = flat(1), ["b/10.png"] = flat(2), ["b/2.png"] = flat(3), ["a/x.png"] = flat(4),
      ["Z/deep/er/x.PNG"] = flat(5), ["\xc3\xa4/no name at all"] = moon.png.encode(flat(6)),
    }))
    assert.same({"Z/deep/er/x.PNG", "a/x.png", "b/1.png", "b/10.png", "b/2.png", "\xc3\xa4/no name at all"}, info.names)
    assert.same({"Z", "a", "b", "\xc3\xa4"}, info.classes)
    assert.same({0, 1, 2, 2, 2, 3}, info.labels:totable())
    assert.equal("uint8", info.labels.dtype)
    assert.equal("uint8", x.dtype)
    assert.same({{5, 5, 5, 5}, {4, 4, 4, 4}, {1, 1, 1, 1}, {2, 2, 2, 2}, {3, 3, 3, 3}, {6, 6, 6, 6}}, x:totable())
    assert.same({2, 2, 1}, {info.height, info.width, info.channels})
    assert.same({}, info.skipped)
  end)

  it("has no labels if there are no folders, and reads one file", function()
    set{["2.png"] = flat(7), ["1.png"] = bytes{{1, 2}, {3, 4}}, ["n/a.txt"] = "x"}
    local x, info = assert(moon.data.images(folder))
    assert.is_nil(info.labels)
    assert.is_nil(info.classes)
    assert.same({"n/a.txt"}, info.skipped)
    assert.same({{1, 2, 3, 4}, {7, 7, 7, 7}}, x:totable())
    for _, path in ipairs{folder .. "/", folder .. "//"} do assert.is_true(moon.data.images(path) == x) end
    x, info = assert(moon.data.images(folder .. "/1.png", {invert = true}))
    assert.same({{254, 253, 252, 251}}, x:totable())
    assert.same({folder .. "/1.png"}, info.names)
  end)

  it("leaves out hidden files and what is no picture", function()
    set{
      ["a.png"] = flat(1), [".b.png"] = "hidden", [".c/d.png"] = "hidden", ["notes.txt"] = "BMW", empty = "",
      ["t.csv"] = "1",
    }
    local to = ("cd '%s' && "):format(folder)
    assert(os.execute(to .. "mkfifo fifo && ln -s nowhere link && ln -s a.png b"))
    local x, info = assert(moon.data.images(folder))
    assert.same({2, 4}, x.shape)
    assert.same({"a.png", "b"}, info.names)
    assert.same({"empty", "fifo", "link", "notes.txt", "t.csv"}, info.skipped)
  end)

  it("averages areas, in grey or in colours, on white", function()
    local path = set{["a.png"] = bytes{{0, 100, 50}, {200, 100, 150}, {10, 20, 30}}} .. "/a.png"
    assert.same({{73}}, moon.data.images(path, {size = 1}):totable()) -- 660 / 9
    -- Each half has one column, and a half of the middle one: (210 + 220 / 2) / 4.5 and (230 + 220 / 2) / 4.5.
    assert.same({{71, 76}}, moon.data.images(path, {size = {1, 2}}):totable())
    local colours = bytes{{{255, 0, 0, 255}, {0, 0, 255, 0}}}
    path = set{["a.png"] = colours} .. "/a.png"
    assert.same({{76, 255}}, moon.data.images(path):totable()) -- 0.299 * 255; transparent is white
    assert.same({{255, 0, 0, 255, 255, 255}}, moon.data.images(path, {gray = false}):totable())
    assert.same({{0, 255, 255, 0, 0, 0}}, moon.data.images(path, {gray = false, invert = true}):totable())
    local x, info = moon.data.images(path, {gray = false, size = {2, 4}})
    assert.same({1, 24}, x.shape)
    assert.same({2, 4, 3}, {info.height, info.width, info.channels})
  end)

  it("digits that were enlarged five times come back as they were, with their classes", function()
    local digits, labels = assert(moon.data.mnist("spec/fixtures/shapes", "test"))
    local content = {}
    for i = 1, #digits do
      local large = moon.zeros(140, 140, {dtype = "uint8"})
      for y = 1, 140 do
        for x = 1, 140 do large[y][x] = digits[i][(y - 1) // 5 * 28 + (x - 1) // 5 + 1] end
      end
      content[("%d/%02d.png"):format(labels[i], i)] = large
    end
    local x, info = assert(moon.data.images(set(content), {size = {28, 28}}))
    for k, name in ipairs(info.names) do
      local i = math.tointeger(name:match("/0*(%d+)"))
      assert.is_true(x:rows(k, k) == digits:rows(i, i))
      assert.equal(("%d"):format(labels[i]), info.classes[info.labels[k] + 1])
    end
  end)

  it("asks for a size if pictures differ", function()
    set{["a.png"] = flat(1), ["b.png"] = flat(1, 2, 3)}
    refused("format", ("data.images: '%s/b.png' is 2 x 3, and '%s/a.png' 2 x 2: give the option size, {height, width}")
      :format(folder, folder), folder)
    assert.same({2, 6}, assert(moon.data.images(folder, {size = {2, 3}})).shape)
  end)

  it("says how to convert other formats", function()
    local jpeg = "\xff\xd8\xff\xe0\0\x10JFIF and so on"
    set{["a.png"] = flat(1), ["x/c.jpg"] = jpeg}
    refused("format", ("data.images: '%s/x/c.jpg' is JPEG, expected PNG: convert it and its like, for example by "
      .. "ImageMagick's mogrify -format png '%s/x/*.jpg'"):format(folder, folder), folder)
    refused("format", "is JPEG, expected PNG", folder .. "/x/c.jpg")
    refused("format", "b.png' is GIF, expected PNG", set{["a.png"] = flat(1), ["b.png"] = "GIF89a"})
  end)

  it("one damaged file among many is an error with its path", function()
    set{["a/1.png"] = black, ["a/2.png"] = black:sub(1, -20), ["a/3.png"] = black}
    refused("format", ("'%s/a/2.png': damaged PNG: "):format(folder), folder)
    refused("format", ("'%s/1.png': not a PNG: 4 bytes"):format(set{["1.png"] = "none", ["2.png"] = black}), folder)
    refused("format", "/1.png': not a PNG: 0 bytes", set{["1.png"] = ""})
    set{["1.png"] = black}
    assert(os.execute(("mkfifo '%s/2.png'"):format(folder)))
    refused("I/O", ("cannot read '%s/2.png': not a regular file"):format(folder), folder)
    set{["1.png"] = black}
    assert(os.execute(("ln -s nowhere '%s/2.png'"):format(folder)))
    refused("I/O", ("cannot read '%s/2.png': No such file"):format(folder), folder)
  end)

  it("a picture cut at any byte is refused", function()
    local path = set{["1.png"] = black} .. "/1.png"
    for n = 0, #black - 1 do
      files.write(path, black:sub(1, n))
      refused("format", ("'%s': "):format(path), folder)
    end
  end)

  it("refuses a folder without pictures, or with some beside folders of others", function()
    refused("I/O", ("data.images: '%s' has no PNG"):format(set{}), folder)
    refused("I/O", "has no PNG", set{["a.txt"] = "x"})
    refused("I/O", "cannot read '/nowhere': No such file or directory", "/nowhere")
    refused("I/O", "No such file", "")
    set{["a/1.png"] = black, ["b/1.txt"] = ""}
    refused("format", ("data.images: the folder '%s/b' has no PNG"):format(folder), folder)
    refused("format", ("data.images: in '%s' there are pictures beside folders of pictures, '1.png' and 'a/2.png'")
      :format(set{["1.png"] = black, ["a/2.png"] = black}), folder)
  end)

  it("follows links to folders, but not in circles", function()
    set{["a/1.png"] = black}
    assert(os.execute(("ln -s a '%s/b'"):format(folder)))
    local _, info = assert(moon.data.images(folder))
    assert.same({"a", "b"}, info.classes)
    assert(os.execute(("ln -s .. '%s/a/up'"):format(folder)))
    refused("I/O", "folders deep", folder)
  end)

  it("a folder that may not be read is an error", function()
    set{["a/1.png"] = black}
    local whoami = files.run("id -u"):gsub("%s", "")
    assert(os.execute(("chmod 000 '%s/a'"):format(folder)))
    if whoami ~= "0" then refused("I/O", "Permission denied", folder) end -- root may read everything
    assert(os.execute(("chmod 755 '%s/a'"):format(folder)))
    assert(moon.data.images(folder))
  end)

  it("more pixels than memory are an error, and nothing is kept", function()
    set{["1.png"] = black}
    collectgarbage()
    local before = moon.info().memory
    moon.limits{memory = before + (1 << 20)}
    local ok, message = pcall(moon.data.images, folder, {size = {4096, 4096}})
    moon.limits{memory = 0}
    assert.is_false(ok)
    assert.is_truthy(tostring(message):find("out of memory", 1, true), message)
    collectgarbage()
    collectgarbage()
    assert.is_true(moon.info().memory <= before)
  end)
end)

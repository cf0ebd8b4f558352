-- moon.image: grids and rows of pictures, pixel by pixel.
local moon = require "moonglass"
local expect = dofile "spec/support/expect.lua"
local known = dofile "spec/support/known.lua"

local message, has = expect.raised, expect.has

local function bytes(list) return moon.tensor(list, {dtype = "uint8"}) end

describe("image.grid", function()
  local grid = moon.image.grid
  local three = bytes{{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}}

  it("places every pixel", function()
    local picture = grid(three)
    assert.equal("uint8", picture.dtype)
    assert.same({
      {0, 0, 0, 0, 0, 0, 0},
      {0, 1, 2, 0, 5, 6, 0},
      {0, 3, 4, 0, 7, 8, 0},
      {0, 0, 0, 0, 0, 0, 0},
      {0, 9, 10, 0, 0, 0, 0},
      {0, 11, 12, 0, 0, 0, 0},
      {0, 0, 0, 0, 0, 0, 0},
    }, picture:totable())
  end)

  it("has the options columns, pad and background", function()
    assert.same({{1, 2, 5, 6, 9, 10}, {3, 4, 7, 8, 11, 12}}, grid(three, {columns = 3, pad = 0}):totable())
    assert.same({
      {9, 9, 9, 9, 9, 9},
      {9, 9, 9, 9, 9, 9},
      {9, 9, 1, 2, 9, 9},
      {9, 9, 3, 4, 9, 9},
      {9, 9, 9, 9, 9, 9},
      {9, 9, 9, 9, 9, 9},
    }, grid(three:rows(1), {pad = 2, background = 9}):totable())
  end)

  it("fills the last line with background", function()
    assert.same({
      {1, 2, 5, 6},
      {3, 4, 7, 8},
      {9, 10, 200, 200},
      {11, 12, 200, 200},
    }, grid(three, {columns = 2, pad = 0, background = 200}):totable())
  end)

  it("draws tiles that are not square, by option or by shape", function()
    local expected = {{1, 2, 3, 4, 5, 6, 7, 8}}
    assert.same(expected, grid(three:rows(1, 2), {shape = {1, 4}, pad = 0}):totable())
    assert.same(expected, grid(three:rows(1, 2):reshape(2, 1, 4), {pad = 0}):totable())
    assert.same({4, 4}, grid(three, {shape = {4, 1}, columns = 4, pad = 0}).shape)
  end)

  it("enlarges", function()
    assert.same({
      {1, 1, 2, 2},
      {1, 1, 2, 2},
      {3, 3, 4, 4},
      {3, 3, 4, 4},
    }, grid(three:rows(1), {pad = 0, scale = 2}):totable())
  end)

  it("does not change its arguments", function()
    local t = moon.tensor{{-1, 0, 1, 2}}
    for _, how in ipairs{"none", "each", "all"} do grid(t, {normalize = how}) end
    assert.same({{-1, 0, 1, 2}}, t:totable())
  end)

  it("none: floats are clamped to [0, 1]; bytes are unchanged", function()
    assert.same({{0, 0}, {128, 255}}, grid(moon.tensor{{-3, 0, 0.5, 7}}, {pad = 0}):totable())
    assert.same({{1, 2}, {3, 4}}, grid(three:rows(1), {pad = 0, normalize = "none"}):totable())
  end)

  it("each: every tile has a separate range", function()
    local t = moon.tensor{{-1, 0, 1, 1}, {0, 10, 20, 30}, {5, 5, 5, 5}}
    assert.same({{0, 128, 0, 85, 0, 0}, {255, 255, 170, 255, 0, 0}},
      grid(t, {normalize = "each", columns = 3, pad = 0}):totable())
    assert.same({{0, 85}, {170, 255}}, grid(three:rows(1), {normalize = "each", pad = 0}):totable())
  end)

  it("all: one range for all tiles", function()
    local t = moon.tensor{{-1, 0, 1, 1}, {4, 2, 2, 4}}
    assert.same({{0, 51, 255, 153}, {102, 102, 153, 255}}, grid(t, {normalize = "all", columns = 2, pad = 0}):totable())
    assert.same({{0, 0}, {0, 0}}, grid(moon.ones(1, 4), {normalize = "all", pad = 0}):totable())
    for _, how in ipairs{"all", "each"} do -- far from zero, and with a range beyond float32
      for _, row in ipairs{{1e7, 1e7 + 1, 1e7 + 2, 1e7 + 3}, {-3e38, -1e38, 1e38, 3e38}} do
        assert.same({{0, 85}, {170, 255}}, grid(moon.tensor{row}, {normalize = how, pad = 0}):totable())
      end
    end
  end)

  it("runs few instructions of Lua per tile, for any number of pixels", function()
    local function hundreds(width)
      local t, count = moon.rand(100, width * width), 0
      local thread = coroutine.create(grid) -- it has a separate hook: the main thread's may count lines
      debug.sethook(thread, function() count = count + 1 end, "", 100)
      local _, picture = assert(coroutine.resume(thread, t, {normalize = "each"}))
      assert.same({10 * (width + 1) + 1, 10 * (width + 1) + 1}, picture.shape)
      return count
    end
    local small, large = hundreds(4), hundreds(28)
    assert.is_true(large <= small + 10, ("%d hundreds of instructions, and %d"):format(small, large))
  end)

  it("says what is wrong", function()
    has(message(grid, three, {column = 3}),
      known.fill "unknown option 'column'; did you mean 'columns'? (known: <GridOptions>)")
    has(message(grid, 3), "image.grid: got 3, expected a tensor")
    has(message(grid, moon.zeros(4)), "got [4], expected [n x h*w] or [n x h x w]")
    has(message(grid, moon.zeros(0, 4)), "with at least one row")
    has(message(grid, moon.zeros(2, 6)), "rows of 6 make no square, expected the option shape={height, width}")
    has(message(grid, moon.zeros(2, 6), {shape = {2, 2}}), "shape is {2, 2}, expected the 6 elements of a row")
    has(message(grid, moon.zeros(2, 6), {shape = {3}}), "shape[2] is nil, expected a whole number of at least 1")
    has(message(grid, three, {normalize = "some"}), known.fill "normalize is 'some' (known: <GridOptions.normalize>)")
    has(message(grid, three, {background = 256}), "background is 256, expected 0 to 255")
    has(message(grid, three, {columns = 0}), "columns is 0, expected a whole number of at least 1")
  end)
end)

describe("image.rows", function()
  local rows = moon.image.rows
  local a, b = bytes{{1, 2, 3, 4}, {5, 6, 7, 8}}, moon.tensor{{0, 0, 1, 1}, {1, 1, 0, 0}}
  local expected = {
    {1, 2, 5, 6},
    {3, 4, 7, 8},
    {0, 0, 255, 255},
    {255, 255, 0, 0},
  }

  it("draws a line of tiles for each tensor", function()
    assert.same(expected, rows({a, b}, {pad = 0}):totable())
    assert.same({7, 7}, rows{a, b}.shape)
    assert.same({14, 14}, rows({a, b}, {scale = 2}).shape)
  end)

  it("takes lists of tensors as lines", function()
    assert.same(expected, rows({{a}, {b:rows(1), b:rows(2)}}, {pad = 0}):totable())
  end)

  it("says what is wrong", function()
    has(message(rows, {}), "image.rows: got a table, expected a list of tensors")
    has(message(rows, a), "image.rows: got a moonglass.tensor, expected a list of tensors")
    has(message(rows, {a, 3}), "line 2 is 3, expected a tensor or a list of tensors")
    has(message(rows, {a, a:rows(1)}), "line 2 is [1 x 4] uint8, expected the shape of line 1, [2 x 4] uint8")
    has(message(rows, {a, moon.zeros(2, 9)}), "line 2 is [2 x 9] uint8")
    has(message(rows, {a}, {columns = 2}), "unknown option 'columns'")
  end)
end)

describe("labels of pictures", function()
  local lettering = require "moonglass.pictures.lettering"
  local tile = bytes{{1, 2, 3, 4}}

  local function is_at(part, picture, y, x)
    local found = picture:rows(y, y + #part - 1):t():rows(x, x + part:size(2) - 1):t():clone()
    assert.is_true(found:equal(part), ("not at %d, %d"):format(y, x))
  end

  it("are black letters on white", function()
    local i = lettering.draw("i")
    assert.same({18, 2}, i.shape)
    local column = {0, 255, 0, 0, 0, 0, 0, 255, 255}
    for y = 1, 18 do assert.equal(column[(y + 1) // 2], i:get(y, 2)) end
    assert.same({18, 2 * (5 + 1 + 5)}, lettering.draw("AB").shape)
    assert.same({40, 10}, lettering.draw("A\nB").shape)
    assert.is_true(lettering.draw("A\nB"):rows(23, 40):equal(lettering.draw("B")))
    assert.is_true(lettering.draw("\u{e9}"):equal(lettering.draw("\u{fc}"))) -- a character without a picture is a box
    assert.same({18, 1}, lettering.draw("").shape)
    -- No two characters look the same.
    local seen = {}
    for code = 33, 126 do
      local key = table.concat(lettering.draw(string.char(code)):reshape(-1):totable(), " ")
      assert.is_nil(seen[key], string.char(code))
      seen[key] = true
    end
  end)

  it("are above, on the left and over the columns, and the tiles do not change", function()
    local big = moon.rand(4, 900):mul_(255):byte()
    local plain = moon.image.rows{big, big}
    local titles = {"one", "the second"}
    local picture = moon.image.rows({big, big}, {titles = titles, heads = {"a", 2}, title = "All of them"})
    local left = lettering.draw(titles[2])
    assert.same({4 + 18 + 8 + 18 + 4 + #plain + 4, 4 + left:size(2) + 8 + plain:size(2) + 4}, picture.shape)
    local top, from = 4 + 18 + 8 + 18 + 4 + 1, 4 + left:size(2) + 8 + 1
    is_at(plain, picture, top, from)
    is_at(lettering.draw("All of them"), picture, 5, 5)
    is_at(left, picture, top + 31 + (31 - 18) // 2, 5)
    is_at(lettering.draw("2"), picture, 4 + 18 + 8 + 1, from + 31 + (31 - 10) // 2)
    -- A title may be wider than the picture; the rest is white.
    picture = moon.image.grid(tile, {title = "a title"})
    is_at(moon.image.grid(tile), picture, 4 + 18 + 8 + 1, 5)
    is_at(lettering.draw("a title"), picture, 5, 5)
    assert.equal(255, picture:get(#picture - 5, picture:size(2)))
  end)

  it("are optional for each line and column", function()
    local nine = moon.rand(9, 900)
    local picture = moon.image.grid(nine, {heads = {[3] = "c"}})
    is_at(lettering.draw("c"), picture, 5, 5 + 62 + (31 - 8) // 2)
    assert.equal(255, picture:rows(5, 22):t():rows(5, 66):min())
  end)

  it("say what is wrong", function()
    local rows = moon.image.rows
    has(message(rows, {tile}, {titles = {"a", "b"}}),
      "image.rows: titles has the key 2, expected a text for each of 1 to 1")
    has(message(rows, {tile}, {titles = {x = "a"}}), "titles has the key 'x'")
    has(message(rows, {tile}, {titles = {true}}), "image.rows: titles[1] is true, expected a text")
    has(message(rows, {tile}, {heads = {"\7"}}), "heads[1] is '\7', expected a text, UTF-8 without control characters")
    has(message(rows, {tile}, {title = "\xff"}), "image.rows: title is '\xff', expected a text")
    has(message(rows, {tile}, {title = 3}), "title is 3, expected a text")
    has(message(rows, {tile}, {crossed = {1}}), "unknown option 'crossed'")
  end)

  it("cross out tiles", function()
    local three = moon.ones(3, 81)
    local picture = moon.image.grid(three, {crossed = moon.tensor{0, 1, 0}, columns = 3, pad = 0})
    local cross = picture:t():rows(10, 18):t():clone()
    assert.equal(60, cross:get(1, 5))
    for i = 1, 9 do assert.is_true(cross:get(i, i) == 150 and cross:get(i, 10 - i) == 150) end
    assert.is_true(picture:t():rows(1, 9):min() == 255 and picture:t():rows(19, 27):min() == 255)
    assert.is_true(picture:equal(moon.image.grid(three, {crossed = {0, 1, 0}, columns = 3, pad = 0})))
    has(message(moon.image.grid, three, {crossed = {1}}),
      "crossed is a table, expected a number for each of the 3 rows")
    has(message(moon.image.grid, three, {crossed = moon.ones(3, 1)}), "crossed is [3 x 1]")
    has(message(moon.image.grid, three, {crossed = 2}), "crossed is 2")
  end)

  it("signed: 0 is grey, the largest absolute value black or white", function()
    local t = moon.tensor{{-2, 0, 1, 2}, {0, 0, 0, 0}, {-1, -4, 0, 2}}
    assert.same({{0, 128, 128, 128, 96, 0}, {191, 255, 128, 128, 128, 191}},
      moon.image.grid(t, {normalize = "signed", columns = 3, pad = 0}):totable())
  end)
end)

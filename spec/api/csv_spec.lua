--- Rows of numbers from CSV files: what is read, and what is refused with its place.
local moon = require "moonglass"
local files = dofile "spec/support/files.lua"

local path = os.tmpname()

local function read(text, options)
  files.write(path, text)
  return moon.data.csv(path, options)
end

-- The numbers of a text, or "line 2, ...".
local function numbers(text, options)
  local x, info, code = read(text, options)
  if x then return x:totable(), info end
  assert.equal("format", code)
  local message = info:match("^'" .. path:gsub("%W", "%%%0") .. "': (.*)$")
  assert.is_string(message, info)
  return message
end

describe("CSV", function()
  teardown(function() os.remove(path) end)

  it("reads numbers and names", function()
    local x, info = read("a,b\n1,2.5\n-3,4e2\n")
    assert.same({{1, 2.5}, {-3, 400}}, x:totable())
    assert.equal("float32", x.dtype)
    assert.same({columns = {"a", "b"}, categories = {}, missing = 0, header = true}, info)
  end)

  it("reads lines with any usual ends, quotes and blanks", function()
    for _, text in ipairs{
      "a,b\r\n1,2\r\n3,4\r\n", "\xef\xbb\xbfa,b\n1,2\n3,4", "a,b\n1,2\n3,4\n\n \r\n\n", "a, b\n 1 ,\t2\n3,4 \n",
      "\"a\",\"b\"\n\"1\", \"2\" \n\"3\",4\n", "a;b\n1;2\n3;4\n", "a\tb\n1\t2\n3\t4\n", "a|b\n1|2\n3|4\n",
      "a,b\n+1,2.\n3.0e0,.04E+2\n",
    } do
      assert.same({{1, 2}, {3, 4}}, (numbers(text)), text)
    end
    local _, info = read("\"a \"\"b\"\", c\",\"d\ne\"\n1,2\n")
    assert.same({"a \"b\", c", "d\ne"}, info.columns)
  end)

  it("refuses what is no row, with its place", function()
    for text, message in pairs{
      [""] = "the file is empty, expected lines of cells",
      ["\n1,2\n"] = "line 1: it is blank, expected names or numbers",
      ["a,b\n1,2\n3\n"] = "line 3: it has 1 cell, expected 2 as in the first line (delimiter ',')",
      ["a,b\n1,2,3\n"] = "line 2: it has 3 cells, expected 2 as in the first line (delimiter ',')",
      ["a,b\n1,2\n\n3,4\n"] = "line 3: it is blank, and rows follow; expected 2 cells. Blank lines may stand at the "
        .. "end",
      ["a,b\n1,abc\n"] = "line 2, column 2 (b): found 'abc', expected a number; ignore the column, make it "
        .. "categorical, or name the text as a missing one",
      ["a,b\n1,\"2\n3,4\n"] = "line 2, column 2 (b): a quote is not closed: the file ends within the text that "
        .. "begins here",
      ["a,b\n1,\"2\"3\n"] = "line 2, column 2 (b): text behind a closing quote; expected a quote within a text "
        .. "as two (\"\")",
      ["a,b\n1,2\r3,4\r"] = "line 2, column 2 (b): a carriage return without a line feed; convert the line breaks: "
        .. "tr '\\r' '\\n'",
      ["a,b\n1,inf\n"] = "line 2, column 2 (b): found 'inf', expected a finite number; name it as a missing text",
      ["a,b\n1,1e39\n"] = "line 2, column 2 (b): found '1e39', expected at most 3.40282e+38: numbers become float32",
      ["a,b\n"] = "it has no rows",
      ["a,a\n1,2\n"] = "columns 1 and 2 have the same name 'a'; rename one, or choose one of them by its number",
    } do
      assert.equal(message, (numbers(text)), text)
    end
  end)

  it("is there if a text makes a column of a name that is there", function()
    local message = "a categorical column would make a second column 'c=x'; rename one, or leave one out"
    assert.equal(message, (numbers("c,c=x\nx,1\nz,2\n", {categorical = {"c"}})))
    assert.equal(message, (numbers("c=x,c\n1,x\n2,z\n", {categorical = {"c"}})))
    assert.equal("a categorical column would make a second column 'a=b=c'; rename one, or leave one out",
      (numbers("a,a=b\nb=c,c\n", {categorical = {"a", "a=b"}})))
  end)

  it("never takes one decimal separator for another", function()
    assert.same({{1.5, 2}, {3, 4.25}}, (numbers("a;b\n1,5;2\n3;4,25\n")))
    assert.same({{1.5, 2}, {3, 4.25}}, (numbers("a;b\n1.5;2\n3;4.25\n")))
    assert.same({{1234, 2}}, (numbers("a\tb\n1234\t2,0\n")))
    for text, place in pairs{
      ["a;b\n1,5;2\n3;4.25\n"] = "line 3, column 2 (b): found '4.25'",
      ["a;b\n1.5;2\n3;4,25\n"] = "line 3, column 2 (b): found '4,25'",
      ["a;b\n1;1.234,5\n"] = "line 2, column 2 (b): found '1.234,5'",
      ["a,b\n1,\"1,234\"\n"] = "line 2, column 2 (b): found '1,234'",
      ["a\tb\n1\t1,234\n"] = "line 2, column 2 (b): found '1,234'",
    } do
      local message = numbers(text)
      assert.equal(place, message:sub(1, #place))
    end
    assert.same({{1, 1.125}}, (numbers("a,b\n1,\"1,125\"\n", {decimal = ","})))
    assert.same({{1, 1.125}}, (numbers("a\tb\n1\t1,125\n", {decimal = ","})))
  end)

  it("finds out whether the first line has names", function()
    assert.same({{1, 2}, {3, 4}}, (numbers("1,2\n3,4\n")))
    assert.same({{1, 2}, {3, 4}}, (numbers("a,b\n1,2\n3,4\n")))
    assert.same({{3, 4}}, (numbers("1,2\n3,4\n", {header = true})))
    assert.same({{2020, 1}}, (numbers("year,2021\n2020,1\n")))
    local x, info = numbers("5.1,3.5,setosa\n4,3,versicolor\n", {label = 3})
    assert.same({{5.1, 3.5}, {4, 3}}, {{tonumber(("%.1f"):format(x[1][1])), x[1][2]}, x[2]})
    assert.same({"1", "2"}, info.columns)
  end)

  it("chooses columns by name and number in any order, and rows", function()
    local text = "a,b,c\n1,2,3\n4,5,6\n7,8,9\n"
    assert.same({{3, 1}, {6, 4}, {9, 7}}, (numbers(text, {columns = {"c", 1}})))
    assert.same({{4, 5, 6}, {7, 8, 9}}, (numbers(text, {rows = {2, 3}})))
    assert.same({{7, 8, 9}}, (numbers(text, {rows = {3}})))
    assert.same({{2}}, (numbers("t,a\n2014-04-01 00:00:00,2\n", {columns = {"a"}})))
    assert.equal("it has no column 'colour'; did you mean 'color'?", numbers("color\n1\n", {columns = {"colour"}}))
    assert.same({{2}, {5}}, (numbers("a,b,c\nx,2,p\ny,5,q\n", {ignore = {"a"}, label = "c"})))
    assert.same({{1, 2}, {4, 5}, {7, 8}}, (numbers(text, {ignore = {3}})))
    assert.same({{1, 2}, {4, 5}, {7, 8}}, (numbers(text, {ignore = {"c"}, label = "c"})))
    assert.equal("it has no column 'd': expected a name of its first line, or a number of 1 to 3",
      numbers(text, {ignore = {"d"}}))
    assert.equal("it has no column beside the label and those to ignore",
      numbers(text, {ignore = {"a", 2}, label = "c"}))
    assert.error_matches(function() numbers(text, {ignore = {1}, columns = {2}}) end,
      "data.csv: columns and ignore are given, expected one of them")
    assert.matches("row 5 is wanted, it has 3$", (numbers(text, {rows = {5, 6}})))
  end)

  it("streams the rows of a file that is larger than memory: a source", function()
    local lines = {"a,b,kind"}
    for i = 1, 300000 do lines[i + 1] = ("%d,%d.5,%s"):format(i, i % 7, i % 3 == 0 and "x" or "y") end
    local text = table.concat(lines, "\n") .. "\n"
    local whole, about = read(text, {label = "kind"})
    local x, info = read(text, {label = "kind", stream = true})
    assert.same({300000, 2}, x.shape)
    for _, first in ipairs{1, 2, 150001, 262100, 299991} do
      assert.is_true(x:batch(first, 10) == whole:rows(first, first + 9))
      assert.is_true(info.labels:batch(first, 10):reshape(10) == about.labels:rows(first, first + 9))
    end
    assert.same(about.classes, info.classes)
    local net = moon.sequential{moon.dense(2, 1), moon.dense(1, 2)}
    net:fit(x, {loss = "mse", epochs = 1, batch_size = 10000, verbose = 0})
    local part = read(text, {columns = {"b"}, rows = {100, 200}, stream = true})
    assert.same({101, 1}, part.shape)
    assert.equal(whole[200][2], part:batch(101, 1)[1][1])
    local options = {label = "kind", stream = true}
    assert.matches("line 300002, column 1 %(a%): found 'z'", (numbers(text .. "z,1,x\n", options)))
  end)

  it("reads another file like a first one, or like a detector's rows", function()
    local _, info = numbers("a,color,kind\n1,red,x\n2,blue,y\n", {categorical = {"color"}, label = "kind"})
    local text = "kind,color,b,a\ny,blue,9,5\n"
    local rows, later = numbers(text, {like = info, label = "kind"})
    assert.same({{5, 0, 1}}, rows)
    assert.same({info.columns, info.categories, info.classes, 1}, {later.columns, later.categories, later.classes,
      later.labels[1]})
    local net = moon.sequential{moon.dense(3, 3)}
    local d = moon.detector(net, {columns = info.columns, categories = info.categories})
    assert.same({{5, 0, 1}}, (numbers(text, {like = d})))
    assert.error_matches(function() numbers(text, {like = d, ignore = {"b"}}) end,
      "data.csv: like and ignore are given, expected one of them")
    assert.error_matches(function() numbers(text, {like = {"a"}}) end,
      "data.csv: like is a table, expected a detector, or the info of another file")
  end)

  it("makes classes of labels, and columns of categories", function()
    local text = "a,color,kind\n1,red,x\n2,green,y\n3,red,\n"
    local x, info = numbers(text, {label = "kind", categorical = {"color"}})
    assert.same({{1, 1, 0}, {2, 0, 1}, {3, 1, 0}}, x)
    assert.same({"a", "color=red", "color=green"}, info.columns)
    assert.same({color = {"red", "green"}}, info.categories)
    assert.same({"x", "y"}, info.classes)
    local labels = info.labels:totable()
    assert.same({0, 1}, {labels[1], labels[2]})
    assert.is_true(labels[3] ~= labels[3])
    local again = numbers("a,color\n1,blue\n2,green\n", {categorical = info.categories})
    assert.same({{1, 0, 0}, {2, 0, 1}}, again)
    local _, other = read("a,kind\n1,y\n2,x\n", {label = "kind", classes = info.classes})
    assert.same({1, 0}, other.labels:totable())
    assert.matches("found 'z', expected one of the 2 classes given",
      (numbers("a,kind\n1,z\n", {label = "kind", classes = info.classes})))
  end)

  it("is no longer streamed once it has been written to", function()
    local lines = {"a,b"}
    for i = 1, 400000 do lines[#lines + 1] = ("%d,%d"):format(i, i + 1) end
    local whole = table.concat(lines, "\n")
    local x = assert(read(whole, {stream = true}))
    assert.equal(399001, x:batch(399000, 1):get(1, 2))
    local message = "'" .. path .. "' has been written since it was opened; open it again"
    for _, text in ipairs{whole:sub(1, 3000000), whole:gsub("300000,", "30000,"), ""} do
      files.write(path, text)
      local ok, said = pcall(x.batch, x, 1, 1)
      assert.is_false(ok)
      assert.is_truthy(tostring(said):find(message, 1, true), said)
    end
  end)
end)

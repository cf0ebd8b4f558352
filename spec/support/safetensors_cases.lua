-- Safetensors files that have to be read, and files that have to be refused: for safetensors_spec.lua, and for
-- make test-interop, which gives the same files to Python's package. A list of
--   {name =, bytes =, ok = true | false, theirs = what the package does if it does something else, why = in words}
-- bytes may be a function that gives them, for a large file.

local cases = {}

local function file(header, data, length) return ("<I8"):pack(length or #header) .. header .. (data or "") end

local function case(ok, name, bytes, theirs, why)
  cases[#cases + 1] = {name = name, ok = ok, bytes = bytes, theirs = theirs, why = why}
end

local function accept(name, ...) case(true, name, ...) end
local function refuse(name, ...) case(false, name, ...) end

local function entry(name, dtype, shape, offsets, more)
  return ('"%s":{"dtype":"%s","shape":%s,"data_offsets":%s%s}'):format(name, dtype, shape, offsets, more or "")
end

local function one(dtype, shape, offsets, more) return "{" .. entry("a", dtype, shape, offsets, more) .. "}" end
local function two(first, second) return "{" .. first .. "," .. second .. "}" end

local f4 = "\0\0\x80\x3f"
local a4 = one("F32", "[1]", "[0,4]")

-- ---- files to read ----

accept("a tensor", file(a4, f4))
accept("nothing", file("{}"))
accept("trailing spaces", file(a4 .. (" "):rep(777), f4))
accept("spaces and newlines between", file((a4:gsub(":", " :\n\t ")), f4))
accept("a dimension of 0", file(one("F32", "[0]", "[0,0]")))
accept("0 among other dimensions", file(one("F32", "[3,0,2]", "[0,0]")))
accept("rank 0", file(one("F32", "[]", "[0,4]"), f4))
accept("rank 4", file(one("U8", "[1,2,1,2]", "[0,4]"), f4))
accept("extra fields", file(one("F32", "[1]", "[0,4]", ',"more":[{"x":null}],"units":"m"'), f4))
accept("metadata only", file('{"__metadata__":{"k":"v","":""}}'))
accept("metadata without an entry", file('{"__metadata__":{}}'))
accept("metadata after the tensors", file(a4:sub(1, -2) .. ',"__metadata__":{"k":"v"}}', f4))
accept("NaN data", file(a4, "\0\0\xc0\x7f"))
accept("infinity in data", file(a4, "\0\0\x80\x7f"))
accept("tensors in another order than their data",
  file(two(entry("b", "U8", "[3]", "[1,4]"), entry("a", "U8", "[1]", "[0,1]")), f4))
accept("an empty tensor between two", file(two(
  entry("a", "U8", "[2]", "[0,2]") .. "," .. entry("b", "F32", "[0]", "[2,2]"),
  entry("c", "U8", "[2]", "[2,4]")), f4))
accept("a name of no bytes", file("{" .. entry("", "U8", "[4]", "[0,4]") .. "}", f4))
accept("a name in UTF-8", file("{" .. entry("Gr\xc3\xb6\xc3\x9fe \xf0\x9f\x8c\x99", "U8", "[4]", "[0,4]") .. "}", f4))
accept("a name with escapes", file("{" .. entry([[\"\\\/\n\u00e9\ud83c\udf19]], "U8", "[4]", "[0,4]") .. "}", f4))
accept("keys with escapes", file((a4:gsub('"dtype"', '"\\u0064type"')), f4))
accept("a name like a path", file("{" .. entry("../../x", "U8", "[4]", "[0,4]") .. "}", f4))
accept("a name like a metamethod", file("{" .. entry("__index", "U8", "[4]", "[0,4]") .. "}", f4))
accept("floats that are not aligned",
  file(two(entry("a", "U8", "[1]", "[0,1]"), entry("b", "F32", "[1]", "[1,5]")), "\1" .. f4))
for _, of_size in ipairs{
  {8, "F64", "I64", "U64"}, {4, "I32", "U32"}, {2, "F16", "BF16", "I16", "U16"}, {1, "I8", "BOOL"},
} do
  local size = of_size[1]
  for i = 2, #of_size do
    local dtype = of_size[i]
    accept("dtype " .. dtype, file(one(dtype, "[1]", ("[0,%d]"):format(size)), ("\1"):rep(size)))
  end
end
accept("a header of 100 MB", function() return file("{}" .. (" "):rep(100000000 - 2)) end)

-- ---- files to refuse ----

local twice = "the format's description disallows a key twice; the package lets the second win"

refuse("an empty file", "")
refuse("7 bytes", ("\0"):rep(7))
refuse("a header of no bytes", file(""))
refuse("a header of one byte", file("{"))
refuse("a header over 100 MB", function() return file("{}" .. (" "):rep(100000001 - 2)) end)
refuse("a header that claims over 100 MB", file("{}", "", 100000001))
refuse("a header longer than the file", file("{}", "", 3))
refuse("a header of 2^63 bytes", file("{}", "", math.mininteger))
refuse("a header of 2^64 - 1 bytes", file("{}", "", -1))
refuse("bad UTF-8 in a name", file("{" .. entry("\xff", "U8", "[4]", "[0,4]") .. "}", f4))
refuse("an overlong form in a name", file("{" .. entry("\xc0\xaf", "U8", "[4]", "[0,4]") .. "}", f4))
refuse("a surrogate in UTF-8", file("{" .. entry("\xed\xa0\x80", "U8", "[4]", "[0,4]") .. "}", f4))
refuse("half a surrogate pair", file("{" .. entry([[\ud800]], "U8", "[4]", "[0,4]") .. "}", f4))
refuse("bad UTF-8 in metadata", file('{"__metadata__":{"k":"\x80"}}'))
refuse("bytes of no kind", file("\0\1\2\3"))
refuse("not JSON", file("{a:1}"))
refuse("JSON cut off", file(a4:sub(1, -2), f4))
refuse("a comma too many", file('{"__metadata__":{},}'))
refuse("bytes after the object", file(a4 .. "x", f4))
refuse("two objects", file("{}{}"))
refuse("an array", file("[]"))
refuse("a text", file('"{}"'))
refuse("null", file("null"))
refuse("a zero byte behind the object", file(a4 .. "\0", f4))
refuse("a tensor twice",
  file(two(entry("a", "U8", "[2]", "[0,2]"), entry("a", "U8", "[2]", "[2,4]")), f4))
refuse("a tensor twice, with the same data",
  file(two(entry("a", "U8", "[4]", "[0,4]"), entry("a", "U8", "[4]", "[0,4]")), f4), true, twice)
refuse("a field twice", file(one("F32", "[1]", "[0,4]", ',"dtype":"F32"'), f4))
refuse("metadata twice", file('{"__metadata__":{"k":"v"},"__metadata__":{"k":"w"}}'))
refuse("a key of metadata twice", file('{"__metadata__":{"k":"v","k":"w"}}'), true, twice)
refuse("metadata that is an array", file('{"__metadata__":[]}'))
refuse("metadata that is a tensor", file("{" .. entry("__metadata__", "U8", "[4]", "[0,4]") .. "}", f4))
refuse("a number in metadata", file('{"__metadata__":{"k":1}}'))
refuse("null in metadata", file('{"__metadata__":{"k":null}}'))
refuse("an overlap", file(two(entry("a", "U8", "[3]", "[0,3]"), entry("b", "U8", "[2]", "[2,4]")), f4))
refuse("two tensors on the same data",
  file(two(entry("a", "U8", "[4]", "[0,4]"), entry("b", "U8", "[4]", "[0,4]")), f4))
refuse("a hole", file(two(entry("a", "U8", "[1]", "[0,1]"), entry("b", "U8", "[2]", "[2,4]")), f4))
refuse("a first offset that is not 0", file(one("U8", "[3]", "[1,4]"), f4))
refuse("an empty tensor beyond the data", file(one("U8", "[0]", "[7,7]")))
refuse("trailing bytes", file(a4, f4 .. "\0"))
refuse("trailing bytes behind no tensor", file("{}", "\0"))
refuse("data of one byte less", file(a4, f4:sub(1, 3)))
refuse("data of 2^40 bytes that are not there", file(one("U8", "[1099511627776]", "[0,1099511627776]"), f4))
refuse("more data than the shape takes", file(one("F32", "[1]", "[0,8]"), f4 .. f4))
refuse("less data than the shape takes", file(one("F32", "[2]", "[0,4]"), f4))
refuse("offsets that go back", file(one("U8", "[4]", "[4,0]"), f4))
refuse("a shape that overflows", file(one("F32", "[4294967296,4294967296]", "[0,0]")))
refuse("a shape that overflows with its bytes", file(one("F32", "[4611686018427387904]", "[0,0]")))
refuse("a shape that overflows to 4", file(one("U8", "[4294967297,4294967297,4]", "[0,4]"), f4))
refuse("a dimension of 2^64", file(one("U8", "[18446744073709551616]", "[0,0]")))
refuse("a negative dimension", file(one("F32", "[-1]", "[0,4]"), f4))
refuse("two negative dimensions", file(one("F32", "[-1,-1]", "[0,4]"), f4))
refuse("a fractional dimension", file(one("F32", "[0.5]", "[0,2]"), "\0\0"))
refuse("a dimension of 1.0", file(one("F32", "[1.0]", "[0,4]"), f4))
refuse("a dimension of 1e0", file(one("F32", "[1e0]", "[0,4]"), f4))
refuse("a dimension that is a text", file(one("F32", '["1"]', "[0,4]"), f4))
refuse("a dimension that is null", file(one("F32", "[null]", "[0,4]"), f4))
refuse("a shape that is a number", file(one("F32", "1", "[0,4]"), f4))
refuse("a negative offset", file(one("U8", "[4]", "[-4,0]"), f4))
refuse("a fractional offset", file(one("U8", "[4]", "[0,4.0]"), f4))
refuse("one offset", file(one("U8", "[4]", "[4]"), f4))
refuse("three offsets", file(one("U8", "[4]", "[0,4,4]"), f4))
refuse("an unknown dtype", file(one("F31", "[1]", "[0,4]"), f4))
refuse("a dtype in small letters", file(one("f32", "[1]", "[0,4]"), f4))
refuse("a dtype that is a number", file((a4:gsub('"F32"', "32")), f4))
refuse("no dtype", file('{"a":{"shape":[1],"data_offsets":[0,4]}}', f4))
refuse("no shape", file('{"a":{"dtype":"F32","data_offsets":[0,4]}}', f4))
refuse("no offsets", file('{"a":{"dtype":"F32","shape":[1]}}', f4))
refuse("a tensor that is a number", file('{"a":1}'))
refuse("a tensor that is null", file('{"a":null}'))
refuse("100,000 arrays in one another", file('{"a":' .. ("["):rep(100000) .. ("]"):rep(100000) .. "}"))
refuse("100,000 objects in one another", file(('{"a":'):rep(100000) .. "1" .. ("}"):rep(100000)))
refuse("100,000 brackets in an extra field",
  file(one("F32", "[1]", "[0,4]", ',"x":' .. ("["):rep(100000) .. ("]"):rep(100000)), f4))

-- ---- files on which the two may differ ----

refuse("5 dimensions", file(one("U8", "[1,1,1,1,4]", "[0,4]"), f4), true, "a tensor has 4 dimensions at most here")
refuse("spaces before the object", file("  " .. a4, f4), true,
  "the format's description says that the header begins with {; the package has that check commented out")
refuse("a zero byte in a name", file("{" .. entry([[a\u0000b]], "U8", "[4]", "[0,4]") .. "}", f4), true,
  "names are C strings here: what is behind the zero byte would be lost")
refuse("an overflow beside a dimension of 0", file(one("U8", "[0,4294967296,4294967296]", "[0,0]")), true,
  "a shape whose other dimensions overflow cannot be addressed here; the package multiplies from the left, 0 first")
refuse("dtype F8_E4M3", file(one("F8_E4M3", "[4]", "[0,4]"), f4), true, "no 8-bit floats here")
refuse("dtype C64", file(one("C64", "[1]", "[0,8]"), f4 .. f4), true, "no complex numbers here")

return cases

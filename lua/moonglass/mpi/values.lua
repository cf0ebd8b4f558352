--- Lua values as bytes and back: what ranks send each other. Reading runs no code.
-- A value is a letter and its contents: n nil, t true, f false, i integer, d float, s string, T table: pairs, then E.
local values = {}

local deepest = 100 -- tables in tables; more are a cycle

local writers = {
  ["nil"] = function(out) out[#out + 1] = "n" end,
  boolean = function(out, v) out[#out + 1] = v and "t" or "f" end,
  number = function(out, v)
    out[#out + 1] = math.type(v) == "integer" and ("<c1i8"):pack("i", v) or ("<c1d"):pack("d", v)
  end,
  string = function(out, v) out[#out + 1] = ("<c1s8"):pack("s", v) end,
}

local function write(out, v, path, depth)
  local kind = type(v)
  if kind == "table" then
    if depth > deepest then error(("%s is deeper than %d tables, or a cycle"):format(path, deepest), 0) end
    out[#out + 1] = "T"
    for key, item in next, v do
      write(out, key, path .. "'s key", depth + 1)
      write(out, item, ("%s.%s"):format(path, tostring(key)), depth + 1)
    end
    out[#out + 1] = "E"
  elseif writers[kind] then
    writers[kind](out, v)
  else
    error(("%s is a %s, expected nil, a boolean, a number, a string or a table of these"):format(path, kind), 0)
  end
end

--- The bytes of a value. Raises without a place, naming the part that cannot be written.
function values.pack(v)
  local out = {}
  write(out, v, "the value", 1)
  return table.concat(out)
end

local function fail() error("these bytes are not of a value", 0) end

local read

local function read_table(bytes, at)
  local t = {}
  while bytes:sub(at, at) ~= "E" do
    local key, after = read(bytes, at)
    if key == nil or key ~= key then fail() end
    t[key], at = read(bytes, after)
  end
  return t, at + 1
end

local readers = {
  n = function(_, at) return nil, at end,
  t = function(_, at) return true, at end,
  f = function(_, at) return false, at end,
  i = function(bytes, at) return ("<i8"):unpack(bytes, at) end,
  d = function(bytes, at) return ("<d"):unpack(bytes, at) end,
  s = function(bytes, at) return ("<s8"):unpack(bytes, at) end,
  T = read_table,
}

function read(bytes, at)
  return (readers[bytes:sub(at, at)] or fail)(bytes, at + 1)
end

--- The value of bytes.
function values.unpack(bytes)
  local v, at = read(bytes, 1)
  if at ~= #bytes + 1 then fail() end
  return v
end

return values

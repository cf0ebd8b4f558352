-- The READMEs: every block marked ```lua runs, as a program of its own in a scratch folder on the shapes of
-- spec/fixtures; every block marked ```c compiles; every relative link leads to a file. Blocks with a further word
-- behind the mark ("```lua host.lua", "```c fragment") are parts of something and are left alone.
local lfs = require "lfs"

local root = lfs.currentdir()
local readmes = {
  "README.md", "csrc/README.md", "csrc/engine/README.md", "data/README.md", "lua/README.md", "lua/REFERENCE.md",
  "scripts/README.md",
  "scripts/bench/README.md", "scripts/hosts/README.md", "scripts/hosts/lighttpd/README.md",
  "scripts/hosts/lupa/README.md", "spec/README.md",
}

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function absolute(path) return path:find("^/") and path or root .. "/" .. path end

local files = dofile "spec/files.lua"
local read_file, write_file = files.read, files.write

-- The file's blocks with that mark: {line=, text=}.
local function blocks_of(path, mark)
  local list, block, fenced, number = {}, nil, false, 0
  for line in (read_file(path) .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    if line:find("^```") then
      if block then list[#list + 1] = {line = block.line, text = table.concat(block, "\n") .. "\n"} end
      block = not fenced and line == "```" .. mark and {line = number} or nil
      fenced = not fenced
    elseif block then
      block[#block + 1] = line
    end
  end
  assert(not fenced, path .. ": a block is not closed")
  return list
end

-- Runs a shell command in a new folder that goes away afterwards; its status has to be 0.
local function in_scratch(name, text, command)
  local folder = os.tmpname()
  os.remove(folder)
  assert(lfs.mkdir(folder))
  write_file(folder .. "/" .. name, text)
  local pipe = assert(io.popen(("cd %s && { %s; } 2>&1"):format(quote(folder), command)))
  local output = pipe:read("a")
  local ok = pipe:close()
  for entry in lfs.dir(folder) do os.remove(folder .. "/" .. entry) end
  assert(lfs.rmdir(folder))
  assert.is_truthy(ok, output)
  return output
end

local function each_block(mark, check)
  for _, path in ipairs(readmes) do
    for _, block in ipairs(blocks_of(path, mark)) do
      it(("%s, line %d"):format(path, block.line), function() check(block.text) end)
    end
  end
end

describe("a README's Lua runs:", function()
  local program = absolute(os.getenv("MOONGLASS_BIN") or "build/moonglass")
  local data = root .. "/spec/fixtures/shapes"

  each_block("lua", function(text)
    in_scratch("block.lua", text, ("MOONGLASS_DATA=%s %s block.lua"):format(quote(data), quote(program)))
  end)

  it("there are some", function() assert.is_true(#blocks_of("README.md", "lua") >= 3) end)
end)

describe("a README's C compiles:", function()
  local include = ""
  for _, folder in ipairs{"csrc", "csrc/engine", "csrc/engine/kernels"} do
    include = include .. " -I" .. quote(root .. "/" .. folder)
  end
  local command = (os.getenv("CC") or "cc") .. " -std=c11 -D_DEFAULT_SOURCE -Wall -Wextra -Werror -fopenmp-simd"
    .. " -DMOONI_ISA=base -fsyntax-only" .. include .. " $(pkg-config --cflags lua5.4) block.c"

  each_block("c", function(text) in_scratch("block.c", text, command) end)

  it("there are some", function() assert.is_true(#blocks_of("README.md", "c") >= 3) end)
end)

describe("a README's links lead somewhere:", function()
  for _, path in ipairs(readmes) do
    it(path, function()
      local folder = path:match("^(.*/)") or ""
      for target in read_file(path):gmatch("%]%(([^%s)]+)%)") do
        local file = target:gsub("#.*$", "")
        if file ~= "" and not target:find("^%a+:") then
          assert.is_truthy(lfs.attributes(folder .. file), ("%s: there is no %s"):format(path, target))
        end
      end
    end)
  end
end)

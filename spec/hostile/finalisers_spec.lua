-- Finalisers that close operands, at every allocation in every function of the core: finalisers.lua.
local quote = dofile("spec/support/files.lua").quote
local bin = os.getenv("MOONGLASS_BIN") or "build/moonglass"

describe("finalisers", function()
  local lines, last = {}, nil

  setup(function()
    local program = assert(io.popen(quote(bin) .. " spec/hostile/finalisers.lua 2>&1"))
    for line in program:lines() do lines[#lines + 1] = line end
    local _, how, code = program:close()
    last = ("%s, %s %d"):format(lines[#lines], how, code)
  end)

  local function that(start)
    local found = {}
    for _, line in ipairs(lines) do
      if line:sub(1, #start) == start then found[#found + 1] = line end
    end
    return table.concat(found, "\n")
  end

  it("may close operands or remove them from tables at any allocation", function()
    assert.matches("^%d+ calls, %d%d%d%d+ strikes, exit 0$", last)
    assert.equal("", that "wrong")
  end)
end)

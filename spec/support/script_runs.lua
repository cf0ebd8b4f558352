-- Scripts run as programs. In specs: local runs = dofile("spec/support/script_runs.lua")(after_each, options),
-- where every run gets `options`. A script's files are in runs.folder, which is removed after each test.
--   runs.run(script, arguments)                -> stdout, stderr, exit status
--   runs.succeeds(script, arguments)           -> stdout; stderr must be empty, status 0
--   runs.fails(script, arguments, status, ...) -> stdout; stderr must be one line with all the parts
--   runs.rejects(script, arguments, ...)       the same with status 2, and nothing written
--   runs.has(text, part)                       the text has that part
--   runs.csv(name)                             a CSV file of the script's without quoted fields, as a list of rows
--   runs.figures()                             its figures.csv: {name = number}
--   runs.tiles(picture, height, width, left)   the tiles of a picture, which are below its labels and right of them, or
--                                              with `left` only below them, in a frame of 4 pixels
local files = dofile("spec/support/files.lua")
local lfs = require "lfs"

local runs = {
  program = files.quote(os.getenv("MOONGLASS_BIN") or "build/moonglass"), -- a word for the shell
  has = dofile("spec/support/expect.lua").has,
}

function runs.tiles(picture, height, width, left)
  local first = #picture - 3 - height
  local columns = picture:rows(first, #picture - 4):t()
  local from = left and 5 or #columns - 3 - width
  assert(first > 0 and from > 0, ("no tiles of %d x %d in %d x %d"):format(height, width, #picture, #columns))
  return columns:rows(from, from + width - 1):t():clone()
end

local function is(expected, got, what)
  assert(expected == got, ("%s is %q, expected %q"):format(what, tostring(got), tostring(expected)))
end

return function(after_each, options)
  runs.folder = os.tmpname()
  os.remove(runs.folder)
  after_each(function() os.execute(("rm -rf '%s'"):format(runs.folder)) end)

  function runs.run(script, arguments)
    return files.run(("env -u MOONGLASS_DATA %s scripts/%s.lua --out %s %s %s"):format(runs.program, script,
      runs.folder, options, arguments or ""))
  end

  function runs.succeeds(script, arguments)
    local output, errors, status = runs.run(script, arguments)
    is("", errors, "stderr")
    is(0, status, "the exit status")
    return output
  end

  function runs.fails(script, arguments, expected, ...)
    local output, errors, status = runs.run(script, arguments)
    assert(errors:find("^" .. script .. ": [^\n]+\n$"), ("expected one line, got:\n%s"):format(errors))
    for _, part in ipairs{...} do runs.has(errors, part) end
    is(expected, status, "the exit status")
    return output
  end

  function runs.csv(name)
    local rows = {}
    for line in io.lines(runs.folder .. "/" .. name) do
      local row = {}
      for field in (line .. ","):gmatch("([^,]*),") do row[#row + 1] = tonumber(field) or field end
      rows[#rows + 1] = row
    end
    return rows
  end

  function runs.figures()
    local figures = {}
    for _, row in ipairs(runs.csv("figures.csv")) do figures[row[1]] = row[2] end
    return figures
  end

  function runs.rejects(script, arguments, ...)
    is("", runs.fails(script, arguments, 2, ...), "stdout")
    assert(not lfs.attributes(runs.folder, "mode"), runs.folder .. " is there")
  end

  return runs
end

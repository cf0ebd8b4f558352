-- Programs run by the shell, with files of their own: local runs = dofile("spec/support/program_runs.lua")(path), where
-- path(name) is a file in the test's folder.
--   runs.sh(command)                     -> stdout, stderr, exit status; for a shell command
--   runs.run(program, arguments, input)  the same for a program, a quoted word, and a list; `input`, unless nil, is its
--                                        standard input
--   runs.fails(status, part, output, ...)  what `run` gave is this status, one line of errors with `part`, this output
--   runs.floats(t)                       the bytes of a tensor's float32 numbers
local files = dofile "spec/support/files.lua"
local has = dofile("spec/support/expect.lua").has

return function(path)
  local runs = {}

  function runs.sh(command)
    local out, err = path("stdout"), path("stderr")
    local _, _, status = os.execute(("{ %s\n} >%s 2>%s </dev/null"):format(command, out, err))
    return files.read(out), files.read(err), status
  end

  function runs.run(program, arguments, input)
    local words = {"timeout 60 " .. program}
    for _, word in ipairs(arguments) do words[#words + 1] = files.quote(tostring(word)) end
    if input then
      files.write(path("stdin"), input)
      words[#words + 1] = "<" .. path("stdin")
    end
    return runs.sh(table.concat(words, " "))
  end

  function runs.fails(status, part, output, got, complaint, got_status)
    has(complaint, part)
    local _, lines = complaint:gsub("\n", "")
    local said = ("status %s, %d lines of errors, output %q"):format(got_status, lines, got)
    assert(got_status == status and lines == 1 and got == output,
      ("%s; expected status %d, 1 line, %q"):format(said, status, output))
  end

  function runs.floats(t)
    local parts = {}
    for i, v in ipairs(t:reshape(-1):totable()) do parts[i] = string.pack("=f", v) end
    return table.concat(parts)
  end

  return runs
end

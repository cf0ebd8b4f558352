-- The output of the specs, as an output handler for busted. It prints a line for each file, with the numbers of tests
-- that passed, failed and were skipped, and below it the messages of failed tests. At the end it lists the failed tests
-- with file and line, and prints the totals, "N passed, N failed, N skipped", which run.sh adds to those of the C
-- tests.
local base = require "busted.outputHandlers.base"
local busted = require "busted"
local pretty = require "pl.pretty"

-- The path of the spec file that contains a test or a block of tests.
local function file_of(element)
  while element and element.descriptor ~= "file" do element = busted.parent(element) end
  return element and element.name or "?"
end

local function sums(passed, failed, skipped)
  return ("%d passed, %d failed%s"):format(passed, failed, skipped > 0 and (", %d skipped"):format(skipped) or "")
end

-- "spec/api/x_spec.lua:12: a net fits"
local function place_of(entry)
  local trace = entry.element.trace
  return ("%s:%s: %s"):format(entry.file, trace and trace.currentline or "?", entry.name)
end

local function text_of(message)
  return type(message) == "string" and message or message == nil and "no message" or pretty.write(message)
end

return function(options)
  local handler = base()
  local failed = {} -- all entries, in order
  local file -- the file that runs: {passed =, failed =, skipped =, entries =, started =}

  local function print_failure(entry)
    io.write("  failed: ", place_of(entry), "\n    ", (text_of(entry.message):gsub("\n", "\n    ")), "\n")
    if options.verbose and entry.trace and entry.trace.traceback then io.write(entry.trace.traceback, "\n") end
  end

  local function add_failure(element, parent, message, debug)
    local entry = handler.format(element, parent, message, debug)
    entry.file = file_of(element)
    failed[#failed + 1] = entry
    if file then table.insert(file.entries, entry) else print_failure(entry) end -- a file that cannot be read
    return nil, true
  end

  local function file_start()
    file = {passed = 0, skipped = 0, entries = {}, started = busted.gettime()}
    return nil, true
  end

  local function file_end(element)
    local seconds = busted.gettime() - file.started
    local counts = sums(file.passed, #file.entries, file.skipped)
    if file.passed + file.skipped + #file.entries > 0 then -- else all are excluded by a filter
      io.write(("%s: %s (%.1f s)\n"):format(element.name, counts, seconds))
    end
    for _, entry in ipairs(file.entries) do print_failure(entry) end
    io.flush()
    file = nil
    return nil, true
  end

  local function test_end(_, _, status)
    if status == "success" then file.passed = file.passed + 1 end
    if status == "pending" then file.skipped = file.skipped + 1 end
    return nil, true
  end

  local function suite_end()
    if #failed > 0 then io.write("failed tests:\n") end
    for _, entry in ipairs(failed) do io.write("  ", place_of(entry), "\n") end
    io.write(sums(handler.successesCount, #failed, handler.pendingsCount), "\n")
    failed = {}
    return nil, true
  end

  busted.subscribe({"file", "start"}, file_start)
  busted.subscribe({"file", "end"}, file_end)
  busted.subscribe({"test", "end"}, test_end, {predicate = handler.cancelOnPending})
  busted.subscribe({"failure"}, add_failure)
  busted.subscribe({"error"}, add_failure)
  busted.subscribe({"suite", "end"}, suite_end)
  return handler
end

--- What callbacks that write files check before the training, and how they fail.
local checks = require "moonglass.support.checks"
local errors = require "moonglass.support.errors"
local files = require "moonglass.support.files"

local paths = {}

--- A path that this host can open. what: the callback, for messages. needs_io: it is opened by Lua's io library.
function paths.check(what, path, needs_io)
  local lacking = files.lacking(what, needs_io)
  if lacking then errors.raise(lacking) end
  checks.path(what, path)
end

--- Raises the message of a failed file operation.
function paths.must(what, ok, message)
  if not ok then errors.raise("%s: %s", what, message) end
end

--- Before the training: can the file be written? in_place: it is opened, not replaced.
function paths.check_writable(what, path, in_place)
  local obstacle = errors.guard(files.unwritable, path, in_place)
  paths.must(what, not obstacle, obstacle)
end

local most_checked = 1000 -- a training that runs until it is stopped may have any number of epochs

--- The same for the files that are written after every `every` epochs, to path_of(epoch).
function paths.check_epochs(what, state, every, path_of)
  local first, before = state.initial_epoch // every * every + every, nil
  for epoch = first, math.max(first, math.min(state.epochs, first + (most_checked - 1) * every)), every do
    local path = path_of(epoch)
    if path == before then return end
    paths.check_writable(what, path)
    before = path
  end
end

return paths

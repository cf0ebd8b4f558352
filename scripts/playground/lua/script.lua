--- The Lua script that repeats what was clicked: the same data, net, optimizer and seeds, the changes that were made
-- while it trained, and the losses of the last epoch, equal to the page's to the last digit.
--
--   script.write(parts) -> text
--
-- The room gives its parts as Lua text; all code is at the level of the file, after `local moon = require "moonglass"`:
--   title      what this is, in a line or a few: "Points: circle, 2-4-2-1, tanh"
--   data       code that defines `local x, y` and `local test_x, test_y`; without y and test_y if the target is x
--   labelled   true: there are y and test_y; false: the target is x
--   tested     true: there are rows to test with; false: test_x is not defined
--   net        code that defines `local net`, drawn from a seed that it sets itself (moon.seed)
--   loss       an expression: "moon.mse()"
--   optimizer  an expression, as it was before the first epoch: "moon.sgd{lr = 0.03}"
--   batch, seed   what the trainer was given
--   threads    host.threads: sums depend on the number of threads in their last digits
--   more       nil, or code behind it all, which uses `net` and, after an epoch or more, `history`
--   trainer    the room's trainer (trainer.lua): how many epochs, what was changed when
-- A change's text (Trainer:change) is a statement that uses `net` and `optimizer`: "optimizer.lr = 0.1".
-- The text of an embedded file of functions comes from host.source(name); script.functions(text) takes off its last
-- `return`, so that `local function f` stays, and `local moon = require "moonglass"`. script.number(v),
-- script.list(v) and script.quote(v) write values.
local script = {}

--- A number in full: reading it gives the same number.
function script.number(v)
  if math.type(v) == "integer" then return tostring(v) end
  local short = ("%.15g"):format(v)
  return tonumber(short) == v and short or ("%.17g"):format(v)
end

--- A list of numbers and texts as Lua writes it.
function script.list(list)
  local parts = {}
  for i, v in ipairs(list) do
    parts[i] = type(v) == "table" and script.list(v) or type(v) == "string" and script.quote(v) or script.number(v)
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

local function escape(c) return ("\\%03d"):format(c:byte()) end
function script.quote(text) return '"' .. text:gsub('[%c"\\]', escape) .. '"' end

--- The functions of a file that ends with `return name`, and may begin with the line that gets moon: the script has it.
function script.functions(text)
  text = text:gsub('local moon = require "moonglass"%s+', "", 1)
  return (text:gsub("\nreturn [%w_]+%s*$", "\n"):gsub("%s+$", "\n"))
end

-- ---- parts of the text ----

local function comment(text) return "-- " .. text:gsub("\n", "\n-- ") .. "\n" end

local replay = [[
-- What was changed while it trained: after so many whole epochs, and so many batches of the next one.
local changes = {
%s}

local next_change = 1
local function make_changes(epochs, batches)
  local change = changes[next_change]
  while change and change[1] == epochs and change[2] == batches do
    change[3]()
    next_change = next_change + 1
    change = changes[next_change]
  end
end

local replay = {
  on_epoch_begin = function(_, state) make_changes(state.epoch - 1, 0) end,%s
}

]]

local replay_batches = "\n  on_batch_end = function(_, state) make_changes(state.epoch - 1, state.batch) end,"

-- The changes that whole epochs have seen, as text ("" if there are none), and those after the last epoch, as a list.
local function changes_of(trainer)
  local lines, after, in_batches = {}, {}, false
  for _, change in ipairs(trainer.changes) do
    if change.epoch < trainer.epoch then
      lines[#lines + 1] = ("  {%d, %d, function() %s end},\n"):format(change.epoch, change.batch, change.text)
      in_batches = in_batches or change.batch > 0
    elseif change.batch == 0 then
      after[#after + 1] = change
    end
  end
  if #lines == 0 then return "", after end
  return replay:format(table.concat(lines), in_batches and replay_batches or ""), after
end

local function fit_of(parts, has_changes)
  local trainer = parts.trainer
  if trainer.epoch == 0 then return "" end
  return ("local history = net:fit(%s, {\n  loss = loss, optimizer = optimizer, epochs = %d, batch_size = %d, "
    .. "seed = %d, verbose = 0,%s\n})\n"):format(parts.labelled and "x, y" or "x", trainer.epoch, parts.batch,
    parts.seed, has_changes and "\n  callbacks = {replay}," or "")
end

local function evaluation(parts, prefix)
  local rows = prefix .. "x" .. (parts.labelled and ", " .. prefix .. "y" or "")
  return ("net:evaluate(%s, {loss = loss, batch_size = %d})"):format(rows, parts.batch)
end

-- The page's losses are those of the last epoch. Weights that were edited since are evaluated as they are now.
local function results_of(parts, after)
  local lines, edited = {}, parts.trainer.epoch == 0
  for _, change in ipairs(after) do
    lines[#lines + 1] = change.text .. " -- after the last epoch\n"
    edited = edited or change.edits
  end
  local loss = edited and evaluation(parts, "") or "history.loss[#history.loss]"
  lines[#lines + 1] = ('print(("epoch %%d"):format(%d))\n'):format(parts.trainer.epoch)
  lines[#lines + 1] = ('print(("loss %%.17g"):format(%s))\n'):format(loss)
  if parts.tested then
    lines[#lines + 1] = ('print(("test loss %%.17g"):format(%s))\n'):format(evaluation(parts, "test_"))
  end
  return table.concat(lines)
end

function script.write(parts)
  local changes, after = changes_of(parts.trainer)
  return table.concat{
    comment(parts.title), comment "Written by Moonglass's playground. Run it: moonglass FILE.lua",
    'local moon = require "moonglass"\n', ("moon.set_threads(%d)\n\n"):format(parts.threads),
    "-- ---- the data ----\n\n", parts.data, "\n",
    "-- ---- the net ----\n\n", parts.net, "\n",
    "-- ---- the training ----\n\n",
    ("local loss, optimizer = %s, %s\n\n"):format(parts.loss, parts.optimizer),
    changes, fit_of(parts, changes ~= ""), "\n",
    results_of(parts, after), parts.more or "",
  }
end

return script

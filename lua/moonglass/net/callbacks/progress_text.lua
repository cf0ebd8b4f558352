--- The lines of moon.callbacks.progress: of a running epoch, and of one that is over.
local text = {}

local bar_width = 20
local default_columns = 80

--- 0.5 -> "0.5000"; small numbers as 1.23e-05.
function text.figure(v)
  local small = v ~= 0 and math.abs(v) < 1e-3
  return (small and "%.3g" or "%.4f"):format(v)
end

--- 75 -> "1:15", 4000 -> "1:06:40"
function text.time(seconds)
  local s = math.floor(seconds + 0.5)
  if s >= 3600 then return ("%d:%02d:%02d"):format(s // 3600, s // 60 % 60, s % 60) end
  return ("%d:%02d"):format(s // 60, s % 60)
end

local plain = {loss = true, val_loss = true}

-- "loss 0.1234  accuracy 0.9500  val_loss 0.2345": the figures that there are, in the order of state.figures. last:
-- those of the last validation until there are new ones.
local function figures_text(state, last)
  local words, history, metrics = {}, last and state.history or {}, state.metrics or {}
  for _, name in ipairs(state.figures or {"loss", "val_loss"}) do
    local before = name:find("^val_") and history[name]
    local v = metrics[name] or plain[name] and state[name] or before and before[#before]
    if v then words[#words + 1] = ("%s %s"):format(name, metrics[name] and text.figure(v) or ("%.4f"):format(v)) end
  end
  return table.concat(words, "  ")
end

-- "epoch 3/20"; and the number of all epochs if earlier calls, which counted from 1 too, trained the net.
local function epoch_text(state)
  local all = state.trained and state.trained > state.epoch and (" (%d in all)"):format(state.trained) or ""
  return ("epoch %d/%d%s"):format(state.epoch, state.epochs, all)
end

--- The line of a running epoch, `seconds` after its start, in less than `columns` characters: the bar shrinks first.
function text.bar(state, seconds, columns)
  columns = columns or default_columns
  local done = state.batch / state.batches
  local rows = math.min(state.batch * state.batch_size, state.rows)
  local rate = rows / math.max(seconds, 1e-9)
  local head = epoch_text(state) .. " "
  local tail = (" %d/%d  %s  %.0f rows/s  %s left"):format(state.batch, state.batches, figures_text(state, true), rate,
    text.time((state.rows - rows) / rate))
  local room = math.min(bar_width, columns - 1 - #head - #tail - 2)
  if room < 1 then return (head .. tail:sub(2)):sub(1, math.max(columns - 1, 0)) end
  local filled = math.floor(done * room)
  return ("%s[%s%s]%s"):format(head, ("="):rep(filled), (" "):rep(room - filled), tail)
end

--- The line of an epoch that is over.
function text.line(state)
  return ("%s  %d batches  %s  %.0f rows/s  %.2f s"):format(epoch_text(state), state.batch, figures_text(state),
    state.rows_per_second, state.seconds)
end

return text

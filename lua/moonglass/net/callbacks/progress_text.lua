--- The lines of moon.callbacks.progress: of a running epoch, and of one that is over.
local text = {}

local bar_width = 20
local default_columns = 80

--- 75 -> "1:15", 4000 -> "1:06:40"
function text.time(seconds)
  local s = math.floor(seconds + 0.5)
  if s >= 3600 then return ("%d:%02d:%02d"):format(s // 3600, s // 60 % 60, s % 60) end
  return ("%d:%02d"):format(s // 60, s % 60)
end

-- That of the last epoch until there is a new one.
local function last_val_loss(state)
  local list = state.history and state.history.val_loss
  return state.val_loss or (list and list[#list])
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
  local val_loss = last_val_loss(state)
  local head = epoch_text(state) .. " "
  local tail = (" %d/%d  loss %.4f%s  %.0f rows/s  %s left"):format(state.batch, state.batches, state.loss,
    val_loss and ("  val_loss %.4f"):format(val_loss) or "", rate, text.time((state.rows - rows) / rate))
  local room = math.min(bar_width, columns - 1 - #head - #tail - 2)
  if room < 1 then return (head .. tail:sub(2)):sub(1, math.max(columns - 1, 0)) end
  local filled = math.floor(done * room)
  return ("%s[%s%s]%s"):format(head, ("="):rep(filled), (" "):rep(room - filled), tail)
end

--- The line of an epoch that is over.
function text.line(state)
  local validation = state.val_loss and ("  val_loss %.4f"):format(state.val_loss) or ""
  return ("%s  %d batches  loss %.4f%s  %.0f rows/s  %.2f s"):format(epoch_text(state), state.batch, state.loss,
    validation, state.rows_per_second, state.seconds)
end

return text

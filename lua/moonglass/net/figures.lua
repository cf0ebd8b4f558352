--- The figures of an epoch that is over: its loss, that of the validation rows, and the metrics of both. They go into
-- the state, which callbacks see, and into the history.
local figures = {}

--- The names of a run's figures, as monitors and files know them.
function figures.names(run)
  local list = {}
  for _, prefix in ipairs{"", run.validation and "val_" or nil} do
    list[#list + 1] = prefix .. "loss"
    for _, name in ipairs(run.meter and run.meter.names or {}) do list[#list + 1] = prefix .. name end
  end
  return list
end

--- Whether a metric should fall or rise, "min" or "max", by name, where that follows from what it measures.
function figures.directions(run)
  local directions = {loss = "min"}
  for _, e in ipairs(run.meter and run.meter.of_batches or {}) do
    if type(e.measure) ~= "function" then
      local rises = type(e.measure) == "string" and e.measure:find("accuracy", 1, true)
      directions[e.name] = rises and "max" or "min"
    end
  end
  return directions
end

-- ---- validation ----

local function is_due(run, state) return run.validation ~= nil and state.epoch % run.validation_freq == 0 end

-- The loss of the validation rows; their metrics go into `values`.
local function validate(net, run, values)
  local group, meter = run.group, run.meter
  if not meter then return group:evaluate(net, run.validation, run.loss, run.batch) end
  meter:reset()
  local loss = group:evaluate(net, run.validation, run.loss, run.batch, meter)
  for name, v in pairs(meter:finish(group, net, run.tensors[4], run.tensors[5])) do values["val_" .. name] = v end
  return loss
end

-- ---- the history ----

local nan = string.unpack("<d", "\0\0\0\0\0\0\xf8\x7f") -- 0 / 0 would stop a host that traps it

-- Makes list[n] the value. Epochs before that it does not have are NaN.
local function put(list, n, v)
  for i = #list + 1, n - 1 do list[i] = nan end
  list[n] = v or nan
end

-- Each metric has a value for each epoch, or for each validation: NaN where it was not measured.
local function record_metrics(history, values, validated)
  local all = history.metrics
  for name in pairs(values) do all[name] = all[name] or {} end
  for name, list in pairs(all) do
    local of_validation = name:find("^val_") ~= nil
    if not of_validation then put(list, #history.loss, values[name]) end
    if of_validation and validated then put(list, #history.val_loss, values[name]) end
  end
end

local function record(history, state, validated)
  local i = #history.loss + 1
  history.loss[i], history.epoch_seconds[i] = state.loss, state.seconds
  history.epochs = math.max(state.epoch, history.epochs + 1)
  if validated then
    local k = #history.val_loss + 1
    history.val_loss[k], history.val_epochs[k] = state.val_loss, history.epochs
  end
  record_metrics(history, state.metrics, validated)
end

--- After an epoch of `seconds` seconds with this loss.
function figures.take(net, run, state, loss, seconds)
  local due = is_due(run, state)
  state.loss, state.seconds, state.metrics = loss, seconds, {}
  if run.meter then state.metrics = run.meter:finish(run.group, net, run.x, run.y) end
  if due then state.val_loss = validate(net, run, state.metrics) end
  record(state.history, state, due)
end

return figures

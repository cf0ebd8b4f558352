---All that a training needs to continue bit for bit. The option `resume` of `fit` takes it.
---@class moonglass.Checkpoint
---@field net moonglass.Net|moonglass.Autoencoder
---@field opt moonglass.Optimizer?
---@field epoch integer the number of epochs done
---@field seed integer?
---@field history moonglass.History?
---@field callbacks table? what callbacks remember; to `save`, a list of callbacks

--- moon.checkpoint: everything that a training needs to go on bit for bit, in one safetensors file.
--   local c = assert(moon.checkpoint.load(path))
--   c.net:fit(x, y, {loss = "mse", epochs = 10, resume = c})       -- loss, batch size and callbacks as before
---Checkpoints as files.
---@class moonglass.checkpoint
local checkpoint = {save = require "moonglass.net.checkpoint.save"}
for name, f in pairs(require "moonglass.net.checkpoint.load") do checkpoint[name] = f end

local most_kept = 10 -- files that callbacks.checkpoint keeps

local function is_missing(message) return message:find("No such file or directory", 1, true) ~= nil end

---Load the newest of path, path.1, path.2 and so on that is intact.
---@param path string the path given to `moon.callbacks.checkpoint` with `keep`
---@param net moonglass.Net? as for `load`
---@return moonglass.Checkpoint? checkpoint nil if there is none
---@return string[]|string? skipped messages on newer files that could not be loaded; with nil, the reason
---@return moonglass.Code? code
function checkpoint.latest(path, net)
  local skipped, failure = {}, nil
  for i = 0, most_kept - 1 do
    local found, message, code = checkpoint.load(i == 0 and path or ("%s.%d"):format(path, i), net)
    if found then return found, skipped end
    local missing = is_missing(message)
    if i == 0 or not missing then skipped[#skipped + 1] = message end
    if not failure or (failure.missing and not missing) then
      failure = {message = message, code = code, missing = missing}
    end
  end
  return nil, failure.message, failure.code
end

return checkpoint

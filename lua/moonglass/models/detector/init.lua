--- moon.detector: finding rows that are unlike those a net was trained on.
--   d = moon.detector(net, {scaler = s, columns = names})
--   d:scores(x)   d:alarms(x)   d:explain(x:rows(7, 7))   d:save("d.safetensors")
require "moonglass.models.detector.judge" -- the methods
local fit = require "moonglass.models.detector.fit"
local make = require "moonglass.models.detector.make"

---Detectors: nets that find rows unlike those they were trained on.
---@class moonglass.detector
---@overload fun(net: moonglass.Net|moonglass.Net[], options?: moonglass.DetectorOptions): moonglass.Detector
local detector = {}

---A detector of trained nets, whose outputs are as wide as their inputs: it takes rows as they come, scales them, and
---says how badly the nets rebuild them. With several nets the score is the mean of theirs. The same is
---`moon.detector(net, options)`.
---@param net moonglass.Net|moonglass.Net[]
---@param options moonglass.DetectorOptions?
---@return moonglass.Detector detector
function detector.build(net, given) return make(net, given) end

detector.fit = fit

return setmetatable(detector, {__call = function(_, net, given) return detector.build(net, given) end})

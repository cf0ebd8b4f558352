--- The methods that every net has from this library, native or mixed.
local methods = {}

for _, name in ipairs{"fit", "step", "evaluate", "summary"} do
  for method, f in pairs(require("moonglass.net." .. name)) do methods[method] = f end
end

return methods

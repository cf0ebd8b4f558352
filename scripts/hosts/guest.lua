-- A script for scripted.c: it is given a net and rows, and returns what the host is to have. All that it can see is in
-- sandbox.lua.
local net, x = ...

local errors = net:errors(x)
print(("%d rows of %d numbers; squared error %.4f on the mean, %.4f at most"):format(#x, x:size(2), errors:mean(),
  errors:max()))
return net:predict(x)

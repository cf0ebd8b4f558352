--- Reads an option like 32,128: a list of whole numbers of at least 1 | nil, message
return function(text)
  local list = {}
  for part in (text .. ","):gmatch("([^,]*),") do
    local v = math.tointeger(tonumber(part))
    if not v or v < 1 then return nil, ("'%s' is not a list like 32,128"):format(text) end
    list[#list + 1] = v
  end
  return list
end

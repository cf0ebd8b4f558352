--- The names of a net's tensors in its file: those that torch.nn.Sequential gives the same stack, "0.weight"
-- [out x in], "0.bias", "2.weight". The number is the place of a module.

-- The places that occur in the names, ascending.
local function places(tensors)
  local list, seen = {}, {}
  for name in pairs(tensors) do
    local place = math.tointeger(name:match("^(%d+)%."))
    if not seen[place] then list[#list + 1] = place end
    seen[place] = true
  end
  table.sort(list)
  return list
end

--- For each layer of a native net, what its archive calls the layer's parameters and buffers: {weight = "2.weight",
-- bias = "2.bias"}, {} for a layer without any. tensors: the first result of net:archive().
return function(net, tensors)
  local list, place, next_place = {}, places(tensors), 1
  for i = 1, #net do
    local names, layer = {}, net:layer(i)
    for _, list_of in ipairs{layer:parameters(), layer:buffers()} do
      for _, tensor in ipairs(list_of) do names[tensor.name] = ("%d.%s"):format(place[next_place], tensor.name) end
    end
    if next(names) then next_place = next_place + 1 end
    list[i] = names
  end
  return list
end

--- The event "map_before": the last map of another kind of net, to be seen beside that of the present one. The plane of
-- a plain net has holes where a variational one's has none.
return function(look) return look.view.map_before or {} end

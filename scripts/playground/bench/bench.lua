-- Times epochs of a very small net here, and by the formulas of playground.tensorflow.org in JavaScript in Chromium, in
-- turns. `make bench-playground` runs it.
local moon = require "moonglass"
local argparse = require "argparse"

local folder = arg[0]:match("^(.*/)") or "./"
local sizes, rows, batch, rate = {2, 8, 8, 1}, 250, 10, 0.03

local function fail(message)
  io.stderr:write("bench-playground: ", message, "\n")
  os.exit(1)
end

local function read_options()
  local parser = argparse("bench-playground", "Time epochs of a net 2-8-8-1 here and in JavaScript.")
  parser:option("--rounds", "times that each is started"):default("5"):convert(math.tointeger)
  parser:option("--browser", "a Chromium"):default("chromium")
  local ok, o = parser:pparse(arg)
  if not ok then fail(o:gsub("%s*\n%s*", " ")) end
  return o
end

-- ---- JavaScript ----

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local page = [[
<!doctype html><title>bench</title><body></body><script>%s
const r = measure([%s], %d, %d, %g);
document.body.textContent = `epoch=${r.epoch} losses=${r.losses} loss=${r.loss} end`;
</script>
]]

local function write_page(path)
  local source = assert(io.open(folder .. "formulas.js")):read("a")
  local file = assert(io.open(path, "w"))
  file:write(page:format(source, table.concat(sizes, ", "), rows, batch, rate))
  file:close()
end

-- In a browser of its own, so that each round is compiled anew.
local function in_browser(o, scratch)
  local command = ("%s --headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run "
    .. "--user-data-dir=%s --dump-dom %s 2>%s"):format(quote(o.browser), quote(scratch .. "/profile"),
    quote("file://" .. scratch .. "/bench.html"), quote(scratch .. "/log"))
  local text = io.popen(command):read("a")
  local epoch, losses, loss = text:match("<body>epoch=(%S+) losses=(%S+) loss=(%S+) end")
  if not epoch then fail(("%s printed no result; its messages are in %s/log"):format(o.browser, scratch)) end
  return {epoch = tonumber(epoch), losses = tonumber(losses), loss = tonumber(loss)}
end

-- ---- here ----

-- A disc of one class within a ring of the other.
local function points()
  local x, y = {}, {}
  for i = 1, rows do
    local inner = i % 2 == 0
    local radius = inner and 2.5 * math.random() or 3.5 + 1.5 * math.random()
    local angle = 2 * math.pi * math.random()
    x[i], y[i] = {radius * math.cos(angle), radius * math.sin(angle)}, {inner and 1 or -1}
  end
  return moon.tensor(x), moon.tensor(y)
end

local function make_net()
  local layers = {}
  for i = 1, #sizes - 1 do layers[i] = moon.dense(sizes[i], sizes[i + 1], {activation = "tanh"}) end
  return moon.sequential(layers)
end

-- The least microseconds of an epoch: of stretches so short that some of them keep their core.
local function least(fit, validation, evaluate)
  local epochs, stretch = 2000, 40
  local best, start = math.huge, nil
  fit(epochs, validation, function(state)
    if evaluate then evaluate() end
    if state.epoch % stretch ~= 0 then return end
    local now = moon.clock()
    if start then best = math.min(best, (now - start) / stretch) end
    start = now
  end)
  return 1e6 * best
end

local function here()
  local net, optimizer, loss = make_net(), moon.sgd{lr = rate}, moon.mse()
  local x, y = points()
  local xv, yv = points()
  local train = moon.dataset(x, y)
  local function fit(epochs, validation, callback)
    net:fit(x, y, {loss = loss, optimizer = optimizer, epochs = epochs, batch_size = batch, seed = 1,
      validation = validation, callbacks = {callback}, verbose = 0})
  end
  return {
    epoch = least(fit),
    steps = least(fit, {xv, yv}),
    losses = least(fit, {xv, yv}, function() net:evaluate_rows(train, loss, batch) end),
    loss = net:evaluate(x, y, {loss = loss}) / 2, -- the page's loss is half of the square
  }
end

-- ---- in turns ----

local function keep_least(best, figures)
  for name, value in pairs(figures) do best[name] = math.min(best[name] or math.huge, value) end
end

local function line(what, ours, theirs)
  print(("%-52s %9.1f %11.1f %6.2f x"):format(what, ours, theirs, theirs / ours))
end

local function main()
  local o = read_options()
  local scratch = io.popen("mktemp -d"):read("l")
  local ours, theirs = {}, {}
  moon.set_threads(1)
  write_page(scratch .. "/bench.html")
  for _ = 1, o.rounds do
    keep_least(theirs, in_browser(o, scratch))
    keep_least(ours, here())
  end
  os.execute("rm -r " .. quote(scratch))
  print(("net %s, tanh, %d points, batches of %d; least of %d rounds"):format(table.concat(sizes, "-"), rows, batch,
    o.rounds))
  print(("%-52s %9s %11s"):format("microseconds of an epoch", "moonglass", "JavaScript"))
  line("epoch", ours.epoch, theirs.epoch)
  line("with both losses; here that of the steps and of test", ours.steps, theirs.losses)
  line("with both losses, each over all points", ours.losses, theirs.losses)
  print(("least loss that was reached: %.4f here, %.4f in JavaScript"):format(ours.loss, theirs.loss))
end

main()

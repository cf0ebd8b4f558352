-- The web server lighttpd, unchanged. Its mod_magnet contains a Lua 5.4, which runs a net that denoises posted images.
local moon = require "moonglass"
local support = dofile "spec/other_hosts/support.lua"

local files = support.root .. "/scripts/hosts/lighttpd"
local folder, net, expected, server

-- ---- the server ----

local function alive(pid)
  local stat = support.read(("/proc/%d/stat"):format(pid))
  return stat ~= nil and not stat:match("%) [ZX] ")
end

-- The test's addition to the configuration: the probe, at /probe.
local function configuration()
  support.write(folder .. "/probe.lua",
    ([[lighty.r.resp_body.set(dofile("%s")) return 200]]):format(support.probe))
  return support.write(folder .. "/test.conf", ('include "%s/lighttpd.conf"\n'):format(files)
    .. ('$HTTP["url"] == "/probe" { magnet.attract-raw-url-to = ("%s/probe.lua") }\n'):format(folder))
end

-- Try to start it on one port. Return the process, or nil if it ended, for example because the port is in use.
local function attempt(port, net_path)
  local www = folder .. "/" .. port
  os.execute("mkdir " .. www)
  local pid = support.run(([[
    export MOONGLASS_PORT=%d MOONGLASS_WWW='%s' MOONGLASS_HOST='%s' LUA_PATH_5_4="%s/?.lua;$LUA_PATH_5_4"
    %s lighttpd -D -f '%s' >'%s/output' 2>&1 & echo $!]]):format(port, www, files, files,
    support.environment(net_path, ""):gsub("MOONGLASS_PROBE_OUT=''", ""), configuration(), www))
  local s = {pid = tonumber(pid), port = port, log = www .. "/error.log"}
  s.url = "http://127.0.0.1:" .. port
  support.eventually(5, function()
    return not alive(s.pid) or (support.read(s.log) or ""):find("server started", 1, true)
  end)
  return alive(s.pid) and s or nil, support.read(www .. "/output")
end

local function start(net_path)
  local s, output
  for _ = 1, 10 do
    s, output = attempt(math.random(20000, 60000), net_path)
    if s then return s end
  end
  error("lighttpd does not start: " .. tostring(output))
end

local function stop(s)
  os.execute(("kill %d"):format(s.pid))
  assert.is_true(support.eventually(5, function() return not alive(s.pid) end))
end

-- Kilobytes of the process's private memory: pages of the libraries' files come and go.
local function resident(s)
  return tonumber(support.read(("/proc/%d/status"):format(s.pid)):match("RssAnon:%s*(%d+)"))
end

-- ---- requests ----

-- Post these bytes -> status, type, body.
local function post(s, content, path, options)
  local body = support.write(folder .. "/request", content)
  os.remove(folder .. "/response")
  local said = support.run(([[
    curl -s -o '%s/response' -w '%%{http_code} %%{content_type}' --data-binary '@%s' %s %s%s]])
    :format(folder, body, options or "", s.url, path or "/denoise"))
  local status, kind = said:match("^(%d+) (.*)$")
  return tonumber(status), kind, support.read(folder .. "/response")
end

local function noisy_images(n)
  moon.seed(5)
  local clean = assert(moon.data.mnist("test")):rows(1, n):float() / 255
  return moon.gaussian_noise(0.4, {clip = {0, 1}}):forward(clean, true), clean
end

local function png(row) return moon.png.encode(row:reshape(28, 28)) end

-- The expected answer: the same net on the same bytes, in the Lua that runs this file.
local function denoised(bytes)
  local image = assert(moon.png.decode(bytes)):reshape(1, 784)
  return moon.png.encode(assert(moon.load(net)):reconstruct(image):reshape(28, 28))
end

setup(function()
  folder, net = support.folder()
  expected = support.expected(folder, net)
  server = start(net)
end)

teardown(function()
  if server then stop(server) end
  os.execute("rm -rf " .. folder)
end)

describe("lighttpd", function()
  it("returns a posted digit without its noise", function()
    local noisy, clean = noisy_images(20)
    local before, after = 0, 0
    for i = 1, 20 do
      local request, original = png(noisy:rows(i, i)), clean:rows(i, i)
      local status, kind, body = post(server, request)
      assert.equal(200, status)
      assert.equal("image/png", kind)
      assert.equal(denoised(request), body)
      before = before + moon.metrics.mse(moon.png.decode(request):reshape(1, 784), original)
      after = after + moon.metrics.mse(moon.png.decode(body):reshape(1, 784), original)
    end
assert.is_true(after < 0.6 * before, ("error before %.3f, after %.3f"):format(before / 20, after / 20))
  end)

  it("trains in the server's Lua, to the same bits", function()
    local status, _, body = post(server, "", "/probe")
    assert.equal(200, status)
    assert.equal(expected, body)

    local maps = support.read(("/proc/%d/maps"):format(server.pid))
    assert.matches(support.root .. "/build/lib/moonglass/core.so", maps, 1, true)
    local library
    for path in maps:gmatch("/[^\n]*liblua[^\n]*") do
      library = library or path
      assert.equal(library, path)
    end
    assert.matches("liblua5%.4", library)
  end)

  it("answers a bad image with status 400 and the reason", function()
    local function refused(content, message)
      local status, kind, body = post(server, content)
      assert.equal("denoise: " .. message .. "\n", body)
      assert.equal(400, status)
      assert.equal("text/plain", kind)
    end
    local whole = moon.png.encode(moon.zeros(28, 28))
    refused("", "png: not a PNG: 0 bytes")
    refused("GIF89a and so on", "png: not a PNG: begins with 47 49 46 38 39 61 20 61, expected 89 50 4e 47 0d 0a 1a 0a "
      .. "(it is GIF: convert it, for example by ImageMagick's mogrify -format png FILE)")
    refused(whole:sub(1, -20), "png: damaged PNG: truncated")
    refused(moon.png.encode(moon.zeros(28, 32)), "the image is 32 x 28, expected 28 x 28 in shades of grey")
    refused(moon.png.encode(moon.zeros(28, 28, 3)),
      "the image is 28 x 28 in 3 channels, expected 28 x 28 in shades of grey")
    assert.equal(200, (post(server, whole)))
  end)

  it("does not unpack an image beyond its memory limit", function()
    local bomb = moon.png.encode(moon.zeros(7000, 7000):byte())
    assert.is_true(#bomb < 60000)
    local status, _, body = post(server, bomb)
    assert.equal(400, status)
    assert.matches("memory", body)
    assert.equal(200, (post(server, moon.png.encode(moon.zeros(28, 28)))))
  end)

  it("finds the image in every form of the body", function()
    local request = png(noisy_images(1))
    local wanted = denoised(request)
    local ways = {"", "-H Expect:100-continue", "-H Transfer-Encoding:chunked", "--http1.0", "--http2-prior-knowledge",
      "--limit-rate 400"}
    for _, way in ipairs(ways) do
      local status, _, body = post(server, request, nil, way)
      assert.equal(200, status, way)
      assert.equal(wanted, body, way)
    end

    -- Two requests in one packet; the second is refused.
    local header = "POST /denoise HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n%s\r\n%s"
    local first, second = header:format(#request, "", request), header:format(5, "Connection: close\r\n", "image")
    support.write(folder .. "/two", first .. second)
    local answers = support.run(([[bash -c 'exec 3<>/dev/tcp/127.0.0.1/%d && cat "%s/two" >&3 && cat <&3']])
      :format(server.port, folder))
    assert.matches(wanted, answers, 1, true)
    assert.matches("denoise: png: not a PNG: 5 bytes", answers, 1, true)
  end)

  it("refuses other methods and large bodies", function()
    local said = support.run(("curl -s -i %s/denoise"):format(server.url))
    assert.matches("405", said, 1, true)
    assert.matches("Allow: POST", said, 1, true)
    assert.equal(413, (post(server, ("x"):rep(70000))))
  end)

  it("serves no file", function()
    assert.is_truthy(support.read(server.log))
    assert.matches("403", support.run(("curl -s -i %s/error.log"):format(server.url)), 1, true)
  end)

  it("does not grow in 200 requests", function()
    local request = png(noisy_images(1))
    support.write(folder .. "/image", request)
    local function requests(n)
      local text = support.run(([[
        cd '%s'
        curl -s -o answer -w '%%{http_code}\n' --data-binary @image '%s/denoise?[1-%d]']])
        :format(folder, server.url, n))
      return select(2, text:gsub("200\n", ""))
    end
    assert.equal(100, requests(100))
    local before = resident(server)
    assert.equal(200, requests(200))
    assert.equal(denoised(request), support.read(folder .. "/answer"))
    local grown = resident(server) - before
    assert.is_true(grown <= 128, ("grown by %d KB"):format(grown))
  end)

  it("answers several requests at once, each correctly", function()
    local noisy, lines, wanted = noisy_images(40), {}, {}
    for i = 1, 40 do
      local request = png(noisy:rows(i, i))
      wanted[i] = denoised(request)
      support.write(("%s/in%d"):format(folder, i), request)
      lines[i] = ('url = "%s/denoise"\noutput = "%s/out%d"\ndata-binary = "@%s/in%d"\n')
        :format(server.url, folder, i, folder, i)
    end
    local config = support.write(folder .. "/requests", table.concat(lines, "next\n"))
    assert.equal(0, select(2, support.run(("curl -s -Z --parallel-max 8 -K '%s'"):format(config))))
    for i = 1, 40 do assert.equal(wanted[i], support.read(("%s/out%d"):format(folder, i))) end
  end)

  it("answers 500 and names the file without its net, and works again with it", function()
    local late = folder .. "/late.safetensors"
    local s <close> = setmetatable(start(late), {__close = stop})
    local image = moon.png.encode(moon.zeros(28, 28))
    assert.equal(500, (post(s, image)))
    assert.matches(late, support.read(s.log), 1, true)
    assert.is_true(os.rename(net, late))
    assert.equal(200, (post(s, image)))
    assert.is_true(os.rename(late, net))
  end)
end)

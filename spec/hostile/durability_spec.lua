-- Saved files: the order of system calls, and what remains when a call fails, the process is killed, the disk is full,
-- or bytes have changed.
local moon = require "moonglass"
local lfs = require "lfs"
local faults = dofile "spec/support/faults.lua"
local files = dofile "spec/support/files.lua"
local known = dofile "spec/support/known.lua"
local sorted_keys = dofile "spec/support/sorted_keys.lua"

local folder, remove, path

before_each(function()
  folder, remove = files.folder()
  path = folder .. "/target"
end)
after_each(function() remove() end)

local function assert_none(campaign)
  assert.is_true(campaign.points > 0)
  assert.equal("", table.concat(campaign.failures, "\n"))
end

local can_trace = faults.can_trace()

local function traced_test(what, body)
  if can_trace then it(what, body) else pending(what .. " (strace is missing or not allowed to trace)") end
end

local function mode_of(name) return lfs.attributes(name, "permissions") end

local function shell(command) assert(os.execute(command)) end

describe("a save over another file", function()
  for _, name in ipairs(sorted_keys(faults.savers)) do
    it("keeps its mode; a new file follows the umask: " .. name, function()
      local source = faults.program_of(faults.savers[name])
      local function save(before) assert.equal("done", (faults.act(source, path, before))) end
      save "umask 027;"
      assert.equal("rw-r-----", mode_of(path))
      for _, mode in ipairs{"600", "640", "444", "666", "705"} do
        shell(("chmod %s '%s'"):format(mode, path))
        local kept, node = mode_of(path), lfs.attributes(path, "ino")
        save "umask 022;"
        assert.equal(kept, mode_of(path))
        assert.is_true(name == "csv_logger" or node ~= lfs.attributes(path, "ino"))
      end
      os.remove(source)
      assert.equal("target", faults.names(folder))
    end)
  end

  traced_test("never has a temporary that other users can read", function()
    local source = faults.program_of(faults.savers.net)
    local function mode() -- of the new temporary
      local opened = faults.find(faults.calls(source, path), 1, "openat", folder .. "/.target.")
      return opened.arguments:match("0%d+$")
    end
    assert.equal("0666", mode())
    assert.equal("0600", mode())
    os.remove(source)
  end)

  it("keeps its owner if the process may set it", function()
    if (files.run "id -u") ~= "0\n" then return pending "not root" end
    assert(moon.png.write(path, moon.rand(2, 2)))
    shell(("chown 1234:2345 '%s' && chmod 640 '%s'"):format(path, path))
    assert(moon.png.write(path, moon.rand(2, 2)))
    assert.equal("rw-r-----", mode_of(path))
    assert.same({1234, 2345}, {lfs.attributes(path, "uid"), lfs.attributes(path, "gid")})
  end)

  it("gives the group only the rights of others if it cannot keep the group", function()
    local other = "setpriv --reuid 1234 --regid 1234 --clear-groups"
    local reads = other .. " test -r " .. files.quote(lfs.currentdir() .. "/lua/moonglass/init.lua")
    if (files.run "id -u") ~= "0\n" or select(3, files.run(reads)) ~= 0 then
      return pending "not root, no setpriv, or a tree that other users cannot read"
    end
    assert(moon.png.write(path, moon.rand(2, 2)))
    shell(("chown 0:2345 '%s' && chmod 664 '%s' && chmod 777 '%s'"):format(path, path, folder))
    local source = faults.program_of(faults.savers.png)
    shell(("chmod 644 '%s'"):format(source))
    assert.equal("done", (faults.act(source, path, other)))
    os.remove(source)
    assert.equal("rw-r--r--", mode_of(path))
    assert.same({1234, 1234}, {lfs.attributes(path, "uid"), lfs.attributes(path, "gid")})
  end)
end)

describe("a save through a symbolic link", function()
  local other, remove_other

  before_each(function() other, remove_other = files.folder() end)
  after_each(function() remove_other() end)

  for _, name in ipairs(sorted_keys(faults.savers)) do
    it("keeps the link and replaces the file that it names: " .. name, function()
      local source = faults.program_of(faults.savers[name])
      local function save(expected)
        assert.equal(expected or "done", (faults.act(source, path)))
        assert.equal("link", lfs.symlinkattributes(path, "mode"))
      end
      assert(lfs.link(other .. "/file", folder .. "/middle", true))
      assert(lfs.link("middle", path, true)) -- relative to its own folder
      save()
      assert.equal("file", lfs.symlinkattributes(other .. "/file", "mode"))
      shell(("chmod 600 '%s/file'"):format(other))
      local node = lfs.attributes(path, "ino")
      save()
      assert.is_true(name == "csv_logger" or node ~= lfs.attributes(path, "ino"))
      assert.equal("rw-------", mode_of(path))
      assert.equal("middle target", faults.names(folder))
      assert.equal("file", faults.names(other))
      os.remove(other .. "/file")
      os.remove(folder .. "/middle")
      assert(lfs.link("target", folder .. "/middle", true)) -- a circle
      save("refused")
      assert.equal("middle target", faults.names(folder))
      os.remove(source)
    end)
  end

  it("follows as many links as the system does, and refuses more", function()
    local function link(i) return ("%s/link_%d"):format(folder, i) end
    assert(lfs.link(path, link(1), true))
    for i = 2, 41 do assert(lfs.link(("link_%d"):format(i - 1), link(i), true)) end
    assert(moon.safetensors.save(link(40), {t = moon.ones(2)}))
    assert.equal("file", lfs.symlinkattributes(path, "mode"))
    local ok, message, code = moon.safetensors.save(link(41), {t = moon.zeros(2)})
    assert.same({false, ("cannot write '%s': Too many levels of symbolic links"):format(link(41)), "I/O"},
      {ok or false, message, code})
    assert.equal(2, assert(moon.safetensors.load(path)).t:sum())
  end)

  it("into a missing folder is refused with a message", function()
    assert(lfs.link(other .. "/none/file", path, true))
    local ok, message, code = moon.png.write(path, moon.rand(2, 2))
    assert.is_nil(ok)
    assert.equal("I/O", code)
    assert.equal(("cannot write '%s': No such file or directory"):format(path), message)
  end)

  it("replaces no file named by the text of a link in /proc", function()
    files.write(path, "old")
    local file = assert(io.open(path))
    os.remove(path)
    for fd = 3, 30 do
      local name = ("/proc/self/fd/%d"):format(fd)
      if (lfs.symlinkattributes(name, "target") or ""):find(path, 1, true) then
        local ok, message = moon.png.write(name, moon.rand(2, 2))
        assert.is_nil(ok)
        assert.equal(("cannot write '%s': its link does not name a file"):format(name), message)
      end
    end
    file:close()
    assert.equal("", faults.names(folder))
  end)

  it("keeps old versions beside the link, even if the file is on another file system", function()
    local far = lfs.attributes("/dev/shm", "mode") == "directory" and os.tmpname():gsub("^.*/", "/dev/shm/") or other
    local targets = {other .. "/file"}
    if lfs.attributes("/dev/shm", "dev") ~= lfs.attributes(folder, "dev") then targets[2] = far end
    local rotate = require("moonglass.support.files").file_rotate
    for _, target in ipairs(targets) do
      assert(lfs.link(target, path, true))
      for version = 1, 3 do
        assert(rotate(path, 3))
        assert(moon.safetensors.save(path, {v = moon.tensor{version}}))
        shell(("chmod 600 '%s'"):format(target))
      end
      for version, name in pairs{[3] = target, [2] = path .. ".1", [1] = path .. ".2"} do
        assert.equal(version, assert(moon.safetensors.load(name)).v[1])
        assert.equal("file", lfs.symlinkattributes(name, "mode"))
        assert.equal("rw-------", mode_of(name))
      end
      assert.equal("link", lfs.symlinkattributes(path, "mode"))
      assert.equal("target target.1 target.2", faults.names(folder))
      for _, name in ipairs{target, path, path .. ".1", path .. ".2"} do os.remove(name) end
    end
  end)
end)

describe("a save", function()
  for _, name in ipairs(sorted_keys(faults.savers)) do
    traced_test("syncs the file, renames it, then syncs the folder: " .. name, function()
      local source = faults.program_of(faults.savers[name])
      local calls = faults.calls(source, path)
      os.remove(source)
      local opened, at = faults.find(calls, 1, "openat", folder .. "/.target.")
      assert.matches("O_WRONLY|O_CREAT|O_EXCL", opened.arguments, 1, true)
      local fd, written = opened.result, 0
      for i, call in ipairs(calls) do
        if call.name == "write" and call.arguments:match("^%d+") == fd then
          assert.is_true(i > at)
          written = i
        end
      end
      assert.is_true(written > 0)
      at = select(2, faults.find(calls, written, "fsync", fd))
      at = select(2, faults.find(calls, at + 1, "close", fd))
      local renamed
      renamed, at = faults.find(calls, at + 1, "rename", ('/.target.'))
      assert.equal(path, renamed.arguments:match(', "([^"]*)"$'))
      opened, at = faults.find(calls, at + 1, "openat", ('"%s/"'):format(folder))
      assert.matches("O_DIRECTORY", opened.arguments, 1, true)
      faults.find(calls, at + 1, "fsync", opened.result)
      assert.equal("target", faults.names(folder))
    end)
  end

  traced_test("that is killed at any system call leaves the old file or the new one", function()
    assert_none(faults.kill_everywhere(faults.savers.net))
  end)

  it("that is killed at any moment leaves the old file or the new one", function()
    local result = faults.kill_at_random(moon, 25)
    assert_none(result)
    assert.is_true(result.saves > 25, result.saves)
  end)

  traced_test("whose system call fails says why, and leaves the old file", function()
    assert_none(faults.refuse_everywhere(faults.savers.net, {"EIO", "ENOSPC", "EINTR"}))
  end)

  it("does not remove the temporary of another running save", function()
    local other, mine = folder .. "/.target.abcdef.moonglass", folder .. "/.other.abcdef.moonglass"
    files.write(other, "")
    files.write(mine, "")
    local holder = io.popen(("flock -x %s -c 'echo held; exec sleep 1'"):format(other))
    assert.equal("held", holder:read("l"))
    assert(moon.safetensors.save(path, {t = moon.ones(2)}))
    assert.equal(".other.abcdef.moonglass .target.abcdef.moonglass target", faults.names(folder))
    holder:close()
    assert(moon.safetensors.save(path, {t = moon.ones(2)}))
    assert.equal(".other.abcdef.moonglass target", faults.names(folder))
  end)
end)

describe("a load", function()
  for _, name in ipairs(sorted_keys(faults.loaders)) do
    traced_test("whose system call fails says why: " .. name, function()
      assert_none(faults.refuse_reading(faults.loaders[name], {"EIO", "EINTR"}))
    end)
  end
end)

describe("a read or write of only a few bytes", function()
  it("is continued", function()
    local library = folder .. "/short_io.so"
    assert.equal(0, (select(3, files.run(("cc -O1 -shared -fPIC -o %s spec/fixtures/short_io.c"):format(library)))))
    for _, name in ipairs(sorted_keys(faults.savers)) do
      local source = faults.program_of(faults.savers[name])
      assert.equal("done", (faults.act(source, path)))
      local whole = files.read(path)
      assert.equal("done", (faults.act(source, path, nil, "LD_PRELOAD=" .. library)))
      assert.is_true(files.read(path) == whole)
      os.remove(source)
    end
  end)
end)

describe("a save that does not fit", function()
  local net = moon.sequential{moon.dense(200, 100)} -- 80 kB

  local function refused(reason, saving)
    files.write(path, "the old file")
    local ok, message, code = (saving or function() return net:save(path) end)()
    assert.is_nil(ok)
    assert.equal("I/O", code)
    assert.equal(("cannot write '%s': %s"):format(path, reason), message)
    assert.equal("the old file", files.read(path))
    assert.equal("target", faults.names(folder))
  end

  -- Run body with a file system mounted on the folder.
  local function mounted(what, options, body)
    it(what, function()
      if (select(3, files.run(("mount -t tmpfs -o %s none %s"):format(options, folder)))) ~= 0 then
        return pending "mounting a file system is not allowed"
      end
      local ok, message = pcall(body)
      files.run("umount " .. folder)
      assert(ok, message)
    end)
  end

  mounted("a full disk is named", "size=64k", function()
    refused("No space left on device")
    refused("No space left on device", function()
      return moon.safetensors.save(path, {t = moon.zeros(100000)})
    end)
    assert(moon.sequential{moon.dense(10, 10)}:save(path)) -- a small file still fits
  end)

  mounted("names a disk without free inodes", "size=64k,nr_inodes=2", function()
    refused("No space left on device")
  end)

  mounted("names a read-only disk", "size=1m", function()
    files.write(path, "the old file")
    assert.equal(0, (select(3, files.run("mount -o remount,ro " .. folder))))
    local ok, message = net:save(path)
    assert.is_nil(ok)
    assert.equal(("cannot write '%s': Read-only file system"):format(path), message)
    assert.equal("the old file", files.read(path))
  end)

  it("names a limit on the size of files, in the program", function()
    for _, name in ipairs{"net", "onnx", "csv_logger"} do
      local saver = faults.savers[name]
      local source = faults.program_of{saver[1], saver[2]}
      files.write(path, "the old file")
      local result, message = faults.act(source, path, "ulimit -f 2;")
      assert.equal("refused", result)
      assert.matches("File too large", message, 1, true)
      assert.equal("the old file", files.read(path))
      assert.equal("target", faults.names(folder))
      os.remove(source)
    end
  end)

  it("is not written to a device", function()
    for _, saving in ipairs{function() return net:save("/dev/full") end,
      function() return moon.onnx.export("/dev/full", net) end} do
      local ok, message = saving()
      assert.is_nil(ok)
      assert.matches("cannot write '/dev/full': not a regular file", message, 1, true)
    end
  end)

  mounted("names the file in csv_logger", "size=4k", function()
    files.write(folder .. "/filler", ("x"):rep(4096))
    local ok, message = pcall(net.fit, net, moon.rand(8, 200), moon.rand(8, 100),
      {loss = "mse", callbacks = {moon.callbacks.csv_logger(path)}})
    assert.is_false(ok)
    assert.matches(("csv_logger: %s: No space left on device"):format(path), message, 1, true)
  end)
end)

describe("a changed byte", function()
  local function small()
    local net = moon.autoencoder.plain{input = 6, hidden = 3}
    local opt = moon.adam()
    opt:moments(net:parameters())
    return {net = net, opt = opt, epoch = 12, seed = 34, history = {loss = {0.5}, val_loss = {}, epoch_seconds = {1}}}
  end

  -- The contents of a checkpoint, as a list of texts.
  local function content_of(file)
    local tensors, texts, names = moon.safetensors.load(file)
    if not tensors then return nil end
    local list = {}
    for _, name in ipairs(names) do
      local values = {}
      for i, v in ipairs(tensors[name]:reshape(-1):totable()) do values[i] = ("%a"):format(v) end
      list[#list + 1] = ("%s %s %s"):format(name, table.concat(tensors[name].shape, "x"), table.concat(values, " "))
    end
    for key, text in pairs(texts) do list[#list + 1] = ("%s=%s"):format(key, text) end
    table.sort(list)
    return table.concat(list, "\n")
  end

  it("in our files is noticed wherever it has a meaning", function()
    assert(moon.checkpoint.save(path, small()))
    local whole, content = files.read(path), content_of(path)
    local noticed, damaged = 0, folder .. "/damaged"
    for i = 1, #whole do
      for _, bit in ipairs{i % 8, (i + 3) % 8} do
        files.write(damaged, whole:sub(1, i - 1), string.char(whole:byte(i) ~ 1 << bit), whole:sub(i + 1))
        local now = content_of(damaged)
        if now == nil then noticed = noticed + 1 end
        if now ~= nil and now ~= content then error(("byte %d, bit %d: it loads as something else"):format(i, bit)) end
      end
    end
    assert.is_true(noticed > 1.9 * #whole, noticed)
  end)

  it("in a tensor is reported with the tensor's name", function()
    assert(moon.safetensors.save(path, {t = moon.ones(4)}))
    local whole = files.read(path)
    files.write(path, whole:sub(1, -2), "\0")
    local t, message, code = moon.safetensors.load(path)
    assert.is_nil(t)
    assert.matches(("'%s': damaged: the checksum of tensor 't' and of the texts is "):format(path), message, 1, true)
    assert.equal("format", code)
  end)

  it("is not noticed in files without checksums, which other programs write", function()
    assert(moon.safetensors.save(path, {t = moon.ones(4)}, {text = "here"}))
    local whole = files.read(path)
    local header = whole:sub(9, 8 + string.unpack("<I8", whole))
    local plain = header:gsub(',"crc32":%d+', "")
    assert.is_true(#plain < #header)
    files.write(path, string.pack("<I8", #plain), plain, whole:sub(9 + #header, -2), "\0")
    local t, texts = assert(moon.safetensors.load(path))
    assert.equal("here", texts.text)
    assert.is_true(t.t[4] ~= 1)
  end)
end)

describe("loading a checkpoint", function()
  -- Failures other than a bad file are raised: else a script that starts anew without a checkpoint would overwrite it.
  it("raises an error when memory runs out, and does not report damage", function()
    local file = os.tmpname()
    local net = moon.sequential{moon.dense(200, 200)}
    net:fit(moon.rand(8, 200), {loss = "mse", callbacks = {moon.callbacks.checkpoint(file)}})
    net = nil -- luacheck: ignore
    local raised, loaded = 0, 0
    for kilobytes = 0, 1400, 50 do
      collectgarbage()
      collectgarbage()
      moon.limits{memory = moon.info().memory + kilobytes * 1024 + 1}
      for _, load in ipairs{moon.checkpoint.load, moon.checkpoint.latest} do
        local ok, c, message = pcall(load, file)
        if ok then
          assert.is_table(c, tostring(message))
          loaded = loaded + 1
        else
          assert.matches("durability_spec%.lua:%d+: .*out of memory", c)
          raised = raised + 1
        end
      end
      moon.limits{memory = 0}
    end
    os.remove(file)
    assert.is_true(raised > 10 and loaded > 3)
  end)

  it("says what is wrong with its optimizer", function()
    local file, net = os.tmpname(), moon.sequential{moon.dense(3, 2)}
    assert(moon.checkpoint.save(file, {net = net, opt = moon.adam(), epoch = 1}))
    local tensors, metadata = assert(moon.safetensors.load(file))
    local function wrong(key, v, words, list)
      local was = list[key]
      list[key] = v
      assert(moon.safetensors.save(file, tensors, metadata))
      list[key] = was
      local c, message, code = moon.checkpoint.load(file)
      assert.is_nil(c)
      assert.equal("format", code)
      assert.matches(words, message, 1, true)
    end
    wrong("opt.kind", "none", known.fill "opt.kind is 'none' (known: <optimizers>)", metadata)
    wrong("opt.option.lr", "-1", "adam: lr", metadata)
    wrong("opt.option.lr", "fast", "adam: lr is 'fast', expected a number", metadata)
    wrong("opt.option.rate", "1", "adam: unknown option 'rate'", metadata)
    wrong("opt.steps", "-1", "opt.steps is '-1', expected a whole number of at least 0", metadata)
    wrong("epoch", "-1", "epoch is '-1', expected a whole number of at least 0", metadata)
    wrong("opt.1.weight.m", moon.zeros(2, 2), "tensor 'opt.1.weight.m' is [2 x 2], expected [3 x 2]", tensors)
    wrong("opt.1.weight.m", nil, "tensor 'opt.1.weight.m' is missing", tensors)
    os.remove(file)
  end)
end)

describe("kept checkpoints", function()
  local function state(epoch)
    moon.seed(epoch)
    return {net = moon.autoencoder.plain{input = 6, hidden = 3}, epoch = epoch}
  end

  local function damage(file)
    local whole = files.read(file)
    files.write(file, whole:sub(1, #whole // 2), "x", whole:sub(#whole // 2 + 2))
  end

  local function train(epochs, keep)
    local net = moon.autoencoder.plain{input = 6, hidden = 3}
    local each = moon.callbacks.checkpoint(path, {keep = keep})
    net:fit(moon.rand(8, 6), {loss = "mse", epochs = epochs, callbacks = {each}})
  end

  it("are the last ones", function()
    train(5, 3)
    assert.equal("target target.1 target.2", faults.names(folder))
    assert.equal(5, assert(moon.checkpoint.load(path)).epoch)
    assert.equal(4, assert(moon.checkpoint.load(path .. ".1")).epoch)
    assert.equal(3, assert(moon.checkpoint.load(path .. ".2")).epoch)
  end)

  it("are one by default and at most ten", function()
    train(3)
    assert.equal("target", faults.names(folder))
    assert.has_error(function() moon.callbacks.checkpoint(path, {keep = 11}) end)
    assert.has_error(function() moon.callbacks.checkpoint(folder .. "/%03d", {keep = 2}) end)
  end)

  it("replace a damaged newer one", function()
    train(5, 3)
    local c, skipped = assert(moon.checkpoint.latest(path))
    assert.equal(5, c.epoch)
    assert.same({}, skipped)
    damage(path)
    c, skipped = assert(moon.checkpoint.latest(path))
    assert.equal(4, c.epoch)
    assert.equal(1, #skipped)
    assert.matches(path, skipped[1], 1, true)
    os.remove(path)
    damage(path .. ".1")
    c, skipped = assert(moon.checkpoint.latest(path))
    assert.equal(3, c.epoch)
    assert.equal(2, #skipped)
    assert.matches("No such file", skipped[1], 1, true)
    damage(path .. ".2")
    local none, message, code = moon.checkpoint.latest(path)
    assert.is_nil(none)
    assert.equal("format", code)
    assert.matches(path .. ".1", message, 1, true)
  end)

  it("give a message when there are none", function()
    local none, message, code = moon.checkpoint.latest(path)
    assert.is_nil(none)
    assert.equal(("cannot read '%s': No such file or directory"):format(path), message)
    assert.equal("I/O", code)
  end)

  it("stay different when saving fails repeatedly", function()
    train(3, 3)
    local rotate = require("moonglass.support.files").file_rotate
    for _ = 1, 3 do assert(rotate(path, 3)) end
    assert.equal(3, assert(moon.checkpoint.load(path)).epoch)
    assert.equal(3, assert(moon.checkpoint.load(path .. ".1")).epoch)
    assert.equal(2, assert(moon.checkpoint.load(path .. ".2")).epoch)
    assert(moon.checkpoint.save(path, state(4)))
    assert.equal(3, assert(moon.checkpoint.load(path .. ".1")).epoch)
  end)

  traced_test("stay as they were when a call fails while they are renamed", function()
    local kept = {target = true, ["target.1"] = true, ["target.2"] = true}
    local source = faults.program_of{"local rotate = require('moonglass.support.files').file_rotate", "rotate(path, 3)"}
    local function write_versions()
      for name, text in pairs{[""] = "new", [".1"] = "older", [".2"] = "oldest"} do
        os.remove(path .. name) -- it may be a link to another one
        files.write(path .. name, text)
      end
    end
    local function try(options)
      write_versions()
      local _, result, message = faults.traced(source, path, options)
      return result, message
    end
    local function refused(reason, options)
      local result, message = try(options)
      assert.equal("refused", result, options)
      assert.matches(reason, message, 1, true)
      assert.equal("new", files.read(path))
      for name in faults.names(folder):gmatch("%S+") do assert.is_not_nil(kept[name], name .. options) end
    end

    write_versions()
    local tried = {}
    for _, call in ipairs(faults.calls(source, path)) do
      if call.name:find("^link") or call.name:find("^rename") then
        refused(("cannot keep the old '%s': Input/output error"):format(path),
          (" -e inject=%s:error=EIO:when=%d"):format(call.name, call.number))
        tried[#tried + 1] = call.name
      end
    end
    assert.same({"linkat", "rename", "rename"}, tried)
    assert.equal("done", (try "-e inject=linkat:error=EPERM")) -- a copy
    assert.equal("new", files.read(path .. ".1"))
    refused("Input/output error", "-e inject=linkat:error=EPERM -e inject=fsync:error=EIO:when=1")
    refused("No space left on device", "-e inject=linkat:error=EPERM -e inject=write:error=ENOSPC:when=1")
    os.remove(source)
  end)

  traced_test("are whole when the process is killed between two of them", function()
    local source = faults.program_of{
      [[local net = moon.autoencoder.plain{input = 6, hidden = 3}
        local each = moon.callbacks.checkpoint(path, {keep = 2})
        each:on_train_begin{directions = {loss = "min"}}
        local function save(epoch)
          local state = {net = net, epoch = epoch, loss = 1}
          each:on_epoch_end(state)
          each:on_checkpoint(state)
          return true
        end
        save(1) save(2)]], "save(3)"}
    for _, call in ipairs(faults.calls(source, path)) do
      remove()
      assert(lfs.mkdir(folder))
      faults.kill_at(source, path, call)
      local c = assert(moon.checkpoint.load(path)) -- there is a file under this name at all times
      assert.is_true(c.epoch == 2 or c.epoch == 3)
      assert.is_true(assert(moon.checkpoint.load(path .. ".1")).epoch >= 1)
    end
    faults.act(source, path) -- leaves no temporary
    assert.equal("target target.1", faults.names(folder))
    os.remove(source)
  end)
end)

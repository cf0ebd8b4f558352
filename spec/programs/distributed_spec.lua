-- The scripts' --distributed without any MPI: who has the option, how it fails, and what a rank does that is not the
-- first. spec/mpi/scripts_test.py runs the scripts on several ranks.
local lfs = require "lfs"

local files = dofile "spec/support/files.lua"
local has = dofile("spec/support/expect.lua").has

local program = files.quote(os.getenv("MOONGLASS_BIN") or "build/moonglass")
local shapes = "spec/fixtures/shapes"
local folder

before_each(function()
  folder = os.tmpname()
  os.remove(folder)
end)

after_each(function() os.execute("rm -rf " .. files.quote(folder)) end)

-- Runs a command; before: Lua that runs before the script. Returns stdout, stderr, status.
local function run(command, before)
  local e = before and "-e " .. files.quote(before) .. " " or ""
  return files.run(("env -u MOONGLASS_DATA -u OMPI_COMM_WORLD_SIZE -u PMI_SIZE %s %s%s"):format(program, e, command))
end

-- A stand-in for moonglass.mpi, on rank 1 of 2.
local second = [[
package.preload["moonglass.mpi"] = function()
  local mpi = {rank = 1, size = 2, host = "b"}
  function mpi.agree(ok, message) if not ok then error("rank 1: " .. message, 0) end end
  function mpi.broadcast(v, root) return root == 0 and "a" or v end
  function mpi.fail(message)
    io.stderr:write("ended by rank 1: ", message, "\n")
    os.exit(3)
  end
  return mpi
end]]

-- A script that leaves everything that a script can leave, and then fails if it is told to.
local script = [[
package.path = "scripts/?.lua;" .. package.path
local moon = require "moonglass"
local run <close> = require("experiment.run").start{
  name = "trial", about = "A trial.", data = false, options = {{"fail", false, "fail at the end"}},
}
run:print("printed")
run:say("said %d", 1)
run:remark("remarked")
run:figure("figure", 1)
run:table("table", {{"a"}, {1}})
run:columns("columns", {"a"}, {{1}})
run:write("text.txt", "text")
run:save(moon.sequential{moon.dense(2, 2)}, "net")
run:save_tensors("tensors", {a = moon.zeros(2)})
run:picture("picture", moon.zeros(2, 2):byte())
run:plot("lines", "plot", {{y = {1, 2}}}, {})
if run.options.fail then error("told to fail", 0) end
]]

local function trial(options, before)
  local path = os.tmpname()
  files.write(path, script)
  local output, errors, status = run(("%s --out %s %s"):format(path, folder, options), before)
  os.remove(path)
  return output, errors, status
end

describe("--distributed", function()
  it("is an option of the scripts that train native nets by fit, and of no others", function()
    local having, others = {}, {}
    for name in lfs.dir("scripts") do
      if name:find("%.lua$") then
        local help = run(("scripts/%s --help"):format(name))
        local list = help:find("\n%s*%-%-distributed ") and having or others
        list[#list + 1] = name
      end
    end
    table.sort(others)
    assert.same({"activations.lua", "adversarial.lua", "anomaly_table.lua", "by_hand.lua", "categorical.lua",
      "experiments.lua", "series.lua", "winner_take_all.lua"}, others)
    assert.is_true(#having >= 13)
  end)

  it("says in --help whose rows and threads are counted", function()
    local help = run("scripts/deep.lua --help"):gsub("%s+", " ")
    has(help, "train one net with all processes that mpirun started: --batch counts the rows of all, "
      .. "--threads the threads of each (default: its share of the cores)")
  end)

  it("fails in one line where there is no MPI, and writes nothing", function()
    local output, errors, status = run(("scripts/deep.lua --distributed --data %s --out %s"):format(shapes, folder),
      [[package.preload["moonglass.mpi"] = function() error("moonglass.mpi: no MPI here\nand more", 0) end]])
    assert.same({"", "deep: moonglass.mpi: no MPI here\n", 1}, {output, errors, status})
    assert.is_nil(lfs.attributes(folder))
  end)

  it("is missed where a launcher has started several processes: the first says so", function()
    for _, launcher in ipairs{"OMPI_COMM_WORLD", "PMI"} do
      for rank = 0, 1 do
        local _, errors, status = files.run(("env %s_SIZE=2 %s_RANK=%d %s scripts/activations.lua --points 3 --out %s")
          :format(launcher, launcher, rank, program, folder))
        assert.equal(0, status)
        assert.equal(rank > 0 and "" or "activations: 2 processes were started; without --distributed each trains a "
          .. "net of its own\n", errors)
      end
    end
  end)
end)

describe("a rank that is not the first", function()
  it("prints nothing and writes nothing", function()
    local output, errors, status = trial("")
    assert.same({"", 0}, {errors, status})
    for _, text in ipairs{"printed", "said 1", "remarked", "figure", "text.txt", "net.safetensors"} do
      has(output, text)
    end
    os.execute("rm -rf " .. files.quote(folder))
    assert.same({"", "", 0}, {trial("--distributed", second)})
    assert.is_nil(lfs.attributes(folder))
  end)

  it("ends all ranks when it fails", function()
    local output, errors, status = trial("--distributed --fail", second)
    assert.same({"", "ended by rank 1: trial: told to fail\n", 3}, {output, errors, status})
  end)

  it("leaves an agreed failure's message to the first", function()
    assert.same({"", "", 2}, {trial("--distributed --seed x", second)})
  end)
end)

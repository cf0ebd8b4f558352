-- What the module over MPI does without an MPI: values as bytes, and the choice of the MPI.
local choose = require "moonglass.mpi.choose"
local values = require "moonglass.mpi.values"

describe("values that ranks send", function()
  local value = {1, -2.5, "three", true, {deep = {[7] = false}}, [2.5] = math.mininteger}

  it("come back as they were", function()
    assert.same(value, values.unpack(values.pack(value)))
    for _, v in ipairs{0, 0.0, "", "\0", false} do assert.equal(v, values.unpack(values.pack(v))) end
    assert.is_nil(values.unpack(values.pack(nil)))
    assert.equal("integer", math.type(values.unpack(values.pack(3))))
    assert.equal("float", math.type(values.unpack(values.pack(3.0))))
  end)

  it("are refused with the place of the part that cannot be sent", function()
    local rest = ", expected nil, a boolean, a number, a string or a table of these"
    assert.has_error(function() values.pack(print) end, "the value is a function" .. rest)
    assert.has_error(function() values.pack{a = {io.stdout}} end, "the value.a.1 is a userdata" .. rest)
    assert.has_error(function() values.pack{[print] = 1} end, "the value's key is a function" .. rest)
    local cycle = {}
    cycle[1] = cycle
    local ok, message = pcall(values.pack, cycle)
    assert.is_false(ok)
    assert.matches("is deeper than 100 tables, or a cycle$", message)
  end)

  it("are an error when bytes are missing, too many, or of no kind", function()
    local bytes = values.pack(value)
    for n = 0, #bytes - 1 do assert.is_false(pcall(values.unpack, bytes:sub(1, n)), n) end
    assert.has_error(function() values.unpack(bytes .. "n") end, "these bytes are not of a value")
    assert.has_error(function() values.unpack "x" end, "these bytes are not of a value")
    assert.has_error(function() values.unpack "TntE" end, "these bytes are not of a value") -- a nil key
  end)
end)

describe("the MPI of a process", function()
  local function launcher(variables)
    return choose.launcher(function(name) return variables[name] end)
  end

  it("is that of its launcher", function()
    assert.same({"openmpi", 4}, {launcher{OMPI_COMM_WORLD_SIZE = "4", PMIX_RANK = "0"}})
    assert.same({"mpich", 3}, {launcher{PMI_SIZE = "3", PMI_RANK = "2"}})
    assert.same({"openmpi", 8}, {launcher{PMIX_RANK = "0", SLURM_STEP_NUM_TASKS = "8"}})
    assert.same({}, {launcher{}})
  end)

  it("is the one that MOONGLASS_MPI names", function()
    assert.same({"mpich"}, {launcher{MOONGLASS_MPI = "mpich"}})
    assert.same({"openmpi", 3}, {launcher{MOONGLASS_MPI = "openmpi", PMI_SIZE = "3"}})
    assert.same({"mpich", 3}, {launcher{MOONGLASS_MPI = "", PMI_SIZE = "3"}})
    assert.has_error(function() launcher{MOONGLASS_MPI = "lam"} end,
      "moonglass.mpi: MOONGLASS_MPI is 'lam', expected openmpi or mpich")
  end)
end)

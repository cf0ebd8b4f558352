--- Which MPI a process uses: that of the launcher that started it, else the one that is installed.
local host = require "moonglass.support.host"

local choose = {}

local names = {openmpi = "Open MPI", mpich = "MPICH"}
local launchers = {openmpi = "mpirun.openmpi", mpich = "mpiexec.mpich"}

-- The variables by which a launcher tells its processes how many they are: Open MPI's mpirun, MPICH's mpiexec, and
-- Slurm's srun --mpi=pmi2 like MPICH, --mpi=pmix like Open MPI.
local function launcher(getenv)
  local function whole(name) return math.tointeger(tonumber(getenv(name))) end
  local count = whole "OMPI_COMM_WORLD_SIZE"
  if count then return "openmpi", count end
  count = whole "PMI_SIZE"
  if count then return "mpich", count end
  if getenv "PMIX_RANK" then return "openmpi", whole "SLURM_STEP_NUM_TASKS" or 1 end
end

--- The launcher's MPI, which MOONGLASS_MPI can name instead, and the number of its processes; nil without a launcher.
function choose.launcher(getenv)
  local name, count = launcher(getenv)
  local given = getenv "MOONGLASS_MPI"
  if given == nil or given == "" then return name, count end
  if not names[given] then
    error(("moonglass.mpi: MOONGLASS_MPI is '%s', expected openmpi or mpich"):format(given), 0)
  end
  return given, count
end

local function fail(...) error("moonglass.mpi: " .. string.format(...), 0) end

-- The module over an MPI; nil and why if it cannot be loaded.
local function load_module(name)
  local ok, module = pcall(require, "moonglass." .. name)
  if ok then return module end
  return nil, module
end

-- "Open MPI v4.1.4, package: ..." -> "Open MPI 4.1.4"; "MPICH Version:      4.0.2\n..." -> "MPICH 4.0.2"
local patterns = {openmpi = "^Open MPI v([%w.]+)", mpich = "^MPICH Version:%s*([%w.]+)"}

-- The library's name and version. A third MPI may take the place of the one that we were compiled for.
local function identify(name, module)
  local text = module.library()
  local version = text:match(patterns[name])
  if version then return names[name] .. " " .. version end
  fail("moonglass/%s.so was built for %s, but the MPI that is loaded calls itself '%s'; " ..
    "use Open MPI or MPICH, and look at LD_LIBRARY_PATH", name, names[name], text:match("^[^\n]*"))
end

--- The module, MPI's name and version, and the number of processes that the launcher has started; nil without one.
function choose.module(getenv)
  getenv = getenv or host.os.getenv
  local wanted, count = choose.launcher(getenv)
  local reasons = {}
  for _, name in ipairs(wanted and {wanted} or {"openmpi", "mpich"}) do
    local module, why = load_module(name)
    if module then return module, identify(name, module), count end
    reasons[#reasons + 1] = why
  end
  if wanted then
    fail("the launcher is that of %s, but moonglass/%s.so is not there: start with %s, or install %s and run make " ..
      "again\n%s", names[wanted], wanted, launchers[wanted == "openmpi" and "mpich" or "openmpi"], names[wanted],
      reasons[1])
  end
  fail("no MPI: install Open MPI or MPICH (make deps-mpi), and run make again\n%s", table.concat(reasons, "\n"))
end

return choose

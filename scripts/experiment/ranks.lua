--- The ranks of --distributed: processes that a launcher like mpirun has started, and that train one net together. All
-- run the same script. After the last training only rank 0, the first, goes on; the others print and write nothing.
-- Without --distributed there is one rank, and nothing here waits for another.
local moon = require "moonglass"

local ranks = {}

local Ranks = {}
Ranks.__index = Ranks

--- The first line of a message. The lines below it, a traceback, are for programmers.
function ranks.first_line(err) return (tostring(err):match("^[^\n]*")) end

local function has(words, wanted)
  for _, word in ipairs(words) do
    if word == wanted then return true end
  end
  return false
end

--- How many processes a launcher has started together with this one, by its environment, and which of them it is.
function ranks.launched()
  for _, launcher in ipairs{"OMPI_COMM_WORLD_", "PMI_"} do
    local size = math.tointeger(tonumber(os.getenv(launcher .. "SIZE")))
    if size then return size, math.tointeger(tonumber(os.getenv(launcher .. "RANK"))) end
  end
  return 1, 0
end

-- Someone has started several processes and forgotten the option: the first of them says what that means. It may be
-- meant, for example to try several seeds at once.
local function say_what_is_missing(name)
  local size, rank = ranks.launched()
  if size > 1 and rank == 0 then
    io.stderr:write(("%s: %d processes were started; without --distributed each trains a net of its own\n"):format(name,
      size))
  end
end

--- Joins the other processes if --distributed is among the words of the command line. name: of the script. Returns the
-- ranks: mpi, the module (nil without the option), rank, first (is it rank 0?), size.
function ranks.join(name, words)
  local self = setmetatable({name = name, rank = 0, first = true, size = 1}, Ranks)
  local helps = has(words, "--help") or has(words, "-h")
  if helps then return self end
  if not has(words, "--distributed") then
    say_what_is_missing(name)
    return self
  end
  local ok, mpi = pcall(require, "moonglass.mpi")
  if not ok then self:fail(ranks.first_line(mpi), 1, true) end
  self.mpi, self.rank, self.first, self.size = mpi, mpi.rank, mpi.rank == 0, mpi.size
  return self
end

--- Ends the program with one line on stderr. agreed: every rank is here with the same message, which `agree` raised;
-- else this rank ends all of them.
function Ranks:fail(message, status, agreed)
  io.stdout:flush()
  local text = ("%s: %s"):format(self.name, message)
  if self.size > 1 and not agreed then self.mpi.fail(text) end
  if self.first then io.stderr:write(text, "\n") end
  os.exit(status, self.mpi ~= nil) -- closing Lua takes leave of the other ranks
end

--- Calls f on every rank. If it fails on one, every rank raises that message, with the rank in it.
function Ranks:agree(f)
  local ok, result = pcall(f)
  if self.mpi then
    self.mpi.agree(ok, not ok and ranks.first_line(result) or nil)
  elseif not ok then
    error(result, 0)
  end
  return result
end

--- Calls f on rank 0 only. If it fails there, every rank raises its message.
function Ranks:on_first(f)
  return self:agree(function() return self.first and f() or nil end)
end

--- Rank 0's value on every rank: a text, a number, a table of these, nil.
function Ranks:share(value)
  if self.size == 1 then return value end
  return self.mpi.broadcast(value)
end

--- The sum of all ranks' numbers.
function Ranks:sum(n)
  if self.size == 1 then return n end
  return self.mpi.reduce(n, "sum")
end

-- ---- threads ----

-- The cores that this process may use (mpirun may have bound it to some of them), nil where the system does not tell.
local function usable_cores()
  local file = io.open("/proc/self/status")
  local list = file and file:read("a"):match("\nCpus_allowed_list:%s*(%S+)")
  if file then file:close() end
  if not list then return nil end
  local n = 0
  for part in list:gmatch("[^,]+") do
    local from, to = part:match("^(%d+)%-?(%d*)$")
    n = n + 1 + (tonumber(to) or tonumber(from)) - tonumber(from)
  end
  return n
end

-- The number of hosts, and that of the ranks on this one.
local function count_hosts(mpi)
  local seen, hosts = {}, 0
  for rank = 0, mpi.size - 1 do
    local host = mpi.broadcast(mpi.host, rank)
    if not seen[host] then hosts = hosts + 1 end
    seen[host] = (seen[host] or 0) + 1
  end
  return hosts, seen[mpi.host]
end

--- Sets the number of threads: as many as given, or as the program has set; but the ranks of a host share its cores.
-- Every rank calls this. Returns a line about ranks, hosts and threads, nil if there is one rank.
function Ranks:set_threads(given)
  local set = moon.info().threads
  if self.size == 1 then
    moon.set_threads(given or set)
    return nil
  end
  local hosts, here = count_hosts(self.mpi)
  moon.set_threads(given or math.max(1, math.min(set, (usable_cores() or set) // here)))
  return ("%d ranks on %d host%s, rank 0 with %d thread%s"):format(self.size, hosts, hosts == 1 and "" or "s",
    moon.info().threads, moon.info().threads == 1 and "" or "s")
end

return ranks

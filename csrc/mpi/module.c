/* module.c - the Lua module over one MPI, moonglass.openmpi or moonglass.mpich: what lua/moonglass/mpi is made of.
**
** MPI is initialised by init and finalised by finalize or when the state closes. A userdata "moonglass.mpi" holds the
** run; it is the first upvalue of every function. */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "watch.h"

#define RUN_CLASS "moonglass.mpi"
#define REDUCER_CLASS "moonglass.reducer"

/* A reducer as nets take it: its memory begins with the struct of moonglass.h. */
typedef struct reducer {
  moon_reducer public;
  mpi_run *run; /* kept by the userdata's user value */
  int root;     /* of a broadcast */
} reducer;

static mpi_run *run_of(lua_State *L) { return lua_touserdata(L, lua_upvalueindex(1)); }

static mpi_run *open_run(lua_State *L, const char *name) {
  mpi_run *run = run_of(L);
  if (!run->open) luaL_error(L, "%s: MPI is finalised: this call must come before mpi.finalize()", name);
  return run;
}

/* Raise MPI's own words if a call has failed. */
static void check(lua_State *L, const char *name, int status) {
  char text[MPI_MAX_ERROR_STRING];
  int size;
  if (status == MPI_SUCCESS) return;
  if (MPI_Error_string(status, text, &size) != MPI_SUCCESS) strcpy(text, "unknown error");
  luaL_error(L, "%s: MPI says: %s", name, text);
}

/* ---- beginning and end ---- */

/* The state that uses MPI: all of a process would share MPI's end. */
static _Atomic(mpi_run *) user;

/* Initialise MPI, unless the host has done so. */
static void initialise(lua_State *L, mpi_run *run) {
  int ready, ended, level, calls = 1;
  mpi_run *other = NULL;
  MPI_Finalized(&ended);
  if (ended) luaL_error(L, "moonglass.mpi: MPI is finalised in this process, and starts only once");
  if (!atomic_compare_exchange_strong(&user, &other, run) && other != run)
    luaL_error(L, "moonglass.mpi: another Lua state of this process uses MPI: use it in one state at a time");
  MPI_Initialized(&ready);
  if (ready) MPI_Is_thread_main(&calls);
  if (!calls) luaL_error(L, "moonglass.mpi: another thread has initialised MPI, and only that one may call it");
  run->low = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (ready)
    MPI_Query_thread(&level);
  else
    check(L, "moonglass.mpi", MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level));
  run->ours = !ready;
  if (level < MPI_THREAD_FUNNELED)
    luaL_error(L, "moonglass.mpi: MPI offers thread level %d, expected MPI_THREAD_FUNNELED (%d): the net has threads",
               level, MPI_THREAD_FUNNELED);
}

static void finish(mpi_run *run) {
  int ended;
  mpi_run *own = run;
  atomic_compare_exchange_strong(&user, &own, NULL);
  if (!run->open) return;
  run->open = false;
  mpi_watch_goodbye(run);
  mpi_shared_close(run->shared);
  MPI_Finalized(&ended); /* by the host */
  if (!ended) MPI_Comm_free(&run->comm);
  if (run->ours && !ended) mpi_end();
  mpi_watch_stop(run);
}

static int close_run(lua_State *L) {
  finish(lua_touserdata(L, 1));
  return 0;
}

static int finalize(lua_State *L) {
  finish(run_of(L));
  return 0;
}

static void set_whole(lua_State *L, const char *name, int value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, name);
}

/* init(): {rank =, size =, host =} */
static int init(lua_State *L) {
  mpi_run *run = run_of(L);
  if (run->open) return luaL_error(L, "moonglass.mpi: initialised already");
  initialise(L, run);
  check(L, "moonglass.mpi", MPI_Comm_dup(MPI_COMM_WORLD, &run->comm));
  MPI_Comm_set_errhandler(run->comm, MPI_ERRORS_RETURN);
  MPI_Comm_rank(run->comm, &run->rank);
  MPI_Comm_size(run->comm, &run->size);
  run->open = true;
  run->shared = mpi_shared_open(run->comm);
  lua_createtable(L, 0, 3);
  set_whole(L, "rank", run->rank);
  set_whole(L, "size", run->size);
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  lua_pushstring(L, host);
  lua_setfield(L, -2, "host");
  return 1;
}

/* watch(): nil, or why this rank is not watched. */
static int watch(lua_State *L) {
  char why[1024] = "";
  mpi_run *run = open_run(L, "moonglass.mpi");
  bool ok = mpi_watch_start(run, why, sizeof why);
  if (run->low >= 0) close(run->low);
  if (ok) return 0;
  lua_pushstring(L, why);
  return 1;
}

/* timeout(seconds): set it, if given. Returns it. */
static int timeout(lua_State *L) {
  mpi_run *run = run_of(L);
  if (!lua_isnoneornil(L, 1)) atomic_store(&run->timeout, luaL_checknumber(L, 1));
  lua_pushnumber(L, atomic_load(&run->timeout));
  return 1;
}

/* fail(text): end the run. Does not return. */
static int fail(lua_State *L) {
  mpi_run *run = run_of(L);
  const char *text = luaL_checkstring(L, 1);
  if (!run->watch) return luaL_error(L, "%s", text);
  mpi_watch_fail(run, text);
}

/* ---- calls between all ranks ---- */

/* Around a call of MPI, which gives a status. */
#define IN_CALL(run, call, what) (mpi_enter(run, call), mpi_left(run, what))

static int mpi_left(mpi_run *run, int status) {
  mpi_leave(run);
  return status;
}

/* begin(name): reduce, broadcast or agree: the calls that follow are its parts. */
static int begin(lua_State *L) {
  static const char *const names[] = {"reduce", "broadcast", "agree", NULL};
  static const mpi_call calls[] = {CALL_REDUCE, CALL_BROADCAST, CALL_AGREE};
  run_of(L)->label = calls[luaL_checkoption(L, 1, NULL, names)];
  return 0;
}

static int barrier(lua_State *L) {
  mpi_run *run = open_run(L, "barrier");
  check(L, "barrier", IN_CALL(run, CALL_BARRIER, MPI_Barrier(run->comm)));
  return 0;
}

/* sum(x): the sum of a number over all ranks, in double. */
static int sum(lua_State *L) {
  mpi_run *run = open_run(L, "reduce");
  double value = luaL_checknumber(L, 1);
  check(L, "reduce", IN_CALL(run, CALL_NONE, MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_SUM, run->comm)));
  lua_pushnumber(L, value);
  return 1;
}

/* sum_whole(n): that of integers, exactly. */
static int sum_whole(lua_State *L) {
  mpi_run *run = open_run(L, "reduce");
  uint64_t n = (uint64_t)luaL_checkinteger(L, 1); /* overflows wrap around, as in Lua */
  check(L, "reduce", IN_CALL(run, CALL_NONE, MPI_Allreduce(MPI_IN_PLACE, &n, 1, MPI_UINT64_T, MPI_SUM, run->comm)));
  lua_pushinteger(L, (lua_Integer)n);
  return 1;
}

/* lowest(n): the lowest of the ranks' integers. */
static int lowest(lua_State *L) {
  mpi_run *run = open_run(L, "agree");
  int64_t value = luaL_checkinteger(L, 1);
  check(L, "agree", IN_CALL(run, CALL_NONE, MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, MPI_MIN, run->comm)));
  lua_pushinteger(L, (lua_Integer)value);
  return 1;
}

/* broadcast(text, root): the string of rank root. The others' text is not looked at. */
static int broadcast(lua_State *L) {
  mpi_run *run = open_run(L, "broadcast");
  int root = (int)luaL_checkinteger(L, 2);
  bool mine = root == run->rank;
  size_t n = 0;
  const char *text = mine ? luaL_checklstring(L, 1, &n) : NULL;
  uint64_t count = n;
  check(L, "broadcast", IN_CALL(run, CALL_NONE, MPI_Bcast(&count, 1, MPI_UINT64_T, root, run->comm)));
  luaL_Buffer b;
  char *room = luaL_buffinitsize(L, &b, (size_t)count);
  if (mine) memcpy(room, text, n);
  check(L, "broadcast", IN_CALL(run, CALL_NONE, mpi_cast_bytes(run, room, (size_t)count, root)));
  luaL_pushresultsize(&b, (size_t)count);
  return 1;
}

/* ---- reducers ---- */

static moon_status reduce(void *ud, float *values, size_t n) {
  reducer *r = ud;
  if (!r->run->open) return MOON_ESTATE;
  return IN_CALL(r->run, CALL_REDUCE, mpi_sum_floats(r->run, values, n)) == MPI_SUCCESS ? MOON_OK : MOON_EIO;
}

static moon_status cast(void *ud, float *values, size_t n) {
  reducer *r = ud;
  if (!r->run->open) return MOON_ESTATE;
  int status = IN_CALL(r->run, CALL_BROADCAST, mpi_cast_bytes(r->run, values, n * sizeof *values, r->root));
  return status == MPI_SUCCESS ? MOON_OK : MOON_EIO;
}

static int push_reducer(lua_State *L, moon_status (*f)(void *, float *, size_t), int root) {
  mpi_run *run = open_run(L, "reducer");
  reducer *r = lua_newuserdatauv(L, sizeof *r, 1);
  *r = (reducer){.run = run, .root = root};
  r->public = (moon_reducer){sizeof r->public, (size_t)run->rank, (size_t)run->size, f, r};
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, REDUCER_CLASS);
  return 1;
}

/* adder(): the reducer that nets take. */
static int adder(lua_State *L) { return push_reducer(L, reduce, 0); }

/* caster(root): one that gives everyone root's values instead of the sums. */
static int caster(lua_State *L) { return push_reducer(L, cast, (int)luaL_checkinteger(L, 1)); }

/* library(): MPI's own name and version; may be called before init. */
static int library(lua_State *L) {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int size;
  check(L, "moonglass.mpi", MPI_Get_library_version(text, &size));
  lua_pushstring(L, text);
  return 1;
}

MOON_API int MPI_LUAOPEN(lua_State *L);

int MPI_LUAOPEN(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"adder", adder},     {"begin", begin},         {"barrier", barrier},
      {"caster", caster},   {"finalize", finalize},   {"init", init},
      {"library", library}, {"lowest", lowest},       {"broadcast", broadcast},
      {"sum", sum},         {"sum_whole", sum_whole}, {"watch", watch},
      {"timeout", timeout}, {"fail", fail},           {NULL, NULL},
  };
  luaL_newmetatable(L, REDUCER_CLASS);
  lua_pop(L, 1);
  luaL_newlibtable(L, functions);
  mpi_run *run = lua_newuserdatauv(L, sizeof *run, 0);
  *run = (mpi_run){.timeout = 30, .low = -1};
  if (luaL_newmetatable(L, RUN_CLASS)) {
    lua_pushcfunction(L, close_run);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  run->buffer = lua_newuserdatauv(L, MPI_BUFFER * sizeof *run->buffer, 0);
  lua_rawsetp(L, LUA_REGISTRYINDEX, run); /* for as long as the state */
  luaL_setfuncs(L, functions, 1);
  return 1;
}

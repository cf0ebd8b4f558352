/* bind_handle.c - handles: the userdata that own C objects, and how long an object stays that a function works on.
**
** A script may close an object whenever its code runs, and that is at any allocation of Lua's: the collector calls
** finalisers there, in the midst of our functions. So what a function takes out of a handle (bind_check, bind_test) is
** held for it until the function is left. Closing the handle, or taking it out of the table where it was, leaves the
** function what it has. An error leaves it too, but Lua does not tell: what is held then goes when the next function is
** entered. */
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "bind_home.h"
#include "bind_tensor.h"

#define COUNTING(noun)                                            \
  static void retain_##noun(void *p) { moon_##noun##_retain(p); } \
  static void release_##noun(void *p) { moon_##noun##_release(p); }

COUNTING(tensor)
COUNTING(layer)
COUNTING(loss)
COUNTING(optim)
COUNTING(net)
COUNTING(dataset)
COUNTING(archive)

static const bind_counting countings[BIND_CLASSES] = {
    {BIND_TENSOR, retain_tensor, release_tensor},
    {BIND_LAYER, retain_layer, release_layer},
    {BIND_LOSS, retain_loss, release_loss},
    {BIND_OPTIM, retain_optim, release_optim},
    {BIND_NET, retain_net, release_net},
    {BIND_DATASET, retain_dataset, release_dataset},
    {BIND_ARCHIVE, retain_archive, release_archive},
};

static inline bool is_name(const char *a, const char *b) { return a == b || strcmp(a, b) == 0; }

static const bind_counting *counting_of(const char *name) {
  const bind_counting *counting = countings;
  while (!is_name(counting->name, name)) counting++;
  return counting;
}

/* ---- holding ---- */

static void let_go_owned(bind_holds *holds, size_t count) {
  while (holds->owned && holds->count > count) {
    bind_hold last = holds->list[--holds->count];
    if (!last.counting) continue;
    holds->owned--;
    last.counting->release(last.object);
  }
}

/* Of what is held, only the first `count` remain; there may be fewer. */
static inline void let_go(bind_holds *holds, size_t count) {
  if (holds->owned) let_go_owned(holds, count);
  if (holds->count > count) holds->count = count;
}

/* Is the object, whose handle is closed, lent to a running function? Then that function has the reference now. */
static bool hand_over(bind_holds *holds, const void *object, const bind_counting *counting) {
  for (size_t i = 0; i < holds->count && i < BIND_LENT; i++) {
    if (holds->list[i].object != object || holds->list[i].counting) continue;
    holds->list[i].counting = counting;
    holds->owned++;
    return true;
  }
  return false;
}

/* From the state's allocator, past its collector: no finaliser may run before the object is held. */
static void *resize(lua_State *L, void *list, size_t before, size_t now) {
  void *ud;
  lua_Alloc alloc = lua_getallocf(L, &ud);
  return alloc(ud, list, before * sizeof(bind_hold), now * sizeof(bind_hold));
}

static bool grow(lua_State *L, bind_holds *holds) {
  bool own = holds->list != holds->first;
  bind_hold *list = resize(L, own ? holds->list : NULL, own ? holds->room : 0, 2 * holds->room);
  if (!list) return false;
  if (!own) memcpy(list, holds->first, sizeof holds->first);
  holds->list = list;
  holds->room *= 2;
  return true;
}

void *bind_adopt(lua_State *L, const char *name, void *object) {
  bind_home *h = lua_touserdata(L, lua_upvalueindex(1));
  const bind_counting *counting = counting_of(name);
  if (h->holds.count == h->holds.room && !grow(L, &h->holds)) {
    counting->release(object);
    luaL_error(L, "not enough memory");
  }
  h->holds.list[h->holds.count++] = (bind_hold){object, counting};
  h->holds.owned++;
  return object;
}

static inline void *hold(lua_State *L, bind_holds *holds, void *object, const char *name) {
  for (size_t i = holds->count; i > 0 && i + 2 > holds->count; i--) /* a loop asks for the same ones again */
    if (holds->list[i - 1].object == object) return object;
  if (holds->count == holds->room && !grow(L, holds)) luaL_error(L, "not enough memory");
  bool lent = holds->count < BIND_LENT;
  const bind_counting *counting = lent ? NULL : counting_of(name);
  holds->list[holds->count++] = (bind_hold){object, counting};
  if (lent) return object;
  holds->owned++;
  counting->retain(object);
  return object;
}

/* ---- being called ---- */

/* Lua tells by giving no answer but -1; before 5.4.4 the collector only seems stopped. */
static bool in_finaliser(lua_State *L) {
#if LUA_VERSION_RELEASE_NUM >= 50404
  return lua_gc(L, LUA_GCISRUNNING) < 0;
#else
  return !lua_gc(L, LUA_GCISRUNNING);
#endif
}

enum { FUNCTION = 4, MOST, TAKES, METHOD }; /* upvalues behind the three that functions know */

/* The handles that finalisers have made have finalisers of their own. */
static void forget(lua_State *L, bind_home *h) {
  lua_getiuservalue(L, lua_upvalueindex(1), 1);
  for (lua_pushnil(L); lua_next(L, -2);) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, -4);
  }
  lua_pop(L, 1);
  h->remembers = false;
}

/* Every function of ours, as Lua calls it. What is held when it is entered belongs to the function in whose midst it is
** called, if there is one. */
static int enter(lua_State *L) {
  bind_home *h = lua_touserdata(L, lua_upvalueindex(1));
  if ((h->holds.count || h->remembers) && !h->calling && !in_finaliser(L)) {
    let_go(&h->holds, 0);
    if (h->remembers) forget(L, h);
  }
  size_t before = h->holds.count;
  int results = lua_tocfunction(L, lua_upvalueindex(FUNCTION))(L);
  let_go(&h->holds, before);
  return results;
}

static int refuse_argument(lua_State *L, int given, int most) {
  const char *name = lua_tostring(L, lua_upvalueindex(2)), *takes = lua_tostring(L, lua_upvalueindex(TAKES));
  int object = lua_toboolean(L, lua_upvalueindex(METHOD));
  const char *expected = most > object ? lua_pushfstring(L, "at most %d (%s)", most - object, takes) : "none";
  return luaL_error(L, "%s: got %d argument%s, expected %s", name, given - object, given - object == 1 ? "" : "s",
                    expected);
}

/* The same for a function whose arguments are counted. */
static int enter_counted(lua_State *L) {
  int given = lua_gettop(L), most = (int)lua_tointeger(L, lua_upvalueindex(MOST));
  if (given > most) {
    while (given > most && lua_isnil(L, given)) given--;
    if (given > most) return refuse_argument(L, given, most);
    lua_settop(L, most);
  }
  return enter(L);
}

static int count_names(const char *takes) {
  int n = *takes != '\0';
  for (; *takes; takes++) n += *takes == ',';
  return n;
}

void bind_push_function(lua_State *L, const bind_reg *function, bool method, bool flag) {
  bind_push_home(L);
  lua_pushstring(L, function->name);
  lua_pushboolean(L, flag);
  lua_pushcfunction(L, function->f);
  if (strcmp(function->takes, "...") == 0) {
    lua_pushcclosure(L, enter, FUNCTION);
    return;
  }
  lua_pushinteger(L, count_names(function->takes) + method);
  lua_pushstring(L, function->takes);
  lua_pushboolean(L, method);
  lua_pushcclosure(L, enter_counted, METHOD);
}

/* What Lua itself calls; upvalue 2 is the value on the top. */
static void close_over(lua_State *L, lua_CFunction f) {
  bind_push_home(L);
  lua_insert(L, -2);
  lua_pushboolean(L, 0);
  lua_pushcfunction(L, f);
  lua_pushcclosure(L, enter, FUNCTION);
}

static void add_functions(lua_State *L, const bind_reg *functions, bool method) {
  for (; functions->name; functions++) {
    bind_push_function(L, functions, method, false);
    lua_setfield(L, -2, functions->name);
  }
}

void bind_functions(lua_State *L, const bind_reg *functions) { add_functions(L, functions, false); }
void bind_methods(lua_State *L, const bind_reg *methods) { add_functions(L, methods, true); }

/* ---- classes ---- */

/* The class of what is at an index; NULL if it is no handle. */
static inline const bind_counting *find_class(lua_State *L, const bind_home *h, int index) {
  if (!lua_getmetatable(L, index)) return NULL;
  const void *metatable = lua_topointer(L, -1);
  lua_pop(L, 1);
  for (size_t i = 0; i < BIND_CLASSES; i++)
    if (metatable == h->metatables[i]) return &countings[i];
  return NULL;
}

/* The handle at an index; NULL if there is none of the class. */
static inline void **find(lua_State *L, const bind_home *h, int index, const char *name) {
  void **handle = lua_touserdata(L, index);
  const bind_counting *class = handle ? find_class(L, h, index) : NULL;
  return class && is_name(class->name, name) ? handle : NULL;
}

/* __gc and __close */
static int release(lua_State *L) {
  bind_home *h = lua_touserdata(L, lua_upvalueindex(1));
  const bind_counting *counting = lua_touserdata(L, lua_upvalueindex(2));
  void **handle = find(L, h, 1, counting->name);
  if (!handle) return luaL_typeerror(L, 1, counting->name);
  void *object = *handle;
  *handle = NULL;
  if (object && !hand_over(&h->holds, object, counting)) counting->release(object);
  return 0;
}

void bind_class(lua_State *L, const char *name, const luaL_Reg *meta, const bind_reg *methods, lua_CFunction index) {
  const bind_counting *counting = counting_of(name);
  luaL_newmetatable(L, name);
  bind_find_home(L)->metatables[counting - countings] = lua_topointer(L, -1);
  for (; meta->name; meta++) {
    lua_pushnil(L);
    close_over(L, meta->func);
    lua_setfield(L, -2, meta->name);
  }
  lua_pushlightuserdata(L, (void *)(uintptr_t)counting);
  close_over(L, release);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__gc");
  lua_setfield(L, -2, "__close");
  lua_newtable(L);
  bind_methods(L, methods);
  luaL_getsubtable(L, -3, "methods");
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
  close_over(L, index);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

/* The handle on the top may get no finaliser. */
static void remember(lua_State *L) {
  bind_find_home(L)->remembers = true;
  bind_push_home(L);
  lua_getiuservalue(L, -1, 1);
  lua_pushvalue(L, -3);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
  lua_pop(L, 2);
}

void **bind_new(lua_State *L, const char *name) {
  void **handle = lua_newuserdatauv(L, sizeof *handle, 1);
  *handle = NULL;
  luaL_setmetatable(L, name);
  if (in_finaliser(L)) remember(L);
  return handle;
}

void bind_close_handles(lua_State *L, bind_home *h) {
  let_go(&h->holds, 0);
  if (h->holds.list != h->holds.first) resize(L, h->holds.list, h->holds.room, 0);
  h->holds = (bind_holds){.list = h->holds.first, .room = BIND_LENT};
  lua_getiuservalue(L, 1, 1);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    void **handle = lua_touserdata(L, -2);
    if (*handle) find_class(L, h, -2)->release(*handle);
    *handle = NULL;
  }
}

/* ---- looking ---- */

/* Is the running function known to its caller by the name of a method of the class? ar->name is that name then. */
static bool is_method(lua_State *L, const char *name, lua_Debug *ar) {
  int top = lua_gettop(L);
  bool found = lua_getstack(L, 0, ar) && lua_getinfo(L, "n", ar) && ar->name &&
               luaL_getmetatable(L, name) == LUA_TTABLE && lua_getfield(L, -1, "__index") == LUA_TFUNCTION &&
               lua_getupvalue(L, -1, 2) && lua_getfield(L, -1, ar->name) == LUA_TFUNCTION;
  lua_settop(L, top);
  return found;
}

/* As luaL_argerror, which knows the function by what its caller calls it: nothing, where a protected call is that. */
static int bad_argument(lua_State *L, int arg, const char *text) {
  lua_Debug ar;
  bool named = lua_getstack(L, 0, &ar) && lua_getinfo(L, "n", &ar) && ar.name && strcmp(ar.name, "?") != 0;
  const char *name = lua_type(L, lua_upvalueindex(2)) == LUA_TSTRING ? lua_tostring(L, lua_upvalueindex(2)) : NULL;
  if (named || !name) return luaL_argerror(L, arg, text);
  arg -= lua_toboolean(L, lua_upvalueindex(METHOD));
  if (arg == 0) return luaL_error(L, "calling '%s' on bad self (%s)", name, text);
  return luaL_error(L, "bad argument #%d to '%s' (%s)", arg, name, text);
}

static int closed_object(lua_State *L, int arg, const char *name) {
  if (arg == 1) return luaL_error(L, "this %s is closed", name);
  return bad_argument(L, arg, lua_pushfstring(L, "this %s is closed", name));
}

static const char *type_of(lua_State *L, int arg) {
  return luaL_getmetafield(L, arg, "__name") == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, arg);
}

/* Raises Lua's usual error; but a method without its object has probably been called by t.sum(). */
static int wrong_object(lua_State *L, int arg, const char *name) {
  lua_Debug ar;
  if (arg != 1 || !is_method(L, name, &ar)) {
    bool list = lua_type(L, arg) == LUA_TTABLE && strcmp(name, BIND_TENSOR) == 0;
    return bad_argument(L, arg,
                        lua_pushfstring(L, "%s expected, got %s%s", name, type_of(L, arg),
                                        list ? ": moon.tensor(list) makes one" : ""));
  }
  return luaL_error(L, "%s: called on %s, expected a %s: methods take a colon, object:%s(...)", ar.name,
                    lua_isnone(L, 1) ? "nothing" : bind_shown(L, 1), name, ar.name);
}

static inline void *check_open(lua_State *L, const bind_home *h, int arg, const char *name) {
  void **handle = find(L, h, arg, name);
  if (!handle) wrong_object(L, arg, name);
  if (!*handle) closed_object(L, arg, name);
  return *handle;
}

void *bind_check(lua_State *L, int arg, const char *name) {
  bind_home *h = lua_touserdata(L, lua_upvalueindex(1));
  return hold(L, &h->holds, check_open(L, h, arg, name), name);
}

void *bind_test(lua_State *L, int arg, const char *name) {
  bind_home *h = lua_touserdata(L, lua_upvalueindex(1));
  void **handle = find(L, h, arg, name);
  return handle && *handle ? hold(L, &h->holds, *handle, name) : NULL;
}

/* ---- what a host calls: its functions are none of ours, so nothing is held for them ---- */

enum { ROOM = 8 }; /* stack slots that these functions use at most */

/* An object of another context would take memory of an allocator that may be gone before this state is. */
static void **push_handle(lua_State *L, const char *name, const moon_ctx *owner) {
  luaL_checkstack(L, ROOM, name);
  const moon_ctx *ctx = moon_lua_ctx(L);
  if (!ctx) luaL_error(L, "moonglass: the core is not open in this state");
  if (ctx != owner) luaL_error(L, "moonglass: this %s belongs to another context", name);
  return bind_new(L, name);
}

void moon_lua_push_tensor(lua_State *L, moon_tensor *t) {
  if (!t) {
    lua_pushnil(L);
    return;
  }
  void **handle = push_handle(L, BIND_TENSOR, moon_tensor_ctx(t));
  *handle = moon_tensor_retain(t);
}

void moon_lua_push_net(lua_State *L, moon_net *net) {
  if (!net) {
    lua_pushnil(L);
    return;
  }
  void **handle = push_handle(L, BIND_NET, moon_net_ctx(net));
  *handle = moon_net_retain(net);
}

static void *to_object(lua_State *L, int index, const char *name) {
  const bind_home *h = lua_checkstack(L, ROOM) ? bind_find_home(L) : NULL;
  void **handle = h ? find(L, h, index, name) : NULL;
  return handle ? *handle : NULL;
}

static void *check_object(lua_State *L, int arg, const char *name) {
  static const bind_home none;
  luaL_checkstack(L, ROOM, name);
  const bind_home *h = bind_find_home(L);
  return check_open(L, h ? h : &none, arg, name);
}

moon_tensor *moon_lua_check_tensor(lua_State *L, int arg) { return check_object(L, arg, BIND_TENSOR); }
moon_tensor *moon_lua_to_tensor(lua_State *L, int index) { return to_object(L, index, BIND_TENSOR); }
moon_net *moon_lua_check_net(lua_State *L, int arg) { return check_object(L, arg, BIND_NET); }
moon_net *moon_lua_to_net(lua_State *L, int index) { return to_object(L, index, BIND_NET); }

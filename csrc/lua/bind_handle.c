/* bind_handle.c - classes, and the handles that own their objects. */
#include "bind_handle.h"

#include <stdint.h>
#include <string.h>

#include "bind_args.h"
#include "bind_home.h"

#define CLASS(noun)                                               \
  static void retain_##noun(void *p) { moon_##noun##_retain(p); } \
  static void release_##noun(void *p) { moon_##noun##_release(p); }

CLASS(tensor)
CLASS(layer)
CLASS(loss)
CLASS(optim)
CLASS(net)
CLASS(dataset)
CLASS(scaler)
CLASS(detector)
CLASS(source)
CLASS(archive)

static void retain_csv(void *p) { moon_csv_retain(p); }
static void release_csv(void *p) { moon_csv_close(p); }

static const bind_class classes[BIND_CLASSES] = {
    {BIND_TENSOR, retain_tensor, release_tensor}, {BIND_LAYER, retain_layer, release_layer},
    {BIND_LOSS, retain_loss, release_loss},       {BIND_OPTIM, retain_optim, release_optim},
    {BIND_NET, retain_net, release_net},          {BIND_DATASET, retain_dataset, release_dataset},
    {BIND_SCALER, retain_scaler, release_scaler}, {BIND_DETECTOR, retain_detector, release_detector},
    {BIND_SOURCE, retain_source, release_source}, {BIND_ARCHIVE, retain_archive, release_archive},
    {BIND_CSV, retain_csv, release_csv},
};

static const bind_class *class_of(const char *name) {
  const bind_class *c = classes;
  while (c->name != name && strcmp(c->name, name) != 0) c++;
  return c;
}

/* ---- finding ---- */

/* The class of the value at an index; NULL if it is no handle. */
static inline const bind_class *find_class(lua_State *L, const bind_home *h, int index) {
  if (!lua_getmetatable(L, index)) return NULL;
  const void *metatable = lua_topointer(L, -1);
  lua_pop(L, 1);
  for (size_t i = 0; i < BIND_CLASSES; i++)
    if (metatable == h->metatables[i]) return &classes[i];
  return NULL;
}

/* The handle of class `name` at an index, and its class; NULL if it is none. */
static inline void **find(lua_State *L, const bind_home *h, int index, const char *name, const bind_class **class) {
  void **handle = lua_touserdata(L, index);
  *class = handle ? find_class(L, h, index) : NULL;
  return *class && ((*class)->name == name || strcmp((*class)->name, name) == 0) ? handle : NULL;
}

/* Does the caller know the running function by the name of a method of the class? ar->name is that name then. */
static bool is_method(lua_State *L, const char *name, lua_Debug *ar) {
  int top = lua_gettop(L);
  bool found = lua_getstack(L, 0, ar) && lua_getinfo(L, "n", ar) && ar->name &&
               luaL_getmetatable(L, name) == LUA_TTABLE && lua_getfield(L, -1, "__index") == LUA_TFUNCTION &&
               lua_getupvalue(L, -1, 2) && lua_getfield(L, -1, ar->name) == LUA_TFUNCTION;
  lua_settop(L, top);
  return found;
}

static int closed_object(lua_State *L, int arg, const char *name) {
  if (arg == 1) return luaL_error(L, "this %s is closed", name);
  return bind_bad_argument(L, arg, lua_pushfstring(L, "this %s is closed", name));
}

/* Raise Lua's usual error; a method that is called without its object was probably called as t.sum(). */
static int wrong_object(lua_State *L, int arg, const char *name) {
  lua_Debug ar;
  if (arg == 1 && is_method(L, name, &ar))
    return luaL_error(L, "%s: called on %s, expected a %s: methods take a colon, object:%s(...)", ar.name,
                      lua_isnone(L, 1) ? "nothing" : bind_shown(L, 1), name, ar.name);
  const char *got = luaL_getmetafield(L, arg, "__name") == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, arg);
  bool list = lua_type(L, arg) == LUA_TTABLE && strcmp(name, BIND_TENSOR) == 0;
  return bind_bad_argument(
      L, arg, lua_pushfstring(L, "%s expected, got %s%s", name, got, list ? ": moon.tensor(list) makes one" : ""));
}

static inline void *check_open(lua_State *L, const bind_home *h, int arg, const char *name, const bind_class **class) {
  void **handle = find(L, h, arg, name, class);
  if (!handle) wrong_object(L, arg, name);
  if (!*handle) closed_object(L, arg, name);
  return *handle;
}

static inline void *hold(lua_State *L, bind_home *h, void *object, const bind_class *class) {
  if (!bind_hold(L, &h->holds, object, class)) luaL_error(L, "not enough memory");
  return object;
}

void *bind_check(lua_State *L, int arg, const char *name) {
  bind_home *h = lua_touserdata(L, lua_upvalueindex(1));
  const bind_class *class;
  void *object = check_open(L, h, arg, name, &class);
  return hold(L, h, object, class);
}

void *bind_test(lua_State *L, int arg, const char *name) {
  bind_home *h = lua_touserdata(L, lua_upvalueindex(1));
  const bind_class *class;
  void **handle = find(L, h, arg, name, &class);
  return handle && *handle ? hold(L, h, *handle, class) : NULL;
}

void *bind_check_unheld(lua_State *L, int arg, const char *name) {
  static const bind_home none;
  const bind_home *h = bind_find_home(L);
  const bind_class *class;
  return check_open(L, h ? h : &none, arg, name, &class);
}

void *bind_test_unheld(lua_State *L, int index, const char *name) {
  const bind_home *h = bind_find_home(L);
  const bind_class *class;
  void **handle = h ? find(L, h, index, name, &class) : NULL;
  return handle ? *handle : NULL;
}

/* ---- making ---- */

void **bind_new(lua_State *L, const char *name) {
  void **handle = lua_newuserdatauv(L, sizeof *handle, 1);
  *handle = NULL;
  luaL_setmetatable(L, name);
  if (bind_in_finaliser(L)) bind_remember(L);
  return handle;
}

void bind_push(lua_State *L, const char *name, void *object) {
  void **handle = bind_new(L, name);
  class_of(name)->retain(object);
  *handle = object;
}

void *bind_adopt(lua_State *L, const char *name, void *object) {
  bind_home *h = lua_touserdata(L, lua_upvalueindex(1));
  const bind_class *class = class_of(name);
  if (bind_hold_owned(L, &h->holds, object, class)) return object;
  class->release(object);
  luaL_error(L, "not enough memory");
  return NULL;
}

moon_tensor *bind_new_tensor(lua_State *L, moon_dtype dtype, int rank, const size_t *shape) {
  moon_ctx *ctx = bind_ctx(L);
  void **handle = bind_new(L, BIND_TENSOR);
  moon_tensor *t = NULL;
  BIND_TRY(L, ctx, moon_tensor_new(ctx, &t, dtype, rank, shape));
  *handle = t;
  bind_weigh(L, moon_tensor_bytes(t));
  return bind_check_tensor(L, -1);
}

int bind_push_bytes(lua_State *L, moon_tensor *bytes) {
  bind_adopt(L, BIND_TENSOR, bytes);
  lua_pushlstring(L, (const char *)moon_tensor_data(bytes), moon_tensor_bytes(bytes));
  return 1;
}

/* ---- classes ---- */

/* __gc and __close; upvalue 2 is the class. */
static int release(lua_State *L) {
  bind_home *h = lua_touserdata(L, lua_upvalueindex(1));
  const bind_class *class = lua_touserdata(L, lua_upvalueindex(2)), *found;
  void **handle = find(L, h, 1, class->name, &found);
  if (!handle) return luaL_typeerror(L, 1, class->name);
  void *object = *handle;
  *handle = NULL;
  if (object && !bind_hand_over(&h->holds, object, class)) class->release(object);
  return 0;
}

void bind_new_class(lua_State *L, const char *name, const luaL_Reg *meta, const bind_reg *methods,
                    lua_CFunction index) {
  const bind_class *c = class_of(name);
  luaL_newmetatable(L, name);
  bind_find_home(L)->metatables[c - classes] = lua_topointer(L, -1);
  for (; meta->name; meta++) {
    lua_pushnil(L);
    bind_push_metamethod(L, meta->func);
    lua_setfield(L, -2, meta->name);
  }
  lua_pushlightuserdata(L, (void *)(uintptr_t)c);
  bind_push_metamethod(L, release);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__gc");
  lua_setfield(L, -2, "__close");
  lua_newtable(L);
  bind_methods(L, methods);
  luaL_getsubtable(L, -3, "methods");
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
  bind_push_metamethod(L, index);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

void bind_more_methods(lua_State *L, const char *name, const bind_reg *methods) {
  lua_getfield(L, -1, "methods");
  lua_getfield(L, -1, name);
  bind_methods(L, methods);
  lua_pop(L, 2);
}

void bind_close_handles(lua_State *L) {
  bind_home *h = lua_touserdata(L, 1);
  bind_drop_all(L, &h->holds);
  lua_getiuservalue(L, 1, 1);
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    void **handle = lua_touserdata(L, -2);
    if (*handle) find_class(L, h, -2)->release(*handle);
    *handle = NULL;
  }
}

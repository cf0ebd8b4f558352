/* bind_handle.h - classes and handles: the userdata that own C objects (bind_handle.c). */
#ifndef MOONGLASS_BIND_HANDLE_H
#define MOONGLASS_BIND_HANDLE_H

#include "bind_function.h"

/* The classes, by their metatables' names, which Lua's own messages show. */
#define BIND_TENSOR "moonglass.tensor"
#define BIND_LAYER "moonglass.layer"
#define BIND_LOSS "moonglass.loss"
#define BIND_OPTIM "moonglass.optimizer"
#define BIND_NET "moonglass.net"
#define BIND_DATASET "moonglass.dataset"
#define BIND_SCALER "moonglass.scaler"
#define BIND_DETECTOR "moonglass.detector"
#define BIND_SOURCE "moonglass.source"
#define BIND_ARCHIVE "moonglass.archive" /* has no handles */
#define BIND_CSV "moonglass.csv"         /* has no methods: functions of the core work on it */

/* Make the metatable `name`: the meta functions, __name, __index = index, and __gc and __close, which release the
** object. The methods go into core.methods[name], where Lua may add to them; __index has that table as upvalue 2. The
** core table is on the top, and the stack is left as it was. */
void bind_new_class(lua_State *L, const char *name, const luaL_Reg *meta, const bind_reg *methods, lua_CFunction index);

/* Add more methods to a class; the core table is on the top. */
void bind_more_methods(lua_State *L, const char *name, const bind_reg *methods);

/* Push an empty handle of the class with one user value, for the caller to fill. */
void **bind_new(lua_State *L, const char *name);

/* Push a handle that retains the object. */
void bind_push(lua_State *L, const char *name, void *object);

/* Push a new tensor of zeros. */
moon_tensor *bind_new_tensor(lua_State *L, moon_dtype dtype, int rank, const size_t *shape);

/* The object at an index, held until the function returns. bind_check raises Lua's usual type error, or "closed" after
** __close; bind_test returns NULL. */
void *bind_check(lua_State *L, int arg, const char *name);
void *bind_test(lua_State *L, int arg, const char *name);

static inline moon_tensor *bind_check_tensor(lua_State *L, int arg) { return bind_check(L, arg, BIND_TENSOR); }
static inline moon_tensor *bind_test_tensor(lua_State *L, int arg) { return bind_test(L, arg, BIND_TENSOR); }
static inline moon_layer *bind_check_layer(lua_State *L, int arg) { return bind_check(L, arg, BIND_LAYER); }
static inline moon_loss *bind_check_loss(lua_State *L, int arg) { return bind_check(L, arg, BIND_LOSS); }
static inline moon_optim *bind_check_optim(lua_State *L, int arg) { return bind_check(L, arg, BIND_OPTIM); }
static inline moon_net *bind_check_net(lua_State *L, int arg) { return bind_check(L, arg, BIND_NET); }
static inline moon_dataset *bind_check_dataset(lua_State *L, int arg) { return bind_check(L, arg, BIND_DATASET); }
static inline moon_detector *bind_check_detector(lua_State *L, int arg) { return bind_check(L, arg, BIND_DETECTOR); }
static inline moon_scaler *bind_check_scaler(lua_State *L, int arg) { return bind_check(L, arg, BIND_SCALER); }
static inline moon_source *bind_check_source(lua_State *L, int arg) { return bind_check(L, arg, BIND_SOURCE); }
static inline moon_source *bind_test_source(lua_State *L, int arg) { return bind_test(L, arg, BIND_SOURCE); }

/* The same for a host, outside of our functions: the object is not held, and is good until its handle is closed. */
void *bind_check_unheld(lua_State *L, int arg, const char *name);
void *bind_test_unheld(lua_State *L, int index, const char *name);

/* Make the running function the owner of an object that has no handle: it is released when the function returns. */
void *bind_adopt(lua_State *L, const char *name, void *object);

/* Push the bytes of a new byte tensor as a string, and release the tensor when the function returns. Returns 1. */
int bind_push_bytes(lua_State *L, moon_tensor *bytes);

/* When the state closes, with the home at index 1: release what is held, and what finalisers have made. */
void bind_close_handles(lua_State *L);

#endif

/* bind.h - what the binding's files share. The binding uses the two public headers and Lua's, nothing else.
**
** Every C function that Lua calls carries the state's home as upvalue 1 and is called by way of bind_handle.c: register
** with the functions below only. A C object is owned by a full userdata, its handle, made empty first
** (bind_new), so that an error between the two leaks nothing.
**
** Finalisers run wherever Lua allocates, and may call anything: close an object, take things out of a table. A pointer
** from bind_check or bind_test stays good until the function is left, whatever they do. A string stays good while it is
** on the stack. A function that itself calls Lua code which is not ours (map) looks at its arguments anew. */
#ifndef MOONGLASS_BIND_H
#define MOONGLASS_BIND_H

#include <lauxlib.h>
#include <lua.h>

#include "../moonglass.h"
#include "../moonglass_lua.h"

/* Metatable names, which are what Lua's own messages show. */
#define BIND_TENSOR "moonglass.tensor"
#define BIND_LAYER "moonglass.layer"
#define BIND_LOSS "moonglass.loss"
#define BIND_OPTIM "moonglass.optimizer"
#define BIND_NET "moonglass.net"
#define BIND_DATASET "moonglass.dataset"
#define BIND_ARCHIVE "moonglass.archive" /* has no handles */

/* The context; raises while the state is closing and the context is gone: finalisers may call anything. */
moon_ctx *bind_ctx(lua_State *L);

/* May this state's core open files? Else whatever takes a path, or loads a library, is left out of it. */
bool bind_has_files(lua_State *L);

/* A function that scripts call. takes: the names of its arguments, "first, count"; "..." if it checks their number
** itself. One more argument than it takes is an error, since it would be ignored; nil counts as none. */
typedef struct bind_reg {
  const char *name;
  lua_CFunction f;
  const char *takes;
} bind_reg;

/* ---- bind_handle.c: functions, handles, and what running functions hold ---- */

/* Push such a function, for a method with one argument more, the object. Its upvalues: 1 the home, as bind_ctx wants
** it; 2 the name; 3 flag. */
void bind_push_function(lua_State *L, const bind_reg *function, bool method, bool flag);

/* Into the table on the top, in an open function too: functions; methods of the class whose method table that is. */
void bind_functions(lua_State *L, const bind_reg *functions);
void bind_methods(lua_State *L, const bind_reg *methods);

/* Make metatable `name` with the meta functions, an __index table of methods, __name, and __gc and __close = release.
** The methods table is also left as core.methods[name], so that Lua can add to it; __index, the function, finds it as
** its upvalue 2. Leaves the stack as it was; the core table is on top. */
void bind_class(lua_State *L, const char *name, const luaL_Reg *meta, const bind_reg *methods, lua_CFunction index);

/* An empty handle of the class, pushed with one user value; its pointer is NULL until the caller fills it. */
void **bind_new(lua_State *L, const char *name);

/* The object at an index, held until the function is left; raises Lua's usual type error, or "closed" after __close.
** bind_test gives NULL. */
void *bind_check(lua_State *L, int arg, const char *name);
void *bind_test(lua_State *L, int arg, const char *name);

/* Make the running function the owner of an object that no handle has: it is released when the function is left. */
void *bind_adopt(lua_State *L, const char *name, void *object);

/* ---- bind.c: errors and the collector ---- */

/* Raise moon_error's text, with the place in the script; never returns. */
int bind_raise(lua_State *L, moon_ctx *ctx);

/* Collect all garbage, when memory has run out. */
void bind_collect(lua_State *L);

/* BIND_TRY(L, ctx, call): make the call; if memory ran out, collect once and make it again; raise what is left. */
#define BIND_TRY(L, ctx, call)                      \
  do {                                              \
    moon_status status_ = (call);                   \
    if (status_ == MOON_ENOMEM) {                   \
      bind_collect((L));                            \
      status_ = (call);                             \
    }                                               \
    if (status_ != MOON_OK) bind_raise((L), (ctx)); \
  } while (0)

/* For files: true pushed on MOON_OK; nil, message, status word on a failed read or write; how many were pushed. */
int bind_file_result(lua_State *L, moon_ctx *ctx, moon_status status);

/* Tell the collector that `bytes` of memory it cannot see now hang on its objects. May run finalisers. */
void bind_weigh(lua_State *L, size_t bytes);

/* A new tensor owned by a userdata on the top of the stack. */
moon_tensor *bind_new_tensor(lua_State *L, moon_dtype dtype, int rank, const size_t *shape);

/* The options of constructor `name`: positional ones from argument `first` on, then a table of named ones.
** `text` buffers nothing: texts stay alive on the stack. Raises on an unknown key or a wrong type. */
enum { BIND_MAX_OPTIONS = 24 };
size_t bind_options(lua_State *L, int first, moon_family family, const char *name, moon_option *options);

/* Push an option's value as Lua shows it; and read one from the stack for opt.lr = v. */
void bind_push_option(lua_State *L, const moon_option *option);

/* A loss or optimiser given as an object, a name or nothing is Lua's business; here they are objects. */

/* bind_nearest.c: a name that does not exist, and the nearest of those that do. They have to outlive it. */
typedef struct bind_nearest {
  const char *name, *nearest; /* nearest: NULL until a near one is offered */
  size_t distance;
} bind_nearest;

void bind_offer(bind_nearest *n, const char *known);

/* Offer the names in a table: keys that are texts, and texts under numbers. */
void bind_offer_names(lua_State *L, bind_nearest *n, int table);

/* Push what a message says of it, "; did you mean 'weight'?", or "". */
const char *bind_push_question(lua_State *L, const bind_nearest *n);

/* Raise "zeros: unknown option 'dtpye'; did you mean 'dtype'? (known: dtype)". known ends with NULL. */
int bind_unknown(lua_State *L, const char *name, const char *what, const char *given, const char *const *known);

extern const bind_reg bind_nearest_functions[]; /* for the core table */

/* Each class adds its constructors to the core table on the top of the stack. */
void bind_open_tensor(lua_State *L);  /* bind_tensor.c: tensors, and the functions that make them */
void bind_open_layer(lua_State *L);   /* bind_layer.c */
void bind_open_loss(lua_State *L);    /* bind_loss.c */
void bind_open_optim(lua_State *L);   /* bind_optim.c */
void bind_open_net(lua_State *L);     /* bind_net.c */
void bind_open_dataset(lua_State *L); /* bind_dataset.c */
void bind_open_files(lua_State *L);   /* bind_files.c: idx, png, safetensors, net load: everything that opens a file */

/* print.c: values like numpy's, at most a screenful whatever the size. Pushes one string. */
void bind_push_tensor_text(lua_State *L, const moon_tensor *t);

#endif

/* bind_object.h - what the files of layers, losses, optimisers and nets share: bind_option.c (options and fields),
** bind_net.c (forward and backward) and bind_archive.c (named tensors as Lua tables). */
#ifndef MOONGLASS_BIND_OBJECT_H
#define MOONGLASS_BIND_OBJECT_H

#include "bind.h"

/* ---- bind_option.c: objects that the engine describes by name and options ---- */

/* One class of them. The functions take any object of the class. */
typedef struct bind_described {
  moon_family family;
  const char *class;  /* its metatable */
  const char *noun;   /* in messages, and the constructor by name: core.layer("dense", ...) */
  const char *bare;   /* the option whose value tostring shows without its name, or NULL */
  const char *always; /* the option that tostring shows even at its default, or NULL */
  moon_status (*make)(moon_ctx *ctx, void **out, const char *kind, const moon_option *options, size_t count);
  const char *(*kind)(const void *object);
  moon_status (*get)(const void *object, const char *name, moon_option *value);
} bind_described;

/* Add a constructor for each registered name, and one that takes the name, to the core table on the top. f is the
** class's lua_CFunction, which calls bind_construct. */
void bind_constructors(lua_State *L, const bind_described *d, lua_CFunction f);
int bind_construct(lua_State *L, const bind_described *d);

/* __index of object, key: push the method (upvalue 2), or the option's value, of that name, or give false. */
bool bind_method(lua_State *L);
bool bind_option_field(lua_State *L, const bind_described *d);

/* What the key at index 2 is near to: nothing yet. */
bind_nearest bind_key(lua_State *L);

/* Offer the options of a registered name. */
void bind_offer_options(lua_State *L, bind_nearest *n, moon_family family, const char *name);

/* Raise "layer has no field or method 'wieght'; did you mean 'weight'?" for the key at index 2; the methods (upvalue 2)
** are offered to n, which may have others. Names that begin with "__" give nil. */
int bind_no_field(lua_State *L, const char *noun, bind_nearest *n);

/* The end of __index: raises that, options being offered too. */
int bind_no_option_field(lua_State *L, const bind_described *d, bind_nearest *n);

/* __newindex of something that is fixed: raises, saying why; options are offered to n. */
int bind_fixed_field(lua_State *L, const bind_described *d, bind_nearest *n);

/* Find the option of a registered name. */
bool bind_find_option(lua_State *L, moon_family family, const char *name, const char *option, moon_option_info *info);

/* The value at a stack index as that option; its text or layer lives as long as the stack slot. Raises if the type is
** wrong; whether the value is allowed is for the engine to say. */
void bind_read_option(lua_State *L, int index, const char *name, const moon_option_info *info, moon_option *option);

/* Push the object in words: its kind and the options that differ from their defaults, "dense 784->128 relu". */
void bind_push_text(lua_State *L, const bind_described *d, const void *object);

/* __tostring: that, or "moonglass.layer (closed)". */
int bind_described_tostring(lua_State *L, const bind_described *d);

/* bind_weigh by what the context has come to hold beyond `before`. */
void bind_weigh_growth(lua_State *L, moon_ctx *ctx, size_t before);

/* ---- bind_layer.c ---- */

/* Push a new handle on the layer. */
void bind_push_layer(lua_State *L, moon_layer *layer);
void bind_push_layer_text(lua_State *L, const moon_layer *layer);

/* Push {name =, value =, grad =}; name may be NULL for the parameter's own. */
void bind_push_parameter(lua_State *L, const char *name, const moon_parameter *parameter);

/* ---- bind_net.c ---- */

/* Push net(x), or the input's gradient from dy; the net, x and dy are at absolute stack indices. */
int bind_forward(lua_State *L, int net, int x, bool training);
int bind_backward(lua_State *L, int net, int dy);

/* ---- bind_archive.c: a moon_archive never shows in Lua: the function that works on it owns it ---- */

/* An empty one. */
moon_archive *bind_new_archive(lua_State *L);

/* The archive of a table {name = tensor} and, if it is not nil, a table {key = text}, each in the order of the names.
** `name` begins the messages. Raises. */
moon_archive *bind_read_archive(lua_State *L, const char *name, int tensors, int metadata);

/* Push a table {name = tensor}, a table {key = text} and the list of the tensors' names in the archive's order. */
void bind_push_archive(lua_State *L, const moon_archive *archive);

#endif

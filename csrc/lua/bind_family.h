/* bind_family.h - the families of registered kinds, layers, losses and optimisers (bind_family.c): their constructors,
** fields and texts are made the same way. */
#ifndef MOONGLASS_BIND_FAMILY_H
#define MOONGLASS_BIND_FAMILY_H

#include "bind_args.h"
#include "bind_handle.h"

/* One of the three. */
typedef struct bind_family {
  moon_family family;
  const char *class;       /* its metatable */
  const char *noun;        /* in messages, and the constructor that takes the name: core.layer("dense", ...) */
  const char *bare;        /* the option whose value tostring shows without its name, or NULL */
  const char *always;      /* the option that tostring shows even at its default, or NULL */
  lua_CFunction construct; /* the constructors */
  moon_status (*make)(moon_ctx *ctx, void **out, const char *kind, const moon_option *options, size_t count);
  const char *(*kind)(const void *object);
  moon_status (*get)(const void *object, const char *name, moon_option *value);
  moon_status (*set)(void *object, const moon_option *value); /* NULL: all options are fixed at construction */
} bind_family;

extern const bind_family bind_layers, bind_losses, bind_optims;

/* Add the family's constructors to the core table on the top: one for each registered name, and one that takes the
** name. */
void bind_constructors(lua_State *L, const bind_family *f);

/* __index of object, key: push the method (upvalue 2), or the option's value, of that name, or return false. */
bool bind_method(lua_State *L);
bool bind_option_field(lua_State *L, const bind_family *f);

/* The key at index 2, to which names may be offered. */
bind_nearest bind_key(lua_State *L);

/* Raise "layer has no field or method 'wieght'; did you mean 'weight'?" for the key at index 2; the methods (upvalue 2)
** are offered to n, which may have others. Names that begin with "__" give nil. */
int bind_no_field(lua_State *L, const char *noun, bind_nearest *n);

/* The same with the options offered too. */
int bind_no_option_field(lua_State *L, const bind_family *f, bind_nearest *n);

/* __newindex of object, key, value: set an option, of which the engine checks the value; nil takes a pair away. Raises
** for a field that cannot be set; the options are offered to n, which may have other names. */
int bind_set_field(lua_State *L, const bind_family *f, bind_nearest *n);

/* Push the object as text: its kind and the options that differ from their defaults, "dense 784->128 relu". */
void bind_push_text(lua_State *L, const bind_family *f, const void *object);

/* __tostring: that, or "moonglass.layer (closed)". */
int bind_family_tostring(lua_State *L, const bind_family *f);

#endif

/* bind_option.h - options between Lua and the engine (bind_option.c). Which options exist comes from the registry. */
#ifndef MOONGLASS_BIND_OPTION_H
#define MOONGLASS_BIND_OPTION_H

#include "bind_args.h"

/* Find the option of a registered name; offer all its options. */
bool bind_find_option(lua_State *L, moon_family family, const char *name, const char *option, moon_option_info *info);
void bind_offer_options(lua_State *L, bind_nearest *n, moon_family family, const char *name);

/* The options of constructor `name`: those with a position from argument `first` on, then a table of named ones. Their
** texts stay alive on the stack. Raises on an unknown key or a wrong type; whether a value is allowed, the engine says.
** Returns how many were given. */
enum { BIND_MAX_OPTIONS = 24 };
size_t bind_options(lua_State *L, int first, moon_family family, const char *name, moon_option *options);

/* The same for one value, at a stack index. Its text or layer lives as long as the stack slot. */
void bind_read_option(lua_State *L, int index, const char *name, const moon_option_info *info, moon_option *option);

/* Push an option's value as Lua shows it; nil for what was not given. */
void bind_push_option(lua_State *L, const moon_option *option);

#endif

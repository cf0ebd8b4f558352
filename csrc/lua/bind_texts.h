/* bind_texts.h - lists of texts, and columns of texts, from Lua and to Lua (bind_texts.c). */
#ifndef MOONGLASS_BIND_TEXTS_H
#define MOONGLASS_BIND_TEXTS_H

#include <lua.h>

#include "../moonglass.h"

/* Push the texts of the list on the top as a buffer, and below it a table that keeps them alive; *n is their number.
** NULL, and nothing is pushed, if there is no list. Messages: "function: what[2] is ..., expected a text". */
const char **bind_read_texts(lua_State *L, const char *function, const char *what, size_t *n);

/* The columns of texts of the list on the top, a list of {column, texts or nil}; what they are made of stays on the
** stack. *n is their number. NULL for nil. */
const moon_csv_category *bind_read_categories(lua_State *L, const char *function, size_t *n);

/* Push a list of texts; a table {column = list of texts}. */
void bind_push_texts(lua_State *L, const char *const *texts, size_t n);
void bind_push_categories(lua_State *L, const moon_csv_category *categories, size_t n);

#endif

/* json.h - between JSON and Lua. */
#ifndef PLAYGROUND_JSON_H
#define PLAYGROUND_JSON_H

#include <jansson.h>
#include <lua.h>

#include "text.h"

/* The object in a text that nobody has checked; NULL with words for people. Depth and number of values are bounded. */
json_t *json_read(const char *bytes, size_t size, char *words, size_t room);

/* Push a value as Lua's: null is nil, so a member that is null is absent. Raises. */
void json_push(lua_State *L, const json_t *value);

/* Add the Lua value at index to a text as JSON, tensors as {"shape": [...], "u8" or "f32": base64}. Raises an error
** that says what has no place in JSON. */
void json_write(lua_State *L, int index, text *out);

/* The metatable of tables that are lists even if they are empty; pushes it. Raises. */
void json_push_list_mark(lua_State *L);

#endif

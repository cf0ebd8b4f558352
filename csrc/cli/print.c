/* print.c - results as a session shows them: what tostring gives, and plain tables opened one level deep. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

enum { MAX_ENTRIES = 20, MAX_INSIDE = 60, MAX_LINE = 100 };

/* A table that nobody has given a text of its own. */
static bool is_plain_table(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TTABLE) return false;
  if (luaL_getmetafield(L, index, "__tostring") == LUA_TNIL && luaL_getmetafield(L, index, "__name") == LUA_TNIL)
    return true;
  lua_pop(L, 1);
  return false;
}

static bool is_identifier(const char *s) {
  size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");
  return n > 0 && s[n] == '\0' && (*s < '0' || *s > '9');
}

/* Push a text in quotes. A long one is cut: a session is no pager. */
static void push_quoted(lua_State *L, int index) {
  size_t n;
  const char *s = lua_tolstring(L, index, &n);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addchar(&b, '"');
  for (size_t i = 0; i < n && i < MAX_INSIDE; i++) {
    char c = s[i];
    if (c == '"' || c == '\\') {
      luaL_addchar(&b, '\\');
      luaL_addchar(&b, c);
    } else if (c == '\n') {
      luaL_addstring(&b, "\\n");
    } else if ((unsigned char)c < ' ' || c == 127) {
      char code[8];
      snprintf(code, sizeof code, "\\x%02x", (unsigned)c & 0xFF);
      luaL_addstring(&b, code);
    } else {
      luaL_addchar(&b, c);
    }
  }
  luaL_addstring(&b, n > MAX_INSIDE ? "...\"" : "\"");
  luaL_pushresult(&b);
}

/* Push the text of a value inside a table: one line. */
static void push_inside(lua_State *L, int index) {
  index = lua_absindex(L, index);
  if (lua_type(L, index) == LUA_TSTRING) {
    push_quoted(L, index);
  } else if (is_plain_table(L, index)) {
    lua_pushnil(L);
    bool any = lua_next(L, index);
    if (any) lua_pop(L, 2);
    lua_pushstring(L, any ? "{...}" : "{}");
  } else {
    size_t n;
    const char *s = luaL_tolstring(L, index, &n);
    size_t line = strcspn(s, "\n");
    if (line < n || n > MAX_INSIDE) {
      lua_pushlstring(L, s, line < MAX_INSIDE ? line : MAX_INSIDE);
      lua_pushliteral(L, " ...");
      lua_concat(L, 2);
      lua_remove(L, -2);
    }
  }
}

/* Push "key = " as a constructor would write it. */
static void push_key(lua_State *L, int index) {
  index = lua_absindex(L, index);
  if (lua_type(L, index) == LUA_TSTRING && is_identifier(lua_tostring(L, index))) {
    lua_pushfstring(L, "%s = ", lua_tostring(L, index));
    return;
  }
  push_inside(L, index);
  lua_pushfstring(L, "[%s] = ", lua_tostring(L, -1));
  lua_remove(L, -2);
}

/* Is the key one of 1..n, which are shown without it? */
static bool in_list(lua_State *L, int index, lua_Integer n) {
  return lua_isinteger(L, index) && lua_tointeger(L, index) >= 1 && lua_tointeger(L, index) <= n;
}

/* Pop a text and put it in its order among texts[first + 1 .. used], of which the first MAX_ENTRIES stay. Gives the
** new number. */
static lua_Integer insert_sorted(lua_State *L, int texts, lua_Integer first, lua_Integer used) {
  lua_Integer place = used;
  while (place > first) {
    lua_rawgeti(L, texts, place);
    if (!lua_compare(L, -2, -1, LUA_OPLT)) {
      lua_pop(L, 1);
      break;
    }
    lua_rawseti(L, texts, place + 1);
    place--;
  }
  lua_rawseti(L, texts, place + 1);
  return used < MAX_ENTRIES ? used + 1 : used;
}

/* Push the texts 1..shown of `total` entries as one constructor: on one line if it fits, else one entry a line. */
static void push_joined(lua_State *L, int texts, lua_Integer shown, lua_Integer total) {
  size_t length = 2;
  for (lua_Integer i = 1; i <= shown; i++) {
    lua_rawgeti(L, texts, i);
    length += lua_rawlen(L, -1) + 2;
    lua_pop(L, 1);
  }
  bool wrap = length > MAX_LINE;
  const char *comma = wrap ? ",\n  " : ", ";
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, wrap ? "{\n  " : "{");
  for (lua_Integer i = 1; i <= shown; i++) {
    if (i > 1) luaL_addstring(&b, comma);
    lua_rawgeti(L, texts, i);
    luaL_addvalue(&b);
  }
  if (total > shown) {
    lua_pushfstring(L, "%s... %I more", comma, (LUAI_UACINT)(total - shown));
    luaL_addvalue(&b);
  }
  luaL_addstring(&b, wrap ? "\n}" : "}");
  luaL_pushresult(&b);
}

/* The list 1..n comes first, then the other entries sorted by their text. */
static void push_table(lua_State *L, int table) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, table), total = n, used = 0;
  lua_newtable(L);
  int texts = lua_gettop(L);
  while (used < n && used < MAX_ENTRIES) {
    lua_rawgeti(L, table, used + 1);
    push_inside(L, -1);
    lua_rawseti(L, texts, ++used);
    lua_pop(L, 1);
  }
  lua_Integer list = used;
  lua_pushnil(L);
  while (lua_next(L, table)) {
    if (!in_list(L, -2, n)) {
      push_key(L, -2);
      push_inside(L, -2);
      lua_concat(L, 2);
      used = insert_sorted(L, texts, list, used);
      total++;
    }
    lua_pop(L, 1);
  }
  push_joined(L, texts, used, total);
  lua_remove(L, texts);
}

void cli_print(lua_State *L, int n) {
  int first = lua_gettop(L) - n + 1;
  bool lines = false;
  luaL_checkstack(L, n + 8, "too many results to print");
  for (int i = first; i < first + n; i++) {
    if (is_plain_table(L, i))
      push_table(L, i);
    else
      luaL_tolstring(L, i, NULL);
    lua_replace(L, i);
    lines |= strchr(lua_tostring(L, i), '\n') != NULL;
  }
  for (int i = first; i < first + n; i++) {
    size_t size;
    const char *text = lua_tolstring(L, i, &size);
    if (i > first) fputc(lines ? '\n' : '\t', stdout);
    fwrite(text, 1, size, stdout);
  }
  fputc('\n', stdout);
  fflush(stdout);
  lua_settop(L, first - 1);
}

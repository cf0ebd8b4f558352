/* host.c - what a session's Lua code can ask of this program. All functions run on the session's thread. */
#include "host.h"

#include <lauxlib.h>
#include <moonglass_lua.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "require.h"
#include "state.h"

enum { KEPT = 256 << 10 }; /* bytes of the text that stay from one use to the next */

static void check_end(lua_State *L) {
  if (atomic_load_explicit(&state_of(L)->ended, memory_order_relaxed)) luaL_error(L, "the session has ended");
}

static text *empty_text(lua_State *L, size_t limit) {
  text *t = &state_of(L)->json;
  text_clear(t, KEPT);
  t->limit = limit;
  return t;
}

/* ---- commands ---- */

/* The session does not train: its core is free for others. */
static void rest(state *s) {
  turn_give(&s->turn);
  pace_rest(&s->pace);
}

/* command(wait) -> id, table | nil */
static int host_command(lua_State *L) {
  state *s = state_of(L);
  double wait = luaL_optnumber(L, 1, 0);
  long id = 0;
  check_end(L);
  if (wait > 0) rest(s);
  json_decref(s->command);
  s->command = NULL; /* the wait is not to hold it */
  s->command = mailbox_take(&s->mail, wait > 0 ? (wait < 60 ? wait : 60) : 0, &id);
  check_end(L);
  if (!s->command) return 0;
  lua_pushinteger(L, id);
  json_push(L, s->command);
  return 2;
}

/* answer(id, table) */
static int host_answer(lua_State *L) {
  lua_Integer id = luaL_checkinteger(L, 1);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) {
    lua_newtable(L);
    lua_replace(L, 2);
  }
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_pushboolean(L, 1);
  lua_setfield(L, 2, "ok");
  text *t = empty_text(L, HOST_LARGEST_ANSWER);
  json_write(L, 2, t);
  mailbox_answer(&state_of(L)->mail, (long)id, 200, t);
  return 0;
}

/* refuse(id, words) */
static int host_refuse(lua_State *L) {
  size_t size;
  lua_Integer id = luaL_checkinteger(L, 1);
  const char *words = luaL_checklstring(L, 2, &size);
  text *t = empty_text(L, HOST_LARGEST_ANSWER);
  text_object(t, "error", words, size);
  if (t->failed) return luaL_error(L, "refuse: %s", t->failed);
  mailbox_answer(&state_of(L)->mail, (long)id, 400, t);
  return 0;
}

/* ---- events ---- */

/* send(event, table) */
static int host_send(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  text *t = empty_text(L, HOST_LARGEST_FRAME);
  json_write(L, 2, t);
  const char *problem = slots_put(&state_of(L)->events, name, t);
  if (problem) return luaL_error(L, "send: event '%s': %s", name, problem);
  return 0;
}

/* clear() */
static int host_clear(lua_State *L) {
  slots_clear(&state_of(L)->events);
  return 0;
}

static bool frame_is_due(const state *s) { return slots_are_read(&s->events) && pace_is_due(&s->pace); }

/* frame_due() -> boolean */
static int host_frame_due(lua_State *L) {
  lua_pushboolean(L, frame_is_due(state_of(L)));
  return 1;
}

/* due() -> boolean. It is called between two batches, so this is where a session waits for its turn. */
static int host_due(lua_State *L) {
  state *s = state_of(L);
  turn_take(&s->turn);
  lua_pushboolean(L, atomic_load_explicit(&s->ended, memory_order_relaxed) ||
                         atomic_load_explicit(&s->mail.waiting, memory_order_relaxed) || frame_is_due(s));
  return 1;
}

/* frame(f, ...) -> the results of f */
static int host_frame(lua_State *L) {
  state *s = state_of(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  pace_begin(&s->pace);
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  pace_end(&s->pace);
  return lua_gettop(L);
}

/* ---- the rest ---- */

/* All sessions read the same memory. */
static void push_part(lua_State *L, const moon_tensor *part) {
  moon_tensor *t;
  if (moon_tensor_wrap(moon_lua_ctx(L), &t, moon_tensor_dtype(part), moon_tensor_rank(part), moon_tensor_shape(part),
                       moon_tensor_data(part), NULL, NULL) != MOON_OK)
    luaL_error(L, "data: %s", moon_error(moon_lua_ctx(L)));
  moon_tensor_freeze(t);
  moon_lua_push_tensor(L, t);
  moon_tensor_release(t);
}

/* data() -> train_images, train_labels, test_images, test_labels, name | nil */
static int host_data(lua_State *L) {
  data *d = state_of(L)->config->set;
  if (!data_wait(d)) return 0;
  for (int i = 0; i < 4; i++) push_part(L, d->parts[i]);
  lua_pushstring(L, d->name);
  return 5;
}

/* base64(bytes) -> text */
static int host_base64(lua_State *L) {
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  text *t = empty_text(L, HOST_LARGEST_ANSWER);
  text_base64(t, bytes, size);
  if (t->failed) return luaL_error(L, "base64: %s", t->failed);
  lua_pushlstring(L, t->data, t->size);
  return 1;
}

/* bytes(text) -> bytes | nil, words */
static int host_bytes(lua_State *L) {
  size_t size;
  const char *code = luaL_checklstring(L, 1, &size);
  text *t = empty_text(L, HOST_LARGEST_ANSWER);
  if (!text_from_base64(t, code, size)) {
    lua_pushnil(L);
    lua_pushstring(L, t->failed ? t->failed : "this is no base64");
    return 2;
  }
  lua_pushlstring(L, t->size ? t->data : "", t->size);
  return 1;
}

/* list(t) -> t, or a new one */
static int host_list(lua_State *L) {
  lua_settop(L, 1);
  if (lua_isnil(L, 1)) {
    lua_newtable(L);
    lua_replace(L, 1);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  json_push_list_mark(L);
  lua_setmetatable(L, 1);
  return 1;
}

void host_log(const char *line) {
  char clean[2000];
  size_t n = 0;
  for (; line[n] && n < sizeof clean - 1; n++) {
    unsigned char c = (unsigned char)line[n];
    clean[n] = (char)((c < ' ' && c != '\n' && c != '\t') || c == 127 ? '?' : c);
  }
  clean[n] = '\0';
  fprintf(stderr, "moonglass-playground: session: %s\n", clean);
}

/* log(text) */
static int host_log_text(lua_State *L) {
  host_log(luaL_checkstring(L, 1));
  return 0;
}

void host_push(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"command", host_command},     {"answer", host_answer},    {"refuse", host_refuse},
      {"send", host_send},           {"clear", host_clear},      {"due", host_due},
      {"data", host_data},           {"frame", host_frame},      {"list", host_list},
      {"frame_due", host_frame_due}, {"bytes", host_bytes},      {"base64", host_base64},
      {"log", host_log_text},        {"source", require_source}, {NULL, NULL},
  };
  luaL_newlib(L, functions);
  lua_pushinteger(L, state_of(L)->config->threads);
  lua_setfield(L, -2, "threads");
  lua_pushstring(L, data_name(state_of(L)->config->set));
  lua_setfield(L, -2, "data_name");
  lua_pushcfunction(L, host_log_text);
  lua_setglobal(L, "print"); /* standard output is the host's */
}

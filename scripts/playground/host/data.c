/* data.c - reading the data set: the library's own search, in a Lua state that may open files. */
#include "data.h"

#include <lauxlib.h>
#include <lualib.h>
#include <moonglass_lua.h>
#include <stdio.h>

#include "require.h"

/* Returns the name of the set, and a function that reads it: a packed set takes some time. */
static const char code[] = "local folder = ...\n"
                           "local moon = require 'moonglass'\n"
                           "local found, words = moon.data.find(folder)\n"
                           "if not found then error(words, 0) end\n"
                           "return words:match('^(.-) in ') or words, function()\n"
                           "  local x, labels = assert(moon.data.mnist(found, 'train'))\n"
                           "  local test, test_labels = assert(moon.data.mnist(found, 'test'))\n"
                           "  if x:size(2) ~= 784 or test:size(2) ~= 784 then\n"
                           "    error(words .. ': expected pictures of 28 x 28', 0)\n"
                           "  end\n"
                           "  return x, labels, test, test_labels\n"
                           "end\n";

static void reach(data *d, int stage) {
  pthread_mutex_lock(&d->lock);
  d->stage = stage;
  pthread_cond_broadcast(&d->progress);
  pthread_mutex_unlock(&d->lock);
}

/* Runs protected: fill the parts. They are retained: nothing of the state closes them. */
static int read_set(lua_State *L) {
  data *d = lua_touserdata(L, 1);
  moon_tensor *parts[4];
  luaL_openlibs(L);
  luaL_requiref(L, "moonglass.core", luaopen_moonglass_core, 0);
  require_open(L);
  if (luaL_loadbufferx(L, code, sizeof code - 1, "=data.c", "t") != LUA_OK) return lua_error(L);
  lua_pushstring(L, d->folder);
  lua_call(L, 1, 2);
  snprintf(d->name, sizeof d->name, "%s", luaL_checkstring(L, -2));
  reach(d, DATA_NAMED);
  lua_call(L, 0, 4);
  for (int i = 0; i < 4; i++) parts[i] = moon_lua_check_tensor(L, -4 + i);
  for (int i = 0; i < 4; i++) d->parts[i] = moon_tensor_retain(parts[i]);
  return 0;
}

static void *read_in_thread(void *ud) {
  data *d = ud;
  lua_State *L = d->L = luaL_newstate();
  const char *words = "out of memory";
  if (L) {
    lua_pushcfunction(L, read_set);
    lua_pushlightuserdata(L, d);
    bool ok = lua_pcall(L, 1, 0, 0) == LUA_OK;
    words = ok ? NULL : lua_tostring(L, -1);
  }
  if (!d->parts[0])
    fprintf(stderr, "moonglass-playground: there are no pictures for autoencoders: %s\n", words ? words : "an error");
  reach(d, DATA_READ);
  return NULL;
}

bool data_init(data *d, const char *folder) {
  *d = (data){.folder = folder};
  if (pthread_mutex_init(&d->lock, NULL) != 0) return false;
  if (pthread_cond_init(&d->progress, NULL) == 0) {
    if (pthread_create(&d->thread, NULL, read_in_thread, d) == 0) return true;
    pthread_cond_destroy(&d->progress);
  }
  pthread_mutex_destroy(&d->lock);
  return false;
}

static void wait_for(data *d, int stage) {
  pthread_mutex_lock(&d->lock);
  while (d->stage < stage) pthread_cond_wait(&d->progress, &d->lock);
  pthread_mutex_unlock(&d->lock);
}

const char *data_name(data *d) {
  wait_for(d, DATA_NAMED);
  return *d->name ? d->name : NULL;
}

bool data_wait(data *d) {
  wait_for(d, DATA_READ);
  return d->parts[0] != NULL;
}

void data_destroy(data *d) {
  pthread_join(d->thread, NULL);
  for (int i = 0; i < 4; i++) moon_tensor_release(d->parts[i]);
  if (d->L) lua_close(d->L);
  pthread_cond_destroy(&d->progress);
  pthread_mutex_destroy(&d->lock);
}

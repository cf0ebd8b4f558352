/* data.c - reading the data set: the library's own search, in a Lua state that may open files. */
#include "data.h"

#include <lauxlib.h>
#include <lualib.h>
#include <moonglass_lua.h>
#include <stdio.h>

#include "require.h"

static const char code[] = "local folder = ...\n"
                           "local moon = require 'moonglass'\n"
                           "local found, words = moon.data.find(folder)\n"
                           "if not found then error(words, 0) end\n"
                           "local x, labels = assert(moon.data.mnist(found, 'train'))\n"
                           "local test, test_labels = assert(moon.data.mnist(found, 'test'))\n"
                           "if x:size(2) ~= 784 or test:size(2) ~= 784 then\n"
                           "  error(words .. ': expected pictures of 28 x 28', 0)\n"
                           "end\n"
                           "return x, labels, test, test_labels, words:match('^(.-) in ') or words, words\n";

/* Runs protected: fill the parts. They are retained: nothing of the state closes them. */
static int read_set(lua_State *L) {
  data *d = lua_touserdata(L, 1);
  luaL_openlibs(L);
  luaL_requiref(L, "moonglass.core", luaopen_moonglass_core, 0);
  require_open(L);
  if (luaL_loadbufferx(L, code, sizeof code - 1, "=data.c", "t") != LUA_OK) return lua_error(L);
  lua_pushstring(L, d->folder);
  lua_call(L, 1, 6);
  snprintf(d->name, sizeof d->name, "%s", luaL_checkstring(L, -2));
  snprintf(d->words, sizeof d->words, "%s", luaL_checkstring(L, -1));
  for (int i = 0; i < 4; i++) d->parts[i] = moon_tensor_retain(moon_lua_check_tensor(L, -6 + i));
  return 0;
}

static void *read_in_thread(void *ud) {
  data *d = ud;
  lua_State *L = luaL_newstate();
  if (!L) {
    snprintf(d->words, sizeof d->words, "out of memory");
  } else {
    lua_pushcfunction(L, read_set);
    lua_pushlightuserdata(L, d);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
      snprintf(d->words, sizeof d->words, "%s", lua_isstring(L, -1) ? lua_tostring(L, -1) : "an error without a text");
  }
  pthread_mutex_lock(&d->lock);
  d->L = L;
  d->ready = true;
  pthread_cond_broadcast(&d->read);
  pthread_mutex_unlock(&d->lock);
  return NULL;
}

bool data_init(data *d, const char *folder) {
  *d = (data){.folder = folder};
  if (pthread_mutex_init(&d->lock, NULL) != 0) return false;
  if (pthread_cond_init(&d->read, NULL) == 0) {
    if (pthread_create(&d->thread, NULL, read_in_thread, d) == 0) return true;
    pthread_cond_destroy(&d->read);
  }
  pthread_mutex_destroy(&d->lock);
  return false;
}

bool data_wait(data *d) {
  pthread_mutex_lock(&d->lock);
  while (!d->ready) pthread_cond_wait(&d->read, &d->lock);
  pthread_mutex_unlock(&d->lock);
  return d->parts[3] != NULL;
}

void data_destroy(data *d) {
  pthread_join(d->thread, NULL);
  for (int i = 0; i < 4; i++) moon_tensor_release(d->parts[i]);
  if (d->L) lua_close(d->L);
  pthread_cond_destroy(&d->read);
  pthread_mutex_destroy(&d->lock);
}

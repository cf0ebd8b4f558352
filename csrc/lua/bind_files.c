/* bind_files.c - reading and writing file formats. Functions that open files are in a separate list, which is left out
** in a host without file access. A read or write that fails returns nil, message, code; misuse raises. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind_archive.h"
#include "bind_args.h"
#include "bind_detector.h"
#include "bind_open.h"

/* A path that holds a zero byte would name another file. */
static const char *check_path(lua_State *L, int arg) {
  size_t length;
  const char *path = luaL_checklstring(L, arg, &length);
  if (strlen(path) != length) luaL_argerror(L, arg, "the path holds a zero byte");
  return path;
}

/* Finish a function that made an object for the empty handle on the top: return the object, or nil, message, code. */
static int made(lua_State *L, moon_status status, void **handle, void *object, size_t before) {
  if (status != MOON_OK) return bind_file_result(L, bind_ctx(L), status);
  *handle = object;
  bind_weigh_growth(L, bind_ctx(L), before);
  return 1;
}

typedef moon_status reader(moon_ctx *ctx, moon_tensor **out, const char *path);

static int read_tensor(lua_State *L, reader *read) {
  moon_ctx *ctx = bind_ctx(L);
  const char *path = check_path(L, 1);
  size_t before = moon_memory_used(ctx);
  moon_tensor *t = NULL;
  moon_status status;
  void **handle = bind_new(L, BIND_TENSOR);
  BIND_TWICE(L, status, read(ctx, &t, path));
  return made(L, status, handle, t, before);
}

/* core.idx_load(path) -> tensor: an IDX file, plain or gzipped */
static int idx_load(lua_State *L) { return read_tensor(L, moon_idx_load); }

/* core.npy_load(path) -> tensor */
static int npy_load(lua_State *L) { return read_tensor(L, moon_npy_load); }

/* Write a tensor to a file -> true | nil, message, code */
static int write_tensor(lua_State *L, moon_status (*write)(const moon_tensor *t, const char *path)) {
  const char *path = check_path(L, 1);
  const moon_tensor *t = bind_check_tensor(L, 2);
  moon_status status;
  BIND_TWICE(L, status, write(t, path));
  return bind_file_result(L, bind_ctx(L), status);
}

/* core.npy_save(path, tensor) -> true */
static int npy_save(lua_State *L) { return write_tensor(L, moon_npy_save); }

/* core.file_kind(path) -> "file", "folder", "other" (such as a FIFO, on which opening would block), "link" (a dangling
** one); nil if there is nothing */
static int file_kind(lua_State *L) {
  struct stat about;
  const char *path = check_path(L, 1);
  if (stat(path, &about) == 0 || lstat(path, &about) == 0)
    lua_pushstring(L, S_ISREG(about.st_mode)   ? "file"
                      : S_ISDIR(about.st_mode) ? "folder"
                      : S_ISLNK(about.st_mode) ? "link"
                                               : "other");
  else
    lua_pushnil(L);
  return 1;
}

/* core.folder_list(path) -> the names in a folder, sorted by bytes, each with a zero byte behind it | nil, message,
** code */
static int folder_list(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  const char *path = check_path(L, 1);
  moon_tensor *names = NULL;
  moon_status status;
  BIND_TWICE(L, status, moon_folder_list(ctx, &names, path));
  return status == MOON_OK ? bind_push_bytes(L, names) : bind_file_result(L, ctx, status);
}

/* core.picture_kind(path) -> "PNG", "JPEG", ..., or "" for no known picture | nil, message, code */
static int picture_kind(lua_State *L) {
  const char *path = check_path(L, 1), *kind = NULL;
  moon_status status = moon_picture_kind(bind_ctx(L), &kind, path);
  if (status != MOON_OK) return bind_file_result(L, bind_ctx(L), status);
  lua_pushstring(L, kind ? kind : "");
  return 1;
}

/* Push the folder of a file, as "folder/.". */
static const char *push_folder(lua_State *L, const char *path) {
  const char *slash = strrchr(path, '/');
  return lua_pushfstring(L, "%s.", lua_pushlstring(L, path, slash ? (size_t)(slash - path) + 1 : 0));
}

/* core.file_access(path, in_place) -> true | nil, message: may this process create or replace the file (in_place: write
** into it if it exists)? Links are followed, as when saving; a dangling link gives true. */
static int file_access(lua_State *L) {
  char real[PATH_MAX];
  struct stat about;
  const char *path = check_path(L, 1), *file = path;
  bool is_link = lstat(path, &about) == 0 && S_ISLNK(about.st_mode), is_there = stat(path, &about) == 0;
  bool is_named = *path && path[strlen(path) - 1] != '/';
  if (!is_there && errno == ENAMETOOLONG) return luaL_fileresult(L, 0, NULL);
  if (!is_named) errno = EISDIR;
  if (is_there && is_link) file = realpath(path, real);
  if (!is_named || !file) return luaL_fileresult(L, 0, NULL);
  if (!(is_there && lua_toboolean(L, 2))) file = push_folder(L, file);
  if ((is_there || !is_link) && faccessat(AT_FDCWD, file, W_OK, AT_EACCESS) != 0) return luaL_fileresult(L, 0, NULL);
  lua_pushboolean(L, 1);
  return 1;
}

/* ---- any file ---- */

/* Push the strings of the list at an index as a buffer; *n is their number. Below it a list of them is pushed, which
** keeps them alive whatever happens to the other list. */
static moon_bytes *push_parts(lua_State *L, int list, size_t *n) {
  luaL_checktype(L, list, LUA_TTABLE);
  *n = lua_rawlen(L, list);
  if (*n > INT_MAX / sizeof(moon_bytes)) luaL_argerror(L, list, "too many parts");
  lua_createtable(L, (int)*n, 0);
  moon_bytes *parts = lua_newuserdatauv(L, *n * sizeof *parts + 1, 0);
  for (size_t i = 0; i < *n; i++) {
    if (lua_rawgeti(L, list, (lua_Integer)i + 1) != LUA_TSTRING)
      luaL_error(L, "file_write: part %I is %s, expected a string", (LUAI_UACINT)(i + 1), bind_shown(L, -1));
    parts[i].data = lua_tolstring(L, -1, &parts[i].size);
    lua_rawseti(L, -3, (lua_Integer)i + 1);
  }
  return parts;
}

/* core.file_write(path, list of strings) -> true | nil, message, code: write the strings one after the other */
static int file_write(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  const char *path = check_path(L, 1);
  size_t n;
  const moon_bytes *parts = push_parts(L, 2, &n);
  moon_status status;
  BIND_TWICE(L, status, moon_file_write(ctx, path, parts, n));
  return bind_file_result(L, ctx, status);
}

/* core.file_rotate(path, keep) -> true | nil, message, code: keep the current file as path.1, and so on */
static int file_rotate(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  const char *path = check_path(L, 1);
  lua_Integer keep = luaL_checkinteger(L, 2);
  moon_status status;
  BIND_TWICE(L, status, moon_file_rotate(ctx, path, keep < 1 || keep > INT_MAX ? 0 : (int)keep));
  return bind_file_result(L, ctx, status);
}

/* ---- PNG ---- */

/* core.png_read(path) -> uint8 [h x w] or [h x w x c] */
static int png_read(lua_State *L) { return read_tensor(L, moon_png_read); }

/*** moon.png.decode(bytes)
** Decode a PNG in memory.
** @param bytes string
** @return moonglass.Tensor? picture as `moon.png.read` returns it; nil if the bytes are not a PNG
** @return string? message
** @return moonglass.Code? code */
static int png_decode(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  size_t size, before = moon_memory_used(ctx);
  const char *bytes = luaL_checklstring(L, 1, &size);
  moon_tensor *t = NULL;
  moon_status status;
  void **handle = bind_new(L, BIND_TENSOR);
  BIND_TWICE(L, status, moon_png_decode(ctx, &t, bytes, size));
  return made(L, status, handle, t, before);
}

/* core.png_write(path, tensor) -> true */
static int png_write(lua_State *L) { return write_tensor(L, moon_png_write); }

/*** moon.png.encode(picture)
** Encode a picture as a PNG in memory.
** @param picture moonglass.Tensor uint8 [height x width] or [height x width x channels]
** @return string bytes */
static int png_encode(lua_State *L) {
  const moon_tensor *t = bind_check_tensor(L, 1);
  moon_tensor *bytes = NULL;
  BIND_TRY(L, bind_ctx(L), moon_png_encode(t, &bytes));
  return bind_push_bytes(L, bytes);
}

/* core.picture_resize(to, picture, invert): see moon_picture_resize */
static int picture_resize(lua_State *L) {
  moon_tensor *to = bind_check_tensor(L, 1);
  const moon_tensor *picture = bind_check_tensor(L, 2);
  BIND_TRY(L, bind_ctx(L), moon_picture_resize(to, picture, lua_toboolean(L, 3)));
  return 0;
}

/* ---- safetensors ---- */

/* Return what an archive has, or nil, message, code. */
static int return_archive(lua_State *L, moon_status status, moon_archive *archive, size_t before) {
  if (status != MOON_OK) return bind_file_result(L, bind_ctx(L), status);
  bind_push_archive(L, bind_adopt(L, BIND_ARCHIVE, archive));
  bind_weigh_growth(L, bind_ctx(L), before);
  return 3;
}

/* core.safetensors_load(path) -> {name = tensor}, {key = text}, list of the names in the file's order */
static int safetensors_load(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  const char *path = check_path(L, 1);
  size_t before = moon_memory_used(ctx);
  moon_status status;
  moon_archive *archive = NULL;
  BIND_TWICE(L, status, moon_archive_map(ctx, &archive, path));
  return return_archive(L, status, archive, before);
}

/*** moon.safetensors.decode(bytes)
** Read all tensors of a safetensors file in memory.
** @param bytes string
** @return table<string, moonglass.Tensor>? tensors nil if the bytes are not such a file
** @return table<string, string>|string metadata the file's texts; or the message
** @return string[]|moonglass.Code names the tensors' names in the file's order; or the code */
static int safetensors_decode(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  size_t size, before = moon_memory_used(ctx);
  const char *bytes = luaL_checklstring(L, 1, &size);
  moon_status status;
  moon_archive *archive = NULL;
  BIND_TWICE(L, status, moon_archive_decode(ctx, &archive, bytes, size));
  return return_archive(L, status, archive, before);
}

/* core.safetensors_save(path, {name = tensor}, {key = text}) -> true; in the order of the names */
static int safetensors_save(lua_State *L) {
  const char *path = check_path(L, 1);
  lua_settop(L, 3);
  const moon_archive *archive = bind_read_archive(L, "safetensors.save", 2, 3);
  moon_status status;
  BIND_TWICE(L, status, moon_archive_save(archive, path));
  return bind_file_result(L, bind_ctx(L), status);
}

/*** moon.safetensors.encode(tensors, metadata)
** The bytes of the file that `moon.safetensors.save` writes.
** @param tensors table<string, moonglass.Tensor>
** @param metadata table<string, string>?
** @return string bytes */
static int safetensors_encode(lua_State *L) {
  lua_settop(L, 2);
  const moon_archive *archive = bind_read_archive(L, "safetensors.encode", 1, 2);
  moon_tensor *bytes = NULL;
  BIND_TRY(L, bind_ctx(L), moon_archive_encode(archive, &bytes));
  return bind_push_bytes(L, bytes);
}

/* ---- nets ---- */

/* core.load_net(path) -> net, or detector */
static int load_net(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  const char *path = check_path(L, 1);
  size_t before = moon_memory_used(ctx);
  moon_archive *archive = NULL;
  moon_status status;
  BIND_TWICE(L, status, moon_archive_load(ctx, &archive, path));
  if (status != MOON_OK) return bind_file_result(L, ctx, status);
  return bind_load_archive(L, bind_adopt(L, BIND_ARCHIVE, archive), path, before);
}

/* net:save(path) -> true */
static int net_save(lua_State *L) {
  const moon_net *net = bind_check_net(L, 1);
  const char *path = check_path(L, 2);
  moon_status status;
  BIND_TWICE(L, status, moon_net_save(net, path));
  return bind_file_result(L, bind_ctx(L), status);
}

/*** @alias moonglass.Code "I/O"|"format"|"range"|"type" */

static const bind_reg in_memory[] = {
    {"picture_resize", picture_resize, "to, picture, invert"},
    {"png_decode", png_decode, "bytes"},
    {"png_encode", png_encode, "picture"},
    {"safetensors_decode", safetensors_decode, "bytes"},
    {"safetensors_encode", safetensors_encode, "tensors, metadata"},
    {0},
};

static const bind_reg on_disk[] = {
    {"file_kind", file_kind, "path"},
    {"file_access", file_access, "path, in_place"},
    {"folder_list", folder_list, "path"},
    {"picture_kind", picture_kind, "path"},
    {"file_write", file_write, "path, parts"},
    {"file_rotate", file_rotate, "path, keep"},
    {"idx_load", idx_load, "path"},
    {"npy_load", npy_load, "path"},
    {"npy_save", npy_save, "path, tensor"},
    {"png_read", png_read, "path"},
    {"png_write", png_write, "path, picture"},
    {"safetensors_load", safetensors_load, "path"},
    {"safetensors_save", safetensors_save, "path, tensors, metadata"},
    {"load_net", load_net, "path"},
    {0},
};

static const bind_reg net_methods[] = {
    {"save", net_save, "path"},
    {0},
};

void bind_open_files(lua_State *L) {
  bind_functions(L, in_memory);
  if (!bind_has_files(L)) return;
  bind_functions(L, on_disk);
  bind_more_methods(L, BIND_NET, net_methods);
}

/* files.h - the files in the program: the page, the lecture's scripts, the Lua modules. embed.sh makes the table. */
#ifndef PLAYGROUND_FILES_H
#define PLAYGROUND_FILES_H

#include <stddef.h>

typedef struct file {
  const char *name; /* a page's as in its address, "/app.js"; a module's as "moonglass/init.lua" */
  const char *data, *end;
} file;

extern const file files_embedded[];
extern const size_t files_count;

/* The file of exactly this name, or NULL. */
const file *files_find(const char *name);

/* The content type of a page's file. */
const char *files_type(const char *name);

#endif

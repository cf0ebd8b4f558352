/* follow.h - a growing file as a stream: appended bytes, and what replaces the file. */
#ifndef ANOMALY_FOLLOW_H
#define ANOMALY_FOLLOW_H

#include "say.h"

typedef struct follower follower;

/* Begin to follow a file from its start. Failures are told. */
outcome follow_open(follower **out, const char *path);

/* The end of a pipe that has the bytes of the file, and waits for more. It ends when the file is cut off, or when
** another file has its name. */
int follow_stream(const follower *f);

/* After the end of the stream: go on with the file as it is now, from its start, in a new stream. Which of both has
** happened is told. */
outcome follow_again(follower *f);

#endif

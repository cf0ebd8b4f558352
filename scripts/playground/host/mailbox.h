/* mailbox.h - commands for a session, and their answers. The server's threads ask; the session's thread takes a
** command, and answers it. The number of commands is bounded. */
#ifndef PLAYGROUND_MAILBOX_H
#define PLAYGROUND_MAILBOX_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "text.h"

typedef struct letter letter;

typedef struct mailbox {
  pthread_mutex_t lock;
  pthread_cond_t arrived, answered;
  letter *first, *last; /* in the order of their arrival */
  int count;            /* letters in the list */
  long next_id;
  bool closed;
  void (*wake)(void *ud); /* called when a command has come, without the lock */
  void *ud;
  atomic_int waiting; /* not yet taken: read without the lock, after each batch */
} mailbox;

bool mailbox_init(mailbox *m, void (*wake)(void *ud), void *ud);
void mailbox_destroy(mailbox *m);

/* Refuse all further commands, and those that wait for an answer. */
void mailbox_close(mailbox *m);

/* Ask, and wait for the answer. Takes over the command. Returns the HTTP status: 200 or 400 with the session's answer,
** else with an error's words, as {"error": ...}. */
int mailbox_ask(mailbox *m, json_t *command, double seconds, text *answer);

/* For the session's thread: the next command, which is then the caller's. Waits at most so long. NULL: there is
** none. */
json_t *mailbox_take(mailbox *m, double seconds, long *id);

/* Answer it. An answer to a question that is not (or no longer) there is dropped. */
void mailbox_answer(mailbox *m, long id, int status, const text *answer);

#endif

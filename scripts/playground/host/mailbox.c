/* mailbox.c - commands for a session. A letter is a variable of the server's thread that asks; it is in the list as
** long as that thread waits. */
#include "mailbox.h"

#include <string.h>

#include "clock.h"

enum { MOST_LETTERS = 8 };

struct letter {
  long id;
  json_t *command; /* NULL: taken */
  int status;      /* 0: not answered */
  text *answer;
  letter *next;
};

bool mailbox_init(mailbox *m, void (*wake)(void *ud), void *ud) {
  *m = (mailbox){.next_id = 1, .wake = wake, .ud = ud};
  if (pthread_mutex_init(&m->lock, NULL) != 0) return false;
  if (clock_cond_init(&m->arrived)) {
    if (clock_cond_init(&m->answered)) return true;
    pthread_cond_destroy(&m->arrived);
  }
  pthread_mutex_destroy(&m->lock);
  return false;
}

void mailbox_destroy(mailbox *m) {
  pthread_cond_destroy(&m->answered);
  pthread_cond_destroy(&m->arrived);
  pthread_mutex_destroy(&m->lock);
}

void mailbox_close(mailbox *m) {
  pthread_mutex_lock(&m->lock);
  m->closed = true;
  pthread_cond_broadcast(&m->arrived);
  pthread_cond_broadcast(&m->answered);
  pthread_mutex_unlock(&m->lock);
}

static void append(mailbox *m, letter *l) {
  l->id = m->next_id++;
  if (m->last)
    m->last->next = l;
  else
    m->first = l;
  m->last = l;
  m->count++;
  atomic_fetch_add(&m->waiting, 1);
  pthread_cond_signal(&m->arrived);
}

static void take_out(mailbox *m, letter *l) {
  letter **link = &m->first, *before = NULL;
  while (*link != l) before = *link, link = &before->next;
  *link = l->next;
  if (m->last == l) m->last = before;
  m->count--;
  if (l->command) atomic_fetch_sub(&m->waiting, 1);
}

static int refuse(text *answer, int status, const char *words) {
  text_clear(answer, 0);
  text_object(answer, "error", words, strlen(words));
  return status;
}

int mailbox_ask(mailbox *m, json_t *command, double seconds, text *answer) {
  letter mine = {.command = command, .answer = answer};
  uint64_t until = clock_after(seconds);
  pthread_mutex_lock(&m->lock);
  bool full = m->count >= MOST_LETTERS, posted = !full && !m->closed;
  if (posted) {
    append(m, &mine);
    pthread_mutex_unlock(&m->lock);
    m->wake(m->ud);
    pthread_mutex_lock(&m->lock);
    while (!mine.status && !m->closed && clock_wait(&m->answered, &m->lock, until)) continue;
    take_out(m, &mine);
  }
  bool closed = m->closed;
  pthread_mutex_unlock(&m->lock);
  json_decref(mine.command);
  if (mine.status) return mine.status;
  if (closed) return refuse(answer, 401, "the session has ended; load the page again");
  if (full) return refuse(answer, 503, "too many commands wait for an answer; send the next one after it");
  return refuse(answer, 503, "the session is busy and gave no answer in time; try again");
}

json_t *mailbox_take(mailbox *m, double seconds, long *id) {
  uint64_t until = clock_after(seconds);
  json_t *command = NULL;
  pthread_mutex_lock(&m->lock);
  while (seconds > 0 && !atomic_load(&m->waiting) && !m->closed && clock_wait(&m->arrived, &m->lock, until)) continue;
  for (letter *l = m->first; l && !command; l = l->next) {
    if (!l->command) continue;
    command = l->command, *id = l->id;
    l->command = NULL;
    atomic_fetch_sub(&m->waiting, 1);
  }
  pthread_mutex_unlock(&m->lock);
  return command;
}

void mailbox_answer(mailbox *m, long id, int status, const text *answer) {
  pthread_mutex_lock(&m->lock);
  letter *l = m->first;
  while (l && l->id != id) l = l->next;
  if (l && !l->status && !l->command) {
    text_clear(l->answer, 0);
    text_add(l->answer, answer->data, answer->size);
    l->status = status;
    if (l->answer->failed) l->status = refuse(l->answer, 503, "no memory for the answer");
    pthread_cond_broadcast(&m->answered);
  }
  pthread_mutex_unlock(&m->lock);
}

/* link.h - connections between the watches: frames over TCP. */
#ifndef MOONGLASS_LINK_H
#define MOONGLASS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a watch says. */
typedef enum mpi_word {
  WORD_HELLO = 1, /* to rank 0, first: the token, and the host's name as text */
  WORD_WELCOME,   /* its answer */
  WORD_BEAT,      /* I am here, and there is my script */
  WORD_BYE,       /* my script has ended; rank 0 says it when all have */
  WORD_FAIL,      /* to rank 0: my script has failed, with a message */
  WORD_END        /* from rank 0: the run ends now, and the reason has been printed */
} mpi_word;

/* Where the script of a rank is. */
typedef struct mpi_place {
  uint64_t entered, left; /* calls of MPI */
  uint64_t moved;         /* see mpi_progress */
  uint64_t call;          /* mpi_call: the last one entered */
  uint64_t cpu;           /* microseconds that the process has computed, without its watch */
} mpi_place;

/* All hosts have the same byte order, as for MPI's floats. */
typedef struct mpi_frame {
  uint32_t word, size; /* bytes of text that follow */
  int32_t rank, pid;
  uint64_t token;
  mpi_place place;
} mpi_frame;

typedef struct mpi_link {
  int fd; /* -1: none */
  mpi_frame frame;
  char *text;  /* of the frame, with a zero at its end; NULL if it has none */
  size_t have; /* bytes of frame and text that have come */
} mpi_link;

enum { MPI_MOST_TEXT = 1 << 16, MPI_MOST_ADDRESSES = 16 };

/* Where rank 0's watch is; it is broadcast as bytes. */
typedef struct mpi_card {
  uint64_t token;    /* random: strangers on the port do not know it */
  char network[128]; /* the same on ranks that reach each other by 127.0.0.1 */
  char host[64];
  int32_t pid, count; /* addresses; 0: rank 0 cannot listen, and `why` says why */
  char address[MPI_MOST_ADDRESSES][64];
  uint16_t port;
  char why[128];
} mpi_card;

typedef enum mpi_got { GOT_NOTHING, GOT_FRAME, GOT_END } mpi_got;

/* Read what has come, without waiting. After GOT_FRAME the frame and its text are valid until the next call. */
mpi_got mpi_link_read(mpi_link *link);

/* Send a frame and a text. Waits up to `wait` milliseconds for room; false if there is none or the link is down. */
bool mpi_link_write(mpi_link *link, mpi_frame frame, const char *text, int wait);

void mpi_link_close(mpi_link *link);

/* Give the link the descriptor `low`, if there is one. When a process is killed, Linux closes descriptors in ascending
** order. A launcher learns of the end from a socket, too, and kills all others: we must know first to say why. */
void mpi_link_lower(mpi_link *link, int low);

/* Rank 0: listen, and fill the card. Returns a socket, or -1 with card->why. */
int mpi_link_listen(mpi_card *card);

/* Rank 0: accept a rank that knows the token; its first frame is in the link, the host's name in its text. */
bool mpi_link_accept(int listening, const mpi_card *card, int size, mpi_link *link);

/* The others: connect and say hello. False, with the reason in why. */
bool mpi_link_connect(mpi_link *link, const mpi_card *card, int rank, char *why, size_t size);

#endif

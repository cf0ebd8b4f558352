/* launcher.c - does the process that started this rank still live? A launcher that is killed cannot end its ranks. Its
** ranks have another parent then; if programs stand between (a shell, time), the launcher itself is looked for. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "watch.h"

/* Read a process's name, parent and start from /proc; false if there is no such process. */
static bool look(int pid, char *name, int *parent, unsigned long long *born) {
  char path[64], line[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *file = fopen(path, "re");
  if (!file) return false;
  size_t n = fread(line, 1, sizeof line - 1, file);
  fclose(file);
  line[n] = '\0';
  char *open = strchr(line, '('), *close = strrchr(line, ')');
  if (!open || !close || close - open > 64) return false;
  memcpy(name, open + 1, (size_t)(close - open - 1));
  name[close - open - 1] = '\0';
  char state;
  int got = sscanf(close + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &state,
                   parent, born);
  return got == 3 && state != 'Z' && state != 'X';
}

/* The launchers of Open MPI, of MPICH, and of Slurm: what starts the ranks of a host. */
static bool launches(const char *name) {
  static const char *const known[] = {
      "mpirun", "mpirun.openmpi",  "mpiexec",       "mpiexec.openmpi", "orterun",       "orted",     "prterun",
      "prted",  "hydra_pmi_proxy", "mpiexec.hydra", "hydra_bstrap_pr", "mpiexec.mpich", "slurmstepd"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(name, known[i]) == 0) return true;
  return false;
}

mpi_launcher mpi_launcher_find(void) {
  mpi_launcher l = {.parent = getppid()};
  char name[65];
  int parent;
  unsigned long long born;
  for (int pid = l.parent; pid > 1 && look(pid, name, &parent, &born); pid = parent) {
    if (!launches(name)) continue;
    if (pid == l.parent) break;
    l.pid = pid;
    l.born = born;
    break;
  }
  return l;
}

bool mpi_launcher_lives(const mpi_launcher *l) {
  char name[65];
  int parent;
  unsigned long long born;
  if (getppid() != l->parent) return false;
  return !l->pid || (look(l->pid, name, &parent, &born) && born == l->born);
}

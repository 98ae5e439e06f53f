// Preloaded below the farm and the git that it runs: notes which files reached the disk, and as long as they were then. What is
// not noted a loss of power may take (tests/flow/lose_unsynced.py).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void note(const char *line, int length) {
  const char *path = getenv("SYNC_LOG");
  if (path == NULL || length <= 0) return;
  int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (log < 0) return;
  if (write(log, line, (size_t)length) < 0) { /* the test then takes the file for lost, which is allowed */ }
  close(log);
}

static void note_file(int fd) {
  struct stat status;
  char line[128];
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return;
  note(line, snprintf(line, sizeof line, "file %lu %ld %ld%09ld\n", (unsigned long)status.st_ino, (long)status.st_size,
                      (long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec));
}

static void note_all(void) {
  struct timespec now;
  char line[64];
  clock_gettime(CLOCK_REALTIME, &now);
  note(line, snprintf(line, sizeof line, "all %ld%09ld\n", (long)now.tv_sec, now.tv_nsec));
}

// What was written before the call began is on disk after it: noted first, so that what comes between is not taken for safe.
int fsync(int fd) {
  int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
  note_file(fd);
  return next(fd);
}

int fdatasync(int fd) {
  int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  note_file(fd);
  return next(fd);
}

int syncfs(int fd) {
  int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "syncfs");
  note_all();
  return next(fd);
}

void sync(void) {
  void (*next)(void) = (void (*)(void))dlsym(RTLD_NEXT, "sync");
  note_all();
  next();
}

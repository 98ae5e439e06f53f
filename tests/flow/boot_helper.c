// What a distribution's initramfs does before an image of ours takes over, for tests that boot one: loads the modules of the
// kernel that the test brought along (/boot-modules, by name), mounts root=DEVICE when the kernel was told one, and becomes
// /init. Compiled by the test, statically; in no image.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void fail(const char *what) {
  fprintf(stderr, "boot_helper: %s: %s\n", what, strerror(errno));
  sleep(1);
  _exit(1);  // the kernel panics, and with panic=-1 the machine stops
}

static void load_modules(void) {
  struct dirent **names;
  const int count = scandir("/boot-modules", &names, NULL, alphasort);
  for (int i = 0; i < count; ++i) {
    char path[512];
    if (names[i]->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/boot-modules/%s", names[i]->d_name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)) fail(path);
    close(fd);
  }
}

int main(void) {
  static char line[4096];
  mkdir("/proc", 0755);
  mkdir("/dev", 0755);
  if (mount("proc", "/proc", "proc", 0, NULL) != 0) fail("proc");
  load_modules();
  const int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, line, sizeof line - 1) < 0) fail("command line");
  close(fd);
  umount("/proc");
  char *root = strstr(line, "root=/dev/");
  if (root != NULL) {
    root += 5;
    root[strcspn(root, " \n")] = 0;
    mkdir("/new-root", 0755);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    for (int i = 0; i < 100 && access(root, F_OK) != 0; ++i) usleep(100000);
    if (mount(root, "/new-root", "erofs", MS_RDONLY, NULL) != 0) fail(root);
    umount("/dev");
    if (chdir("/new-root") != 0 || mount(".", "/", NULL, MS_MOVE, NULL) != 0 || chroot(".") != 0 || chdir("/") != 0)
      fail("changing the root");
  }
  execl("/init", "/init", (char *)NULL);
  fail("/init");
}

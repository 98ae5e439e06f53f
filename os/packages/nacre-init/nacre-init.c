// The first process of a machine that runs one service: the image's entrypoint. It mounts what the kernel offers, sets up the
// network from the kernel's command line, starts the service as the image's user, buries orphans, passes signals on, and turns
// the machine off when the service has ended. There is no login and no shell.
//
// /etc/nacre/service, written by `nacre image export`, has lines "WORD VALUE":
//   user UID GID | dir PATH | stop SIGNAL | volume PATH | env NAME=VALUE | arg WORD
// The kernel's command line may have nacre.address=192.0.2.5/24 and nacre.gateway=192.0.2.1.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <net/route.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kMaxWords = 512, kMaxBytes = 1 << 20, kSecondsToEnd = 10 };

static char text[kMaxBytes + 1];
static char *arguments[kMaxWords + 1], *environment[kMaxWords + 1], *volumes[kMaxWords];
static int argument_count, environment_count, volume_count;
static const char *folder = "/";
static unsigned uid, gid;
static int stop_signal = SIGTERM;

static void say(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("nacre-init: ", stderr);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  va_end(list);
}

static void turn_off(void) {
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

static void fail(const char *what, const char *which) {
  say("%s '%s': %s", what, which, strerror(errno));
  turn_off();
}

static void mount_at(const char *type, const char *path, unsigned long flags, const char *options) {
  mkdir(path, 0755);  // a folder of an initramfs or of /dev; elsewhere it is there, or the root is read-only
  if (mount(type, path, type, flags, options) != 0 && errno != EBUSY) say("cannot mount %s: %s", path, strerror(errno));
}

static void link_at(const char *target, const char *path) {
  if (symlink(target, path) != 0 && errno != EEXIST) say("cannot make %s: %s", path, strerror(errno));
}

static void mount_all(void) {
  const unsigned long safe = MS_NOSUID | MS_NODEV;
  mount_at("proc", "/proc", safe | MS_NOEXEC, NULL);
  mount_at("sysfs", "/sys", safe | MS_NOEXEC | MS_RDONLY, NULL);
  mount_at("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
  mount_at("tmpfs", "/dev/shm", safe | MS_NOEXEC, "mode=1777");
  mount_at("tmpfs", "/run", safe, "mode=0755");
  mount_at("tmpfs", "/tmp", safe, "mode=1777");
  link_at("/proc/self/fd", "/dev/fd");
  link_at("/proc/self/fd/1", "/dev/stdout");
  link_at("/proc/self/fd/2", "/dev/stderr");
}

// Whatever the kernel gave us: the console, or nothing.
static void open_console(void) {
  const int fd = open("/dev/console", O_RDWR | O_NOCTTY);
  if (fd < 0) return;
  for (int i = 0; i < 3; ++i) dup2(fd, i);
  if (fd > 2) close(fd);
}

// A word of the kernel's command line, or NULL. What it gives stays valid.
static const char *boot_option(const char *name) {
  static char line[4096];
  const int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  const ssize_t size = read(fd, line, sizeof line - 1);
  close(fd);
  line[size > 0 ? size : 0] = 0;
  const size_t length = strlen(name);
  for (char *word = strtok(line, " \n"); word != NULL; word = strtok(NULL, " \n"))
    if (strncmp(word, name, length) == 0 && word[length] == '=') return strdup(word + length + 1);
  return NULL;
}

static void set_address(struct ifreq *request, const char *address) {
  struct sockaddr_in *in = (struct sockaddr_in *)&request->ifr_addr;
  memset(in, 0, sizeof *in);
  in->sin_family = AF_INET;
  if (address != NULL && inet_pton(AF_INET, address, &in->sin_addr) != 1) say("'%s' is no address", address);
}

static void bring_up(int fd, const char *name) {
  struct ifreq request = {0};
  snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
  if (ioctl(fd, SIOCGIFFLAGS, &request) != 0) return;
  request.ifr_flags |= IFF_UP;
  if (ioctl(fd, SIOCSIFFLAGS, &request) != 0) say("cannot bring %s up: %s", name, strerror(errno));
}

// The first network interface that is not the loopback, or NULL.
static const char *first_interface(void) {
  static char found[IFNAMSIZ];
  DIR *all = opendir("/sys/class/net");
  for (struct dirent *entry; all != NULL && (entry = readdir(all)) != NULL;)
    if (entry->d_name[0] != '.' && strcmp(entry->d_name, "lo") != 0 && strlen(entry->d_name) < IFNAMSIZ &&
        (found[0] == 0 || strcmp(entry->d_name, found) < 0))
      strcpy(found, entry->d_name);
  if (all != NULL) closedir(all);
  return found[0] != 0 ? found : NULL;
}

static void set_up_network(void) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  bring_up(fd, "lo");
  char *address = (char *)boot_option("nacre.address");
  const char *gateway = boot_option("nacre.gateway"), *name = first_interface();
  if (address != NULL && name == NULL) say("there is no network interface");
  if (address == NULL || name == NULL) {
    close(fd);
    return;
  }
  char *slash = strchr(address, '/');
  const int bits = slash != NULL ? atoi(slash + 1) : 24;
  if (slash != NULL) *slash = 0;
  struct ifreq request = {0};
  snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
  set_address(&request, address);
  if (ioctl(fd, SIOCSIFADDR, &request) != 0) say("cannot set the address of %s: %s", name, strerror(errno));
  set_address(&request, NULL);
  ((struct sockaddr_in *)&request.ifr_addr)->sin_addr.s_addr =
      htonl(bits <= 0 || bits > 32 ? 0xffffff00u : 0xffffffffu << (32 - bits));
  if (ioctl(fd, SIOCSIFNETMASK, &request) != 0) say("cannot set the mask of %s: %s", name, strerror(errno));
  bring_up(fd, name);
  if (gateway != NULL) {
    struct rtentry route = {0};
    struct sockaddr_in *to = (struct sockaddr_in *)&route.rt_gateway;
    to->sin_family = AF_INET;
    route.rt_dst.sa_family = route.rt_genmask.sa_family = AF_INET;
    route.rt_flags = RTF_UP | RTF_GATEWAY;
    if (inet_pton(AF_INET, gateway, &to->sin_addr) != 1 || ioctl(fd, SIOCADDRT, &route) != 0)
      say("cannot set the gateway '%s'", gateway);
  }
  close(fd);
  say("%s has %s/%d", name, address, bits);
}

static int signal_number(const char *name) {
  static const struct {
    const char *name;
    int number;
  } kKnown[] = {{"HUP", SIGHUP},   {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"KILL", SIGKILL}, {"USR1", SIGUSR1},
                {"USR2", SIGUSR2}, {"TERM", SIGTERM}, {"WINCH", SIGWINCH}, {"PWR", SIGPWR}};
  const int number = atoi(name);
  if (number > 0 && number < 65) return number;
  if (strncmp(name, "SIG", 3) == 0) name += 3;
  for (size_t i = 0; i < sizeof kKnown / sizeof *kKnown; ++i)
    if (strcmp(kKnown[i].name, name) == 0) return kKnown[i].number;
  say("unknown stop signal '%s': TERM is sent", name);
  return SIGTERM;
}

static void add(char **list, int *count, char *value) {
  if (*count == kMaxWords) {
    errno = E2BIG;
    fail("too many lines in", "/etc/nacre/service");
  }
  list[(*count)++] = value;
}

static void read_service(void) {
  const char *path = "/etc/nacre/service";
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("cannot open", path);
  size_t size = 0;
  for (ssize_t more; size < kMaxBytes && (more = read(fd, text + size, kMaxBytes - size)) > 0;) size += (size_t)more;
  close(fd);
  if (size == kMaxBytes) {
    errno = EFBIG;
    fail("cannot read", path);
  }
  for (char *line = text, *next; *line != 0; line = next) {
    next = strchrnul(line, '\n');
    if (*next != 0) *next++ = 0;
    char *value = strchr(line, ' ');
    if (value == NULL) continue;
    *value++ = 0;
    if (strcmp(line, "user") == 0) sscanf(value, "%u %u", &uid, &gid);
    else if (strcmp(line, "dir") == 0) folder = value;
    else if (strcmp(line, "stop") == 0) stop_signal = signal_number(value);
    else if (strcmp(line, "volume") == 0) add(volumes, &volume_count, value);
    else if (strcmp(line, "env") == 0) add(environment, &environment_count, value);
    else if (strcmp(line, "arg") == 0) add(arguments, &argument_count, value);
    else say("unknown word '%s' in %s", line, path);
  }
  if (argument_count == 0) {
    errno = ENOEXEC;
    fail("no program is named in", path);
  }
}

// Volumes are in memory, as the directories beneath them are owned.
static void mount_volumes(void) {
  for (int i = 0; i < volume_count; ++i) {
    struct stat status;
    char options[80];
    if (stat(volumes[i], &status) != 0) {
      say("no directory for the volume '%s'", volumes[i]);
      continue;
    }
    snprintf(options, sizeof options, "mode=%o,uid=%u,gid=%u", status.st_mode & 07777, status.st_uid, status.st_gid);
    mount_at("tmpfs", volumes[i], MS_NOSUID | MS_NODEV, options);
  }
}

static pid_t start_service(const sigset_t *usual) {
  const pid_t child = fork();
  if (child < 0) fail("cannot start", arguments[0]);
  if (child > 0) return child;
  sigprocmask(SIG_SETMASK, usual, NULL);
  setsid();
  // What the service opens as /dev/stdout is the console: it must be able to.
  if (fchown(1, uid, gid) != 0) say("cannot give the console to user %u: %s", uid, strerror(errno));
  if (chdir(folder) != 0) fail("cannot enter", folder);
  if (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0) fail("cannot become the user of", arguments[0]);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  environ = environment;
  execvpe(arguments[0], arguments, environment);
  say("cannot run '%s': %s", arguments[0], strerror(errno));
  _exit(127);
}

static void end_all(void) {
  kill(-1, SIGTERM);
  for (int i = 0; i < kSecondsToEnd * 10; ++i) {
    if (waitpid(-1, NULL, WNOHANG) < 0) return;
    usleep(100000);
  }
  kill(-1, SIGKILL);
}

int main(void) {
  if (getpid() != 1) {
    fputs("nacre-init: only the first process of a machine has a use for this program\n", stderr);
    return 2;
  }
  mount_all();
  open_console();
  set_up_network();
  read_service();
  mount_volumes();

  // Blocked signals wait for sigwaitinfo(), also those that the first process would otherwise never get.
  sigset_t watched, usual;
  sigemptyset(&watched);
  sigaddset(&watched, SIGTERM);
  sigaddset(&watched, SIGINT);
  sigaddset(&watched, SIGPWR);
  sigaddset(&watched, SIGCHLD);
  sigprocmask(SIG_BLOCK, &watched, &usual);
  reboot(RB_DISABLE_CAD);  // Ctrl-Alt-Del becomes SIGINT
  const pid_t service = start_service(&usual);
  say("started %s", arguments[0]);

  for (int ended = 0, status = 0; !ended;) {
    const int number = sigwaitinfo(&watched, NULL);
    if (number > 0 && number != SIGCHLD) kill(service, stop_signal);
    for (pid_t child; !ended && (child = waitpid(-1, &status, WNOHANG)) > 0;) ended = child == service;
    if (!ended) continue;
    if (WIFSIGNALED(status)) say("%s was ended by signal %d", arguments[0], WTERMSIG(status));
    else say("%s ended with %d", arguments[0], WEXITSTATUS(status));
  }
  end_all();
  turn_off();
}

/* Count the calls that change files below one folder, and strike at one of them.
 *
 * Loaded with LD_PRELOAD, so that calls of Python, Arrow and Lance pass through here alike.
 * Modes: 0 off, 1 count, 2 kill before call `at`, 3 kill after it, 4 fail at `at` alone,
 * 5 fail from `at` on where the call takes room on the disk, as a full disk does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char prefix[PATH_MAX];
static volatile int mode = 0;
static volatile long at = 0;
static volatile int with_errno = 0;
static atomic_long count = 0;
#define LONGEST 8192
static char named[LONGEST][24];

void trust_arm(const char *folder, int new_mode, long number, int error) {
    strncpy(prefix, folder, sizeof prefix - 1);
    at = number;
    with_errno = error;
    atomic_store(&count, 0);
    mode = new_mode;
}
long trust_count(void) { return atomic_load(&count); }
const char *trust_name(long number) { return number < LONGEST ? named[number] : "?"; }

static int is_ours(int base, const char *path) {
    char whole[PATH_MAX * 2], link[64], start[PATH_MAX];
    if (!mode || !path) return 0;
    if (path[0] == '/') return !strncmp(path, prefix, strlen(prefix));
    if (base == AT_FDCWD) {
        if (!getcwd(start, sizeof start)) return 0;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", base);
        ssize_t size = readlink(link, start, sizeof start - 1);
        if (size < 0) return 0;
        start[size] = 0;
    }
    snprintf(whole, sizeof whole, "%s/%s", start, path);
    return !strncmp(whole, prefix, strlen(prefix));
}
static int is_our_file(int file) {
    char link[64], path[PATH_MAX];
    if (!mode) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return !strncmp(path, prefix, strlen(prefix));
}
static void die(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}
/* Return the number of this call, or -1 where it is to fail. */
static long before(const char *name, int takes_room) {
    long number = atomic_fetch_add(&count, 1);
    if (mode == 1 && number < LONGEST) strncpy(named[number], name, sizeof named[0] - 1);
    if (mode == 2 && number == at) die();
    int fails = (mode == 4 && number == at) || (mode == 5 && takes_room && number >= at);
    if (fails) {
        errno = with_errno;
        return -1;
    }
    return number;
}
static void after(long number) {
    if (mode == 3 && number == at) die();
}

#define REAL(name) \
    static __typeof__(&name) real = 0; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define STRIKE(kind, result_type, ours, room, failure, call) \
    if (!(ours)) return call; \
    long number = before(kind, room); \
    if (number < 0) return failure; \
    result_type result = call; \
    int kept = errno; \
    after(number); \
    errno = kept; \
    return result

int rename(const char *a, const char *b) {
    REAL(rename);
    STRIKE("rename", int, is_ours(AT_FDCWD, a) || is_ours(AT_FDCWD, b), 0, -1, real(a, b));
}
int renameat(int c, const char *a, int d, const char *b) {
    REAL(renameat);
    STRIKE("rename", int, is_ours(c, a) || is_ours(d, b), 0, -1, real(c, a, d, b));
}
int renameat2(int c, const char *a, int d, const char *b, unsigned int flags) {
    REAL(renameat2);
    STRIKE("rename", int, is_ours(c, a) || is_ours(d, b), 0, -1, real(c, a, d, b, flags));
}
int link(const char *a, const char *b) {
    REAL(link);
    STRIKE("link", int, is_ours(AT_FDCWD, b), 1, -1, real(a, b));
}
int linkat(int c, const char *a, int d, const char *b, int flags) {
    REAL(linkat);
    STRIKE("link", int, is_ours(d, b), 1, -1, real(c, a, d, b, flags));
}
int symlink(const char *a, const char *b) {
    REAL(symlink);
    STRIKE("symlink", int, is_ours(AT_FDCWD, b), 1, -1, real(a, b));
}
int unlink(const char *a) {
    REAL(unlink);
    STRIKE("unlink", int, is_ours(AT_FDCWD, a), 0, -1, real(a));
}
int unlinkat(int c, const char *a, int flags) {
    REAL(unlinkat);
    STRIKE("unlink", int, is_ours(c, a), 0, -1, real(c, a, flags));
}
int rmdir(const char *a) {
    REAL(rmdir);
    STRIKE("rmdir", int, is_ours(AT_FDCWD, a), 0, -1, real(a));
}
int mkdir(const char *a, mode_t m) {
    REAL(mkdir);
    STRIKE("mkdir", int, is_ours(AT_FDCWD, a), 1, -1, real(a, m));
}
int mkdirat(int c, const char *a, mode_t m) {
    REAL(mkdirat);
    STRIKE("mkdir", int, is_ours(c, a), 1, -1, real(c, a, m));
}
int chmod(const char *a, mode_t m) {
    REAL(chmod);
    STRIKE("chmod", int, is_ours(AT_FDCWD, a), 0, -1, real(a, m));
}
int fchmod(int f, mode_t m) {
    REAL(fchmod);
    STRIKE("chmod", int, is_our_file(f), 0, -1, real(f, m));
}
#define OPENS(flags) ((flags) & (O_CREAT | O_TRUNC))
#define MODE_OF(flags) \
    mode_t m = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        m = va_arg(rest, mode_t); \
        va_end(rest); \
    }
int open(const char *a, int flags, ...) {
    MODE_OF(flags)
    REAL(open);
    STRIKE("create", int, OPENS(flags) && is_ours(AT_FDCWD, a), 1, -1, real(a, flags, m));
}
int open64(const char *a, int flags, ...) {
    MODE_OF(flags)
    REAL(open64);
    STRIKE("create", int, OPENS(flags) && is_ours(AT_FDCWD, a), 1, -1, real(a, flags, m));
}
int openat(int c, const char *a, int flags, ...) {
    MODE_OF(flags)
    REAL(openat);
    STRIKE("create", int, OPENS(flags) && is_ours(c, a), 1, -1, real(c, a, flags, m));
}
int openat64(int c, const char *a, int flags, ...) {
    MODE_OF(flags)
    REAL(openat64);
    STRIKE("create", int, OPENS(flags) && is_ours(c, a), 1, -1, real(c, a, flags, m));
}
ssize_t write(int f, const void *data, size_t size) {
    REAL(write);
    STRIKE("write", ssize_t, is_our_file(f), 1, -1, real(f, data, size));
}
ssize_t pwrite(int f, const void *data, size_t size, off_t where) {
    REAL(pwrite);
    STRIKE("write", ssize_t, is_our_file(f), 1, -1, real(f, data, size, where));
}
ssize_t pwrite64(int f, const void *data, size_t size, off64_t where) {
    REAL(pwrite64);
    STRIKE("write", ssize_t, is_our_file(f), 1, -1, real(f, data, size, where));
}
ssize_t writev(int f, const struct iovec *parts, int n) {
    REAL(writev);
    STRIKE("write", ssize_t, is_our_file(f), 1, -1, real(f, parts, n));
}
ssize_t copy_file_range(int f, off64_t *a, int g, off64_t *b, size_t size, unsigned int flags) {
    REAL(copy_file_range);
    STRIKE("write", ssize_t, is_our_file(g), 1, -1, real(f, a, g, b, size, flags));
}
int truncate(const char *a, off_t size) {
    REAL(truncate);
    STRIKE("truncate", int, is_ours(AT_FDCWD, a), 0, -1, real(a, size));
}
int ftruncate(int f, off_t size) {
    REAL(ftruncate);
    STRIKE("truncate", int, is_our_file(f), 0, -1, real(f, size));
}
int ftruncate64(int f, off64_t size) {
    REAL(ftruncate64);
    STRIKE("truncate", int, is_our_file(f), 0, -1, real(f, size));
}
int fsync(int f) {
    REAL(fsync);
    STRIKE("fsync", int, is_our_file(f), 1, -1, real(f));
}
int fdatasync(int f) {
    REAL(fdatasync);
    STRIKE("fsync", int, is_our_file(f), 1, -1, real(f));
}

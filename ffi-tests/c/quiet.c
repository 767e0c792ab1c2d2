/* A whole session leaves the process as it was: nothing printed, no signal handler, descriptor, thread, variable or setting
 * of the process changed. The session is the program kept in ffi-tests/abi/old. quiet PANEL LABELS [closed] */
#define main session_of_its_own
#include "session.c"
#undef main

#include <dirent.h>
#include <fenv.h>
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int entries(const char *folder) {
    DIR *open = opendir(folder);
    int n = 0;
    if (!open) return -1;
    while (readdir(open)) ++n;
    closedir(open);
    return n;
}

struct process {
    struct sigaction actions[65];
    sigset_t blocked;
    char folder[4096], locale[1000], variables[8][1000];
    mode_t mask;
    int descriptors, rounding, exceptions;
    struct rlimit limits[RLIMIT_NLIMITS];
    stack_t stack;
};

extern char **environ;

static void look_at(struct process *now) {
    memset(now, 0, sizeof *now);
    for (int s = 1; s < 65; ++s) sigaction(s, NULL, &now->actions[s]);
    pthread_sigmask(SIG_SETMASK, NULL, &now->blocked);
    sigaltstack(NULL, &now->stack);
    if (!getcwd(now->folder, sizeof now->folder)) exit(3);
    snprintf(now->locale, sizeof now->locale, "%s", setlocale(LC_ALL, NULL));
    now->mask = umask(0);
    umask(now->mask);
    now->descriptors = entries("/proc/self/fd");
    now->rounding = fegetround();
    now->exceptions = fegetexcept();
    for (int i = 0; i < RLIMIT_NLIMITS; ++i) getrlimit((__rlimit_resource_t)i, &now->limits[i]);
    size_t n = 0;
    for (char **variable = environ; *variable; ++variable, n = (n + 1) % 8)
        for (char *c = *variable, *sum = now->variables[n]; *c; ++c) sum[(size_t)(c - *variable) % 1000] ^= *c;
}

#define SAME(part)                                                                   \
    do {                                                                             \
        if (memcmp(&before.part, &after.part, sizeof before.part) != 0) return __LINE__; \
    } while (0)

static struct process before, after;

int main(int argc, char **argv) {
    char one = 0;
    if (argc < 3) return 2;
    if (argc > 3) {
        /* What is opened from here on may get the numbers of standard output and error. */
        close(1);
        close(2);
    }
    setlocale(LC_ALL, "");
    if (chdir(".") != 0 || umask(027) == 027) return 2;
    look_at(&before);
    char *arguments[] = {&one, argv[1], argv[2], NULL};
    if (session_of_its_own(3, arguments) != 0) return 1;
    /* Threads that a handle had may need a moment to end after it was freed. */
    for (int i = 0; entries("/proc/self/task") != 3 && i < 10000; ++i) usleep(1000);
    if (entries("/proc/self/task") != 3) return __LINE__;
    look_at(&after);
    for (int s = 1; s < 65; ++s)
        if (before.actions[s].sa_handler != after.actions[s].sa_handler) return __LINE__;
    SAME(blocked);
    SAME(stack);
    SAME(folder);
    SAME(locale);
    SAME(variables);
    SAME(mask);
    SAME(descriptors);
    SAME(rounding);
    SAME(exceptions);
    SAME(limits);
    return 0;
}

// Preloaded into a sidecar: its disk is full while the file that FULL_DISK names exists.
//
// A small file system that is really full does not do: the store goes on in the pages that it
// has freed, for as long as they last. That case is tested where the store is alone.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

typedef ssize_t (*writer)(int, const void *, size_t, off64_t);

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
    const char *mark = getenv("FULL_DISK");
    if (mark != NULL && access(mark, F_OK) == 0) {
        errno = ENOSPC;
        return -1;
    }
    writer next = (writer)dlsym(RTLD_NEXT, "pwrite64");
    return next(file, bytes, count, offset);
}

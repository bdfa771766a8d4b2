/* standard_descriptors.c - see standard_descriptors.h. No state. */
#include "standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

unsigned standard_descriptors_fill(void)
{
    unsigned filled = 0;
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* The lowest free number; opened the other way round, so that a lost result is an error. */
        int opened = open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY));
        if (opened == fd)
            filled |= 1u << fd;
        else if (opened >= 0)
            (void)close(opened); /* another thread was faster */
    }
    return filled;
}

void standard_descriptors_clear(unsigned filled)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if ((filled & 1u << fd) != 0)
            (void)close(fd);
}

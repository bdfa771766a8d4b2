/* cmd_worker.c - `modelhost worker`: the child process of a host. Not for people: the host starts it with a
 * socket as descriptor 3 and tells it there what to do (host/workers/worker_server.h). */
#include "modelhost_commands.h"
#include "worker_process.h"
#include "worker_server.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

const char cmd_worker_help[] =
    "usage: modelhost worker\n\n"
    "The process in which a host runs a plugin apart from itself (isolation \"worker\"). A host starts\n"
    "it, with a socket as descriptor 3, and it ends with that host. It is of no use by hand.\n";

static bool is_socket(int fd)
{
    struct stat file;
    return fstat(fd, &file) == 0 && S_ISSOCK(file.st_mode);
}

int cmd_worker(int argc, char **argv)
{
    if (argc != 1 || !is_socket(WORKER_CHILD_SOCKET))
        return command_usage(argv[0], "is started by a host, with a socket as descriptor %d",
                             WORKER_CHILD_SOCKET);
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* what a plugin prints is not lost in a crash */
    return worker_server_run(WORKER_CHILD_SOCKET, _exit);
}

/* worker_server.h - the other side of worker_slot.h: what runs in a worker process.
 *
 * The main thread reads the socket, and ends the process when the host has gone, whatever the others are
 * doing. The package is opened on a thread of its own; each instance has one, too (served_instance.h). */
#ifndef WORKER_SERVER_H
#define WORKER_SERVER_H

/* Serves until the host says goodbye, and returns 0. When the host has gone it calls end_at_once(code), which
 * ends the process without waiting for anything (_exit()): other threads may be anywhere. Once in a process.
 * [main-thread] */
int worker_server_run(int socket, void (*end_at_once)(int code));

#endif

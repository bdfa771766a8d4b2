/* worker_environment.h - which of the host's environment variables a worker process is given.
 *
 * A plugin can read its process's environment, and an application's holds tokens and addresses. So the
 * worker gets what its libraries need, by a list, and nothing else. */
#ifndef WORKER_ENVIRONMENT_H
#define WORKER_ENVIRONMENT_H

/* The entries of `from` that are on the list, and `own` (NULL: none) instead of any of its name, in a new array that ends
 * with NULL. The array is freed with free(); its entries stay those of the caller. NULL: no memory. [any-thread] */
char **worker_environment_make(char *const *from, const char *own);

#endif

/* errors.h - error sentences and what statuses mean to a command.
 *
 * Every function of this project that can fail returns a model_status and writes one sentence into a
 * struct model_error that its caller owns; `err` may be NULL where the caller does not care. Nothing is
 * written behind the struct_size that the caller has set: it may have been compiled with another version. (0 counts as the
 * whole struct.) */
#ifndef ERRORS_H
#define ERRORS_H

#include "modelhost.h"

/* A struct model_error ready for use. */
#define MODEL_ERROR_INIT                                                                           \
    {                                                                                              \
        .struct_size = sizeof(struct model_error)                                                  \
    }

/* The same for one on the way of every call: its kilobyte is not cleared. */
static inline void error_init(struct model_error *err)
{
    err->struct_size = sizeof *err;
    err->message[0] = '\0';
}

/* Writes the sentence (cut at a character's boundary when it is too long) and returns `status`, so
 * that a failing line reads `return error_set(err, MODEL_CORRUPT, "...", ...)`. */
model_status error_set(struct model_error *err, model_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a failed system call: adds ": " and the text of `errnum`, and what to do when that is the
 * same everywhere: a limit of open files or of file sizes. Returns MODEL_NOT_FOUND for
 * ENOENT and ENOTDIR, MODEL_OUT_OF_MEMORY for ENOMEM, else MODEL_IO. */
model_status error_set_errno(struct model_error *err, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The error number in the sentence of err, when error_set_errno() wrote it in this thread and nothing was
 * written into an err since, but by error_prefix(); else 0. So a caller far above can tell a full disk. */
int error_cause(const struct model_error *err);

/* The sentence for a failed allocation of `what`. */
model_status error_no_memory(struct model_error *err, const char *what);

/* Puts "prefix: " before the sentence that is there. */
void error_prefix(struct model_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "; advice" behind the sentence that is there: what to do next, known to the caller alone. After
 * a question mark a space does. What does not fit shortens the sentence, not the advice. Where
 * error_set_errno() said what to do, there is nothing to add. */
void error_advise(struct model_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "deadline", "not_found", ...: stable words for JSON, logs and metrics. */
const char *status_name(model_status status);

/* The exit code of a command that ends with this status: 0 ok, 1 failure, 3 not found, 4 not
 * authorised, 5 network, 6 rate-limited, 7 integrity, 8 disk or permission, 9 offline and incomplete,
 * 10 busy, 124 deadline, 130 interrupted. (2, usage, is a command's own.) */
int status_exit_code(model_status status);

#endif

/* files.h - reading, writing and naming files. Paths are UTF-8 (bytes, on Linux); what these
 * functions return is freed with free(). [any-thread] */
#ifndef FILES_H
#define FILES_H

#include "buffer.h"

#include <stdbool.h>

/* Appends the whole file. Over max_bytes: MODEL_CORRUPT, naming the file, its size and the limit.
 * Not a regular file (a folder, a pipe): MODEL_INVALID_ARGUMENT. */
model_status file_read(const char *path, size_t max_bytes, struct buffer *ret,
                       struct model_error *err);

/* Why the word of an open file is not taken: "it may be written to by others"; NULL: it is a regular file of this user
 * or of root that nobody else may write to. */
const char *file_distrust(int fd);
/* As file_read(), of a file whose word is taken: MODEL_CORRUPT with the reason for one that is not to be trusted, or a
 * symbolic link. */
model_status file_read_trusted(const char *path, size_t max_bytes, struct buffer *ret,
                               struct model_error *err);

/* Writes beside the target, fsyncs, renames, fsyncs the folder: readers see the old or the new
 * content, nothing else, also after a power cut. Nothing is left behind on failure. A symbolic link
 * is followed and stays: the file behind it is replaced. What is there and is not a regular file (a
 * device, a pipe, a folder, also behind a link): MODEL_INVALID_ARGUMENT. */
model_status file_write_atomic(const char *path, const void *data, size_t size_bytes,
                               struct model_error *err);

/* The same where a link is nobody's wish, as in a folder that others may write to: one at path is replaced itself, and
 * what it led to stays. */
model_status file_replace_atomic(const char *path, const void *data, size_t size_bytes,
                                 struct model_error *err);

/* The same as file_write_atomic() for content that lies in several pieces, written one behind the other. */
struct file_piece {
    const void *data;
    size_t size_bytes;
};

model_status file_write_pieces(const char *path, const struct file_piece *pieces, size_t n_pieces,
                               struct model_error *err);

/* The same for content that is made while it is written: make() hands it over piece by piece with
 * file_out_write(); when it fails, there is no file. Removes what killed processes left beside it (scratch.h). */
struct file_out;
typedef model_status file_make_fn(void *context, struct file_out *out, struct model_error *err);

model_status file_write_made(const char *path, file_make_fn *make, void *context,
                             struct model_error *err);
model_status file_out_write(struct file_out *out, const void *data, size_t size_bytes,
                            struct model_error *err);
/* Its permissions, whatever the umask is. */
model_status file_out_set_mode(struct file_out *out, unsigned mode, struct model_error *err);

/* For who replaces a file by a rename of their own: what is at path must be a regular file, or nothing yet, else
 * MODEL_INVALID_ARGUMENT. *ret_resolved is the path behind a link, and stays as it is when path itself is to be
 * written. */
model_status file_check_target(const char *path, char **ret_resolved, struct model_error *err);

/* Exactly so many bytes from there on; MODEL_CORRUPT when the file ends before. `path` names it. */
model_status file_read_at(int fd, const char *path, void *data, uint64_t size_bytes,
                          uint64_t offset, struct model_error *err);
/* All of them, where the file stands. */
model_status file_write_all(int fd, const char *path, const void *data, size_t size_bytes,
                            struct model_error *err);

/* fsync of a folder, so that a rename or a new file in it lasts. */
model_status dir_sync(const char *path, struct model_error *err);
/* The same with the folder that path is in. */
model_status dir_sync_parent(const char *path, struct model_error *err);
/* mkdir -p. */
model_status dir_make_all(const char *path, struct model_error *err);
/* The same; the last folder, where it is missing, is its owner's alone, whatever the umask is. */
model_status dir_make_private(const char *path, struct model_error *err);
/* rm -r (folders.c); does not follow symbolic links below the path, also when somebody swaps a folder for one
 * meanwhile; what is not there is fine. */
model_status dir_remove_all(const char *path, struct model_error *err);
/* The same of a name in an open folder; `path` names it in errors. */
model_status dir_remove_at(int folder_fd, const char *name, const char *path,
                           struct model_error *err);

/* The names in a folder, sorted by bytes, without "." and "..". */
struct dir_list {
    char **names; /* (n_names) */
    size_t n_names;
};

model_status dir_read(const char *path, struct dir_list *ret, struct model_error *err);
/* The same of an open folder, which stays open; `path` names it in errors. */
model_status dir_read_at(int fd, const char *path, struct dir_list *ret, struct model_error *err);
void dir_list_finish(struct dir_list *list);

bool path_is_dir(const char *path);
bool path_is_file(const char *path);

/* "a/b" from "a" and "b"; NULL when there is no memory. */
char *path_join(const char *folder, const char *name);
/* The part after the last '/'. Points into path. */
const char *path_base(const char *path);

/* Whether a path from outside may be used below a folder of ours: relative, '/' between parts, no
 * empty, "." or ".." part, no backslash, colon, control character, mark of direction (utf8_control_bytes()) or invalid
 * UTF-8, no part over 255 and nothing over 1,024 bytes. */
bool path_is_safe(const char *path);

#endif

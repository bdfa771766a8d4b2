/* human_text.h - sizes and durations for people. Pure. [any-thread] */
#ifndef HUMAN_TEXT_H
#define HUMAN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUMAN_TEXT_BYTES 24

/* "999 B", "1.2 kB", "440 MB": powers of 1000, three digits. Writes into text and returns it. */
const char *human_size(uint64_t size_bytes, char text[HUMAN_TEXT_BYTES]);

/* Reads "500", "500k", "20M", "1.5G", "2T": powers of 1000, from 1 to 10^15. False: it is none. */
bool human_size_read(const char *text, uint64_t *ret);

/* "0:07", "12:34", "1:02:03"; "--:--" for a negative number. */
const char *human_duration(int64_t seconds, char text[HUMAN_TEXT_BYTES]);

/* One line of progress: "3/12 files  120 MB of 440 MB  27%  35.1 MB/s  0:09 left  model.safetensors",
 * cut to `columns`. rate 0: not known yet. */
struct progress_state {
    const char *name; /* of the file under way; shown as far as there is room */
    size_t file, n_files;
    uint64_t done_bytes, total_bytes;
    uint64_t rate_bytes_per_s;
};

void progress_line(const struct progress_state *state, size_t columns, char *ret, size_t ret_bytes);

#endif

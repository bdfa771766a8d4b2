/* check_record.h - what a check's process tells its parent, line by line over a pipe:
 *
 *   S<step>                what it is about to do
 *   P<phase>               which function of the plugin it calls for that: "run()"; "" when it is back
 *   V<verdict> <reason>    "Vpassed 1,000 rounds, no growth": the last line
 *
 * The process has run a plugin's code, so what it wrote is read as hostile: lines that are none of these
 * are skipped, text is cut and made printable, and without a verdict there is none. [any-thread] */
#ifndef CHECK_RECORD_H
#define CHECK_RECORD_H

#include "check.h"

#define CHECK_STEP_BYTES 240

struct check_record {
    bool has_verdict;
    enum check_verdict verdict;
    char reason[CHECK_REASON_BYTES];
    char step[CHECK_STEP_BYTES]; /* the last one; "" when there was none */
    char phase[40];              /* the last one; "": not in the plugin */
};

/* Writes a whole line or nothing useful: a parent that is gone is nobody to tell. */
void check_record_write(int fd, char kind, const char *text);
/* Reads all that came. Always fills in *ret. */
void check_record_read(const char *bytes, size_t size_bytes, struct check_record *ret);

#endif

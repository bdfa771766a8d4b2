/* check_record.h - what a check's process tells its parent, line by line over a pipe:
 *
 *   S<step>                what it is about to do
 *   P<phase>               which function of the plugin it calls for that: "run()"; "" when it is back
 *   V<token> <verdict> <reason>    "V5f...e1 passed 1,000 rounds, no growth": the verdict
 *   V<token> cannot <reason>       nothing can be checked here, which is not the plugin's fault
 *   Vfailed <reason>               the only verdict that needs no token
 *
 * The process has run a plugin's code, which can write to the pipe as well, so what came is read as hostile.
 * The token is random, and given to the process before it opens the plugin: who does not know it can only
 * fail. A verdict without it, or one from inside of the plugin (a phase is open), is a failure. Lines that are
 * none of these are skipped, text is cut and made printable, and without a verdict there is none.
 *
 * The token lies in the memory of the process, where code that looks for it finds it: this tells a plugin that
 * writes verdicts, not one that takes the process apart. [any-thread] */
#ifndef CHECK_RECORD_H
#define CHECK_RECORD_H

#include "check.h"

#define CHECK_STEP_BYTES   240
#define CHECK_TOKEN_BYTES  33 /* 32 digits and the end */
#define CHECK_TOKEN_DIGITS (CHECK_TOKEN_BYTES - 1)

#define CHECK_RECORD_KINDS        3
#define CHECK_RECORD_KIND_LETTERS "SPV"

struct check_record {
    bool has_verdict;
    bool cannot; /* with `reason`, and without a verdict */
    enum check_verdict verdict;
    char reason[CHECK_REASON_BYTES];
    char step[CHECK_STEP_BYTES]; /* the last one; "" when there was none */
    char phase[40];              /* the last one; "": not in the plugin */
};

/* Writes a whole line or nothing useful: a parent that is gone is nobody to tell. */
void check_record_write(int fd, char kind, const char *text);
/* That nothing can be checked, with the process's token. */
void check_record_give_up(int fd, const char *token, const char *reason);
/* The verdict, with the process's token. */
void check_record_conclude(int fd, const char *token, enum check_verdict verdict,
                           const char *reason);
/* Reads all that came from a process with this token (NULL: one that may give no verdict but a failure).
 * Always fills in *ret. */
void check_record_read(const char *bytes, size_t size_bytes, const char *token,
                       struct check_record *ret);

#endif

/* hidden_arguments.h - secrets given on the command line, out of the sight of `ps`. Main thread, at the start of
 * main(). */
#ifndef HIDDEN_ARGUMENTS_H
#define HIDDEN_ARGUMENTS_H

/* For each --option VALUE and --option=VALUE, abbreviated or not: argv[] points to a copy from now on, which lives
 * as long as the process, and the value's own bytes, which other users read in /proc/PID/cmdline, become stars.
 * Until here they could be seen; a file or the environment keeps a secret better. */
void hidden_arguments_take(const char *option, int argc, char **argv);

#endif

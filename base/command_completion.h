/* command_completion.h - what makes a shell complete the command lines of a program. A part of command.h. */
#ifndef COMMAND_COMPLETION_H
#define COMMAND_COMPLETION_H

#include "buffer.h"
#include "command.h"

/* `PROGRAM completion bash|zsh`: prints the script. `completion options`: what it is made of, a line for each
 * option: command, --name, -letter or -, what its help calls the value or - when it takes none, and whether the help
 * names it ("yes", "no"), with tabs between. The exit code. */
int command_completion(const struct program *program, int argc, char **argv);
extern const char command_completion_help[];

/* The scripts, written by command_scripts.c. */
enum completion_kind {
    COMPLETE_FILES = 1 << 0,
    COMPLETE_FOLDERS = 1 << 1,
    COMPLETE_PACKAGES = 1 << 2, /* ids of the store */
};

struct completion_option {
    const char *name;
    char letter; /* 0: none */
    bool has_value, in_help;
    char value[24];    /* what the help calls it; "" when it has none */
    char what[80];     /* the beginning of what the help says */
    unsigned kinds;    /* of the value */
    const char *words; /* of the value: "f32 f16 bf16"; NULL: any */
};

struct completion_command {
    const struct command *command;
    struct completion_option options[COMMAND_MAX_OPTIONS];
    size_t n_options;
    unsigned kinds;  /* of its arguments */
    char words[100]; /* arguments that stand for themselves: "list clear" */
};

/* Appends the beginning, for each command one part, and the end. */
struct completion_script {
    void (*begin)(const struct program *program, struct buffer *out);
    void (*command)(const struct program *program, const struct completion_command *command,
                    struct buffer *out);
    void (*end)(const struct program *program, struct buffer *out);
};

extern const struct completion_script completion_bash, completion_zsh;

#endif

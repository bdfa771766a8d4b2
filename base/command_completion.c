/* command_completion.c - see command_completion.h.
 *
 * Options are those of the table that a command really reads: each command is run without arguments up to where it
 * asks for its options, and told to go home. What values and arguments are is read from its help: the word behind an
 * option, and the words of the "usage" lines. So there is no list of options beside those two. Main thread only. */
#include "command_completion.h"
#include "command_listing.h"
#include "errors.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SCRIPT_BYTES ((size_t)1 << 20)

const char command_completion_help[] =
    "completion bash|zsh\n\n"
    "Prints a script that makes the shell complete commands, options, files and the packages of the\n"
    "store. `make install` puts it where shells look; by hand: eval \"$(pkgmgr completion bash)\", or\n"
    "the same with zsh after compinit.\n";

/* ---- what words of the help stand for */

static unsigned kinds_of(const char *word, size_t n)
{
    static const struct {
        const char *word;
        unsigned kinds;
    } rows[] = {
        {"FILE", COMPLETE_FILES},
        {"F", COMPLETE_FILES},
        {"FILE.mhp", COMPLETE_FILES},
        {"PLUGIN.so", COMPLETE_FILES},
        {"PATH", COMPLETE_FILES},
        {"OUT", COMPLETE_FILES},
        {"SHA|FILE", COMPLETE_FILES},
        {"DIR", COMPLETE_FOLDERS},
        {"DIRS", COMPLETE_FOLDERS},
        {"STORE", COMPLETE_FOLDERS},
        {"P", COMPLETE_FOLDERS},
        {"ID", COMPLETE_PACKAGES},
        {"PKG", COMPLETE_PACKAGES | COMPLETE_FILES},
        {"WEIGHTS", COMPLETE_PACKAGES | COMPLETE_FILES},
        {"IN", COMPLETE_PACKAGES | COMPLETE_FILES},
        {"A", COMPLETE_PACKAGES | COMPLETE_FILES},
        {"B", COMPLETE_PACKAGES | COMPLETE_FILES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strlen(rows[i].word) == n && strncmp(rows[i].word, word, n) == 0)
            return rows[i].kinds;
    return 0;
}

/* ---- an option in the help: "  -o, --output FILE  what it is" */

/* Where the name stands as an option at the beginning of a line, NULL: nowhere. */
static const char *find_option(const char *line, const char *name)
{
    const size_t n = strlen(name), n_line = strcspn(line, "\n");
    const char *at = line + strspn(line, " ");
    if (*at != '-')
        return NULL;
    for (const char *end = line + n_line; at + 2 + n <= end; at++) {
        if (at[0] == ' ' && at[1] == ' ')
            return NULL; /* what it is begins */
        if (strncmp(at, "--", 2) == 0 && strncmp(at + 2, name, n) == 0 &&
            strchr(" ,\n", at[2 + n]) != NULL)
            return at + 2 + n;
    }
    return NULL;
}

static void copy_text(char *ret, size_t ret_bytes, const char *text, size_t n)
{
    (void)snprintf(ret, ret_bytes, "%.*s", (int)n, text);
}

static void read_option(const char *help, struct completion_option *option)
{
    const char *at = NULL;
    for (const char *line = help; line != NULL && at == NULL;) {
        at = find_option(line, option->name);
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    option->in_help = at != NULL;
    if (at == NULL)
        return;
    if (option->has_value && *at == ' ' && at[1] != ' ')
        copy_text(option->value, sizeof option->value, at + 1, strcspn(at + 1, " ,\n"));
    const char *gap = strstr(at, "  ");
    if (gap != NULL && gap < at + strcspn(at, "\n")) {
        gap += strspn(gap, " ");
        copy_text(option->what, sizeof option->what, gap, strcspn(gap, "\n:;("));
    }
    option->kinds = option->has_value ? kinds_of(option->value, strlen(option->value)) : 0;
}

/* ---- the arguments, by the "usage" lines: "usage: modelhost config check FILE [--json]" */

static bool is_literal(const char *word, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!islower((unsigned char)word[i]))
            return false;
    return n > 0;
}

static void add_word(struct completion_command *command, const char *word, size_t n)
{
    const size_t used = strlen(command->words);
    char one[40];
    (void)snprintf(one, sizeof one, "%.*s", (int)n, word);
    if (strstr(command->words, one) == NULL)
        (void)snprintf(command->words + used, sizeof command->words - used, "%s%s",
                       used > 0 ? " " : "", one);
}

/* "[ID[@REVISION]]...", "DIR|STORE", "[NAME=]PKG..." */
static void read_argument(struct completion_command *command, const char *text, size_t n)
{
    for (size_t at = 0; at < n;) {
        at += strspn(text + at, "[]|@=");
        size_t length = strcspn(text + at, "[]|@= \n");
        length = at + length > n ? n - at : length;
        size_t bare = length;
        while (bare > 0 && text[at + bare - 1] == '.')
            bare--;
        if (is_literal(text + at, bare))
            add_word(command, text + at, bare);
        command->kinds |= kinds_of(text + at, bare);
        at += length + (length == 0);
    }
}

/* A line behind "<program> <command>". */
static void read_usage_line(struct completion_command *command, const char *at)
{
    bool is_value = false;
    while (*at == ' ' && strncmp(at, "   ", 3) != 0) {
        at += strspn(at, " ");
        const size_t n = strcspn(at, " \n");
        const bool is_option = at[strspn(at, "[")] == '-';
        if (!is_option && !is_value && strncmp(at, "[OPTION", 7) != 0)
            read_argument(command, at, n);
        is_value = is_option && at[n - 1] != ']';
        at += n;
    }
}

static void read_arguments(const struct program *program, struct completion_command *command)
{
    char begin[80];
    const char *help = command->command->help;
    const int n = snprintf(begin, sizeof begin, "%s %s ", program->name, command->command->name);
    for (const char *line = help; line != NULL && *line != '\n';) {
        const char *at = line + strspn(line, " ");
        at += strncmp(at, "usage: ", 7) == 0 ? 7 : 0;
        if (strncmp(at, begin, (size_t)n) == 0)
            read_usage_line(command, at + n - 1);
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
}

/* ---- a command */

static void take_options(void *context, const char *letters, const struct option *options)
{
    struct completion_command *command = context;
    for (const struct option *o = options; o->name != NULL; o++) {
        struct completion_option *option = &command->options[command->n_options++];
        *option = (struct completion_option){
            .name = o->name,
            .letter =
                (char)(o->val > ' ' && o->val < 127 && strchr(letters, o->val) != NULL ? o->val
                                                                                       : 0),
            .has_value = o->has_arg == required_argument};
    }
}

/* What no help names is not for people. */
static void drop_hidden(struct completion_command *command)
{
    size_t n = 0;
    for (size_t i = 0; i < command->n_options; i++)
        if (command->options[i].in_help)
            command->options[n++] = command->options[i];
    command->n_options = n;
}

static void read_command(const struct program *program, const struct command *from,
                         struct completion_command *ret)
{
    *ret = (struct completion_command){.command = from};
    command_list_options(from, take_options, ret);
    read_arguments(program, ret);
    for (size_t i = 0; i < ret->n_options; i++) {
        struct completion_option *option = &ret->options[i];
        read_option(from->help, option);
        for (const struct command_choice *c = program->choices; c != NULL && c->option != NULL; c++)
            if (strcmp(c->option, option->name) == 0)
                option->words = c->words;
    }
}

static void print_options(const struct program *program, const struct completion_command *command,
                          struct buffer *out)
{
    (void)program;
    for (size_t i = 0; i < command->n_options; i++) {
        const struct completion_option *option = &command->options[i];
        (void)buffer_printf(out, "%s\t--%s\t-%.1s\t%s\t%s\n", command->command->name, option->name,
                            &option->letter,
                            !option->has_value         ? "-"
                            : option->value[0] != '\0' ? option->value
                                                       : "?",
                            option->in_help ? "yes" : "no");
    }
}

int command_completion(const struct program *program, int argc, char **argv)
{
    static const struct {
        const char *name;
        struct completion_script script;
    } options = {"options", {NULL, print_options, NULL}};
    static struct completion_command command; /* too large for a stack */
    const struct completion_script *script = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer text = BUFFER_INIT(MAX_SCRIPT_BYTES);
    const char *word = argc == 2 ? argv[1] : "";
    if (strcmp(word, "bash") == 0)
        script = &completion_bash;
    else if (strcmp(word, "zsh") == 0)
        script = &completion_zsh;
    else if (strcmp(word, options.name) == 0)
        script = &options.script;
    else
        return command_usage("completion", "want bash or zsh");
    if (script->begin != NULL)
        script->begin(program, &text);
    for (const struct command *c = program->commands; c->name != NULL; c++) {
        if (c->summary == NULL)
            continue;
        read_command(program, c, &command);
        if (script != &options.script)
            drop_hidden(&command);
        script->command(program, &command, &text);
    }
    if (script->end != NULL)
        script->end(program, &text);
    char *all = buffer_take(&text);
    model_status status =
        all != NULL ? command_print(all, &err) : error_no_memory(&err, "the script");
    free(all);
    buffer_finish(&text);
    return status == MODEL_OK ? 0 : command_fail(status, &err);
}

/* command_scripts.c - the text of the scripts of command_completion.h. Ids come from `pkgmgr list` when they are asked for;
 * nothing that it prints is taken for shell code. Main thread only. */
#include "command_completion.h"

#include <stdio.h>
#include <string.h>

/* ---- bash, from 3.2 on */

static void print_names(const struct program *program, struct buffer *out)
{
    for (const struct command *c = program->commands; c->name != NULL; c++)
        if (c->summary != NULL)
            (void)buffer_printf(out, "%s ", c->name);
    (void)buffer_printf(out, "help completion");
}

static void begin_bash(const struct program *program, struct buffer *out)
{
    const char *name = program->name;
    (void)buffer_printf(out, "# bash completion of %s; `%s completion bash` prints it.\n", name,
                        name);
    (void)buffer_printf(
        out,
        "_%s_lines() { # CURRENT: of the lines on standard input, those that begin so\n"
        "    local line\n"
        "    while IFS= read -r line; do\n"
        "        case $line in \"$1\"*) COMPREPLY+=(\"$line\") ;; esac\n"
        "    done\n"
        "}\n"
        "_%s_words() { # CURRENT WORD...\n"
        "    local current=$1\n"
        "    shift\n"
        "    [ $# -eq 0 ] || _%s_lines \"$current\" < <(printf '%%s\\n' \"$@\")\n"
        "}\n",
        name, name, name);
    (void)buffer_printf(
        out,
        "_%s_kinds() { # CURRENT KIND...\n"
        "    local current=$1 kind\n"
        "    shift\n"
        "    for kind; do\n"
        "        case $kind in\n"
        "        files) compopt -o filenames 2>/dev/null; _%s_lines '' < <(compgen -f -- "
        "\"$current\") ;;\n"
        "        folders) compopt -o filenames 2>/dev/null; _%s_lines '' < <(compgen -d -- "
        "\"$current\") ;;\n"
        "        packages) _%s_lines \"$current\" < <(pkgmgr list ${store[@]+\"${store[@]}\"} "
        "2>/dev/null | sed -e 1d -e 's/ .*//' | sort -u) ;;\n"
        "        esac\n"
        "    done\n"
        "}\n",
        name, name, name, name);
    (void)buffer_printf(
        out,
        "_%s() {\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} i\n"
        "    local command= options= valued= kinds= words= value_kinds= value_words= store=()\n"
        "    COMPREPLY=()\n"
        "    # --name=value comes as three words\n"
        "    if [ \"$current\" = = ]; then\n"
        "        current=\n"
        "    elif [ \"$previous\" = = ]; then\n"
        "        previous=${COMP_WORDS[COMP_CWORD - 2]}\n"
        "    fi\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        case ${COMP_WORDS[i]} in\n"
        "        --store) store=(--store \"${COMP_WORDS[i + 1]}\")\n"
        "            [ \"${COMP_WORDS[i + 1]}\" != = ] || store[1]=${COMP_WORDS[i + 2]} ;;\n"
        "        -* | =) ;;\n"
        "        *) [ -n \"$command\" ] || command=${COMP_WORDS[i]} ;;\n"
        "        esac\n"
        "    done\n"
        "    case $command in\n"
        "    '') _%s_words \"$current\" ",
        name, name);
    print_names(program, out);
    (void)buffer_printf(out, " --help --version; return ;;\n    help) _%s_words \"$current\" ",
                        name);
    print_names(program, out);
    (void)buffer_printf(
        out, "; return ;;\n    completion) _%s_words \"$current\" bash zsh; return ;;\n", name);
}

static void print_kinds(unsigned kinds, struct buffer *out)
{
    static const char *const names[] = {"files", "folders", "packages"};
    const char *gap = "";
    for (unsigned i = 0; i < 3; i++)
        if ((kinds & 1u << i) != 0) {
            (void)buffer_printf(out, "%s%s", gap, names[i]);
            gap = " ";
        }
}

/* "--output" or "-o | --output" */
static void print_pattern(const struct completion_option *option, struct buffer *out)
{
    if (option->letter != 0)
        (void)buffer_printf(out, "-%c | ", option->letter);
    (void)buffer_printf(out, "--%s", option->name);
}

static void command_bash(const struct program *program, const struct completion_command *command,
                         struct buffer *out)
{
    (void)program;
    (void)buffer_printf(out, "    %s)\n        options='", command->command->name);
    for (size_t i = 0; i < command->n_options; i++)
        (void)buffer_printf(out, "--%s ", command->options[i].name);
    (void)buffer_printf(out, "--help' kinds='");
    print_kinds(command->kinds, out);
    (void)buffer_printf(out, "' words='%s'\n        case $previous in\n", command->words);
    for (size_t i = 0; i < command->n_options; i++) {
        const struct completion_option *option = &command->options[i];
        if (!option->has_value)
            continue;
        (void)buffer_printf(out, "        ");
        print_pattern(option, out);
        (void)buffer_printf(out, ") valued=1 value_kinds='");
        print_kinds(option->kinds, out);
        (void)buffer_printf(out, "' value_words='%s' ;;\n",
                            option->words != NULL ? option->words : "");
    }
    (void)buffer_printf(out, "        esac ;;\n");
}

/* The lists are words without anything that a shell would expand. */
static void end_bash(const struct program *program, struct buffer *out)
{
    const char *name = program->name;
    (void)buffer_printf(out,
                        "    *) return ;;\n"
                        "    esac\n"
                        "    local IFS=' '\n"
                        "    if [ -n \"$valued\" ]; then\n"
                        "        _%s_words \"$current\" $value_words\n"
                        "        _%s_kinds \"$current\" $value_kinds\n"
                        "    elif [ \"${current#-}\" != \"$current\" ]; then\n"
                        "        _%s_words \"$current\" $options\n"
                        "    else\n"
                        "        _%s_words \"$current\" $words\n"
                        "        _%s_kinds \"$current\" $kinds\n"
                        "    fi\n"
                        "}\n"
                        "complete -F _%s %s\n",
                        name, name, name, name, name, name, name);
}

const struct completion_script completion_bash = {begin_bash, command_bash, end_bash};

/* ---- zsh */

/* In single quotes, with brackets that are not those of a specification. */
static void print_quoted(const char *text, struct buffer *out)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            (void)buffer_printf(out, "'\\''");
        else if (*text == '[' || *text == ']')
            (void)buffer_append(out, *text == '[' ? "(" : ")", 1);
        else if (*text == ':' || *text == '\\')
            (void)buffer_printf(out, "\\%c", *text);
        else
            (void)buffer_append(out, text, 1);
    }
}

static void begin_zsh(const struct program *program, struct buffer *out)
{
    const char *name = program->name;
    (void)buffer_printf(out,
                        "#compdef %s\n# zsh completion of %s; `%s completion zsh` prints it.\n",
                        name, name, name);
    (void)buffer_printf(
        out,
        "_%s_kinds() { # KIND or WORD...\n"
        "    local kind ok=1\n"
        "    local -a ids store\n"
        "    [[ -z ${opt_args[--store]-} ]] || store=(--store ${(Q)opt_args[--store]})\n"
        "    for kind; do\n"
        "        case $kind in\n"
        "        files) _files && ok=0 ;;\n"
        "        folders) _files -/ && ok=0 ;;\n"
        "        packages) ids=(${(f)\"$(pkgmgr list $store 2>/dev/null | sed -e 1d -e 's/ "
        ".*//' | sort -u)\"})\n"
        "            compadd -- $ids && ok=0 ;;\n"
        "        *) compadd -- $kind && ok=0 ;;\n"
        "        esac\n"
        "    done\n"
        "    return ok\n"
        "}\n",
        name);
    (void)buffer_printf(out,
                        "_%s() {\n"
                        "    local context state line curcontext=$curcontext\n"
                        "    typeset -A opt_args\n"
                        "    local -a commands=(\n",
                        name);
    for (const struct command *c = program->commands; c->name != NULL; c++)
        if (c->summary != NULL) {
            (void)buffer_printf(out, "        '%s:", c->name);
            print_quoted(c->summary, out);
            (void)buffer_printf(out, "'\n");
        }
    (void)buffer_printf(
        out, "        'help:tell more about a command'\n"
             "        'completion:print what completes command lines'\n"
             "    )\n"
             "    _arguments -C '(- *)--help[tell what there is]' '(- *)--version[print the "
             "version]' \\\n"
             "        '1:command:->command' '*::argument:->argument'\n"
             "    case $state in\n"
             "    command) _describe command commands ;;\n"
             "    argument)\n"
             "        case $words[1] in\n"
             "        help) _describe command commands ;;\n"
             "        completion) _arguments '1:shell:(bash zsh)' ;;\n");
}

static void print_specification(const struct program *program,
                                const struct completion_option *option, const char *dashes,
                                const char *name, struct buffer *out)
{
    (void)buffer_printf(out, " \\\n            '*%s%s[", dashes, name);
    print_quoted(option->what, out);
    (void)buffer_printf(out, "]");
    if (option->has_value) {
        (void)buffer_printf(out, ":");
        print_quoted(option->value[0] != '\0' ? option->value : "value", out);
        (void)buffer_printf(out, ":");
        if (option->words != NULL)
            (void)buffer_printf(out, "(%s)", option->words);
        else if (option->kinds != 0)
            (void)buffer_printf(out, " _%s_kinds ", program->name);
        else
            (void)buffer_printf(out, " ");
        print_kinds(option->words == NULL ? option->kinds : 0, out);
    }
    (void)buffer_printf(out, "'");
}

static void command_zsh(const struct program *program, const struct completion_command *command,
                        struct buffer *out)
{
    (void)buffer_printf(out, "        %s) _arguments '(- *)--help[tell about the command]'",
                        command->command->name);
    for (size_t i = 0; i < command->n_options; i++) {
        const struct completion_option *option = &command->options[i];
        const char letter[2] = {option->letter, '\0'};
        print_specification(program, option, "--", option->name, out);
        if (option->letter != 0)
            print_specification(program, option, "-", letter, out);
    }
    if (command->kinds != 0 || command->words[0] != '\0') {
        (void)buffer_printf(out, " \\\n            '*:argument: _%s_kinds %s ", program->name,
                            command->words);
        print_kinds(command->kinds, out);
        (void)buffer_printf(out, "'");
    }
    (void)buffer_printf(out, " ;;\n");
}

/* Run by compinit as the function's body, or by eval. */
static void end_zsh(const struct program *program, struct buffer *out)
{
    (void)buffer_printf(out,
                        "        esac ;;\n"
                        "    esac\n"
                        "}\n"
                        "if [[ $funcstack[1] == _%s ]]; then\n"
                        "    _%s \"$@\"\n"
                        "else\n"
                        "    compdef _%s %s\n"
                        "fi\n",
                        program->name, program->name, program->name, program->name);
}

const struct completion_script completion_zsh = {begin_zsh, command_zsh, end_zsh};

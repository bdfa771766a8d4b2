/* command_scripts.c - the text of the scripts of command_completion.h. Ids come from `pkgmgr list` when they are asked for;
 * nothing that it prints is taken for shell code. Main thread only. */
#include "command_completion.h"

#include <stdio.h>
#include <string.h>

/* ---- bash, from 3.2 on */

static void print_names(const struct program *program)
{
    for (const struct command *c = program->commands; c->name != NULL; c++)
        if (c->summary != NULL)
            printf("%s ", c->name);
    printf("help completion");
}

static void begin_bash(const struct program *program)
{
    const char *name = program->name;
    printf("# bash completion of %s; `%s completion bash` prints it.\n", name, name);
    printf("_%s_lines() { # CURRENT: of the lines on standard input, those that begin so\n"
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
    printf("_%s_kinds() { # CURRENT KIND...\n"
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
    printf("_%s() {\n"
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
    print_names(program);
    printf(" --help --version; return ;;\n    help) _%s_words \"$current\" ", name);
    print_names(program);
    printf("; return ;;\n    completion) _%s_words \"$current\" bash zsh; return ;;\n", name);
}

static void print_kinds(unsigned kinds)
{
    static const char *const names[] = {"files", "folders", "packages"};
    const char *gap = "";
    for (unsigned i = 0; i < 3; i++)
        if ((kinds & 1u << i) != 0) {
            printf("%s%s", gap, names[i]);
            gap = " ";
        }
}

/* "--output" or "-o | --output" */
static void print_pattern(const struct completion_option *option)
{
    if (option->letter != 0)
        printf("-%c | ", option->letter);
    printf("--%s", option->name);
}

static void command_bash(const struct program *program, const struct completion_command *command)
{
    (void)program;
    printf("    %s)\n        options='", command->command->name);
    for (size_t i = 0; i < command->n_options; i++)
        printf("--%s ", command->options[i].name);
    printf("--help' kinds='");
    print_kinds(command->kinds);
    printf("' words='%s'\n        case $previous in\n", command->words);
    for (size_t i = 0; i < command->n_options; i++) {
        const struct completion_option *option = &command->options[i];
        if (!option->has_value)
            continue;
        printf("        ");
        print_pattern(option);
        printf(") valued=1 value_kinds='");
        print_kinds(option->kinds);
        printf("' value_words='%s' ;;\n", option->words != NULL ? option->words : "");
    }
    printf("        esac ;;\n");
}

/* The lists are words without anything that a shell would expand. */
static void end_bash(const struct program *program)
{
    const char *name = program->name;
    printf("    *) return ;;\n"
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
static void print_quoted(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            printf("'\\''");
        else if (*text == '[' || *text == ']')
            putchar(*text == '[' ? '(' : ')');
        else if (*text == ':' || *text == '\\')
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void begin_zsh(const struct program *program)
{
    const char *name = program->name;
    printf("#compdef %s\n# zsh completion of %s; `%s completion zsh` prints it.\n", name, name,
           name);
    printf("_%s_kinds() { # KIND or WORD...\n"
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
    printf("_%s() {\n"
           "    local context state line curcontext=$curcontext\n"
           "    typeset -A opt_args\n"
           "    local -a commands=(\n",
           name);
    for (const struct command *c = program->commands; c->name != NULL; c++)
        if (c->summary != NULL) {
            printf("        '%s:", c->name);
            print_quoted(c->summary);
            printf("'\n");
        }
    printf("        'help:tell more about a command'\n"
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
                                const char *name)
{
    printf(" \\\n            '*%s%s[", dashes, name);
    print_quoted(option->what);
    printf("]");
    if (option->has_value) {
        printf(":");
        print_quoted(option->value[0] != '\0' ? option->value : "value");
        printf(":");
        if (option->words != NULL)
            printf("(%s)", option->words);
        else if (option->kinds != 0)
            printf(" _%s_kinds ", program->name);
        else
            printf(" ");
        print_kinds(option->words == NULL ? option->kinds : 0);
    }
    printf("'");
}

static void command_zsh(const struct program *program, const struct completion_command *command)
{
    printf("        %s) _arguments '(- *)--help[tell about the command]'", command->command->name);
    for (size_t i = 0; i < command->n_options; i++) {
        const struct completion_option *option = &command->options[i];
        const char letter[2] = {option->letter, '\0'};
        print_specification(program, option, "--", option->name);
        if (option->letter != 0)
            print_specification(program, option, "-", letter);
    }
    if (command->kinds != 0 || command->words[0] != '\0') {
        printf(" \\\n            '*:argument: _%s_kinds %s ", program->name, command->words);
        print_kinds(command->kinds);
        printf("'");
    }
    printf(" ;;\n");
}

/* Run by compinit as the function's body, or by eval. */
static void end_zsh(const struct program *program)
{
    printf("        esac ;;\n"
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

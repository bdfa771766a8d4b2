/* test_hidden_arguments.c - what `ps` shows of a secret. */
#include "testing.h"

#include "hidden_arguments.h"

#define MAX_ARGUMENTS 8
#define MAX_BYTES     40

/* The kernel shows the memory that the words began in. */
struct line {
    char memory[MAX_ARGUMENTS][MAX_BYTES];
    char *argv[MAX_ARGUMENTS + 1];
    int argc;
};

static struct line *line_of(const char *const *words)
{
    static struct line line;
    for (line.argc = 0; words[line.argc] != NULL; line.argc++) {
        (void)snprintf(line.memory[line.argc], MAX_BYTES, "%s", words[line.argc]);
        line.argv[line.argc] = line.memory[line.argc];
    }
    line.argv[line.argc] = NULL;
    hidden_arguments_take("token", line.argc, line.argv);
    for (int i = 0; i < line.argc; i++)
        assert_string_equal(line.argv[i], words[i]); /* the command sees what was given */
    return &line;
}

static void forget(struct line *line)
{
    for (int i = 0; i < line->argc; i++)
        if (line->argv[i] != line->memory[i])
            free(line->argv[i]);
}

static void values_are_not_to_be_seen_in_any_spelling(void **state)
{
    static const char *const words[] = {"pkgmgr", "serve",  "--token",        "secret",
                                        "--tok",  "hf_abc", "--token=hidden", NULL};
    (void)state;
    struct line *line = line_of(words);
    assert_string_equal(line->memory[2], "--token");
    assert_string_equal(line->memory[3], "******");
    assert_string_equal(line->memory[5], "******");
    assert_string_equal(line->memory[6], "--token=******");
    forget(line);
}

static void all_else_stays(void **state)
{
    static const char *const words[] = {"pkgmgr", "serve", "--token-file", "f",
                                        "--",     "token", "--token",      NULL};
    (void)state;
    struct line *line = line_of(words);
    for (int i = 0; i < line->argc; i++)
        assert_string_equal(line->memory[i], words[i]);
    forget(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_not_to_be_seen_in_any_spelling),
        cmocka_unit_test(all_else_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_hub_glob.c - patterns; the wanted answers are those of Python's fnmatch.fnmatchcase, which the
 * hub's own client uses. */
#include "testing.h"

#include "hub_glob.h"

static void patterns_match_as_the_hubs_own(void **state)
{
    static const struct {
        const char *pattern, *path;
        bool want;
    } cases[] = {
        {"*", "a/b", true},
        {"*.txt", "a/b.txt", true},
        {"*.txt", "b.TXT", false},
        {"a?c", "abc", true},
        {"a?c",
         "a\xc3\xa4"
         "c",
         true},
        {"a??c",
         "a\xc3\xa4"
         "c",
         false},
        {"[ab]x", "bx", true},
        {"[!ab]x", "bx", false},
        {"[!ab]x", "cx", true},
        {"[a-c-e]", "d", false},
        {"[a-c-e]", "-", true},
        {"[a-]", "-", true},
        {"[-a]", "-", true},
        {"[]a]", "]", true},
        {"[!]a]", "b", true},
        {"[", "[", true},
        {"[a", "[a", true},
        {"[]", "[]", true},
        {"[!", "[!", true},
        {"[!]", "!", false},
        {"[\xc3\xa4-\xc3\xbc]", "\xc3\xb6", true},
        {"[b-a]", "a", false},
        {"\\*", "\\x", true},
        {"a*b*c", "aXbYbZc", true},
        {"a*b*c", "aXbYbZ", false},
        {"", "", true},
        {"", "a", false},
        {"**", "", true},
        {"onnx/", "onnx/a/b", true},
        {"onnx/", "onnx", false},
        {"onnx/", "x/onnx/a", false},
        {"*/onnx/", "x/onnx/a", true},
        {".*", ".gitattributes", true},
        {"*", ".gitattributes", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (hub_glob_match(cases[i].pattern, cases[i].path) != cases[i].want)
            fail_msg("'%s' and '%s'", cases[i].pattern, cases[i].path);
}

static void hostile_patterns_end_soon(void **state)
{
    char pattern[1001], path[1001];
    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        pattern[i] = i % 2 == 0 ? '*' : 'a';
        path[i] = 'a';
    }
    pattern[999] = 'b';
    pattern[1000] = path[1000] = '\0';
    assert_false(hub_glob_match(pattern, path));
}

static void any_of_several_is_enough(void **state)
{
    static const char *const patterns[] = {"*.a", "*.b"};
    (void)state;
    assert_true(hub_glob_match_any(patterns, 2, "x.b"));
    assert_false(hub_glob_match_any(patterns, 2, "x.c"));
    assert_false(hub_glob_match_any(NULL, 0, "x.c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_as_the_hubs_own),
        cmocka_unit_test(hostile_patterns_end_soon),
        cmocka_unit_test(any_of_several_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* test_license_text.c - which licence a README.md or a licence's text means. */
#include "license_text.h"
#include "testing.h"

static struct license_claim claim_of(const char *text)
{
    struct license_claim claim;
    license_read_front_matter(text, strlen(text), &claim);
    return claim;
}

static void the_front_matter_says_it(void **state)
{
    (void)state;
    struct license_claim claim = claim_of("---\nlanguage: en\nlicense: apache-2.0\n---\ntext\n");
    assert_int_equal(claim.n_values, 1);
    assert_string_equal(claim.values[0], "apache-2.0");
    claim = claim_of("---\r\nlicense: \"mit\"  \r\n---\r\n");
    assert_string_equal(claim.values[0], "mit");
    claim =
        claim_of("---\nlicense: other\nlicense_name: my licence\nlicense_link: LICENSE.md\n---");
    assert_string_equal(claim.name, "my licence");
    assert_string_equal(claim.link, "LICENSE.md");
}

static void lists_have_two_forms(void **state)
{
    (void)state;
    struct license_claim claim = claim_of("---\nlicense: [mit, 'apache-2.0' ]\n---\n");
    assert_int_equal(claim.n_values, 2);
    assert_string_equal(claim.values[1], "apache-2.0");
    claim = claim_of("---\nlicense:\n- mit\n  - cc-by-4.0\ntags:\n- x\n---\n");
    assert_int_equal(claim.n_values, 2);
    assert_string_equal(claim.values[1], "cc-by-4.0");
}

static void what_is_no_front_matter_says_nothing(void **state)
{
    static const char *const texts[] = {"",
                                        "---",
                                        "license: mit\n",
                                        "# x\n---\nlicense: mit\n---\n",
                                        "---\n---\nlicense: mit\n",
                                        "---\n  license: mit\n---\n",
                                        "---\nlicense:\n---\n",
                                        "---\nlicenses: mit\n---\n"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(claim_of(texts[i]).n_values, 0);
}

static void what_steers_a_terminal_is_taken_out(void **state)
{
    (void)state;
    assert_string_equal(claim_of("---\nlicense: a\033[31mb\n---\n").values[0], "a?[31mb");
}

static void names_of_the_hub_become_those_of_spdx(void **state)
{
    (void)state;
    assert_string_equal(license_spdx_of("apache-2.0"), "Apache-2.0");
    assert_string_equal(license_spdx_of("gpl-3.0"), "GPL-3.0-only");
    assert_string_equal(license_spdx_of("cc-by-nc-4.0"), "CC-BY-NC-4.0");
    assert_null(license_spdx_of("llama3"));
    assert_null(license_spdx_of(""));
}

static void a_licence_is_known_by_its_words(void **state)
{
    static const char apache[] = "      Apache License\n   Version 2.0, January 2004\n";
    static const char mit[] = "Copyright x\n\nPermission is hereby granted, free of charge, to any "
                              "person, to deal without restriction\n";
    (void)state;
    assert_string_equal(license_guess(apache, sizeof apache - 1), "Apache-2.0");
    assert_string_equal(license_guess(mit, sizeof mit - 1), "MIT");
    assert_null(license_guess("all rights reserved", 19));
    assert_null(license_guess("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_front_matter_says_it),
        cmocka_unit_test(lists_have_two_forms),
        cmocka_unit_test(what_is_no_front_matter_says_nothing),
        cmocka_unit_test(what_steers_a_terminal_is_taken_out),
        cmocka_unit_test(names_of_the_hub_become_those_of_spdx),
        cmocka_unit_test(a_licence_is_known_by_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

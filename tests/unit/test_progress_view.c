/* test_progress_view.c - the line that a person sees while a download runs, on a terminal of our own. */
#include "testing.h"

#include "progress_view.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What the view draws on a terminal of so many columns; to be freed. NULL without a terminal. */
static char *draw(unsigned short columns)
{
    struct hub_file file = {.path = (char *)"model.safetensors", .size_bytes = 440000000};
    struct plan_file planned = {.file = &file};
    struct download_plan plan = {.files = &planned, .n_files = 1, .fetch_bytes = file.size_bytes};
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    struct progress_view view;
    char text[1024];
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0)
        return NULL;
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    int saved = dup(STDERR_FILENO);
    if (slave < 0 || saved < 0)
        return NULL;
    assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
    assert_int_equal(dup2(slave, STDERR_FILENO), STDERR_FILENO);
    progress_view_init(&view, false);
    progress_view_update(&view, &plan, 0, 120000000);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    ssize_t n = read(master, text, sizeof text - 1);
    assert_true(n > 0);
    text[n] = '\0';
    close(saved);
    close(slave);
    close(master);
    return strdup(text);
}

static void the_line_is_cut_to_the_terminal(void **state)
{
    static const struct {
        unsigned short columns;
        const char *want;
    } cases[] = {
        {80, "\r1/1 files  120 MB of 440 MB  27%  0 B/s  --:-- left  model.safetensors\033[K"},
        {0, "\r1/1 files  120 MB of 440 MB  27%  0 B/s  --:-- left  model.safetensors\033[K"},
        {60, "\r1/1 files  120 MB of 440 MB  27%  0 B/s  --:-- left\033[K"},
        {20, "\r1/1 files  120 MB o\033[K"},
        {5, "\r1/1 \033[K"},
        {1, "\r\033[K"},
    };
    (void)state;
    (void)setenv("TERM", "xterm", 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = draw(cases[i].columns);
        if (text == NULL) {
            print_message("skip: no pseudo-terminal can be made here\n");
            skip();
        }
        assert_string_equal(text, cases[i].want);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_is_cut_to_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

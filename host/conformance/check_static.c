/* check_static.c - check 1: what a plugin's file says before its code runs, and whether all symbols that
 * it wants are there. */
#include "check.h"
#include "files.h"
#include "subject.h"

#include <string.h>

/* Second runtimes for threads, and libraries of linear algebra that bring threads of their own. */
static const char *const foreign_libraries[] = {"libomp.so",       "libiomp5.so", "libmkl_rt.so",
                                                "libopenblas.so",  "libblis.so",  "libblas.so",
                                                "libopenblasp.so", "libtbb.so"};

static const char *foreign_library(const struct plugin_file *file)
{
    for (size_t i = 0; i < sizeof foreign_libraries / sizeof foreign_libraries[0]; i++)
        if (strstr(file->needed, foreign_libraries[i]) != NULL)
            return foreign_libraries[i];
    return NULL;
}

enum check_verdict check_static(struct check *check)
{
    struct subject *subject = check->subject;
    const struct plugin_file *file = &subject->file;
    struct model_error err = MODEL_ERROR_INIT;
    check_step(check, "reading the file");
    if (plugin_file_check(file, path_base(subject->plugin_path), &err) != MODEL_OK)
        return check_failed(check, "%s", err.message);
    if (file->name[0] == '\0' || file->version[0] == '\0' || file->architectures[0] == '\0')
        return check_failed(check, "its note names no %s; see MODEL_PLUGIN_NOTE()",
                            file->name[0] == '\0'      ? "plugin"
                            : file->version[0] == '\0' ? "version"
                                                       : "architecture");
    if (file->wants_executable_stack)
        return check_failed(check, "it wants an executable stack; compile assembler with "
                                   "-Wa,--noexecstack, link with -Wl,-z,noexecstack");
    if (file->has_text_relocations)
        return check_failed(check, "its code has relocations (DT_TEXTREL); compile with -fPIC");
    const char *foreign = foreign_library(file);
    if (foreign != NULL)
        return check_failed(check,
                            "it needs %s, which brings threads beside those of the host; "
                            "link with libgomp alone",
                            foreign);
    check_step(check, "opening it with all symbols resolved (dlopen, constructors)");
    if (subject_open_plugin(subject, &err) != MODEL_OK)
        return check_failed(check, "%s", err.message);
    return check_passed(check, "exports create_model alone; ABI %u.%u; needs %s", file->abi_major,
                        file->abi_minor, file->needed);
}

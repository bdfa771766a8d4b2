/* package_members.h - what belongs to a package: of a path in its folder whether metadata.json has to list it.
 * [any-thread] */
#ifndef PACKAGE_MEMBERS_H
#define PACKAGE_MEMBERS_H

#include "modelhost.h"

#include <stdbool.h>

enum package_member {
    PACKAGE_MEMBER_FILE,  /* a file of the package, or a folder of such */
    PACKAGE_MEMBER_PAPER, /* metadata.json, and its signature, also an old one */
    PACKAGE_MEMBER_UNFINISHED, /* a paper or a plugin in progress, or left by a killed process (scratch.h) */
    PACKAGE_MEMBER_HIDDEN /* of a tool of its author (.git, .DS_Store): no part of the package, and none of a store's */
};

/* By the path as seen from the package's folder alone, papers and what is unfinished in any case: some disks do not tell. */
enum package_member package_member_of(const char *path);

/* Whether the path is one of a paper or of something unfinished, or below such: no file of a package has it, wherever
 * that comes from, and no manifest may list it. */
bool package_keeps_name(const char *path);

/* Of a kept path, as seen from `dir`, what lies there: only a file may, and a link where a paper is written in its place.
 * MODEL_CORRUPT: another thing, which no manifest can list and nobody would read. */
model_status package_check_kept(const char *dir, const char *path, struct model_error *err);

/* Whether the path is that of a backend's plugin. */
bool package_is_plugin_path(const char *path);

/* Removes what killed processes left unfinished in the folder, and nothing that a living one works on, or that a manifest
 * can list. */
void package_sweep(const char *dir);

#endif

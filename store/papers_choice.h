/* papers_choice.h - which papers a package of the store gets: those that it has, or those that it is given. A good
 * signature is never given up for a worse one, and none for nothing without being kept beside. [any-thread] */
#ifndef PAPERS_CHOICE_H
#define PAPERS_CHOICE_H

#include "package_papers.h"
#include "store.h"

enum papers_origin {
    PAPERS_PRINTED, /* the manifest as it is printed, without a signature */
    PAPERS_GIVEN,   /* those that somebody brought */
    PAPERS_THERE    /* those that the package has, or had before it was damaged */
};

struct papers_choice {
    enum papers_origin origin;
    const char *text, *signature; /* terminated; of PAPERS_PRINTED and of what has none NULL */
    struct package_papers there;  /* owned */
    char *lost; /* a signature whose manifest is damaged beyond recovery; NULL: none. owned */
    char *note; /* what the user should know; NULL: nothing. owned */
};

/* dir is the package's folder, which need not be there; manifest is what is installed; given NULL: it is to be printed. */
model_status papers_choose(const char *dir, const struct manifest *manifest,
                           const struct store_papers *given, struct papers_choice *ret,
                           struct model_error *err);
void papers_choice_finish(struct papers_choice *choice);

#endif

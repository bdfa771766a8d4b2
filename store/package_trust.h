/* package_trust.h - the signature of a package, wherever it lies: beside metadata.json in a folder, in the header of an
 * archive. [any-thread] */
#ifndef PACKAGE_TRUST_H
#define PACKAGE_TRUST_H

#include "archive.h"
#include "package_papers.h"
#include "package_signature.h"

/* archive NULL: of the folder `dir`. MODEL_NOT_FOUND: there is no manifest. */
model_status package_papers_read(const char *dir, const struct archive *archive,
                                 struct package_papers *ret, struct model_error *err);
/* The manifest in them; a sentence about it names its path in `dir`, and what to do. */
model_status package_papers_parse(const char *dir, const struct package_papers *papers,
                                  struct manifest *ret, struct model_error *err);
/* The same papers, with what was read in them, as they are judged. `what` names the package. */
struct signed_manifest package_papers_signed(const struct package_papers *papers, const char *what,
                                             const struct manifest *manifest);

/* Judges the package in a folder or an archive. MODEL_NOT_FOUND: it has no manifest. */
model_status package_judge_signature(const char *dir, const struct archive *archive,
                                     const struct trusted_keys *keys, struct signature_report *ret,
                                     struct model_error *err);

#endif

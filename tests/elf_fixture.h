/* elf_fixture.h - shared objects that linkers here would not make. For tests, on Linux; behind cmocka.h. */
#ifndef ELF_FIXTURE_H
#define ELF_FIXTURE_H

#include "buffer.h"

#include <elf.h>
#include <string.h>

/* The first library that it needs becomes something else by the same name: a folder of libraries (DT_RUNPATH), a
 * filter... */
static inline void elf_retag_needed(struct buffer *bytes, Elf64_Sxword tag)
{
    Elf64_Ehdr header;
    Elf64_Phdr segment = {.p_type = PT_NULL};
    Elf64_Dyn entry = {.d_tag = DT_NULL};
    memcpy(&header, bytes->data, sizeof header);
    for (uint32_t i = 0; i < header.e_phnum && segment.p_type != PT_DYNAMIC; i++)
        memcpy(&segment, bytes->data + header.e_phoff + i * sizeof segment, sizeof segment);
    char *at = bytes->data + segment.p_offset, *end = at + segment.p_filesz;
    for (; at < end && entry.d_tag != DT_NEEDED; at += sizeof entry)
        memcpy(&entry, at, sizeof entry);
    assert_int_equal(entry.d_tag, DT_NEEDED);
    entry.d_tag = tag;
    memcpy(at - sizeof entry, &entry, sizeof entry);
}

#endif

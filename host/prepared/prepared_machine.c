/* prepared_machine.c - see prepared_machine.h. */
#include "prepared_machine.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

struct prepared_machine prepared_machine(void)
{
    struct prepared_machine ret = {{0}};
    uint32_t a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d) != 0) { /* b has the number of the core */
        ret.words[0] = c;
        ret.words[1] = d;
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) != 0) {
        ret.words[2] = b;
        ret.words[3] = c;
        ret.words[4] = d;
    }
    if (__get_cpuid_count(7, 1, &a, &b, &c, &d) != 0)
        ret.words[5] = a;
    return ret;
}
#elif defined(__linux__)
#include <sys/auxv.h>

struct prepared_machine prepared_machine(void)
{
    const uint64_t words[] = {getauxval(AT_HWCAP), getauxval(AT_HWCAP2)};
    return (struct prepared_machine){{(uint32_t)words[0], (uint32_t)(words[0] >> 32),
                                      (uint32_t)words[1], (uint32_t)(words[1] >> 32)}};
}
#else
struct prepared_machine prepared_machine(void)
{
    return (struct prepared_machine){{0}}; /* the kinds there are pack alike */
}
#endif

model_status prepared_machine_key(const char key[SHA256_HEX_BYTES], struct prepared_machine machine,
                                  char ret_key[SHA256_HEX_BYTES])
{
    struct digest *digest = NULL;
    model_status status = digest_create_sha256(&digest, NULL);
    if (status != MODEL_OK)
        return status;
    digest_update(digest, key, SHA256_HEX_BYTES);
    digest_update(digest, machine.words, sizeof machine.words);
    digest_finish_hex(digest, ret_key);
    return MODEL_OK;
}

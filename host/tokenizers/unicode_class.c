/* unicode_class.c - see unicode_class.h.
 *
 * The reference library reads three generations of Unicode at once: its categories are those of
 * Unicode 8, its normalisation that of Unicode 9, its lower case that of Unicode 17. A mark or a
 * punctuation character that is younger than its table is a plain character to it: kept where a mark
 * would be stripped, part of a word where punctuation would end it. `differences` holds the ranges in
 * which that shows, up to Unicode 17, so that the answer does not depend on the utf8proc installed;
 * tests/interop/tokenizers.mjs compares every code point with the reference. */
#include "unicode_class.h"
#include "young_characters.h"

#include <string.h>

#include <utf8proc.h>

enum difference_kind {
    NONE = 0,
    UNKNOWN, /* younger than Unicode 9: no category, combining class 0, no decomposition */
    PLAIN,   /* neither a mark nor punctuation, but normalised as it should be */
    PUNCT,   /* was punctuation in Unicode 8 */
    MARK     /* was a nonspacing mark in Unicode 8 */
};

struct difference {
    uint32_t first, last;
    enum difference_kind kind;
};

/* Ordered. A range may span characters that would be plain anyway. */
static const struct difference differences[] = {
    {0x61D, 0x61D, UNKNOWN},     {0x7FD, 0x7FD, UNKNOWN},     {0x890, 0x89F, UNKNOWN},
    {0x8CA, 0x8D3, UNKNOWN},     {0x8D4, 0x8E1, PLAIN},       {0x8E2, 0x8E2, UNKNOWN},
    {0x9FD, 0x9FE, UNKNOWN},     {0xA76, 0xA76, UNKNOWN},     {0xAFA, 0xAFF, UNKNOWN},
    {0xB55, 0xB55, UNKNOWN},     {0xC04, 0xC04, UNKNOWN},     {0xC3C, 0xC3C, UNKNOWN},
    {0xC77, 0xC77, UNKNOWN},     {0xC84, 0xC84, UNKNOWN},     {0xCF3, 0xD00, UNKNOWN},
    {0xD3B, 0xD3C, UNKNOWN},     {0xD81, 0xD81, UNKNOWN},     {0xEBA, 0xEBA, UNKNOWN},
    {0xECE, 0xECE, UNKNOWN},     {0x166D, 0x166D, PUNCT},     {0x1715, 0x1715, UNKNOWN},
    {0x1734, 0x1734, MARK},      {0x180F, 0x180F, UNKNOWN},   {0x1885, 0x1886, PLAIN},
    {0x1ABF, 0x1AEB, UNKNOWN},   {0x1B4E, 0x1B4F, UNKNOWN},   {0x1B7D, 0x1B7F, UNKNOWN},
    {0x1CF7, 0x1CF7, UNKNOWN},   {0x1DF6, 0x1DFA, UNKNOWN},   {0x1DFB, 0x1DFB, PLAIN},
    {0x2E43, 0x2E5D, UNKNOWN},   {0xA82C, 0xA82C, UNKNOWN},   {0xA8C5, 0xA8C5, UNKNOWN},
    {0xA8FF, 0xA8FF, UNKNOWN},   {0xA9BD, 0xA9BD, PLAIN},     {0x105C9, 0x105E4, UNKNOWN},
    {0x10D24, 0x10D6E, UNKNOWN}, {0x10EAB, 0x10F89, UNKNOWN}, {0x11070, 0x11074, UNKNOWN},
    {0x110C2, 0x110CD, UNKNOWN}, {0x11145, 0x11146, UNKNOWN}, {0x111C9, 0x111C9, PUNCT},
    {0x111CE, 0x111CF, UNKNOWN}, {0x1123E, 0x11241, UNKNOWN}, {0x1133B, 0x1133B, UNKNOWN},
    {0x11383, 0x1143F, UNKNOWN}, {0x11442, 0x11442, PLAIN},   {0x11443, 0x11444, UNKNOWN},
    {0x11446, 0x11446, PLAIN},   {0x1144B, 0x1145E, UNKNOWN}, {0x11660, 0x1166C, UNKNOWN},
    {0x116B9, 0x116B9, UNKNOWN}, {0x1171E, 0x1171E, MARK},    {0x1182C, 0x1183B, UNKNOWN},
    {0x11930, 0x11AA2, UNKNOWN}, {0x11B00, 0x11C3D, UNKNOWN}, {0x11C3F, 0x11C3F, PLAIN},
    {0x11C41, 0x11FFF, UNKNOWN}, {0x12FF1, 0x12FF2, UNKNOWN}, {0x13430, 0x13455, UNKNOWN},
    {0x1611E, 0x1612F, UNKNOWN}, {0x16D68, 0x16E9A, UNKNOWN}, {0x16F4F, 0x16F4F, UNKNOWN},
    {0x16F7F, 0x16F87, UNKNOWN}, {0x16FE2, 0x16FF1, UNKNOWN}, {0x1CF00, 0x1CF46, UNKNOWN},
    {0x1E000, 0x1E02A, PLAIN},   {0x1E08F, 0x1E6F5, UNKNOWN}, {0x1E944, 0x1E94A, PLAIN},
    {0x1E95E, 0x1E95F, UNKNOWN}};

/* Lower case that utf8proc 2.8 (Unicode 15) does not know: first..last map to + delta. */
static const struct {
    uint32_t first, last;
    int32_t delta;
} young_lower[] = {{0x1C89, 0x1C89, 1},      {0xA7CB, 0xA7CB, 0x264 - 0xA7CB},
                   {0xA7CC, 0xA7CC, 1},      {0xA7CE, 0xA7CE, 1},
                   {0xA7D2, 0xA7D2, 1},      {0xA7D4, 0xA7D4, 1},
                   {0xA7DA, 0xA7DA, 1},      {0xA7DC, 0xA7DC, 0x19B - 0xA7DC},
                   {0x10D50, 0x10D65, 0x20}, {0x16EA0, 0x16EB8, 0x1B}};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* By utf8proc_category_t. */
static const unsigned char class_of_category[] = {
    [UTF8PROC_CATEGORY_MN] = CHAR_MARK,        [UTF8PROC_CATEGORY_PC] = CHAR_PUNCTUATION,
    [UTF8PROC_CATEGORY_PD] = CHAR_PUNCTUATION, [UTF8PROC_CATEGORY_PS] = CHAR_PUNCTUATION,
    [UTF8PROC_CATEGORY_PE] = CHAR_PUNCTUATION, [UTF8PROC_CATEGORY_PI] = CHAR_PUNCTUATION,
    [UTF8PROC_CATEGORY_PF] = CHAR_PUNCTUATION, [UTF8PROC_CATEGORY_PO] = CHAR_PUNCTUATION,
    [UTF8PROC_CATEGORY_ZS] = CHAR_SPACE,       [UTF8PROC_CATEGORY_ZL] = CHAR_SPACE,
    [UTF8PROC_CATEGORY_ZP] = CHAR_SPACE,       [UTF8PROC_CATEGORY_CC] = CHAR_CONTROL,
    [UTF8PROC_CATEGORY_CF] = CHAR_CONTROL,     [UTF8PROC_CATEGORY_CS] = CHAR_CONTROL,
    [UTF8PROC_CATEGORY_CO] = CHAR_CONTROL};

static enum difference_kind difference_of(uint32_t codepoint)
{
    size_t low = 0;
    size_t high = COUNT(differences);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (codepoint > differences[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < COUNT(differences) && codepoint >= differences[low].first ? differences[low].kind
                                                                           : NONE;
}

static enum char_class ascii_class(uint32_t c)
{
    if (c == ' ' || (c >= '\t' && c <= '\r'))
        return CHAR_SPACE;
    if (c < ' ' || c == 0x7F)
        return CHAR_CONTROL;
    bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return alphanumeric ? CHAR_PLAIN : CHAR_PUNCTUATION;
}

enum char_class char_class(uint32_t codepoint)
{
    if (codepoint < 0x80)
        return ascii_class(codepoint);
    if (codepoint == 0x85)
        return CHAR_SPACE;
    utf8proc_propval_t category = utf8proc_get_property((utf8proc_int32_t)codepoint)->category;
    enum char_class plain = (enum char_class)class_of_category[category];
    if (plain == CHAR_SPACE || (plain == CHAR_PLAIN && category != UTF8PROC_CATEGORY_MC &&
                                category != UTF8PROC_CATEGORY_SO))
        return plain;
    switch (difference_of(codepoint)) {
    case UNKNOWN:
    case PLAIN:
        return CHAR_PLAIN;
    case PUNCT:
        return CHAR_PUNCTUATION;
    case MARK:
        return CHAR_MARK;
    case NONE:
        break;
    }
    return plain;
}

bool char_is_word(uint32_t codepoint)
{
    utf8proc_propval_t category = utf8proc_get_property((utf8proc_int32_t)codepoint)->category;
    if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL)
        return true;
    const char *young = codepoint >= 0x80 ? young_category(codepoint) : "";
    if (*young == 'L' || *young == 'M' || strcmp(young, "Nd") == 0 || strcmp(young, "Nl") == 0)
        return true;
    /* Connectors, the two joiners, and the circled and squared letters, which are alphabetic. */
    return category == UTF8PROC_CATEGORY_PC || (codepoint >= 0x200C && codepoint <= 0x200D) ||
           (codepoint >= 0x24B6 && codepoint <= 0x24E9) ||
           (codepoint >= 0x1F130 && codepoint <= 0x1F149) ||
           (codepoint >= 0x1F150 && codepoint <= 0x1F169) ||
           (codepoint >= 0x1F170 && codepoint <= 0x1F189);
}

bool char_is_numeric(uint32_t codepoint)
{
    utf8proc_propval_t category = utf8proc_get_property((utf8proc_int32_t)codepoint)->category;
    return (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO) ||
           (codepoint > 0xFFFF && *young_category(codepoint) == 'N');
}

/* 0x2B920 is not the start of a block (0x2B820 is): the reference has it so, and ids must agree. */
bool char_is_han(uint32_t codepoint)
{
    if (codepoint < 0x3400)
        return false;
    return codepoint <= 0x4DBF || (codepoint >= 0x4E00 && codepoint <= 0x9FFF) ||
           (codepoint >= 0xF900 && codepoint <= 0xFAFF) ||
           (codepoint >= 0x20000 && codepoint <= 0x2A6DF) ||
           (codepoint >= 0x2A700 && codepoint <= 0x2B81F) ||
           (codepoint >= 0x2B920 && codepoint <= 0x2CEAF) ||
           (codepoint >= 0x2F800 && codepoint <= 0x2FA1F);
}

size_t char_lower(uint32_t codepoint, uint32_t ret[CHAR_MAX_LOWER])
{
    if (codepoint == 0x130) { /* the one character whose lower case is two */
        ret[0] = 'i';
        ret[1] = 0x307;
        return 2;
    }
    ret[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)codepoint);
    if (ret[0] != codepoint || codepoint < young_lower[0].first)
        return 1;
    for (size_t i = 0; i < COUNT(young_lower); i++)
        if (codepoint >= young_lower[i].first && codepoint <= young_lower[i].last)
            ret[0] = (uint32_t)((int32_t)codepoint + young_lower[i].delta);
    return 1;
}

size_t char_decompose(uint32_t codepoint, uint32_t ret[CHAR_MAX_DECOMPOSED])
{
    utf8proc_int32_t parts[CHAR_MAX_DECOMPOSED];
    bool hangul = codepoint >= 0xAC00 && codepoint <= 0xD7A3;
    ret[0] = codepoint;
    if (!hangul &&
        utf8proc_get_property((utf8proc_int32_t)codepoint)->decomp_seqindex == UINT16_MAX)
        return 1;
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)codepoint, parts,
                                                 CHAR_MAX_DECOMPOSED, UTF8PROC_DECOMPOSE, NULL);
    if (n < 1 || n > CHAR_MAX_DECOMPOSED || difference_of(codepoint) == UNKNOWN)
        return 1;
    for (utf8proc_ssize_t i = 0; i < n; i++)
        ret[i] = (uint32_t)parts[i];
    return (size_t)n;
}

/* Characters younger than Unicode 9 that decompose for compatibility only. */
static bool is_young_compatible(uint32_t c)
{
    static const struct {
        uint32_t first, last;
    } young[] = {{0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},   {0xAB69, 0xAB69},   {0x10781, 0x107BA},
                 {0x1CCD6, 0x1CCF9}, {0x1E030, 0x1E06D}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9}};
    for (size_t i = 0; i < COUNT(young); i++)
        if (c >= young[i].first && c <= young[i].last)
            return true;
    return false;
}

size_t char_decompose_compatible(uint32_t codepoint, uint32_t ret[CHAR_MAX_COMPATIBLE])
{
    utf8proc_int32_t parts[CHAR_MAX_COMPATIBLE];
    ret[0] = codepoint;
    if (codepoint < 0x80 || is_young_compatible(codepoint))
        return 1;
    utf8proc_ssize_t n =
        utf8proc_decompose_char((utf8proc_int32_t)codepoint, parts, CHAR_MAX_COMPATIBLE,
                                UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, NULL);
    if (n < 1 || n > CHAR_MAX_COMPATIBLE || difference_of(codepoint) == UNKNOWN)
        return 1;
    for (utf8proc_ssize_t i = 0; i < n; i++)
        ret[i] = (uint32_t)parts[i];
    return (size_t)n;
}

uint32_t char_compose(uint32_t first, uint32_t second)
{
    utf8proc_int32_t pair[3] = {(utf8proc_int32_t)first, (utf8proc_int32_t)second, 0};
    if (second < 0x300 || difference_of(first) == UNKNOWN || difference_of(second) == UNKNOWN)
        return 0;
    utf8proc_ssize_t n = utf8proc_normalize_utf32(pair, 2, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    return n == 1 && difference_of((uint32_t)pair[0]) != UNKNOWN ? (uint32_t)pair[0] : 0;
}

bool char_may_follow(uint32_t codepoint)
{
    if (codepoint < 0x9BE || (codepoint > 0x1B35 && codepoint < 0x11000) || codepoint > 0x12000)
        return false;
    return codepoint <= 0xDDF || codepoint >= 0x11000 || codepoint == 0x102E ||
           codepoint == 0x1B35 || (codepoint >= 0x1161 && codepoint <= 0x11C2);
}

unsigned char_combining_class(uint32_t codepoint)
{
    utf8proc_propval_t value = utf8proc_get_property((utf8proc_int32_t)codepoint)->combining_class;
    return value == 0 || difference_of(codepoint) == UNKNOWN ? 0 : (unsigned)value;
}

size_t char_decode(const char *text, uint32_t *ret_codepoint)
{
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0x80) {
        *ret_codepoint = p[0];
        return 1;
    }
    if (p[0] < 0xE0) {
        *ret_codepoint = (p[0] & 0x1Fu) << 6 | (p[1] & 0x3Fu);
        return 2;
    }
    if (p[0] < 0xF0) {
        *ret_codepoint = (p[0] & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
        return 3;
    }
    *ret_codepoint =
        (p[0] & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
    return 4;
}

uint32_t char_before(const char *text, size_t end)
{
    size_t start = end - 1;
    while (start > 0 && ((unsigned char)text[start] & 0xC0) == 0x80)
        start--;
    uint32_t codepoint;
    (void)char_decode(text + start, &codepoint);
    return codepoint;
}

size_t char_encode(uint32_t codepoint, char ret[CHAR_MAX_BYTES])
{
    utf8proc_uint8_t bytes[CHAR_MAX_BYTES];
    size_t n = (size_t)utf8proc_encode_char((utf8proc_int32_t)codepoint, bytes);
    for (size_t i = 0; i < n; i++)
        ret[i] = (char)bytes[i];
    return n;
}

/* bridge_half.h - float16 in memory, as arm64 computes it, by the name that each compiler has for it. */
#ifndef BRIDGE_HALF_H
#define BRIDGE_HALF_H

#ifdef __clang__
typedef __fp16 bridge_half;
#else
__extension__ typedef _Float16 bridge_half;
#endif

#endif

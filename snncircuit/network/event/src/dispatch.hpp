// What image.cpp gives, once per instruction set that the build made. The build defines SNN_HAVE_AVX2 and SNN_HAVE_AVX512.
#pragma once
#include "types.hpp"

#define SNN_DECLARE(isa)                                                                                           \
    namespace snn::isa {                                                                                           \
    const char *name() noexcept;                                                                                   \
    void run_layer(const Layer &layer, const uint64_t *bits, int64_t words, int capacity, int steps, State &state, \
                   const Scratch &scratch);                                                                        \
    void scan_ideal(const Scan &job, int64_t from, int64_t to, Sums &sums);                                        \
    }

SNN_DECLARE(generic)
#ifdef SNN_HAVE_AVX2
SNN_DECLARE(avx2)
#endif
#ifdef SNN_HAVE_AVX512
SNN_DECLARE(avx512)
#endif

#undef SNN_DECLARE

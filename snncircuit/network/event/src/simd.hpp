// Vectors of the widest registers that this file is compiled for: 16, 8 or 4 lanes of 32 bits. Operators are those of GCC's and
// Clang's vector extensions; only what they have no word for is spelt per instruction set, with a plain loop for all others.
#pragma once
#include <cstdint>
#include <cstring>

#include "types.hpp"
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace snn {
namespace {

#if defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
constexpr int W = 16;
#elif defined(__AVX2__)
constexpr int W = 8;
#else
constexpr int W = 4;
#endif

constexpr int kRegisters = W == 16 ? 24 : 12;  // for sums

typedef float f32 __attribute__((vector_size(4 * W)));
typedef int32_t i32 __attribute__((vector_size(4 * W)));
typedef uint32_t u32 __attribute__((vector_size(4 * W)));
typedef int16_t i16 __attribute__((vector_size(4 * W)));     // 2 W lanes
typedef int16_t half16 __attribute__((vector_size(2 * W)));  // W lanes
typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef uint8_t u8x8 __attribute__((vector_size(8)));

template <class V, class T>
inline V load(const T *p) {
    V v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
template <class V, class T>
inline void store(T *p, V v) {
    std::memcpy(p, &v, sizeof v);
}
inline f32 splat(float x) { return x - f32{}; }
inline i32 splat(int32_t x) { return x - i32{}; }

// Comparisons give masks: a register of bits where the processor has such, else lanes of all bits.
#if defined(__AVX512BW__)
typedef __mmask16 mask;
inline mask at_least(f32 a, f32 b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GE_OQ); }
inline mask above(f32 a, f32 b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ); }
inline mask equal(f32 a, f32 b) { return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_EQ_OQ); }
inline f32 select(mask m, f32 a, f32 b) { return (f32)_mm512_mask_blend_ps(m, (__m512)b, (__m512)a); }
inline f32 where(mask m, f32 a) { return (f32)_mm512_maskz_mov_ps(m, (__m512)a); }
inline i32 add_where(i32 k, mask m, i32 s) { return (i32)_mm512_mask_add_epi32((__m512i)k, m, (__m512i)k, (__m512i)s); }
inline i32 where(mask m, i32 a) { return (i32)_mm512_maskz_mov_epi32(m, (__m512i)a); }
inline f32 add_where(f32 a, mask m, f32 b) { return (f32)_mm512_mask_add_ps((__m512)a, m, (__m512)a, (__m512)b); }
inline f32 subtract_where(f32 a, mask m, f32 b) { return (f32)_mm512_mask_sub_ps((__m512)a, m, (__m512)a, (__m512)b); }
inline mask at_most_where(mask m, f32 a, f32 b) { return _mm512_mask_cmp_ps_mask(m, (__m512)a, (__m512)b, _CMP_LE_OQ); }
inline mask at_least_where(mask m, f32 a, f32 b) { return _mm512_mask_cmp_ps_mask(m, (__m512)a, (__m512)b, _CMP_GE_OQ); }
inline uint32_t bits(mask m) { return m; }
inline mask first_lanes(int n) { return mask(n >= W ? 0xFFFF : n <= 0 ? 0 : (1 << n) - 1); }
inline f32 min(f32 a, f32 b) { return (f32)_mm512_min_ps((__m512)a, (__m512)b); }
inline f32 max(f32 a, f32 b) { return (f32)_mm512_max_ps((__m512)a, (__m512)b); }
inline i32 min(i32 a, i32 b) { return (i32)_mm512_min_epi32((__m512i)a, (__m512i)b); }
inline i32 max(i32 a, i32 b) { return (i32)_mm512_max_epi32((__m512i)a, (__m512i)b); }
#else
typedef i32 mask;
inline mask at_least(f32 a, f32 b) { return a >= b; }
inline mask above(f32 a, f32 b) { return a > b; }
inline mask equal(f32 a, f32 b) { return a == b; }
inline f32 select(mask m, f32 a, f32 b) { return m ? a : b; }
inline f32 where(mask m, f32 a) { return (f32)((i32)a & m); }
inline i32 add_where(i32 k, mask m, i32 s) { return k + (s & m); }
inline i32 where(mask m, i32 a) { return a & m; }
inline f32 add_where(f32 a, mask m, f32 b) { return a + where(m, b); }
inline f32 subtract_where(f32 a, mask m, f32 b) { return a - where(m, b); }
inline mask at_most_where(mask m, f32 a, f32 b) { return m & (a <= b); }
inline mask at_least_where(mask m, f32 a, f32 b) { return m & (a >= b); }
inline uint32_t bits(mask m) {
#if defined(__AVX2__)
    return uint32_t(_mm256_movemask_ps((__m256)m));
#else
    uint32_t b = 0;
    for (int l = 0; l < W; l++) b |= (uint32_t(m[l]) & 1u) << l;
    return b;
#endif
}
inline mask first_lanes(int n) {
    i32 lane;
    for (int l = 0; l < W; l++) lane[l] = l;
    return lane < n;
}
inline f32 min(f32 a, f32 b) { return a < b ? a : b; }
inline f32 max(f32 a, f32 b) { return a > b ? a : b; }
inline i32 min(i32 a, i32 b) { return a < b ? a : b; }
inline i32 max(i32 a, i32 b) { return a > b ? a : b; }
#endif
// Bits of the i-th vector among those of all, 4 to 16 of them.
inline void put_bits(uint8_t *all, int i, uint32_t bits) {
    if constexpr (W == 16) {
        const uint16_t both = uint16_t(bits);
        std::memcpy(all + 2 * i, &both, 2);
    } else
        all[i * W / 8] |= uint8_t(bits << (i * W % 8));
}
inline f32 positive(f32 a) { return max(a, f32{}); }
// Between numbers that are not negative. Floats are ordered as whole numbers are from zero on, and more units of a processor compare those.
inline f32 clamp(f32 a, f32 low, f32 high) { return (f32)min(max((i32)a, (i32)low), (i32)high); }
// a * b + c, rounded once where the processor can.
inline f32 multiply_add(f32 a, f32 b, f32 c) {
#if defined(__AVX512BW__)
    return (f32)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
    return (f32)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}
// Beyond 16 bits a sum starts again from the other end.
inline i16 plus(i16 a, i16 b) {
    typedef uint16_t u16 __attribute__((vector_size(4 * W)));
    return (i16)((u16)a + (u16)b);
}
inline f32 plus(f32 a, f32 b) { return a + b; }
inline i16 positive(i16 a) { return a > i16{} ? a : i16{}; }
inline f32 floats(i32 x) { return __builtin_convertvector(x, f32); }
// Compilers widen in two halves where one instruction does.
#if defined(__AVX512BW__)
inline f32 charges(const int16_t *p) {
    return (f32)_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(p))));
}
#elif defined(__AVX2__)
inline f32 charges(const int16_t *p) {
    return (f32)_mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i *>(p))));
}
#else
inline f32 charges(const int16_t *p) { return floats(__builtin_convertvector(load<half16>(p), i32)); }
#endif
inline f32 charges(const int32_t *p) { return floats(load<i32>(p)); }
inline f32 charges(const float *p) { return load<f32>(p); }

inline float sum(f32 a) {
    float s = 0;
    for (int l = 0; l < W; l++) s += a[l];
    return s;
}
inline float least(f32 a) {
    float s = a[0];
    for (int l = 1; l < W; l++) s = a[l] < s ? a[l] : s;
    return s;
}
inline float most(f32 a) {
    float s = a[0];
    for (int l = 1; l < W; l++) s = a[l] > s ? a[l] : s;
    return s;
}

// Compilers would read a vector from memory again for each use, or move it about in registers.
template <class V>
inline void in_register(V &v) {
#if defined(__AVX2__)
    __asm__("" : "+v"(v));
#else
    (void)v;
#endif
}
// Compilers would take vectors apart with shuffles rather than read their lanes from memory, at several times the cost.
inline void in_memory() { __asm__ volatile("" : : : "memory"); }

}  // namespace
}  // namespace snn

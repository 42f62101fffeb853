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

// table[index] of each lane; N is the size of the table, 1, 16, 32, 64 or 128, or 0 for any.
template <int N>
inline f32 lookup(const float *table, i32 index) {
    if constexpr (N == 1) return splat(table[0]);
#if defined(__AVX512BW__)
    if constexpr (N == 0) return (f32)_mm512_i32gather_ps((__m512i)index, table, 4);
    __m512i k = (__m512i)index;
    if constexpr (N == 16) return (f32)_mm512_permutexvar_ps(k, _mm512_loadu_ps(table));
    __m512 low = _mm512_permutex2var_ps(_mm512_loadu_ps(table), k, _mm512_loadu_ps(table + 16));
    if constexpr (N == 32) return (f32)low;
    const auto odd = _mm512_test_epi32_mask(k, _mm512_set1_epi32(32));
    __m512 high = _mm512_permutex2var_ps(_mm512_loadu_ps(table + 32), k, _mm512_loadu_ps(table + 48));
    low = _mm512_mask_blend_ps(odd, low, high);
    if constexpr (N == 64) return (f32)low;
    __m512 third = _mm512_permutex2var_ps(_mm512_loadu_ps(table + 64), k, _mm512_loadu_ps(table + 80));
    high = _mm512_permutex2var_ps(_mm512_loadu_ps(table + 96), k, _mm512_loadu_ps(table + 112));
    return (f32)_mm512_mask_blend_ps(_mm512_test_epi32_mask(k, _mm512_set1_epi32(64)), low, _mm512_mask_blend_ps(odd, third, high));
#else
    f32 out{};
    for (int l = 0; l < W; l++) out[l] = table[index[l]];
    return out;
#endif
}
template <int N>
inline i32 lookup(const int32_t *table, i32 index) {
    return (i32)lookup<N>(reinterpret_cast<const float *>(table), index);
}

#if defined(__AVX512BW__)
// Eight by eight transposes in the lower and the upper halves.
inline void transpose(__m512 r[8]) {
    const __m512i even = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), odd = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    __m512 a[8];
    for (int j = 0; j < 8; j += 4) {
        const __m512 p = _mm512_unpacklo_ps(r[j], r[j + 1]), q = _mm512_unpackhi_ps(r[j], r[j + 1]);
        const __m512 s = _mm512_unpacklo_ps(r[j + 2], r[j + 3]), t = _mm512_unpackhi_ps(r[j + 2], r[j + 3]);
        a[j + 0] = _mm512_shuffle_ps(p, s, 0x44);
        a[j + 1] = _mm512_shuffle_ps(p, s, 0xEE);
        a[j + 2] = _mm512_shuffle_ps(q, t, 0x44);
        a[j + 3] = _mm512_shuffle_ps(q, t, 0xEE);
    }
    for (int j = 0; j < 4; j++) {
        r[j] = _mm512_castpd_ps(_mm512_permutex2var_pd(_mm512_castps_pd(a[j]), even, _mm512_castps_pd(a[j + 4])));
        r[j + 4] = _mm512_castpd_ps(_mm512_permutex2var_pd(_mm512_castps_pd(a[j]), odd, _mm512_castps_pd(a[j + 4])));
    }
}
#endif

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

// Of each lane the sum of m[k] * of[at + k] over its eight k, in the order ((0 + 2) + (1 + 3)) + ((4 + 6) + (5 + 7)), and m[k] added to
// tally[at + k]. Neighbouring lanes, which often meet the same row, add to different copies of all rows, `apart` floats from each other, so
// that they need not wait for each other.
inline f32 meet_rows(const float *of, float *tally, size_t apart, const uint32_t *at, const f32 m[8]) {
#if defined(__AVX512BW__)
    __m512 r[8];
    for (int j = 0; j < 8; j++) r[j] = (__m512)m[j];
    transpose(r);  // lane j, and lane 8 + j in the upper half
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
        float *copy = tally + (j % int(kCopies)) * apart, *low = copy + at[j], *high = copy + at[8 + j];
        const __m512 row = _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_load_ps(of + at[j])), _mm256_load_ps(of + at[8 + j]), 1);
        _mm256_store_ps(low, _mm256_add_ps(_mm256_load_ps(low), _mm512_castps512_ps256(r[j])));
        _mm256_store_ps(high, _mm256_add_ps(_mm256_load_ps(high), _mm512_extractf32x8_ps(r[j], 1)));
        r[j] = _mm512_mul_ps(row, r[j]);
    }
    __m512 pair[4], four[2];
    for (int j = 0; j < 4; j++)
        pair[j] = _mm512_add_ps(_mm512_unpacklo_ps(r[2 * j], r[2 * j + 1]), _mm512_unpackhi_ps(r[2 * j], r[2 * j + 1]));
    for (int j = 0; j < 2; j++)
        four[j] =
            _mm512_add_ps(_mm512_shuffle_ps(pair[2 * j], pair[2 * j + 1], 0x44), _mm512_shuffle_ps(pair[2 * j], pair[2 * j + 1], 0xEE));
    const __m512 sum = _mm512_add_ps(_mm512_shuffle_f32x4(four[0], four[1], 0x88), _mm512_shuffle_f32x4(four[0], four[1], 0xDD));
    return (f32)_mm512_shuffle_f32x4(sum, sum, 0xD8);
#else
    f32 a[8];
#if defined(__AVX2__)
    __m256 r[8], b[8];
    for (int j = 0; j < 8; j++) r[j] = _mm256_load_ps(of + at[j]);
    for (int j = 0; j < 8; j += 4) {
        const __m256 p = _mm256_unpacklo_ps(r[j], r[j + 1]), q = _mm256_unpackhi_ps(r[j], r[j + 1]);
        const __m256 s = _mm256_unpacklo_ps(r[j + 2], r[j + 3]), t = _mm256_unpackhi_ps(r[j + 2], r[j + 3]);
        b[j + 0] = _mm256_shuffle_ps(p, s, 0x44);
        b[j + 1] = _mm256_shuffle_ps(p, s, 0xEE);
        b[j + 2] = _mm256_shuffle_ps(q, t, 0x44);
        b[j + 3] = _mm256_shuffle_ps(q, t, 0xEE);
    }
    for (int j = 0; j < 4; j++) {
        a[j] = (f32)_mm256_permute2f128_ps(b[j], b[j + 4], 0x20);
        a[j + 4] = (f32)_mm256_permute2f128_ps(b[j], b[j + 4], 0x31);
    }
#else
    for (int j = 0; j < 8; j++) {
        f32 row{};
        for (int l = 0; l < W; l++) row[l] = of[at[l] + uint32_t(j)];
        a[j] = row;
    }
#endif
    float flat[8][W];
    for (int j = 0; j < 8; j++) store(flat[j], m[j]);
    for (int l = 0; l < W; l++)
        for (int j = 0; j < 8; j++) tally[size_t(l) % kCopies * apart + at[l] + size_t(j)] += flat[j][l];
    return ((m[0] * a[0] + m[2] * a[2]) + (m[1] * a[1] + m[3] * a[3])) + ((m[4] * a[4] + m[6] * a[6]) + (m[5] * a[5] + m[7] * a[7]));
#endif
}

}  // namespace
}  // namespace snn

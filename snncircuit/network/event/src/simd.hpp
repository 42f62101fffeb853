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

// table[scale * index] of each lane, one after the other.
template <class Index>
inline f32 gather(const float *table, const Index &index, uint32_t scale = 1) {
    f32 out{};
    for (int l = 0; l < W; l++) out[l] = table[scale * uint32_t(index[l])];
    return out;
}

// table[index] of each lane; N is the size of the table, a power of two up to 128, or 0 for any.
template <int N>
inline f32 lookup(const float *table, i32 index) {
    if constexpr (N == 1) return splat(table[0]);
#if defined(__AVX512BW__)
    const __m512i k = (__m512i)index;
    if constexpr (N == 0) return (f32)_mm512_i32gather_ps(k, table, 4);
    if constexpr (N <= 16) return (f32)_mm512_permutexvar_ps(k, _mm512_loadu_ps(table));
    if constexpr (N == 32) return (f32)_mm512_permutex2var_ps(_mm512_loadu_ps(table), k, _mm512_loadu_ps(table + 16));
    if constexpr (N > 32)
        return select(_mm512_test_epi32_mask(k, _mm512_set1_epi32(N / 2)), lookup<N / 2>(table + N / 2, index),
                      lookup<N / 2>(table, index));
#elif defined(__AVX2__)
    if constexpr (N > 0 && N <= 8) return (f32)_mm256_permutevar8x32_ps(_mm256_loadu_ps(table), (__m256i)index);
    if constexpr (N == 16 || N == 32) {
        const __m256 bit = _mm256_castsi256_ps(_mm256_slli_epi32((__m256i)index, N == 16 ? 28 : 27));
        return (f32)_mm256_blendv_ps((__m256)lookup<N / 2>(table, index), (__m256)lookup<N / 2>(table + N / 2, index), bit);
    }
#endif
    return gather(table, index);
}
template <int N>
inline i32 lookup(const int32_t *table, i32 index) {
    return (i32)lookup<N>(reinterpret_cast<const float *>(table), index);
}

// table[4 * at + k] of each lane, for k from 0 to 3.
inline void quads(const float *table, const uint32_t *at, f32 out[4]) {
#if defined(__AVX512BW__)
    const auto of = [&](int lane) { return _mm_loadu_ps(table + 4 * at[lane]); };
    __m512 r[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        const __m256 low = _mm256_insertf128_ps(_mm256_castps128_ps256(of(j)), of(4 + j), 1);
        const __m256 high = _mm256_insertf128_ps(_mm256_castps128_ps256(of(8 + j)), of(12 + j), 1);
        r[j] = _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
    }
    const __m512 a = _mm512_unpacklo_ps(r[0], r[1]), b = _mm512_unpackhi_ps(r[0], r[1]);
    const __m512 c = _mm512_unpacklo_ps(r[2], r[3]), d = _mm512_unpackhi_ps(r[2], r[3]);
    out[0] = (f32)_mm512_shuffle_ps(a, c, 0x44), out[1] = (f32)_mm512_shuffle_ps(a, c, 0xEE);
    out[2] = (f32)_mm512_shuffle_ps(b, d, 0x44), out[3] = (f32)_mm512_shuffle_ps(b, d, 0xEE);
#elif defined(__AVX2__)
    const auto of = [&](int lane) { return _mm_loadu_ps(table + 4 * at[lane]); };
    __m256 r[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) r[j] = _mm256_insertf128_ps(_mm256_castps128_ps256(of(j)), of(4 + j), 1);
    const __m256 a = _mm256_unpacklo_ps(r[0], r[1]), b = _mm256_unpackhi_ps(r[0], r[1]);
    const __m256 c = _mm256_unpacklo_ps(r[2], r[3]), d = _mm256_unpackhi_ps(r[2], r[3]);
    out[0] = (f32)_mm256_shuffle_ps(a, c, 0x44), out[1] = (f32)_mm256_shuffle_ps(a, c, 0xEE);
    out[2] = (f32)_mm256_shuffle_ps(b, d, 0x44), out[3] = (f32)_mm256_shuffle_ps(b, d, 0xEE);
#else
    for (int k = 0; k < 4; k++) out[k] = gather(table + k, at, 4);
#endif
}

#if defined(__AVX512BW__)
// Transposes eight by eight lanes, of registers of 16 the lower and the upper half each.
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
#elif defined(__AVX2__)
inline void transpose(__m256 r[8]) {
    __m256 a[8];
    for (int j = 0; j < 8; j += 4) {
        const __m256 p = _mm256_unpacklo_ps(r[j], r[j + 1]), q = _mm256_unpackhi_ps(r[j], r[j + 1]);
        const __m256 s = _mm256_unpacklo_ps(r[j + 2], r[j + 3]), t = _mm256_unpackhi_ps(r[j + 2], r[j + 3]);
        a[j + 0] = _mm256_shuffle_ps(p, s, 0x44);
        a[j + 1] = _mm256_shuffle_ps(p, s, 0xEE);
        a[j + 2] = _mm256_shuffle_ps(q, t, 0x44);
        a[j + 3] = _mm256_shuffle_ps(q, t, 0xEE);
    }
    for (int j = 0; j < 4; j++) {
        r[j] = _mm256_permute2f128_ps(a[j], a[j + 4], 0x20);
        r[j + 4] = _mm256_permute2f128_ps(a[j], a[j + 4], 0x31);
    }
}
#endif

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
#elif defined(__AVX2__)
    __m256 r[8];
    for (int j = 0; j < 8; j++) r[j] = (__m256)m[j];
    transpose(r);  // lane j
    for (int j = 0; j < 8; j++) {
        float *visits = tally + (j % int(kCopies)) * apart + at[j];
        _mm256_store_ps(visits, _mm256_add_ps(_mm256_load_ps(visits), r[j]));
        r[j] = _mm256_mul_ps(_mm256_load_ps(of + at[j]), r[j]);
    }
    const auto pairs = [&](int j, int k) { return _mm256_add_ps(_mm256_unpacklo_ps(r[j], r[k]), _mm256_unpackhi_ps(r[j], r[k])); };
    const auto fours = [](__m256 p, __m256 q) { return _mm256_add_ps(_mm256_shuffle_ps(p, q, 0x44), _mm256_shuffle_ps(p, q, 0xEE)); };
    const __m256 low = fours(pairs(0, 1), pairs(2, 3)), high = fours(pairs(4, 5), pairs(6, 7));
    return (f32)_mm256_add_ps(_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31));
#else
    f32 a[8];
    for (int j = 0; j < 8; j++) a[j] = gather(of + j, at);
    for (int l = 0; l < W; l++)
        for (int j = 0; j < 8; j++) tally[size_t(l) % kCopies * apart + at[l] + size_t(j)] += m[j][l];
    return ((m[0] * a[0] + m[2] * a[2]) + (m[1] * a[1] + m[3] * a[3])) + ((m[4] * a[4] + m[6] * a[6]) + (m[5] * a[5] + m[7] * a[7]));
#endif
}

}  // namespace
}  // namespace snn

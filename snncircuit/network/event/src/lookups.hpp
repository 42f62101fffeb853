// Reading tables lane by lane: entries of axes, edges of columns, rows of cells.
#pragma once
#include "simd.hpp"

namespace snn {
namespace {

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

// Value and slope of each lane's cell.
inline void value_and_slope(const Profile &p, const uint32_t *cell, f32 &value, f32 &slope) {
#if defined(__AVX512BW__)
    const i32 k = load<i32>(cell);
    value = lookup<128>(p.value, k), slope = lookup<128>(p.slope, k);
#elif defined(__AVX2__)
    const auto two = [&](int lane) {
        const __m128i low = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(p.pair[cell[lane]]));
        return _mm_loadh_pi(_mm_castsi128_ps(low), reinterpret_cast<const __m64 *>(p.pair[cell[lane + 1]]));
    };
    const __m256 a = _mm256_insertf128_ps(_mm256_castps128_ps256(two(0)), two(4), 1),
                 b = _mm256_insertf128_ps(_mm256_castps128_ps256(two(2)), two(6), 1);
    value = (f32)_mm256_shuffle_ps(a, b, 0x88), slope = (f32)_mm256_shuffle_ps(a, b, 0xDD);
#else
    value = gather(p.value, cell), slope = gather(p.slope, cell);
#endif
}

#if defined(__AVX512BW__)
inline f32 unpack_low(f32 a, f32 b) { return (f32)_mm512_unpacklo_ps((__m512)a, (__m512)b); }
inline f32 unpack_high(f32 a, f32 b) { return (f32)_mm512_unpackhi_ps((__m512)a, (__m512)b); }
inline f32 low_pairs(f32 a, f32 b) { return (f32)_mm512_shuffle_ps((__m512)a, (__m512)b, 0x44); }
inline f32 high_pairs(f32 a, f32 b) { return (f32)_mm512_shuffle_ps((__m512)a, (__m512)b, 0xEE); }
#elif defined(__AVX2__)
inline f32 unpack_low(f32 a, f32 b) { return (f32)_mm256_unpacklo_ps((__m256)a, (__m256)b); }
inline f32 unpack_high(f32 a, f32 b) { return (f32)_mm256_unpackhi_ps((__m256)a, (__m256)b); }
inline f32 low_pairs(f32 a, f32 b) { return (f32)_mm256_shuffle_ps((__m256)a, (__m256)b, 0x44); }
inline f32 high_pairs(f32 a, f32 b) { return (f32)_mm256_shuffle_ps((__m256)a, (__m256)b, 0xEE); }
#endif
#if defined(__AVX2__)
// Transposes four by four lanes, in each 128 bits.
inline void transpose_fours(f32 r[4]) {
    const f32 a = unpack_low(r[0], r[1]), b = unpack_high(r[0], r[1]), c = unpack_low(r[2], r[3]), d = unpack_high(r[2], r[3]);
    r[0] = low_pairs(a, c), r[1] = high_pairs(a, c), r[2] = low_pairs(b, d), r[3] = high_pairs(b, d);
}
// The same of eight by eight lanes, in each 256 bits.
inline void transpose_eights(f32 r[8]) {
    transpose_fours(r), transpose_fours(r + 4);
    for (int j = 0; j < 4; j++) {
        const f32 low = r[j], high = r[j + 4];
#if defined(__AVX512BW__)
        const __m512i even = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), odd = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
        r[j] = (f32)_mm512_permutex2var_pd((__m512d)low, even, (__m512d)high);
        r[j + 4] = (f32)_mm512_permutex2var_pd((__m512d)low, odd, (__m512d)high);
#else
        r[j] = (f32)_mm256_permute2f128_ps((__m256)low, (__m256)high, 0x20);
        r[j + 4] = (f32)_mm256_permute2f128_ps((__m256)low, (__m256)high, 0x31);
#endif
    }
}
#endif

// table[4 * at + k] of each lane, for k from 0 to 3.
inline void quads(const float *table, const uint32_t *at, f32 out[4]) {
#if defined(__AVX2__)
    const auto of = [&](int lane) { return _mm_loadu_ps(table + 4 * at[lane]); };
    const auto both = [&](int lane) { return _mm256_insertf128_ps(_mm256_castps128_ps256(of(lane)), of(lane + 4), 1); };
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++)
#if defined(__AVX512BW__)
        out[j] = (f32)_mm512_insertf32x8(_mm512_castps256_ps512(both(j)), both(j + 8), 1);
#else
        out[j] = (f32)both(j);
#endif
    transpose_fours(out);
#else
    for (int k = 0; k < 4; k++) out[k] = gather(table + k, at, 4);
#endif
}

// Of each lane the sum of m[k] * of[at + k] over its eight k, in the order ((0 + 2) + (1 + 3)) + ((4 + 6) + (5 + 7)), and m[k] added to
// tally[at + k]. Neighbouring lanes, which often meet the same row, add to different copies of all rows, `apart` floats from each other, so
// that they need not wait for each other.
inline f32 meet_rows(const float *of, float *tally, size_t apart, const uint32_t *at, const f32 m[8]) {
#if defined(__AVX2__)
    f32 r[8];
    for (int j = 0; j < 8; j++) r[j] = m[j];
    transpose_eights(r);  // lane j, and of registers of 16 lane 8 + j in the upper half
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++) {
        float *const copy = tally + (j % int(kCopies)) * apart;
        const auto visit = [&](uint32_t row, __m256 products) {
            _mm256_store_ps(copy + row, _mm256_add_ps(_mm256_load_ps(copy + row), products));
        };
#if defined(__AVX512BW__)
        const __m512 row = _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_load_ps(of + at[j])), _mm256_load_ps(of + at[8 + j]), 1);
        visit(at[j], _mm512_castps512_ps256((__m512)r[j]));
        visit(at[8 + j], _mm512_extractf32x8_ps((__m512)r[j], 1));
#else
        const __m256 row = _mm256_load_ps(of + at[j]);
        visit(at[j], (__m256)r[j]);
#endif
        r[j] *= (f32)row;
    }
    const auto pairs = [&](int j) { return unpack_low(r[j], r[j + 1]) + unpack_high(r[j], r[j + 1]); };
    const auto fours = [&](int j) {
        const f32 p = pairs(j), q = pairs(j + 2);
        return low_pairs(p, q) + high_pairs(p, q);
    };
    const f32 low = fours(0), high = fours(4);
#if defined(__AVX512BW__)
    const __m512 sum =
        _mm512_add_ps(_mm512_shuffle_f32x4((__m512)low, (__m512)high, 0x88), _mm512_shuffle_f32x4((__m512)low, (__m512)high, 0xDD));
    return (f32)_mm512_shuffle_f32x4(sum, sum, 0xD8);
#else
    return (f32)_mm256_permute2f128_ps((__m256)low, (__m256)high, 0x20) + (f32)_mm256_permute2f128_ps((__m256)low, (__m256)high, 0x31);
#endif
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

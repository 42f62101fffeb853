// From bit masks of spikes to lists of the positions of spikes, one list for each strip of a layer's inputs and step.
#pragma once
#include "simd.hpp"
#include "types.hpp"

namespace snn {
namespace {

// For each byte the numbers of its set bits, lowest first.
struct SetBits {
    uint8_t of[256][8];
    constexpr SetBits() : of() {
        for (int byte = 0; byte < 256; byte++) {
            int n = 0;
            for (int bit = 0; bit < 8; bit++)
                if (byte >> bit & 1) of[byte][n++] = uint8_t(bit);
        }
    }
};
constexpr SetBits kSetBits;

inline uint64_t word_at(const uint64_t *words, int64_t bit) {
    int64_t i = bit >> 6;
    int s = int(bit & 63);
    return s ? words[i] >> s | words[i + 1] << (64 - s) : words[i];
}

// Appends the positions of the set bits among `n` bits from `bit` on, and counts those before each unit. Writes up to 16 entries too many.
inline uint16_t *list_spikes(const uint64_t *words, int64_t bit, int n, int unit, int units, uint16_t *list, uint16_t *rank) {
    uint16_t *const begin = list;
    int next = 0;  // unit whose rank is due
    for (int at = 0; at < n; at += 64) {
        uint64_t word = word_at(words, bit + at);
        if (n - at < 64) word &= (uint64_t(1) << (n - at)) - 1;
        const int so_far = int(list - begin);
        for (; next <= units && next * unit < at + 64; next++)
            rank[next] = uint16_t(so_far + __builtin_popcountll(word & ((uint64_t(1) << (next * unit - at)) - 1)));
#if defined(__AVX512BW__)
        const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        for (int shift = 0; shift < 64; shift += 16) {
            const __mmask16 some = __mmask16(word >> shift);
            const __m512i found = _mm512_maskz_compress_epi32(some, _mm512_add_epi32(lane, _mm512_set1_epi32(at + shift)));
            store(list, _mm512_cvtepi32_epi16(found));
            list += __builtin_popcount(some);
        }
#else
        for (int shift = 0; word; shift += 8, word >>= 8) {
            const uint8_t byte = uint8_t(word);
            const u16x8 found = __builtin_convertvector(load<u8x8>(kSetBits.of[byte]), u16x8) + uint16_t(at + shift);
            store(list, found);
            list += __builtin_popcount(byte);
        }
#endif
    }
    for (; next <= units; next++) rank[next] = uint16_t(list - begin);
    return list;
}

// A block of segments and the row of weights that their rows count from.
struct RowBlock {
    const Segment *from, *to;
    int64_t row;
};

// Where the spikes of one layer's inputs are, built strip by strip when first asked for.
class Inputs {
   public:
    Inputs(const Layer &layer, const uint64_t *bits, int64_t words, int capacity, int steps, const Scratch &scratch)
        : layer_(layer), bits_(bits), words_(words), capacity_(capacity), steps_(steps), scratch_(scratch), next_(scratch.lists) {
        std::memset(scratch.built, 0, size_t(layer.strips));
    }
    // The strips that a block reads are listed by then.
    RowBlock block(int b) {
        const RowBlock block{layer_.segments + layer_.block_segments[b], layer_.segments + layer_.block_segments[b + 1],
                             layer_.block_row[b]};
        for (const Segment *s = block.from; s < block.to; s++) need(s->strip);
        return block;
    }
    // Where the spikes of a segment of single spikes are in one step, and how many. Its strip is listed by then.
    const uint16_t *positions(const Segment &s, int t, int &n) const {
        const int64_t list = index(0, s.strip, t);
        const uint16_t *r = rank(list);
        n = r[s.unit1] - r[s.unit0];
        return scratch_.lists + scratch_.begin[list] + r[s.unit0];
    }
    void need(int strip) {
        if (!scratch_.built[strip]) list(strip);
    }
    // The weight rows that the spikes of one block meet in one step; their number.
    int rows(int plane, const RowBlock &block, int t, uint16_t *out) const {
        uint16_t *const begin = out;
        for (const Segment *s = block.from; s < block.to; s++) {
            const int64_t list = index(plane, s->strip, t);
            const uint16_t *r = rank(list);
            const uint16_t *from = scratch_.lists + scratch_.begin[list] + r[s->unit0];
            const int n = r[s->unit1] - r[s->unit0];
            const int16_t shift = int16_t(uint16_t(s->row - s->unit0 * layer_.unit));
            for (int i = 0; i < n; i += 2 * W) store(out + i, plus(load<i16>(from + i), shift - i16{}));
            out += n;
        }
        return int(out - begin);
    }

    // The same of every step, one after the other; `begin` is where those of each step are.
    void all_rows(int plane, const RowBlock &block) const {
        uint16_t *out = scratch_.rows;
        for (int t = 0; t < steps_; t++) {
            scratch_.row_begin[t] = uint32_t(out - scratch_.rows);
            out += rows(plane, block, t, out);
        }
        scratch_.row_begin[steps_] = uint32_t(out - scratch_.rows);
    }

   private:
    void list(int strip) {
        scratch_.built[strip] = 1;
        for (int plane = 0; plane < layer_.planes_in; plane++)
            for (int t = 0; t < steps_; t++) {
                const int64_t list = index(plane, strip, t);
                scratch_.begin[list] = uint32_t(next_ - scratch_.lists);
                next_ = list_spikes(bits_ + (int64_t(plane) * capacity_ + t) * words_, int64_t(strip) * layer_.strip_positions,
                                    layer_.strip_positions, layer_.unit, layer_.units, next_, rank(list));
            }
    }
    int64_t index(int plane, int strip, int t) const { return (int64_t(plane) * layer_.strips + strip) * capacity_ + t; }
    uint16_t *rank(int64_t list) const { return scratch_.rank + list * (layer_.units + 1); }
    const Layer &layer_;
    const uint64_t *bits_;
    int64_t words_;
    int capacity_, steps_;
    const Scratch &scratch_;
    uint16_t *next_;
};

}  // namespace
}  // namespace snn

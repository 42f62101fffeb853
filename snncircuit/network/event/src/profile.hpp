// Neurons whose table is a *profile*: at most one spike a step, and every sheet one function of the overdrive on evenly spaced nodes, plus
// something linear in the start and in the common charge. Their step needs two look-ups, in registers, and a visit is one whole number.
#pragma once
#include "neurons.hpp"

namespace snn {
namespace {

// snncircuit.lookup.step for a profile.
struct ProfileNeuron {
    const Table &t;
    const Profile &p;
    explicit ProfileNeuron(const Table &table) : t(table), p(*table.profile) {}

    static inline f32 fraction(f32 value, const float of[2]) { return min(positive((value - splat(of[0])) * splat(of[1])), splat(1.0f)); }

    // The step in stages, each for many vectors before the next, so that none waits for its own last result.
    struct Stage {
        f32 x, linear;
        i32 place;
        mask fires;
    };
    inline Stage enter(f32 v, f32 exc, f32 received, f32 &fv, f32 &fc, mask &inside) const {
        const f32 inh = received * t.gain_inh, net = exc - inh, common = min(exc, inh);
        inside = within(t, v, net, common);
        fv = fraction(v, p.start), fc = fraction(common, p.common);
        const f32 vc = fv * fc;
        const f32 edge = splat(p.edge[0]) + fc * splat(p.edge[1]) + fv * splat(p.edge[2]) + vc * splat(p.edge[3]);
        const f32 x = max(min(v + net, edge + splat(t.reach_high)), edge + splat(t.reach_low)), y = x - edge;
        const mask fires = at_least(y, f32{});
        const auto of = [&](const float pair[2]) { return select(fires, splat(pair[1]), splat(pair[0])); };
        // The last place of a sheet is a hair below its last node, so that it is in its last cell.
        const f32 place = min(max(y * of(p.scale) + of(p.offset), of(p.first)), of(p.last));
        return {x, fv * of(p.per_start) + fc * of(p.per_common), __builtin_convertvector(place, i32), fires};
    }
    inline f32 residual(const Stage &at, i32 cell, i32 part) const {
        return lookup<128>(p.value, cell) + floats(part) * lookup<128>(p.slope, cell) + at.linear;
    }
};

// What `run` is told of such neurons.
struct ProfileStep {
    static constexpr bool kTwoLines = true;
};

// Steps of the neurons [0, n) of a tile, n at most 16 * Vectors, with membranes and counts at hand; arguments as of `update`.
template <int Vectors, bool Whole, class Q>
inline void update_profiles(const Layer &layer, int n, int steps, int capacity, const Q *exc, const Q *net, int64_t stride,
                            int64_t first_neuron, State &state, Running &sums) {
    constexpr int kShift = ProfileVisits::kShift;
    const ProfileNeuron neuron(*layer.table);
    const f32 grid = splat(layer.grid);
    const int64_t words = layer.words(), padded = layer.neurons() + 64;
    const Variation *const varied = layer.variation;
    const int vectors = Whole ? Vectors : (n + W - 1) / W;
    float *v_mem = state.v_mem + first_neuron;
    int32_t *counts = reinterpret_cast<int32_t *>(state.counts) + first_neuron;
    ProfileVisits &visits = *state.visits;
    f32 v[Vectors], along[4] = {}, low = sums.low, high = sums.high, clipped = sums.clipped;
    i32 count[Vectors];
    for (int i = 0; i < vectors; i++) v[i] = load<f32>(v_mem + i * W), count[i] = i32{};
    for (int t = 0; t < steps; t++) {
        alignas(64) uint32_t place[Vectors * W];
        alignas(8) uint8_t fired[Vectors * W / 8] = {};
        ProfileNeuron::Stage at[Vectors];
        for (int i = 0; i < vectors; i++) {
            const int64_t k = first_neuron + i * W;
            f32 e = charges(exc + t * stride + i * W) * grid, h = e - charges(net + t * stride + i * W) * grid, fv, fc;
            if (state.trace) {
                store(state.trace + t * padded + k, e);
                store(state.trace + (capacity + t) * padded + k, h);
            }
            if (varied) enter(*varied, k, e, h, v[i]);
            mask inside;
            at[i] = neuron.enter(v[i], e, h, fv, fc, inside);
            const mask fires = at[i].fires, here = first_lanes(Whole ? W : n - i * W);
            const uint32_t outside = bits(here) & ~bits(inside);
            if (outside) sums.outside += __builtin_popcount(outside);
            if (!Whole) fv = where(here, fv), fc = where(here, fc);
            along[0] += fv, along[1] += fc;
            along[2] = add_where(along[2], fires, fv), along[3] = add_where(along[3], fires, fc);
            put_bits(fired, i, bits(fires) & bits(here));
        }
        for (int i = 0; i < vectors; i++) {
            const i32 k = at[i].place >> kShift, f = at[i].place & splat((1 << kShift) - 1);
            store(place + i * W, at[i].place);
            const f32 residual = neuron.residual(at[i], k, f);
            const mask fires = at[i].fires, here = first_lanes(Whole ? W : n - i * W);
            v[i] = subtract_where(at[i].x, fires, splat(1.0f)) + residual;
            if (varied) leave(*varied, first_neuron + i * W, where(fires, splat(1.0f)), v[i]);
            count[i] = add_where(count[i], fires, splat(1));
            low = min(low, Whole ? v[i] : select(here, v[i], low));
            high = max(high, Whole ? v[i] : select(here, v[i], high));
            clipped = add_where(clipped, Whole ? mask(~fires) : here & ~fires, positive(residual));
            if (state.trace) {
                const int64_t k = first_neuron + i * W;
                store(state.trace + (2 * capacity + t) * padded + k, v[i]);
                store(state.trace + (3 * capacity + t) * padded + k, where(fires, splat(1.0f)));
            }
        }
        std::memcpy(reinterpret_cast<char *>(state.bits + t * words) + first_neuron / 8, fired, size_t((n + 31) / 32 * 4));
        in_memory();
#ifndef NOTALLY
        visits.room_for(n);
        visits.add(place, Whole ? Vectors * W : n);
#endif
    }
    for (int i = 0; i < vectors; i++) {
        store(v_mem + i * W, v[i]);
        store(counts + i * W, load<i32>(counts + i * W) + count[i]);
    }
    for (int k = 0; k < 4; k++) visits.along[k] += double(sum(along[k]));
    sums.low = low, sums.high = high, sums.clipped = clipped;
}

template <class Q>
inline void update_profile(const Layer &layer, int n, int steps, int capacity, const Q *exc, const Q *net, int64_t stride,
                           int64_t first_neuron, State &state) {
    Running sums{f32{}, splat(__builtin_inff()), splat(-__builtin_inff()), 0};
    const auto update = [&](auto run, int from, int some) {
        run(layer, some, steps, capacity, exc + from, net + from, stride, first_neuron + from, state, sums);
    };
    int from = 0;
    for (; n - from >= kBlock; from += kBlock) update(update_profiles<kVectors, true, Q>, from, kBlock);
    if (n - from >= kBlock / 2) update(update_profiles<kVectors / 2, true, Q>, from, kBlock / 2), from += kBlock / 2;
    if (n > from) update(update_profiles<kVectors / 2, false, Q>, from, n - from);
    sums.into(*state.sums);
}

}  // namespace
}  // namespace snn

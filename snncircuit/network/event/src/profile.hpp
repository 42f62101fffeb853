// Neurons whose table is a *profile*: at most one spike a step, and every sheet one function of the overdrive on evenly spaced nodes, plus
// something linear in the start and in the common charge. Their step needs two look-ups, in registers, and a visit is one whole number.
#pragma once
#include "measured.hpp"

namespace snn {
namespace {

// What `run` is told of such neurons.
struct ProfileStep {
    static constexpr bool kTwoLines = true;
};

// Steps of the neurons [0, n) of a tile, n at most W * Vectors; arguments as of `update`. snncircuit.lookup.step goes in stages, each for
// all vectors before the next, so that none waits for its own last result.
template <int Vectors, bool Whole, class Q>
inline void update_profiles(const Layer &layer, int n, int steps, int capacity, const Q *exc, const Q *net, int64_t stride,
                            int64_t first_neuron, State &state, Running &sums) {
    constexpr int kShift = ProfileVisits::kShift;
    const Table &t = *layer.table;
    const Profile &p = *t.profile;
    const f32 one = splat(1.0f), grid = splat(layer.grid), gain_inh = splat(t.gain_inh);
    const int64_t words = layer.words(), padded = layer.neurons() + 64;
    const Variation *const varied = layer.variation;
    const int vectors = Whole ? Vectors : (n + W - 1) / W;
    const auto here = [&](int i) { return first_lanes(Whole ? W : n - i * W); };
    const auto fraction = [&](f32 value, const float of[2]) { return clamp((value - splat(of[0])) * splat(of[1]), f32{}, one); };
    float *v_mem = state.v_mem + first_neuron, *const trace = state.trace;
    int32_t *counts = reinterpret_cast<int32_t *>(state.counts) + first_neuron;
    ProfileVisits &visits = *state.visits;
    f32 v[Vectors], along[4] = {}, low = sums.low, high = sums.high, clipped = sums.clipped;
    i32 count[Vectors];
    for (int i = 0; i < vectors; i++) v[i] = load<f32>(v_mem + i * W), count[i] = i32{};
    for (int step = 0; step < steps; step++) {
        f32 x[Vectors], y[Vectors], fv[Vectors], fc[Vectors], residual[Vectors];
        mask fires[Vectors];
        alignas(64) i32 place[Vectors], cell[Vectors];
        alignas(8) uint8_t fired[Vectors * W / 8] = {}, inside[Vectors * W / 8] = {};
        for (int i = 0; i < vectors; i++) {
            const int64_t k = first_neuron + i * W;
            f32 e = charges(exc + step * stride + i * W) * grid, h = e - charges(net + step * stride + i * W) * grid;
            if (trace) {
                store(trace + step * padded + k, e);
                store(trace + (capacity + step) * padded + k, h);
            }
            if (varied) enter(*varied, k, e, h, v[i]);
            const f32 inh = h * gain_inh, change = e - inh, common = min(e, inh);
            put_bits(inside, i, bits(within(t, v[i], change, common) & here(i)));
            x[i] = v[i] + change;
            fv[i] = fraction(v[i], p.start), fc[i] = fraction(common, p.common);
            if (!Whole) fv[i] = where(here(i), fv[i]), fc[i] = where(here(i), fc[i]);
        }
        in_memory();
        for (int i = 0; i < vectors; i++) {
            const f32 at_start = multiply_add(fc[i], splat(p.edge[1]), splat(p.edge[0])),
                      per_start = multiply_add(fc[i], splat(p.edge[3]), splat(p.edge[2])), edge = multiply_add(fv[i], per_start, at_start);
            y[i] = max(min(x[i] - edge, splat(t.reach_high)), splat(t.reach_low));
            x[i] = y[i] + edge;
            along[0] += fv[i], along[1] += fc[i];
        }
        in_memory();
        for (int i = 0; i < vectors; i++) {
            const mask is = at_least(y[i], f32{});
            const auto of = [&](const float pair[2]) { return select(is, splat(pair[1]), splat(pair[0])); };
            fires[i] = is;
            put_bits(fired, i, bits(is & here(i)));
            along[2] = add_where(along[2], is, fv[i]), along[3] = add_where(along[3], is, fc[i]);
            residual[i] = multiply_add(fv[i], of(p.per_start), fc[i] * of(p.per_common));
            // The last place of a sheet is a hair below its last node, so that it is in its last cell.
            place[i] = __builtin_convertvector(clamp(multiply_add(y[i], of(p.scale), of(p.offset)), of(p.first), of(p.last)), i32);
            cell[i] = place[i] >> kShift;
        }
        in_memory();
        for (int i = 0; i < vectors; i++) {
            const f32 part = floats(place[i] & splat((1 << kShift) - 1));
            f32 value, slope;
            value_and_slope(p, reinterpret_cast<const uint32_t *>(cell + i), value, slope);
            residual[i] = multiply_add(part, slope, value + residual[i]);
        }
        in_memory();
        for (int i = 0; i < vectors; i++) {
            v[i] = subtract_where(x[i], fires[i], one) + residual[i];
            if (varied) leave(*varied, first_neuron + i * W, where(fires[i], one), v[i]);
            count[i] = add_where(count[i], fires[i], splat(1));
            low = min(low, Whole ? v[i] : select(here(i), v[i], low));
            high = max(high, Whole ? v[i] : select(here(i), v[i], high));
            clipped = add_where(clipped, mask(~fires[i]) & here(i), positive(residual[i]));
            if (trace) {
                const int64_t k = first_neuron + i * W;
                store(trace + (2 * capacity + step) * padded + k, v[i]);
                store(trace + (3 * capacity + step) * padded + k, where(fires[i], one));
            }
        }
        sums.outside += n;
        for (size_t i = 0; i < sizeof inside; i += 8) sums.outside -= __builtin_popcountll(load<uint64_t>(inside + i));
        std::memcpy(reinterpret_cast<char *>(state.bits + step * words) + first_neuron / 8, fired, size_t((n + 31) / 32 * 4));
        visits.room_for(n);
        visits.add(reinterpret_cast<const uint32_t *>(place), n);
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
    for (; n - from >= 2 * kBlock; from += 2 * kBlock) update(update_profiles<2 * kVectors, true, Q>, from, 2 * kBlock);
    if (n - from >= kBlock) update(update_profiles<kVectors, true, Q>, from, kBlock), from += kBlock;
    if (n > from) update(update_profiles<kVectors, false, Q>, from, n - from);
    sums.into(*state.sums);
}

}  // namespace
}  // namespace snn

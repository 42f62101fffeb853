// One step of neurons that are a measured map, any number of spikes a step.
#pragma once
#include "lookups.hpp"
#include "neurons.hpp"

namespace snn {
namespace {

// Neurons within the measured range of their table.
inline mask within(const Table &t, f32 v_mem, f32 net, f32 common) {
    const mask above = at_least_where(at_least(v_mem, splat(t.v_low)), net, splat(-t.net_inh));
    return at_most_where(at_most_where(at_most_where(above, net, splat(t.net_exc)), v_mem, splat(t.v_high)), common, splat(t.common_high));
}

// snncircuit.lookup.step on vectors, stage by stage over the block: a neuron's step is one long chain of look-ups that wait for each
// other, so the processor is kept busy by other neurons. Starts, Commons, Nodes: cells along each axis that a table has at most, for
// look-ups in registers; 0 for any number. Nodes of 1: they are evenly spaced for each spike count.
template <int Starts, int Commons, int Nodes>
struct TableStep {
    const Table &t;
    float *occupancy;
    size_t apart;
    TableStep(const Layer &layer, float *visits) : t(*layer.table), occupancy(visits), apart(size_t(t.n_rows) * 8) {}
    static constexpr bool kTwoLines = true;

    // Cell of a value, by bisection.
    template <int N, int Level = 1>
    static inline i32 below(const Axis &axis, f32 value, i32 k = i32{}) {
        const auto next = [&](i32 at, f32 node) { return add_where(at + at, at_least(value, node), splat(1)); };
        if constexpr (N == 0) {
            for (int level = 1; level < axis.size; level *= 2) k = next(k, lookup<0>(axis.tree + level, k));
            return k;
        }
        if constexpr (Level < N) return below<N, 2 * Level>(axis, value, next(k, lookup<Level>(axis.tree + Level, k)));
        return k;
    }
    static inline f32 fraction(f32 value, f32 low, f32 inverse) { return min(positive((value - low) * inverse), splat(1.0f)); }

    inline void operator()(Block &b, Running &sums) const {
        const f32 one = splat(1.0f);
        const int vectors = b.vectors();
        f32 clipped = sums.clipped;
        int64_t outside = 0;
        f32 fv[kVectors], fc[kVectors], x[kVectors], y[kVectors];
        alignas(64) i32 column[kVectors], row[kVectors];
        for (int i = 0; i < vectors; i++) {
            const f32 v = b.v_mem[i], exc = b.exc[i], inh = b.inh[i] * t.gain_inh;
            const f32 net = exc - inh, common = min(exc, inh);
            const i32 kv = below<Starts>(t.start, v), kc = below<Commons>(t.common, common);
            x[i] = v + net;
            fv[i] = fraction(v, lookup<Starts>(t.start.node, kv), lookup<Starts>(t.start.inverse, kv));
            fc[i] = fraction(common, lookup<Commons>(t.common.node, kc), lookup<Commons>(t.common.inverse, kc));
            column[i] = (kv << t.shift_start) + kc;
            const uint32_t beyond = bits(b.alive(i)) & ~bits(within(t, v, net, common));
            if (beyond) outside += __builtin_popcount(beyond);
        }
        in_memory();
        const uint32_t *const columns = reinterpret_cast<const uint32_t *>(column), *const rows = reinterpret_cast<const uint32_t *>(row);
        for (int i = 0; i < vectors; i++) {
            const f32 vc = fv[i] * fc[i];
            f32 spikes{}, edge_below{};
            for (int n = 0; n < t.n_edges; n++) {
                f32 e[4];
                quads(t.edge + n * 4 * t.columns, columns + i * W, e);
                const f32 edge = e[0] + fc[i] * e[1] + fv[i] * e[2] + vc * e[3];
                if (n == t.n_edges - 1) x[i] = min(x[i], edge + t.reach_high);
                if (n == 0) {
                    x[i] = max(x[i], edge + t.reach_low);
                    y[i] = x[i] - edge;
                    spikes = where(at_least(y[i], f32{}), one);
                } else {  // y is the distance beyond the edge below; between two edges it becomes a fraction of the way
                    const mask here = equal(spikes, splat(float(n)));
                    const mask fires = here & at_least(x[i], edge);
                    y[i] = select(fires, x[i] - edge, select(here, y[i] / (edge - edge_below), y[i]));
                    spikes += where(fires, one);
                }
                edge_below = edge;
            }
            b.spikes[i] = spikes;
        }
        for (int i = 0; i < vectors; i++) {
            const i32 count = __builtin_convertvector(b.spikes[i], i32);
            const i32 first = lookup<16>(t.first, count), last = lookup<16>(t.last, count);
            i32 k;
            if constexpr (Nodes == 1) {
                const f32 place = (y[i] - lookup<16>(t.even_low, count)) * lookup<16>(t.even_inverse, count);
                k = min(max(first + __builtin_convertvector(min(max(place, splat(-1.0f)), splat(65536.0f)), i32), first), last);
                y[i] = min(positive(place - floats(k - first)), one);
            } else {
                const f32 place = y[i] + 64.0f * b.spikes[i];
                k = min(max(below<Nodes>(t.node, place), first), last);
                y[i] = fraction(y[i], lookup<Nodes>(t.low, k), lookup<Nodes>(t.node.inverse, k));
            }
            row[i] = ((column[i] << t.shift_node) + k) << 3;
        }
        in_memory();
        for (int i = 0; i < vectors; i++) {
            const f32 vc = fv[i] * fc[i], fy = y[i];
            f32 m[8] = {one, fc[i], fv[i], vc, fy, fc[i] * fy, fv[i] * fy, vc * fy};
            if (!b.whole(i))
                for (f32 &each : m) each = where(b.alive(i), each);
            const f32 residual = meet_rows(t.rows, occupancy, apart, rows + i * W, m);
            b.v_mem[i] = x[i] - b.spikes[i] + residual;
            clipped += select(above(b.spikes[i], f32{}), f32{}, positive(residual));
        }
        sums.clipped = clipped, sums.outside += outside;
    }
};

}  // namespace
}  // namespace snn

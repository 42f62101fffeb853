// One step of all neurons of a tile, and what a run keeps of it: spikes as bits, charge clipped, range, visits of the table's cells.
#pragma once
#include "simd.hpp"
#include "types.hpp"

namespace snn {
namespace {

constexpr int kBlock = 128;  // neurons that go through a step together
constexpr int kVectors = kBlock / W;

// Sums of one call, lane by lane.
struct Running {
    f32 clipped, low, high;
    int64_t outside;
    void into(Sums &sums) const {
        sums.clipped += double(sum(clipped));
        sums.out_of_range += outside;
        const float lowest = least(low), highest = most(high);
        if (lowest < sums.v_low) sums.v_low = lowest;
        if (highest > sums.v_high) sums.v_high = highest;
    }
};

// A block of neurons: charges in, membranes and spikes in and out; `n` of them count. Neurons that take two lines find `exc` and `inh`,
// others `net`.
struct Block {
    int n;
    f32 exc[kVectors], inh[kVectors], net[kVectors], v_mem[kVectors], spikes[kVectors];
    int vectors() const { return (n + W - 1) / W; }
    mask alive(int i) const { return first_lanes(n - i * W); }
    bool whole(int i) const { return (i + 1) * W <= n; }
};

// The ideal neuron of snncircuit.neuron.ideal; `lost` is the charge that the lower bound swallowed.
struct IdealNeuron {
    struct After {
        f32 v_mem, spikes, lost;
        mask fires;
    };
    f32 v_lb;
    bool bounded, to_zero;
    explicit IdealNeuron(const Ideal &of) : v_lb(splat(of.v_lb)), bounded(of.v_lb > -__builtin_inff()), to_zero(of.to_zero != 0) {}
    inline After operator()(f32 v, f32 net) const {
        const f32 x = v + net;
        const mask fires = at_least(x, splat(1.0f));
        const f32 spikes = where(fires, splat(1.0f)), after = to_zero ? select(fires, f32{}, x) : x - spikes;
        if (!bounded) return {after, spikes, f32{}, fires};
        return {max(after, v_lb), spikes, positive(v_lb - after), fires};
    }
};

struct IdealStep {
    IdealNeuron neuron;
    IdealStep(const Layer &layer, float *) : neuron(layer.ideal) {}
    static constexpr bool kTwoLines = false;
    inline void operator()(Block &b, Running &sums) const {
        for (int i = 0; i < b.vectors(); i++) {
            const IdealNeuron::After out = neuron(b.v_mem[i], b.net[i]);
            sums.clipped += b.whole(i) ? out.lost : where(b.alive(i), out.lost);
            b.v_mem[i] = out.v_mem;
            b.spikes[i] = out.spikes;
        }
    }
};

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

// Mismatched neurons, the first of them number `at`, as the table sees them, and back: snncircuit.lookup.varied_step.
inline void enter(const Variation &of, int64_t at, f32 &exc, f32 &inh, f32 &v_mem) {
    exc *= load<f32>(of.gain_exc + at);
    inh *= load<f32>(of.gain_inh + at);
    v_mem -= load<f32>(of.offset + at);
}
inline void leave(const Variation &of, int64_t at, f32 spikes, f32 &v_mem) {
    v_mem = v_mem + load<f32>(of.offset + at) - spikes * load<f32>(of.excess + at) + load<f32>(of.leak + at);
}

// Steps of the neurons [0, n) of a tile; `exc` and `net` are charges, [steps][stride]. Membranes, counts and bits are those of the tile.
template <class Neuron, class Q>
inline void update(const Layer &layer, int n, int steps, int capacity, const Q *exc, const Q *net, int64_t stride, int64_t first_neuron,
                   State &state) {
    const Neuron neuron(layer, state.occupancy);
    const f32 grid = splat(layer.grid);
    Running sums{f32{}, splat(__builtin_inff()), splat(-__builtin_inff()), 0};
    const int64_t words = layer.words(), padded = layer.neurons() + 64;
    float *v_mem = state.v_mem + first_neuron;
    int32_t *counts = reinterpret_cast<int32_t *>(state.counts) + first_neuron;
    const bool two = Neuron::kTwoLines || state.trace;
    Block b;
    for (int t = 0; t < steps; t++)
        for (int from = 0; from < n; from += kBlock) {
            b.n = n - from < kBlock ? n - from : kBlock;
            const int vectors = b.vectors();
            for (int i = 0; i < vectors; i++) {
                const int64_t at = t * stride + from + i * W;
                b.net[i] = charges(net + at) * grid;
                b.exc[i] = two ? charges(exc + at) * grid : f32{};
                b.inh[i] = b.exc[i] - b.net[i];
                b.v_mem[i] = load<f32>(v_mem + from + i * W);
                if (state.trace) {
                    float *trace = state.trace + t * padded + first_neuron + from + i * W;
                    store(trace, b.exc[i]);
                    store(trace + capacity * padded, b.inh[i]);
                }
            }
            const Variation *const varied = layer.variation;
            for (int i = 0; varied && i < vectors; i++) enter(*varied, first_neuron + from + i * W, b.exc[i], b.inh[i], b.v_mem[i]);
            neuron(b, sums);
            for (int i = 0; varied && i < vectors; i++) leave(*varied, first_neuron + from + i * W, b.spikes[i], b.v_mem[i]);
            uint32_t fired[kMaxPlanes][kBlock / 32] = {};
            for (int i = 0; i < vectors; i++) {
                const int at = from + i * W;
                if (!b.whole(i)) {
                    const mask alive = b.alive(i);
                    b.spikes[i] = where(alive, b.spikes[i]);
                    sums.low = min(sums.low, select(alive, b.v_mem[i], sums.low));
                    sums.high = max(sums.high, select(alive, b.v_mem[i], sums.high));
                } else {
                    sums.low = min(sums.low, b.v_mem[i]);
                    sums.high = max(sums.high, b.v_mem[i]);
                }
                store(v_mem + at, b.v_mem[i]);
                store(counts + at, load<i32>(counts + at) + __builtin_convertvector(b.spikes[i], i32));
                for (int plane = 0; plane < layer.planes_out; plane++)
                    fired[plane][i * W / 32] |= bits(above(b.spikes[i], splat(float(plane)))) << (i * W % 32);
                if (state.trace) {
                    float *trace = state.trace + t * padded + first_neuron + at;
                    store(trace + 2 * capacity * padded, b.v_mem[i]);
                    store(trace + 3 * capacity * padded, b.spikes[i]);
                }
            }
            for (int plane = 0; plane < layer.planes_out; plane++) {
                uint64_t *row = state.bits + (int64_t(plane) * capacity + t) * words;
                std::memcpy(reinterpret_cast<char *>(row) + (first_neuron + from) / 8, fired[plane], size_t((b.n + 31) / 32) * 4);
            }
        }
    sums.into(*state.sums);
}

// The same for ideal neurons of which no trace is kept: 64 at a time with membranes and counts in registers.
template <class Q>
inline void update_ideal(const Layer &layer, int n, int steps, const Q *net, int64_t stride, int64_t first_neuron, State &state) {
    constexpr int kTogether = 64 / W;
    const IdealNeuron neuron(layer.ideal);
    const f32 grid = splat(layer.grid);
    const int64_t words = layer.words();
    f32 low = splat(__builtin_inff()), high = -low, clipped{};
    for (int from = 0; from < n; from += 64) {
        float *v_mem = state.v_mem + first_neuron + from;
        int32_t *counts = reinterpret_cast<int32_t *>(state.counts) + first_neuron + from;
        uint64_t alive = n - from < 64 ? (uint64_t(1) << (n - from)) - 1 : ~uint64_t(0);
        f32 v[kTogether], count[kTogether], lost{};
        f32 below = splat(__builtin_inff()), beyond = -below;
        for (int i = 0; i < kTogether; i++) v[i] = load<f32>(v_mem + i * W), count[i] = f32{};
        for (int t = 0; t < steps; t++) {
            uint64_t fired = 0;
            for (int i = 0; i < kTogether; i++) {
                const IdealNeuron::After out = neuron(v[i], charges(net + t * stride + from + i * W) * grid);
                v[i] = out.v_mem;
                count[i] += out.spikes;
                if (neuron.bounded) lost += where(first_lanes(n - from - i * W), out.lost);
                if (alive >> (i * W) & 1) {  // lanes beyond the last neuron are left out below
                    below = min(below, n - from >= (i + 1) * W ? v[i] : select(first_lanes(n - from - i * W), v[i], below));
                    beyond = max(beyond, n - from >= (i + 1) * W ? v[i] : select(first_lanes(n - from - i * W), v[i], beyond));
                }
                fired |= uint64_t(bits(out.fires)) << (i * W);
            }
            fired &= alive;
            std::memcpy(reinterpret_cast<char *>(state.bits + t * words) + (first_neuron + from) / 8, &fired, 8);
        }
        for (int i = 0; i < kTogether && from + i * W < n; i++) {  // what is beyond may be neurons of the next tile
            store(v_mem + i * W, v[i]);
            store(counts + i * W, load<i32>(counts + i * W) + __builtin_convertvector(count[i], i32));
        }
        low = min(low, below);
        high = max(high, beyond);
        clipped += lost;
    }
    Running{clipped, low, high, 0}.into(*state.sums);
}

// Neurons [from, to) through all steps, four vectors at a time with the membranes in registers.
inline void scan(const Scan &job, int64_t from, int64_t to, Sums &sums) {
    constexpr int kTogether = 4;
    const IdealNeuron neuron(job.ideal);
    double clipped = 0;
    f32 low = splat(__builtin_inff()), high = splat(-__builtin_inff());
    for (int64_t at = from; at < to; at += kTogether * W) {
        f32 v[kTogether], count[kTogether], lost{};
        float edge[kTogether * W];  // the last neurons, where a vector would reach beyond them
        const int n = int(to - at < kTogether * W ? to - at : kTogether * W);
        const bool whole = n == kTogether * W;
        const auto read = [&](const float *p, int i) {
            if (whole) return load<f32>(p + i * W);
            std::memset(edge, 0, sizeof edge);
            std::memcpy(edge, p, size_t(n) * sizeof(float));
            return load<f32>(edge + i * W);
        };
        const auto write = [&](float *p, const f32 *x) {
            if (whole) {
                for (int i = 0; i < kTogether; i++) store(p + i * W, x[i]);
            } else {
                for (int i = 0; i < kTogether; i++) store(edge + i * W, x[i]);
                std::memcpy(p, edge, size_t(n) * sizeof(float));
            }
        };
        for (int i = 0; i < kTogether; i++) v[i] = read(job.v_mem + at, i), count[i] = read(job.counts + at, i);
        for (int t = 0; t < job.steps; t++) {
            f32 fired[kTogether];
            for (int i = 0; i < kTogether; i++) {
                const IdealNeuron::After out = neuron(v[i], read(job.net + t * job.stride + at, i));
                v[i] = out.v_mem;
                fired[i] = out.spikes;
                count[i] += out.spikes;
                lost += whole ? out.lost : where(first_lanes(n - i * W), out.lost);
                low = min(low, whole ? v[i] : select(first_lanes(n - i * W), v[i], low));
                high = max(high, whole ? v[i] : select(first_lanes(n - i * W), v[i], high));
            }
            write(job.spikes + t * job.size + at, fired);
            if (job.membranes) write(job.membranes + t * job.size + at, v);
        }
        write(job.v_mem + at, v);
        write(job.counts + at, count);
        clipped += double(sum(lost));
    }
    sums = {clipped, 0, least(low), most(high)};
}

}  // namespace
}  // namespace snn

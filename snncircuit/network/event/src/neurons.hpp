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

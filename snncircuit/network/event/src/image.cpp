// A chunk of steps of one image in one layer. Compiled once for each instruction set; SNN_ISA names the namespace.
#include <type_traits>

#include "dispatch.hpp"
#include "profile.hpp"
#include "synapses.hpp"

#define SNN_TEXT_OF(token) #token
#define SNN_TEXT(macro) SNN_TEXT_OF(macro)

namespace snn {
namespace {

template <bool Two, class T>
void start_charges(const Layer &layer, int site, int steps, T *exc, T *net, int64_t stride) {
    const int64_t first = int64_t(site) * layer.lanes;
    const T *bias_exc = static_cast<const T *>(layer.exc) + first, *bias_net = static_cast<const T *>(layer.net) + first;
    for (int t = 0; t < steps; t++) {
        std::memcpy(net + t * stride, bias_net, size_t(layer.padded) * sizeof(T));
        if (Two) std::memcpy(exc + t * stride, bias_exc, size_t(layer.padded) * sizeof(T));
    }
}

// Charges of a tile's sites in all steps of the chunk, where segments are long: the same segment and lanes of one site after the other, so
// that their weights stay in the cache. Inputs spike once a step. What a row has beyond its lanes is zero and changes no neighbour.
template <bool Two, class T>
void tile_charges(const Layer &layer, int site, int sites, int steps, Inputs &inputs, T *exc, T *net, int64_t stride) {
    for (int i = 0; i < sites; i++) start_charges<Two>(layer, site + i, steps, exc + i * layer.lanes, net + i * layer.lanes, stride);
    const auto segments = [&](int of) { return layer.block_segments[layer.site_blocks[of]]; };
    int most = 0;
    for (int i = 0; i < sites; i++) {
        const int n = segments(site + i + 1) - segments(site + i);
        for (int k = 0; k < n; k++) inputs.need(layer.segments[segments(site + i) + k].strip);
        most = n > most ? n : most;
    }
    for (int k = 0; k < most; k++)
        for (int64_t lane = 0; lane < layer.padded; lane += layer.width) {
            const int64_t width = layer.padded - lane < layer.width ? layer.padded - lane : layer.width;
            const T *weights = static_cast<const T *>(layer.weights) + lane * layer.rows;
            for (int i = 0; i < sites; i++) {
                const int number = segments(site + i) + k;
                if (number >= segments(site + i + 1)) continue;
                const Segment &segment = layer.segments[number];
                const int64_t shift = layer.segment_row[number] - int64_t(segment.unit0) * layer.unit;
                T *const e = exc + i * layer.lanes + lane, *const s = net + i * layer.lanes + lane;
                int n, n_next = 0;
                const uint16_t *positions = inputs.positions(segment, 0, n), *next = positions;
                for (int t = 0; t < steps; t++, positions = next, n = n_next) {
                    if (t + 1 < steps) __builtin_prefetch(next = inputs.positions(segment, t + 1, n_next));
                    if (n) add_lanes<Two>(weights, width, shift, positions, n, e + t * stride, s + t * stride);
                }
            }
        }
}

// Charges of one site in all steps of the chunk. Whole numbers: one spike of each input at most, else a sum might overflow T.
template <bool Two, class T>
void site_charges(const Layer &layer, int site, int steps, Inputs &inputs, T *exc, T *net, int64_t stride, const Scratch &scratch) {
    start_charges<Two>(layer, site, steps, exc, net, stride);
    for (int b = layer.site_blocks[site]; b < layer.site_blocks[site + 1]; b++) {
        const RowBlock block = inputs.block(b);
        for (int plane = 0; plane < layer.planes_in; plane++) {
            inputs.all_rows(plane, block);
            if (plane && !scratch.row_begin[steps]) break;  // no input spikes more often either
            add_steps<Two>(layer, block.row, steps, scratch.rows, scratch.row_begin, exc, net, stride);
        }
    }
}

// The same where inputs spike several times a step: the spikes of each plane are summed apart, where no sum can overflow, then together.
template <bool Two>
void site_planes(const Layer &layer, int site, int steps, Inputs &inputs, int32_t *exc, int32_t *net, int64_t stride,
                 const Scratch &scratch) {
    const int64_t first = int64_t(site) * layer.lanes, size = layer.padded;
    const int16_t *bias_exc = static_cast<const int16_t *>(layer.exc) + first, *bias_net = static_cast<const int16_t *>(layer.net) + first;
    int16_t *plane_exc = static_cast<int16_t *>(scratch.plane), *plane_net = plane_exc + steps * size;
    for (int t = 0; t < steps; t++)
        for (int64_t l = 0; l < size; l++) net[t * stride + l] = bias_net[l], exc[t * stride + l] = bias_exc[l];
    for (int plane = 0; plane < layer.planes_in; plane++) {
        std::memset(plane_exc, 0, size_t(2 * steps * size) * sizeof(int16_t));
        uint32_t found = 0;
        for (int b = layer.site_blocks[site]; b < layer.site_blocks[site + 1]; b++) {
            const RowBlock block = inputs.block(b);
            inputs.all_rows(plane, block);
            found += scratch.row_begin[steps];
            add_steps<Two>(layer, block.row, steps, scratch.rows, scratch.row_begin, plane_exc, plane_net, size);
        }
        if (!found) break;  // no input spikes more often either
        for (int t = 0; t < steps; t++)
            for (int64_t l = 0; l < size; l++) {
                net[t * stride + l] += plane_net[t * size + l];
                if (Two) exc[t * stride + l] += plane_exc[t * size + l];
            }
    }
}

template <class Neuron, class Q>
inline void advance(const Layer &layer, int n, int steps, int capacity, const Q *exc, const Q *net, int64_t stride, int64_t first,
                    State &state) {
    if constexpr (std::is_same_v<Neuron, ProfileStep>)
        update_profile(layer, n, steps, capacity, exc, net, stride, first, state);
    else {
        if constexpr (!Neuron::kTwoLines)
            if (!state.trace) return update_ideal(layer, n, steps, net, stride, first, state);
        update<Neuron>(layer, n, steps, capacity, exc, net, stride, first, state);
    }
}

// T: of the weights, S: of the sums.
template <class Neuron, class T, class S>
void run(const Layer &layer, const uint64_t *bits, int64_t words, int capacity, int steps, State &state, const Scratch &scratch) {
    const int64_t stride = int64_t(layer.tile) * layer.lanes + layer.padded + 64;
    S *exc = static_cast<S *>(scratch.exc), *net = static_cast<S *>(scratch.net);
    Inputs inputs(layer, bits, words, capacity, steps, scratch);
    const bool two = Neuron::kTwoLines || state.trace;
    for (int site = 0; site < layer.sites; site += layer.tile) {
        const int sites = layer.sites - site < layer.tile ? layer.sites - site : layer.tile, n = sites * layer.lanes;
        const int64_t first = int64_t(site) * layer.lanes;
        if (layer.analog) {
            const T *fixed_exc = static_cast<const T *>(layer.exc) + first, *fixed_net = static_cast<const T *>(layer.net) + first;
            advance<Neuron>(layer, n, steps, capacity, fixed_exc, fixed_net, 0, first, state);
            continue;
        }
        if constexpr (sizeof(T) == sizeof(S))
            if (layer.long_segments && layer.planes_in == 1) {
                if (two)
                    tile_charges<true>(layer, site, sites, steps, inputs, exc, net, stride);
                else
                    tile_charges<false>(layer, site, sites, steps, inputs, exc, net, stride);
                advance<Neuron>(layer, n, steps, capacity, exc, net, stride, first, state);
                continue;
            }
        for (int i = 0; i < sites; i++) {
            S *e = exc + i * layer.lanes, *s = net + i * layer.lanes;
            if constexpr (sizeof(T) == sizeof(S)) {
                if (two)
                    site_charges<true>(layer, site + i, steps, inputs, e, s, stride, scratch);
                else
                    site_charges<false>(layer, site + i, steps, inputs, e, s, stride, scratch);
            } else {
                if (two)
                    site_planes<true>(layer, site + i, steps, inputs, e, s, stride, scratch);
                else
                    site_planes<false>(layer, site + i, steps, inputs, e, s, stride, scratch);
            }
        }
        advance<Neuron>(layer, n, steps, capacity, exc, net, stride, first, state);
    }
}

template <class Neuron>
void run_sums(const Layer &layer, const uint64_t *bits, int64_t words, int capacity, int steps, State &state, const Scratch &scratch) {
    if (layer.kind == Weights::kFloat32)
        run<Neuron, float, float>(layer, bits, words, capacity, steps, state, scratch);
    else if (layer.planes_in > 1)
        run<Neuron, int16_t, int32_t>(layer, bits, words, capacity, steps, state, scratch);
    else
        run<Neuron, int16_t, int16_t>(layer, bits, words, capacity, steps, state, scratch);
}

}  // namespace

namespace SNN_ISA {

const char *name() noexcept { return SNN_TEXT(SNN_ISA); }

// Runs `steps` steps of one layer; `bits` are the spikes of its inputs, [planes][capacity][words].
void run_layer(const Layer &layer, const uint64_t *bits, int64_t words, int capacity, int steps, State &state, const Scratch &scratch) {
    if (layer.neuron == Kind::kIdeal) return run_sums<IdealStep>(layer, bits, words, capacity, steps, state, scratch);
    const Table &t = *layer.table;
    if (t.profile) return run_sums<ProfileStep>(layer, bits, words, capacity, steps, state, scratch);
    const bool flat = t.n_start == 2 && t.n_common == 2;
    if (flat && t.even) return run_sums<TableStep<1, 1, 1>>(layer, bits, words, capacity, steps, state, scratch);
    if (t.n_common <= 9 && t.n_cells <= 64) {
        const bool few = t.n_cells <= 32;
        if (t.n_start <= 9)
            return (few ? run_sums<TableStep<8, 8, 32>> : run_sums<TableStep<8, 8, 64>>)(layer, bits, words, capacity, steps, state,
                                                                                         scratch);
        if (t.n_start <= 17)
            return (few ? run_sums<TableStep<16, 8, 32>> : run_sums<TableStep<16, 8, 64>>)(layer, bits, words, capacity, steps, state,
                                                                                           scratch);
    }
    run_sums<TableStep<0, 0, 0>>(layer, bits, words, capacity, steps, state, scratch);
}

// Ideal neurons [from, to) through steps whose charges are known.
void scan_ideal(const Scan &job, int64_t from, int64_t to, Sums &sums) { scan(job, from, to, sums); }

}  // namespace SNN_ISA
}  // namespace snn

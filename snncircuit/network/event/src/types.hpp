// What a run of the event engine reads and writes: plain data, shared by the binding and by the code of each instruction set.
#pragma once
#include <cstddef>
#include <cstdint>

namespace snn {

constexpr int kPad = 32;       // lanes of a row of weights are a multiple of this
constexpr int kMaxPlanes = 8;  // most spikes of a neuron in one step
constexpr size_t kCopies = 4;  // of a table's visits, added to in turn

// Consecutive input positions of one strip, `unit0` to `unit1` (units of `Layer::unit` positions), that meet consecutive rows of weights.
struct Segment {
    int32_t strip, unit0, unit1, row;
};

enum class Weights : int32_t { kInt16, kFloat32 };
enum class Kind : int32_t { kIdeal, kTable };

struct Ideal {
    float v_lb;  // -infinity: none
    int32_t to_zero;
};

// Nodes of one axis. `size` is a power of two, not below the number of cells; from the last node on they are +infinity, so that bisection
// ends at the last cell. `tree` has the nodes in the order in which bisection meets them: those of its step k from entry 2^k on.
struct Axis {
    const float *node, *inverse, *tree;  // inverse: 1 / distance to the next node
    int32_t size;
};

// A table of one function of the overdrive on evenly spaced nodes, 128 cells at most, plus something linear in start and common charge; one
// spike a step at most. Pairs are those of no spike and of one. A place along the nodes counts cells in units of 2^-20.
struct Profile {
    float start[2], common[2];                     // first node, 1 / distance to the last
    float edge[4];                                 // coefficients of 1, fc, fv, fv fc
    float scale[2], offset[2], first[2], last[2];  // place of an overdrive y: y * scale + offset, within first and last
    float per_start[2], per_common[2];             // residual of fv and of fc
    alignas(64) float value[128], slope[128];      // residual at the node below, and of a unit beyond
    alignas(64) float pair[128][2];                // the same, side by side
};

// How often the cells of a profile were visited, and at which places, in units of 2^-20 cells.
struct ProfileVisits {
    static constexpr int kCells = 128, kCopies = 8, kShift = 20, kCount = 48;
    static constexpr int64_t kFull = 1 << 16;         // visits that a number holds
    alignas(64) uint64_t slot[kCopies][kCells + 16];  // visits << kCount | sum of their places; a row apart, lest copies share sets
    int64_t visits[kCells], parts[kCells];            // those that are settled, places counted from the cell's own beginning
    double along[4];                                  // sums of fv and fc of all steps, of steps with a spike
    int64_t since;
    // Neighbours, which often meet the same cell, add to different copies, so that they need not wait for each other.
    void add(const uint32_t *place, int n) {
        constexpr uint64_t once = uint64_t(1) << kCount;
        int i = 0;
        for (; i + kCopies <= n; i += kCopies)
#pragma GCC unroll 8
            for (int k = 0; k < kCopies; k++) slot[k][place[i + k] >> kShift] += once + place[i + k];
        for (int k = 0; i + k < n; k++) slot[k][place[i + k] >> kShift] += once + place[i + k];
    }
    // To be called before as many as kFull steps are added.
    void settle() {
        for (auto &copy : slot)
            for (int k = 0; k < kCells; k++) {
                const int64_t n = int64_t(copy[k] >> kCount), places = int64_t(copy[k] & ((uint64_t(1) << kCount) - 1));
                visits[k] += n;
                parts[k] += places - n * (int64_t(k) << kShift);
                copy[k] = 0;
            }
        since = 0;
    }
    void room_for(int64_t steps) {
        if (since + steps >= kFull) settle();
        since += steps;
    }
};

// A transfer table; axes and meaning as in snncircuit.table, overdrive + 64 for each spike along `node`. The cell (kv, kc, k) is column
// kv << shift_start | kc, and row column << shift_node | k.
struct Table {
    int32_t n_start, n_common, n_cells, n_edges, shift_start, shift_node, columns, n_rows;
    Axis start, common, node;
    const float *low;                      // overdrive at the lower end of each cell, without the 64
    const int32_t *first, *last;           // [64], first and last cell along `node` of each spike count
    const float *even_low, *even_inverse;  // [64], first node and 1 / distance of nodes of each count, where `even`
    bool even;
    const float *edge;  // [n_edges][columns][4], coefficients of 1, fc, fv, fv fc
    const float *rows;  // [n_rows][8], coefficients of 1, fc, fv, fv fc and of fy times these
    float gain_inh, net_exc, net_inh, v_low, v_high, common_high, reach_low, reach_high;
    const Profile *profile;  // null: it is none
};

// What sets each neuron apart from that of the table, see snncircuit.neuron.variation; arrays of [neurons + 96].
struct Variation {
    const float *gain_exc, *gain_inh, *offset, *leak, *excess;
};

struct Layer {
    int32_t strips, strip_positions, units, unit;  // units per strip, positions per unit
    int32_t sites, lanes, padded;                  // lanes of a site, rounded up to kPad
    int32_t tile;                                  // sites whose neurons are updated together
    int32_t analog;                                // charges come from `exc` and `inh` alone
    int32_t planes_in, planes_out;
    Weights kind;
    Kind neuron;
    int64_t rows;
    int32_t width;                  // lanes of a block of lanes, a multiple of kPad
    const void *weights;            // [blocks of lanes][rows][width], the last block as wide as is left
    const int32_t *site_blocks;     // [sites + 1]
    const int32_t *block_segments;  // [blocks + 1]
    const int64_t *block_row;       // [blocks]
    const Segment *segments;
    const int64_t *segment_row;  // [segments], row of the weights of each segment's first position
    int32_t long_segments;       // they are worth a look-up of weights each
    const void *exc, *net;       // [neurons + kPad], charges of every step: biases; analog: all of them
    float grid;                  // threshold per unit of an integer charge
    Ideal ideal;
    const Table *table;
    const Variation *variation;  // null: none
    int64_t neurons() const { return int64_t(sites) * lanes; }
    int64_t words() const { return (neurons() + 63) / 64 + 2; }
};

// Sums over a layer's neuron-steps.
struct Sums {
    double clipped;
    int64_t out_of_range;
    float v_low, v_high;
};

// Everything one image needs in one layer; memory belongs to the caller.
struct State {
    float *v_mem;           // [neurons + 64]
    uint32_t *counts;       // [neurons + 64]
    uint64_t *bits;         // [planes_out][chunk][words], spikes of this chunk
    float *occupancy;       // [copies][cells][8] or null
    ProfileVisits *visits;  // or null
    Sums *sums;
    float *trace;  // [4][chunk][neurons + 64]: q_exc, q_inh, v_mem, spikes; or null
};

struct Scratch {
    uint16_t *lists;      // positions of the spikes of a layer's inputs, all strips and steps
    uint32_t *begin;      // [planes][strips][chunk]
    uint16_t *rank;       // [planes][strips][chunk][units + 1]
    uint8_t *built;       // [strips]
    uint16_t *rows;       // those that the spikes of one block of rows meet, step after step
    uint32_t *row_begin;  // [chunk + 1]
    void *exc, *net;      // [chunk][tile * lanes + padded + 64]
    void *plane;          // [2][padded]
};

// Charges of ideal neurons and what becomes of them, arrays of [steps][size]; `stride` of 0: the same charges in every step.
struct Scan {
    const float *net;
    int64_t stride, size;
    int steps;
    float *v_mem, *counts;      // [size]
    float *spikes, *membranes;  // membranes: or null
    Ideal ideal;
};

}  // namespace snn

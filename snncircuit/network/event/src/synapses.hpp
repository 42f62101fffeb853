// Charges: the sums of the weight rows that spikes meet, excitatory and inhibitory apart from one load of each weight.
#pragma once
#include <type_traits>

#include "spikes.hpp"

namespace snn {
namespace {

template <class T>
struct VectorOf;
template <>
struct VectorOf<int16_t> {
    using type = i16;
};
template <>
struct VectorOf<float> {
    using type = f32;
};

template <bool Two, class V>
inline void add_one(V w, V &exc, V &net) {
    if (Two) in_register(w);
    net = plus(net, w);
    in_register(net);
    if (!Two) return;
    exc = plus(exc, positive(w));
    in_register(exc);
}

// Adds n rows, numbered from `shift` on, to `net` and, when Two, their positive parts to `exc`; both are sums so far, N vectors long. Rows
// go by turns to as many sums of their own as fit in registers, since each addition to a sum waits for the one before.
template <int N, bool Two, class T>
inline void add(const T *weights, int64_t stride, int64_t shift, const uint16_t *rows, int n, T *exc, T *net) {
    using V = typename VectorOf<T>::type;
    constexpr int L = int(sizeof(V) / sizeof(T)), Fit = kRegisters / ((Two ? 2 : 1) * N);
    constexpr int Turns = std::is_same_v<T, float> ? 1 : Fit > 4 ? 4 : Fit > 1 || W == 16 ? 2 : 1;
    V e[Turns][N], s[Turns][N];
#pragma GCC unroll 16
    for (int j = 0; j < N; j++) {
        s[0][j] = load<V>(net + j * L);
        if (Two) e[0][j] = load<V>(exc + j * L);
#pragma GCC unroll 8
        for (int u = 1; u < Turns; u++) s[u][j] = e[u][j] = V{};
    }
    int i = 0;
    for (; i + Turns <= n; i += Turns)
#pragma GCC unroll 8
        for (int u = 0; u < Turns; u++) {
            const T *row = weights + (int64_t(rows[i + u]) + shift) * stride;
#pragma GCC unroll 16
            for (int j = 0; j < N; j++) add_one<Two>(load<V>(row + j * L), e[u][j], s[u][j]);
        }
    for (; i < n; i++) {
        const T *row = weights + (int64_t(rows[i]) + shift) * stride;
#pragma GCC unroll 16
        for (int j = 0; j < N; j++) add_one<Two>(load<V>(row + j * L), e[0][j], s[0][j]);
    }
#pragma GCC unroll 16
    for (int j = 0; j < N; j++) {
#pragma GCC unroll 8
        for (int u = 1; u < Turns; u++) {
            s[0][j] = plus(s[0][j], s[u][j]);
            if (Two) e[0][j] = plus(e[0][j], e[u][j]);
        }
        store(net + j * L, s[0][j]);
        if (Two) store(exc + j * L, e[0][j]);
    }
}

// The same for a number of vectors known only now, N at most.
template <int N, bool Two, class T>
inline void add_vectors(int vectors, const T *weights, int64_t stride, int64_t shift, const uint16_t *rows, int n, T *exc, T *net) {
    if constexpr (N > 1)
        if (vectors < N) return add_vectors<N - 1, Two>(vectors, weights, stride, shift, rows, n, exc, net);
    add<N, Two>(weights, stride, shift, rows, n, exc, net);
}

// The same for any number of lanes up to a block of them.
template <bool Two, class T>
inline void add_lanes(const T *weights, int64_t width, int64_t shift, const uint16_t *rows, int n, T *exc, T *net) {
    constexpr int L = int(sizeof(typename VectorOf<T>::type) / sizeof(T)), Most = Two && W < 16 ? 6 : 8;
    for (int64_t lane = 0; lane < width; lane += Most * L)
        add_vectors<Most, Two>(int((width - lane) / L), weights + lane, width, shift, rows, n, exc + lane, net + lane);
}

// Adds what the spikes of a block of rows bring in every step, `begin` saying where the rows of each step are. One block of lanes after
// the other, so that its weights stay in the cache for all steps.
template <bool Two, class T>
inline void add_steps(const Layer &layer, int64_t first_row, int steps, const uint16_t *rows, const uint32_t *begin, T *exc, T *net,
                      int64_t stride) {
    for (int64_t lane = 0; lane < layer.padded; lane += layer.width) {
        const int64_t width = layer.padded - lane < layer.width ? layer.padded - lane : layer.width;
        const T *weights = static_cast<const T *>(layer.weights) + lane * layer.rows + first_row * width;
        for (int t = 0; t < steps; t++) {
            const int n = int(begin[t + 1] - begin[t]);
            if (n) add_lanes<Two>(weights, width, 0, rows + begin[t], n, exc + t * stride + lane, net + t * stride + lane);
        }
    }
}

}  // namespace
}  // namespace snn

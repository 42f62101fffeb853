// Arrays as Python gives them, and the checks of what is in them.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <type_traits>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

namespace nb = nanobind;

namespace snn {

template <class T, size_t N>
using In = nb::ndarray<const T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;
template <class T, size_t N>
using Out = nb::ndarray<T, nb::ndim<N>, nb::c_contig, nb::device::cpu>;

inline void expect(bool holds, const char *message) {
    if (!holds) throw nb::value_error(message);
}
inline void expect(bool holds, const std::string &message) { expect(holds, message.c_str()); }

template <class T>
void expect_finite(const T *values, size_t n, const char *what) {
    if constexpr (std::is_integral_v<T>) return;
    bool finite = true;
    for (size_t i = 0; i < n; i++) finite &= std::isfinite(values[i]);
    expect(finite, std::string(what) + ": expected finite numbers");
}

template <class T>
struct Array {  // owned, aligned to cache lines; untouched pages cost nothing
    std::unique_ptr<T, decltype(&std::free)> data{nullptr, &std::free};
    explicit Array(size_t n = 0) {
        if (!n) return;
        // Large ones lie in large pages where the system has them: weights are read all over the place.
        const size_t page = n * sizeof(T) >= (size_t(1) << 19) ? size_t(1) << 21 : 64,
                     bytes = (n * sizeof(T) + 64 + page - 1) / page * page;
        data.reset(static_cast<T *>(std::aligned_alloc(page, bytes)));
        if (!data) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
        if (page > 64) madvise(data.get(), bytes, MADV_HUGEPAGE);
#endif
    }
    T *get() const { return data.get(); }
};

// A copy, so that what was checked stays as it was whatever Python does with its own.
template <class T>
Array<char> copied(const T *values, size_t n) {
    Array<char> copy(n * sizeof(T));
    if (n) std::memcpy(copy.get(), values, n * sizeof(T));
    return copy;
}

}  // namespace snn

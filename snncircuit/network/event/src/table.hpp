// A transfer table as the kernel reads it.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "arrays.hpp"
#include "types.hpp"

namespace snn {

// A table with what its pointers point to.
struct OwnedTable {
    Table table{};
    std::vector<Array<float>> floats;
    std::vector<int32_t> first, last;
    std::unique_ptr<Profile> as_profile;
    int64_t n_rows = 0;

    const float *keep(const std::vector<float> &values) {  // from a cache line on, so that no vector and no row lies on two
        floats.emplace_back(values.size());
        std::copy(values.begin(), values.end(), floats.back().get());
        return floats.back().get();
    }
    // Nodes for bisection, `least` cells at least, and the inverse distances between them.
    Axis axis(const std::vector<float> &nodes, const char *what, int32_t &n, size_t least) {
        expect(nodes.size() >= 2 && nodes.size() < (1u << 16), std::string(what) + ": expected 2 to 65535 nodes");
        n = int32_t(nodes.size());
        size_t size = least;
        while (size + 1 < size_t(n)) size *= 2;
        const size_t read = 2 * size + 64;  // entries that vectors may read
        std::vector<float> at(read, std::numeric_limits<float>::infinity()), inverse(read, 0.0f), tree(read, 0.0f);
        for (size_t i = 0; i + 1 < size_t(n); i++) {
            const float step = nodes[i + 1] - nodes[i];
            expect(std::isfinite(nodes[i]) && std::isfinite(step) && step > 0, std::string(what) + ": expected finite, ascending nodes");
            at[i] = nodes[i];
            inverse[i] = 1.0f / step;
        }
        for (size_t level = 1; level < size; level *= 2)
            for (size_t i = 0; i < level; i++) tree[level + i] = at[(2 * i + 1) * size / (2 * level)];
        return {keep(at), keep(inverse), keep(tree), int32_t(size)};
    }
    static int32_t bits_for(int32_t cells) {
        int32_t b = 0;
        while ((1 << b) < cells) b++;
        return b;
    }
    OwnedTable(const In<float, 1> &start, const In<float, 1> &common, const In<float, 1> &low, const In<float, 1> &width,
               const In<int32_t, 1> &first_cell, const In<int32_t, 1> &last_cell, const In<float, 3> &edge, const In<float, 2> &rows,
               const In<float, 1> &figures, bool profile) {
        const auto list = [](const In<float, 1> &values) { return std::vector<float>(values.data(), values.data() + values.size()); };
        table.start = axis(list(start), "start", table.n_start, 8);
        table.common = axis(list(common), "common", table.n_common, 8);
        hold_cells(list(low), list(width), first_cell, last_cell, edge.shape(0));
        table.shift_start = std::max(3, bits_for(table.n_common - 1));
        table.shift_node = bits_for(table.n_cells);
        const int64_t starts = table.n_start - 1, commons = table.n_common - 1, along = table.n_cells;
        const int64_t columns = starts << table.shift_start;
        n_rows = columns << table.shift_node;
        expect(n_rows < (int64_t(1) << 26), "table: expected fewer cells");
        table.n_rows = int32_t(n_rows);
        table.columns = int32_t(columns);
        table.n_edges = int32_t(edge.shape(0));
        expect(
            edge.shape(0) >= 1 && edge.shape(0) <= size_t(kMaxPlanes) && edge.shape(1) == 4 && int64_t(edge.shape(2)) == starts * commons,
            "edge: expected 1 to 8 edges of 4 coefficients of each column");
        expect_finite(edge.data(), edge.size(), "edge");
        expect(int64_t(rows.shape(0)) == starts * commons * along && rows.shape(1) == 8, "rows: expected 8 coefficients of each cell");
        expect_finite(rows.data(), rows.size(), "rows");
        std::vector<float> edges(size_t(table.n_edges) * 4 * size_t(table.columns), 0.0f), cells(size_t(n_rows) * 8, 0.0f);
        for (int64_t v = 0; v < starts; v++)
            for (int64_t c = 0; c < commons; c++) {
                const int64_t column = v << table.shift_start | c, from = v * commons + c;
                for (int64_t i = 0; i < table.n_edges * 4; i++)
                    edges[size_t((i / 4 * table.columns + column) * 4 + i % 4)] = edge.data()[i * starts * commons + from];
                std::memcpy(cells.data() + (column << table.shift_node) * 8, rows.data() + from * along * 8,
                            size_t(along) * 8 * sizeof(float));
            }
        table.edge = keep(edges);
        table.rows = keep(cells);
        expect(figures.shape(0) == 8, "figures: expected 8");
        expect_finite(figures.data(), 8, "figures");
        const float *f = figures.data();
        table.gain_inh = f[0], table.net_exc = f[1], table.net_inh = f[2], table.v_low = f[3], table.v_high = f[4];
        table.common_high = f[5], table.reach_low = f[6], table.reach_high = f[7];
        if (profile && table.even && table.n_cells <= ProfileVisits::kCells && table.n_edges == 1) hold_profile();
    }
    // The same table as a Profile.
    void hold_profile() {
        constexpr double kPlace = 1 << ProfileVisits::kShift;
        as_profile = std::make_unique<Profile>();
        Profile &p = *as_profile;
        const auto set = [](float pair[2], double a, double b) { pair[0] = float(a), pair[1] = float(b); };
        set(p.start, table.start.node[0], table.start.inverse[0]);
        set(p.common, table.common.node[0], table.common.inverse[0]);
        for (int i = 0; i < 4; i++) p.edge[i] = table.edge[i];
        for (int n = 0; n < 2; n++) {
            const double scale = table.even_inverse[n] * kPlace;
            p.scale[n] = float(scale);
            p.offset[n] = float(first[size_t(n)] * kPlace - table.even_low[n] * scale);
            p.first[n] = float(first[size_t(n)] * kPlace);
            p.last[n] = std::nextafter(float((last[size_t(n)] + 1) * kPlace), 0.0f);
            p.per_start[n] = table.rows[first[size_t(n)] * 8 + 2];
            p.per_common[n] = table.rows[first[size_t(n)] * 8 + 1];
        }
        for (int64_t k = 0; k < table.n_cells; k++) {
            p.value[k] = table.rows[k * 8];
            p.slope[k] = float(double(table.rows[k * 8 + 4]) / kPlace);
            p.pair[k][0] = p.value[k], p.pair[k][1] = p.slope[k];
        }
        table.profile = &p;
    }
    // Cells along the overdrive: their lower ends, those of each spike count 64 apart to be found among the others, and as they are to tell
    // where in a cell a step lies.
    void hold_cells(const std::vector<float> &low, const std::vector<float> &width, const In<int32_t, 1> &first_cell,
                    const In<int32_t, 1> &last_cell, size_t edges) {
        expect(low.size() == width.size() && !low.empty() && low.size() < (1u << 16),
               "low, width: expected one of each of 1 to 65535 cells");
        expect(edges >= 1 && edges <= size_t(kMaxPlanes), "edge: expected 1 to 8 edges");
        expect(first_cell.shape(0) == edges + 1 && first_cell.shape(0) == last_cell.shape(0),
               "first, last: expected one for each spike count");
        first.assign(64, 0), last.assign(64, 0);
        std::vector<float> apart, inverse, even_low(64, 0.0f), even_inverse(64, 0.0f);
        table.even = true;
        for (size_t n = 0; n <= edges; n++) {
            first[n] = first_cell.data()[n], last[n] = last_cell.data()[n];
            expect(first[n] == int32_t(apart.size()) && first[n] <= last[n] && last[n] < int32_t(low.size()),
                   "first, last: expected the cells of one spike count after the other");
            const size_t from = size_t(first[n]), to = size_t(last[n]);
            const double whole = double(low[to]) + double(width[to]) - double(low[from]), each = whole / double(to - from + 1);
            for (size_t k = from; k <= to; k++) {
                expect(width[k] > 0 && std::isfinite(width[k]) && std::isfinite(1.0f / width[k]), "width: expected finite numbers above 0");
                apart.push_back(low[k] + 64.0f * float(n));
                inverse.push_back(1.0f / width[k]);
                table.even = table.even && std::abs(double(low[from]) + double(k - from) * each - double(low[k])) < 1e-3 * each;
            }
            even_low[n] = low[from], even_inverse[n] = float(1.0 / each);
        }
        expect(apart.size() == low.size(), "first, last: expected all cells");
        apart.push_back(apart.back() + width.back());
        int32_t ends = 0;
        table.node = axis(apart, "low", ends, 32);
        table.n_cells = ends - 1;
        const size_t size = 2 * size_t(table.node.size) + 64;
        std::vector<float> plain = low;
        plain.resize(size, 0.0f), inverse.resize(size, 0.0f);
        table.low = keep(plain), table.node.inverse = keep(inverse);
        table.even_low = keep(even_low), table.even_inverse = keep(even_inverse);
        table.first = first.data(), table.last = last.data();
    }
    int64_t cells() const { return int64_t(table.n_start - 1) * (table.n_common - 1) * table.n_cells; }
    // Adds visits by row to visits by cell.
    void add_cells(const std::vector<int64_t> &visits, double unit, double *out) const {
        for (int64_t v = 0; v < table.n_start - 1; v++)
            for (int64_t c = 0; c < table.n_common - 1; c++)
                for (int64_t k = 0; k < table.n_cells * 8; k++)
                    *out++ += double(visits[size_t(((v << table.shift_start | c) << table.shift_node) * 8 + k)]) * unit;
    }
    // The same of a profile's visits. Where along start and common charge is known of all steps of a spike count together and stands in
    // the first of its cells.
    void add_profile(const ProfileVisits &visits, const std::array<int64_t, 4> &along, double unit, double *out) const {
        for (int64_t k = 0; k < table.n_cells; k++) {
            out[k * 8] += double(visits.visits[k]);
            out[k * 8 + 4] += double(visits.parts[k]) * unit;
        }
        for (int n = 0; n < 2; n++) {
            double *row = out + first[size_t(n)] * 8;
            row[1] += double(n ? along[3] : along[1] - along[3]) * unit;
            row[2] += double(n ? along[2] : along[0] - along[2]) * unit;
        }
    }
};

}  // namespace snn

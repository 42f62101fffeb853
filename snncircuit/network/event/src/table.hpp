// A transfer table as the kernel reads it.
#pragma once
#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "arrays.hpp"
#include "types.hpp"

namespace snn {

// A table with what its pointers point to.
struct OwnedTable {
    Table table{};
    std::vector<std::vector<float>> floats;
    std::vector<int32_t> first, last;
    int64_t n_rows = 0;

    const float *keep(std::vector<float> values) {
        floats.push_back(std::move(values));
        return floats.back().data();
    }
    // Nodes for bisection and the inverse distances between them.
    Axis axis(const In<float, 1> &nodes, const char *what, int32_t &n) {
        expect(nodes.shape(0) >= 2 && nodes.shape(0) < (1u << 16), std::string(what) + ": expected 2 to 65535 nodes");
        n = int32_t(nodes.shape(0));
        size_t size = 64;
        while (size < size_t(n)) size *= 2;
        std::vector<float> at(2 * size, std::numeric_limits<float>::infinity()), inverse(2 * size, 0.0f);
        for (size_t i = 0; i + 1 < size_t(n); i++) {
            const float step = nodes.data()[i + 1] - nodes.data()[i];
            expect(std::isfinite(nodes.data()[i]) && std::isfinite(step) && step > 0,
                   std::string(what) + ": expected finite, ascending nodes");
            at[i] = nodes.data()[i];
            inverse[i] = 1.0f / step;
        }
        return {keep(std::move(at)), keep(std::move(inverse)), int32_t(size)};
    }
    static int32_t bits_for(int32_t cells) {
        int32_t b = 0;
        while ((1 << b) < cells) b++;
        return b;
    }
    OwnedTable(const In<float, 1> &start, const In<float, 1> &common, const In<float, 1> &node, const In<int32_t, 1> &first_cell,
               const In<int32_t, 1> &last_cell, const In<float, 3> &edge, const In<float, 2> &rows, const In<float, 1> &figures) {
        table.start = axis(start, "start", table.n_start);
        table.common = axis(common, "common", table.n_common);
        table.node = axis(node, "node", table.n_nodes);
        table.shift_start = std::max(3, bits_for(table.n_common - 1));
        table.shift_node = bits_for(table.n_nodes - 1);
        const int64_t starts = table.n_start - 1, commons = table.n_common - 1, nodes = table.n_nodes - 1;
        const int64_t columns = starts << table.shift_start;
        n_rows = columns << table.shift_node;
        expect(n_rows < (int64_t(1) << 26), "table: expected fewer cells");
        table.n_rows = int32_t(n_rows);
        table.columns = int32_t(std::max<int64_t>(64, columns));
        table.n_edges = int32_t(edge.shape(0));
        expect(
            edge.shape(0) >= 1 && edge.shape(0) <= size_t(kMaxPlanes) && edge.shape(1) == 4 && int64_t(edge.shape(2)) == starts * commons,
            "edge: expected 1 to 8 edges of 4 coefficients of each column");
        expect_finite(edge.data(), edge.size(), "edge");
        expect(int64_t(rows.shape(0)) == starts * commons * nodes && rows.shape(1) == 8, "rows: expected 8 coefficients of each cell");
        expect_finite(rows.data(), rows.size(), "rows");
        std::vector<float> edges(size_t(table.n_edges) * 4 * size_t(table.columns), 0.0f), cells(size_t(n_rows) * 8, 0.0f);
        for (int64_t v = 0; v < starts; v++)
            for (int64_t c = 0; c < commons; c++) {
                const int64_t column = v << table.shift_start | c, from = v * commons + c;
                for (int64_t i = 0; i < table.n_edges * 4; i++)
                    edges[size_t(i * table.columns + column)] = edge.data()[i * starts * commons + from];
                std::memcpy(cells.data() + (column << table.shift_node) * 8, rows.data() + from * nodes * 8,
                            size_t(nodes) * 8 * sizeof(float));
            }
        table.edge = keep(std::move(edges));
        table.rows = keep(std::move(cells));
        expect(int64_t(first_cell.shape(0)) == table.n_edges + 1 && first_cell.shape(0) == last_cell.shape(0),
               "first, last: expected one for each spike count");
        first.assign(64, 0);
        last.assign(64, 0);
        for (size_t i = 0; i < first_cell.shape(0); i++) {
            first[i] = first_cell.data()[i];
            last[i] = last_cell.data()[i];
            expect(0 <= first[i] && first[i] <= last[i] && last[i] <= table.n_nodes - 2, "first, last: expected cells of the table");
        }
        table.first = first.data();
        table.last = last.data();
        find_even(node);
        expect(figures.shape(0) == 8, "figures: expected 8");
        expect_finite(figures.data(), 8, "figures");
        const float *f = figures.data();
        table.gain_inh = f[0], table.net_exc = f[1], table.net_inh = f[2], table.v_low = f[3], table.v_high = f[4];
        table.common_high = f[5], table.reach_low = f[6], table.reach_high = f[7];
    }
    void find_even(const In<float, 1> &node) {
        std::vector<float> low(64, 0.0f), inverse(64, 0.0f);
        table.even = true;
        for (int32_t n = 0; n <= table.n_edges; n++) {
            const float *at = node.data() + first[size_t(n)];
            const int32_t cells = last[size_t(n)] - first[size_t(n)] + 1;
            const double apart = (double(at[cells]) - double(at[0])) / cells;
            for (int32_t i = 0; i <= cells; i++) table.even = table.even && std::abs(at[0] + i * apart - double(at[i])) < 1e-3 * apart;
            low[size_t(n)] = float(double(at[0]) - 64.0 * n);
            inverse[size_t(n)] = float(1.0 / apart);
        }
        table.even_low = keep(std::move(low));
        table.even_inverse = keep(std::move(inverse));
    }
    int64_t cells() const { return int64_t(table.n_start - 1) * (table.n_common - 1) * (table.n_nodes - 1); }
    // Adds visits by row to visits by cell.
    void add_cells(const std::vector<int64_t> &visits, double unit, double *out) const {
        for (int64_t v = 0; v < table.n_start - 1; v++)
            for (int64_t c = 0; c < table.n_common - 1; c++)
                for (int64_t k = 0; k < (table.n_nodes - 1) * 8; k++)
                    *out++ += double(visits[size_t(((v << table.shift_start | c) << table.shift_node) * 8 + k)]) * unit;
    }
};

}  // namespace snn

// A layer of a network as the kernel keeps it, and the check of its segments.
#pragma once
#include <algorithm>
#include <vector>

#include "table.hpp"

namespace snn {

constexpr int64_t kSlack = 96;  // entries beyond the neurons of a layer that vectors may read

// A layer with the arrays that it borrows from Python.
struct OwnedLayer {
    Layer layer{};
    nb::object table;
    Array<char> site_blocks, block_segments, block_row, segments, exc, net;
    Array<char> weights;
    const OwnedTable *cells = nullptr;
    std::vector<int64_t> segment_row;
    int64_t most_rows = 0;  // of a block
};

constexpr int64_t kLong = 160;  // positions of a segment, on average

inline void check_segments(OwnedLayer &owned, int64_t rows) {
    Layer &l = owned.layer;
    int64_t positions = 0;
    for (int s = 0; s < l.sites; s++) expect(l.site_blocks[s] <= l.site_blocks[s + 1], "site_blocks: expected ascending");
    const int blocks = l.site_blocks[l.sites];
    for (int b = 0; b < blocks; b++)  // all of them before any is followed
        expect(l.block_segments[b] <= l.block_segments[b + 1], "block_segments: expected ascending");
    for (int b = 0; b < blocks; b++) {
        int64_t found = 0;
        for (int i = l.block_segments[b]; i < l.block_segments[b + 1]; i++) {
            const Segment &s = l.segments[i];
            const int64_t n = (int64_t(s.unit1) - s.unit0) * l.unit;
            expect(s.strip >= 0 && s.strip < l.strips && s.unit0 >= 0 && s.unit0 <= s.unit1 && s.unit1 <= l.units,
                   "segments: expected units of the layer's strips");
            expect(s.row >= 0 && s.row + n <= 65536 && l.block_row[b] >= 0 && l.block_row[b] <= rows - s.row - n,
                   "segments: expected rows of the weights, 65536 in a block at most");
            found += n;
            owned.segment_row.push_back(l.block_row[b] + s.row);
        }
        positions += found;
        owned.most_rows = std::max(owned.most_rows, found);
    }
    l.segment_row = owned.segment_row.data();
    l.long_segments = positions >= kLong * int64_t(owned.segment_row.size());
}

}  // namespace snn

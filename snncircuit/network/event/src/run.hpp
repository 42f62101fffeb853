// Images on threads. One image is run by one thread, chunk by chunk through all layers; what it needs is allocated once for each thread.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <memory>

#include "layer.hpp"

namespace snn {

constexpr int kExitInterval = 8;  // steps between two looks at the classes

// A run and where its results go; arrays as in engine.py.
struct Job {
    int images = 0, steps = 0, chunk = 0, exit_margin = 0;
    const float *exc = nullptr, *net = nullptr;
    const uint64_t *bits = nullptr;
    int64_t words = 0;
    int32_t *steps_used = nullptr;
    double *sums = nullptr;
    float *output = nullptr, *v_output = nullptr;
    std::vector<float *> counts;
    std::vector<double *> visits;
    std::vector<std::vector<int64_t>> chosen;
    std::vector<float *> traces;
    std::vector<const OwnedLayer *> layers;
    std::vector<Variation> variations;  // of each layer; without pointers where there is none
    void (*run_layer)(const Layer &, const uint64_t *, int64_t, int, int, State &, const Scratch &) = nullptr;
};

// The memory of one thread.
class Worker {
   public:
    // `traced` says of which layers every step is to be kept.
    Worker(const std::vector<const OwnedLayer *> &layers, int chunk, const std::vector<char> &traced) : chunk_(chunk) {
        size_t lists = 0, begin = 0, rank = 0, built = 0, rows = 0, charges = 0, plane = 0;
        for (size_t i = 0; i < layers.size(); i++) {
            const OwnedLayer &owned = *layers[i];
            const Layer &l = owned.layer;
            const size_t steps = size_t(chunk), neurons = size_t(l.neurons()) + 64, planes = size_t(l.planes_in), strips = size_t(l.strips);
            v_mem_.emplace_back(neurons);
            counts_.emplace_back(neurons);
            bits_.emplace_back(size_t(l.planes_out) * steps * size_t(l.words()));
            const size_t visits = owned.cells && !l.table->profile ? size_t(owned.cells->n_rows) * 8 : 0;
            visits_.emplace_back(visits * kCopies);
            totals_.emplace_back(visits, int64_t(0));
            profiles_.push_back(l.table && l.table->profile ? std::make_unique<ProfileVisits>() : nullptr);
            along_.push_back({});
            traces_.emplace_back(traced[i] || i + 1 == layers.size() ? 4 * steps * neurons : 0);
            sums_.push_back({});
            visited_.push_back(0);
            built = std::max(built, strips);
            if (l.analog) continue;
            lists = std::max(lists, planes * strips * steps * size_t(l.strip_positions) + 128);
            begin = std::max(begin, planes * strips * steps);
            rank = std::max(rank, planes * strips * steps * (size_t(l.units) + 1));
            rows = std::max(rows, steps * size_t(owned.most_rows) + 128);
            charges = std::max(charges, steps * (size_t(l.tile) * size_t(l.lanes) + size_t(l.padded) + 64));
            plane = std::max(plane, 2 * steps * size_t(l.padded) + 64);
        }
        expect(lists < (size_t(1) << 32), "chunk: expected fewer steps for so many inputs");
        lists_ = Array<uint16_t>(lists), begin_ = Array<uint32_t>(begin), rank_ = Array<uint16_t>(rank), built_ = Array<uint8_t>(built);
        rows_ = Array<uint16_t>(rows), row_begin_ = Array<uint32_t>(size_t(chunk) + 1), exc_ = Array<int32_t>(charges),
        net_ = Array<int32_t>(charges), plane_ = Array<int16_t>(plane);
        scratch_ = {lists_.get(),     begin_.get(), rank_.get(), built_.get(), rows_.get(),
                    row_begin_.get(), exc_.get(),   net_.get(),  plane_.get()};
    }

    // What all images of a job are run with; results of this thread's images go to the job's arrays.
    void begin(const Job &job, const std::atomic<bool> &stop) {
        job_ = &job, stop_ = &stop;
        for (auto &total : totals_) std::fill(total.begin(), total.end(), 0);
        for (auto &profile : profiles_)
            if (profile) *profile = {};
        for (auto &along : along_) along = {};
    }

    void image(int number) {
        const size_t n = job_->layers.size();
        for (size_t i = 0; i < n; i++) {
            const size_t neurons = size_t(layer(i).neurons()) + 64;
            std::memset(v_mem_[i].get(), 0, neurons * sizeof(float));
            std::memset(counts_[i].get(), 0, neurons * sizeof(uint32_t));
            if (visits_[i].get()) std::memset(visits_[i].get(), 0, totals_[i].size() * kCopies * sizeof(float));
            visited_[i] = 0;
            sums_[i] = {0.0, 0, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()};
        }
        int step = 0;
        while (step < job_->steps) {
            if (*stop_) return;
            const int now = std::min(chunk_, job_->steps - step);
            chunk(number, step, now);
            step += now;
            if (job_->exit_margin > 0 && step % kExitInterval == 0 && margin() >= job_->exit_margin) break;
        }
        job_->steps_used[number] = step;
        hold_output(number, step);
        for (size_t i = 0; i < n; i++) {
            total(i);
            float *const counts = job_->counts[i] + int64_t(number) * layer(i).neurons();
            for (int64_t k = 0; k < layer(i).neurons(); k++) counts[k] = float(counts_[i].get()[k]);
            double *out = job_->sums + (int64_t(number) * int64_t(n) + int64_t(i)) * 4;
            out[0] = sums_[i].clipped, out[1] = double(sums_[i].out_of_range), out[2] = sums_[i].v_low, out[3] = sums_[i].v_high;
        }
    }

    // Adds this thread's visits; whole numbers of 2^-20, so that their sum does not depend on which thread ran which image.
    void collect() const {
        for (size_t i = 0; i < totals_.size(); i++)
            if (job_->visits[i]) {
                const OwnedTable &cells = *job_->layers[i]->cells;
                if (profiles_[i])
                    cells.add_profile(*profiles_[i], along_[i], kVisit, job_->visits[i]);
                else
                    cells.add_cells(totals_[i], kVisit, job_->visits[i]);
            }
    }

   private:
    static constexpr double kVisit = 1.0 / (1 << 20);
    static constexpr int64_t kFull = 1 << 24;  // neuron-steps whose visits a float can hold

    // Moves the visits of this image so far to the sums of all images.
    void total(size_t i) {
        const size_t n = totals_[i].size();
        float *v = visits_[i].get();
        for (size_t k = 0; k < n; k++) {
            double found = 0;
            for (size_t copy = 0; copy < kCopies; copy++) found += double(v[copy * n + k]);
            if (found != 0) totals_[i][k] += std::llround(found / kVisit);
        }
        if (n) std::memset(v, 0, n * kCopies * sizeof(float));
        visited_[i] = 0;
        if (!profiles_[i]) return;
        profiles_[i]->settle();
        for (size_t k = 0; k < 4; k++) {
            along_[i][k] += std::llround(profiles_[i]->along[k] / kVisit);
            profiles_[i]->along[k] = 0;
        }
    }

    const Layer &layer(size_t i) const { return job_->layers[i]->layer; }

    void chunk(int number, int step, int now) {
        const size_t n = job_->layers.size();
        for (size_t i = 0; i < n; i++) {
            Layer l = layer(i);
            const int64_t neurons = l.neurons();
            const uint64_t *bits = nullptr;
            int64_t words = 0;
            if (l.analog)
                l.exc = job_->exc + number * (neurons + kSlack), l.net = job_->net + number * (neurons + kSlack), l.grid = 1.0f;
            else if (i == 0)
                bits = job_->bits + (int64_t(number) * job_->steps + step) * job_->words, words = job_->words;
            else
                bits = bits_[i - 1].get(), words = layer(i - 1).words();
            if (job_->variations[i].offset) l.variation = &job_->variations[i];
            float *visits = visits_[i].get();
            State state{v_mem_[i].get(), counts_[i].get(), bits_[i].get(), visits, profiles_[i].get(), &sums_[i], traces_[i].get()};
            job_->run_layer(l, bits, words, chunk_, now, state, scratch_);
            visited_[i] += l.neurons() * now;
            if (visited_[i] > kFull) total(i);
            if (traces_[i].get()) keep_trace(i, number, step, now);
        }
    }

    void keep_trace(size_t i, int number, int step, int now) {
        const int64_t neurons = layer(i).neurons(), padded = neurons + 64;
        const bool last = i + 1 == job_->layers.size();
        for (int kind = 0; kind < 4; kind++)
            for (int t = 0; t < now; t++) {
                const float *row = traces_[i].get() + (int64_t(kind) * chunk_ + t) * padded;
                const size_t bytes = size_t(neurons) * sizeof(float), many = job_->chosen[i].size();
                for (size_t k = 0; k < many; k++)
                    job_->traces[i]
                                [((size_t(kind) * size_t(job_->images) + size_t(number)) * size_t(job_->steps) + size_t(step + t)) * many +
                                 k] = row[job_->chosen[i][k]];
                const int64_t at = (int64_t(number) * job_->steps + step + t) * neurons;
                if (last && kind == 2) std::memcpy(job_->v_output + at, row, bytes);
                if (last && kind == 3) std::memcpy(job_->output + at, row, bytes);
            }
    }

    // After an early exit: no more spikes, the membrane as it was.
    void hold_output(int number, int step) {
        const int64_t neurons = layer(job_->layers.size() - 1).neurons(), from = int64_t(number) * job_->steps;
        for (int64_t t = step; t < job_->steps; t++) {
            std::memset(job_->output + (from + t) * neurons, 0, size_t(neurons) * sizeof(float));
            std::memcpy(job_->v_output + (from + t) * neurons, job_->v_output + (from + step - 1) * neurons,
                        size_t(neurons) * sizeof(float));
        }
    }

    int64_t margin() const {
        const int64_t neurons = layer(job_->layers.size() - 1).neurons();
        const uint32_t *counts = counts_.back().get();
        uint32_t first = 0, second = 0;
        for (int64_t k = 0; k < neurons; k++) {
            second = std::max(second, std::min(first, counts[k]));
            first = std::max(first, counts[k]);
        }
        return int64_t(first) - int64_t(second);
    }

    const Job *job_ = nullptr;
    const std::atomic<bool> *stop_ = nullptr;
    int chunk_;
    std::vector<Array<float>> v_mem_, visits_, traces_;
    std::vector<Array<uint32_t>> counts_;
    std::vector<Array<uint64_t>> bits_;
    std::vector<std::vector<int64_t>> totals_;
    std::vector<std::unique_ptr<ProfileVisits>> profiles_;
    std::vector<std::array<int64_t, 4>> along_;  // ProfileVisits::along of all images
    std::vector<int64_t> visited_;
    std::vector<Sums> sums_;
    Array<uint16_t> lists_, rank_, rows_;
    Array<uint32_t> begin_, row_begin_;
    Array<uint8_t> built_;
    Array<int32_t> exc_, net_;
    Array<int16_t> plane_;
    Scratch scratch_{};
};

}  // namespace snn

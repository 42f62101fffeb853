// The Python module: checks what it is given once and chooses the instruction set.
#include <optional>
#include <tuple>
#include <utility>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "dispatch.hpp"
#include "threads.hpp"

namespace snn {
namespace {

struct Isa {
    const char *(*name)() noexcept;
    void (*run_layer)(const Layer &, const uint64_t *, int64_t, int, int, State &, const Scratch &);
    void (*scan_ideal)(const Scan &, int64_t, int64_t, Sums &);
    bool usable;
};

// From the plainest to the widest.
std::vector<Isa> isas() {
    std::vector<Isa> found{{snn::generic::name, snn::generic::run_layer, snn::generic::scan_ideal, true}};
#ifdef SNN_HAVE_AVX2
    const bool avx2 =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    found.push_back({snn::avx2::name, snn::avx2::run_layer, snn::avx2::scan_ideal, avx2});
#endif
#ifdef SNN_HAVE_AVX512
    const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    found.push_back({snn::avx512::name, snn::avx512::run_layer, snn::avx512::scan_ideal, avx512});
#endif
    return found;
}

Isa chosen() {
    const char *asked = std::getenv("SNNCIRCUIT_SIMD");
    Isa widest{};
    std::string usable;
    for (const Isa &isa : isas()) {
        if (!isa.usable) continue;
        if (asked && std::string(asked) == isa.name()) return isa;
        usable += (usable.empty() ? "" : ", ") + std::string(isa.name());
        widest = isa;
    }
    expect(!asked || !*asked, "SNNCIRCUIT_SIMD is '" + std::string(asked ? asked : "") + "'; this build on this machine has " + usable);
    return widest;
}

class Network {
   public:
    Network() = default;
    Network(const Network &) = delete;
    // Synapses and neurons of the next layer. `geometry`: strips, units, unit, sites, lanes, tile, planes_in; see types.hpp. Without
    // weights: the first layer, whose charges `run` is given.
    void add(const std::vector<int32_t> &geometry, nb::object weights, In<int32_t, 1> site_blocks, In<int32_t, 1> block_segments,
             In<int64_t, 1> block_row, In<int32_t, 2> segments, nb::object exc, nb::object net, float grid, nb::object table, float v_lb,
             bool to_zero) {
        auto owned = std::make_unique<OwnedLayer>();
        Layer &l = owned->layer;
        expect(geometry.size() == 7, "geometry: expected 7 numbers");
        for (int32_t g : geometry) expect(g >= 1 && g < (1 << 24), "geometry: expected numbers from 1 to 2^24");
        l.strips = geometry[0], l.units = geometry[1], l.unit = geometry[2], l.sites = geometry[3], l.lanes = geometry[4];
        l.tile = geometry[5], l.planes_in = geometry[6];
        expect(int64_t(l.units) * l.unit <= 65535, "geometry: expected at most 65535 positions in a strip");
        expect(int64_t(l.sites) * l.lanes < (1 << 28) && int64_t(l.strips) * l.units * l.unit < (1 << 28),
               "geometry: expected less than 2^28 neurons");
        expect(int64_t(l.tile) * l.lanes < (1 << 24), "geometry: expected less than 2^24 neurons in a tile");
        expect(l.tile >= l.sites || int64_t(l.tile) * l.lanes % 32 == 0, "geometry: expected whole words of spikes in a tile");
        l.strip_positions = l.units * l.unit;
        l.padded = (l.lanes + snn::kPad - 1) / snn::kPad * snn::kPad;
        l.analog = weights.is_none();
        expect(layers_.empty() || !l.analog, "weights: expected them of every layer but the first");
        expect(l.planes_in == (layers_.empty() ? 1 : layers_.back()->layer.planes_out),
               "geometry: expected the spikes a step of the layer before");
        expect(layers_.empty() || layers_.back()->layer.neurons() == int64_t(l.strips) * l.strip_positions,
               "geometry: expected as many inputs as the layer before has neurons");
        expect(std::isfinite(grid) && grid > 0, "grid: expected a number above 0");
        l.grid = grid;
        if (!l.analog) {
            const bool whole = nb::isinstance<In<int16_t, 2>>(weights);
            expect(whole || nb::isinstance<In<float, 2>>(weights),
                   "weights: expected 2 axes of int16 or float32, one after the other in memory");
            l.kind = whole ? snn::Weights::kInt16 : snn::Weights::kFloat32;
            const size_t blocks = block_row.shape(0);
            expect(int64_t(site_blocks.shape(0)) == l.sites + 1 && block_segments.shape(0) == blocks + 1 && segments.shape(1) == 4 &&
                       site_blocks.data()[0] == 0 && site_blocks.data()[l.sites] == int64_t(blocks) && block_segments.data()[0] == 0 &&
                       block_segments.data()[blocks] == int64_t(segments.shape(0)),
                   "site_blocks, block_segments, block_row, segments: expected lists of lists");
            l.site_blocks = keep(owned->site_blocks, site_blocks.data(), site_blocks.size());
            l.block_segments = keep(owned->block_segments, block_segments.data(), block_segments.size());
            l.block_row = keep(owned->block_row, block_row.data(), block_row.size());
            l.segments = reinterpret_cast<const Segment *>(keep(owned->segments, segments.data(), segments.size()));
            check_segments(*owned, whole ? use<int16_t>(*owned, weights, exc, net) : use<float>(*owned, weights, exc, net));
        } else
            l.kind = snn::Weights::kFloat32;
        expect(v_lb <= 0, "v_lb: expected a number <= 0 or -infinity");
        l.ideal = {v_lb, to_zero};
        expect(table.is_none() || nb::isinstance<OwnedTable>(table), "table: expected a Table or None");
        owned->cells = table.is_none() ? nullptr : nb::cast<OwnedTable *>(table);
        l.table = owned->cells ? &owned->cells->table : nullptr;
        l.neuron = l.table ? snn::Kind::kTable : snn::Kind::kIdeal;
        l.planes_out = l.table ? owned->cells->table.n_edges : 1;
        owned->table = table;
        layers_.push_back(std::move(owned));
    }

    // Runs images from rest; see engine.py for what the arrays are. Returns nothing: everything is written to the arrays.
    void run(int images, int steps, int chunk, int threads, nb::object bits_in, nb::object exc, nb::object net, int exit_margin,
             Out<int32_t, 1> steps_used, const std::vector<Out<float, 2>> &counts, Out<float, 3> output, Out<float, 3> v_output,
             Out<double, 3> sums, const std::vector<std::optional<Out<double, 1>>> &visits,
             const std::vector<std::optional<In<int64_t, 1>>> &chosen_neurons, const std::vector<std::optional<Out<float, 4>>> &traces,
             const std::vector<std::optional<In<float, 2>>> &variations) {
        expect(!layers_.empty(), "expected a layer");
        expect(images >= 1 && steps >= 1 && chunk >= 1 && chunk <= 1024 && threads >= 1 && threads <= 1024,
               "images, steps, chunk, threads: expected 1 or more, chunk and threads at most 1024");
        const size_t n = layers_.size(), batch = size_t(images);
        const Layer &front = layers_.front()->layer, &back = layers_.back()->layer;
        Job job;
        job.images = images, job.steps = steps, job.chunk = chunk, job.exit_margin = exit_margin;
        if (front.analog) {
            expect(nb::isinstance<In<float, 2>>(exc) && nb::isinstance<In<float, 2>>(net), "exc, net: expected 2 axes of float32");
            auto e = nb::cast<In<float, 2>>(exc), s = nb::cast<In<float, 2>>(net);
            for (const auto &a : {e, s}) {
                expect(a.shape(0) == batch && int64_t(a.shape(1)) == front.neurons() + kSlack,
                       "exc, net: expected a charge of each neuron and 96 more");
                expect_finite(a.data(), a.size(), "exc, net");
            }
            job.exc = e.data(), job.net = s.data();
        } else {
            expect(nb::isinstance<In<uint64_t, 3>>(bits_in), "bits: expected 3 axes of uint64");
            auto bits = nb::cast<In<uint64_t, 3>>(bits_in);
            job.words = (int64_t(front.strips) * front.strip_positions + 63) / 64 + 2;
            expect(bits.shape(0) == batch && bits.shape(1) == size_t(steps) && int64_t(bits.shape(2)) == job.words,
                   "bits: expected one of each input and step");
            job.bits = bits.data();
        }
        expect(counts.size() == n && visits.size() == n && chosen_neurons.size() == n && traces.size() == n && variations.size() == n,
               "counts, visits, chosen, traces, variations: expected one for each layer");
        expect(steps_used.shape(0) == batch && sums.shape(0) == batch && sums.shape(1) == n && sums.shape(2) == 4,
               "steps_used, sums: expected a row for each image");
        for (const auto &o : {output, v_output})
            expect(o.shape(0) == batch && o.shape(1) == size_t(steps) && int64_t(o.shape(2)) == back.neurons(),
                   "output: expected a number for each image, step and last neuron");
        job.steps_used = steps_used.data(), job.sums = sums.data(), job.output = output.data(), job.v_output = v_output.data();
        for (size_t i = 0; i < n; i++) {
            const Layer &l = layers_[i]->layer;
            expect(counts[i].shape(0) == batch && int64_t(counts[i].shape(1)) == l.neurons(), "counts: expected one for each neuron");
            job.counts.push_back(counts[i].data());
            const int64_t rows = layers_[i]->cells ? layers_[i]->cells->cells() * 8 : 0;
            expect(rows == (visits[i] ? int64_t(visits[i]->shape(0)) : 0), "visits: expected 8 for each cell of the table");
            job.visits.push_back(visits[i] ? visits[i]->data() : nullptr);
            const int64_t many = chosen_neurons[i] ? int64_t(chosen_neurons[i]->shape(0)) : 0;
            expect(traces[i].has_value() == chosen_neurons[i].has_value(), "traces: expected them of the chosen neurons");
            expect(!traces[i] || (traces[i]->shape(0) == 4 && traces[i]->shape(1) == batch && traces[i]->shape(2) == size_t(steps) &&
                                  int64_t(traces[i]->shape(3)) == many),
                   "traces: expected 4 numbers for each image, step and chosen neuron");
            job.chosen.emplace_back();
            for (int64_t k = 0; k < many; k++) {
                job.chosen.back().push_back(chosen_neurons[i]->data()[k]);
                expect(job.chosen.back().back() >= 0 && job.chosen.back().back() < l.neurons(), "chosen: expected neurons of the layer");
            }
            job.traces.push_back(traces[i] ? traces[i]->data() : nullptr);
            job.variations.push_back(variations[i] ? variation(*variations[i], l) : Variation{});
        }
        for (const auto &layer : layers_) {  // spikes of a chunk are numbered by 32 bits
            const Layer &l = layer->layer;
            const int64_t inputs = l.analog ? 0 : int64_t(l.planes_in) * l.strips * (l.strip_positions + 1);
            expect(std::max(inputs, layer->most_rows) < ((int64_t(1) << 32) - 128) / chunk,
                   "chunk: expected fewer steps of so many inputs");
        }
        job.run_layer = chosen().run_layer;
        for (auto &layer : layers_) job.layers.push_back(layer.get());
        nb::gil_scoped_release release;
        std::lock_guard<std::mutex> alone(mutex_);  // one run at a time has the threads' memory
        run_threads(job, workers_for(job, std::min(threads, images)));
    }

   private:
    static Variation variation(const In<float, 2> &of, const Layer &l) {
        expect(l.table, "variations: expected them of neurons with a table");
        const size_t size = size_t(l.neurons() + kSlack);
        expect(of.shape(0) == 5 && of.shape(1) == size, "variations: expected 5 numbers of each neuron and of 96 more");
        expect_finite(of.data(), of.size(), "variations");
        for (size_t i = 0; i < 2 * size; i++) expect(of.data()[i] >= 0, "variations: expected gains >= 0");
        const float *p = of.data();
        return {p, p + size, p + 2 * size, p + 3 * size, p + 4 * size};
    }
    template <class T>
    static const T *keep(Array<char> &place, const T *values, size_t n) {
        place = copied(values, n);
        return reinterpret_cast<const T *>(place.get());
    }
    template <class T>
    int64_t use(OwnedLayer &owned, nb::object &weights, nb::object &exc, nb::object &net) {
        Layer &l = owned.layer;
        expect(nb::isinstance<In<T, 1>>(exc) && nb::isinstance<In<T, 1>>(net), "exc, net: expected 1 axis of numbers like the weights");
        auto w = nb::cast<In<T, 2>>(weights);
        auto e = nb::cast<In<T, 1>>(exc), s = nb::cast<In<T, 1>>(net);
        expect(int64_t(w.shape(1)) == l.padded, "weights: expected rows padded to a multiple of 32 lanes");
        for (const auto &a : {e, s})
            expect(int64_t(a.shape(0)) == l.neurons() + kSlack, "exc, net: expected a bias of each neuron and 96 more");
        expect_finite(w.data(), w.size(), "weights");
        expect_finite(e.data(), e.size(), "exc");
        expect_finite(s.data(), s.size(), "net");
        l.rows = int64_t(w.shape(0));
        l.exc = keep(owned.exc, e.data(), e.size());
        l.net = keep(owned.net, s.data(), s.size());
        // Blocks of lanes of about the same width: narrow ones where many sites use the same rows, so that these stay in the cache.
        const int32_t units = l.padded / kPad, most = l.sites > 1 ? 4 : 8, blocks = (units + most - 1) / most;
        l.width = (units + blocks - 1) / blocks * kPad;
        owned.weights = Array<char>(w.size() * sizeof(T));
        T *to = reinterpret_cast<T *>(owned.weights.get());
        l.weights = to;
        for (int64_t lane = 0; lane < l.padded; lane += l.width) {
            const int64_t width = std::min<int64_t>(l.width, l.padded - lane);
            for (int64_t row = 0; row < l.rows; row++, to += width)
                std::memcpy(to, w.data() + row * l.padded + lane, size_t(width) * sizeof(T));
        }
        return l.rows;
    }
    // Memory of threads is kept from one batch to the next.
    std::vector<Worker *> workers_for(const Job &job, int threads) {
        std::vector<char> traced;
        for (const float *trace : job.traces) traced.push_back(trace != nullptr);
        if (chunk_ != job.chunk || traced_ != traced || job.layers.size() != made_for_) workers_.clear();
        chunk_ = job.chunk, traced_ = traced, made_for_ = job.layers.size();
        while (workers_.size() < size_t(threads)) workers_.push_back(std::make_unique<Worker>(job.layers, job.chunk, traced));
        std::vector<Worker *> chosen;
        for (int i = 0; i < threads; i++) chosen.push_back(workers_[size_t(i)].get());
        return chosen;
    }
    std::vector<std::unique_ptr<OwnedLayer>> layers_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<char> traced_;
    std::mutex mutex_;
    int chunk_ = 0;
    size_t made_for_ = 0;
};

// The scan of the dense engine; returns clipped charge, lowest and highest membrane.
std::tuple<double, float, float> scan_ideal(In<float, 2> net, Out<float, 1> v_mem, Out<float, 1> counts, Out<float, 2> spikes,
                                            std::optional<Out<float, 2>> membranes, float v_lb, bool to_zero, int threads) {
    const size_t steps = spikes.shape(0), size = spikes.shape(1);
    expect(net.shape(1) == size && (net.shape(0) == steps || net.shape(0) == 1),
           "net: expected charges of all neurons, of every step or of one");
    expect(v_mem.shape(0) == size && counts.shape(0) == size, "v_mem, counts: expected one of each neuron");
    expect(!membranes || (membranes->shape(0) == steps && membranes->shape(1) == size), "membranes: expected the shape of the spikes");
    expect(v_lb <= 0 && threads >= 1 && threads <= 1024 && steps < (1u << 30), "v_lb, threads: expected at most 0, and 1 to 1024");
    const Scan job{net.data(),    net.shape(0) == 1 ? 0 : int64_t(size),   int64_t(size),  int(steps), v_mem.data(), counts.data(),
                   spikes.data(), membranes ? membranes->data() : nullptr, {v_lb, to_zero}};
    const auto run = chosen().scan_ideal;
    const int64_t part = (int64_t(size) / threads + 64) / 64 * 64;
    std::vector<Sums> sums(size_t(threads), Sums{0.0, 0, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()});
    {
        nb::gil_scoped_release release;
        Threads pool;
        for (int i = 1; i < threads && i * part < job.size; i++)
            pool.emplace_back([&, i] { run(job, i * part, std::min(job.size, (i + 1) * part), sums[size_t(i)]); });
        if (size) run(job, 0, std::min(job.size, part), sums[0]);
        pool.join();
    }
    Sums all = sums[0];
    for (size_t i = 1; i < sums.size(); i++) {
        all.clipped += sums[i].clipped;
        all.v_low = std::min(all.v_low, sums[i].v_low);
        all.v_high = std::max(all.v_high, sums[i].v_high);
    }
    return {all.clipped, all.v_low, all.v_high};
}

}  // namespace
}  // namespace snn

using namespace snn;

NB_MODULE(_kernel, m) {
    m.def(
        "simd", [] { return std::string(chosen().name()); },
        "The instruction set that runs: the widest the processor has, or what SNNCIRCUIT_SIMD names.");
    m.def("scan_ideal", &scan_ideal, nb::arg("net").noconvert(), nb::arg("v_mem").noconvert(), nb::arg("counts").noconvert(),
          nb::arg("spikes").noconvert(), nb::arg("membranes").noconvert().none(), nb::arg("v_lb"), nb::arg("to_zero"), nb::arg("threads"),
          "Ideal neurons through steps whose net charges are known; see scan.py.");
    nb::class_<OwnedTable>(m, "Table", "A transfer table made ready for look-ups; see plan.py.")
        .def(nb::init<In<float, 1>, In<float, 1>, In<float, 1>, In<float, 1>, In<int32_t, 1>, In<int32_t, 1>, In<float, 3>, In<float, 2>,
                      In<float, 1>, bool>(),
             nb::arg("start").noconvert(), nb::arg("common").noconvert(), nb::arg("low").noconvert(), nb::arg("width").noconvert(),
             nb::arg("first").noconvert(), nb::arg("last").noconvert(), nb::arg("edge").noconvert(), nb::arg("rows").noconvert(),
             nb::arg("figures").noconvert(), nb::arg("profile"))
        .def_prop_ro(
            "profile", [](const OwnedTable &t) { return t.table.profile != nullptr; }, "Whether it is run as one.");
    nb::class_<Network>(m, "Network", "A chain of layers; see plan.py for what the arrays are.")
        .def(nb::init<>())
        .def("add", &Network::add, nb::arg("geometry"), nb::arg("weights").none(), nb::arg("site_blocks").noconvert(),
             nb::arg("block_segments").noconvert(), nb::arg("block_row").noconvert(), nb::arg("segments").noconvert(),
             nb::arg("exc").none(), nb::arg("net").none(), nb::arg("grid"), nb::arg("table").none(), nb::arg("v_lb"), nb::arg("to_zero"))
        .def("run", &Network::run, nb::arg("images"), nb::arg("steps"), nb::arg("chunk"), nb::arg("threads"), nb::arg("bits").none(),
             nb::arg("exc").none(), nb::arg("net").none(), nb::arg("exit_margin"), nb::arg("steps_used").noconvert(),
             nb::arg("counts").noconvert(), nb::arg("output").noconvert(), nb::arg("v_output").noconvert(), nb::arg("sums").noconvert(),
             nb::arg("visits").noconvert(), nb::arg("chosen").noconvert(), nb::arg("traces").noconvert(),
             nb::arg("variations").noconvert());
}

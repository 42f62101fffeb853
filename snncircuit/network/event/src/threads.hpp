// The images of a run shared out among threads.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "run.hpp"

namespace snn {

// Threads that are waited for, also where the system gives fewer than were asked for.
struct Threads : std::vector<std::thread> {
    void join() {
        for (std::thread &thread : *this)
            if (thread.joinable()) thread.join();
    }
    ~Threads() { join(); }
};

// Runs all images; called without the GIL, which is taken now and then to let an interrupt through.
inline void run_threads(const Job &job, const std::vector<Worker *> &workers) {
    std::atomic<int> next{0};
    std::atomic<bool> stop{false};
    size_t ended = 0;
    std::mutex mutex;
    std::condition_variable done;
    Threads pool;
    try {
        for (Worker *w : workers)
            pool.emplace_back([&, w] {
                w->begin(job, stop);
                for (int i = next++; i < job.images && !stop; i = next++) w->image(i);
                std::lock_guard<std::mutex> lock(mutex);
                ended++;
                done.notify_one();
            });
    } catch (const std::system_error &) {
        if (pool.empty()) throw;  // as many threads as there may be do
    }
    {
        std::unique_lock<std::mutex> lock(mutex);
        while (!done.wait_for(lock, std::chrono::milliseconds(100), [&] { return ended == pool.size(); })) {
            lock.unlock();
            {
                nb::gil_scoped_acquire acquire;
                if (!stop && PyErr_CheckSignals() != 0) stop = true;
            }
            lock.lock();
        }
    }
    pool.join();
    if (stop) {
        nb::gil_scoped_acquire acquire;
        throw nb::python_error();
    }
    for (size_t i = 0; i < pool.size(); i++) workers[i]->collect();
}

}  // namespace snn

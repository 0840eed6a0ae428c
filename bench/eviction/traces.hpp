// Synthetic request traces for the eviction comparison: which object is asked for, one after the other. Seeded, so that
// every run and every policy sees the same.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace mongocached::bench {

struct trace {
  std::string name;
  std::vector<std::uint32_t> requests;  // object numbers, 0 .. objects-1
  std::uint32_t objects = 0;
};

class zipf {
 public:
  zipf(std::uint32_t objects, double alpha) : cumulative_(objects), order_(objects) {
    double sum = 0;
    for (std::uint32_t rank = 0; rank < objects; ++rank) cumulative_[rank] = sum += std::pow(rank + 1.0, -alpha);
    for (double& at : cumulative_) at /= sum;
    std::iota(order_.begin(), order_.end(), 0U);
  }
  // Gives every rank to some other object.
  void shuffle(std::mt19937_64& random) { std::shuffle(order_.begin(), order_.end(), random); }
  // Moves the popular end on: the most popular objects so far become the least.
  void rotate(std::uint32_t by) { std::rotate(order_.begin(), order_.begin() + by, order_.end()); }
  std::uint32_t operator()(std::mt19937_64& random) {
    const double at = std::uniform_real_distribution<>{}(random);
    const auto rank = std::lower_bound(cumulative_.begin(), cumulative_.end() - 1, at) - cumulative_.begin();
    return order_[static_cast<std::size_t>(rank)];
  }

 private:
  std::vector<double> cumulative_;
  std::vector<std::uint32_t> order_;
};

inline trace zipf_trace(double alpha, std::uint32_t objects, std::size_t length) {
  std::mt19937_64 random(1);
  zipf draw(objects, alpha);
  draw.shuffle(random);
  trace made{"Zipf " + std::to_string(alpha).substr(0, 3), {}, objects};
  made.requests.reserve(length);
  while (made.requests.size() < length) made.requests.push_back(draw(random));
  return made;
}

// Zipf 0.9; now and then a scan reads `scan` objects that nobody asks for again: a third of all requests.
inline trace scan_trace(std::uint32_t objects, std::size_t length, std::uint32_t scan) {
  std::mt19937_64 random(2);
  zipf draw(objects, 0.9);
  draw.shuffle(random);
  trace made{"Zipf 0.9 + scans", {}, objects};
  while (made.requests.size() < length) {
    for (std::uint32_t at = 0; at < 2 * scan; ++at) made.requests.push_back(draw(random));
    for (std::uint32_t at = 0; at < scan; ++at) made.requests.push_back(made.objects++);
  }
  return made;
}

// The same objects in the same order, over and over.
inline trace loop_trace(std::uint32_t objects, std::size_t length) {
  trace made{"loop", {}, objects};
  for (std::size_t at = 0; at < length; ++at) made.requests.push_back(static_cast<std::uint32_t>(at % objects));
  return made;
}

// Zipf 0.9 whose popular objects all change ten times.
inline trace shift_trace(std::uint32_t objects, std::size_t length) {
  std::mt19937_64 random(3);
  zipf draw(objects, 0.9);
  draw.shuffle(random);
  trace made{"shifting, abrupt", {}, objects};
  for (std::size_t at = 1; at <= length; ++at) {
    made.requests.push_back(draw(random));
    if (at % (length / 10) == 0) draw.shuffle(random);
  }
  return made;
}

// Zipf 0.9 whose popular objects go out of fashion one after the other: what is newest is most popular (feeds, orders).
inline trace drift_trace(std::uint32_t objects, std::size_t length) {
  std::mt19937_64 random(4);
  zipf draw(objects, 0.9);
  trace made{"shifting, steady", {}, objects};
  for (std::size_t at = 1; at <= length; ++at) {
    made.requests.push_back(draw(random));
    if (at % 5000 == 0) draw.rotate(objects / 1000);
  }
  return made;
}

// 100 B .. 20 kB, evenly on a logarithmic scale.
inline std::vector<std::uint32_t> mixed_sizes(std::uint32_t objects) {
  std::mt19937_64 random(5);
  std::uniform_real_distribution<> draw(std::log(100.0), std::log(20000.0));
  std::vector<std::uint32_t> sizes(objects);
  for (std::uint32_t& size : sizes) size = static_cast<std::uint32_t>(std::exp(draw(random)));
  return sizes;
}

}  // namespace mongocached::bench

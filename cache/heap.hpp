// The process's heap, set up so that the cache's budget is the truth.
//
// The cache charges what malloc hands out. What malloc keeps besides depends on how it is used. By default every thread
// allocates from an arena of its own, and the room that entries leave in one is of no use to another: resident memory
// reached 1.3 times the budget with two threads, and 1.8 in a model of it where one thread then went quiet. With one
// arena it stays within 1.1 (tests/cache/heap_test.cpp proves 1.15).
//
// Known limit: when the typical entry changes from a few hundred bytes to tens of kilobytes, small survivors keep apart
// free room that no large entry fits into. Until they have left, resident memory goes up to about 1.8 times the budget.
#pragma once

#include <cstddef>

namespace mongocached::cache {

// One arena for all threads. To be called first thing in main: threads that run already keep theirs.
void prepare_heap() noexcept;

// Gives free pages back to the system if more than `slack_bytes` are free; true if it did. Worth it after much was
// dropped at once (clear, a collection gone), for malloc alone keeps what is not at the heap's end. Locks the heap for
// some 30 ms a 64 MiB, so not for a data thread, nor for every second.
bool trim_heap(std::size_t slack_bytes) noexcept;

}  // namespace mongocached::cache

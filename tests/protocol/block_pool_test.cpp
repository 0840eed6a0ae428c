#include "protocol/block_pool.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace mongocached::protocol {
namespace {

TEST(BlockPool, what_was_given_back_is_used_again_for_the_same_size) {
#ifdef MONGOCACHED_WATCHES_BLOCKS
  GTEST_SKIP() << "nothing is kept";
#endif
  block_pool::release(block_pool::allocate(100), 100);  // the thread's first
  auto* const first = block_pool::allocate(100);
  block_pool::release(first, 100);
  auto* const second = block_pool::allocate(110);
  EXPECT_EQ(second, first);
  auto* const other = block_pool::allocate(110);
  EXPECT_NE(other, second);
  block_pool::release(second, 110);
  block_pool::release(other, 110);
}

TEST(BlockPool, what_is_large_comes_from_the_heap) {
  for (const auto size : {block_pool::largest, block_pool::largest + 1, std::size_t{100'000}}) {
    auto* const block = static_cast<unsigned char*>(block_pool::allocate(size));
    block[0] = block[size - 1] = 1;
    block_pool::release(block, size);
  }
}

TEST(BlockPool, more_than_is_kept_goes_back_to_the_heap) {
  pooled_vector<void*> blocks;
  for (int i = 0; i < 1000; ++i) blocks.push_back(block_pool::allocate(64));
  for (auto* const block : blocks) block_pool::release(block, 64);
}

// Sanitizers see what would be lost.
TEST(BlockPool, a_thread_that_ends_gives_its_blocks_back) {
  std::thread([] {
    for (int i = 0; i < 10; ++i) block_pool::release(block_pool::allocate(64), 64);
    // Given back when the thread's pool has ended already.
    static thread_local std::unique_ptr<pooled_vector<int>> last;
    last = std::make_unique<pooled_vector<int>>(3);
  }).join();
}

TEST(BlockPool, a_block_may_be_given_back_on_another_thread) {
  auto* const block = block_pool::allocate(64);
  std::thread([block] { block_pool::release(block, 64); }).join();
}

TEST(BlockPool, as_the_memory_of_containers) {
  pooled_vector<int> numbers;
  for (int i = 0; i < 2000; ++i) numbers.push_back(i);
  const auto moved = std::move(numbers);
  EXPECT_EQ(moved.back(), 1999);
  const auto shared = std::allocate_shared<int>(pooled_allocator<int>(), 7);
  EXPECT_EQ(*shared, 7);
}

}  // namespace
}  // namespace mongocached::protocol

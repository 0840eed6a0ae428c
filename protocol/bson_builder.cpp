#include "protocol/bson_builder.hpp"

#include <utility>

namespace mongocached::protocol {
namespace {

void append_bytes(byte_buffer& out, const void* from, std::size_t size) {
  const auto* bytes = static_cast<const std::uint8_t*>(from);
  out.insert(out.end(), bytes, bytes + size);
}

template <class T>
void append_le(byte_buffer& out, T value) {
  append_bytes(out, &value, sizeof value);
}

void append_head(byte_buffer& out, bson_type type, std::string_view name) {
  out.push_back(static_cast<std::uint8_t>(type));
  append_bytes(out, name.data(), name.size());
  out.push_back(0);
}

}  // namespace

bson_builder::bson_builder(byte_buffer& out) : out_(&out), start_(out.size()) {
  append_le<std::int32_t>(out, 0);
}

bson_builder::bson_builder(bson_builder&& other) noexcept
    : out_(std::exchange(other.out_, nullptr)), start_(other.start_) {}

void bson_builder::append_double(std::string_view name, double value) {
  append_head(*out_, bson_type::float64, name);
  append_le(*out_, value);
}

void bson_builder::append_string(std::string_view name, std::string_view value) {
  append_head(*out_, bson_type::string, name);
  append_le(*out_, static_cast<std::int32_t>(value.size() + 1));
  append_bytes(*out_, value.data(), value.size());
  out_->push_back(0);
}

void bson_builder::append_bool(std::string_view name, bool value) {
  append_head(*out_, bson_type::boolean, name);
  out_->push_back(value ? 1 : 0);
}

void bson_builder::append_int32(std::string_view name, std::int32_t value) {
  append_head(*out_, bson_type::int32, name);
  append_le(*out_, value);
}

void bson_builder::append_int64(std::string_view name, std::int64_t value) {
  append_head(*out_, bson_type::int64, name);
  append_le(*out_, value);
}

void bson_builder::append_date(std::string_view name, std::int64_t milliseconds_since_epoch) {
  append_head(*out_, bson_type::date, name);
  append_le(*out_, milliseconds_since_epoch);
}

void bson_builder::append_timestamp(std::string_view name, std::uint64_t value) {
  append_head(*out_, bson_type::timestamp, name);
  append_le(*out_, value);
}

void bson_builder::append_object_id(std::string_view name, std::span<const std::uint8_t, 12> value) {
  append_value(bson_type::object_id, name, value);
}

void bson_builder::append_binary(std::string_view name, std::uint8_t subtype, byte_view value) {
  append_head(*out_, bson_type::binary, name);
  append_le(*out_, static_cast<std::int32_t>(value.size()));
  out_->push_back(subtype);
  append_bytes(*out_, value.data(), value.size());
}

void bson_builder::append_document(std::string_view name, bson_view value) {
  append_value(bson_type::document, name, value.bytes());
}

void bson_builder::append_array(std::string_view name, bson_view value) {
  append_value(bson_type::array, name, value.bytes());
}

void bson_builder::append(const bson_element& element) {
  append_bytes(*out_, element.raw.data(), element.raw.size());
}

void bson_builder::append_all(bson_view document) {
  append_bytes(*out_, document.bytes().data() + 4, document.size() - 5);
}

void bson_builder::append_as(std::string_view name, const bson_element& element) {
  append_value(element.type, name, element.value);
}

void bson_builder::append_value(bson_type type, std::string_view name, byte_view value) {
  append_head(*out_, type, name);
  append_bytes(*out_, value.data(), value.size());
}

bson_builder bson_builder::open_document(std::string_view name) {
  append_head(*out_, bson_type::document, name);
  return bson_builder(*out_);
}

bson_builder bson_builder::open_array(std::string_view name) {
  append_head(*out_, bson_type::array, name);
  return bson_builder(*out_);
}

void bson_builder::finish() {
  if (out_ == nullptr) return;
  out_->push_back(0);
  store_le(out_->data() + start_, static_cast<std::int32_t>(out_->size() - start_));
  out_ = nullptr;
}

}  // namespace mongocached::protocol

// OP_MSG requests, field for field as PyMongo 4 sends them to a mongos or a primary (taken from its traffic):
//   find_one({_id})                     {find, filter, limit: 1, singleBatch: true, lsid, $clusterTime, $db}
//   update_one({_id}, {$set: {rating}}) {update, ordered, lsid, txnNumber, $clusterTime, $db} and a kind-1 section
//   `updates` find().sort().limit(N)              {find, filter: {category}, sort: {rating: -1}, limit: N, lsid,
//   $clusterTime, $db}
// $clusterTime is the one of the hello's reply, if it had one; a driver would follow it, at the same size.
#include <algorithm>
#include <array>
#include <random>
#include <stdexcept>

#include "bench/request_writer.hpp"
#include "protocol/op_msg.hpp"
#include "protocol/reply.hpp"

namespace mongocached::bench {
namespace {

using protocol::bson_builder;
using protocol::bson_cursor;
using protocol::bson_element;
using protocol::bson_type;
using protocol::bson_view;
using protocol::byte_buffer;
using protocol::byte_view;

using object_id = std::array<std::uint8_t, 12>;

// Documents have ObjectIds, as most collections do: a fixed time, then the document's number.
object_id id_of_document(std::uint64_t number) {
  object_id id{0x66, 0, 0, 0};
  for (std::size_t i = 0; i < 8; ++i) id[11 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  return id;
}

// A message and where its variable parts stand.
struct prepared_message {
  byte_buffer bytes;
  std::size_t variable = 0;    // _id's 12 bytes, or category's 4
  std::size_t txn_number = 0;  // 0: none
};

std::size_t find_once(const byte_buffer& bytes, byte_view what) {
  const auto at = std::search(bytes.begin(), bytes.end(), what.begin(), what.end());
  if (at == bytes.end()) throw std::logic_error("a prepared message lacks its variable part");
  return static_cast<std::size_t>(at - bytes.begin());
}

class mongo_writer final : public request_writer {
 public:
  mongo_writer(const load_options& options, std::uint64_t connection) : options_(options) {
    std::random_device device;
    std::mt19937_64 random((std::uint64_t{device()} << 32 | device()) + connection);
    for (auto& byte : session_) byte = static_cast<std::uint8_t>(random());
  }

  void greet(channel& server) override {
    byte_buffer message;
    const std::size_t start = protocol::begin_op_msg(message, ++request_id_, 0);
    bson_builder body(message);
    body.append_int32("ismaster", 1);
    body.append_bool("helloOk", true);
    {
      auto client = body.open_document("client");
      {
        auto driver = client.open_document("driver");
        driver.append_string("name", "mongocached-load");
        driver.append_string("version", "1");
      }
      auto os = client.open_document("os");
      os.append_string("type", "Linux");
    }
    body.append_string("$db", "admin");
    body.finish();
    protocol::end_op_msg(message, start);
    exchange(server, message, [this](bson_view reply) {
      if (const auto time = reply.find("$clusterTime"); time && time->document()) {
        cluster_time_.assign(time->value.begin(), time->value.end());
      }
    });
    build_all();
  }

  void populate(channel& server) override {
    constexpr std::uint64_t batch = 200;
    for (std::uint64_t key = 0; key < options_.key_space; key += batch) {
      byte_buffer message;
      const std::size_t start = begin(message, "insert", [](bson_builder& body) { body.append_bool("ordered", true); });
      const std::size_t section = begin_sequence(message, "documents");
      const std::uint64_t end = std::min(key + batch, options_.key_space);
      for (std::uint64_t k = key; k < end; ++k) append_document(message, k);
      end_sequence(message, section);
      protocol::end_op_msg(message, start);
      exchange(server, message, [&](bson_view reply) {
        const auto n = reply.find("n");
        if (!n || n->integer() != static_cast<std::int64_t>(end - key)) {
          throw std::runtime_error("documents could not be written");
        }
      });
    }
  }

  byte_view prepare(operation op, std::uint64_t number) override {
    last_operation_ = op;
    auto& message = op == operation::read ? read_ : op == operation::write ? write_ : top_;
    protocol::store_le(message.bytes.data() + 4, ++request_id_);
    if (op == operation::top) {
      protocol::store_le(message.bytes.data() + message.variable,
                         static_cast<std::int32_t>(number % options_.categories));
    } else {
      asked_ = id_of_document(number);
      std::ranges::copy(asked_, message.bytes.begin() + static_cast<std::ptrdiff_t>(message.variable));
    }
    if (message.txn_number != 0) protocol::store_le(message.bytes.data() + message.txn_number, ++txn_number_);
    return message.bytes;
  }

  reply_state judge(byte_view received, std::size_t& size) override {
    if (received.size() < protocol::header_size) return reply_state::incomplete;
    const auto length = protocol::load_le<std::uint32_t>(received.data());
    if (length < protocol::header_size || length > protocol::max_message_size) return bad("no wire message");
    if (received.size() < length) return reply_state::incomplete;
    size = length;
    const byte_view message = received.first(length);
    if (protocol::load_le<std::int32_t>(message.data() + 8) != request_id_) return bad("responseTo is not our request");
    protocol::op_msg parsed;
    if (protocol::parse_op_msg(message, parsed) != protocol::op_msg_error::none) return bad("no OP_MSG reply");
    return judge_body(parsed.body);
  }

 private:
  reply_state judge_body(bson_view body) {
    bool ok = false;
    std::optional<bson_view> first;  // document of the batch
    bool write_errors = false;
    bson_cursor elements(body);
    for (bson_element e; elements.next(e);) {
      if (e.name == "ok") {
        ok = e.truthy().value_or(false);
      } else if (e.name == "cursor") {
        first = first_document(e.document().value_or(bson_view()));
      } else if (e.name == "writeErrors" || e.name == "writeConcernError") {
        write_errors = true;
      }
    }
    if (elements.failed()) return bad("malformed reply");
    if (!ok || write_errors) {
      const auto text = body.find("errmsg");
      return bad("error reply: " + std::string(text ? text->text().value_or("") : "writeErrors"));
    }
    if (options_.check == reply_check::ok || last_operation_ == operation::write) return reply_state::good;
    if (!first) return bad("empty result");
    if (last_operation_ == operation::top) return reply_state::good;
    const auto id = first->find("_id");
    if (!id || !id->is(bson_type::object_id) || !protocol::equal(id->value, asked_)) return bad("another document");
    return reply_state::good;
  }

  static std::optional<bson_view> first_document(bson_view cursor) {
    const auto batch = cursor.find("firstBatch");
    const auto documents = batch ? batch->document() : std::nullopt;
    const auto first = documents ? documents->find("0") : std::nullopt;
    return first ? first->document() : std::nullopt;
  }

  // {command: collection, <fields>, lsid, [$clusterTime], $db}; the caller ends the message.
  template <class AppendFields>
  std::size_t begin(byte_buffer& message, std::string_view command, AppendFields append_fields) {
    const std::size_t start = protocol::begin_op_msg(message, 0, 0);
    bson_builder body(message);
    body.append_string(command, options_.collection);
    append_fields(body);
    {
      auto lsid = body.open_document("lsid");
      lsid.append_binary("id", 4, session_);
    }
    if (command == "update") body.append_int64("txnNumber", txn_number_);
    if (!cluster_time_.empty()) body.append_value(bson_type::document, "$clusterTime", cluster_time_);
    body.append_string("$db", options_.database);
    return start;
  }

  static std::size_t begin_sequence(byte_buffer& message, std::string_view name) {
    message.push_back(1);
    const std::size_t section = message.size();
    message.resize(section + 4);
    message.insert(message.end(), name.begin(), name.end());
    message.push_back(0);
    return section;
  }
  static void end_sequence(byte_buffer& message, std::size_t section) {
    protocol::store_le(message.data() + section, static_cast<std::int32_t>(message.size() - section));
  }

  void append_document(byte_buffer& message, std::uint64_t number) {
    constexpr std::size_t overhead = 110;  // of everything but `plot`, about
    bson_builder document(message);
    document.append_object_id("_id", id_of_document(number));
    document.append_int32("category", static_cast<std::int32_t>(number % options_.categories));
    document.append_double("rating", static_cast<double>(number % 97) / 10);
    document.append_string("title", "A document of the benchmark");
    document.append_string("plot", std::string(options_.value_size - overhead, 'x'));
  }

  void build_all() {
    constexpr std::array<std::uint8_t, 4> category_mark{0x7a, 0x7b, 0x7c, 0x7d};
    const object_id id_mark = id_of_document(0x0123456789abcdef);
    read_ = {};
    std::size_t start = begin(read_.bytes, "find", [&](bson_builder& body) {
      body.open_document("filter").append_object_id("_id", id_mark);
      body.append_int32("limit", 1);
      body.append_bool("singleBatch", true);
    });
    protocol::end_op_msg(read_.bytes, start);
    read_.variable = find_once(read_.bytes, id_mark);

    top_ = {};
    start = begin(top_.bytes, "find", [&](bson_builder& body) {
      body.open_document("filter").append_value(bson_type::int32, "category", category_mark);
      body.open_document("sort").append_int32("rating", -1);
      body.append_int32("limit", static_cast<std::int32_t>(options_.top_limit));
    });
    protocol::end_op_msg(top_.bytes, start);
    top_.variable = find_once(top_.bytes, category_mark);

    write_ = {};
    start = begin(write_.bytes, "update", [](bson_builder& body) { body.append_bool("ordered", true); });
    const std::size_t section = begin_sequence(write_.bytes, "updates");
    {
      bson_builder update(write_.bytes);
      update.open_document("q").append_object_id("_id", id_mark);
      update.open_document("u").open_document("$set").append_double("rating", 1.5);
      update.append_bool("multi", false);
      update.append_bool("upsert", false);
    }
    end_sequence(write_.bytes, section);
    protocol::end_op_msg(write_.bytes, start);
    write_.variable = find_once(write_.bytes, id_mark);
    constexpr std::string_view txn_name("txnNumber\0", 10);
    write_.txn_number = find_once(write_.bytes, protocol::as_bytes(txn_name)) + txn_name.size();
  }

  // Sends a message and hands the reply's body to `use`; throws where it is no {ok: 1}.
  template <class Use>
  void exchange(channel& server, const byte_buffer& message, Use use) {
    send_all(server, message.data(), message.size());
    byte_buffer reply(protocol::header_size);
    receive_all(server, reply.data(), reply.size());
    const auto length = protocol::load_le<std::uint32_t>(reply.data());
    if (length < protocol::header_size || length > protocol::max_message_size)
      throw std::runtime_error("no wire message");
    reply.resize(length);
    receive_all(server, reply.data() + protocol::header_size, length - protocol::header_size);
    protocol::op_msg parsed;
    if (protocol::parse_op_msg(reply, parsed) != protocol::op_msg_error::none)
      throw std::runtime_error("no OP_MSG reply");
    const auto ok = parsed.body.find("ok");
    if (!ok || !ok->truthy().value_or(false)) throw std::runtime_error("the server answered with an error");
    use(parsed.body);
  }

  const load_options& options_;
  std::array<std::uint8_t, 16> session_{};
  byte_buffer cluster_time_;
  std::int32_t request_id_ = 0;
  std::int64_t txn_number_ = 0;
  prepared_message read_;
  prepared_message write_;
  prepared_message top_;
  operation last_operation_ = operation::read;
  object_id asked_{};
};

}  // namespace

std::unique_ptr<request_writer> make_mongo_writer(const load_options& options, std::uint64_t connection) {
  return std::make_unique<mongo_writer>(options, connection);
}

}  // namespace mongocached::bench

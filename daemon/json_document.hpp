// JSON values of our own as BSON.
#pragma once

#include <boost/json/fwd.hpp>

#include "protocol/bson_builder.hpp"

namespace mongocached::daemon {

// The object's members, appended to a document. Integers take the smallest type that holds them, as relaxed Extended
// JSON is read; what no int64 holds becomes a double. Texts that are no UTF-8 are mended. Names are ours: no NUL. The
// depth is ours, too.
void append_members(protocol::bson_builder& out, const boost::json::object& from);

}  // namespace mongocached::daemon

// Base64 as SCRAM uses it (RFC 4648 section 4): the standard alphabet, padded, nothing else.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mongocached::auth {

[[nodiscard]] std::string to_base64(std::string_view bytes);
// Empty where the text is anything but the one encoding of some bytes.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace mongocached::auth

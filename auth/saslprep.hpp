// SASLprep (RFC 4013): the one form of a password in which SCRAM-SHA-256 knows it, however it was typed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mongocached::auth {

// Empty where the text is no UTF-8 or holds what SASLprep prohibits (control characters, private use, mixed
// directions). Characters that Unicode had not assigned by version 3.2 are refused where `stored`, as the RFC asks for
// what is kept, and taken as they are in what is only compared.
[[nodiscard]] std::optional<std::string> saslprep(std::string_view text, bool stored = false);

}  // namespace mongocached::auth

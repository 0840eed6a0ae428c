#include "auth/saslprep.hpp"

#include <unicode/usprep.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace mongocached::auth {
namespace {

constexpr std::size_t longest = 64UL << 10;

bool is_plain_ascii(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c <= 0x7e; });
}

}  // namespace

std::optional<std::string> saslprep(std::string_view text, bool stored) {
  if (is_plain_ascii(text)) return std::string(text);
  if (text.size() > longest) return std::nullopt;
  UErrorCode status = U_ZERO_ERROR;
  std::vector<UChar> wide(text.size() + 1);
  int32_t wide_size = 0;
  u_strFromUTF8(wide.data(), static_cast<int32_t>(wide.size()), &wide_size, text.data(),
                static_cast<int32_t>(text.size()), &status);
  if (U_FAILURE(status) != 0) return std::nullopt;
  const std::unique_ptr<UStringPrepProfile, decltype(&usprep_close)> profile(
      usprep_openByType(USPREP_RFC4013_SASLPREP, &status), &usprep_close);
  if (U_FAILURE(status) != 0) return std::nullopt;
  // Normalisation (NFKC) makes a character eighteen at most.
  std::vector<UChar> prepared(wide.size() * 18);
  const auto size =
      usprep_prepare(profile.get(), wide.data(), wide_size, prepared.data(), static_cast<int32_t>(prepared.size()),
                     stored ? USPREP_DEFAULT : USPREP_ALLOW_UNASSIGNED, nullptr, &status);
  if (U_FAILURE(status) != 0) return std::nullopt;
  std::string out(static_cast<std::size_t>(size) * 3 + 1, '\0');
  int32_t out_size = 0;
  u_strToUTF8(out.data(), static_cast<int32_t>(out.size()), &out_size, prepared.data(), size, &status);
  if (U_FAILURE(status) != 0) return std::nullopt;
  out.resize(static_cast<std::size_t>(out_size));
  return out;
}

}  // namespace mongocached::auth

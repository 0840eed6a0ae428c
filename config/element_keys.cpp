// The keys of [[collection]] and [[user]].
#include <array>

#include "config/binding.hpp"
#include "config/keys.hpp"
#include "config/specs.hpp"

namespace mongocached::config {
namespace {

using namespace specs;

template <class Element, auto Member>
constexpr element_key<Element> element(element_key<Element> k) {
  k.assign = detail::assign_element<Element, Member>;
  k.get = detail::get_element<Element, Member>;
  return k;
}

template <auto Member>
constexpr element_key<collection_rule> rule(std::string_view name, value_spec spec,
                                            std::string_view meaning = "as in [cache]") {
  return element<collection_rule, Member>({.section = "collection", .name = name, .spec = spec, .meaning = meaning});
}

const std::array collection_table{
    element<collection_rule, &collection_rule::pattern>(
        {.section = "collection",
         .name = "namespace",
         .spec = plain(value_kind::pattern),
         .meaning = "Which namespaces: \"db.collection\", or the beginning of such names and a '*'. Must be given.",
         .required = true}),
    rule<&collection_rule::enabled>("enabled", plain(value_kind::boolean)),
    rule<&collection_rule::memory>(
        "memory", bytes(0, 0),
        "0: not in the memory of this process. All namespaces share cache.memory: another size "
        "is not allowed."),
    rule<&collection_rule::max_entry>("max_entry", max_entry_spec),
    rule<&collection_rule::ttl>("ttl", ttl_spec),
    rule<&collection_rule::negative_ttl>("negative_ttl", negative_ttl_spec),
    rule<&collection_rule::mode>("mode", one_of(modes)),
    rule<&collection_rule::max_lag>("max_lag", max_lag_spec),
    rule<&collection_rule::serve_stale_on_error>("serve_stale_on_error", stale_spec),
    rule<&collection_rule::verify_share>("verify_share", plain(value_kind::share)),
};

const std::array user_table{
    element<user, &user::name>({.section = "user",
                                .name = "name",
                                .spec = {value_kind::text, 1, 256},
                                .meaning =
                                    "The name to log in with (SCRAM-SHA-256, authSource admin); with upstream.auth "
                                    "= \"passthrough\" that of an upstream's user of database admin. Must be "
                                    "given.",
                                .required = true}),
    element<user, &user::password>({.section = "user",
                                    .name = "password",
                                    .spec = {value_kind::secret, 1},
                                    .meaning =
                                        "Must be given, here or as password_file, unless scram_sha_256 is. Not with "
                                        "\"passthrough\".",
                                    .file_name = "password_file"}),
    element<user, &user::admin>({.section = "user",
                                 .name = "admin",
                                 .spec = plain(value_kind::boolean),
                                 .meaning = "Whether the user may ask {mongocached: 1} for the status and, with "
                                            "upstream.auth = \"pooled\", manage the upstream's users and roles and end "
                                            "other users' sessions. Default false."}),
    element<user, &user::scram_sha_256>(
        {.section = "user",
         .name = "scram_sha_256",
         .spec = {value_kind::secret, 1},
         .meaning = "In place of the password what a server keeps of it: "
                    "\"SCRAM-SHA-256$15000:salt$StoredKey:ServerKey\" in base64, 15000 iterations or more.",
         .file_name = "scram_sha_256_file"}),
};

}  // namespace

std::span<const element_key<collection_rule>> collection_keys() {
  return collection_table;
}
std::span<const element_key<user>> user_keys() {
  return user_table;
}

}  // namespace mongocached::config

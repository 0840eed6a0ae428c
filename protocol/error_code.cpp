#include "protocol/reply.hpp"

namespace mongocached::protocol {

const char* name_of(error_code code) noexcept {
  switch (code) {
    case error_code::none:
      return "OK";
    case error_code::internal_error:
      return "InternalError";
    case error_code::bad_value:
      return "BadValue";
    case error_code::host_unreachable:
      return "HostUnreachable";
    case error_code::failed_to_parse:
      return "FailedToParse";
    case error_code::unauthorized:
      return "Unauthorized";
    case error_code::authentication_failed:
      return "AuthenticationFailed";
    case error_code::cursor_not_found:
      return "CursorNotFound";
    case error_code::max_time_ms_expired:
      return "MaxTimeMSExpired";
    case error_code::query_exceeded_memory_limit:
      return "QueryExceededMemoryLimitNoDiskUseAllowed";
    case error_code::interrupted:
      return "Interrupted";
    case error_code::invalid_options:
      return "InvalidOptions";
    case error_code::command_not_found:
      return "CommandNotFound";
    case error_code::shutdown_in_progress:
      return "ShutdownInProgress";
    case error_code::failed_to_satisfy_read_preference:
      return "FailedToSatisfyReadPreference";
    case error_code::max_staleness_out_of_range:
      return "MaxStalenessOutOfRange";
    case error_code::too_many_logical_sessions:
      return "TooManyLogicalSessions";
    case error_code::primary_stepped_down:
      return "PrimarySteppedDown";
    case error_code::exceeded_time_limit:
      return "ExceededTimeLimit";
    case error_code::operation_not_supported_in_transaction:
      return "OperationNotSupportedInTransaction";
    case error_code::unsupported_op_query_command:
      return "UnsupportedOpQueryCommand";
    case error_code::reauthentication_required:
      return "ReauthenticationRequired";
    case error_code::not_writable_primary:
      return "NotWritablePrimary";
    case error_code::interrupted_at_shutdown:
      return "InterruptedAtShutdown";
    case error_code::interrupted_due_to_repl_state_change:
      return "InterruptedDueToReplStateChange";
    case error_code::not_primary_no_secondary_ok:
      return "NotPrimaryNoSecondaryOk";
    case error_code::not_primary_or_secondary:
      return "NotPrimaryOrSecondary";
  }
  return "UnknownError";
}

bool is_state_change(std::int32_t code) noexcept {
  constexpr std::int32_t legacy_not_primary = 10058;  // never sent any more but named by the specification
  if (code == legacy_not_primary) return true;
  switch (static_cast<error_code>(code)) {
    case error_code::not_writable_primary:
    case error_code::not_primary_no_secondary_ok:
    case error_code::interrupted_at_shutdown:
    case error_code::interrupted_due_to_repl_state_change:
    case error_code::not_primary_or_secondary:
    case error_code::primary_stepped_down:
    case error_code::shutdown_in_progress:
      return true;
    default:
      return false;
  }
}

bool is_server_trouble(std::int32_t code) noexcept {
  constexpr std::int32_t host_not_found = 7;
  constexpr std::int32_t network_timeout = 89;
  constexpr std::int32_t socket_exception = 9001;
  return is_state_change(code) || code == static_cast<std::int32_t>(error_code::host_unreachable) ||
         code == host_not_found || code == network_timeout || code == socket_exception;
}

}  // namespace mongocached::protocol

"""Tests that a cache changes by what it is, and tests that any proxy changes.

The former have to pass through a daemon that only relays. Most arm a fail point for the next
command of a kind, and count on their own to be that one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

STREAM = "the fail point is met by a getMore or the opening of the proxy's own change stream"
READ = (
    "the fail point for one find is met by the read that fills the cache; where the proxy's own "
    "readConcern may have caused the error it repeats the read with the client's own bytes, so the "
    "client sees no error; or the answer comes from the cache"
)
MANY = (
    "100 000 inserts: the upstream of the tests, one Python process, also tells each of them to "
    "the proxy's change stream, and runs into the 60 s that a test may take"
)
PATTERNS = {
    r"::test_(numerous_inserts|insert_many_large_batch)$": MANY,
    r"::test_5_collects_write_concern_errors_across_batches$": MANY,
    r"::test_9_handles_getMore_error$": STREAM,
    r"ChangeStreams(Errors|Resume).*": STREAM,
    r"TestUnified(ExceededTimeLimit|ReadConcernMajorityNotAvailableYet)::": READ,
    r"^TestChangeStream_ReplicaSet/.*/errors_are_processed_for_SDAM_on_getMore$": STREAM,
    r"^TestChangeStream_ReplicaSet/.*/errors_are_processed_for_SDAM_on_retried_agg": STREAM,
    r"^TestClient/operations_don't_retry_after_a_context_timeout/read_op$": READ,
}

HELLO = "the proxy answers hello itself: it does not stream it, and upstream's delay is not in it"
EXHAUST = "the test expects PyMongo to refuse an exhaust cursor behind a mongos as it is made"
X509 = "MONGODB-X509 cannot be relayed by who ends TLS: it is refused before the fail point is met"
SHARDS = "it reads the list of shards, which only a sharded cluster behind the mongos has"
OF_ANY_PROXY = {
    r"::TestStreamingProtocol::": HELLO,
    r"::test_network_error_in_response_to_(authenticate|saslStart)_is_not_redacted$": X509,
    r"::TestMongosAndReadPreference::test_send_hedge$": SHARDS,
    r"::TestAsyncIOCursor::test_exhaust$": EXHAUST,
    r"^TestSDAMProse/(heartbeats_processed_more_frequently|rtt_tests/.*)$": HELLO,
}


def explanation(test: str) -> str:
    return _why(PATTERNS, test)


def proxy_explanation(test: str) -> str:
    return _why(OF_ANY_PROXY, test)


def _why(patterns: Mapping[str, str], test: str) -> str:
    return next((why for pattern, why in patterns.items() if re.search(pattern, test)), "")

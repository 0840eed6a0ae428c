"""Which suites and programs there are."""

from __future__ import annotations

from places import COMPAT_DEPS
from suites import Suite

PYMONGO_MODULES = [
    *["client", "session", "transactions", "bulk", "collection", "cursor", "database"],
    *["causal_consistency", "client_bulk_write", "crud_unified", "command_monitoring"],
    *["monitoring", "run_command", "read_concern", "collation", "index_management"],
    *["collection_management", "custom_types", "raw_bson", "comment", "examples"],
    *["gridfs", "gridfs_bucket", "grid_file", "gridfs_spec", "command_logging"],
    *["retryable_reads", "retryable_writes", "read_write_concern_spec", "read_preferences"],
    *["versioned_api_integration", "json_util_integration", "operation_id_retry"],
    *["server_selection", "max_staleness", "streaming_protocol", "load_balancer", "pooling"],
    *["retryable_reads_unified", "retryable_writes_unified", "sessions_unified"],
    *["change_stream", "transactions_unified"],
]
PYMONGO_ASYNC_MODULES = [
    *["session", "transactions", "bulk", "cursor", "change_stream", "gridfs_bucket"],
    *["retryable_writes", "crud_unified"],
]
MOTOR_MODULES = [
    *["await", "basic", "change_stream", "client", "collection", "cursor", "database"],
    *["grid_file", "gridfsbucket", "session"],
]


def suites() -> list[Suite]:
    pymongo = COMPAT_DEPS / "suites/pymongo"
    return [  # the short ones first: the bound of time is for all together
        Suite(
            "Motor",
            COMPAT_DEPS / "suites/motor",
            [f"test/asyncio_tests/test_asyncio_{name}.py" for name in MOTOR_MODULES],
            "its Tornado half, which sends the same, and what needs TLS or encryption",
            until=0.25,
        ),
        Suite(
            "PyMongo, asynchronous",
            pymongo,
            [f"test/asynchronous/test_{name}.py" for name in PYMONGO_ASYNC_MODULES],
            "the same, and modules whose wire traffic is that of their synchronous twins",
            until=0.45,
        ),
        Suite(
            "PyMongo",
            pymongo,
            [f"test/test_{name}.py" for name in PYMONGO_MODULES],
            "modules that never ask a server (BSON, URIs, topology simulations) and those that "
            "need encryption, TLS, authentication set-ups, DNS or other versions",
            until=1.0,
        ),
    ]

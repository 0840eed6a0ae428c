"""Which suites and programs there are."""

from __future__ import annotations

from places import COMPAT_DEPS
from runners import GoTest, Pytest
from stack import REPLICA_SET
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
GO_MODULES = [
    *["client", "client_options", "collection", "database", "cursor", "mock_find", "index_view"],
    *["crud_prose", "gridfs", "sessions", "causal_consistency", "change_stream", "errors"],
    *["transactions_convenient_api_prose", "no_writes_performed", "primary_stepdown"],
    *["sdam_error_handling", "sdam_prose", "server_selection_prose", "handshake", "csot"],
    *["csot_prose", "backpressure_prose", "load_balancer_prose", "mongos_pinning"],
    *["retryable_reads_prose", "retryable_writes_prose"],
]
GO_BULK_WRITE = "TestClientBulkWriteProse"
GO_SPIKE = "TestClientStress/Client_recovers_from_traffic_spike"
GO_LEFT_OUT = [
    # 100 001 operations each: the upstream of the tests takes minutes for them
    "TestCollection/insert_many/batches",
    "TestCollection/insert_many/writeError_index",
    f"{GO_BULK_WRITE}/3._MongoClient.bulkWrite_batch_splits_a_writeModels_input_with_greater_than"
    "_maxWriteBatchSize_operations",
    f"{GO_BULK_WRITE}/5._MongoClient.bulkWrite_collects_WriteConcernErrors_across_batches",
    f"{GO_BULK_WRITE}/6._MongoClient.bulkWrite_handles_individual_WriteErrors_across_batches",
    # a getMore after 30 ms has to know it to 1 ms: by chance, on both sides
    "TestCursor_tailableAwaitData_applyRemainingTimeout",
    # 25 seconds each; maxPoolSize_100 is run
    f"{GO_SPIKE}/maxPoolSize_1",
    f"{GO_SPIKE}/maxPoolSize_10",
]


def suites() -> list[Suite]:
    pymongo = Pytest(COMPAT_DEPS / "suites/pymongo")
    go = COMPAT_DEPS / "suites/go"
    return [  # the short ones first: the bound of time is for all together
        Suite(
            "Go driver",
            GoTest(go / "integration.test", go / "internal/integration", GO_LEFT_OUT),
            GO_MODULES,
            "the unified and DNS specifications, whose files are not in the module, what needs "
            "encryption or mongocryptd, five tests of 100 001 operations, for which the upstream "
            "takes minutes, two of three pool sizes of the traffic spike, a test of a timing "
            "within 1 ms, and how the driver shortens its log",
            until=0.15,
            pose=REPLICA_SET,
        ),
        Suite(
            "Motor",
            Pytest(COMPAT_DEPS / "suites/motor"),
            [f"test/asyncio_tests/test_asyncio_{name}.py" for name in MOTOR_MODULES],
            "its Tornado half, which sends the same, and what needs TLS or encryption",
            until=0.35,
        ),
        Suite(
            "PyMongo, asynchronous",
            pymongo,
            [f"test/asynchronous/test_{name}.py" for name in PYMONGO_ASYNC_MODULES],
            "the same, and modules whose wire traffic is that of their synchronous twins",
            until=0.5,
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

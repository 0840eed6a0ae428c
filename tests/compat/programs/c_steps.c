/* The steps with libmongoc: c_steps URI DATABASE TOPOLOGY. */
#include <mongoc/mongoc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 500

typedef struct {
  mongoc_client_t *client;
  mongoc_database_t *database;
  mongoc_collection_t *things;
  const char *topology;
  char events[4096]; /* names of the commands that succeeded, each with a space behind it */
  char kind[64];
  int begun, done;
} world;

static char why[512];

/* A step answers whether it went well, and says in `why` what did not. */
static bool no(const char *what, const bson_error_t *error) {
  snprintf(why, sizeof why, "%s%s%s", what, error && error->code ? ": " : "",
           error && error->code ? error->message : "");
  return false;
}

static void step(const char *name, bool (*body)(world *), world *w) {
  why[0] = '\0';
  if (body(w)) {
    printf("ok - %s\n", name);
  } else {
    printf("not ok - %s # %s\n", name, why);
  }
  fflush(stdout);
}

/* The `n` of the document with this `_id`; -1 if there is none. */
static int number_by(world *w, const bson_t *filter, const bson_t *options) {
  const bson_t *found;
  int number = -1;
  bson_iter_t at;
  mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(w->things, filter, options, NULL);
  if (mongoc_cursor_next(cursor, &found) && bson_iter_init_find(&at, found, "n")) number = (int)bson_iter_as_int64(&at);
  mongoc_cursor_destroy(cursor);
  return number;
}

static int number(world *w, const char *id, const bson_t *options) {
  bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
  const int result = number_by(w, filter, options);
  bson_destroy(filter);
  return result;
}

static bool insert(world *w, const char *id, const bson_t *options, bson_error_t *error) {
  bson_t *document = BCON_NEW("_id", BCON_UTF8(id), "n", BCON_INT32(1));
  const bool ok = mongoc_collection_insert_one(w->things, document, options, NULL, error);
  bson_destroy(document);
  return ok;
}

static bool update(world *w, const char *id, bson_t *change, bson_error_t *error) {
  bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
  const bool ok = mongoc_collection_update_one(w->things, filter, change, NULL, NULL, error);
  bson_destroy(filter);
  bson_destroy(change);
  return ok;
}

static bool drop_one(world *w, const char *id, const bson_t *options, bson_error_t *error) {
  bson_t *filter = BCON_NEW("_id", BCON_UTF8(id));
  const bool ok = mongoc_collection_delete_one(w->things, filter, options, NULL, error);
  bson_destroy(filter);
  return ok;
}

static bool fail_once(world *w, const char *command) {
  bson_error_t error = {0};
  bson_t *order = BCON_NEW("configureFailPoint", "failCommand", "mode", "{", "times", BCON_INT32(1), "}", "data", "{",
                           "failCommands", "[", BCON_UTF8(command), "]", "closeConnection", BCON_BOOL(true), "}");
  const bool ok = mongoc_client_command_simple(w->client, "admin", order, NULL, NULL, &error);
  bson_destroy(order);
  return ok || no("fail point", &error);
}

static bool crud(world *w) {
  bson_error_t error = {0};
  if (!insert(w, "one", NULL, &error)) return no("insert", &error);
  for (int i = 0; i < 3; i++) {
    if (number(w, "one", NULL) != 1) return no("not found as it was written", NULL);
  }
  if (!update(w, "one", BCON_NEW("$inc", "{", "n", BCON_INT32(1), "}"), &error)) return no("update", &error);
  if (number(w, "one", NULL) != 2) return no("the update is not seen", NULL);
  if (!drop_one(w, "one", NULL, &error)) return no("delete", &error);
  return number(w, "one", NULL) == -1 || no("the delete is not seen", NULL);
}

static bool bulk(world *w) {
  bson_error_t error = {0};
  mongoc_bulk_operation_t *operation = mongoc_collection_create_bulk_operation_with_opts(w->things, NULL);
  for (int i = 0; i < MANY; i++) {
    bson_t *document = BCON_NEW("_id", BCON_INT32(i), "n", BCON_INT32(i % 10));
    mongoc_bulk_operation_insert(operation, document);
    bson_destroy(document);
  }
  bson_t *three = BCON_NEW("n", BCON_INT32(3));
  bson_t *mark = BCON_NEW("$set", "{", "three", BCON_BOOL(true), "}");
  bson_t *last = BCON_NEW("_id", BCON_INT32(MANY - 1));
  mongoc_bulk_operation_update_many_with_opts(operation, three, mark, NULL, &error);
  mongoc_bulk_operation_remove_one_with_opts(operation, last, NULL, &error);
  bson_t reply;
  bson_iter_t at;
  const bool ok = mongoc_bulk_operation_execute(operation, &reply, &error) != 0;
  const bool counted = bson_iter_init_find(&at, &reply, "nModified") && bson_iter_as_int64(&at) == 50 &&
                       bson_iter_init_find(&at, &reply, "nRemoved") && bson_iter_as_int64(&at) == 1;
  bson_destroy(&reply);
  bson_destroy(three);
  bson_destroy(mark);
  bson_destroy(last);
  mongoc_bulk_operation_destroy(operation);
  if (!ok) return no("bulk", &error);
  return counted || no("other counts", NULL);
}

static bool duplicate_key(world *w) {
  bson_error_t error = {0};
  if (!insert(w, "twice", NULL, &error)) return no("insert", &error);
  if (insert(w, "twice", NULL, &error)) return no("no error", NULL);
  return error.code == 11000 || no("another error", &error);
}

static bool cursor_batches(world *w) {
  bson_error_t error = {0};
  const bson_t *found;
  bson_iter_t at;
  bson_t *filter = BCON_NEW("_id", "{", "$gte", BCON_INT32(0), "}");
  bson_t *options = BCON_NEW("batchSize", BCON_INT32(7), "sort", "{", "_id", BCON_INT32(1), "}");
  mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(w->things, filter, options, NULL);
  int next = 0;
  bool in_order = true;
  while (mongoc_cursor_next(cursor, &found)) {
    in_order = in_order && bson_iter_init_find(&at, found, "_id") && bson_iter_as_int64(&at) == next;
    next++;
  }
  const bool failed = mongoc_cursor_error(cursor, &error);
  mongoc_cursor_destroy(cursor);
  bson_destroy(filter);
  bson_destroy(options);
  if (failed) return no("cursor", &error);
  return (in_order && next == MANY - 1) || no("not all of them in order", NULL);
}

/* A command of the database, with retryable reads; true if it went well and `path` in its answer is the number `wanted`. */
static bool answers(world *w, bson_t *command, const char *path, int64_t wanted, bson_error_t *error) {
  bson_t reply;
  bson_iter_t at, found;
  const bool ok = mongoc_client_read_command_with_opts(w->client, mongoc_database_get_name(w->database), command, NULL,
                                                       NULL, &reply, error);
  const bool equal = ok && bson_iter_init(&at, &reply) && bson_iter_find_descendant(&at, path, &found) &&
                     bson_iter_as_int64(&found) == wanted;
  bson_destroy(&reply);
  bson_destroy(command);
  return equal;
}

static bool cursor_killed(world *w) {
  bson_error_t error = {0};
  const bson_t *found;
  bson_t everything = BSON_INITIALIZER;
  bson_t *options = BCON_NEW("batchSize", BCON_INT32(5));
  mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(w->things, &everything, options, NULL);
  mongoc_cursor_next(cursor, &found);
  const int64_t id = mongoc_cursor_get_id(cursor);
  bson_t *order = BCON_NEW("killCursors", "things", "cursors", "[", BCON_INT64(id), "]");
  const bool killed = answers(w, order, "cursorsKilled.0", id, &error);
  while (mongoc_cursor_next(cursor, &found)) {
  }
  const bool failed = mongoc_cursor_error(cursor, &error);
  mongoc_cursor_destroy(cursor);
  bson_destroy(options);
  bson_destroy(&everything);
  if (!killed) return no("not killed", &error);
  return (failed && error.code == 43) || no("a killed cursor goes on", &error);
}

static bool count_distinct_aggregate(world *w) {
  bson_error_t error = {0};
  const bson_t *found;
  bson_iter_t at;
  bson_t *four = BCON_NEW("n", BCON_INT32(4));
  const int64_t count = mongoc_collection_count_documents(w->things, four, NULL, NULL, NULL, &error);
  bson_destroy(four);
  if (count != 50) return no("count", &error);
  bson_t *distinct = BCON_NEW("distinct", "things", "key", "n", "query", "{", "n", "{", "$gte", BCON_INT32(9), "}", "}");
  if (!answers(w, distinct, "values.0", 9, &error)) return no("distinct", &error);
  bson_t *sums = BCON_NEW("pipeline", "[", "{", "$match", "{", "n", BCON_INT32(8), "}", "}", "{", "$group", "{", "_id",
                          "$n", "c", "{", "$sum", BCON_INT32(1), "}", "}", "}", "]");
  mongoc_cursor_t *cursor = mongoc_collection_aggregate(w->things, MONGOC_QUERY_NONE, sums, NULL, NULL);
  const bool summed = mongoc_cursor_next(cursor, &found) && bson_iter_init_find(&at, found, "c") &&
                      bson_iter_as_int64(&at) == 50;
  mongoc_cursor_error(cursor, &error);
  mongoc_cursor_destroy(cursor);
  bson_destroy(sums);
  return summed || no("aggregate", &error);
}

static int index_count(world *w) {
  const bson_t *found;
  int count = 0;
  mongoc_cursor_t *cursor = mongoc_collection_find_indexes_with_opts(w->things, NULL);
  while (mongoc_cursor_next(cursor, &found)) count++;
  mongoc_cursor_destroy(cursor);
  return count;
}

static bool indexes(world *w) {
  bson_error_t error = {0};
  bson_t *make = BCON_NEW("createIndexes", "things", "indexes", "[", "{", "key", "{", "n", BCON_INT32(1), "}", "name",
                          "by_n", "}", "]");
  const bool made = mongoc_database_write_command_with_opts(w->database, make, NULL, NULL, &error);
  bson_destroy(make);
  if (!made) return no("not made", &error);
  if (index_count(w) != 2) return no("not two indexes", NULL);
  if (!mongoc_database_has_collection(w->database, "things", &error)) return no("things is not listed", &error);
  if (!mongoc_collection_drop_index(w->things, "by_n", &error)) return no("not dropped", &error);
  return index_count(w) == 1 || no("not one index", NULL);
}

static bool session_reads(world *w) {
  bson_error_t error = {0};
  mongoc_client_session_t *session = mongoc_client_start_session(w->client, NULL, &error);
  if (!session) return no("session", &error);
  bson_t options = BSON_INITIALIZER;
  bool ok = mongoc_client_session_append(session, &options, &error) && insert(w, "causal", &options, &error);
  ok = ok && number(w, "causal", &options) == 1 && mongoc_client_session_get_cluster_time(session) != NULL;
  bson_destroy(&options);
  mongoc_client_session_destroy(session);
  return ok || no("the write is not seen, or the session knows no time", &error);
}

static bool commits(world *w) {
  bson_error_t error = {0};
  mongoc_client_session_t *session = mongoc_client_start_session(w->client, NULL, &error);
  if (!session) return no("session", &error);
  bson_t options = BSON_INITIALIZER;
  bool ok = mongoc_client_session_start_transaction(session, NULL, &error) &&
            mongoc_client_session_append(session, &options, &error) && insert(w, "tx", &options, &error);
  ok = ok && number(w, "tx", &options) == 1 && number(w, "tx", NULL) == -1;
  ok = ok && mongoc_client_session_commit_transaction(session, NULL, &error) && number(w, "tx", NULL) == 1;
  bson_destroy(&options);
  mongoc_client_session_destroy(session);
  return ok || no("not committed", &error);
}

static bool aborts(world *w) {
  bson_error_t error = {0};
  mongoc_client_session_t *session = mongoc_client_start_session(w->client, NULL, &error);
  if (!session) return no("session", &error);
  bson_t options = BSON_INITIALIZER;
  bool ok = mongoc_client_session_start_transaction(session, NULL, &error) &&
            mongoc_client_session_append(session, &options, &error) && drop_one(w, "tx", &options, &error);
  ok = ok && mongoc_client_session_abort_transaction(session, &error) && number(w, "tx", NULL) == 1;
  bson_destroy(&options);
  mongoc_client_session_destroy(session);
  return ok || no("not as before", &error);
}

static mongoc_change_stream_t *watch(world *w, const bson_t *token) {
  bson_t pipeline = BSON_INITIALIZER;
  bson_t *options = BCON_NEW("maxAwaitTimeMS", BCON_INT32(500));
  if (token) BSON_APPEND_DOCUMENT(options, "resumeAfter", token);
  mongoc_change_stream_t *stream = mongoc_collection_watch(w->things, &pipeline, options);
  bson_destroy(options);
  bson_destroy(&pipeline);
  return stream;
}

/* Whether the next change is one of the document with this `_id`. */
static bool tells(mongoc_change_stream_t *stream, const char *id) {
  const bson_t *change;
  bson_iter_t at, key;
  for (int i = 0; i < 40; i++) {
    if (!mongoc_change_stream_next(stream, &change)) continue;
    return bson_iter_init(&at, change) && bson_iter_find_descendant(&at, "documentKey._id", &key) &&
           strcmp(bson_iter_utf8(&key, NULL), id) == 0;
  }
  return false;
}

static bool change_stream(world *w) {
  bson_error_t error = {0};
  mongoc_change_stream_t *stream = watch(w, NULL);
  const bool told = insert(w, "watched", NULL, &error) && tells(stream, "watched");
  mongoc_change_stream_error_document(stream, &error, NULL);
  mongoc_change_stream_destroy(stream);
  return told || no("no change is told", &error);
}

static bool change_stream_resumes(world *w) {
  bson_error_t error = {0};
  mongoc_change_stream_t *stream = watch(w, NULL);
  bool told = insert(w, "first", NULL, &error) && insert(w, "second", NULL, &error) && tells(stream, "first");
  if (told) {
    mongoc_change_stream_t *again = watch(w, mongoc_change_stream_get_resume_token(stream));
    told = tells(again, "second");
    mongoc_change_stream_error_document(again, &error, NULL);
    mongoc_change_stream_destroy(again);
  }
  mongoc_change_stream_destroy(stream);
  return told || no("does not go on behind the token", &error);
}

/* Whether what was stored comes back, read in pieces. */
static bool downloads(mongoc_gridfs_bucket_t *bucket, const bson_value_t *id, const char *content, size_t size,
                      bson_error_t *error) {
  static char piece[70000];
  mongoc_stream_t *file = mongoc_gridfs_bucket_open_download_stream(bucket, id, error);
  if (!file) return false;
  size_t at = 0;
  ssize_t got;
  while ((got = mongoc_stream_read(file, piece, sizeof piece, 1, 0)) > 0) {
    if (at + (size_t)got > size || memcmp(content + at, piece, (size_t)got) != 0) break;
    at += (size_t)got;
  }
  mongoc_gridfs_bucket_stream_error(file, error);
  mongoc_stream_destroy(file);
  return at == size && got == 0;
}

static bool gridfs(world *w) {
  static char content[256000];
  bson_error_t error = {0};
  bson_value_t id;
  for (size_t i = 0; i < sizeof content; i++) content[i] = (char)(i % 251);
  bson_t *options = BCON_NEW("chunkSizeBytes", BCON_INT32(50000));
  mongoc_gridfs_bucket_t *bucket = mongoc_gridfs_bucket_new(w->database, options, NULL, &error);
  bson_destroy(options);
  if (!bucket) return no("no bucket", &error);
  mongoc_stream_t *file = mongoc_gridfs_bucket_open_upload_stream(bucket, "file", NULL, &id, &error);
  bool ok = file && mongoc_stream_write(file, content, sizeof content, 0) == (ssize_t)sizeof content;
  ok = ok && mongoc_stream_close(file) == 0;
  mongoc_stream_destroy(file);
  for (int i = 0; ok && i < 2; i++) ok = downloads(bucket, &id, content, sizeof content, &error);
  ok = ok && mongoc_gridfs_bucket_delete_by_id(bucket, &id, &error);
  mongoc_gridfs_bucket_destroy(bucket);
  return ok || no("not the same bytes", &error);
}

static bool retryable_read(world *w) {
  bson_error_t error = {0};
  bson_t *distinct = BCON_NEW("distinct", "things", "key", "n", "query", "{", "n", BCON_INT32(5), "}");
  if (!fail_once(w, "distinct")) { /* no cache answers it, and no proxy repeats it */
    bson_destroy(distinct);
    return false;
  }
  const int before = w->begun;
  if (!answers(w, distinct, "values.0", 5, &error)) return no("not read again", &error);
  return w->begun == before + 2 || no("not by the driver", NULL);
}

static bool retryable_write(world *w) {
  bson_error_t error = {0};
  if (!fail_once(w, "insert")) return false;
  if (!insert(w, "retried", NULL, &error)) return no("not retried", &error);
  return number(w, "retried", NULL) == 1 || no("not written", NULL);
}

static bool unacknowledged(world *w) {
  bson_error_t error = {0};
  bson_t *options = BCON_NEW("writeConcern", "{", "w", BCON_INT32(0), "}");
  const bool sent = insert(w, "silent", options, &error);
  bson_destroy(options);
  if (!sent) return no("not sent", &error);
  for (int i = 0; i < 500; i++) {
    if (number(w, "silent", NULL) == 1) return true;
  }
  return no("never seen", NULL);
}

static bool command_monitoring(world *w) {
  const char *const names[] = {" find ", " insert ", " getMore ", " commitTransaction "};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (!strstr(w->events, names[i])) return no(names[i], NULL);
  }
  return w->done <= w->begun || no("more ended than began", NULL);
}

static bool topology_monitoring(world *w) {
  return strcmp(w->kind, w->topology) == 0 || no(w->kind, NULL);
}

static void on_started(const mongoc_apm_command_started_t *event) {
  ((world *)mongoc_apm_command_started_get_context(event))->begun++;
}

static void on_succeeded(const mongoc_apm_command_succeeded_t *event) {
  world *w = mongoc_apm_command_succeeded_get_context(event);
  char word[64];
  snprintf(word, sizeof word, " %s ", mongoc_apm_command_succeeded_get_command_name(event));
  w->done++;
  if (!strstr(w->events, word) && strlen(w->events) + strlen(word) < sizeof w->events) strcat(w->events, word);
}

static void on_topology(const mongoc_apm_topology_changed_t *event) {
  world *w = mongoc_apm_topology_changed_get_context(event);
  const mongoc_topology_description_t *now = mongoc_apm_topology_changed_get_new_description(event);
  const char *kind = mongoc_topology_description_type(now);
  if (strcmp(kind, "Unknown") != 0) snprintf(w->kind, sizeof w->kind, "%s", kind);
}

int main(int count, char **words) {
  if (count != 4) return 2;
  mongoc_init();
  bson_error_t error = {0};
  world w = {.topology = words[3]};
  w.client = mongoc_client_new(words[1]);
  if (!w.client) return 2;
  mongoc_client_set_error_api(w.client, MONGOC_ERROR_API_VERSION_2);
  mongoc_apm_callbacks_t *callbacks = mongoc_apm_callbacks_new();
  mongoc_apm_set_command_started_cb(callbacks, on_started);
  mongoc_apm_set_command_succeeded_cb(callbacks, on_succeeded);
  mongoc_apm_set_topology_changed_cb(callbacks, on_topology);
  mongoc_client_set_apm_callbacks(w.client, callbacks, &w);
  w.database = mongoc_client_get_database(w.client, words[2]);
  w.things = mongoc_database_get_collection(w.database, "things");
  if (!mongoc_database_drop(w.database, &error)) {
    printf("not ok - program # %s\n", error.message);
    return 1;
  }
  step("topology monitoring", topology_monitoring, &w);
  step("crud", crud, &w);
  step("bulk", bulk, &w);
  step("duplicate key", duplicate_key, &w);
  step("cursor batches", cursor_batches, &w);
  step("cursor killed", cursor_killed, &w);
  step("count distinct aggregate", count_distinct_aggregate, &w);
  step("indexes", indexes, &w);
  step("session reads its writes", session_reads, &w);
  step("transaction commits", commits, &w);
  step("transaction aborts", aborts, &w);
  step("change stream", change_stream, &w);
  step("change stream resumes", change_stream_resumes, &w);
  step("gridfs", gridfs, &w);
  step("retryable read", retryable_read, &w);
  step("retryable write", retryable_write, &w);
  step("unacknowledged write", unacknowledged, &w);
  step("command monitoring", command_monitoring, &w);
  mongoc_database_drop(w.database, NULL);
  mongoc_collection_destroy(w.things);
  mongoc_database_destroy(w.database);
  mongoc_client_destroy(w.client);
  mongoc_apm_callbacks_destroy(callbacks);
  mongoc_cleanup();
  return 0;
}

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

static bool change_stream(world *w) {
  bson_error_t error = {0};
  const bson_t *change = NULL;
  bson_t pipeline = BSON_INITIALIZER;
  bson_t *options = BCON_NEW("maxAwaitTimeMS", BCON_INT32(500));
  mongoc_change_stream_t *stream = mongoc_collection_watch(w->things, &pipeline, options);
  bool ok = insert(w, "watched", NULL, &error);
  bool told = false;
  for (int i = 0; ok && !told && i < 40; i++) told = mongoc_change_stream_next(stream, &change);
  mongoc_change_stream_error_document(stream, &error, NULL);
  mongoc_change_stream_destroy(stream);
  bson_destroy(options);
  bson_destroy(&pipeline);
  return told || no("no change is told", &error);
}

static bool retryable_read(world *w) {
  return fail_once(w, "find") && (number(w, "tx", NULL) == 1 || no("not read again", NULL));
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
  step("session reads its writes", session_reads, &w);
  step("transaction commits", commits, &w);
  step("transaction aborts", aborts, &w);
  step("change stream", change_stream, &w);
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

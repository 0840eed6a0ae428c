// The steps with the Java driver: java Steps URI DATABASE TOPOLOGY.
import com.mongodb.ClientSessionOptions;
import com.mongodb.ConnectionString;
import com.mongodb.MongoClientSettings;
import com.mongodb.MongoCursorNotFoundException;
import com.mongodb.MongoWriteException;
import com.mongodb.WriteConcern;
import com.mongodb.client.ChangeStreamIterable;
import com.mongodb.client.ClientSession;
import com.mongodb.client.MongoChangeStreamCursor;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.MongoCursor;
import com.mongodb.client.MongoDatabase;
import com.mongodb.client.gridfs.GridFSBucket;
import com.mongodb.client.gridfs.GridFSBuckets;
import com.mongodb.client.model.Accumulators;
import com.mongodb.client.model.Aggregates;
import com.mongodb.client.model.DeleteOneModel;
import com.mongodb.client.model.Filters;
import com.mongodb.client.model.FindOneAndUpdateOptions;
import com.mongodb.client.model.Indexes;
import com.mongodb.client.model.InsertOneModel;
import com.mongodb.client.model.ReplaceOneModel;
import com.mongodb.client.model.ReplaceOptions;
import com.mongodb.client.model.ReturnDocument;
import com.mongodb.client.model.UpdateManyModel;
import com.mongodb.client.model.Updates;
import com.mongodb.client.model.changestream.ChangeStreamDocument;
import com.mongodb.connection.ClusterType;
import com.mongodb.event.ClusterDescriptionChangedEvent;
import com.mongodb.event.ClusterListener;
import com.mongodb.event.CommandListener;
import com.mongodb.event.CommandStartedEvent;
import com.mongodb.event.CommandSucceededEvent;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.bson.BsonDocument;
import org.bson.Document;
import org.bson.types.ObjectId;

public final class Steps implements CommandListener, ClusterListener {
  private final Map<Integer, String> begun = new ConcurrentHashMap<>();
  private final Map<Integer, String> done = new ConcurrentHashMap<>();
  private final Set<ClusterType> seen = ConcurrentHashMap.newKeySet();
  private MongoClient client;
  private MongoDatabase database;
  private MongoCollection<Document> things;

  private interface Body {
    void run() throws Exception;
  }

  @Override
  public void commandStarted(CommandStartedEvent event) {
    begun.put(event.getRequestId(), event.getCommandName());
  }

  @Override
  public void commandSucceeded(CommandSucceededEvent event) {
    done.put(event.getRequestId(), event.getCommandName());
  }

  @Override
  public void clusterDescriptionChanged(ClusterDescriptionChangedEvent event) {
    seen.add(event.getNewDescription().getType());
  }

  private static void step(String name, Body body) {
    try {
      body.run();
      System.out.println("ok - " + name);
    } catch (Exception | AssertionError fault) {
      System.out.println("not ok - " + name + " # " + fault.toString().replaceAll("\\s+", " "));
    }
  }

  private static void check(boolean condition, String what) {
    if (!condition) throw new AssertionError(what);
  }

  private int number(ClientSession session, Object id) {
    Document found = (session == null ? things.find(Filters.eq(id)) : things.find(session, Filters.eq(id))).first();
    return found == null ? -1 : found.getInteger("n");
  }

  private int number(Object id) {
    return number(null, id);
  }

  private static Document made(Object id, int n) {
    return new Document("_id", id).append("n", n);
  }

  private void failOnce(String command) {
    Document data = new Document("failCommands", List.of(command)).append("closeConnection", true);
    client.getDatabase("admin").runCommand(
        new Document("configureFailPoint", "failCommand").append("mode", new Document("times", 1)).append("data", data));
  }

  private void documents() {
    step("crud", () -> {
      things.insertOne(made(1, 1));
      for (int i = 0; i < 3; i++) check(number(1) == 1, "as it was written");
      things.updateOne(Filters.eq(1), Updates.inc("n", 1));
      check(number(1) == 2, "the update is seen");
      FindOneAndUpdateOptions after = new FindOneAndUpdateOptions().returnDocument(ReturnDocument.AFTER);
      Document changed = things.findOneAndUpdate(Filters.eq(1), Updates.set("n", 9), after);
      check(changed.getInteger("n") == 9 && number(1) == 9, "find and update answers the new one");
      things.replaceOne(Filters.eq(1), new Document("n", 10));
      check(number(1) == 10, "the replacement is seen");
      check(things.deleteOne(Filters.eq(1)).getDeletedCount() == 1, "one is deleted");
      check(number(1) == -1, "the delete is seen");
    });
    step("bulk", () -> {
      List<Document> many = new ArrayList<>();
      for (int i = 0; i < 500; i++) many.add(made(i, i % 10));
      things.insertMany(many);
      var result = things.bulkWrite(List.of(
          new InsertOneModel<>(made("b", -1)),
          new UpdateManyModel<>(Filters.eq("n", 3), Updates.set("three", true)),
          new DeleteOneModel<>(Filters.eq(499)),
          new ReplaceOneModel<>(Filters.eq("new"), new Document("n", -1), new ReplaceOptions().upsert(true))));
      check(result.getInsertedCount() == 1 && result.getModifiedCount() == 50, result.toString());
      check(result.getDeletedCount() == 1 && result.getUpserts().size() == 1, result.toString());
    });
    step("duplicate key", () -> {
      try {
        things.insertOne(made(1, 1));
      } catch (MongoWriteException fault) {
        check(fault.getCode() == 11000, fault.toString());
        return;
      }
      throw new AssertionError("no error");
    });
    step("indexes", () -> {
      String made = things.createIndex(Indexes.ascending("n"));
      check(things.listIndexes().into(new ArrayList<>()).size() == 2, "two indexes");
      check(database.listCollectionNames().into(new ArrayList<>()).contains("things"), "things is listed");
      things.dropIndex(made);
    });
    step("count distinct aggregate", () -> {
      check(things.countDocuments(Filters.eq("n", 4)) == 50, "count");
      var values = things.distinct("n", Filters.gte("n", 0), Integer.class).into(new ArrayList<>());
      check(values.size() == 10, "distinct");
      var group = Aggregates.group("$n", Accumulators.sum("c", 1));
      var sums = things.aggregate(List.of(Aggregates.match(Filters.eq("n", 8)), group)).into(new ArrayList<>());
      check(sums.get(0).getInteger("c") == 50, "aggregate");
    });
  }

  private void cursors() {
    step("cursor batches", () -> {
      List<Document> all =
          things.find(Filters.gte("n", 0)).batchSize(7).sort(Indexes.ascending("_id")).into(new ArrayList<>());
      check(all.size() == 499, all.size() + " documents");
      for (int i = 0; i < all.size(); i++) check(all.get(i).getInteger("_id") == i, "in order");
    });
    step("cursor killed", () -> {
      try (MongoCursor<Document> cursor = things.find().batchSize(5).iterator()) {
        database.runCommand(new Document("killCursors", "things")
            .append("cursors", List.of(cursor.getServerCursor().getId())));
        while (cursor.hasNext()) cursor.next();
      } catch (MongoCursorNotFoundException expected) {
        return;
      }
      throw new AssertionError("a killed cursor goes on");
    });
    step("gridfs", () -> {
      GridFSBucket bucket = GridFSBuckets.create(database).withChunkSizeBytes(50_000);
      byte[] content = new byte[256_000];
      for (int i = 0; i < content.length; i++) content[i] = (byte) i;
      ObjectId id = bucket.uploadFromStream("file", new ByteArrayInputStream(content));
      for (int i = 0; i < 2; i++) {
        ByteArrayOutputStream back = new ByteArrayOutputStream();
        bucket.downloadToStream(id, back);
        check(Arrays.equals(back.toByteArray(), content), "the same bytes");
      }
      bucket.delete(id);
    });
  }

  private void sessions() {
    step("session reads its writes", () -> {
      var causal = ClientSessionOptions.builder().causallyConsistent(true).build();
      try (ClientSession session = client.startSession(causal)) {
        things.insertOne(session, made("causal", 1));
        check(number(session, "causal") == 1, "the write is seen");
        check(session.getOperationTime() != null && session.getClusterTime() != null, "the session knows the time");
      }
    });
    step("transaction commits", () -> {
      try (ClientSession session = client.startSession()) {
        session.startTransaction();
        things.insertOne(session, made("tx", 1));
        check(number(session, "tx") == 1, "seen inside");
        check(number("tx") == -1, "not seen outside");
        session.commitTransaction();
        check(number("tx") == 1, "seen after the commit");
      }
    });
    step("transaction aborts", () -> {
      try (ClientSession session = client.startSession()) {
        session.startTransaction();
        things.deleteOne(session, Filters.eq("tx"));
        session.abortTransaction();
        check(number("tx") == 1, "still there");
      }
    });
  }

  private ChangeStreamIterable<Document> watch() {
    return things.watch().maxAwaitTime(500, TimeUnit.MILLISECONDS);
  }

  private static ChangeStreamDocument<Document> next(MongoChangeStreamCursor<ChangeStreamDocument<Document>> stream) {
    for (int i = 0; i < 40; i++) {
      ChangeStreamDocument<Document> change = stream.tryNext();
      if (change != null) return change;
    }
    throw new AssertionError("no change is told");
  }

  private static String key(ChangeStreamDocument<Document> change) {
    return change.getDocumentKey().getString("_id").getValue();
  }

  private void streams() {
    step("change stream", () -> {
      try (var stream = watch().cursor()) {
        things.insertOne(made("watched", 1));
        check(key(next(stream)).equals("watched"), "the insert is told");
      }
    });
    step("change stream resumes", () -> {
      BsonDocument token;
      try (var stream = watch().cursor()) {
        things.insertMany(List.of(made("first", 1), made("second", 1)));
        token = next(stream).getResumeToken();
      }
      try (var stream = watch().resumeAfter(token).cursor()) {
        check(key(next(stream)).equals("second"), "goes on behind the token");
      }
    });
  }

  private void faults() {
    step("retryable read", () -> {
      int before = Collections.frequency(begun.values(), "distinct");
      failOnce("distinct"); // no cache answers it, and no proxy repeats it
      check(things.distinct("n", Filters.eq("n", 5), Integer.class).first() == 5, "read again");
      check(Collections.frequency(begun.values(), "distinct") == before + 2, "by the driver");
    });
    step("retryable write", () -> {
      failOnce("insert");
      things.insertOne(made("retried", 1));
      check(things.countDocuments(Filters.eq("retried")) == 1, "written once");
    });
    step("unacknowledged write", () -> {
      things.withWriteConcern(WriteConcern.UNACKNOWLEDGED).insertOne(made("silent", 1));
      for (int i = 0; number("silent") != 1; i++) {
        check(i < 200, "never seen");
        Thread.sleep(10);
      }
    });
  }

  private void monitoring(String topology) {
    step("command monitoring", () -> {
      for (String name : List.of("find", "insert", "getMore", "commitTransaction")) {
        check(done.containsValue(name), "no " + name);
      }
      done.forEach((id, name) -> check(name.equals(begun.get(id)), name + " was never begun"));
    });
    step("topology monitoring", () -> {
      ClusterType expected = topology.equals("Sharded") ? ClusterType.SHARDED : ClusterType.REPLICA_SET;
      check(seen.contains(expected), seen + " without " + expected);
    });
  }

  private void run(String uri, String name, String topology) {
    MongoClientSettings settings = MongoClientSettings.builder()
        .applyConnectionString(new ConnectionString(uri))
        .addCommandListener(this)
        .applyToClusterSettings(cluster -> {
          cluster.addClusterListener(this);
          cluster.serverSelectionTimeout(10, TimeUnit.SECONDS);
        })
        .build();
    try (MongoClient opened = MongoClients.create(settings)) {
      client = opened;
      database = client.getDatabase(name);
      things = database.getCollection("things");
      database.drop();
      documents();
      cursors();
      sessions();
      streams();
      faults();
      monitoring(topology);
      database.drop();
    }
  }

  public static void main(String[] words) {
    new Steps().run(words[0], words[1], words[2]);
  }
}

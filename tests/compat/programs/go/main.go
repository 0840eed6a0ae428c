// The steps with the Go driver: main URI DATABASE TOPOLOGY.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
)

type seen struct {
	sync.Mutex
	begun, done map[int64]string
	topologies  map[string]bool
}

type world struct {
	ctx      context.Context
	client   *mongo.Client
	database *mongo.Database
	things   *mongo.Collection
	seen     *seen
	topology string
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func check(condition bool, what string, about ...any) {
	if !condition {
		panic(fmt.Errorf(what, about...))
	}
}

func step(name string, body func()) {
	defer func() {
		if fault := recover(); fault != nil {
			words := strings.Join(strings.Fields(fmt.Sprint(fault)), " ")
			fmt.Printf("not ok - %s # %s\n", name, words)
			return
		}
		fmt.Printf("ok - %s\n", name)
	}()
	body()
}

func (w *world) n(ctx context.Context, id any) int {
	var found struct{ N int }
	err := w.things.FindOne(ctx, bson.D{{"_id", id}}).Decode(&found)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return -1
	}
	must(err)
	return found.N
}

func (w *world) failOnce(command string) {
	data := bson.D{{"failCommands", bson.A{command}}, {"closeConnection", true}}
	order := bson.D{{"configureFailPoint", "failCommand"}, {"mode", bson.D{{"times", 1}}}, {"data", data}}
	must(w.client.Database("admin").RunCommand(w.ctx, order).Err())
}

func (w *world) documents() {
	step("crud", func() {
		_, err := w.things.InsertOne(w.ctx, bson.D{{"_id", 1}, {"n", 1}})
		must(err)
		for range 3 {
			check(w.n(w.ctx, 1) == 1, "as it was written")
		}
		_, err = w.things.UpdateOne(w.ctx, bson.D{{"_id", 1}}, bson.D{{"$inc", bson.D{{"n", 1}}}})
		must(err)
		check(w.n(w.ctx, 1) == 2, "the update is seen")
		after := options.FindOneAndUpdate().SetReturnDocument(options.After)
		var changed struct{ N int }
		must(w.things.FindOneAndUpdate(w.ctx, bson.D{{"_id", 1}}, bson.D{{"$set", bson.D{{"n", 9}}}}, after).Decode(&changed))
		check(changed.N == 9 && w.n(w.ctx, 1) == 9, "find and update answers the new one")
		_, err = w.things.ReplaceOne(w.ctx, bson.D{{"_id", 1}}, bson.D{{"n", 10}})
		must(err)
		check(w.n(w.ctx, 1) == 10, "the replacement is seen")
		_, err = w.things.DeleteOne(w.ctx, bson.D{{"_id", 1}})
		must(err)
		check(w.n(w.ctx, 1) == -1, "the delete is seen")
	})
	step("bulk", func() {
		many := make([]any, 500)
		for i := range many {
			many[i] = bson.D{{"_id", i}, {"n", i % 10}}
		}
		_, err := w.things.InsertMany(w.ctx, many)
		must(err)
		result, err := w.things.BulkWrite(w.ctx, []mongo.WriteModel{
			mongo.NewInsertOneModel().SetDocument(bson.D{{"_id", "b"}}),
			mongo.NewUpdateManyModel().SetFilter(bson.D{{"n", 3}}).SetUpdate(bson.D{{"$set", bson.D{{"three", true}}}}),
			mongo.NewDeleteOneModel().SetFilter(bson.D{{"_id", 499}}),
			mongo.NewReplaceOneModel().SetFilter(bson.D{{"_id", "new"}}).SetReplacement(bson.D{{"n", -1}}).SetUpsert(true),
		})
		must(err)
		check(result.InsertedCount == 1 && result.ModifiedCount == 50 && result.DeletedCount == 1, "%v", result)
		check(result.UpsertedIDs[3] == "new", "%v", result.UpsertedIDs)
	})
	step("duplicate key", func() {
		_, err := w.things.InsertOne(w.ctx, bson.D{{"_id", 1}})
		check(mongo.IsDuplicateKeyError(err), "%v", err)
	})
	step("indexes", func() {
		made, err := w.things.Indexes().CreateOne(w.ctx, mongo.IndexModel{Keys: bson.D{{"n", 1}}})
		must(err)
		listed, err := w.things.Indexes().ListSpecifications(w.ctx)
		must(err)
		check(len(listed) == 2, "%d indexes", len(listed))
		names, err := w.database.ListCollectionNames(w.ctx, bson.D{{"name", "things"}})
		must(err)
		check(len(names) == 1, "%v", names)
		must(w.things.Indexes().DropOne(w.ctx, made))
	})
}

func (w *world) cursors() {
	step("cursor batches", func() {
		sorted := options.Find().SetBatchSize(7).SetSort(bson.D{{"_id", 1}})
		cursor, err := w.things.Find(w.ctx, bson.D{{"n", bson.D{{"$gte", 0}}}}, sorted)
		must(err)
		var found []struct {
			ID int `bson:"_id"`
		}
		must(cursor.All(w.ctx, &found))
		check(len(found) == 499, "%d documents", len(found))
		for i, one := range found {
			check(one.ID == i, "%d instead of %d", one.ID, i)
		}
	})
	step("cursor killed", func() {
		cursor, err := w.things.Find(w.ctx, bson.D{}, options.Find().SetBatchSize(5))
		must(err)
		must(w.database.RunCommand(w.ctx, bson.D{{"killCursors", "things"}, {"cursors", bson.A{cursor.ID()}}}).Err())
		for cursor.Next(w.ctx) {
		}
		var fault mongo.CommandError
		check(errors.As(cursor.Err(), &fault) && fault.Code == 43, "%v", cursor.Err())
	})
	step("count distinct aggregate", func() {
		count, err := w.things.CountDocuments(w.ctx, bson.D{{"n", 4}})
		must(err)
		check(count == 50, "%d", count)
		var values []int
		must(w.things.Distinct(w.ctx, "n", bson.D{{"n", bson.D{{"$gte", 0}}}}).Decode(&values))
		check(len(values) == 10, "%v", values)
		group := bson.D{{"_id", "$n"}, {"c", bson.D{{"$sum", 1}}}}
		cursor, err := w.things.Aggregate(w.ctx, bson.A{bson.D{{"$match", bson.D{{"n", 8}}}}, bson.D{{"$group", group}}})
		must(err)
		var sums []struct{ C int }
		must(cursor.All(w.ctx, &sums))
		check(len(sums) == 1 && sums[0].C == 50, "%v", sums)
	})
}

func (w *world) sessions() {
	step("session reads its writes", func() {
		session, err := w.client.StartSession(options.Session().SetCausalConsistency(true))
		must(err)
		defer session.EndSession(w.ctx)
		ctx := mongo.NewSessionContext(w.ctx, session)
		_, err = w.things.InsertOne(ctx, bson.D{{"_id", "causal"}, {"n", 1}})
		must(err)
		check(w.n(ctx, "causal") == 1, "the write is seen")
		check(session.OperationTime() != nil && session.ClusterTime() != nil, "the session knows the time")
	})
	step("transaction commits", func() {
		session, err := w.client.StartSession()
		must(err)
		defer session.EndSession(w.ctx)
		ctx := mongo.NewSessionContext(w.ctx, session)
		must(session.StartTransaction())
		_, err = w.things.InsertOne(ctx, bson.D{{"_id", "tx"}, {"n", 1}})
		must(err)
		check(w.n(ctx, "tx") == 1, "seen inside")
		check(w.n(w.ctx, "tx") == -1, "not seen outside")
		must(session.CommitTransaction(w.ctx))
		check(w.n(w.ctx, "tx") == 1, "seen after the commit")
	})
	step("transaction aborts", func() {
		session, err := w.client.StartSession()
		must(err)
		defer session.EndSession(w.ctx)
		must(session.StartTransaction())
		_, err = w.things.DeleteOne(mongo.NewSessionContext(w.ctx, session), bson.D{{"_id", "tx"}})
		must(err)
		must(session.AbortTransaction(w.ctx))
		check(w.n(w.ctx, "tx") == 1, "still there")
	})
}

type change struct {
	DocumentKey struct {
		ID string `bson:"_id"`
	} `bson:"documentKey"`
}

func (w *world) next(stream *mongo.ChangeStream) string {
	check(stream.Next(w.ctx), "no change: %v", stream.Err())
	var one change
	must(stream.Decode(&one))
	return one.DocumentKey.ID
}

func (w *world) streams() {
	wait := options.ChangeStream().SetMaxAwaitTime(500 * time.Millisecond)
	step("change stream", func() {
		stream, err := w.things.Watch(w.ctx, mongo.Pipeline{}, wait)
		must(err)
		defer stream.Close(w.ctx)
		_, err = w.things.InsertOne(w.ctx, bson.D{{"_id", "watched"}})
		must(err)
		check(w.next(stream) == "watched", "the insert is told")
	})
	step("change stream resumes", func() {
		stream, err := w.things.Watch(w.ctx, mongo.Pipeline{}, wait)
		must(err)
		_, err = w.things.InsertMany(w.ctx, []any{bson.D{{"_id", "first"}}, bson.D{{"_id", "second"}}})
		must(err)
		check(w.next(stream) == "first", "the first is told")
		token := stream.ResumeToken()
		must(stream.Close(w.ctx))
		stream, err = w.things.Watch(w.ctx, mongo.Pipeline{}, options.ChangeStream().SetResumeAfter(token))
		must(err)
		defer stream.Close(w.ctx)
		check(w.next(stream) == "second", "goes on behind the token")
	})
	step("gridfs", func() {
		bucket := w.database.GridFSBucket(options.GridFSBucket().SetChunkSizeBytes(50_000))
		content := bytes.Repeat([]byte("abcdefgh"), 32_000)
		id, err := bucket.UploadFromStream(w.ctx, "file", bytes.NewReader(content))
		must(err)
		for range 2 {
			var back bytes.Buffer
			_, err := bucket.DownloadToStream(w.ctx, id, &back)
			must(err)
			check(bytes.Equal(back.Bytes(), content), "the same bytes")
		}
		must(bucket.Delete(w.ctx, id))
	})
}

func (w *world) faults() {
	step("retryable read", func() {
		before := w.seen.count("distinct")
		w.failOnce("distinct") // no cache answers it, and no proxy repeats it
		var values []int
		must(w.things.Distinct(w.ctx, "n", bson.D{{"n", 5}}).Decode(&values))
		check(len(values) == 1, "read again: %v", values)
		check(w.seen.count("distinct") == before+2, "by the driver")
	})
	step("retryable write", func() {
		w.failOnce("insert")
		_, err := w.things.InsertOne(w.ctx, bson.D{{"_id", "retried"}, {"n", 1}})
		must(err)
		check(w.n(w.ctx, "retried") == 1, "written")
	})
	step("unacknowledged write", func() {
		silent := w.database.Collection("things", options.Collection().SetWriteConcern(writeconcern.Unacknowledged()))
		_, err := silent.InsertOne(w.ctx, bson.D{{"_id", "silent"}, {"n", 1}})
		must(err)
		for i := 0; w.n(w.ctx, "silent") != 1; i++ {
			check(i < 200, "never seen")
			time.Sleep(10 * time.Millisecond)
		}
	})
}

func (w *world) monitoring() {
	w.seen.Lock()
	defer w.seen.Unlock()
	step("command monitoring", func() {
		names := map[string]bool{}
		for id, name := range w.seen.done {
			check(w.seen.begun[id] == name, "%s was never begun", name)
			names[name] = true
		}
		for _, name := range []string{"find", "insert", "getMore", "commitTransaction"} {
			check(names[name], "no %s", name)
		}
	})
	step("topology monitoring", func() {
		check(w.seen.topologies[w.topology], "%v without %s", w.seen.topologies, w.topology)
	})
}

// How many commands of this name were begun.
func (s *seen) count(name string) int {
	s.Lock()
	defer s.Unlock()
	count := 0
	for _, one := range s.begun {
		if one == name {
			count++
		}
	}
	return count
}

func (s *seen) commands() *event.CommandMonitor {
	return &event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) {
			s.Lock()
			defer s.Unlock()
			s.begun[e.RequestID] = e.CommandName
		},
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
			s.Lock()
			defer s.Unlock()
			s.done[e.RequestID] = e.CommandName
		},
	}
}

func (s *seen) servers() *event.ServerMonitor {
	return &event.ServerMonitor{
		TopologyDescriptionChanged: func(e *event.TopologyDescriptionChangedEvent) {
			s.Lock()
			defer s.Unlock()
			s.topologies[e.NewDescription.Kind] = true
		},
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Second)
	defer cancel()
	saw := &seen{begun: map[int64]string{}, done: map[int64]string{}, topologies: map[string]bool{}}
	settings := options.Client().ApplyURI(os.Args[1]).SetMonitor(saw.commands()).SetServerMonitor(saw.servers())
	client, err := mongo.Connect(settings.SetServerSelectionTimeout(10 * time.Second))
	must(err)
	database := client.Database(os.Args[2])
	w := &world{ctx, client, database, database.Collection("things"), saw, os.Args[3]}
	must(database.Drop(ctx))
	w.documents()
	w.cursors()
	w.sessions()
	w.streams()
	w.faults()
	w.monitoring()
	must(database.Drop(ctx))
	must(client.Disconnect(ctx))
}

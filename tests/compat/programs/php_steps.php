<?php
// The steps with PHP's extension (its own layer, without the library): php_steps.php URI DATABASE TOPOLOGY.
use MongoDB\BSON\ObjectId;
use MongoDB\Driver\{BulkWrite, Command, Cursor, Manager, Query, Session, WriteConcern};
use MongoDB\Driver\Exception\{BulkWriteException, CommandException};
use MongoDB\Driver\Monitoring\{CommandFailedEvent, CommandStartedEvent, CommandSubscriber, CommandSucceededEvent};

[, $uri, $name, $topology] = $argv;
$things = "$name.things";

class Commands implements CommandSubscriber
{
    public array $begun = [];
    public array $done = [];

    public function commandStarted(CommandStartedEvent $event): void
    {
        $this->begun[$event->getRequestId()] = $event->getCommandName();
    }

    public function commandSucceeded(CommandSucceededEvent $event): void
    {
        $this->done[$event->getRequestId()] = $event->getCommandName();
    }

    public function commandFailed(CommandFailedEvent $event): void
    {
    }
}

function step(string $name, callable $body): void
{
    try {
        $body();
        echo "ok - $name\n";
    } catch (Throwable $error) {
        $words = preg_replace('/\s+/', ' ', get_class($error) . ': ' . $error->getMessage());
        echo "not ok - $name # $words\n";
    }
}

function check(bool $condition, string $what): void
{
    if (!$condition) {
        throw new RuntimeException($what);
    }
}

$manager = new Manager($uri, ['serverSelectionTimeoutMS' => 10000, 'retryReads' => true, 'retryWrites' => true]);
$commands = new Commands();
MongoDB\Driver\Monitoring\addSubscriber($commands);
$manager->executeCommand($name, new Command(['dropDatabase' => 1]));

$found = fn (array $filter, array $options = [], array $how = []) =>
    $manager->executeQuery($things, new Query($filter, $options), $how)->toArray();
$number = fn ($id, array $how = []) => ($found(['_id' => $id], [], $how)[0] ?? null)?->n;
$write = function (callable $fill, array $how = []) use ($manager, $things) {
    $bulk = new BulkWrite();
    $fill($bulk);
    return $manager->executeBulkWrite($things, $bulk, $how);
};
$run = fn (array $command, array $how = []) =>
    $manager->executeReadWriteCommand($name, new Command($command), $how)->toArray();
$failOnce = fn (string $command) => $manager->executeCommand('admin', new Command([
    'configureFailPoint' => 'failCommand',
    'mode' => ['times' => 1],
    'data' => ['failCommands' => [$command], 'closeConnection' => true],
]));
$stream = fn (array $more = []) => $manager->executeReadCommand($name, new Command([
    'aggregate' => 'things', 'pipeline' => [['$changeStream' => (object) $more]], 'cursor' => new stdClass(),
]));
$next = function (Cursor $cursor) {
    $it = new IteratorIterator($cursor);
    for ($it->rewind(), $i = 0; !$it->valid() && $i < 20; $i++) {
        $it->next();
    }
    check($it->valid(), 'no change is told');
    return $it->current();
};

step('crud', function () use ($write, $number, $run) {
    $write(fn ($bulk) => $bulk->insert(['_id' => 1, 'n' => 1]));
    for ($i = 0; $i < 3; $i++) {
        check($number(1) === 1, 'as it was written');
    }
    $write(fn ($bulk) => $bulk->update(['_id' => 1], ['$inc' => ['n' => 1]]));
    check($number(1) === 2, 'the update is seen');
    $change = ['findAndModify' => 'things', 'query' => ['_id' => 1], 'update' => ['$set' => ['n' => 9]], 'new' => true];
    check($run($change)[0]->value->n === 9 && $number(1) === 9, 'findAndModify answers the new one');
    $write(fn ($bulk) => $bulk->update(['_id' => 1], ['n' => 10]));
    check($number(1) === 10, 'the replacement is seen');
    check($write(fn ($bulk) => $bulk->delete(['_id' => 1]))->getDeletedCount() === 1, 'one is deleted');
    check($number(1) === null, 'the delete is seen');
});
step('bulk', function () use ($write) {
    $write(function ($bulk) {
        for ($i = 0; $i < 500; $i++) {
            $bulk->insert(['_id' => $i, 'n' => $i % 10]);
        }
    });
    $result = $write(function ($bulk) {
        $bulk->insert(['_id' => 'b', 'n' => -1]);
        $bulk->update(['n' => 3], ['$set' => ['three' => true]], ['multi' => true]);
        $bulk->delete(['_id' => 499]);
        $bulk->update(['_id' => 'new'], ['n' => -1], ['upsert' => true]);
    });
    check($result->getInsertedCount() === 1 && $result->getModifiedCount() === 50, 'inserted and modified');
    check($result->getDeletedCount() === 1 && $result->getUpsertedIds() === [3 => 'new'], 'deleted and upserted');
});
step('duplicate key', function () use ($write) {
    try {
        $write(fn ($bulk) => $bulk->insert(['_id' => 1]));
    } catch (BulkWriteException $error) {
        check($error->getWriteResult()->getWriteErrors()[0]->getCode() === 11000, $error->getMessage());
        return;
    }
    throw new RuntimeException('no error');
});
step('cursor batches', function () use ($found) {
    $all = $found(['n' => ['$gte' => 0]], ['batchSize' => 7, 'sort' => ['_id' => 1]]);
    check(array_map(fn ($one) => $one->_id, $all) === range(0, 498), count($all) . ' documents');
});
step('cursor killed', function () use ($manager, $things, $run) {
    $cursor = $manager->executeQuery($things, new Query([], ['batchSize' => 5]));
    $it = new IteratorIterator($cursor);
    $it->rewind();
    $killed = $run(['killCursors' => 'things', 'cursors' => [(int) (string) $cursor->getId()]])[0];
    check(count($killed->cursorsKilled) === 1, 'one is killed');
    try {
        while ($it->valid()) {
            $it->next();
        }
    } catch (CommandException $error) {
        check($error->getCode() === 43, $error->getMessage());
        return;
    }
    throw new RuntimeException('a killed cursor goes on');
});
step('count distinct aggregate', function () use ($run) {
    check($run(['count' => 'things', 'query' => ['n' => 4]])[0]->n === 50, 'count');
    check(count($run(['distinct' => 'things', 'key' => 'n', 'query' => ['n' => ['$gte' => 0]]])[0]->values) === 10, 'distinct');
    $group = ['$group' => ['_id' => '$n', 'c' => ['$sum' => 1]]];
    $sums = $run(['aggregate' => 'things', 'pipeline' => [['$match' => ['n' => 8]], $group], 'cursor' => new stdClass()]);
    check($sums[0]->c === 50, 'aggregate');
});
step('indexes', function () use ($run) {
    $run(['createIndexes' => 'things', 'indexes' => [['key' => ['n' => 1], 'name' => 'by_n']]]);
    check(count($run(['listIndexes' => 'things'])) === 2, 'two indexes');
    check(count($run(['listCollections' => 1, 'filter' => ['name' => 'things']])) === 1, 'one collection');
    $run(['dropIndexes' => 'things', 'index' => 'by_n']);
});
step('session reads its writes', function () use ($manager, $write, $number) {
    $session = $manager->startSession(['causalConsistency' => true]);
    $write(fn ($bulk) => $bulk->insert(['_id' => 'causal', 'n' => 1]), ['session' => $session]);
    check($number('causal', ['session' => $session]) === 1, 'the write is seen');
    check($session->getOperationTime() && $session->getClusterTime(), 'the session knows the time');
});
step('transaction commits', function () use ($manager, $write, $number) {
    $session = $manager->startSession();
    $session->startTransaction();
    $write(fn ($bulk) => $bulk->insert(['_id' => 'tx', 'n' => 1]), ['session' => $session]);
    check($number('tx', ['session' => $session]) === 1, 'seen inside');
    check($number('tx') === null, 'not seen outside');
    $session->commitTransaction();
    check($number('tx') === 1, 'seen after the commit');
});
step('transaction aborts', function () use ($manager, $write, $number) {
    $session = $manager->startSession();
    $session->startTransaction();
    $write(fn ($bulk) => $bulk->delete(['_id' => 'tx']), ['session' => $session]);
    $session->abortTransaction();
    check($number('tx') === 1, 'still there');
});
step('change stream', function () use ($stream, $next, $write) {
    $cursor = $stream();
    $write(fn ($bulk) => $bulk->insert(['_id' => 'watched']));
    check($next($cursor)->documentKey->_id === 'watched', 'the insert is told');
});
step('change stream resumes', function () use ($stream, $next, $write) {
    $cursor = $stream();
    $write(function ($bulk) {
        $bulk->insert(['_id' => 'first']);
        $bulk->insert(['_id' => 'second']);
    });
    $token = $next($cursor)->_id;
    check($next($stream(['resumeAfter' => $token]))->documentKey->_id === 'second', 'goes on behind the token');
});
step('retryable read', function () use ($manager, $name, $commands, $failOnce) {
    $failOnce('distinct'); // no cache answers it, and no proxy repeats it
    $distinct = new Command(['distinct' => 'things', 'key' => 'n', 'query' => ['n' => 5]]);
    check($manager->executeReadCommand($name, $distinct)->toArray()[0]->values === [5], 'read again');
    check(array_slice(array_values($commands->begun), -2) === ['distinct', 'distinct'], 'by the driver');
});
step('retryable write', function () use ($failOnce, $write, $number) {
    $failOnce('insert');
    $write(fn ($bulk) => $bulk->insert(['_id' => 'retried', 'n' => 1]));
    check($number('retried') === 1, 'written');
});
step('unacknowledged write', function () use ($write, $number) {
    $write(fn ($bulk) => $bulk->insert(['_id' => 'silent', 'n' => 1]), ['writeConcern' => new WriteConcern(0)]);
    for ($i = 0; $number('silent') !== 1; $i++) {
        check($i < 200, 'never seen');
        usleep(10000);
    }
});
step('command monitoring', function () use ($commands) {
    foreach (['find', 'insert', 'getMore', 'commitTransaction'] as $one) {
        check(in_array($one, $commands->done, true), "no $one");
    }
    foreach ($commands->done as $id => $one) {
        check($commands->begun[$id] === $one, "$one was never begun");
    }
});
step('topology monitoring', function () use ($manager, $topology) {
    $kind = $manager->getServers()[0]->getType() === MongoDB\Driver\Server::TYPE_MONGOS ? 'Sharded' : 'ReplicaSetWithPrimary';
    check($kind === $topology, "$kind instead of $topology");
});
$manager->executeCommand($name, new Command(['dropDatabase' => 1]));

#!/usr/bin/perl
# The steps with the Perl driver: perl_steps.pl URI DATABASE TOPOLOGY.
use strict;
use warnings;
use MongoDB;
use Tie::IxHash;
use boolean;

$| = 1;
my ( $uri, $name, $topology ) = @ARGV;
my ( %begun, @done );
my $client = MongoDB->connect(
    $uri,
    {
        server_selection_timeout_ms => 10_000,
        retry_reads                 => 1,
        retry_writes                => 1,
        monitoring_callback         => sub {
            my ($event) = @_;
            $begun{ $event->{requestId} } = $event->{commandName} if $event->{type} eq 'command_started';
            push @done, [ $event->{requestId}, $event->{commandName} ] if $event->{type} eq 'command_succeeded';
        },
    }
);
my $database = $client->get_database($name);
my $things   = $database->get_collection('things');
$database->drop;

sub ordered { return Tie::IxHash->new(@_) }
sub check { my ( $condition, $what ) = @_; die "$what\n" unless $condition; return }
sub number { my ( $id, @how ) = @_; my $one = $things->find_one( { _id => $id }, undef, @how ); return $one ? $one->{n} : -1 }

sub step {
    my ( $what, $body ) = @_;
    if ( eval { $body->(); 1 } ) { print "ok - $what\n"; return }
    ( my $words = "$@" ) =~ s/\s+/ /g;
    print "not ok - $what # $words\n";
    return;
}

sub fail_once {
    my ($command) = @_;
    my $data = { failCommands => [$command], closeConnection => boolean::true() };
    $client->get_database('admin')
      ->run_command( ordered( configureFailPoint => 'failCommand', mode => { times => 1 }, data => $data ) );
    return;
}

sub next_change {
    my ($stream) = @_;
    for ( 1 .. 40 ) {
        my $change = $stream->next;
        return $change if $change;
    }
    die "no change is told\n";
}

step 'crud' => sub {
    $things->insert_one( { _id => 1, n => 1 } );
    check( number(1) == 1, 'as it was written' ) for 1 .. 3;
    $things->update_one( { _id => 1 }, { '$inc' => { n => 1 } } );
    check( number(1) == 2, 'the update is seen' );
    my $changed =
      $things->find_one_and_update( { _id => 1 }, { '$set' => { n => 9 } }, { returnDocument => 'after' } );
    check( $changed->{n} == 9, 'find_one_and_update answers the new one' );
    $things->replace_one( { _id => 1 }, { n => 10 } );
    check( number(1) == 10,                                          'the replacement is seen' );
    check( $things->delete_one( { _id => 1 } )->deleted_count == 1, 'one is deleted' );
    check( number(1) == -1,                                          'the delete is seen' );
};
step 'bulk' => sub {
    $things->insert_many( [ map { { _id => $_, n => $_ % 10 } } 0 .. 499 ] );
    my $result = $things->bulk_write(
        [
            insert_one  => [ { _id => 'b', n => -1 } ],
            update_many => [ { n   => 3 }, { '$set' => { three => 1 } } ],
            delete_one  => [ { _id => 499 } ],
            replace_one => [ { _id => 'new' }, { n => -1 }, { upsert => 1 } ],
        ]
    );
    check( $result->inserted_count == 1 && $result->modified_count == 50, 'inserted and modified' );
    check( $result->deleted_count == 1  && $result->upserted_count == 1,  'deleted and upserted' );
};
step 'duplicate key' => sub {
    my $done = eval { $things->insert_one( { _id => 1 } ); 1 };
    check( !$done && $@->isa('MongoDB::DuplicateKeyError'), "no duplicate: $@" );
};
step 'cursor batches' => sub {
    my @all = $things->find( { n => { '$gte' => 0 } }, { batchSize => 7, sort => { _id => 1 } } )->all;
    check( "@{[ map { $_->{_id} } @all ]}" eq "@{[ 0 .. 498 ]}", scalar(@all) . ' documents' );
};
step 'count distinct aggregate' => sub {
    check( $things->count_documents( { n => 4 } ) == 50, 'count' );
    my @values = $things->distinct( 'n', { n => { '$gte' => 0 } } )->all;
    check( @values == 10, 'distinct' );
    my $sums = $things->aggregate(
        [ { '$match' => { n => 8 } }, { '$group' => { _id => '$n', c => { '$sum' => 1 } } } ] );
    check( $sums->next->{c} == 50, 'aggregate' );
};
step 'indexes' => sub {
    my $made = $things->indexes->create_one( [ n => 1 ] );
    check( scalar( $things->indexes->list->all ) == 2, 'two indexes' );
    check( ( grep { $_ eq 'things' } $database->collection_names ), 'things is listed' );
    $things->indexes->drop_one($made);
};
step 'session reads its writes' => sub {
    my $session = $client->start_session( { causalConsistency => 1 } );
    $things->insert_one( { _id => 'causal', n => 1 }, { session => $session } );
    check( number( 'causal', { session => $session } ) == 1, 'the write is seen' );
    check( $session->operation_time && $session->cluster_time, 'the session knows the time' );
    $session->end_session;
};
step 'transaction commits' => sub {
    my $session = $client->start_session;
    $session->start_transaction;
    $things->insert_one( { _id => 'tx', n => 1 }, { session => $session } );
    check( number( 'tx', { session => $session } ) == 1, 'seen inside' );
    check( number('tx') == -1, 'not seen outside' );
    $session->commit_transaction;
    check( number('tx') == 1, 'seen after the commit' );
};
step 'transaction aborts' => sub {
    my $session = $client->start_session;
    $session->start_transaction;
    $things->delete_one( { _id => 'tx' }, { session => $session } );
    $session->abort_transaction;
    check( number('tx') == 1, 'still there' );
};
step 'change stream' => sub {
    my $stream = $things->watch( [], { maxAwaitTimeMS => 500 } );
    $things->insert_one( { _id => 'watched' } );
    check( next_change($stream)->{documentKey}{_id} eq 'watched', 'the insert is told' );
};
step 'change stream resumes' => sub {
    my $stream = $things->watch( [], { maxAwaitTimeMS => 500 } );
    $things->insert_many( [ { _id => 'first' }, { _id => 'second' } ] );
    my $token = next_change($stream)->{_id};
    $stream = $things->watch( [], { maxAwaitTimeMS => 500, resumeAfter => $token } );
    check( next_change($stream)->{documentKey}{_id} eq 'second', 'goes on behind the token' );
};
step 'gridfs' => sub {
    my $bucket  = $database->gfs( { chunk_size_bytes => 50_000 } );
    my $content = 'abcdefgh' x 32_000;
    open my $in, '<', \$content or die $!;
    my $id = $bucket->upload_from_stream( 'file', $in );
    for ( 1 .. 2 ) {
        my $file = $bucket->open_download_stream($id);
        my ( $all, $piece ) = ('');
        $all .= $piece while $file->read( $piece, 60_000 );
        check( $all eq $content, 'the same bytes' );
    }
    $bucket->delete($id);
};
step 'retryable read' => sub {
    my $before = grep { $_ eq 'distinct' } values %begun;
    fail_once('distinct');    # no cache answers it, and no proxy repeats it
    check( "@{[ $things->distinct( 'n', { n => 5 } )->all ]}" eq '5', 'read again' );
    check( ( grep { $_ eq 'distinct' } values %begun ) == $before + 2, 'by the driver' );
};
step 'retryable write' => sub {
    fail_once('insert');
    $things->insert_one( { _id => 'retried', n => 1 } );
    check( number('retried') == 1, 'written' );
};
step 'command monitoring' => sub {
    for my $command (qw(find insert getMore commitTransaction)) {
        check( ( grep { $_->[1] eq $command } @done ), "no $command" );
    }
    check( $begun{ $_->[0] } eq $_->[1], "$_->[1] was never begun" ) for @done;
};
step 'topology monitoring' => sub {
    my $seen = $client->topology_type;
    check( $seen eq $topology, "$seen instead of $topology" );
};
$database->drop;

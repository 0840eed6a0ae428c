# The steps with Debian's Ruby driver (2.5), which is older than transactions: ruby_steps.rb URI DATABASE TOPOLOGY.
require 'mongo'
require 'stringio'
require 'uri'

$stdout.sync = true
uri, name, topology = ARGV
Mongo::Logger.logger.level = Logger::FATAL

class Commands
  attr_reader :begun, :done

  def initialize
    @begun = {}
    @done = {}
  end

  def started(event) = @begun[event.request_id] = event.command_name

  def succeeded(event) = @done[event.request_id] = event.command_name

  def failed(_event); end
end

def step(name)
  yield
  puts "ok - #{name}"
rescue StandardError => e
  puts "not ok - #{name} # #{e.class}: #{e.message.split.join(' ')}"
end

def check(condition, what) = condition || raise(what)

commands = Commands.new
Mongo::Monitoring::Global.subscribe(Mongo::Monitoring::COMMAND, commands)
# This version cannot decode the options of a URI under Ruby 3.
def options_of(uri)
  parsed = URI.parse(uri)
  given = URI.decode_www_form(parsed.query.to_s).to_h
  { user: parsed.user, password: parsed.password, auth_source: given['authSource'],
    replica_set: given['replicaSet'], compressors: given['compressors']&.split(','),
    ssl: given['tls'] && given['tls'] == 'true', ssl_ca_cert: given['tlsCAFile'] }.compact
end

options = { database: name, server_selection_timeout: 10, **options_of(uri) }
client = Mongo::Client.new([uri[%r{//(?:[^@/]*@)?([^/?]+)}, 1]], options)
things = client[:things]
number = ->(id) { things.find(_id: id).first&.fetch('n') }
client.database.drop

step('crud') do
  things.insert_one(_id: 1, n: 1)
  3.times { check(number.call(1) == 1, 'as it was written') }
  things.update_one({ _id: 1 }, { '$inc' => { n: 1 } })
  check(number.call(1) == 2, 'the update is seen')
  things.replace_one({ _id: 1 }, { n: 10 })
  check(number.call(1) == 10, 'the replacement is seen')
  check(things.delete_one(_id: 1).deleted_count == 1, 'one is deleted')
  check(number.call(1).nil?, 'the delete is seen')
end
step('bulk') do
  things.insert_many((0...500).map { |i| { _id: i, n: i % 10 } })
  result = things.bulk_write(
    [{ insert_one: { _id: 'b', n: -1 } },
     { update_many: { filter: { n: 3 }, update: { '$set' => { three: true } } } },
     { delete_one: { filter: { _id: 499 } } }]
  )
  check([result.inserted_count, result.modified_count, result.deleted_count] == [1, 50, 1], result.inspect)
end
step('duplicate key') do
  things.insert_one(_id: 1)
  raise 'no error'
rescue Mongo::Error::OperationFailure => e
  check(e.message.include?('E11000'), e.message)
end
step('cursor batches') do
  found = things.find({ n: { '$gte' => 0 } }, batch_size: 7, sort: { _id: 1 }).map { |one| one['_id'] }
  check(found == (0..498).to_a, "#{found.size} documents")
end
step('count distinct aggregate') do
  check(things.count(n: 4) == 50, 'count')
  check(things.distinct(:n, n: { '$gte' => 0 }).size == 10, 'distinct')
  sums = things.aggregate([{ '$match' => { n: 8 } }, { '$group' => { _id: '$n', c: { '$sum' => 1 } } }])
  check(sums.first['c'] == 50, 'aggregate')
end
step('indexes') do
  things.indexes.create_one({ n: 1 }, name: 'by_n')
  check(things.indexes.to_a.size == 2, 'two indexes')
  things.indexes.drop_one('by_n')
end
step('gridfs') do
  content = 'abcdefgh' * 32_000
  bucket = client.database.fs(chunk_size: 50_000)
  id = bucket.upload_from_stream('file', StringIO.new(content))
  2.times do
    back = StringIO.new
    bucket.download_to_stream(id, back)
    check(back.string == content, 'the same bytes')
  end
  bucket.delete(id)
end
step('unacknowledged write') do
  things.with(write: { w: 0 }).insert_one(_id: 'silent', n: 1)
  200.times do |i|
    break if number.call('silent') == 1

    check(i < 199, 'never seen')
    sleep 0.01
  end
end
step('command monitoring') do
  %w[find].each { |one| check(commands.done.value?(one), "no #{one}") }
  commands.done.each { |id, one| check(commands.begun[id] == one, "#{one} was never begun") }
end
step('topology monitoring') do
  seen = client.cluster.topology.class.name.split('::').last
  check(seen == { 'ReplicaSetWithPrimary' => 'ReplicaSet' }.fetch(topology, topology), seen)
end
client.database.drop
client.close

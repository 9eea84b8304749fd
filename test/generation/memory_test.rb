# frozen_string_literal: true

require_relative "generation_case"
require "digest"
require "objspace"
require "support/log_tables"
require "support/patience"

# What a long answer leaves in memory.
class GenerationMemoryTest < GenerationCase
  include Patience

  BYTES = 20 * 1024 * 1024
  PIECE = 64 * 1024

  def store
    LogTables.create(ActiveRecord::Base)
    Streamer::Stores::ActiveRecord.new(record: ActiveRecord::Base)
  end

  def test_of_an_answer_of_20_mb_nothing_stays_but_its_record_s_content
    generation = start
    before = large_strings # other tests'
    generation = work(generation) { |out| (BYTES / PIECE).times { |number| out << ((number % 10).to_s * PIECE) } }

    assert_equal(["completed", BYTES], [generation.status, generation.content.bytesize])
    assert_equal(Digest::SHA256.hexdigest(generation.content), generation.log.entries(after: Streamer::Log::Position.new(1, 320)).last.json["sha256"])
    wait { large_strings - before <= BYTES * 2 } # a thread that has stored some of it lets go of that when it stores something else, or ends
  end

  private

  # Bytes of all Strings that are as long as a piece, once what nobody needs is gone; SQLite's last statement may be one.
  def large_strings
    3.times { GC.start }
    ObjectSpace.each_object(String).sum { |string| string.bytesize >= PIECE ? ObjectSpace.memsize_of(string) : 0 }
  end
end

# frozen_string_literal: true

require "fileutils"
require "tmpdir"
require "rails"
require "rails/generators"
require "rails/generators/test_case"

# A generator that runs on an application's files, in a directory that is empty before each test.
class GeneratorCase < Rails::Generators::TestCase
  destination Dir.mktmpdir("streamer-generators").tap { |path| Minitest.after_run { FileUtils.remove_entry(path) } }
  setup :prepare_destination

  private

  def write(name, text)
    FileUtils.mkdir_p(File.dirname(path(name)))
    File.write(path(name), text)
  end

  def path(name) = File.join(destination_root, name)

  # Every file, path => text.
  def tree = Dir["#{destination_root}/**/*"].select { |name| File.file?(name) }.to_h { |name| [name, File.read(name)] }
end

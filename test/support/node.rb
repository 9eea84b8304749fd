# frozen_string_literal: true

require "open3"

# Debian's Node, in the checkout.
#
#   Node.run("test/browser/module/cursor_test.mjs")            # what it printed; raises Node::Failed with that if it failed
#   Node.run("decode.mjs", input: JSON.generate(cases))
module Node
  Failed = Class.new(StandardError)

  ROOT = File.expand_path("../..", __dir__)

  def self.run(*arguments, input: "")
    output, status = Open3.capture2e("node", *arguments, stdin_data: input, chdir: ROOT)
    raise Failed, output unless status.success?

    output
  end
end

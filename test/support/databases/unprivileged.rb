# frozen_string_literal: true

require "etc"

module Databases
  # For servers that refuse to be root: where the tests are, they run as another user, who owns their directory.
  module Unprivileged
    USERS = %w[postgres nobody].freeze

    private

    def prepare
      FileUtils.chown(account.uid, account.gid, directory) if Process.uid.zero?
    end

    def unprivileged(*command)
      return command unless Process.uid.zero?

      ["setpriv", "--reuid=#{account.uid}", "--regid=#{account.gid}", "--clear-groups", *command]
    end

    def account
      @account ||= Etc.enum_for(:passwd).select { |entry| USERS.include?(entry.name) }.min_by { |entry| USERS.index(entry.name) }
    end
  end
end

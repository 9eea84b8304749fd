# frozen_string_literal: true

require "did_you_mean"

module Streamer
  # config.streamer of a Rails application: which settings there are, what each may be, and what it sets.
  module Configuration # :nodoc:
    Setting = Struct.new(:takes, :valid, :apply)

    SETTINGS = {
      heartbeat: Setting.new("a number of seconds such as 15, :event to write an event in place of a comment, or nil or 0 for none",
                             ->(value) { Sinks::Heartbeat.setting?(value) }, ->(value) { Controller.heartbeat = value }),
      rotate: Setting.new("a positive number of seconds such as 55, or nil for never",
                          ->(value) { value.nil? || (value.respond_to?(:to_f) && value.to_f.positive?) },
                          ->(value) { Controller.rotate = value&.to_f }),
      write_timeout: Setting.new("a positive number of seconds, such as 30",
                                 ->(value) { value.is_a?(Numeric) && value.positive? }, ->(value) { Controller.write_timeout = value }),
      drain_timeout: Setting.new("a number of seconds such as 25, or nil for the server's own default",
                                 ->(value) { value.nil? || (value.is_a?(Numeric) && !value.negative?) },
                                 ->(value) { Streamer.drain_timeout = value })
    }.freeze

    # options: name => value. Sets nothing unless all of them are right. Raises ArgumentError.
    def self.apply(options)
      options.each do |name, value|
        setting = SETTINGS.fetch(name.to_sym) { raise ArgumentError, unknown(name) }
        next if setting.valid.call(value)

        raise ArgumentError, "config.streamer.#{name} is #{value.inspect}; it takes #{setting.takes}"
      end
      options.each { |name, value| SETTINGS.fetch(name.to_sym).apply.call(value) }
    end

    def self.unknown(name)
      near = DidYouMean::SpellChecker.new(dictionary: SETTINGS.keys).correct(name).first
      "there is no config.streamer.#{name}#{"; did you mean config.streamer.#{near}?" if near} (known: #{SETTINGS.keys.join(", ")})"
    end
    private_class_method :unknown
  end
end

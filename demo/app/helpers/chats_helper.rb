# frozen_string_literal: true

module ChatsHelper
  # Where the modules are that others import by name; importmap-rails would write it.
  IMPORTS = {
    "streamer-rails" => "/streamer.js", "streamer-rails/passages" => "/streamer/passages.js",
    "streamer-rails/broadcasts" => "/streamer/broadcasts.js", "streamer-rails/cable" => "/streamer/cable.js",
    "@hotwired/turbo-rails" => "/turbo.js", "@rails/actioncable" => "/actioncable.esm.js"
  }.freeze

  def import_map = json_escape(JSON.generate(imports: IMPORTS)).html_safe
end

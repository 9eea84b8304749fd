# frozen_string_literal: true

module Streamer
  # What a page says of the streams that it follows. In every view of an application.
  module SourceHelper
    # An element in which the Stimulus controller `streamer` follows the event stream at `url` (anything that url_for takes); the block is
    # what it contains, its targets among it.
    #
    #   <%= streamer_source answer_path(@answer) do %>
    #     <p data-streamer-target="text"></p>
    #   <% end %>
    #
    # last_event_id: the id of the last event that the page contains already; the action reads it with last_event_id. attributes: of the
    # element; other controllers may be named in data: { controller: }.
    def streamer_source(url, last_event_id: nil, data: {}, **attributes, &block)
      data = data.symbolize_keys
      data[:controller] = token_list("streamer", data[:controller])
      data[:streamer_src_value] = streamer_source_url(url, last_event_id)
      content_tag(:div, nil, { **attributes, data: data }, &block)
    end

    # Turbo's own element for an event stream: it performs the Turbo Stream actions that events.turbo_stream writes, with no WebSocket and no
    # code of the page. url, last_event_id and attributes as in streamer_source.
    #
    #   <%= streamer_turbo_source import_path(@import), id: dom_id(@import, :stream) %>
    #
    # The element connects again whenever a response ends. So the stream ends with `events.turbo_stream.remove dom_id(@import, :stream)`,
    # and where there is nothing to stream the action answers `head :no_content`. Therefore `id` has to be given.
    def streamer_turbo_source(url, id:, last_event_id: nil, **attributes)
      content_tag(:"turbo-stream-source", nil, { id: id, **attributes, src: streamer_source_url(url, last_event_id) })
    end

    private

    def streamer_source_url(url, last_event_id)
      url = url_for(url)
      last_event_id.nil? ? url : Controller::LastEventID.add_to(url, last_event_id)
    end
  end
end

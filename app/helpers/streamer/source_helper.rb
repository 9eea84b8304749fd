# frozen_string_literal: true

module Streamer
  # What a page says of the streams that it follows. In every view of an application.
  module SourceHelper
    # An element in which the Stimulus controller `streamer` follows the event stream at `url` (anything that url_for takes); the block is
    # what it contains, its targets among it.
    #
    #   <%= streamer_source answer_path(@answer), event: "token", path: "content" do %>
    #     <p data-streamer-target="text"></p>
    #   <% end %>
    #
    # method, params, event, path, done: the values of the controller, see docs/browser.md; what is nil has its default there. last_event_id:
    # the id of the last event that the page contains already, which the controller sends as Last-Event-ID. attributes: of the element; data:
    # { controller: } may name others.
    def streamer_source(url, method: nil, params: nil, event: nil, path: nil, done: nil, last_event_id: nil, data: {}, **attributes, &block)
      values = { src: url_for(url), method: method, params: params, event: event, path: path, done: done, cursor: last_event_id }
      data = data.symbolize_keys
      data[:controller] = token_list("streamer", data[:controller])
      values.compact.each { |name, value| data[:"streamer_#{name}_value"] = value }
      content_tag(:div, nil, { **attributes, data: data }, &block)
    end

    # The URL of an event stream (anything that url_for takes) with the id of the last event that the page contains already, signed: for an
    # EventSource of the page's own, which cannot send an id at first. With follow_events nothing is missed or doubled between the two.
    #
    #   new EventSource("<%= j streamer_source_url(events_path(@answer), last_event_id: @position) %>")
    def streamer_source_url(url, last_event_id:)
      Controller::LastEventID.add_to(url_for(url), last_event_id)
    end

    # Turbo's own element for an event stream: it performs the Turbo Stream actions that events.turbo_stream writes, with no WebSocket and no
    # code of the page. url (anything that url_for takes) and attributes: of the element.
    #
    #   <%= streamer_turbo_source import_path(@import), id: dom_id(@import, :stream) %>
    #
    # The element connects again whenever a response ends. So the stream ends with `events.turbo_stream.remove dom_id(@import, :stream)`,
    # and where there is nothing to stream the action answers `head :no_content`. Therefore `id` has to be given.
    #
    # Of a Streamer::Generation it is the whole of what there is to say, and `id` need not be given: the text grows in dom_id(generation, :text),
    # and dom_id(generation) gets the partial of the state when that is final.
    #
    #   <%= streamer_turbo_source @answer %>
    #
    # last_event_id: the id of the last event that the page contains already. The element sends no Last-Event-ID at first, so it is in the
    # URL, signed; the action reads either with last_event_id.
    def streamer_turbo_source(url, id: (dom_id(url, :source) if url.respond_to?(:broadcast_from)), last_event_id: nil, **attributes)
      raise ArgumentError, "streamer_turbo_source needs id:, by which the stream's last event removes it" unless id

      src = url.respond_to?(:broadcast_from) ? polymorphic_path(url, action: :events, format: :turbo_stream) : url_for(url)
      src = Controller::LastEventID.add_to(src, last_event_id) unless last_event_id.nil?
      content_tag(:"turbo-stream-source", nil, { id: id, **attributes, src: src })
    end
  end
end

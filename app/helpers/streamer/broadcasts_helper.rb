# frozen_string_literal: true

module Streamer
  # What a page says of a generation whose text is broadcast. In every view of an application.
  module BroadcastsHelper
    # The element that has a generation's text: as it is now, with its place in the log, from which broadcasts go on. Goes with
    # `turbo_stream_from generation`; where the model says `broadcasts_text over: :cable` it subscribes by itself, with streamer/cable.
    #
    #   <div id="<%= dom_id @answer %>">
    #     <%= turbo_stream_from @answer %>
    #     <%= streamer_text @answer %>
    #   </div>
    #
    # The `div` gets the partial of the state when that is final. src: where the log is read (anything that url_for takes), the action `events`
    # of the record unless given. cable: for a model that broadcasts both ways. attributes: of the element.
    def streamer_text(generation, src: polymorphic_path(generation, action: :events), cable: nil, **attributes)
      settings = generation.class.text_broadcasts or
        raise ArgumentError, "#{generation.class} broadcasts no text: say broadcasts_text in the model, or follow its log with streamer_source"
      cable = !settings.over?(:turbo) if cable.nil?
      text, position = generation.log.snapshot
      attributes[:rendered] = "" if settings.partial && !cable
      attributes[:"signed-stream-name"] = Generation::Broadcasts::Cable.signed_name(generation) if cable
      attributes = { id: dom_id(generation, :text), for: dom_id(generation), src: url_for(src), position: position, **attributes }
      content = streamer_text_content(generation, text, attributes[:rendered] && settings.partial)
      content_tag(cable ? :"streamer-cable-text" : :"streamer-text", content, attributes)
    end

    private

    def streamer_text_content(generation, text, partial)
      partial ? render(partial, generation.model_name.element.to_sym => generation, text: text) : text
    end
  end
end

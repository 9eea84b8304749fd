# frozen_string_literal: true

module Streamer
  module Generation
    module Broadcasts
      # Turbo Stream actions, as HTML: on the element of the text, and on the record's, whose content is the partial of its state.
      module Actions # :nodoc:
        class << self
          # partial: of the text; nil where what is new is added to it.
          def text(generation, passage, partial)
            return rendered_text(generation, partial) if partial

            content = ERB::Util.html_escape(passage.content)
            return text_so_far(generation, content, passage.text_through) if passage.reset?

            tag(:append, target(generation, :text), content, after: passage.after, through: passage.text_through)
          end

          # All of it.
          def text_so_far(generation, content, through) = tag(:update, target(generation, :text), content, through: through)

          # The partial that is named after the status, beside the record's own: ai_generations/_completed.
          def state(generation)
            partial = File.join(File.dirname(generation.to_partial_path), generation.status)
            tag(:update, target(generation), render(generation, partial))
          end

          def rendered_text(generation, partial)
            text, through = generation.log.snapshot
            text_so_far(generation, render(generation, partial, text: text), through)
          end

          def remove_source(generation) = tag(:remove, target(generation, :source), nil)

          private

          def target(generation, prefix = nil) = ActionView::RecordIdentifier.dom_id(generation, prefix)

          def render(generation, partial, **locals)
            locals[generation.model_name.element.to_sym] = generation
            ::ApplicationController.render(partial: partial, formats: [:html], locals: locals)
          end

          def tag(action, target, content, **range)
            data = range.compact.to_h { |name, position| [:"data-streamer-#{name}", position.to_s] }
            ::ApplicationController.helpers.turbo_stream_action_tag(action, target: target, template: content, **data)
          end
        end
      end
    end
  end
end

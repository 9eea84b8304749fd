# frozen_string_literal: true

module Streamer
  module Stores
    class ActiveRecord
      # Whose connection the logs use unless the store is given another class: Active Record's own, or that of its connects_to.
      class Record < ::ActiveRecord::Base
        self.abstract_class = true
      end
    end
  end
end

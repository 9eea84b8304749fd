# frozen_string_literal: true

module ApplicationHelper
  # "Puma 8.0.2" or "Falcon 0.51.1".
  def server_name
    defined?(::Falcon) ? "Falcon #{::Falcon::VERSION}" : "Puma #{::Puma::Const::VERSION}"
  end
end

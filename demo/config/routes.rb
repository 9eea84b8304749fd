# frozen_string_literal: true

# Each page has two actions: `new` is the page, `show` is the event stream that it opens.
Rails.application.routes.draw do
  root "answers#new"

  with_options only: %i[new show] do
    resource :answer
    resource :operation
    resource :comparison
    resource :log
  end
end

# frozen_string_literal: true

Rails.application.routes.draw do
  root "chats#new"

  resources :chats, only: :show do
    resources :ai_generations, only: :create
  end
  resources :ai_generations, only: :show do
    member do
      get :events
      post :stop
    end
  end
  resources :accidents, only: :create

  # Each of these pages has two actions: `new` is the page, `show` is the event stream that it opens.
  with_options only: %i[new show] do
    resource :answer
    resource :operation
    resource :comparison
    resource :log
  end
end

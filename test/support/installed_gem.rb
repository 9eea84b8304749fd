# frozen_string_literal: true

# A gem of the bundle that only some legs have, or one whose files have another gem's names (ruby-openai and openai).
module InstalledGem
  # Loads `file`, with the gem `name` first where files are looked for; false, and a line that says so, where this leg has no such gem.
  def self.load(name, file, reason = "not in this bundle")
    specification = Gem.loaded_specs[name]
    unless specification
      warn "#{name} is not tested on Ruby #{RUBY_VERSION}: #{reason}"
      return false
    end

    $LOAD_PATH.unshift(*specification.full_require_paths)
    require file
    true
  end
end

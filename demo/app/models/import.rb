# frozen_string_literal: true

# A long operation: twenty steps that take their time. It can go on from any step, which is all that resuming needs.
class Import
  STEPS = [
    "Open orders.csv", "Read 48,112 rows", "Check the header", "Detect the encoding", "Parse dates and amounts",
    "Convert currencies", "Find duplicates", "Merge 211 duplicates", "Match customers", "Create 1,904 customers",
    "Match products", "Flag 37 unknown products", "Compute taxes", "Check totals", "Write orders 1 to 20,000",
    "Write orders 20,001 to 40,000", "Write orders 40,001 to 47,864", "Update stock levels", "Rebuild the search index",
    "Send the report"
  ].freeze

  def initialize(pace:)
    @pace = pace.clamp(0.5, 50) # steps a second
  end

  def total = STEPS.size

  # Does the steps after `from`, and yields for each how many are done now, and its name.
  def run(from: 0, to: total)
    STEPS[from...to].each.with_index(from + 1) do |step, done|
      sleep rand(0.4..1.6) / @pace
      yield done, step
    end
  end
end

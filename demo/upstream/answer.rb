# frozen_string_literal: true

# One answer of a language model, played back from upstream/answers/ token by token.
class Answer
  # Each file: the question on the first line, then the answer.
  RECORDED = Dir[File.join(__dir__, "answers", "*.txt")].sort.to_h do |file|
    question, text = File.read(file, encoding: "UTF-8").split("\n\n", 2)
    [question, text.strip]
  end.freeze
  UNKNOWN = File.read(File.join(__dir__, "answers", "unknown"), encoding: "UTF-8").strip.freeze

  # What a byte-pair tokenizer makes of English: a word with the space before it, three digits, a run of punctuation;
  # longer words come apart before their ending.
  TOKEN = / ?\p{L}{1,12}?(?=(?:ing|tion|ment|ness|able|ally|ly)\b)| ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+/

  THINKING = (0.35..0.7) # seconds before the first token

  def initialize(dialect, question, pace:, trouble:)
    @dialect, @pace, @trouble = dialect, pace.clamp(1, 2_000), trouble
    @tokens = text_for(question.to_s).scan(TOKEN)
    @sent = 0
  end

  def send_to(reply)
    return reply.json(@dialect.refusal, status: 429) if @trouble == "refuse"
    return reply.json({ error: { message: "Your request was rejected." } }, status: 400) if @trouble == "deny"

    stream = @dialect.new(reply)
    reply.stream do
      stream.start
      sleep rand(THINKING)
      each_token_in_time { |token| stream.token(token) }
      stream.finish(@tokens.size)
    end
  rescue Errno::EPIPE, Errno::ECONNRESET
    warn "upstream: the reader left after #{@sent} of #{@tokens.size} tokens"
    raise
  end

  private

  # The recorded answer that has the most words in common with the question.
  def text_for(question)
    asked = words(question)
    title, text = RECORDED.max_by { |recorded, _| (words(recorded) & asked).size }
    (words(title) & asked).size >= 2 ? text : UNKNOWN
  end

  def words(text) = text.downcase.scan(/\p{L}{4,}/).uniq

  # Each token is due at a time of its own, so that a slow write does not slow the whole answer down.
  def each_token_in_time
    due = now
    @tokens.each do |token|
      misbehave if @sent == @tokens.size / 2
      due += rand(0.6..1.4) / @pace
      sleep [due - now, 0].max
      yield token
      @sent += 1
    end
  end

  def misbehave
    case @trouble
    when "drop" then raise Server::Reply::BrokenOff
    when "stall" then sleep
    end
  end

  def now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
end

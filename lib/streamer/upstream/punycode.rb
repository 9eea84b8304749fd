# frozen_string_literal: true

module Streamer
  module Upstream
    # Writes the labels of international host names in ASCII (RFC 3492).
    module Punycode # :nodoc:
      BASE = 36
      T_MIN = 1
      T_MAX = 26
      SKEW = 38
      DAMP = 700
      INITIAL_BIAS = 72
      INITIAL_N = 128
      private_constant :BASE, :T_MIN, :T_MAX, :SKEW, :DAMP, :INITIAL_BIAS, :INITIAL_N

      class << self
        # label: UTF-8. Returns what follows the prefix "xn--" (section 6.3).
        def encode(label)
          points = label.codepoints
          output = points.select { |point| point < INITIAL_N }.pack("C*")
          basic = handled = output.length
          output << "-" if basic.positive?
          bias = INITIAL_BIAS
          each_delta(points, basic) do |delta|
            output << variable_length(delta, bias)
            bias = adapt(delta, handled += 1, handled == basic + 1)
          end
          output
        end

        private

        # Yields the distance between each two insertions.
        def each_delta(points, handled)
          delta = 0
          n = INITIAL_N
          while handled < points.length
            following = points.select { |point| point >= n }.min
            delta += (following - n) * (handled + 1)
            n = following
            points.each do |point|
              delta += 1 if point < n
              next unless point == n

              yield delta
              delta = 0
              handled += 1
            end
            delta += 1
            n += 1
          end
        end

        def variable_length(delta, bias)
          digits = +""
          BASE.step(by: BASE) do |k|
            threshold = (k - bias).clamp(T_MIN, T_MAX)
            return digits << digit(delta) if delta < threshold

            delta, rest = (delta - threshold).divmod(BASE - threshold)
            digits << digit(threshold + rest)
          end
        end

        def digit(value) = value.to_s(BASE).tr("0-9a-z", "a-z0-9")

        def adapt(delta, points, first)
          delta /= first ? DAMP : 2
          delta += delta / points
          k = 0
          while delta > ((BASE - T_MIN) * T_MAX) / 2
            delta /= BASE - T_MIN
            k += BASE
          end
          k + ((BASE - T_MIN + 1) * delta / (delta + SKEW))
        end
      end
    end
  end
end

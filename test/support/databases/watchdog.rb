# frozen_string_literal: true

module Databases
  # Ends what a killed test process could not end itself: a shell that is told of every server and directory, and that acts when its
  # parent is gone. The pipe's end alone would not tell it, because children that the parent forked may have it, too.
  module Watchdog
    SCRIPT = <<~BASH
      declare -A signals directories
      parent=$PPID
      while :; do
        if read -r -t 0.5 word name signal; then
          case $word in
            watch) signals[$name]=$signal ;;
            forget) unset "signals[$name]" ;;
            made) directories[$name]=1 ;;
            removed) unset "directories[$name]" ;;
          esac
        elif (($? <= 128)); then
          break
        else
          read -r _ _ _ now _ <"/proc/$$/stat"
          [[ $now == "$parent" ]] || break
        fi
      done

      # A server's children are listed while it lives, since they may be stopped, and could not see it go.
      all=()
      for pid in "${!signals[@]}"; do
        children=$(<"/proc/$pid/task/$pid/children")
        kill -"${signals[$pid]}" "$pid"
        kill -CONT "$pid" $children
        all+=("$pid" $children)
      done
      alive() {
        local pid state
        for pid in "${all[@]}"; do
          read -r _ _ state _ <"/proc/$pid/stat" && [[ $state != Z ]] && return 0
        done
        return 1
      }
      for turn in {1..60}; do
        alive || break
        sleep 0.05
      done
      ((${#all[@]})) && kill -KILL "${all[@]}"
      ((${#directories[@]})) && rm -rf "${!directories[@]}"
    BASH
    private_constant :SCRIPT

    @mutex = Mutex.new

    class << self
      # signal: the one that makes this server end fastest and leave nothing in the system.
      def watch(pid, signal) = tell("watch #{pid} #{signal}")
      def forget(pid) = tell("forget #{pid}")
      def made(directory) = tell("made #{directory}")
      def removed(directory) = tell("removed #{directory}")

      private

      def tell(line)
        @mutex.synchronize do
          start unless @owner == Process.pid
          @writer.write("#{line}\n")
        end
      end

      def start
        reader, @writer = IO.pipe
        @owner = Process.pid
        Process.spawn("bash", "-c", SCRIPT, in: reader, out: File::NULL, err: File::NULL, pgroup: true)
        reader.close
      end
    end
  end
end

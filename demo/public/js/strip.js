// The strip: time from left to right, a mark for each event, under it a scale of seconds as on a nautical chart.
// Even marks are a healthy stream; marks in clumps mean that something on the way collects.
//
// The scale doubles when time reaches its end, instead of sliding all the while, and slides only beyond the longest.
const SHORTEST = 10
const LONGEST = 80 // seconds
const SCALE = 5 // pixels

const calm = matchMedia("(prefers-reduced-motion: reduce)")

export class Strip {
  #canvas
  #context
  #start = 0
  #end = null
  #marks = []

  constructor(canvas) {
    this.#canvas = canvas
    this.#context = canvas.getContext("2d")
    new ResizeObserver(() => this.#draw()).observe(canvas)
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw())
  }

  start(now) {
    this.#start = now
    this.#end = null
    this.#marks = []
    this.#tick()
  }

  // kind: "event", "first", "done", "lost" or "failed"
  mark(now, kind) {
    this.#marks.push({ at: now, kind })
    const oldest = now - LONGEST * 1000
    while (this.#marks[0].at < oldest) this.#marks.shift()
  }

  stop(now) {
    this.#end = now
    this.#draw()
  }

  // Those who asked for less motion see the hand move once a second.
  #tick = () => {
    this.#draw()
    if (this.#end !== null) return
    if (calm.matches) setTimeout(this.#tick, 1000)
    else requestAnimationFrame(this.#tick)
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas
    const ratio = devicePixelRatio
    this.#canvas.width = width * ratio
    this.#canvas.height = height * ratio
    const context = this.#context
    context.scale(ratio, ratio)

    const style = getComputedStyle(this.#canvas)
    const colour = (name) => style.getPropertyValue(`--${name}`)

    const elapsed = this.#start ? ((this.#end ?? performance.now()) - this.#start) / 1000 : 0
    let span = SHORTEST
    while (span < elapsed && span < LONGEST) span *= 2
    const from = Math.max(0, elapsed - span)
    const x = (seconds) => ((seconds - from) / span) * width
    const floor = height - SCALE - 14

    context.fillStyle = colour("ink")
    context.fillRect(0, floor, width, 1)
    context.fillRect(0, floor + SCALE, width, 1)
    const step = span / 10
    for (let second = Math.floor(from / step) * step; second < from + span; second += step) {
      if (Math.round(second / step) % 2 === 0) context.fillRect(x(second), floor, (step / span) * width, SCALE)
    }
    context.font = `10px ${style.fontFamily}`
    context.fillStyle = colour("faint")
    context.textBaseline = "bottom"
    for (let second = Math.ceil(from / step / 2) * step * 2; second <= from + span; second += step * 2) {
      context.textAlign = second === from ? "left" : second === from + span ? "right" : "center"
      context.fillText(`${second} s`, x(second), height)
    }

    if (this.#end === null && this.#start) {
      context.fillStyle = colour("yellow")
      context.fillRect(x(elapsed) - 1, 0, 2, floor)
    }
    for (const { at, kind } of this.#marks) {
      const left = x((at - this.#start) / 1000)
      if (kind === "event") {
        context.fillStyle = colour("blue")
        context.fillRect(left - 0.75, floor - 26, 1.5, 26)
      } else this.#flag(left, floor, kind, colour)
    }
  }

  // A pole with a pennant: the first event, the end, a lost connection.
  #flag(left, floor, kind, colour) {
    const context = this.#context
    const back = left > this.#canvas.clientWidth - 20 ? -1 : 1
    context.fillStyle = colour(kind === "first" ? "blue" : kind === "done" ? "ink" : "red")
    context.fillRect(left - 0.75, 3, 1.5, floor - 3)
    context.beginPath()
    context.moveTo(left, 3)
    context.lineTo(left + 16 * back, 8)
    context.lineTo(left, 13)
    context.fill()
  }
}

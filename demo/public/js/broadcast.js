// One answer of the chat over Action Cable: the text is the business of <streamer-text>; this says what happens.
import { happened } from "./happenings.js"
import { showFinal, showPhase } from "./phases.js"

const LOOK = 200 // ms between looks at the connection

// What a page needs for it, and how it sees whether it is connected.
const WAYS = {
  async turbo() {
    await import("@hotwired/turbo-rails")
    await import("streamer-rails/broadcasts")
    return () => document.querySelector("turbo-cable-stream-source")?.hasAttribute("connected")
  },
  async cable() {
    const { CableTextElement } = await import("streamer-rails/cable")
    return () => CableTextElement.consumer?.connection.isOpen()
  },
}

export async function watch(turn, way) {
  const text = turn.querySelector(".answer")
  const epoch = () => text.getAttribute("position").split("-")[0]
  let passages = 0
  let attempt = epoch()
  let line, connected
  const say = (...words) => {
    line = undefined
    passages = 0
    happened(...words)
  }

  new MutationObserver(() => {
    if (epoch() !== attempt) {
      if (attempt !== "0") say("What the attempt before had said is dropped")
      attempt = epoch()
      say(`Attempt ${attempt} begins${attempt > 1 ? ", anew" : ""}`, attempt > 1 ? "good" : "")
    }
    showPhase(turn, "running")
    passages += 1
    line ??= happened("")
    line.textContent = `${passages} ${passages === 1 ? "passage" : "passages"}, up to ${text.getAttribute("position")}`
  }).observe(text, { attributes: true, attributeFilter: ["position"] })

  text.addEventListener("streamer:state", ({ detail: { phase } }) => showPhase(turn, phase))
  text.addEventListener("streamer:done", async ({ detail: { data, id } }) => {
    await null // the observer comes first
    const { state } = JSON.parse(data)
    over(`The log ends at ${id}: ${state.replace("_", " ")}`, state === "completed" ? "good" : "accident")
    showFinal(turn)
  })

  const isConnected = await WAYS[way]()
  const look = setInterval(() => {
    if (turn.querySelector(".standing").dataset.status !== "processing") return over("The final state came, rendered by the worker")
    const now = isConnected() ?? false
    if (now === connected) return
    if (now) say(connected === undefined ? "Connected" : "Connected again; what is missing is read from the log", connected === undefined ? "" : "good")
    else if (connected) say(`Connection lost at ${text.getAttribute("position")}`, "accident")
    if (now || connected) connected = now
    showPhase(turn, now || connected === undefined ? "running" : "lost")
  }, LOOK)

  function over(words, kind = "good") {
    if (turn.dataset.over) return
    turn.dataset.over = "yes"
    clearInterval(look)
    say(words, kind)
  }
}

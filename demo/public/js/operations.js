import { instrument } from "./instruments.js"

const progress = document.getElementById("progress")
const steps = [...document.getElementById("steps").children]
const step = document.getElementById("step")
const percent = document.getElementById("percent")

const words = { reconnecting: "Connection lost. The browser comes back by itself", stopped: "Stopped", failed: "Failed" }
let running = false

const handlers = {
  progress: ({ done, total, step: name }) => show(done, total, name),
  done: () => (step.textContent = "All orders are in"),
}

instrument(handlers, {
  start: () => show(0, steps.length, "Starting"),
  changed(state, live) {
    running = live
    if (words[state]) step.textContent = words[state]
    mark(progress.value)
  },
})

function show(done, total, name) {
  progress.max = total
  progress.value = done
  step.textContent = name
  percent.textContent = `${Math.round((100 * done) / total)} %`
  mark(done)
}

function mark(done) {
  steps.forEach((item, index) => {
    item.className = index < done ? "done" : index === done && running ? "now" : ""
  })
}

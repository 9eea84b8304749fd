// The chat: follows each answer that is under way, and says what happens.
import { follow } from "./turn.js"
import { happened } from "./happenings.js"
import { watch } from "./broadcast.js"

const composer = document.getElementById("composer")
const prompt = composer.elements.prompt

for (const state of document.querySelectorAll(".standing[data-status=processing]")) {
  const turn = state.closest(".turn")
  const { via } = state.dataset
  const [{ duration }] = performance.getEntriesByType("navigation")
  if (turn.matches(":last-child")) happened(`The page was there after ${Math.round(duration || performance.now())} ms`)
  if (via === "sse") follow(turn)
  else watch(turn, via)
  turn.scrollIntoView({ block: "start" })
}

// A state that a worker has rendered has no token of this session in its forms.
addEventListener("formdata", ({ formData }) => formData.set("authenticity_token", csrfToken()))

for (const suggestion of composer.querySelectorAll("[data-question]")) {
  suggestion.addEventListener("click", () => {
    prompt.value = suggestion.dataset.question
    composer.requestSubmit()
  })
}

// Enter asks; Shift+Enter is a new line, as in every chat.
prompt.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
  event.preventDefault()
  composer.requestSubmit()
})

addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.querySelector(".turn:last-child .stop")?.click()
})

for (const button of document.querySelectorAll("[data-accident]")) {
  button.addEventListener("click", async () => {
    const { accident, says } = button.dataset
    const headers = { "x-csrf-token": csrfToken() }
    const { ok } = await fetch("/accidents", { method: "POST", headers, body: new URLSearchParams({ kind: accident }) })
    if (ok) happened(says, "accident")
  })
}

function csrfToken() {
  return document.querySelector("meta[name=csrf-token]").content
}

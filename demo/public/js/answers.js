import { Stream } from "./stream.js"
import { instrument } from "./instruments.js"

const answer = document.getElementById("answer")
const spoken = document.getElementById("spoken")
const question = document.getElementById("question")

let paragraph, sentence

const stream = new Stream()
  // OpenAI calls the text "content", Anthropic and Gemini "text"; the frame keeps the name.
  .on("token", ({ content, text }) => append(content ?? text))
  .on("done", () => speak(sentence))

// OpenAI begins with an empty text and Gemini may end with one; nobody can read those.
instrument(stream, { start: clear, counts: (data) => !data.endsWith(':""}') })

// These events have no ids, so whoever comes back gets the whole answer again.
stream.addEventListener("state", () => {
  if (stream.state === "open") clear()
  answer.setAttribute("aria-busy", stream.running)
  answer.classList.toggle("writing", stream.running)
})

function clear() {
  paragraph = document.createElement("p")
  answer.replaceChildren(paragraph)
  spoken.replaceChildren()
  sentence = ""
}

function append(text) {
  const [first, ...more] = text.split("\n\n")
  write(first)
  for (const part of more) {
    paragraph = document.createElement("p")
    answer.append(paragraph)
    write(part)
  }
  sentence += text
  if (/[.!?:]\s*$/.test(sentence)) {
    speak(sentence)
    sentence = ""
  }
}

// Each token in an element of its own: CSS lets it light up as it lands.
function write(text) {
  if (!text) return
  const token = document.createElement("span")
  token.textContent = text
  paragraph.append(token)
}

function speak(text) {
  if (!text.trim()) return
  const line = document.createElement("p")
  line.textContent = text
  spoken.append(line)
  if (spoken.children.length > 4) spoken.firstChild.remove()
}

for (const suggestion of document.querySelectorAll("[data-question]")) {
  suggestion.addEventListener("click", () => {
    question.value = suggestion.dataset.question
    question.form.requestSubmit()
  })
}

// Enter asks; Shift+Enter is a new line, as in every chat.
question.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
  event.preventDefault()
  question.form.requestSubmit()
})

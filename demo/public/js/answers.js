import { instrument } from "./instruments.js"
import { Speech } from "./speech.js"

const answer = document.getElementById("answer")
const speech = new Speech(document.getElementById("spoken"))
const question = document.getElementById("question")

let paragraph

const handlers = {
  // OpenAI calls the text "content", Anthropic and Gemini "text"; the frame keeps the name.
  token: ({ content, text }) => append(content ?? text),
  done: () => speech.flush(),
}

instrument(handlers, {
  start: clear,
  // These events have no ids, so whoever comes back gets the whole answer again.
  reset: clear,
  // OpenAI begins with an empty text and Gemini may end with one; nobody can read those.
  counts: (data) => !data.endsWith(':""}'),
  changed(state, live) {
    answer.setAttribute("aria-busy", live)
    answer.classList.toggle("writing", live)
  },
})

function clear() {
  paragraph = document.createElement("p")
  answer.replaceChildren(paragraph)
  speech.clear()
}

function append(text) {
  const [first, ...more] = text.split("\n\n")
  write(first)
  for (const part of more) {
    paragraph = document.createElement("p")
    answer.append(paragraph)
    write(part)
  }
  speech.add(text)
}

// Each token in an element of its own: CSS lets it light up as it lands.
function write(text) {
  if (!text) return
  const token = document.createElement("span")
  token.textContent = text
  paragraph.append(token)
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

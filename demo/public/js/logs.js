import { instrument } from "./instruments.js"

const KEPT = 1000 // lines in the page
const KEPT_PAUSED = 10_000 // while someone reads, nothing above may move

const log = document.getElementById("log")
const follow = document.getElementById("follow")
const note = document.getElementById("follow-note")
let following = true
let missed = 0

instrument({ line: append }, {
  start() {
    log.replaceChildren()
    setFollowing(true)
  },
})

function append({ at, level, source, message }) {
  const line = document.createElement("li")
  line.className = level
  for (const [name, text] of Object.entries({ at, level, source, message })) {
    const cell = document.createElement("span")
    cell.className = name
    cell.textContent = text
    line.append(cell)
  }
  log.append(line)
  if (log.children.length > (following ? KEPT : KEPT_PAUSED)) log.firstChild.remove()
  if (following) {
    log.scrollTop = log.scrollHeight
  } else if (!log.classList.contains(`hide-${level}`)) {
    missed += 1
    follow.textContent = `${missed} new · back to the end`
  }
}

// Scrolling up is how one says "wait"; coming back to the end is how one says "go on".
log.addEventListener("scroll", () => {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 24
  if (atEnd !== following) setFollowing(atEnd)
})
follow.addEventListener("click", () => {
  setFollowing(true)
  log.focus()
})

function setFollowing(value) {
  following = value
  missed = 0
  follow.hidden = following
  follow.textContent = "Back to the end"
  note.textContent = following ? "following the end" : "paused while you read"
  if (following) log.scrollTop = log.scrollHeight
}

for (const box of document.querySelectorAll(".levels input")) {
  const apply = () => log.classList.toggle(`hide-${box.value}`, !box.checked)
  box.addEventListener("change", () => {
    apply()
    if (following) log.scrollTop = log.scrollHeight
  })
  apply()
}

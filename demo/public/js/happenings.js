// The list of what happens to the answers of this page. The figures are for the eye: it is no live region.
const list = document.getElementById("happenings")
const KEPT = 200

// `kind`: accident, good or nothing. Returns the element of the words, for whoever counts in it.
export function happened(text, kind = "") {
  list.querySelector(".empty")?.remove()
  const line = document.createElement("li")
  line.className = kind
  const at = document.createElement("time")
  at.textContent = `${(performance.now() / 1000).toFixed(1)} s`
  const words = document.createElement("span")
  words.textContent = text
  line.append(at, words)
  list.append(line)
  if (list.children.length > KEPT) list.firstChild.remove()
  list.scrollTop = list.scrollHeight
  return words
}

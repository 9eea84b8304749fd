import { instrument, seconds } from "./instruments.js"

const saving = document.getElementById("saving")
const lanes = new Map(["air", "rail", "sea"].map((name) => [name, document.getElementById(`quote-${name}`)]))
const euros = new Intl.NumberFormat("en", { style: "currency", currency: "EUR", maximumFractionDigits: 0 })

let asked, quotes, waits

const handlers = {
  quote({ name, quote }) {
    const wait = performance.now() - asked
    waits.push(wait)
    quotes.push({ name, price: quote.price })
    show(name, "here", euros.format(quote.price), `${quote.days} days on the way. Known after ${seconds(wait)}.`)
  },
  done: conclude,
}

instrument(handlers, {
  start: begin,
  reset: begin,
  changed(state, live) {
    if (live) return
    for (const [name, lane] of lanes) {
      if (lane.dataset.state === "waiting") show(name, "idle", "–", "No answer any more.")
    }
  },
})

function begin() {
  asked = performance.now()
  quotes = []
  waits = []
  saving.textContent = "\u00a0"
  for (const name of lanes.keys()) show(name, "waiting", "…", "Asked, no answer yet.")
}

function show(name, state, price, terms) {
  const lane = lanes.get(name)
  lane.dataset.state = state
  lane.querySelector(".price").textContent = price
  lane.querySelector(".terms").textContent = terms
}

function conclude() {
  const best = quotes.sort((a, b) => a.price - b.price)[0]
  if (best) lanes.get(best.name).dataset.state = "best"
  const together = Math.max(...waits)
  const apart = waits.reduce((sum, wait) => sum + wait, 0)
  saving.textContent = `Complete after ${seconds(together)}. Asked one after the other: ${seconds(apart)}.`
}

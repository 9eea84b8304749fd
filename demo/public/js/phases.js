// What is under an answer while it is written. The listener hears it when it changes.
const PHASES = {
  queued: "Waiting for a worker",
  running: "Writing",
  recovering: "Its worker is gone. Another one takes over",
  lost: "The connection is lost. The page comes back by itself",
}

export function showPhase(turn, phase) {
  const state = turn.querySelector(".standing")
  const status = turn.querySelector(".phase")
  if (state.dataset.status !== "processing") return
  state.dataset.phase = phase
  if (status.textContent !== PHASES[phase]) status.textContent = PHASES[phase] ?? phase
}

// The turn as the server has it: its final state.
export async function showFinal(turn) {
  const response = await fetch(turn.dataset.turn)
  if (!response.ok) return
  const page = new DOMParser().parseFromString(await response.text(), "text/html")
  turn.replaceWith(page.querySelector(".turn"))
}

// [[bytes in Base64, sizes of the pieces], …] into what a decoder makes of each: its events, the last id and the time.
export function decode(Decoder, cases) {
  return cases.map(([base64, sizes]) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
    const decoder = new Decoder()
    const events = []
    let from = 0
    for (const size of sizes) {
      events.push(...decoder.feed(bytes.subarray(from, from + size)))
      from += size
    }
    return [events.map(({ type, data, id }) => [type, data, id]), decoder.lastEventId, decoder.retry]
  })
}

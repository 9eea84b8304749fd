import { text } from "node:stream/consumers"
import { Decoder } from "streamer-rails"
import { decode } from "./decode.mjs"

console.log(JSON.stringify(decode(Decoder, JSON.parse(await text(process.stdin)))))

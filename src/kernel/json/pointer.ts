/** The JSON pointer (RFC 6901) of the place that the scanner has reached; made for refusals and captured members only. */
import { pointerToken } from "../pointer-token.js";
import { decodeName } from "./member-names.js";

/** What the pointer needs to know of an open container. */
export interface Place {
  isObject: boolean;
  /** Element being read; -1 before the first. */
  index: number;
  /** Name of the member being read, between its quotes; -1 before the first. */
  keyStart: number;
  keyEnd: number;
}

/** More bytes than the 64 characters of a token can take, escapes of six bytes each included. */
const tokenBytesMax = 1024;

/**
 * The pointer through the first `depth` places.
 *
 * Names are made safe for a terminal and cut to 64 characters with `…`: such a pointer shows the place and may not resolve.
 */
export function pointerOf(bytes: Buffer, places: readonly Place[], depth: number): string {
  let pointer = "";
  for (let level = 0; level < depth; level++) {
    const place = places[level];
    if (place === undefined) break;
    if (place.isObject) {
      if (place.keyStart < 0) break;
      pointer += `/${nameToken(bytes, place.keyStart, place.keyEnd)}`;
    } else {
      if (place.index < 0) break;
      pointer += `/${place.index}`;
    }
  }
  return pointer;
}

function nameToken(bytes: Buffer, start: number, end: number): string {
  const name = end - start > tokenBytesMax ? longName(bytes, start) : decodeName(bytes, start, end);
  return pointerToken(name);
}

/** The raw beginning of a name too long to decode for a message. */
function longName(bytes: Buffer, start: number): string {
  return bytes.toString("utf8", start, start + tokenBytesMax);
}

import { terminalSafe } from "./terminal.js";

/** Longer names are cut, so that a refusal stays small. */
const tokenCharactersMax = 64;

/**
 * A member's name as a token of a JSON pointer (RFC 6901) that is shown to somebody: safe for a terminal and cut to 64 characters
 * with `…`. A pointer of such tokens shows the place and may not resolve.
 */
export function pointerToken(name: string): string {
  const short = name.length > tokenCharactersMax ? `${name.slice(0, tokenCharactersMax)}…` : name;
  return terminalSafe(short).replaceAll("~", "~0").replaceAll("/", "~1");
}

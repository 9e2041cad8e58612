/** The address of a call that somebody else chose, as far as it can be judged before its name is resolved. */
import { type AddressGuard, type AddressVerdict } from "./address-guard.js";

/** Why a target is not called. Nothing of it tells what a name resolves to. */
export type TargetRefusal =
  | "url_invalid"
  | "scheme_refused"
  | "credentials_in_url"
  | "port_refused"
  | "address_refused";

/** A target that may be tried. */
export interface Target {
  readonly url: URL;
  /** Only addresses in an allowed network will do: the scheme or the port is not one for the internet. */
  readonly needsAllowed: boolean;
}

/** Characters of an address. */
const targetCharactersMax = 2_048;
/** Where receivers on the internet listen. In allowed networks they may listen anywhere. */
const publicPorts: ReadonlySet<string> = new Set(["443", "8443"]);

/**
 * Reads an address. Odd spellings of IPv4 (octal, hexadecimal, one number) become what they mean, as in browsers (WHATWG URL).
 *
 * @returns the target, or why it is refused
 */
export function readTarget(text: string, guard: AddressGuard): Target | TargetRefusal {
  if (text.length > targetCharactersMax || !URL.canParse(text)) return "url_invalid";
  const url = new URL(text);
  url.hash = "";
  if (url.protocol !== "https:" && url.protocol !== "http:") return "scheme_refused";
  if (url.username !== "" || url.password !== "") return "credentials_in_url";
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  const needsAllowed = url.protocol === "http:" || !publicPorts.has(port);
  const literal = literalIn(url);
  if (literal === undefined) return { url, needsAllowed };
  const verdict = guard.judge(literal);
  if (maySend(verdict, needsAllowed)) return { url, needsAllowed };
  if (verdict === "refused") return "address_refused";
  return url.protocol === "http:" ? "scheme_refused" : "port_refused";
}

/** Whether an address of this verdict will do. */
export function maySend(verdict: AddressVerdict, needsAllowed: boolean): boolean {
  return verdict === "allowed" || (verdict === "public" && !needsAllowed);
}

/** The address that stands in place of a name. */
function literalIn({ hostname }: URL): string | undefined {
  if (hostname.startsWith("[")) return hostname.slice(1, -1);
  return /^[\d.]+$/.test(hostname) ? hostname : undefined;
}

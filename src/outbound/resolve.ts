/** Names to addresses, by DNS alone and within bounds. */
import { Resolver } from "node:dns/promises";

/** The addresses of a name; throws when it has none. Ends at once when `signal` aborts. */
export type Resolve = (name: string, signal: AbortSignal) => Promise<readonly string[]>;

const queryTimeoutMs = 2_000;
const queryTries = 2;
/** Of one name, of each family. */
const addressesMax = 16;

/**
 * Asks the name servers of the machine for A and AAAA. Neither its hosts file nor its search domains: they name what is inside.
 * `localhost` is the loopback address (RFC 6761). The system's own resolver would hold threads that others need.
 */
export const resolveByDns: Resolve = async (name, signal) => {
  if (name === "localhost" || name.endsWith(".localhost")) return ["127.0.0.1"];
  const resolver = new Resolver({ timeout: queryTimeoutMs, tries: queryTries });
  const cancel = (): void => resolver.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  try {
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const found = [v4, v6].flatMap((answer) =>
      answer.status === "fulfilled" ? answer.value.slice(0, addressesMax) : [],
    );
    if (found.length > 0) return found;
    throw v4.status === "rejected" ? v4.reason : new Error("The name has no address.");
  } finally {
    signal.removeEventListener("abort", cancel);
  }
};

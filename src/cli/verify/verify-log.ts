/** Checks a tenant's whole log with nothing on trust but the root's public key. */
import type { EventplaneClient } from "../../client/index.js";
import { type ChainLink, createVerifier, KeyDirectory, rowsOfProvenEvents, verifyLink } from "../../event/index.js";

/** What was checked. */
export interface VerifiedLog {
  /** Positions 1 to this; 0 for an empty log. */
  readonly position: number;
  /** Lower-case hex of the last event's hash; null for an empty log. */
  readonly hash: string | null;
}

const pageEvents = 200;

/**
 * Reads the log from its beginning and checks every link of the chain, every hash and every proof.
 *
 * @param rootPublicKey base64url, from the verifier's owner; the introductions of signing keys are checked with it
 * @param onEvents called after each page with the position reached
 * @throws EventplaneError `verification_failed`, `key_unknown`, `event_corrupt` for the first event that does not hold
 */
export async function verifyLog(
  client: EventplaneClient,
  rootPublicKey: string,
  onEvents: (position: number) => void,
): Promise<VerifiedLog> {
  const directory = new KeyDirectory(rootPublicKey);
  for (const introduction of (await client.keysDocument()).keys) directory.accept(introduction);
  const verifier = createVerifier(directory);
  let link: ChainLink | undefined;
  for (let after: number | null = 0; after !== null; ) {
    const page = await client.readProvenPage({ after, limit: pageEvents });
    for (const row of rowsOfProvenEvents(page.events)) {
      link = verifyLink(row, link);
      verifier.verify(row);
    }
    onEvents(link?.position ?? 0);
    after = page.next;
  }
  return { position: link?.position ?? 0, hash: link === undefined ? null : Buffer.from(link.hash).toString("hex") };
}

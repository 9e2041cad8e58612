/** Checks a tenant's whole log with nothing on trust but the root's public key. */
import type { EventplaneClient } from "../../client/index.js";
import { type ChainLink, createVerifier, KeyDirectory, rowsOfProvenEvents, verifyLink } from "../../event/index.js";
import { EventplaneError, isUuid } from "../../kernel/index.js";

/** What is to be checked. */
export interface LogToVerify {
  /** Id or slug. Whose id a slug is, only the plane says; so what holds for a slug, holds for the tenant id in the answer. */
  readonly tenant: string;
  /** base64url, from the verifier's owner; the introductions of signing keys are checked with it. */
  readonly rootPublicKey: string;
  /** Called after each page with the position reached. */
  readonly onEvents: (position: number) => void;
}

/** What was checked. */
export interface VerifiedLog {
  /** Whose log it is; null for an empty log. */
  readonly tenantId: string | null;
  /** Positions 1 to this; 0 for an empty log. */
  readonly position: number;
  /** Lower-case hex of the last event's hash; null for an empty log. */
  readonly hash: string | null;
}

const pageEvents = 200;

/**
 * Reads the log from its beginning and checks every link of the chain, every hash and every proof.
 *
 * @throws EventplaneError `verification_failed`, `key_unknown`, `event_corrupt` for the first event that does not hold, also when it
 *   is another tenant's
 */
export async function verifyLog(
  client: EventplaneClient,
  { tenant, rootPublicKey, onEvents }: LogToVerify,
): Promise<VerifiedLog> {
  const directory = new KeyDirectory(rootPublicKey);
  for (const introduction of (await client.keysDocument()).keys) directory.accept(introduction);
  const verifier = createVerifier(directory);
  let link: ChainLink | undefined;
  for (let after: number | null = 0; after !== null; ) {
    const page = await client.readProvenPage({ after, limit: pageEvents });
    for (const row of rowsOfProvenEvents(page.events)) {
      if (isUuid(tenant) && row.tenantId !== tenant) throw ofAnotherTenant(tenant, row.tenantId);
      link = verifyLink(row, link);
      verifier.verify(row);
    }
    onEvents(link?.position ?? 0);
    after = page.next;
  }
  if (link === undefined) return { tenantId: null, position: 0, hash: null };
  return { tenantId: link.tenantId, position: link.position, hash: Buffer.from(link.hash).toString("hex") };
}

function ofAnotherTenant(asked: string, tenantId: string): EventplaneError {
  const message = `The plane answered for tenant ${asked} with the log of tenant ${tenantId}.`;
  return new EventplaneError("verification_failed", message, { details: { asked, tenantId } });
}

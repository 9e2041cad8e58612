/** One call of the append function on its way: entries with their signed appends, and how a failed call is taken apart. */
import { type DraftEvent, signCommit } from "../event/index.js";
import type { Signer, TenantId } from "../kernel/index.js";
import type { Queued } from "./coalescer-queue.js";
import type { Append, AppendOutcome, SignedAppend } from "./port.js";

/** One append that waits for its outcome. */
export interface CoalescerEntry extends Queued {
  readonly append: Append;
  /** Of each event, in the order of the items. */
  readonly digests: readonly Uint8Array[];
  /** What the caller gets. Calls after the first do nothing. */
  readonly resolve: (outcome: AppendOutcome) => void;
  readonly reject: (error: Error) => void;
}

/** Entries and their signed appends, in the same order; those of one tenant are neighbours. Never changed: a resend is identical. */
export interface CoalescerCall {
  readonly entries: readonly CoalescerEntry[];
  readonly signed: readonly SignedAppend[];
}

/** Signs once for each tenant over all digests of its entries. */
export function signCall(signer: Signer, entries: readonly CoalescerEntry[]): CoalescerCall {
  const signed: SignedAppend[] = [];
  for (const group of groupsByTenant(entries)) {
    const leaves: Uint8Array[] = [];
    for (const { digests } of group) for (const digest of digests) leaves.push(digest);
    const commitProof = signCommit(signer, leaves);
    let firstLeaf = 0;
    for (const { append, digests } of group) {
      const { tenantId, items, lease } = append;
      signed.push(
        lease === undefined ? { tenantId, items, commitProof, firstLeaf } : { ...append, commitProof, firstLeaf },
      );
      firstLeaf += digests.length;
    }
  }
  return { entries, signed };
}

/** The tenants of a call, each once. */
export function tenantsOf(call: CoalescerCall): readonly TenantId[] {
  return [...new Set(call.entries.map(({ tenantId }) => tenantId))];
}

/** One call for each tenant, with the same proofs. */
export function splitByTenant(call: CoalescerCall): readonly CoalescerCall[] {
  let from = 0;
  return groupsByTenant(call.entries).map((entries) => {
    const signed = call.signed.slice(from, from + entries.length);
    from += entries.length;
    return { entries, signed };
  });
}

/** The first and the second half of a call of at least two entries, with the same proofs. */
export function splitInHalves({ entries, signed }: CoalescerCall): readonly [CoalescerCall, CoalescerCall] {
  const middle = Math.ceil(entries.length / 2);
  return [
    { entries: entries.slice(0, middle), signed: signed.slice(0, middle) },
    { entries: entries.slice(middle), signed: signed.slice(middle) },
  ];
}

function groupsByTenant(entries: readonly CoalescerEntry[]): readonly (readonly CoalescerEntry[])[] {
  const groups = new Map<TenantId, CoalescerEntry[]>();
  for (const entry of entries) {
    const group = groups.get(entry.tenantId);
    if (group === undefined) groups.set(entry.tenantId, [entry]);
    else group.push(entry);
  }
  return [...groups.values()];
}

/** Ids, hashes, a signature, a path and times: what an event costs in a call beside its texts. */
const envelopeBytes = 640;

/** About how many bytes these events take in a call. */
export function callBytes(events: readonly DraftEvent[]): number {
  let bytes = 0;
  for (const event of events) {
    bytes += envelopeBytes + Buffer.byteLength(event.specText) + Buffer.byteLength(event.causedByText);
    bytes += Buffer.byteLength(event.statusText) + Buffer.byteLength(event.finalizersText);
  }
  return bytes;
}

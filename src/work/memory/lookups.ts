/** What decisions looked at beside their own streams, in memory: by row, with the claim that noted it. */
import type { LookedUp, WorkKey } from "../port.js";

interface Noted extends WorkKey {
  readonly leaseToken: string;
  readonly seen: readonly LookedUp[];
}

/** Looked-up streams of rows, and whether they moved while somebody worked on the row. */
export class MemoryLookups {
  readonly #noted = new Map<string, Noted>();
  readonly #moved = new Set<string>();

  /** In place of what the row noted before. `hasMoved`: one of the streams has a later version already. */
  note(claim: WorkKey & { readonly leaseToken: string }, seen: readonly LookedUp[], hasMoved: boolean): void {
    const key = keyText(claim);
    this.#noted.set(key, { ...claim, seen });
    if (hasMoved) this.#moved.add(key);
    else this.#moved.delete(key);
  }

  /** Rows that looked at an earlier version of this stream. */
  askersOf(event: Omit<WorkKey, "component"> & { readonly version: number }): readonly WorkKey[] {
    return [...this.#noted.values()].filter(
      ({ tenantId, seen }) =>
        tenantId === event.tenantId &&
        seen.some(
          ({ aggregateType, aggregateId, version }) =>
            aggregateType === event.aggregateType && aggregateId === event.aggregateId && version < event.version,
        ),
    );
  }

  /** It moved while somebody works on the row, who learns of it at the end. */
  moved(key: WorkKey): void {
    this.#moved.add(keyText(key));
  }

  /** A claim begins: what moved before is for it to see. */
  begin(key: WorkKey): void {
    this.#moved.delete(keyText(key));
  }

  /** A claim ends: what it did not note is forgotten. @returns whether something that it looked at has moved */
  end(key: WorkKey, leaseToken: string | null): boolean {
    const text = keyText(key);
    const noted = this.#noted.get(text);
    if (noted === undefined) return false;
    if (leaseToken === null || noted.leaseToken === leaseToken) return this.#moved.has(text);
    this.#noted.delete(text);
    return false;
  }

  /** Nobody works for a stream that is deleted. */
  deleteStream(stream: Omit<WorkKey, "component">): void {
    for (const [key, { tenantId, aggregateType, aggregateId }] of this.#noted) {
      const isOfIt =
        tenantId === stream.tenantId && aggregateType === stream.aggregateType && aggregateId === stream.aggregateId;
      if (isOfIt) this.#noted.delete(key);
    }
  }
}

function keyText({ tenantId, aggregateType, aggregateId, component }: WorkKey): string {
  return `${tenantId} ${aggregateType} ${aggregateId} ${component}`;
}

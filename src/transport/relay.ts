/**
 * The relay: hands the log to the transport, tenant by tenant, in the order of positions.
 *
 * Every event arrives at least once, in the order of its event stream: the cursor moves behind the acknowledgement, and goes back
 * when the transport may have lost what it acknowledged. Several relays share the tenants by leases.
 */
import type { EventRow } from "../event/index.js";
import {
  backoffMs,
  type Clock,
  type Doorbell,
  EventplaneError,
  isEventplaneError,
  type Random,
  type TenantId,
} from "../kernel/index.js";
import type { Logger, Metrics } from "../observe/index.js";
import type { LogReader } from "../store/index.js";
import { Wakeup } from "../work/index.js";
import type { Transport } from "./port.js";
import { relayPage } from "./relay-page.js";
import { type RelayClaim, type RelayStore, relayLeaseMs } from "./relay-store.js";

/** What a relay needs. */
export interface RelayParts {
  /** Connects; asked again while it fails. The relay closes what it got. */
  readonly open: () => Promise<Transport>;
  readonly store: RelayStore;
  readonly reader: LogReader;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, "relayed" | "relayLag" | "relayRewound" | "relayConnected">;
  /** Rung by the appends of this process; those of other processes are found by polling. */
  readonly doorbell?: Doorbell;
  /** Default 100 ms. */
  readonly pollMs?: number;
}

const pollMsDefault = 100;
/** Tenants that one relay hands over at once. */
const tenantsMax = 8;
/** Pages of a tenant before others have their turn, and what one page holds: fewer events the larger they are. */
const pagesPerTurn = 32;
const pageEventsMax = 64;
const pageEventsFirst = 16;
const pageCharacters = 2_097_152;
const lookMs = 5_000;
const errorBackoff = { baseMs: 50, capMs: 5_000 } as const;
/** After so much of a lease without a move nothing more is begun. */
const leaseMarginMs = relayLeaseMs / 3;

/** Runs in any number of processes. */
export class Relay {
  readonly #parts: RelayParts;
  readonly #active = new Map<TenantId, Promise<void>>();
  readonly #stopped = new Map<TenantId, string>();
  #transport: Transport | undefined;
  #epoch: string | undefined;
  #reconnects = -1;
  /** Something failed since the transport was looked at. */
  #isDoubtful = true;
  #failures = 0;
  #lookAtMs = Number.NEGATIVE_INFINITY;
  #failure: string | undefined;

  constructor(parts: RelayParts) {
    this.#parts = parts;
  }

  /** For /readyz: that the transport cannot be reached, and for how many tenants it stands still. */
  get degraded(): readonly string[] {
    const stopped = this.#stopped.size;
    return [
      ...(this.#failure === undefined ? [] : [`relay_waiting: ${this.#failure}`]),
      ...(stopped === 0 ? [] : [`relay_stopped: tenants ${stopped}`]),
    ];
  }

  /** Runs until `signal` aborts; what is under way is finished. Failures of transport and store are tried again. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, doorbell, random, pollMs = pollMsDefault } = this.#parts;
    const bell = new Wakeup(clock);
    const stop = doorbell?.listen(() => bell.ring());
    try {
      while (!signal.aborted) {
        try {
          const isMore = await this.#round(signal, bell);
          this.#recovered();
          if (!isMore) await bell.wait(pollMs, signal);
        } catch (error) {
          this.#failed(error);
          await clock.sleep(backoffMs(this.#failures, { ...errorBackoff, random }), signal).catch(() => undefined);
        }
      }
    } finally {
      stop?.();
      await Promise.all(this.#active.values());
      await this.#transport?.close();
    }
  }

  /** @returns whether there may be more to begin at once */
  async #round(signal: AbortSignal, bell: Wakeup): Promise<boolean> {
    const { store } = this.#parts;
    this.#transport ??= await this.#parts.open();
    const transport = this.#transport;
    const epoch = await this.#synchronize(transport);
    await this.#look();
    const room = tenantsMax - this.#active.size;
    if (room === 0) return false; // the end of a turn rings
    const claims = await store.claim(epoch, room);
    for (const claim of claims) this.#begin(claim, { transport, signal, bell });
    return claims.length === room;
  }

  /** A tenant may be claimed again before its last turn has heard that its release is done. */
  #begin(
    claim: RelayClaim,
    { bell, ...options }: { readonly transport: Transport; readonly signal: AbortSignal; readonly bell: Wakeup },
  ): void {
    const { tenantId, isRefill } = claim;
    if (isRefill) this.#parts.metrics.relayRewound("refill", 1);
    const turn = (this.#active.get(tenantId) ?? Promise.resolve())
      .then(() => this.#turn(claim, options))
      .finally(() => {
        if (this.#active.get(tenantId) === turn) this.#active.delete(tenantId);
        bell.ring();
      });
    this.#active.set(tenantId, turn);
  }

  /** After each connection, and after each publish that failed: what may be lost is handed over again. */
  async #synchronize(transport: Transport): Promise<string> {
    const { reconnects } = transport;
    if (this.#epoch !== undefined && !this.#isDoubtful && reconnects === this.#reconnects) return this.#epoch;
    const { epoch } = await transport.standing();
    if (this.#epoch !== undefined && this.#epoch !== epoch)
      this.#parts.logger.warn({ epoch }, "The transport has nothing of what it had: it is filled again");
    if (reconnects !== this.#reconnects || epoch !== this.#epoch) {
      const tenants = await this.#parts.store.rewind(epoch);
      this.#parts.metrics.relayRewound("reconnect", tenants);
    }
    this.#epoch = epoch;
    this.#reconnects = reconnects;
    this.#isDoubtful = false;
    return epoch;
  }

  /** A tenant's turn. What goes wrong ends it, never the relay. */
  async #turn(
    claim: RelayClaim,
    options: { readonly transport: Transport; readonly signal: AbortSignal },
  ): Promise<void> {
    try {
      await this.#pages(claim, options);
    } catch (error) {
      // Its lease ends by itself, so it is looked at again, but not at once.
      if (isEventplaneError(error, "verification_failed")) return;
      this.#isDoubtful = true;
      this.#failed(error);
      await this.#parts.clock.sleep(errorBackoff.baseMs, options.signal).catch(() => undefined);
    }
    await this.#parts.store.release(claim).catch(() => undefined); // else it ends by itself
  }

  async #pages(
    claim: RelayClaim,
    { transport, signal }: { readonly transport: Transport; readonly signal: AbortSignal },
  ): Promise<void> {
    const { tenantId } = claim;
    const { clock, reader, store, metrics } = this.#parts;
    let { position, hash } = claim;
    let limit = pageEventsFirst;
    for (let page = 0; page < pagesPerTurn && !signal.aborted; page++) {
      const untilMs = clock.monotonicMs() + relayLeaseMs - leaseMarginMs;
      const rows = await reader.read(tenantId, { after: position, limit });
      this.#assertContinues(rows, { claim, position, hash });
      if (rows.length === 0) return;
      metrics.relayLag({ seconds: Math.max(0, (clock.nowUs() - (rows[0]?.recordedAtUs ?? 0)) / 1_000_000) });
      const { acked, failure } = await relayPage(rows, {
        transport,
        mayGoOn: () => !signal.aborted && clock.monotonicMs() < untilMs,
        onResult: (result, row) => this.#noteResult(result, row),
      });
      const last = rows[acked - 1];
      if (last !== undefined) {
        const move = { from: position, to: last.position, hash: last.hash, logEpoch: last.logEpoch };
        if (!(await store.move(claim, move))) return;
        position = last.position;
        hash = last.hash;
      }
      if (failure !== undefined) throw failure;
      if (acked < rows.length) return;
      this.#stopped.delete(tenantId);
      limit = nextLimit(rows);
    }
  }

  /** @throws EventplaneError `verification_failed` when the log is not the one that was handed over so far */
  #assertContinues(
    rows: readonly EventRow[],
    {
      claim,
      position,
      hash,
    }: { readonly claim: RelayClaim; readonly position: number; readonly hash: Uint8Array | undefined },
  ): void {
    const [first] = rows;
    // Nothing follows: what was claimed is before what was handed over. Later positions are of this very turn.
    const isShorter = first === undefined && claim.headPosition < claim.position;
    const isOther = first !== undefined && hash !== undefined && !Buffer.from(first.previousHash).equals(hash);
    if (!isShorter && !isOther) return;
    const { tenantId } = claim;
    const message = `The log of tenant ${tenantId} does not continue what was handed to the transport up to position ${position}. Run evtctl verify.`;
    if (!this.#stopped.has(tenantId)) this.#parts.logger.error({ tenantId, position }, message);
    this.#stopped.set(tenantId, message);
    throw new EventplaneError("verification_failed", message, { details: { tenantId, position } });
  }

  #noteResult(result: "published" | "repeated" | "replaced", { tenantId, position, type }: EventRow): void {
    this.#parts.metrics.relayed(result);
    if (result !== "replaced") return;
    this.#parts.logger.warn(
      { tenantId, position, type },
      "The transport takes no such event; a notice of it was published",
    );
  }

  async #look(): Promise<void> {
    const { clock, metrics, store } = this.#parts;
    if (clock.monotonicMs() < this.#lookAtMs) return;
    this.#lookAtMs = clock.monotonicMs() + lookMs;
    const events = await store.lag();
    metrics.relayLag(events === 0 ? { events, seconds: 0 } : { events });
  }

  #failed(error: unknown): void {
    this.#failures += 1;
    this.#failure = isEventplaneError(error) ? error.code : "internal";
    this.#parts.metrics.relayConnected(false);
    if (this.#failures === 1)
      this.#parts.logger.warn({ code: this.#failure, error }, "The relay cannot hand events over; it tries again");
  }

  #recovered(): void {
    if (this.#isDoubtful) return;
    this.#failures = 0;
    this.#failure = undefined;
    this.#parts.metrics.relayConnected(true);
  }
}

/** As many events as the last page's size leaves room for. */
function nextLimit(rows: readonly EventRow[]): number {
  const characters = rows.reduce(
    (sum, { specText, statusText }) => sum + specText.length + statusText.length + 1_024,
    0,
  );
  const fit = Math.floor(pageCharacters / (characters / rows.length));
  return Math.max(1, Math.min(pageEventsMax, fit));
}

/**
 * The coalescer: gathers the concurrent appends of one process and tier into few calls of the append function, and
 * signs them (DESIGN §5, §13.4).
 *
 * At most one call is in flight for a tenant and four in all; while they are, appends gather. An append that finds
 * nothing in flight leaves in the same turn of the event loop: there are no timers to wait for.
 */
import { eventDigest } from "../event/index.js";
import {
  backoffMs,
  type Clock,
  type Doorbell,
  type ErrorCode,
  EventplaneError,
  isEventplaneError,
  limits,
  type Random,
  type Signer,
  systemRandom,
  type TenantId,
} from "../kernel/index.js";
import { assertAppend } from "./assert-append.js";
import {
  type CoalescerCall,
  type CoalescerEntry,
  callBytes,
  signCall,
  splitByTenant,
  splitInHalves,
  tenantsOf,
} from "./coalescer-call.js";
import { CoalescerQueue } from "./coalescer-queue.js";
import type { Append, Appender, AppendOutcome } from "./port.js";

/** One try of one call, for metrics. */
export interface CoalescerCallReport {
  readonly tier: Appender["tier"];
  readonly tenants: number;
  readonly appends: number;
  readonly events: number;
  readonly durationMs: number;
  /** `ok`, or the code of what the append function threw. */
  readonly result: "ok" | ErrorCode;
  /** From 1; more when the identical call was sent again. */
  readonly attempt: number;
}

/** What a coalescer is made of. */
export interface CoalescerOptions {
  readonly appender: Appender;
  /** Of the appender's tier. */
  readonly signer: Signer;
  readonly clock: Clock;
  /** Rung after commit, once for each tenant of a call, with its last position. */
  readonly doorbell?: Doorbell;
  /** Called after each try. Must not throw. */
  readonly onCall?: (report: CoalescerCallReport) => void;
  /** For jitter; the operating system's by default. */
  readonly random?: Random;
  /** How long a call whose outcome is unknown is sent again; default 10 s. */
  readonly resendDeadlineMs?: number;
  /** How long `close` waits for what is under way; default 10 s. */
  readonly closeDeadlineMs?: number;
}

const resendBackoff = { baseMs: 20, capMs: 1_000 };
const defaultDeadlineMs = 10_000;

/** See the file's docblock. One for each process and tier. */
export class Coalescer {
  readonly #options: CoalescerOptions & { readonly random: Random };
  readonly #queue: CoalescerQueue<CoalescerEntry> = new CoalescerQueue({
    tenants: limits.callTenantsMax,
    events: limits.callEventsGathered,
    bytes: limits.callBytesMax,
  });
  /** Parts of calls that failed, waiting for a free place; their tenants stay taken. */
  readonly #parts: CoalescerCall[] = [];
  /** Calls under way, halves of one included; few. */
  readonly #inFlight: CoalescerCall[] = [];
  readonly #stop: AbortController = new AbortController();
  #flushScheduled = false;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(options: CoalescerOptions) {
    this.#options = { random: systemRandom, ...options };
  }

  /** Appends that wait for their call; a gauge. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Appends atomically and durably; resolves after the commit. Appends of one tenant are made in the order of these calls.
   *
   * An abort before the append is under way leaves nothing behind. Afterwards the events may still be appended: send the
   * same ids again to know.
   *
   * @throws EventplaneError `busy` when too much waits; `unavailable` when the outcome is still unknown after the resend
   * deadline, or when the coalescer is closing; `disk_full`; `aborted`; `internal` for an append that breaks the rules
   * of its tier or that the store fails on
   */
  append(append: Append, signal?: AbortSignal): Promise<AppendOutcome> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) throw aborted(append.tenantId);
      assertAppend(append, this.#options.appender.tier);
      const events = append.items.map(({ event }) => event);
      const bytes = callBytes(events);
      this.#refuseWhenFull(bytes);
      const { tenantId } = append;
      const digests = events.map(eventDigest);
      const entry = { tenantId, events: events.length, bytes, append, digests, resolve, reject };
      this.#queue.add(signal === undefined ? entry : this.#abortable(entry, signal));
      this.#scheduleFlush();
    });
  }

  /** The entry, taken out of the queue and rejected when the signal aborts first. */
  #abortable(entry: CoalescerEntry, signal: AbortSignal): CoalescerEntry {
    const listened: CoalescerEntry = {
      ...entry,
      resolve: (outcome) => {
        signal.removeEventListener("abort", abort);
        entry.resolve(outcome);
      },
      reject: (error) => {
        signal.removeEventListener("abort", abort);
        entry.reject(error);
      },
    };
    const abort = (): void => {
      this.#queue.remove(listened);
      listened.reject(aborted(entry.tenantId));
      this.#tellIdle();
    };
    signal.addEventListener("abort", abort, { once: true });
    return listened;
  }

  /**
   * Takes no more appends and waits for those that are under way. What is not done at the deadline is refused with
   * `unavailable`; its outcome is unknown. Calling it again gives the same promise.
   */
  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #refuseWhenFull(bytes: number): void {
    if (this.#closing !== undefined) {
      throw new EventplaneError("unavailable", "This process is shutting down. Send the request again to another one.");
    }
    const { coalescerQueueMax, coalescerQueueBytesMax } = limits;
    if (this.#queue.length >= coalescerQueueMax || this.#queue.bytes + bytes > coalescerQueueBytesMax) {
      const details = { waiting: this.#queue.length };
      throw new EventplaneError("busy", "Too many appends wait for the store. Send the request again later.", {
        details,
      });
    }
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#inFlight.length < limits.callsInFlightMax) {
      const call = this.#parts.shift() ?? this.#nextCall();
      if (call === undefined) break;
      this.#inFlight.push(call);
      // #run settles every entry and never rejects.
      void this.#run(call);
    }
    this.#tellIdle();
  }

  /** A call that cannot be signed fails; the next one is tried. */
  #nextCall(): CoalescerCall | undefined {
    for (let entries = this.#queue.take(); entries.length > 0; entries = this.#queue.take()) {
      try {
        return signCall(this.#options.signer, entries);
      } catch (error) {
        for (const entry of entries) {
          entry.reject(asError(error));
          this.#queue.release(entry.tenantId);
        }
      }
    }
    return undefined;
  }

  async #run(call: CoalescerCall): Promise<void> {
    const done = await this.#deliver(call);
    if (done) for (const tenantId of tenantsOf(call)) this.#queue.release(tenantId);
    this.#inFlight.splice(this.#inFlight.indexOf(call), 1);
    this.#flush();
  }

  /** Settles the entries of the call; false when its parts will. */
  async #deliver(call: CoalescerCall): Promise<boolean> {
    try {
      this.#settle(call, await this.#send(call));
      return true;
    } catch (error) {
      return await this.#takeApart(call, error);
    }
  }

  /** Sends the identical call until its outcome is known, within the deadline. */
  async #send(call: CoalescerCall): Promise<{ readonly outcomes: readonly AppendOutcome[]; readonly attempt: number }> {
    const { appender, clock, random, resendDeadlineMs = defaultDeadlineMs } = this.#options;
    const deadline = clock.monotonicMs() + resendDeadlineMs;
    for (let attempt = 1; ; attempt++) {
      const startedMs = clock.monotonicMs();
      try {
        const outcomes = await appender.append(call.signed);
        this.#report(call, { attempt, startedMs, result: "ok" });
        return { outcomes, attempt };
      } catch (error) {
        this.#report(call, { attempt, startedMs, result: isEventplaneError(error) ? error.code : "internal" });
        const waitMs = backoffMs(attempt, { ...resendBackoff, random });
        const again = isUnknown(error) && clock.monotonicMs() + waitMs < deadline && !this.#stop.signal.aborted;
        if (!again) throw error;
        await clock.sleep(waitMs, this.#stop.signal);
      }
    }
  }

  /**
   * A failed call: by tenants first, so that one tenant's trouble is its own; then by halves, in order, until the
   * culprit is alone. What is unknown, or wrong for everybody, is not tried in parts.
   */
  async #takeApart(call: CoalescerCall, error: unknown): Promise<boolean> {
    const ofAll = isUnknown(error) || isEventplaneError(error, "disk_full") || isEventplaneError(error, "aborted");
    const parts = ofAll ? [] : splitByTenant(call);
    if (parts.length > 1) {
      this.#parts.push(...parts);
      return false;
    }
    if (ofAll || call.entries.length === 1 || isEventplaneError(error, "busy")) {
      for (const entry of call.entries) entry.reject(asError(error));
      return true;
    }
    for (const half of splitInHalves(call)) await this.#deliver(half);
    return true;
  }

  #settle(call: CoalescerCall, { outcomes, attempt }: { outcomes: readonly AppendOutcome[]; attempt: number }): void {
    const positions = new Map<TenantId, number>();
    for (const [index, entry] of call.entries.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) {
        entry.reject(new EventplaneError("internal", "The store gave no outcome for an append."));
        continue;
      }
      // A repetition may be the unknown first try of this very call.
      if (outcome.result === "appended" || (outcome.result === "repeated" && attempt > 1)) {
        let last = positions.get(entry.tenantId) ?? 0;
        for (const { position } of outcome.receipts) if (position > last) last = position;
        positions.set(entry.tenantId, last);
      }
      entry.resolve(outcome);
    }
    for (const [tenantId, position] of positions) this.#options.doorbell?.ring(tenantId, position);
  }

  #report(
    { signed, entries }: CoalescerCall,
    { startedMs, ...rest }: { startedMs: number } & Pick<CoalescerCallReport, "attempt" | "result">,
  ): void {
    const { onCall, appender, clock } = this.#options;
    onCall?.({
      tier: appender.tier,
      tenants: new Set(entries.map(({ tenantId }) => tenantId)).size,
      appends: signed.length,
      events: entries.reduce((sum, entry) => sum + entry.events, 0),
      durationMs: clock.monotonicMs() - startedMs,
      ...rest,
    });
  }

  #tellIdle(): void {
    if (this.#queue.length === 0 && this.#parts.length === 0 && this.#inFlight.length === 0) this.#idle?.();
  }

  async #drain(): Promise<void> {
    const { clock, closeDeadlineMs = defaultDeadlineMs } = this.#options;
    const drained = new AbortController();
    this.#idle = () => drained.abort();
    this.#tellIdle();
    try {
      await clock.sleep(closeDeadlineMs, drained.signal);
    } catch (error) {
      // The sleep was cut short because nothing is under way any more.
      if (isEventplaneError(error, "aborted")) return;
      throw error;
    }
    this.#stop.abort();
    const late = new EventplaneError(
      "unavailable",
      "The process stopped before the store answered; the outcome is unknown.",
    );
    const sent = [...this.#inFlight, ...this.#parts].flatMap(({ entries }) => entries);
    for (const entry of [...this.#queue.clear(), ...sent]) entry.reject(late);
  }
}

/** Nobody knows whether the call was committed. */
function isUnknown(error: unknown): boolean {
  return isEventplaneError(error, "unavailable") || isEventplaneError(error, "database_unreachable");
}

/** What a signer or an adapter threw, which may be anything. */
function asError(error: unknown): Error {
  return error instanceof Error ? error : new EventplaneError("internal", "The append failed.", { cause: error });
}

function aborted(tenantId: TenantId): EventplaneError {
  return new EventplaneError("aborted", "The append was aborted by its caller.", { details: { tenantId } });
}

/**
 * Controllers in threads of their own, with a watchdog: one that hangs, or needs more memory than a thread may have, ends
 * its thread and nothing else.
 *
 * A thread has one call at a time, so a call that is lost is always the culprit's own; the others wait here until a thread
 * is free. A thread that ended is started again, after a wait that grows while threads end without an answer.
 */

import type { ReconcileCall, Reconciled, Reconciler } from "../../controller/index.js";
import type { AppDefinition } from "../../event/index.js";
import { assert, backoffMs, type Clock, isEventplaneError, type Random } from "../../kernel/index.js";
import type { Logger } from "../../observe/index.js";
import { Wakeup } from "../../work/index.js";
import { ControllerThread, type ThreadEnd } from "./controller-thread.js";
import { answerOf, callText, type LoadedApp } from "./messages.js";
import { loadedApp } from "./serve-thread.js";
import { Suspects } from "./suspects.js";
import { crowdedOut, notLoaded, poolClosed, threadLost, timedOut } from "./thread-failures.js";

/** Why a thread was ended, or ended by itself. */
export type LostThread = ThreadEnd | "timeout";

/** How to make a pool. */
export interface ThreadPoolOptions {
  readonly app: AppDefinition;
  /** At least 1. */
  readonly threads: number;
  /** A module that calls `serveThread` with the same app. */
  readonly entry: URL;
  /** For the module, as `workerData`: anything that can be cloned. */
  readonly entryData: unknown;
  /** Heap of one thread, MiB; default 256. More ends the thread and fails the reconcile. */
  readonly heapMbMax?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Told of every thread that is lost. */
  readonly onLost?: (why: LostThread) => void;
  /** Told how many threads can take calls, whenever that changes. */
  readonly onReady?: (ready: number) => void;
}

const heapMbMaxDefault = 256;
/** How late an answer may be before the watchdog looks: twice, so that an answer that waits to be read is read first. */
const lookMs = 50;
const startMsMax = 30_000;
/** A timer that nobody waits for while there are no calls. */
const restMsMax = 60_000;
const restartBackoff = { baseMs: 200, capMs: 10_000 } as const;

/** A call from its arrival to its answer. */
interface Pending {
  readonly id: number;
  readonly call: ReconcileCall;
  readonly logger: Logger;
  readonly resolve: (reconciled: Reconciled) => void;
  readonly reject: (error: Error) => void;
}

/** A place for one thread. */
interface Slot {
  thread: ControllerThread | undefined;
  isReady: boolean;
  pending: Pending | undefined;
  deadlineMs: number;
  /** The deadline has passed at the last look. */
  isSuspect: boolean;
  /** Threads lost here since one answered. */
  losses: number;
}

/** Runs the controllers of one app in threads. */
export class ThreadPool implements Reconciler, AsyncDisposable {
  readonly #options: ThreadPoolOptions;
  readonly #expected: LoadedApp;
  readonly #slots: readonly Slot[];
  readonly #waiting: Pending[] = [];
  readonly #suspects: Suspects;
  readonly #stop = new AbortController();
  readonly #wakeup: Wakeup;
  /** Threads that are being ended and started. */
  readonly #works = new Set<Promise<void>>();
  #watching: Promise<void> | undefined;
  #isResting = false;
  #starting: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  #lastId = 0;

  private constructor(options: ThreadPoolOptions) {
    assert(Number.isInteger(options.threads) && options.threads >= 1, "a pool has at least one thread");
    this.#options = options;
    this.#expected = loadedApp(options.app);
    this.#wakeup = new Wakeup(options.clock);
    this.#suspects = new Suspects(options.clock);
    this.#slots = Array.from({ length: options.threads }, () => ({
      thread: undefined,
      isReady: false,
      pending: undefined,
      deadlineMs: 0,
      isSuspect: false,
      losses: 0,
    }));
  }

  /**
   * Starts the threads and waits until each has loaded the app.
   *
   * @throws EventplaneError `config_invalid` when the app does not load in a thread, loads as another one there, or is not
   * loaded after 30 s; no thread stays
   */
  static async open(options: ThreadPoolOptions): Promise<ThreadPool> {
    const pool = new ThreadPool(options);
    try {
      await pool.#start();
    } catch (error) {
      await pool.close();
      throw error;
    }
    return pool;
  }

  /** Threads that can take calls, and how many there should be. */
  get threads(): { readonly ready: number; readonly wanted: number } {
    return { ready: this.#slots.filter(({ isReady }) => isReady).length, wanted: this.#slots.length };
  }

  /**
   * Calls the controller in the next thread that is free. Callers bound how many wait; the runtime has one call a claim.
   *
   * @throws as `reconcile`; EventplaneError `reconcile_timeout` when the controller does not return, `reconcile_failed`
   * when its thread ended under it, `busy` when a controller that has lately cost a thread for this tenant would take the
   * last one, `aborted` when the pool is closed
   */
  run(call: ReconcileCall, logger: Logger): Promise<Reconciled> {
    return new Promise((resolve, reject) => {
      if (this.#stop.signal.aborted) return reject(poolClosed());
      this.#waiting.push({ id: ++this.#lastId, call, logger, resolve, reject });
      this.#assign();
    });
  }

  /** Ends all threads; what was not answered fails with `aborted`. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    for (const pending of this.#waiting.splice(0)) pending.reject(poolClosed());
    for (const slot of this.#slots) slot.pending?.reject(poolClosed());
    await Promise.all(this.#slots.flatMap(({ thread }) => thread?.end() ?? []));
    while (this.#works.size > 0) await Promise.all(this.#works);
    await this.#watching;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      this.#starting = { resolve, reject };
    });
    for (const slot of this.#slots) this.#spawn(slot);
    const started = new AbortController();
    const late = this.#options.clock.sleep(startMsMax, started.signal).then(
      () => this.#starting?.reject(notLoaded(`they have not loaded it after ${startMsMax / 1_000} s`)),
      () => undefined,
    );
    try {
      await ready;
    } finally {
      this.#starting = undefined;
      started.abort();
      await late;
    }
    this.#watching = this.#watch();
  }

  #spawn(slot: Slot): void {
    const { entry, entryData, heapMbMax = heapMbMaxDefault, logger } = this.#options;
    const onStray = (error: Error): void =>
      logger.warn(
        { error },
        "Something was thrown in a controllers' thread after the reconcile that set it off had ended",
      );
    slot.thread = new ControllerThread(
      { entry, entryData, heapMbMax },
      {
        onReady: (app) => this.#ready(slot, app),
        onBroken: (error) => this.#broken(slot, error),
        onAnswer: (id, answer) => this.#ended(slot, id, ({ resolve }) => resolve(answerOf(answer))),
        onThrown: (id, error) => this.#ended(slot, id, ({ reject }) => reject(error)),
        onLog: (id, write) => {
          if (slot.pending?.id === id) write(slot.pending.logger);
        },
        onStray,
        onEnd: (end) => this.#lost(slot, end),
      },
    );
  }

  #ready(slot: Slot, app: LoadedApp): void {
    if (JSON.stringify(app) !== JSON.stringify(this.#expected)) {
      this.#broken(slot, notLoaded("it is another application there; does it depend on when or where it is loaded?"));
      return;
    }
    this.#setReady(slot, true);
    if (this.#slots.every(({ isReady }) => isReady)) this.#starting?.resolve();
    this.#assign();
  }

  #broken(slot: Slot, error: Error): void {
    const failure = isEventplaneError(error, "config_invalid") ? error : notLoaded(error.message);
    if (this.#starting !== undefined) return this.#starting.reject(failure);
    this.#options.logger.error({ error: failure }, "The application does not load in a new controllers' thread");
    this.#replace(slot);
  }

  /** Gives the calls that wait to the threads that are free. */
  #assign(): void {
    for (const slot of this.#slots) {
      if (!slot.isReady || slot.pending !== undefined) continue;
      const pending = this.#next();
      if (pending === undefined) return;
      const { call } = pending;
      const timeoutMs = this.#timeoutMs(call) * (call.checkDeterminism ? 2 : 1);
      slot.pending = pending;
      slot.isSuspect = false;
      slot.deadlineMs = this.#options.clock.monotonicMs() + timeoutMs;
      slot.thread?.post(pending.id, callText(call));
      if (this.#isResting) this.#wakeup.ring();
    }
  }

  /** The next call. Of those that may hang there is none with the last thread: they are handed back, and others run. */
  #next(): Pending | undefined {
    for (;;) {
      const pending = this.#waiting.shift();
      if (pending === undefined || this.#mayRun(pending.call)) return pending;
      pending.reject(crowdedOut(pending.call));
    }
  }

  #mayRun(call: ReconcileCall): boolean {
    if (this.#slots.length === 1 || !this.#suspects.has(call)) return true;
    const running = this.#slots.filter(({ pending }) => pending !== undefined && this.#suspects.has(pending.call));
    return running.length < this.threads.ready - 1;
  }

  #ended(slot: Slot, id: number, settle: (pending: Pending) => void): void {
    const { pending } = slot;
    if (pending?.id !== id) return;
    slot.pending = undefined;
    slot.losses = 0;
    this.#assign();
    settle(pending);
  }

  /** Looks at the deadlines while there are any. */
  async #watch(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      if (this.#slots.some(({ pending }) => pending !== undefined)) {
        await this.#options.clock.sleep(lookMs, signal).catch(() => undefined);
        this.#look();
      } else {
        this.#isResting = true;
        await this.#wakeup.wait(restMsMax, signal);
        this.#isResting = false;
      }
    }
  }

  #look(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const slot of this.#slots) {
      const isLate = slot.pending !== undefined && nowMs > slot.deadlineMs;
      if (isLate && slot.isSuspect) this.#later(this.#timeOut(slot));
      slot.isSuspect = isLate;
    }
  }

  /** Finds out where the controller is, ends its thread, and blames it. */
  async #timeOut(slot: Slot): Promise<void> {
    const { pending, thread } = slot;
    assert(pending !== undefined && thread !== undefined, "what is late has a call and a thread");
    slot.deadlineMs = Number.POSITIVE_INFINITY;
    this.#setReady(slot, false);
    const stack = await thread.stack();
    if (slot.thread !== thread) return; // it has ended by itself
    if (slot.pending === pending) {
      slot.pending = undefined;
      this.#suspects.note(pending.call);
      this.#options.onLost?.("timeout");
      this.#replace(slot);
      pending.reject(timedOut(pending.call, { timeoutMs: this.#timeoutMs(pending.call), stack }));
    } else {
      this.#setReady(slot, true); // it has answered after all
      this.#assign();
    }
  }

  #lost(slot: Slot, end: ThreadEnd): void {
    const { pending } = slot;
    slot.pending = undefined;
    const { heapMbMax = heapMbMaxDefault } = this.#options;
    const how =
      end === "memory" ? `needed more than the ${heapMbMax} MiB of a thread` : "ended its thread without an answer";
    if (pending !== undefined) {
      this.#suspects.note(pending.call);
      pending.reject(threadLost(pending.call, how));
    }
    if (this.#stop.signal.aborted) return;
    if (this.#starting !== undefined) return this.#starting.reject(notLoaded("a thread ended while it loaded it"));
    this.#options.onLost?.(end);
    this.#replace(slot);
  }

  /** Ends the thread of the slot, if it has not ended, and starts another. */
  #replace(slot: Slot): void {
    const { thread } = slot;
    slot.thread = undefined;
    this.#setReady(slot, false);
    slot.losses += 1;
    const { clock, random } = this.#options;
    const waitMs = slot.losses === 1 ? 0 : backoffMs(slot.losses - 1, { ...restartBackoff, random });
    this.#later(
      Promise.all([thread?.end(), clock.sleep(waitMs, this.#stop.signal)]).then(
        () => (this.#stop.signal.aborted ? undefined : this.#spawn(slot)),
        () => undefined, // closed meanwhile
      ),
    );
  }

  #setReady(slot: Slot, isReady: boolean): void {
    slot.isReady = isReady;
    this.#options.onReady?.(this.threads.ready);
  }

  #timeoutMs({ controller }: ReconcileCall): number {
    const definition = this.#options.app.controllers.get(controller);
    assert(definition !== undefined, "a call names a controller of the app");
    return definition.timeoutMs;
  }

  /** What `close` waits for. */
  #later(work: Promise<void>): void {
    this.#works.add(work);
    void work.finally(() => this.#works.delete(work));
  }
}

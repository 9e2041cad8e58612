/**
 * The threads of one subscription, with a watchdog.
 *
 * A thread has one call at a time, so what is lost with a thread is the culprit's own. Threads are started when calls need them, as many as the
 * subscription's concurrency; one that is lost is replaced after it has ended, at a bounded rate.
 */
import { backoffMs, cleanText, EventplaneError, systemIds, thrownData, thrownError } from "../../kernel/index.js";
import type { BusEvent } from "../accepted-event.js";
import type { AnyHandler, ConsumerHost } from "../consumer-parts.js";
import type { HandlerContext } from "../delivery.js";
import { RateLimiter } from "../rate-limiter.js";
import type { SubscriptionSettings } from "../subscription-options.js";
import type { WheelTimer } from "../timer-wheel.js";
import { HandlerThread, type ThreadEnd } from "./handler-thread.js";
import { noThread, notLoaded, threadLost, threadsClosed, timedOut } from "./thread-failures.js";
import type { ThreadSettings } from "./thread-handler.js";
import { threadLimits } from "./thread-limits.js";
import type { FromThread } from "./thread-messages.js";

/** What the threads are for. */
export interface ThreadsOptions {
  /** Of the subscription. */
  readonly name: string;
  readonly settings: SubscriptionSettings;
  readonly host: ConsumerHost;
  /** Counts for the subscription. */
  readonly count: (what: "timeouts" | "late" | "threadRestarts") => void;
  /** Told when no thread is left and none will be started. */
  readonly done: () => void;
}

/** A call from its arrival to its end. */
interface Call {
  readonly token: string;
  readonly event: BusEvent;
  readonly attempt: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** Ends its wait for a thread, then its time. */
  timer: WheelTimer | undefined;
}

/**
 * A place for one thread: `overdue` when the time of its call is over and it may still answer, `ending` until a thread that was told to end has
 * ended.
 */
interface Slot {
  state: "none" | "starting" | "idle" | "busy" | "overdue" | "ending";
  thread: HandlerThread | undefined;
  call: Call | undefined;
  timer: WheelTimer | undefined;
  starts: number;
  /** Threads lost here since one answered, and when the next may be started. */
  losses: number;
  startsAtMs: number;
}

/** Runs one handler in threads. */
export class HandlerThreads {
  /** What the subscription calls. Its promise ends with the call in the thread; it brings the subscription's time-out about itself, because a call begins when a thread has it. */
  readonly handler: AnyHandler = (event, context) => this.#run(event, context);
  readonly #module: ThreadSettings;
  readonly #options: ThreadsOptions;
  readonly #slots: readonly Slot[];
  readonly #waiting: Call[] = [];
  readonly #restarts: RateLimiter;
  readonly #lines: RateLimiter;
  readonly #ready: Promise<void>;
  #tellReady: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  #wake: WheelTimer | undefined;
  /** No more calls come. */
  #isRetired = false;

  constructor(module: ThreadSettings, options: ThreadsOptions) {
    this.#module = module;
    this.#options = options;
    const { coarse } = options.host;
    const linesMax = 2 * options.settings.concurrency * threadLimits.output.linesPerSecondMax;
    this.#restarts = new RateLimiter(threadLimits.restarts, coarse);
    this.#lines = new RateLimiter({ perSecond: linesMax }, coarse);
    this.#slots = Array.from({ length: options.settings.concurrency }, () => ({
      state: "none",
      thread: undefined,
      call: undefined,
      timer: undefined,
      starts: 0,
      losses: 0,
      startsAtMs: 0,
    }));
    this.#ready = new Promise((resolve, reject) => {
      this.#tellReady = { resolve, reject };
    });
    // Whoever wants to know asks.
    this.#ready.catch(() => undefined);
  }

  /** How many threads it may have. */
  get size(): number {
    return this.#slots.length;
  }

  /**
   * Starts the first thread.
   *
   * @throws EventplaneError `config_invalid` when `data` cannot be cloned
   */
  start(): void {
    const [first] = this.#slots;
    if (first !== undefined) this.#spawn(first);
  }

  /** Resolves when the first thread has loaded the module. @throws EventplaneError `config_invalid` when it cannot; `aborted` */
  ready(): Promise<void> {
    return this.#ready;
  }

  /** No more calls come: threads end as soon as they have nothing to do. Idempotent. */
  retire(): void {
    this.#isRetired = true;
    for (const slot of this.#slots) this.#endIfDone(slot);
    this.#tellIfOver();
  }

  /** Ends all threads now; what was not answered fails with `aborted`. Waits for their ends, but not for those that the operating system holds. */
  async close(): Promise<void> {
    this.#isRetired = true;
    const { host, name } = this.#options;
    if (this.#wake !== undefined) host.wheel.cancel(this.#wake);
    for (const call of this.#waiting.splice(0)) this.#fail(call, threadsClosed(name));
    const ends = this.#slots.map((slot) => this.#end(slot, threadsClosed(name)));
    let late: WheelTimer | undefined;
    const enough = new Promise<void>((resolve) => {
      late = host.wheel.after(threadLimits.endMsMax, resolve);
    });
    await Promise.race([Promise.all(ends), enough]);
    if (late !== undefined) host.wheel.cancel(late);
    this.#tellIfOver();
  }

  #run(event: BusEvent, { attempt, signal }: HandlerContext): Promise<void> {
    return new Promise((resolve, reject) => {
      const { wheel } = this.#options.host;
      const call: Call = { token: systemIds.uuid4(), event, attempt, resolve, reject, timer: undefined };
      call.timer = wheel.after(threadLimits.waitMsMax, () => this.#waitedTooLong(call));
      signal.addEventListener("abort", () => this.#abandon(call), { once: true });
      this.#waiting.push(call);
      this.#assign();
    });
  }

  /** Gives calls to threads that are free, and starts threads for those that are left. */
  #assign(): void {
    for (const slot of this.#slots) {
      if (slot.state !== "idle") continue;
      const call = this.#waiting.shift();
      if (call === undefined) return;
      this.#begin(slot, call);
    }
    let wanted = this.#waiting.length - this.#slots.filter(({ state }) => state === "starting").length;
    for (const slot of this.#slots) {
      if (wanted <= 0) return;
      if (slot.state !== "none" || !this.#mayStart(slot)) continue;
      this.#spawn(slot);
      wanted--;
    }
  }

  /** Whether a thread may be started here now; if not, it is looked at again. */
  #mayStart(slot: Slot): boolean {
    const { clock } = this.#options.host;
    const leftMs = slot.startsAtMs - clock.monotonicMs();
    if (leftMs > 0) return this.#lookAgainIn(leftMs);
    if (slot.starts > 0 && !this.#restarts.take(1)) return this.#lookAgainIn(this.#restarts.waitMs);
    return true;
  }

  #lookAgainIn(ms: number): false {
    this.#wake ??= this.#options.host.wheel.after(ms, () => {
      this.#wake = undefined;
      this.#assign();
    });
    return false;
  }

  #spawn(slot: Slot): void {
    const { host, count } = this.#options;
    let thread: HandlerThread;
    try {
      thread = new HandlerThread(this.#module, {
        onMessage: (message) => this.#hear(slot, message),
        onEnd: (end) => this.#ended(slot, end),
      });
    } catch (error) {
      throw notLoaded(this.#options.name, "its data cannot be cloned", error);
    }
    if (slot.starts > 0) count("threadRestarts");
    slot.starts++;
    slot.state = "starting";
    slot.thread = thread;
    if (this.#waiting.length > 0) thread.hold();
    slot.timer = host.wheel.after(threadLimits.startMsMax, () => {
      thread.hearNow();
      if (slot.thread === thread && slot.state === "starting") this.#broken(slot, "it takes too long");
    });
  }

  #begin(slot: Slot, call: Call): void {
    const { settings, host, name } = this.#options;
    this.#cancel(call);
    slot.state = "busy";
    slot.call = call;
    try {
      slot.thread?.post({ token: call.token, attempt: call.attempt, event: call.event.toJSON() });
    } catch (error) {
      const refusal = new EventplaneError("request_invalid", `The event cannot be copied to the thread of ${name}.`, {
        cause: error,
      });
      this.#settled(slot, () => call.reject(refusal));
      return;
    }
    slot.thread?.hold();
    if (settings.timeoutMs !== Number.POSITIVE_INFINITY)
      call.timer = host.wheel.afterAbout(settings.timeoutMs, () => this.#ranOutOfTime(slot, call));
  }

  #hear(slot: Slot, message: FromThread | undefined): void {
    if (message === undefined) this.#lose(slot, { why: "protocol" });
    else if ("isReady" in message) this.#loaded(slot);
    else if ("broken" in message) this.#broken(slot, message.broken.message, thrownError(message.broken));
    else if ("line" in message) this.#printed(slot, message);
    else this.#answered(slot, message);
  }

  #printed(slot: Slot, { line, from }: Extract<FromThread, { readonly line: string }>): void {
    // The entry of the thread keeps to half of that.
    if (!this.#lines.take(1)) return this.#lose(slot, { why: "protocol" });
    const text = cleanText(line, threadLimits.output.lineCharactersMax);
    this.#options.host.callback(() => this.#module.onOutput?.(text, from));
  }

  #loaded(slot: Slot): void {
    if (slot.state !== "starting") return this.#lose(slot, { why: "protocol" });
    this.#stopTimer(slot);
    this.#tellReady?.resolve();
    this.#tellReady = undefined;
    slot.state = "idle";
    slot.thread?.letGo();
    this.#assign();
    this.#endIfDone(slot);
  }

  #answered(slot: Slot, { token, thrown }: Extract<FromThread, { readonly token: string }>): void {
    const { call } = slot;
    if (call === undefined || call.token !== token) return this.#lose(slot, { why: "protocol" });
    if (slot.state === "overdue") this.#options.count("late");
    this.#settled(slot, () => (thrown === undefined ? call.resolve() : call.reject(thrownError(thrown))));
  }

  /** The call of a thread has ended, and the thread is well. */
  #settled(slot: Slot, settle: () => void): void {
    this.#release(slot);
    slot.state = "idle";
    slot.losses = 0;
    slot.thread?.letGo();
    settle();
    this.#assign();
    this.#endIfDone(slot);
  }

  #ranOutOfTime(slot: Slot, call: Call): void {
    // While the main thread was held, answers and time-outs gathered: the answer counts.
    slot.thread?.hearNow();
    if (slot.call !== call || slot.state !== "busy") return;
    const { count, name, settings } = this.#options;
    const error = timedOut(name, settings.timeoutMs);
    count("timeouts");
    this.#overdue(slot, error);
    call.reject(error);
  }

  /** The subscription gave the call up. */
  #abandon(call: Call): void {
    const at = this.#waiting.indexOf(call);
    if (at >= 0) this.#waiting.splice(at, 1);
    this.#cancel(call);
    const slot = this.#slots.find((one) => one.call === call && one.state === "busy");
    if (slot !== undefined) this.#overdue(slot, threadsClosed(this.#options.name));
  }

  /** Tells the thread that the call's time is over. One that does not end it soon is ended: what the call began must not go on. */
  #overdue(slot: Slot, reason: EventplaneError): void {
    const { call, thread } = slot;
    if (call === undefined) return;
    this.#cancel(call);
    slot.state = "overdue";
    thread?.post({ abort: call.token, reason: thrownData(reason) });
    slot.timer = this.#options.host.wheel.after(threadLimits.graceMs, () => {
      thread?.hearNow();
      if (slot.call === call) this.#lose(slot, { why: "exit" });
    });
  }

  #waitedTooLong(call: Call): void {
    this.#waiting.splice(this.#waiting.indexOf(call), 1);
    this.#fail(call, noThread(this.#options.name, threadLimits.waitMsMax));
  }

  /** The module does not load: what waits for it fails, and it is tried again when a call needs it. */
  #broken(slot: Slot, why: string, cause?: unknown): void {
    const failure = notLoaded(this.#options.name, why, cause);
    if (slot.state !== "starting") return this.#lose(slot, { why: "protocol" });
    this.#tellReady?.reject(failure);
    this.#tellReady = undefined;
    void this.#end(slot, failure);
    for (const call of this.#waiting.splice(0)) this.#fail(call, failure);
  }

  /** Ends a thread that is not well. */
  #lose(slot: Slot, end: Parameters<typeof threadLost>[1]): void {
    void this.#end(slot, threadLost(this.#options.name, end));
  }

  /** Ends the thread of a slot; its call fails with `reason`. Resolves when it has ended. */
  async #end(slot: Slot, reason: EventplaneError): Promise<void> {
    const { thread, call } = slot;
    if (thread === undefined) return;
    this.#release(slot);
    slot.state = "ending";
    thread.end();
    call?.reject(reason);
    await thread.ended;
  }

  /** A thread has ended: told to, or by itself under whatever it was doing. */
  #ended(slot: Slot, end: ThreadEnd | undefined): void {
    const { call, state } = slot;
    if (end !== undefined && state === "starting") this.#broken(slot, "its thread ended while it loaded it", end.error);
    this.#release(slot);
    slot.thread = undefined;
    slot.state = "none";
    slot.losses++;
    const { host, name } = this.#options;
    const waitMs = slot.losses === 1 ? 0 : backoffMs(slot.losses - 1, { ...threadLimits.backoff, random: host.random });
    slot.startsAtMs = host.clock.monotonicMs() + waitMs;
    if (end !== undefined) call?.reject(threadLost(name, end));
    this.#assign();
    this.#tellIfOver();
  }

  /** Nobody needs the thread any more. */
  #endIfDone(slot: Slot): void {
    if (!this.#isRetired || this.#waiting.length > 0 || slot.call !== undefined) return;
    this.#tellReady?.reject(threadsClosed(this.#options.name));
    this.#tellReady = undefined;
    void this.#end(slot, threadsClosed(this.#options.name));
  }

  #tellIfOver(): void {
    const isOver = this.#waiting.length === 0 && this.#slots.every(({ state }) => state === "none");
    if (this.#isRetired && isOver) this.#options.done();
  }

  #release(slot: Slot): void {
    if (slot.call !== undefined) this.#cancel(slot.call);
    slot.call = undefined;
    this.#stopTimer(slot);
  }

  #fail(call: Call, error: EventplaneError): void {
    this.#cancel(call);
    call.reject(error);
  }

  #cancel(call: Call): void {
    if (call.timer !== undefined) this.#options.host.wheel.cancel(call.timer);
    call.timer = undefined;
  }

  #stopTimer(slot: Slot): void {
    if (slot.timer !== undefined) this.#options.host.wheel.cancel(slot.timer);
    slot.timer = undefined;
  }
}

/**
 * The loop that sends webhooks: look through the log for what they mean, lease what is due, send, note what came of it.
 *
 * Any number of processes may run it on one database: a place in the log moves once, and a delivery has one holder at a time for as
 * long as its lease lives. A process that dies leaves its deliveries to another, which sends them again under the same id.
 */
import { setMaxListeners } from "node:events";
import { backoffMs, type Doorbell, isEventplaneError, type TenantId } from "../kernel/index.js";
import type { Logger, Metrics } from "../observe/index.js";
import { describeFailure, Wakeup } from "../work/index.js";
import { type DeliveryOutcome, type DeliveryParts, deliver, giveUp } from "./delivery.js";
import type { Sight, WebhookEntry } from "./directory.js";
import { Lane } from "./lane.js";
import { offerNews, refillAt } from "./offers.js";
import type { DeliveryClaim } from "./port.js";
import { inFlightMax, sharesOf } from "./share.js";

/** How to make one. */
export interface WebhookRunnerOptions extends DeliveryParts {
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, "webhookDelivered" | "webhooksActive" | "webhookDisabled">;
  /** Rung by the appends of this process; those of other processes are found by polling. */
  readonly doorbell: Doorbell;
}

/** Upper bound of the wait between two looks at everything. */
const pollMs = 1_000;
/** A receiver that nothing has succeeded at for so long is given up: five days. */
const disableAfterSeconds = 432_000;
/** Longer than a call may take and its end to be noted. */
const leaseMs = 30_000;
/** How long a stop waits for the deliveries under way before it aborts them. */
const stopGraceMs = 2_000;
/** Webhooks that one statement is about. */
const batchMax = 500;
/** While it cannot be proven that the latest keys and policies are known, milliseconds. */
const heldBackMs = 100;
const errorBackoff = { baseMs: 100, capMs: 5_000 } as const;

/** Sends. */
export class WebhookRunner {
  readonly #options: WebhookRunnerOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #sights = new Map<string, Sight>();
  /** Webhooks whose secret this process cannot make, with its hash. */
  readonly #foreign = new Map<string, string>();
  readonly #news = new Set<TenantId>();
  readonly #running = new Set<Promise<void>>();
  readonly #sending = new AbortController();
  readonly #wakeup: Wakeup;
  #lanesAt = -1;
  #forgotten = 0;
  #pollAtMs = 0;

  constructor(options: WebhookRunnerOptions) {
    this.#options = options;
    this.#wakeup = new Wakeup(options.clock);
    setMaxListeners(inFlightMax, this.#sending.signal); // one a delivery
  }

  /**
   * Runs until `signal` aborts: then nothing more is begun, what is under way has 2 s, and what remains is handed back. Failures of
   * the store are logged and tried again.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, doorbell } = this.#options;
    const stopListening = doorbell.listen((tenantId) => {
      this.#news.add(tenantId);
      this.#wakeup.ring();
    });
    try {
      await this.#loop(signal);
    } finally {
      stopListening();
      const ended = new AbortController();
      const idle = Promise.all(this.#running).finally(() => ended.abort());
      await Promise.race([idle, clock.sleep(stopGraceMs, ended.signal).catch(() => undefined)]);
      this.#sending.abort();
      await idle;
    }
  }

  async #loop(signal: AbortSignal): Promise<void> {
    const { random, logger } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const more = await this.#round();
        failures = 0;
        await this.#wakeup.wait(more ? 0 : this.#idleMs(), signal);
      } catch (error) {
        if (!isEventplaneError(error)) throw error;
        failures += 1;
        logger.warn({ code: error.code, failures }, "Webhooks could not be looked after; it is tried again");
        await this.#wakeup.wait(backoffMs(failures, { ...errorBackoff, random }), signal);
      }
    }
  }

  /** @returns whether there is more to do at once */
  async #round(): Promise<boolean> {
    const { directory, clock } = this.#options;
    if (!directory.isFresh) return false; // the edge says why
    await this.#know();
    const isPoll = clock.monotonicMs() >= this.#pollAtMs;
    if (isPoll) {
      this.#pollAtMs = clock.monotonicMs() + pollMs;
      for (const lane of this.#lanes.values()) lane.dueAtMs = 0;
    }
    await this.#place([...this.#lanes.values()].filter((lane) => isPoll || lane.place === undefined));
    const more = await this.#offer(isPoll);
    await this.#claim();
    if (isPoll) await this.#forget();
    return more;
  }

  /** Last of all, so that what could not be forgotten holds up nothing; the next poll tries again. */
  async #forget(): Promise<void> {
    const { directory, store } = this.#options;
    const gone = directory.deleted().slice(this.#forgotten, this.#forgotten + batchMax);
    if (gone.length > 0) await store.forget(gone);
    this.#forgotten += gone.length;
  }

  /** The lanes of those webhooks that are sent to and whose owners may see something. */
  async #know(): Promise<void> {
    const { directory } = this.#options;
    if (this.#lanesAt !== directory.position) {
      this.#lanesAt = directory.position;
      const active = directory.active();
      const ids = new Set(active.map(({ id }) => id));
      for (const known of [this.#lanes, this.#foreign])
        for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
      for (const webhook of active) this.#see(webhook);
    }
    this.#sights.clear();
    for (const { webhook } of this.#lanes.values()) {
      const sight = directory.sightOf(webhook);
      if (sight !== undefined) this.#sights.set(webhook.id, sight);
    }
  }

  #see(webhook: WebhookEntry): void {
    const { clock, secrets } = this.#options;
    const { id, secret, tenantId } = webhook;
    const lane = this.#lanes.get(id);
    if (lane?.webhook.secret.hash !== secret.hash && !secrets.knows(id, secret)) {
      this.#lanes.delete(id);
      this.#refuseForeign(webhook);
    } else if (lane !== undefined) {
      lane.webhook = webhook;
    } else {
      this.#lanes.set(id, new Lane(webhook, clock));
      this.#news.add(tenantId);
    }
  }

  /** Of each secret it is said once. */
  #refuseForeign({ id, tenantId, secret }: WebhookEntry): void {
    if (this.#foreign.get(id) === secret.hash) return;
    this.#foreign.set(id, secret.hash);
    this.#options.logger.error(
      { webhookId: id, tenantId },
      "A webhook waits: this process has another keys/webhooks.key than the one that its secret was made from",
    );
  }

  /** Asks the store where these are; one that it does not know begins where its maker said. */
  async #place(lanes: readonly Lane[]): Promise<void> {
    for (let from = 0; from < lanes.length; from += batchMax) {
      const some = lanes.slice(from, from + batchMax);
      const places = await this.#options.store.places(some.map(({ webhook }) => webhook));
      for (const lane of some) {
        const { id, after } = lane.webhook;
        lane.see(places.get(id) ?? { position: after, waiting: 0, failingSince: null });
      }
    }
  }

  /** Looks through the logs with news; through all of them at a poll. */
  async #offer(isPoll: boolean): Promise<boolean> {
    const tenants = new Map<TenantId, { readonly lane: Lane; readonly sight: Sight }[]>();
    const news = new Set(this.#news);
    this.#news.clear();
    for (const lane of this.#lanes.values()) {
      const { tenantId, id } = lane.webhook;
      const sight = this.#sights.get(id);
      if (sight === undefined || (!isPoll && !news.has(tenantId))) continue;
      tenants.set(tenantId, [...(tenants.get(tenantId) ?? []), { lane, sight }]);
    }
    let more = false;
    for (const [tenantId, lanes] of tenants)
      if (await offerNews(this.#options, tenantId, lanes)) {
        more = true;
        this.#news.add(tenantId);
      }
    return more;
  }

  async #claim(): Promise<void> {
    const { clock, store } = this.#options;
    const lanes = [...this.#lanes.values()].filter(
      (lane) => this.#sights.has(lane.webhook.id) && (lane.place?.waiting ?? 0) > 0,
    );
    const shares = sharesOf(lanes, { nowMs: clock.monotonicMs(), inFlight: this.#running.size });
    for (let from = 0; from < shares.length; from += batchMax) {
      const some = shares.slice(from, from + batchMax);
      const claims = await store.claim(
        some.map(({ lane, limit }) => ({ webhook: lane.webhook, limit, parallel: lane.webhook.parallel })),
        leaseMs,
      );
      const claimed = new Map<string, number>();
      for (const claim of claims) {
        const { id } = claim.webhook;
        claimed.set(id, (claimed.get(id) ?? 0) + 1);
        this.#start(claim);
      }
      // Less than there was room for: nothing more of it is due until something says so.
      for (const { lane, limit } of some)
        if ((claimed.get(lane.webhook.id) ?? 0) < limit) lane.dueAtMs = Math.max(lane.dueAtMs, this.#pollAtMs);
    }
  }

  #start(claim: DeliveryClaim): void {
    const lane = this.#lanes.get(claim.webhook.id);
    if (lane === undefined) return; // its lease runs out
    lane.inFlight++;
    lane.breaker.begin();
    const running = this.#deliver(lane, claim).finally(() => {
      lane.inFlight--;
      lane.breaker.forget(); // of a try that said nothing
      this.#running.delete(running);
      this.#options.metrics.webhooksActive(this.#running.size);
      this.#wakeup.ring();
    });
    this.#running.add(running);
    this.#options.metrics.webhooksActive(this.#running.size);
  }

  /** Never throws: what cannot be noted is sent again when its lease has run out. */
  async #deliver(lane: Lane, claim: DeliveryClaim): Promise<void> {
    const { clock, logger, metrics } = this.#options;
    const startMs = clock.monotonicMs();
    let outcome: DeliveryOutcome = "lost";
    try {
      const ended = await deliver(this.#options, lane, claim, this.#sending.signal).catch((error: unknown) => {
        if (!isEventplaneError(error, "event_corrupt")) throw error;
        return giveUp(this.#options, claim, error.message);
      });
      outcome = ended.outcome;
      this.#note(lane, ended);
      if (outcome === "gone") metrics.webhookDisabled("gone");
      await this.#giveUp(lane, ended.failingSeconds);
    } catch (error) {
      lane.place = undefined;
      const { code, message: reason } = describeFailure(error, "A webhook");
      const fields = { webhookId: claim.webhook.id, eventId: claim.eventId, code, reason };
      logger.warn(fields, "The end of a delivery could not be noted; it is sent again");
    } finally {
      metrics.webhookDelivered(outcome, (clock.monotonicMs() - startMs) / 1_000);
    }
  }

  #note(
    lane: Lane,
    { outcome, dueAfterMs }: { readonly outcome: DeliveryOutcome; readonly dueAfterMs?: number },
  ): void {
    const { place } = lane;
    const isDone = outcome === "delivered" || outcome === "withheld" || outcome === "dead";
    if (place !== undefined && isDone) {
      lane.place = { ...place, waiting: Math.max(0, place.waiting - 1) };
      if (lane.isBehind && lane.place.waiting <= refillAt) this.#news.add(lane.webhook.tenantId);
    }
    const nowMs = this.#options.clock.monotonicMs();
    if (isDone) lane.dueAtMs = 0;
    else if (dueAfterMs !== undefined) lane.dueAtMs = Math.min(lane.dueAtMs, nowMs + dueAfterMs);
  }

  /** What failed before somebody let it go on is not held against it. */
  async #giveUp({ webhook }: Lane, failingSeconds: number): Promise<void> {
    const { directory, logger, metrics, clock } = this.#options;
    const resumedSeconds = (clock.nowUs() - (webhook.resumedAtUs ?? Number.NEGATIVE_INFINITY)) / 1_000_000;
    if (Math.min(failingSeconds, resumedSeconds) < disableAfterSeconds) return;
    await directory.disable(webhook, "failing");
    metrics.webhookDisabled("failing");
    logger.warn(
      { webhookId: webhook.id, tenantId: webhook.tenantId },
      "A webhook is given up: nothing succeeded for days",
    );
  }

  /** How long nothing is to be done unless the bell rings. */
  #idleMs(): number {
    const { clock, directory } = this.#options;
    if (!directory.isFresh) return heldBackMs;
    const nowMs = clock.monotonicMs();
    const isFull = this.#running.size >= inFlightMax;
    const lanes = isFull ? [] : [...this.#lanes.values()].filter(({ place }) => (place?.waiting ?? 0) > 0);
    const opensAtMs = Math.min(...lanes.map((lane) => lane.opensAtMs(nowMs)));
    return Math.max(0, Math.min(this.#pollAtMs, opensAtMs) - nowMs);
  }
}

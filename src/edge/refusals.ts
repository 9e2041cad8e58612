/**
 * Refusals as system facts: the first of a (principal, code) at once, later ones of the same minute summed into one
 * event at the end of that minute. Nobody waits for them, and nobody can fill a log by being refused.
 *
 * The facts hold who, which code, how often and when; never a payload, a header or a secret.
 */
import type { CausedBy, EventFactory } from "../event/index.js";
import { type Clock, type ErrorCode, type EventplaneError, formatUs, PLATFORM_TENANT_ID } from "../kernel/index.js";
import { WrongNetwork } from "./authentication.js";
import type { Authorizer } from "./authz/authorizer.js";
import { basePolicySet } from "./authz/policy-set.js";
import type { Action, ResourceClass } from "./authz/ruling.js";
import type { EventLog } from "./dependencies.js";
import { type MinuteSum, MinuteSums } from "./minute-sums.js";
import type { Principal } from "./principal.js";
import { stampOf } from "./stamp.js";

/** One refusal, as the edge saw it. */
export interface Refusal {
  /** undefined: nobody was authenticated. */
  readonly principal: Principal | undefined;
  readonly error: EventplaneError;
  readonly action: Action | undefined;
  /** The part of its own tenant that it was about; default all of it. */
  readonly resource?: ResourceClass | undefined;
  readonly requestId: string;
  readonly via: string;
}

/** What the log of refusals needs. */
export interface RefusalLogDependencies {
  readonly factory: EventFactory;
  readonly log: EventLog;
  readonly authorizer: Pick<Authorizer, "rule">;
  readonly clock: Clock;
  readonly edge: string;
  /** Hears of refusals that could not be written; they stay counted. */
  readonly report: (failure: unknown) => void;
}

/** Outcomes that concern the state of a resource or of the system are answers, not refusals. */
const recordedCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "unauthenticated",
  "rate_limited",
  "requests_limited",
  "events_limited",
  "bytes_limited",
  "connections_limited",
  "streams_limited",
  "forbidden",
  "source_unverified",
  "delivery_expired",
  "delivery_unmapped",
  "forbidden_field",
  "content_mismatch",
  "spec_too_large",
  "schema_violation",
  "secret_found",
  "data_subject_missing",
  "unknown_type",
  "guard_refused",
  "request_invalid",
  "payload_too_large",
  "too_many_events",
  "unsupported_media_type",
  "json_invalid",
  "json_duplicate_key",
  "json_forbidden_key",
  "json_too_deep",
  "json_unsafe_number",
  "json_lone_surrogate",
  "json_nul",
  "json_invalid_utf8",
]);

const trackedMax = 10_000;
const anonymousId = "anonymous";

interface Tracked extends MinuteSum {
  readonly refusal: Refusal;
  readonly principalId: string;
  sinceUs: number;
  untilUs: number;
}

/** Counts refusals and writes them. */
export class RefusalLog {
  readonly #dependencies: RefusalLogDependencies;
  readonly #sums: MinuteSums<Tracked>;
  readonly #noted = new WeakSet<EventplaneError>();

  constructor(dependencies: RefusalLogDependencies) {
    this.#dependencies = dependencies;
    this.#sums = new MinuteSums({ clock: dependencies.clock, write: (tracked) => this.#write(tracked) });
  }

  /** Counts a refusal. The same error object counts once; codes that are no refusals are passed over. Never throws. */
  note(refusal: Refusal): void {
    if (!recordedCodes.has(refusal.error.code) || this.#noted.has(refusal.error)) return;
    this.#noted.add(refusal.error);
    const { clock } = this.#dependencies;
    const tracked = this.#entryOf(refusal);
    tracked.count++;
    tracked.untilUs = clock.nowUs();
    if (tracked.windowFromMs === Number.NEGATIVE_INFINITY) this.#sums.write(tracked);
  }

  /** Writes the sums of minutes that are over until `signal` aborts. Never throws. */
  run(signal: AbortSignal): Promise<void> {
    return this.#sums.run(signal);
  }

  /** Writes the sums of minutes that are over and forgets who was not refused in one. */
  sweep(): void {
    this.#sums.sweep();
  }

  /** Writes everything that is counted, and waits for it. */
  close(): Promise<void> {
    return this.#sums.close();
  }

  /** The entry of (principal, code). When too many are tracked, further ones of a tenant are counted together. */
  #entryOf(refusal: Refusal): Tracked {
    const tenantId = refusal.principal?.tenantId ?? PLATFORM_TENANT_ID;
    const { tracked: all } = this.#sums;
    const isFull = all.size >= trackedMax;
    const own = refusal.principal?.id ?? anonymousId;
    const principalId = isFull && !all.has(`${tenantId} ${own} ${refusal.error.code}`) ? "others" : own;
    const key = `${tenantId} ${principalId} ${refusal.error.code}`;
    const known = all.get(key);
    if (known !== undefined) return known;
    const at = this.#dependencies.clock.nowUs();
    const tracked = {
      refusal,
      principalId,
      windowFromMs: Number.NEGATIVE_INFINITY,
      sinceUs: at,
      untilUs: at,
      count: 0,
    };
    all.set(key, tracked);
    return tracked;
  }

  #write(tracked: Tracked): Promise<void> {
    const { clock, log, report } = this.#dependencies;
    const written = tracked.count;
    const item = this.#fact(tracked);
    tracked.count = 0;
    tracked.windowFromMs = clock.monotonicMs();
    tracked.sinceUs = clock.nowUs();
    return log.append({ tenantId: item.event.tenantId, items: [item] }).then(
      () => undefined,
      (error: unknown) => {
        tracked.count += written;
        report(error);
      },
    );
  }

  #fact(tracked: Tracked): ReturnType<EventFactory["systemFact"]> {
    const { refusal, principalId, count } = tracked;
    const tenantId = refusal.principal?.tenantId ?? PLATFORM_TENANT_ID;
    const spec = {
      principal: principalId,
      code: refusal.error.code,
      ...(refusal.error.cause instanceof WrongNetwork ? { reason: "network" } : {}),
      ...(refusal.action === undefined ? {} : { action: refusal.action }),
      ...(refusal.resource === undefined ? {} : { resource: refusal.resource }),
      count,
      since: formatUs(tracked.sinceUs),
      until: formatUs(tracked.untilUs),
      requestId: refusal.requestId,
    };
    const type = "refusal.recorded";
    return this.#dependencies.factory.systemFact(
      { tenantId, type, aggregateId: principalId, spec },
      this.#stamp(tracked),
    );
  }

  #stamp({ refusal, principalId }: Tracked): CausedBy {
    const { authorizer, clock, edge } = this.#dependencies;
    const { principal, action = "Read", resource, via, requestId } = refusal;
    const ruling =
      principal === undefined
        ? { rulingId: requestId, policySetHash: basePolicySet.hash, policies: [] }
        : authorizer.rule(principal, action, { tenantId: principal.tenantId, resource });
    const keyId = principal?.keyId === undefined ? {} : { keyId: principal.keyId };
    return stampOf({
      principal: { type: principal?.type ?? anonymousId, id: principalId, ...keyId },
      via,
      requestId,
      ruling,
      edge,
      at: formatUs(clock.nowUs()),
    });
  }
}

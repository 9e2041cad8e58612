/**
 * The work table's port: who must look at which resource, when, and how often that failed.
 *
 * One row for each (tenant, stream, component). Rows are made by `dispatch` from the log (the cursor moves in the same
 * commit), claimed with a lease, and closed by an append of the decision (see `WorkLease` of the store) or by `finish`.
 * Times are the database's.
 */
import type { TenantId } from "../kernel/index.js";

/** Which components look at which aggregate types. */
export interface Watch {
  readonly aggregateType: string;
  readonly component: string;
}

/** The name of one row. */
export interface WorkKey {
  readonly tenantId: TenantId;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly component: string;
}

/** A stream that a decision looked at, and the version that it saw; 0: it had no events. */
export interface LookedUp {
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly version: number;
}

/** A row that this process may work on until its lease ends. */
export interface WorkClaim extends WorkKey {
  readonly leaseToken: string;
  /** Attempts since the last success, this one counted; from 1. Counted before anything runs. */
  readonly attempt: number;
  /** The holder before this one never said how its attempt ended: its process died, or lost the lease. */
  readonly isAbandoned: boolean;
}

/**
 * The aggregate type of the rows of effects: one row for each ask, whose id is the aggregateId; the component is
 * `effect:<worker>`. What people decide on an effect are facts of the stream of that name.
 */
export const effectRowType = "effect";

/** A place in a tenant's log up to which something was done. */
export interface LogPlace {
  readonly logEpoch: number;
  readonly position: number;
  readonly hash: Uint8Array;
}

/** Who asked for an effect: a resource in one of its generations. What it asks of one worker then is a sequence. */
export interface EffectAsker {
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly generation: number;
}

/**
 * What an event means for the row of an effect. `asked`: there is one from now on. `decided`: somebody decided on it, so it
 * is due now whatever it waits for. `ended`: the result is in the log, the row goes.
 */
export type EffectChange = {
  readonly askId: string;
  /** `effect:<worker>`. */
  readonly component: string;
  readonly position: number;
} & ({ readonly change: "asked"; readonly asker: EffectAsker } | { readonly change: "decided" | "ended" });

/**
 * The row of an effect as administrators see it. `waiting`: for its turn, or for its next attempt. `blocked`: behind a dead
 * letter or a held effect of the same sequence.
 */
export interface EffectRow {
  readonly tenantId: TenantId;
  readonly askId: string;
  readonly component: string;
  readonly state: "waiting" | "running" | "blocked" | "held" | "dead";
  readonly attempts: number;
  /** Of the last attempt that failed; null when none has. */
  readonly failure: WorkFailure | null;
}

/** Rows that nobody works on until somebody decides, over all tenants: dead letters, and effects that are held. */
export interface StandingWork {
  readonly component: string;
  readonly state: "held" | "dead";
  readonly count: number;
}

/** The code that tells a held effect from one that was given up. */
export const heldCode = "effect_held";

/** The effects of a tenant that have no result; all that the edge needs of them. */
export interface EffectReader {
  /** Those that stand first, then by id; at most 1,000. */
  effects(tenantId: TenantId): Promise<readonly EffectRow[]>;
  /** One of them. */
  effect(tenantId: TenantId, askId: string): Promise<EffectRow | undefined>;
}

/** How one claim of several ends. */
export interface WorkEnd {
  readonly claim: WorkClaim;
  readonly dueAfterMs: number | null;
  readonly seenVersion: number;
  /** An append with this claim's lease has just closed the row. */
  readonly isSettled: boolean;
}

/** Why an attempt failed; shown to operators, so no payloads and no secrets. */
export interface WorkFailure {
  /** An error code, or the name of the thrown error. */
  readonly code: string;
  readonly message: string;
}

/** A dead letter: a row that nobody works on until somebody decides. It blocks only its (stream, component). */
export interface DeadLetter extends WorkKey {
  /** UUIDv8 of the key's parts: stable, safe in URLs. */
  readonly id: string;
  /** The resource: the row's own stream, or the one that asked for the effect. */
  readonly resource: { readonly aggregateType: string; readonly aggregateId: string };
  readonly attempts: number;
  readonly failure: WorkFailure;
  /** Version of the app's code that failed. */
  readonly codeVersion: string;
  /** Generation that it failed at; 0 when the resource could not be loaded. */
  readonly generation: number;
  /** RFC 3339 UTC. */
  readonly since: string;
  /** What waits behind it: events of a controller's resource, effects of a worker's sequence. */
  readonly waiting: number;
}

/** Which dead letters are meant; every member narrows. */
export interface DeadLetterFilter {
  readonly component?: string;
  readonly code?: string;
  readonly codeVersion?: string;
  /** Of the resource. */
  readonly aggregateType?: string;
  readonly aggregateId?: string;
  /** Dead since this time or later, and before that one; microseconds since 1970. */
  readonly sinceFromUs?: number;
  readonly sinceBeforeUs?: number;
}

/** Dead letters of one component with one error code, made by one version of the code. */
export interface DeadLetterGroup {
  readonly component: string;
  readonly code: string;
  readonly codeVersion: string;
  readonly count: number;
  /** When the first and the last of them died, RFC 3339 UTC. */
  readonly oldest: string;
  readonly newest: string;
}

/** Rows that wait to be claimed. */
export interface WorkBacklog {
  readonly rows: number;
  readonly oldestSeconds: number;
}

/** What became of one dispatch round. */
export interface DispatchResult {
  /** Events that were turned into work. */
  readonly events: number;
  /** Whether some tenant has more to dispatch. */
  readonly more: boolean;
  /** Tenants whose log does not continue where the cursor stands: nothing of them is dispatched until somebody decides. */
  readonly broken: readonly TenantId[];
}

/** The dead letters of a tenant; all that the edge needs of the work table. */
export interface DeadLetterReader {
  /** Dead letters of a tenant, newest first; at most `limit`, by default 1,000. */
  deadLetters(
    tenantId: TenantId,
    filter?: DeadLetterFilter,
    options?: { readonly limit?: number },
  ): Promise<readonly DeadLetter[]>;
  /** One of them. */
  deadLetter(tenantId: TenantId, id: string): Promise<DeadLetter | undefined>;
  /** The same letters in groups, the largest first; at most 1,000. */
  deadLetterGroups(tenantId: TenantId, filter?: DeadLetterFilter): Promise<readonly DeadLetterGroup[]>;
}

/** Rows of reconciles that nobody who was asked attends to, over all tenants. */
export interface UnattendedRows {
  readonly component: string;
  /** 10,000 of all components stand for more. */
  readonly rows: number;
  readonly oldestSeconds: number;
}

/** What a tenant's controllers have to do, for administrators. */
export interface ControllerRows {
  readonly component: string;
  /** Rows that are due, leased or wait for their time. */
  readonly waiting: number;
  readonly deadLetters: number;
  /** How long the oldest of the waiting is due, in seconds; 0 when none is. */
  readonly oldestSeconds: number;
}

/** What the edge needs to show controllers. */
export interface ControllerRowReader {
  /** Of the components of reconciles that have something to do or dead letters, by name. */
  controllerRows(tenantId: TenantId): Promise<readonly ControllerRows[]>;
}

/** Every method throws `unavailable` (retryable) when the store cannot be reached. */
export interface WorkStore extends DeadLetterReader, EffectReader, ControllerRowReader {
  /**
   * Turns new events into due rows, per tenant in position order, cursor in the same commit; several processes share
   * the tenants by row locks. An event wakes neither the component that made it nor one that has seen it; facts of the
   * runtime and asks wake nobody; what became of an effect wakes the controller that asked for it; a spec-bearing event wakes those that it expects too, whether or not they are among the watches;
   * without finalizers it wakes the built-in component `runtime`.
   * `dead-letter.redriven` and `dead-letter.discarded` facts act on their row, the former after the `delayMs` of its spec
   * and not before its turn in its sequence; a newer generation supersedes a dead letter.
   * The rows of a deleted stream go.
   *
   * @param tenantId only this tenant (a doorbell's hint); all with news without it
   */
  dispatch(watches: readonly Watch[], tenantId?: TenantId): Promise<DispatchResult>;
  /** Tenants after this one whose log is longer than what of it was dispatched to workers. */
  tenantsWithEffects(after: string, limit: number): Promise<readonly TenantId[]>;
  /** Up to where a tenant's log was dispatched to workers; undefined: nothing of it. */
  effectPlace(tenantId: TenantId): Promise<LogPlace | undefined>;
  /**
   * Applies what the events after `from` up to `to` mean for the rows of effects, and moves the place, in one commit.
   *
   * @returns false when another process has done so, and nothing was done
   */
  dispatchEffects(
    tenantId: TenantId,
    news: { readonly from: number; readonly to: LogPlace; readonly changes: readonly EffectChange[] },
  ): Promise<boolean>;
  /**
   * Leases up to `limit` due rows, one by one from each tenant in turn, oldest due first; counts the attempt.
   *
   * @param options.components of controllers; or a worker's, alone
   */
  claim(options: {
    readonly components: readonly string[];
    readonly limit: number;
    readonly leaseMs: number;
  }): Promise<readonly WorkClaim[]>;
  /** Prolongs leases. @returns those that are still held */
  extend(claims: readonly WorkClaim[], leaseMs: number): Promise<readonly WorkClaim[]>;
  /**
   * Notes what a claim's decision looked at, before the claim is ended: in place of what its row noted before. The row is due
   * again as soon as one of these streams has a later version, at its end at once when one has by then. A claim that ends
   * without having noted anything looks at nothing any more. False: the lease was lost.
   *
   * @param seen stream versions; 0 for one without events
   */
  lookedUp(claim: WorkClaim, seen: readonly LookedUp[]): Promise<boolean>;
  /**
   * Ends a claim without an append. `dueAfterMs` null closes the row. A row woken by an event after `seenVersion`, also
   * before its claim, stays due now. False: the lease was lost.
   */
  finish(
    claim: WorkClaim,
    options: { readonly dueAfterMs: number | null; readonly seenVersion: number },
  ): Promise<boolean>;
  /**
   * Ends claims of one stream in one commit, each as `finish` does. The claim whose lease the append before has settled
   * is among them: what it has seen is noted too, unless somebody has worked on its row since.
   *
   * @returns those that were still held, or settled
   */
  finishTogether(ends: readonly WorkEnd[]): Promise<readonly WorkClaim[]>;
  /** Hands a claim back as if it had not been made; due again after `dueAfterMs`. False: the lease was lost. */
  release(claim: WorkClaim, options: { readonly dueAfterMs: number }): Promise<boolean>;
  /**
   * Records a failed attempt at `generation`: due again after `retryAfterMs`, or a dead letter when null. When a newer
   * generation has woken the row meanwhile, it is due now with its attempts forgotten; so is an effect that somebody has
   * decided on since its claim. Null: the generation is not known, so none is newer. Behind a dead letter of an effect the
   * later effects of its sequence wait. False: the lease was lost.
   */
  fail(
    claim: WorkClaim,
    failure: WorkFailure,
    options: { readonly retryAfterMs: number | null; readonly generation: number | null },
  ): Promise<boolean>;
  /**
   * Makes a row due after `dueAfterMs`, unless it is due sooner, leased, a dead letter or blocked: for looks that no event
   * asks for.
   */
  wake(key: WorkKey, options: { readonly dueAfterMs: number }): Promise<void>;
  /** Removes a row that nobody works on, a dead letter too: of a component that nobody runs any more. */
  forget(key: WorkKey): Promise<void>;
  /** Up to where the platform's log was looked through for changes of controllers; undefined: nothing of it. */
  changesPlace(): Promise<LogPlace | undefined>;
  /** Moves that place. @returns false when another process has done so */
  moveChanges(from: number, to: LogPlace): Promise<boolean>;
  /** Milliseconds until the next row of these components is due; 0 when one is due now; null when none waits. */
  nextDueMs(components: readonly string[]): Promise<number | null>;
  /** What is due now and nobody works on, for metrics: how many rows (10,000 stands for more), and how long the oldest. */
  backlog(components: readonly string[]): Promise<WorkBacklog>;
  /**
   * Rows of reconciles of other components than these that are due for longer, by component: of a controller that this
   * process does not have, and perhaps no other.
   */
  unattended(components: readonly string[], options: { readonly dueForMs: number }): Promise<readonly UnattendedRows[]>;
  /** What waits for somebody's decision, for metrics. */
  standing(): Promise<readonly StandingWork[]>;
}

/**
 * Reconciles of one stream that were claimed together, in one commit: each controller decides on the fold that the one
 * before it leaves, again when another has added something, until nobody adds anything; then all of their events are
 * appended at once and all of their rows are ended at once.
 *
 * The append carries the version that each event was decided on, so it holds only if nobody else came between; it
 * carries one of the leases, the rows of the others are ended after it. Whatever does not go smoothly is left to single
 * attempts: nothing was done then, or it is in the log, where they find it.
 */
import { type AppendItem, foldEvent, type Resource, runtimeComponent } from "../event/index.js";
import { assert, type EventplaneError, isEventplaneError } from "../kernel/index.js";
import type { LookedUp, WorkClaim } from "../work/index.js";
import { type AttemptEnd, type AttemptOptions, isExhausted, isLoss } from "./attempt.js";
import { decide, isOpen } from "./decide.js";
import { expectedRows, ownRows } from "./own-rows.js";

/** What became of claims of one stream. */
export interface TogetherEnd {
  readonly ends: ReadonlyMap<WorkClaim, AttemptEnd>;
  /** Claims that nothing was done about. */
  readonly rest: readonly WorkClaim[];
  /** One of the rest whose controller did not return: it need not show that again. */
  readonly blamed?: { readonly claim: WorkClaim; readonly error: EventplaneError };
  /** The fold as it is now, if it is known. */
  readonly resource: Resource | undefined;
}

const passesMax = 4;
const itemsMax = 16;

/** One claim while all are decided on. */
interface Member {
  readonly claim: WorkClaim;
  /** The version up to which it has seen the stream, its own events and those before them; 0: not run yet. */
  seen: number;
  dueAfterMs: number | null;
  hasChanged: boolean;
  /** What its last run looked up. */
  lookups: readonly LookedUp[];
}

interface Plan {
  readonly items: readonly AppendItem[];
  readonly members: readonly Member[];
  /** Whose lease the append carries; undefined when there is nothing to append. */
  readonly leader: Member | undefined;
}

type Blame = Required<Pick<TogetherEnd, "blamed">>;

/** Works on several claims of one stream at once. It never throws. */
export class Together {
  readonly #options: AttemptOptions;

  constructor(options: AttemptOptions) {
    this.#options = options;
  }

  /**
   * @param next gives the other claims of the stream, one by one
   * @param known the fold that was left before, so that it need not be loaded
   */
  async run(first: WorkClaim, next: () => WorkClaim | undefined, known: Resource | undefined): Promise<TogetherEnd> {
    const resource = known ?? (await this.#load(first));
    const claims = [first];
    for (let claim = next(); claim !== undefined; claim = next()) claims.push(claim);
    const [able, unable] = this.#divide(claims, resource);
    const plan = able.length < 2 || resource === undefined ? undefined : await this.#plan(able, resource);
    if (plan === undefined || resource === undefined) return { ends: new Map(), rest: claims, resource };
    if ("blamed" in plan) return { ends: new Map(), rest: claims, resource, ...plan };
    const after = (await this.#noteLookups(plan)) ? await this.#append(plan, resource) : undefined;
    if (after === undefined) return { ends: new Map(), rest: claims, resource: undefined };
    const ends = await this.#finish(plan, after);
    return { ends, rest: [...unable, ...able.filter((claim) => !ends.has(claim))], resource: after };
  }

  async #load(claim: WorkClaim): Promise<Resource | undefined> {
    try {
      return await this.#options.loader.load(claim.tenantId, claim);
    } catch {
      return undefined; // the single attempt fails the same way and records it
    }
  }

  /** First attempts of controllers on a resource that is far from its limits can go together. */
  #divide(claims: readonly WorkClaim[], resource: Resource | undefined): [WorkClaim[], WorkClaim[]] {
    const { reconcilesPerGenerationMax } = this.#options;
    if (!isOpen(resource)) return [[], [...claims]];
    // Each pass may decide something new.
    const roomy = (claim: WorkClaim): boolean => !isExhausted(resource, claim, reconcilesPerGenerationMax - passesMax);
    const isAble = (claim: WorkClaim): boolean =>
      roomy(claim) && claim.attempt === 1 && claim.component !== runtimeComponent;
    return [claims.filter(isAble), claims.filter((claim) => !isAble(claim))];
  }

  /** Undefined when a controller throws: alone it will be blamed, and the others will not wait for it. */
  async #plan(claims: readonly WorkClaim[], basis: Resource): Promise<Plan | Blame | undefined> {
    const members = claims.map(
      (claim): Member => ({ claim, seen: 0, dueAfterMs: null, hasChanged: false, lookups: [] }),
    );
    const items: AppendItem[] = [];
    let leader: Member | undefined;
    let current: WorkClaim | undefined;
    let after = basis;
    try {
      for (let pass = 0; pass < passesMax; pass++) {
        for (const member of members) {
          if (member.seen === after.version) continue;
          current = member.claim;
          const decision = await decide(member.claim, after, this.#options);
          if (items.length + decision.items.length > itemsMax) return { items, members, leader };
          after = this.#foldExpected(after, decision.items);
          items.push(...decision.items);
          member.seen = after.version;
          member.lookups = decision.lookups;
          member.dueAfterMs = decision.requeueAfterMs === null ? null : Math.ceil(decision.requeueAfterMs);
          if (decision.items.length === 0) continue;
          member.hasChanged = true;
          leader = member;
        }
        if (members.every(({ seen }) => seen === after.version)) break;
      }
    } catch (error) {
      if (isLoss(error) && current !== undefined) return { blamed: { claim: current, error } };
      return undefined; // the single attempt meets the same error and records it
    }
    return { items, members, leader };
  }

  #foldExpected(basis: Resource, items: readonly AppendItem[]): Resource {
    const { app, clock } = this.#options;
    const aggregate = app.aggregates.get(basis.aggregateType);
    return expectedRows(items, basis, clock.nowUs()).reduce<Resource>(
      (fold, row) => foldEvent(fold, row, aggregate),
      basis,
    );
  }

  /** False when it was not possible for all: the single attempts find out why. */
  async #noteLookups({ members }: Plan): Promise<boolean> {
    try {
      for (const { claim, lookups } of members) {
        if (lookups.length > 0 && !(await this.#options.work.lookedUp(claim, lookups))) return false;
      }
      return true;
    } catch {
      return false;
    }
  }

  /** @returns the fold after it; undefined when it did not happen, or nobody knows */
  async #append({ items, leader }: Plan, basis: Resource): Promise<Resource | undefined> {
    if (leader === undefined) return basis;
    const { tenantId, aggregateType, aggregateId, component, leaseToken } = leader.claim;
    const lease = { aggregateType, aggregateId, component, leaseToken, dueAfterMs: leader.dueAfterMs };
    try {
      const outcome = await this.#options.appending.append({ tenantId, items, lease });
      if (outcome.result !== "appended") return undefined;
      return this.#options.loader.apply(basis, ownRows(items, outcome.receipts, basis));
    } catch {
      return undefined; // the single attempt reloads, and defers if the store is away
    }
  }

  async #finish({ members, leader }: Plan, resource: Resource): Promise<ReadonlyMap<WorkClaim, AttemptEnd>> {
    const decided = members.filter(({ seen }) => seen > 0);
    const held = await this.#end(decided, leader);
    return new Map(
      decided.map((member): [WorkClaim, AttemptEnd] => {
        const { claim, dueAfterMs, hasChanged, lookups } = member;
        if (held === undefined && member !== leader) return [claim, { result: "deferred" }];
        if (held !== undefined && !held.has(claim)) return [claim, { result: "lost" }];
        return [
          claim,
          { result: hasChanged ? "changed" : "unchanged", resource, dueAfterMs, looked: lookups.length > 0 },
        ];
      }),
    );
  }

  async #end(members: readonly Member[], leader: Member | undefined): Promise<ReadonlySet<WorkClaim> | undefined> {
    try {
      return new Set(
        await this.#options.work.finishTogether(
          members.map((member) => ({
            claim: member.claim,
            dueAfterMs: member.dueAfterMs,
            seenVersion: member.seen,
            isSettled: member === leader,
          })),
        ),
      );
    } catch (error) {
      assert(isEventplaneError(error), "the work store throws EventplaneError only");
      this.#options.logger.warn(
        { code: error.code },
        "Reconciles could not be ended; their leases run out by themselves",
      );
      return undefined;
    }
  }
}

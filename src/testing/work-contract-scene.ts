/** What the contract suite of the work table works with: one tenant, its components and short words for what happens to them. */
import { strict as check } from "node:assert";
import type { DraftEvent, Finalizers } from "../event/index.js";
import { systemIds, type TenantId } from "../kernel/index.js";
import type { Appender, AppendItem, AppendOutcome, WorkLease } from "../store/index.js";
import { deadLetterId, type Watch, type WorkClaim, type WorkStore } from "../work/index.js";
import {
  appending,
  createTestSigner,
  creating,
  draftDerived,
  draftIntent,
  draftSystemFact,
  newTenantId,
  signAppend,
} from "./drafts.js";

/** An opened work table with its log. */
export interface WorkUnderTest {
  readonly work: WorkStore;
  readonly edge: Appender;
  readonly runtime: Appender;
  waitMs(ms: number): Promise<void>;
  close(): Promise<void>;
}

const edgeSigner = createTestSigner("edge");
const runtimeSigner = createTestSigner("runtime");
/** Long enough for a test. */
export const leaseMs = 60_000;

/** One test's own tenant, and components that no other test has. */
export class Scene {
  readonly tenantId: TenantId;
  readonly quota: string;
  readonly billing: string;
  readonly #under: WorkUnderTest;

  constructor(under: WorkUnderTest, like?: Scene) {
    const suffix = systemIds.uuid4().slice(0, 8);
    this.#under = under;
    this.tenantId = newTenantId();
    this.quota = like?.quota ?? `quota-${suffix}`;
    this.billing = like?.billing ?? `billing-${suffix}`;
  }

  /** The same components in another tenant. */
  another(): Scene {
    return new Scene(this.#under, this);
  }

  get work(): WorkStore {
    return this.#under.work;
  }

  get components(): readonly string[] {
    return [this.quota, this.billing];
  }

  get watches(): readonly Watch[] {
    return this.components.map((component) => ({ aggregateType: "organization", component }));
  }

  async append(items: readonly AppendItem[], lease?: WorkLease): Promise<AppendOutcome> {
    const tier = items.some(({ event }) => event.decision !== null) ? "runtime" : "edge";
    const append = { tenantId: this.tenantId, items, ...(lease === undefined ? {} : { lease }) };
    const [outcome] = await this.#under[tier].append([
      signAppend(tier === "edge" ? edgeSigner : runtimeSigner, append),
    ]);
    check.ok(outcome !== undefined);
    return outcome;
  }

  /** Publishes `create` on a stream of this name, expecting both components. */
  async create(aggregateId = "acme"): Promise<DraftEvent> {
    const open = { completed: false, observedGeneration: 0 };
    const finalizers: Finalizers = { [this.quota]: open, [this.billing]: open };
    const event = draftIntent({ tenantId: this.tenantId, aggregateId, finalizersText: JSON.stringify(finalizers) });
    check.equal((await this.append([creating(event)])).result, "appended");
    return event;
  }

  /** A change of plan: the next generation. */
  async change(aggregateId = "acme"): Promise<void> {
    const event = draftIntent({
      tenantId: this.tenantId,
      aggregateId,
      type: "organization.change-plan",
      finalizersText: `{"${this.quota}":{"completed":false,"observedGeneration":0}}`,
    });
    check.equal((await this.append([appending(event)])).result, "appended");
  }

  derived(origin: DraftEvent, component: string, basisVersion: number, parts: Partial<DraftEvent> = {}): AppendItem {
    const decision = { component, basisVersion, step: 0, now: "2026-01-01T00:00:01.000000Z" };
    return appending(draftDerived(origin, { decision, ...parts }), {
      effect: "derived",
      expectedVersion: basisVersion,
    });
  }

  async decide(
    type: "dead-letter.redriven" | "dead-letter.discarded",
    claim: WorkClaim,
    more: { readonly delayMs?: number } = {},
  ): Promise<void> {
    const { aggregateType, aggregateId, component } = claim;
    const fact = draftSystemFact({
      tenantId: this.tenantId,
      type,
      aggregateType: "dead-letter",
      aggregateId: deadLetterId(claim),
      specText: JSON.stringify({ aggregateType, aggregateId, component, ...more }),
    });
    check.equal((await this.append([{ event: fact, effect: "system", expectedVersion: "any" }])).result, "appended");
  }

  /** Dispatches all there is of this tenant. */
  async dispatch(): Promise<number> {
    let events = 0;
    for (let round = 0; round < 100; round++) {
      const result = await this.work.dispatch(this.watches, this.tenantId);
      events += result.events;
      check.deepEqual(result.broken, []);
      if (!result.more) break;
    }
    return events;
  }

  claim(limit = 100, components: readonly string[] = this.components): Promise<readonly WorkClaim[]> {
    return this.work.claim({ components, limit, leaseMs });
  }

  /** Dispatches and claims exactly one row of a component. */
  async claimOne(component: string): Promise<WorkClaim> {
    await this.dispatch();
    const claims = await this.claim(100, [component]);
    check.equal(claims.length, 1, `one row of ${component} is due`);
    const [claim] = claims;
    check.ok(claim !== undefined);
    return claim;
  }

  async dueComponents(): Promise<readonly string[]> {
    await this.dispatch();
    return (await this.claim()).map(({ component }) => component).sort();
  }

  wait(ms: number): Promise<void> {
    return this.#under.waitMs(ms);
  }
}

/** The claim as an append carries it. */
export function leaseOf(claim: WorkClaim, dueAfterMs: number | null): WorkLease {
  const { aggregateType, aggregateId, component, leaseToken } = claim;
  return { aggregateType, aggregateId, component, leaseToken, dueAfterMs };
}

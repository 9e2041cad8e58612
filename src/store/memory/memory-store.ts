/**
 * The store in memory: the executable specification of the port, the model of the property tests, and what unit tests
 * run on. Nothing survives the process.
 */
import type { EventRow } from "../../event/index.js";
import { assert, type Clock, limits, type TenantId } from "../../kernel/index.js";
import { assertAppend } from "../assert-append.js";
import type { Appender, AppendItem, AppendOutcome, LogReader, Receipt, SignedAppend, WorkLease } from "../port.js";
import { receiptOf } from "../receipt.js";
import { judge } from "./judge.js";
import { createMemoryReader } from "./memory-reader.js";
import { duplicateIndex, repeatOfDerived, repeatOfPublished } from "./repeats.js";
import { type Carriers, TenantLog } from "./tenant-log.js";

/** How to make a memory store. */
export interface MemoryStoreOptions {
  readonly clock: Clock;
  /**
   * Settles a work row in the append that closes it: called after all conditions of the append hold, in one step with
   * adding its events. False refuses the append with `lease_lost`. Without it an append with a lease is an error.
   */
  readonly settleLease?: (tenantId: TenantId, lease: WorkLease) => boolean;
}

/** The two append functions and the reader over the same logs. */
export interface MemoryStore {
  readonly edge: Appender;
  readonly runtime: Appender;
  readonly reader: LogReader;
  /** The tenants that have a log. */
  tenants(): readonly TenantId[];
}

const firstLogEpoch = 1;

/** A new, empty store. Calls are atomic: JavaScript runs each of them to its end. */
export function createMemoryStore(options: MemoryStoreOptions): MemoryStore {
  const logs = new Map<TenantId, TenantLog>();
  const logOf = (tenantId: TenantId): TenantLog => logs.get(tenantId) ?? new TenantLog(tenantId, firstLogEpoch);
  const logToWrite = (tenantId: TenantId): TenantLog => {
    const log = logOf(tenantId);
    logs.set(tenantId, log);
    return log;
  };
  const appender = (tier: Appender["tier"]): Appender => ({
    tier,
    append: async (call) => {
      assertCall(call, tier);
      const carriers: Carriers = new Map();
      return call.map((append) => appendOne(append, { tier, log: logToWrite(append.tenantId), options, carriers }));
    },
  });
  return {
    edge: appender("edge"),
    runtime: appender("runtime"),
    reader: createMemoryReader(logOf),
    tenants: () => [...logs.keys()],
  };
}

/** All of a call is checked before any of it is added, as a database statement fails as a whole. */
function assertCall(call: readonly SignedAppend[], tier: Appender["tier"]): void {
  const events = call.reduce((sum, append) => sum + append.items.length, 0);
  const tenants = new Set(call.map((append) => append.tenantId)).size;
  assert(events <= limits.callEventsMax, `a call has at most ${limits.callEventsMax} events, not ${events}`);
  assert(tenants <= limits.callTenantsMax, `a call has at most ${limits.callTenantsMax} tenants, not ${tenants}`);
  for (const append of call) assertAppend(append, tier);
}

interface AppendContext {
  readonly tier: Appender["tier"];
  readonly log: TenantLog;
  readonly options: MemoryStoreOptions;
  readonly carriers: Carriers;
}

function appendOne(append: SignedAppend, { tier, log, options, carriers }: AppendContext): AppendOutcome {
  const stage = log.stage(options.clock.nowUs(), carriers);
  const refused = (code: Extract<AppendOutcome, { result: "refused" }>["code"], index: number): AppendOutcome => {
    const event = append.items[index]?.event;
    assert(event !== undefined, "a refusal names an item of its append");
    const { version, generation, lifecycle } = log.state(event);
    return { result: "refused", code, index, current: { version, generation, lifecycle } };
  };
  const duplicate = duplicateIndex(append.items);
  if (duplicate !== undefined) return refused("content_mismatch", duplicate);
  const known = append.items.map(({ event }) => log.byId.get(event.id));
  const unchanged = (item: AppendItem): EventRow | undefined =>
    judge(log.state(item.event), item).verdict === "unchanged" ? stage.last(item.event) : undefined;
  const repeat =
    tier === "edge" ? repeatOfPublished(append.items, known, unchanged) : repeatOfDerived(append.items, known);
  if (repeat?.result === "mismatch") return refused("content_mismatch", repeat.index);
  if (repeat !== undefined) return repeat;

  const receipts: Receipt[] = [];
  for (const [index, item] of append.items.entries()) {
    const verdict = judge(stage.state(item.event), item);
    if (verdict.verdict === "refused") return refused(verdict.code, index);
    const leaf = { commitProof: append.commitProof, index: append.firstLeaf + index };
    const row = verdict.verdict === "added" ? stage.push(item.event, leaf, verdict.next) : stage.last(item.event);
    assert(row !== undefined, "a stream that is being deleted has events");
    receipts.push(receiptOf(row));
  }
  if (append.lease !== undefined && !settle(append.tenantId, append.lease, options)) return refused("lease_lost", 0);
  stage.commit();
  return { result: "appended", receipts };
}

function settle(tenantId: TenantId, lease: WorkLease, { settleLease }: MemoryStoreOptions): boolean {
  assert(settleLease !== undefined, "an append with a lease needs a store that knows work rows");
  return settleLease(tenantId, lease);
}

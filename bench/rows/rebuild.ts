/** Row "rebuild": a counting projection folded anew over 100,000 events beside what is read, to the same digest. */
import { counter, defineProjection } from "../../dist/index.js";
import { PLATFORM_TENANT_ID, systemClock, systemIds, type TenantId } from "../../dist/kernel/index.js";
import { createLogger } from "../../dist/observe/index.js";
import {
  installProjections,
  PostgresProjectionStore,
  ProjectionRunner,
  projectionRequests,
} from "../../dist/projection/index.js";
import { createPool } from "../../dist/store/postgres/index.js";
import { draftSystemFact, newTenantId } from "../../dist/testing/index.js";
import { type Comparison, interleave } from "../support/interleave.js";
import { fillLog, readLog } from "../support/log.js";
import type { Row, RowResult } from "../support/row.js";
import type { BenchServer, OurStore } from "../support/server.js";

const eventsMax = 100_000;
const pageSize = 1_000;
const manyTenants = 20;
const rounds = 7;
const bareRead = "the bare read";

const { definition } = defineProjection({
  name: "changes",
  tables: { types: counter() },
  apply: {
    "organization.create": ({ type }, { types }) => types.add(type),
    "organization.change-plan": ({ type }, { types }) => types.add(type),
  },
});

/** The log is that of one tenant; once more with the same number of events in the logs of twenty. */
export const rebuild: Row = {
  name: "rebuild",
  group: "rebuild",
  question: "rebuild of a counting projection over 100,000 events of one tenant",
  async run(server) {
    const one = await Counted.open(server, 1);
    const many = await Counted.open(server, manyTenants);
    try {
      return resultOf(await compare(one, many));
    } finally {
      await Promise.all([one.close(), many.close()]);
    }
  },
};

function compare(one: Counted, many: Counted): Promise<Comparison> {
  return interleave(
    [
      { name: "rebuild", round: () => one.rebuild() },
      { name: bareRead, round: () => readLog(one.store, one.tenants[0], { pageSize }) },
      { name: `rebuild, ${manyTenants} tenants`, round: () => many.rebuild() },
    ],
    rounds,
  );
}

function resultOf(comparison: Comparison): RowResult {
  const [, bare, ofMany] = comparison.contenders;
  return {
    comparison,
    goals: [{ what: `× ${bareRead}`, value: comparison.ratios[bareRead], atLeast: 0.7 }],
    details: { [`${manyTenants} tenants × ${bareRead}`]: (ofMany?.perSecond ?? 0) / (bare?.perSecond ?? Number.NaN) },
  };
}

/** A log with its projection, folded to its end. */
class Counted {
  readonly store: OurStore;
  readonly tenants: readonly [TenantId, ...TenantId[]];
  readonly #pool: ReturnType<typeof createPool>;
  readonly #projections: PostgresProjectionStore;
  readonly #runner: ProjectionRunner;

  static async open(server: BenchServer, tenants: number): Promise<Counted> {
    const counted = new Counted(await server.ours(), tenants);
    const { ownerUrl, rolePrefix } = counted.store;
    await installProjections(ownerUrl, { rolePrefix, definitions: [definition] });
    for (const tenantId of counted.tenants) await fillLog(counted.store, tenantId, eventsMax / tenants);
    await counted.#runner.catchUp();
    return counted;
  }

  private constructor(store: OurStore, tenants: number) {
    this.store = store;
    this.tenants = [newTenantId(), ...Array.from({ length: tenants - 1 }, newTenantId)];
    this.#pool = createPool(store.urlOf("projector"));
    this.#projections = new PostgresProjectionStore(this.#pool, { rolePrefix: store.rolePrefix, definition });
    this.#runner = new ProjectionRunner({
      definition,
      store: this.#projections,
      reader: store.reader,
      holder: systemIds.uuid4(),
      clock: systemClock,
      logger: createLogger({ level: "error" }),
    });
  }

  /** As an operator asks for it, until the last tenant reads the rebuilt one and nothing of the old one is left. */
  async rebuild(): Promise<number> {
    const before = await this.#builds();
    const event = draftSystemFact({
      tenantId: PLATFORM_TENANT_ID,
      type: projectionRequests.rebuild,
      aggregateType: "projection",
      aggregateId: definition.name,
    });
    await this.store.edge.append({
      tenantId: PLATFORM_TENANT_ID,
      items: [{ event, effect: "system", expectedVersion: "any" }],
    });
    await this.#runner.catchUp();
    const after = await this.#builds();
    if (after.some((build, index) => build <= (before[index] ?? 0))) throw new Error("a tenant was not rebuilt");
    return eventsMax;
  }

  /** Number of the only build of each tenant, which is complete and was found to be as the one before. */
  async #builds(): Promise<readonly number[]> {
    const found: number[] = [];
    for (const tenantId of this.tenants) {
      const { builds, check } = await this.#projections.tenant(tenantId);
      const [live, ...others] = builds;
      const isWhole = live?.role === "live" && live.cursor?.position === eventsMax / this.tenants.length;
      if (!isWhole || others.length > 0 || check?.live !== check?.fresh) throw new Error("a rebuild is not whole");
      found.push(live.build);
    }
    return found;
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}

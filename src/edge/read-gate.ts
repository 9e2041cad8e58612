/**
 * Gives the store's connections out fairly, so that a tenant that reads without end keeps neither other tenants nor the
 * edge's own fold of the platform waiting.
 */
import { EventplaneError, PLATFORM_TENANT_ID, type TenantId } from "../kernel/index.js";
import type { PersonalData } from "../personal/index.js";
import type { ProjectionRows } from "../projection/index.js";
import type { LogReader } from "../store/index.js";
import type { ResourceSource } from "./dependencies.js";

/** Reads of all tenants under way at once. */
const readsMax = 6;
/** Of one tenant, so that there is always room for another. */
const tenantReadsMax = 3;
/** Reads of one tenant that wait. */
const tenantWaitingMax = 1_000;

interface Lane {
  running: number;
  readonly waiting: (() => void)[];
}

/** Lets reads through: each tenant's in their order, tenants in turn. */
export class ReadGate {
  /** Tenants with reads; the one that was let through last is at the end. */
  readonly #lanes = new Map<TenantId, Lane>();
  #running = 0;

  /**
   * Runs the read when it is its turn.
   *
   * @throws EventplaneError `busy` when too many reads of this tenant wait
   */
  async run<Result>(tenantId: TenantId, read: () => Promise<Result>): Promise<Result> {
    const lane = this.#laneOf(tenantId);
    if (!this.#mayStart(lane)) await this.#turn(lane);
    else this.#start(lane);
    try {
      return await read();
    } finally {
      this.#end(tenantId, lane);
    }
  }

  #laneOf(tenantId: TenantId): Lane {
    const lane = this.#lanes.get(tenantId) ?? { running: 0, waiting: [] };
    this.#lanes.set(tenantId, lane);
    return lane;
  }

  #mayStart(lane: Lane): boolean {
    return this.#running < readsMax && lane.running < tenantReadsMax;
  }

  #start(lane: Lane): void {
    this.#running++;
    lane.running++;
  }

  #turn(lane: Lane): Promise<void> {
    if (lane.waiting.length >= tenantWaitingMax) {
      throw new EventplaneError("busy", "Too many reads of this tenant are waiting. Send fewer at once.");
    }
    return new Promise((resolve) => lane.waiting.push(resolve));
  }

  #end(tenantId: TenantId, lane: Lane): void {
    this.#running--;
    lane.running--;
    this.#startNext();
    if (lane.running === 0 && lane.waiting.length === 0) this.#lanes.delete(tenantId);
  }

  /** One read has ended, so at most one begins. */
  #startNext(): void {
    for (const [tenantId, lane] of this.#lanes) {
      if (lane.waiting.length === 0 || !this.#mayStart(lane)) continue;
      this.#start(lane);
      this.#lanes.delete(tenantId);
      this.#lanes.set(tenantId, lane);
      lane.waiting.shift()?.();
      return;
    }
  }
}

/** The reader behind the gate. */
export function gatedReader(reader: LogReader, gate: ReadGate): LogReader {
  return {
    read: (tenantId, query) => gate.run(tenantId, () => reader.read(tenantId, query)),
    readByIds: (tenantId, ids) => gate.run(tenantId, () => reader.readByIds(tenantId, ids)),
    readStream: (tenantId, stream, options) => gate.run(tenantId, () => reader.readStream(tenantId, stream, options)),
    head: (tenantId) => gate.run(tenantId, () => reader.head(tenantId)),
  };
}

/** The resources behind the gate. */
export function gatedResources(resources: ResourceSource, gate: ReadGate): ResourceSource {
  return {
    get: (tenantId, stream) => gate.run(tenantId, () => resources.get(tenantId, stream)),
    list: (tenantId, query) => gate.run(tenantId, () => resources.list(tenantId, query)),
    count: (tenantId, max) => gate.run(tenantId, () => resources.count(tenantId, max)),
    position: (tenantId) => gate.run(tenantId, () => resources.position(tenantId)),
  };
}

/** The resources with their personal data open, for whoever may read them. */
export function openedResources(resources: ResourceSource, personal: PersonalData): ResourceSource {
  return {
    get: async (tenantId, stream) => {
      const resource = await resources.get(tenantId, stream);
      return resource === undefined ? undefined : personal.openValue(tenantId, resource);
    },
    list: async (tenantId, query) => personal.openValue(tenantId, await resources.list(tenantId, query)),
    count: (tenantId, max) => resources.count(tenantId, max),
    position: (tenantId) => resources.position(tenantId),
  };
}

/** The rows of projections behind the gate. */
export function gatedRows(rows: ProjectionRows, gate: ReadGate): ProjectionRows {
  return {
    read: (tenantId, query) => gate.run(tenantId, () => rows.read(tenantId, query)),
    sums: (query) => gate.run(PLATFORM_TENANT_ID, () => rows.sums(query)),
    position: (tenantId, projection) => gate.run(tenantId, () => rows.position(tenantId, projection)),
  };
}

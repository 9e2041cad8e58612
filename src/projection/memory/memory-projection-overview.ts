/** How projections in memory stand. */
import { EventplaneError, type TenantId } from "../../kernel/index.js";
import type { ProjectionOverview, ProjectionSummary, StoppedTenant, TenantProjection } from "../projection-port.js";
import type { MemoryProjectionStore } from "./memory-projection-store.js";

/** Over the stores of one process, by name of the projection, and the tenants that have a log. */
export class MemoryProjectionOverview implements ProjectionOverview {
  readonly #stores: ReadonlyMap<string, MemoryProjectionStore>;
  readonly #tenants: () => readonly TenantId[];

  constructor(stores: ReadonlyMap<string, MemoryProjectionStore>, tenants: () => readonly TenantId[]) {
    this.#stores = stores;
    this.#tenants = tenants;
  }

  tenant(tenantId: TenantId, projection: string): Promise<TenantProjection> {
    return this.#store(projection).tenant(tenantId);
  }

  summary(projection: string, platformVersion: number): Promise<ProjectionSummary> {
    return this.#store(projection).summary(platformVersion);
  }

  async stopped(projection: string, limit: number): Promise<readonly StoppedTenant[]> {
    const store = this.#store(projection);
    const stopped: StoppedTenant[] = [];
    for (const tenantId of [...this.#tenants()].sort()) {
      const { failure } = await store.tenant(tenantId);
      if (failure !== undefined && stopped.length < limit) stopped.push({ ...failure, tenantId });
    }
    return stopped;
  }

  #store(projection: string): MemoryProjectionStore {
    const store = this.#stores.get(projection);
    if (store !== undefined) return store;
    throw new EventplaneError("not_found", "This app has no such projection.");
  }
}

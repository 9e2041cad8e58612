/**
 * What slow clients of a tenant make this process hold: bodies that are still coming, answers that are not taken yet. Bounded for
 * each tenant, so that none can fill the memory of all.
 */
import type { ServerResponse } from "node:http";
import { EventplaneError, type TenantId } from "../kernel/index.js";

const tenantHeldBytesMax = 67_108_864;

/** Counts bytes by tenant. */
export class HeldBytes {
  readonly #bytes = new Map<TenantId, number>();
  readonly #refusal: string;

  /** `refusal` is what the tenant's clients are told while they have to wait. */
  constructor(refusal: string) {
    this.#refusal = refusal;
  }

  /** @throws EventplaneError `busy` when 64 MiB are held for the tenant */
  assertRoom(tenantId: TenantId): void {
    if ((this.#bytes.get(tenantId) ?? 0) >= tenantHeldBytesMax) throw new EventplaneError("busy", this.#refusal);
  }

  /**
   * Counts the bytes until the exchange is over. Room is looked for again: many may have been let in before any of them held a byte.
   *
   * @throws EventplaneError `busy` when 64 MiB are held for the tenant
   */
  hold(tenantId: TenantId, bytes: number, exchange: ServerResponse): void {
    exchange.once("close", this.take(tenantId, bytes));
  }

  /**
   * Counts the bytes until the function is called that it gives.
   *
   * @throws EventplaneError `busy` when 64 MiB are held for the tenant
   */
  take(tenantId: TenantId, bytes: number): () => void {
    this.assertRoom(tenantId);
    this.#add(tenantId, bytes);
    return () => this.#add(tenantId, -bytes);
  }

  #add(tenantId: TenantId, bytes: number): void {
    const sum = (this.#bytes.get(tenantId) ?? 0) + bytes;
    if (sum > 0) this.#bytes.set(tenantId, sum);
    else this.#bytes.delete(tenantId);
  }
}

/** What large answers still wait for slow clients, so that a tenant whose clients take nothing cannot fill the memory. */
import type { ServerResponse } from "node:http";
import { EventplaneError, type TenantId } from "../kernel/index.js";

const tenantUnsentBytesMax = 67_108_864;

/** Counts the bytes of answers that were made and not yet taken, by tenant. */
export class UnsentAnswers {
  readonly #bytes = new Map<TenantId, number>();

  /** @throws EventplaneError `busy` when the tenant's clients have 64 MiB to take before they get more */
  assertRoom(tenantId: TenantId): void {
    if ((this.#bytes.get(tenantId) ?? 0) < tenantUnsentBytesMax) return;
    throw new EventplaneError("busy", "Clients of this tenant have not taken the answers that they asked for.");
  }

  /** Counts the answer until it was taken or its connection is gone. */
  count(tenantId: TenantId, answer: { readonly raw: ServerResponse; readonly bytes: number }): void {
    this.#add(tenantId, answer.bytes);
    answer.raw.once("close", () => this.#add(tenantId, -answer.bytes));
  }

  #add(tenantId: TenantId, bytes: number): void {
    const sum = (this.#bytes.get(tenantId) ?? 0) + bytes;
    if (sum > 0) this.#bytes.set(tenantId, sum);
    else this.#bytes.delete(tenantId);
  }
}

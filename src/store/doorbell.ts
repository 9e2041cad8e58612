/** The doorbell of one process: who appends rings, who waits for news listens. */
import type { Doorbell, TenantId } from "../kernel/index.js";

type Listener = (tenantId: TenantId, position: number) => void;

/** How to make a doorbell. */
export interface DoorbellOptions {
  /** What a listener threw; it is listening still, and the others were called. */
  readonly onError?: (error: unknown) => void;
}

/** A doorbell without listeners. Listeners run synchronously within `ring`, so they must be short. */
export function createDoorbell(options: DoorbellOptions = {}): Doorbell {
  // A set of its own for each registration, so that one function may listen twice.
  const everybody = new Set<{ readonly listener: Listener }>();
  const byTenant = new Map<TenantId, Set<{ readonly listener: Listener }>>();

  const call = (
    registrations: Iterable<{ readonly listener: Listener }>,
    tenantId: TenantId,
    position: number,
  ): void => {
    for (const { listener } of registrations) {
      try {
        listener(tenantId, position);
      } catch (error) {
        options.onError?.(error);
      }
    }
  };

  return {
    ring: (tenantId, position) => {
      // Copies: a listener may stop itself or others while it is called.
      const own = byTenant.get(tenantId);
      if (own !== undefined) call([...own], tenantId, position);
      if (everybody.size > 0) call([...everybody], tenantId, position);
    },
    listen: (listener, tenantId) => {
      const registration = { listener };
      if (tenantId === undefined) {
        everybody.add(registration);
        return () => void everybody.delete(registration);
      }
      const own = byTenant.get(tenantId) ?? new Set();
      byTenant.set(tenantId, own.add(registration));
      return () => {
        own.delete(registration);
        if (own.size === 0 && byTenant.get(tenantId) === own) byTenant.delete(tenantId);
      };
    },
  };
}

/** How the whole plane stands, as operators see it. */

/** A process of the plane. */
export interface ProcessInfo {
  readonly processId: string;
  readonly name: string;
  readonly roles: readonly string[];
  /** Of the package, and of the application. */
  readonly version: string;
  readonly codeVersion: string;
  /** Why it is not ready; empty when it is. */
  readonly reasons: readonly string[];
  readonly degraded: readonly string[];
  readonly startedAt: string;
  /** How long ago it said that it runs; every 5 s it does. */
  readonly seenSeconds: number;
}

/** How the whole plane stands. */
export interface PlaneStatus {
  readonly processes: readonly ProcessInfo[];
  /** How far each consumer is behind the logs of all tenants. */
  readonly consumers: readonly {
    readonly consumer: string;
    readonly tenants: number;
    readonly tenantsBehind: number;
    readonly eventsBehind: number;
    /** Of the tenant that is furthest behind. */
    readonly eventsBehindMax: number;
  }[];
  /** The work rows of each controller and worker. */
  readonly work: readonly {
    readonly component: string;
    readonly due: number;
    readonly later: number;
    readonly leased: number;
    readonly dead: number;
    readonly oldestSeconds: number;
  }[];
  /** Which process leads each projection. */
  readonly leaders: readonly {
    readonly projection: string;
    readonly processId: string;
    readonly epoch: number;
    readonly leaseSeconds: number;
  }[];
}

/** Which processes run and how far consumers are, over all tenants: what operators look at. */

/** What a process says of itself. */
export interface ProcessReport {
  readonly processId: string;
  readonly name: string;
  readonly roles: readonly string[];
  /** Of this package, and of the application. */
  readonly version: string;
  readonly codeVersion: string;
  /** Why it is not ready; empty when it is. */
  readonly reasons: readonly string[];
  readonly degraded: readonly string[];
}

/** Where processes say that they run. */
export interface ProcessRegister {
  /** Says it, and forgets processes that were not seen for an hour. @throws EventplaneError `unavailable` */
  report(process: ProcessReport): Promise<void>;
  /** It ends in order. @throws EventplaneError `unavailable` */
  leave(processId: string): Promise<void>;
}

/** A process as it was seen last. */
export interface SeenProcess extends ProcessReport {
  /** RFC 3339. */
  readonly startedAt: string;
  /** How long ago it said so; those that end in order are not listed any more. */
  readonly seenSeconds: number;
}

/** How far a consumer is behind the logs. */
export interface ConsumerStatus {
  readonly consumer: string;
  readonly tenants: number;
  readonly tenantsBehind: number;
  readonly eventsBehind: number;
  /** Of the tenant that is furthest behind. */
  readonly eventsBehindMax: number;
}

/** The work rows of a controller or worker. */
export interface WorkStatus {
  readonly component: string;
  readonly due: number;
  /** Timers and retries. */
  readonly later: number;
  readonly leased: number;
  readonly dead: number;
  /** How long the oldest that is due waits. */
  readonly oldestSeconds: number;
}

/** Who leads a projection. */
export interface LeaderStatus {
  readonly projection: string;
  readonly processId: string;
  readonly epoch: number;
  /** How long its lease has still to run; negative: it ended, and nobody has taken it. */
  readonly leaseSeconds: number;
}

/** All of it, of one moment. */
export interface SystemStatus {
  readonly processes: readonly SeenProcess[];
  readonly consumers: readonly ConsumerStatus[];
  readonly work: readonly WorkStatus[];
  readonly leaders: readonly LeaderStatus[];
}

/** Reads it. */
export interface SystemStatusReader {
  /** @throws EventplaneError `unavailable` */
  status(): Promise<SystemStatus>;
}

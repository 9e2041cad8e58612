/** Pools of connections to PostgreSQL. */
import pg from "pg";
import { type Clock, systemClock } from "../../kernel/index.js";

/** How to make a pool. */
export interface PoolOptions {
  /** Connections at most; default 8. */
  readonly connectionsMax?: number;
  /** Shown in pg_stat_activity; default `eventplane`. */
  readonly applicationName?: string;
  /** Wait for a connection, free or new, milliseconds; default 5,000. */
  readonly connectTimeoutMs?: number;
  /** A connection that answers nothing for so long is given up as dead, milliseconds; default 15,000. */
  readonly answerTimeoutMs?: number;
  /** Told of connections that break while nobody waits for them. They are replaced; nothing is to be done. */
  readonly onConnectionLost?: (error: Error) => void;
}

const idleTimeoutMs = 30_000;
const drainMsMax = 1_000;
const drainStepMs = 5;

/**
 * A pool whose broken connections never crash the process.
 *
 * Connections are pipelined: the statements of one transaction leave in one flush. The caller ends the pool.
 */
export function createPool(url: string, options: PoolOptions = {}): pg.Pool {
  const lost = options.onConnectionLost ?? ((): void => undefined);
  const pool = new pg.Pool({
    connectionString: url,
    max: options.connectionsMax ?? 8,
    application_name: options.applicationName ?? "eventplane",
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    query_timeout: options.answerTimeoutMs ?? 15_000,
    idleTimeoutMillis: idleTimeoutMs,
    keepAlive: true,
    pipeline: true,
  });
  pool.on("error", lost);
  // While it is checked out, a connection is nobody's: without a listener its end would end the process.
  pool.on("connect", (client) => client.on("error", lost));
  return pool;
}

/**
 * Ends a pool when those who wait for a connection have had theirs, at the latest after a second: pg's own `end` forgets them, and
 * they would learn of it by their time-out only. Who comes later is refused at once.
 */
export async function endPool(pool: pg.Pool, clock: Clock = systemClock): Promise<void> {
  for (let waitedMs = 0; pool.waitingCount > 0 && waitedMs < drainMsMax; waitedMs += drainStepMs) {
    await clock.sleep(drainStepMs);
  }
  await pool.end();
}

/** Waits for notifications of an intake's database, on a connection of its own. */
import pg from "pg";
import { backoffMs, type Clock, systemRandom } from "../../kernel/index.js";

/** What is listened to. */
export interface IntakeListenerOptions {
  readonly url: string;
  /** The channel: the intake's schema. */
  readonly schema: string;
  readonly clock: Clock;
  readonly onNotice: () => void;
}

const reconnectBackoff = { baseMs: 100, capMs: 30_000 } as const;
const connectTimeoutMs = 5_000;

/** Listens until `signal` aborts. What cannot be heard is found by polling, so failures are only tried again, quietly. */
export async function listenToIntake(options: IntakeListenerOptions, signal: AbortSignal): Promise<void> {
  for (let failures = 1; !signal.aborted; failures++) {
    const isHeard = await listenOnce(options, signal);
    if (isHeard) failures = 1;
    const waitMs = backoffMs(failures, { ...reconnectBackoff, random: systemRandom });
    await options.clock.sleep(waitMs, signal).catch(() => undefined);
  }
}

/** @returns whether it was connected, when the connection has ended */
async function listenOnce({ url, schema, onNotice }: IntakeListenerOptions, signal: AbortSignal): Promise<boolean> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "eventplane intake",
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
  });
  const ended = new Promise<void>((resolve) => client.on("end", resolve).on("error", () => resolve()));
  client.on("notification", onNotice);
  const stop = (): void => void client.end().catch(() => undefined);
  signal.addEventListener("abort", stop, { once: true });
  try {
    await client.connect();
    await client.query(`listen "${schema}"`);
    onNotice(); // what came while nobody listened
    await ended;
    return true;
  } catch {
    return false;
  } finally {
    signal.removeEventListener("abort", stop);
    await client.end().catch(() => undefined);
  }
}

/** Connections that say nothing any more. */
import type { Clock } from "../kernel/time.js";

/** Three heartbeats. */
const silenceMsMax = 45_000;

/** What the server says next; after 45 s without it the connection is given up. */
export async function unlessSilent<Said>(said: Promise<Said>, clock: Clock, ended: AbortController): Promise<Said> {
  const heard = new AbortController();
  const watchdog = clock.sleep(silenceMsMax, heard.signal).then(
    () => ended.abort(),
    () => undefined,
  );
  try {
    return await said;
  } finally {
    heard.abort();
    await watchdog;
  }
}

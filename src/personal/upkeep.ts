/** Keeps the data keys of a database in order: erased ones are destroyed, whatever left them; all get under the newest key. */
import { type Clock, EventplaneError, isEventplaneError } from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import type { DataKeyUpkeep } from "./data-key-port.js";
import type { KeyEncryptionKeys } from "./key-encryption-keys.js";

/** What it needs. */
export interface UpkeepOptions {
  readonly keys: DataKeyUpkeep;
  readonly keks: KeyEncryptionKeys;
  readonly clock: Pick<Clock, "sleep">;
  readonly logger: Logger;
}

const everyMs = 3_600_000;
const againMs = 30_000;
/** Keys that are wrapped anew in one go. */
const rewrappedMax = 200;

/**
 * Makes sure that this process can open every data key that there is.
 *
 * @throws EventplaneError `key_file_invalid` when a key-encryption key is missing: personal data would be unreadable, and as good
 * as erased
 */
export async function assertOpens({ keys, keks }: Pick<UpkeepOptions, "keys" | "keks">): Promise<void> {
  const missing = (await keys.kekIds()).filter((kekId) => !keks.has(kekId));
  if (missing.length === 0) return;
  throw new EventplaneError(
    "key_file_invalid",
    `Personal data in this database are encrypted under key-encryption keys that this process does not have (${missing.join(", ")}): give it the same keys/personal.key as the other processes, or restore it from a backup.`,
    { details: { missing } },
  );
}

/** Once: destroys the keys of erased subjects, and wraps those anew that are under an older key. */
async function keepInOrder({ keys, keks, logger }: Omit<UpkeepOptions, "clock">): Promise<void> {
  const swept = await keys.sweep();
  if (swept > 0) logger.warn({ swept }, "Data keys of erased data subjects were still there, and are destroyed now.");
  const { currentId } = keks;
  if (currentId === undefined) return;
  let rewrapped = 0;
  for (;;) {
    const older = await keys.notUnder(currentId, rewrappedMax);
    for (const key of older) {
      const secret = keks.unwrap(key.tenantId, key);
      await keys.rewrap({ ...keks.wrap(key, secret), tenantId: key.tenantId }, key.wrapped);
    }
    rewrapped += older.length;
    if (older.length < rewrappedMax) break;
  }
  if (rewrapped > 0)
    logger.info(
      { rewrapped },
      "All data keys are under the newest key-encryption key; the older ones may be destroyed.",
    );
}

/** Does so now and every hour, until `signal` aborts. */
export async function runUpkeep(options: UpkeepOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    let waitMs = everyMs;
    try {
      await keepInOrder(options);
    } catch (error) {
      if (!isEventplaneError(error)) throw error;
      options.logger.warn({ code: error.code, reason: error.message }, "Data keys could not be put in order.");
      waitMs = againMs;
    }
    await options.clock.sleep(waitMs, signal).catch(() => undefined);
  }
}

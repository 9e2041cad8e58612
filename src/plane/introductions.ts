/** The introductions of signing keys in the platform's log, as a process without an edge learns them. */
import type { KeyDirectory } from "../event/index.js";
import {
  type Clock,
  EventplaneError,
  isEventplaneError,
  type JsonObject,
  PLATFORM_TENANT_ID,
  type SigningKeyId,
} from "../kernel/index.js";
import type { LogReader } from "../store/index.js";

/** What they are read from, and where they go. */
export interface IntroductionsParts {
  readonly reader: Pick<LogReader, "read">;
  readonly directory: KeyDirectory;
  readonly clock: Clock;
}

const pageEvents = 500;
/** A new key signs nothing before its introduction is in the log, so this is how long its first events wait at most. */
const intervalMs = 1_000;
const waitMs = 30_000;

/** Reads on from where it was; the root's signature is checked on each. */
export class Introductions {
  readonly #parts: IntroductionsParts;
  #position = 0;

  constructor(parts: IntroductionsParts) {
    this.#parts = parts;
  }

  /** Trusts what has been introduced since. @throws EventplaneError `verification_failed`, `unavailable` */
  async read(): Promise<void> {
    const { reader, directory } = this.#parts;
    const filter = { type: "signing-key.introduced" };
    for (;;) {
      const rows = await reader.read(PLATFORM_TENANT_ID, { filter, after: this.#position, limit: pageEvents });
      for (const { specText, position } of rows) {
        directory.accept(JSON.parse(specText) as JsonObject, position); // stored specs are JSON objects; accept checks the signature
        this.#position = position;
      }
      if (rows.length < pageEvents) return;
    }
  }

  /**
   * Waits until the key is introduced: by the first edge that has the root key, which may start at the same time.
   *
   * @throws EventplaneError `key_unknown` after 30 s; `aborted`
   */
  async waitFor(keyId: SigningKeyId, signal?: AbortSignal): Promise<void> {
    const { clock, directory } = this.#parts;
    for (const endMs = clock.monotonicMs() + waitMs; ; ) {
      await this.read();
      if (directory.has(keyId)) return;
      if (clock.monotonicMs() > endMs) break;
      await clock.sleep(intervalMs, signal);
    }
    throw new EventplaneError(
      "key_unknown",
      `Signing key ${keyId} is not introduced: start an edge once with keys/root.key and this key in its data folder.`,
      { details: { keyId } },
    );
  }

  /** Reads every second until `signal` aborts; what cannot be read now is read later. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#parts.clock.sleep(intervalMs, signal);
        await this.read();
      } catch (error) {
        if (!isEventplaneError(error)) throw error;
      }
    }
  }
}

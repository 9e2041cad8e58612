/** The data keys that a process has open, each asked for anew within a second, so that an erased one is forgotten in time. */
import { type Clock, EventplaneError, type IdSource, LruMap, type TenantId } from "../kernel/index.js";
import { type DataKey, newSecret, openDataKey } from "./cipher.js";
import type { DataKeyStore, WrappedKey } from "./data-key-port.js";
import type { KeyEncryptionKeys } from "./key-encryption-keys.js";

/** What a ring needs. */
export interface KeyRingOptions {
  readonly store: DataKeyStore;
  readonly keks: KeyEncryptionKeys;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly ids: Pick<IdSource, "uuid4">;
}

interface Known {
  /** null: there is none with this id, and there never will be again. */
  readonly key: DataKey | null;
  /** When it was last asked for that it is there. */
  readonly askedMs: number;
}

/** Longer than this no key is used without asking whether it is still there. */
const freshMs = 900;
const keysMax = 10_000;
/** Keys of one question to the store. */
const askedMax = 1_000;

/** The open keys of one process. */
export class KeyRing {
  readonly #options: KeyRingOptions;
  readonly #byId = new LruMap<string, Known>(keysMax);
  readonly #idOf = new LruMap<string, string>(keysMax);

  constructor(options: KeyRingOptions) {
    this.#options = options;
  }

  /**
   * The keys of subjects, made where there are none.
   *
   * @throws EventplaneError `subject_erased`, `key_unknown`, `config_invalid` without a key-encryption key, `unavailable`
   */
  async ofSubjects(tenantId: TenantId, subjects: readonly string[]): Promise<ReadonlyMap<string, DataKey>> {
    const found = new Map<string, DataKey>();
    const missing = [...new Set(subjects)].filter((subject) => {
      const known = this.#fresh(tenantId, this.#idOf.get(`${tenantId} ${subject}`));
      if (known?.key) found.set(subject, known.key);
      return !known?.key;
    });
    for (const part of parted(missing)) {
      const askedMs = this.#options.clock.monotonicMs();
      const rows = await this.#options.store.ofSubjects(tenantId, part);
      for (const row of rows) found.set(row.subject, this.#keep(tenantId, row, askedMs));
    }
    for (const subject of missing) {
      if (!found.has(subject)) found.set(subject, await this.#make(tenantId, subject));
    }
    return found;
  }

  /** The keys with these ids that there are; those of erased subjects are not. @throws EventplaneError `key_unknown`, `unavailable` */
  async ofIds(tenantId: TenantId, keyIds: readonly string[]): Promise<ReadonlyMap<string, DataKey>> {
    const found = new Map<string, DataKey>();
    const missing = [...new Set(keyIds)].filter((keyId) => {
      const known = this.#fresh(tenantId, keyId);
      if (known?.key) found.set(keyId, known.key);
      return known === undefined;
    });
    for (const part of parted(missing)) {
      const askedMs = this.#options.clock.monotonicMs();
      const rows = await this.#options.store.ofIds(tenantId, part);
      for (const row of rows) found.set(row.keyId, this.#keep(tenantId, row, askedMs));
      for (const keyId of part) {
        if (!found.has(keyId)) this.#byId.set(`${tenantId} ${keyId}`, { key: null, askedMs: Number.POSITIVE_INFINITY });
      }
    }
    return found;
  }

  /** Forgets a subject's key at once. */
  forget(tenantId: TenantId, subject: string): void {
    const keyId = this.#idOf.get(`${tenantId} ${subject}`);
    this.#idOf.delete(`${tenantId} ${subject}`);
    if (keyId !== undefined) this.#byId.delete(`${tenantId} ${keyId}`);
  }

  #fresh(tenantId: TenantId, keyId: string | undefined): Known | undefined {
    const known = keyId === undefined ? undefined : this.#byId.get(`${tenantId} ${keyId}`);
    const isFresh = known !== undefined && this.#options.clock.monotonicMs() - known.askedMs < freshMs;
    return isFresh ? known : undefined;
  }

  /** What is open already is not unwrapped again. */
  #keep(tenantId: TenantId, row: WrappedKey, askedMs: number): DataKey {
    const { subject, keyId } = row;
    const before = this.#byId.get(`${tenantId} ${keyId}`)?.key;
    const key = before ?? openDataKey({ tenantId, subject, keyId }, this.#options.keks.unwrap(tenantId, row));
    this.#byId.set(`${tenantId} ${keyId}`, { key, askedMs });
    this.#idOf.set(`${tenantId} ${subject}`, keyId);
    return key;
  }

  /** Of several processes that make one at once, one's is kept. */
  async #make(tenantId: TenantId, subject: string): Promise<DataKey> {
    const { store, keks, ids, clock } = this.#options;
    const askedMs = clock.monotonicMs();
    const kept = await store.add(tenantId, keks.wrap({ tenantId, subject, keyId: ids.uuid4() }, newSecret()));
    if (kept !== undefined) return this.#keep(tenantId, kept, askedMs);
    throw erased(subject);
  }
}

/** What is said of a subject whose key is gone. */
export function erased(subject: string): EventplaneError {
  const message = `The personal data of data subject ${subject} were erased for ever. Give whoever it is a new id.`;
  return new EventplaneError("subject_erased", message, { details: { subject } });
}

function parted<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  const parts: (readonly Item[])[] = [];
  for (let from = 0; from < items.length; from += askedMax) parts.push(items.slice(from, from + askedMax));
  return parts;
}

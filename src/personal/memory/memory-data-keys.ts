/** Data keys in memory. */
import type { TenantId } from "../../kernel/index.js";
import { formatUs } from "../../kernel/index.js";
import type { LogReader } from "../../store/index.js";
import type { DataKeyStore, DataKeyUpkeep, ListedKey, TenantWrappedKey, WrappedKey } from "../data-key-port.js";
import { erasedType, subjectAggregate } from "../erased-fact.js";

interface Kept extends TenantWrappedKey {
  readonly createdAt: string;
}

/** What keeps them. */
export class MemoryDataKeys implements DataKeyStore, DataKeyUpkeep {
  readonly #keys = new Map<string, Kept>();
  readonly #reader: LogReader;
  readonly #nowUs: () => number;

  constructor(reader: LogReader, nowUs: () => number) {
    this.#reader = reader;
    this.#nowUs = nowUs;
  }

  ofSubjects(tenantId: TenantId, subjects: readonly string[]): Promise<readonly WrappedKey[]> {
    return this.#standing(tenantId, ({ subject }) => subjects.includes(subject));
  }

  ofIds(tenantId: TenantId, keyIds: readonly string[]): Promise<readonly WrappedKey[]> {
    return this.#standing(tenantId, ({ keyId }) => keyIds.includes(keyId));
  }

  async add(tenantId: TenantId, key: WrappedKey): Promise<WrappedKey | undefined> {
    if (await this.#isErased(tenantId, key.subject)) return undefined;
    const name = `${tenantId} ${key.subject}`;
    const kept = this.#keys.get(name) ?? { ...key, tenantId, createdAt: formatUs(this.#nowUs()) };
    this.#keys.set(name, kept);
    return wrappedOf(kept);
  }

  async destroy(tenantId: TenantId, subject: string): Promise<boolean> {
    return this.#keys.delete(`${tenantId} ${subject}`);
  }

  async list(
    tenantId: TenantId,
    { after = "", limit }: { readonly after?: string; readonly limit: number },
  ): Promise<readonly ListedKey[]> {
    const kept = await this.#keptOf(tenantId, ({ subject }) => subject > after);
    return kept
      .toSorted((one, other) => (one.subject < other.subject ? -1 : 1))
      .slice(0, limit)
      .map(({ subject, keyId, kekId, createdAt }) => ({ subject, keyId, kekId, createdAt }));
  }

  async kekIds(): Promise<readonly string[]> {
    return [...new Set([...this.#keys.values()].map(({ kekId }) => kekId))];
  }

  async sweep(): Promise<number> {
    let swept = 0;
    for (const [name, { tenantId, subject }] of this.#keys) {
      if ((await this.#isErased(tenantId, subject)) && this.#keys.delete(name)) swept++;
    }
    return swept;
  }

  async notUnder(kekId: string, limit: number): Promise<readonly TenantWrappedKey[]> {
    const others = [...this.#keys.values()].filter((key) => key.kekId !== kekId).slice(0, limit);
    return others.map((key) => ({ ...wrappedOf(key), tenantId: key.tenantId }));
  }

  async rewrap(key: TenantWrappedKey, before: Uint8Array): Promise<void> {
    const name = `${key.tenantId} ${key.subject}`;
    const kept = this.#keys.get(name);
    if (kept !== undefined && Buffer.compare(kept.wrapped, before) === 0) this.#keys.set(name, { ...kept, ...key });
  }

  async #standing(tenantId: TenantId, isMeant: (key: Kept) => boolean): Promise<readonly WrappedKey[]> {
    return (await this.#keptOf(tenantId, isMeant)).map(wrappedOf);
  }

  async #keptOf(tenantId: TenantId, isMeant: (key: Kept) => boolean): Promise<readonly Kept[]> {
    const meant = [...this.#keys.values()].filter((key) => key.tenantId === tenantId && isMeant(key));
    const gone = await Promise.all(meant.map(({ subject }) => this.#isErased(tenantId, subject)));
    return meant.filter((_, index) => gone[index] === false);
  }

  async #isErased(tenantId: TenantId, subject: string): Promise<boolean> {
    const stream = { aggregateType: subjectAggregate, aggregateId: subject };
    const events = await this.#reader.readStream(tenantId, stream);
    return events.some(({ type }) => type === erasedType);
  }
}

function wrappedOf({ subject, keyId, kekId, wrapped }: Kept): WrappedKey {
  return { subject, keyId, kekId, wrapped };
}

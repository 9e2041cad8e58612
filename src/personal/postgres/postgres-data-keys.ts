/** Data keys in PostgreSQL, for the role `_edge`; reading alone also for `_runtime`. */
import type pg from "pg";
import { formatUs, type TenantId } from "../../kernel/index.js";
import { ask, askInTenant } from "../../store/postgres/index.js";
import type { DataKeyStore, DataKeyUpkeep, ListedKey, TenantWrappedKey, WrappedKey } from "../data-key-port.js";

interface KeyRow {
  readonly subject: string;
  readonly key_id: string;
  readonly kek_id: string;
  readonly wrapped: Buffer;
}

const columns = "k.subject, k.key_id::text as key_id, k.kek_id, k.wrapped";
const standing = "k.tenant_id = $1::uuid and not eventplane.is_erased(k.tenant_id, k.subject)";

/** $1 tenant, $2 subjects. */
const ofSubjectsSql = {
  name: "ep_data_keys_of_subjects",
  text: `select ${columns} from eventplane.data_keys k where ${standing} and k.subject = any($2::text[])`,
} as const;

/** $1 tenant, $2 key ids. */
const ofIdsSql = {
  name: "ep_data_keys_of_ids",
  text: `select ${columns} from eventplane.data_keys k where ${standing} and k.key_id = any($2::uuid[])`,
} as const;

/** $1 tenant, $2 after, $3 limit. */
const listSql = {
  name: "ep_data_keys_list",
  text: `select k.subject, k.key_id::text as key_id, k.kek_id,
  (extract(epoch from k.created_at) * 1000000)::bigint::text as created_us
from eventplane.data_keys k where ${standing} and k.subject > $2::text order by k.subject limit $3::integer`,
} as const;

/** $1 tenant, $2 subject, $3 key id, $4 key-encryption key, $5 wrapped. */
const addSql = {
  name: "ep_data_key_add",
  text: `select ${columns} from eventplane.data_key_add($1::uuid, $2::text, $3::uuid, $4::text, $5::bytea) k`,
} as const;

/** $1 tenant, $2 subject. */
const destroySql = {
  name: "ep_data_key_destroy",
  text: "select eventplane.data_key_destroy($1::uuid, $2::text) as found",
} as const;

const sweepSql = { name: "ep_data_keys_sweep", text: "select eventplane.data_keys_sweep()::text as swept" } as const;
const keksSql = { name: "ep_data_keys_keks", text: "select k as kek_id from eventplane.data_keys_keks() k" } as const;

/** $1 key-encryption key, $2 limit. */
const notUnderSql = {
  name: "ep_data_keys_not_under",
  text: `select k.tenant_id::text as tenant_id, ${columns} from eventplane.data_keys_not_under($1::text, $2::integer) k`,
} as const;

/** $1 tenant, $2 key id, $3 the wrapping before, $4 key-encryption key, $5 wrapped. */
const rewrapSql = {
  name: "ep_data_key_rewrap",
  text: "select eventplane.data_key_rewrap($1::uuid, $2::uuid, $3::bytea, $4::text, $5::bytea)",
} as const;

/** The data keys of one database. */
export class PostgresDataKeys implements DataKeyStore, DataKeyUpkeep {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async ofSubjects(tenantId: TenantId, subjects: readonly string[]): Promise<readonly WrappedKey[]> {
    const values = [tenantId, [...subjects]];
    return (await askInTenant<KeyRow>(this.#pool, tenantId, { ...ofSubjectsSql, values })).map(wrappedOf);
  }

  async ofIds(tenantId: TenantId, keyIds: readonly string[]): Promise<readonly WrappedKey[]> {
    const values = [tenantId, [...keyIds]];
    return (await askInTenant<KeyRow>(this.#pool, tenantId, { ...ofIdsSql, values })).map(wrappedOf);
  }

  async add(tenantId: TenantId, { subject, keyId, kekId, wrapped }: WrappedKey): Promise<WrappedKey | undefined> {
    const [row] = await ask<KeyRow>(this.#pool, addSql, [tenantId, subject, keyId, kekId, Buffer.from(wrapped)]);
    return row === undefined ? undefined : wrappedOf(row);
  }

  async destroy(tenantId: TenantId, subject: string): Promise<boolean> {
    const [row] = await ask<{ readonly found: boolean }>(this.#pool, destroySql, [tenantId, subject]);
    return row?.found === true;
  }

  async list(
    tenantId: TenantId,
    { after = "", limit }: { readonly after?: string; readonly limit: number },
  ): Promise<readonly ListedKey[]> {
    const statement = { ...listSql, values: [tenantId, after, limit] };
    const rows = await askInTenant<KeyRow & { readonly created_us: string }>(this.#pool, tenantId, statement);
    return rows.map(({ subject, key_id: keyId, kek_id: kekId, created_us: us }) => ({
      subject,
      keyId,
      kekId,
      createdAt: formatUs(Number(us)),
    }));
  }

  async kekIds(): Promise<readonly string[]> {
    return (await ask<{ readonly kek_id: string }>(this.#pool, keksSql, [])).map(({ kek_id }) => kek_id);
  }

  async sweep(): Promise<number> {
    const [row] = await ask<{ readonly swept: string }>(this.#pool, sweepSql, []);
    return Number(row?.swept ?? 0);
  }

  async notUnder(kekId: string, limit: number): Promise<readonly TenantWrappedKey[]> {
    const rows = await ask<KeyRow & { readonly tenant_id: TenantId }>(this.#pool, notUnderSql, [kekId, limit]);
    return rows.map((row) => ({ ...wrappedOf(row), tenantId: row.tenant_id }));
  }

  async rewrap({ tenantId, keyId, kekId, wrapped }: TenantWrappedKey, before: Uint8Array): Promise<void> {
    const values = [tenantId, keyId, Buffer.from(before), kekId, Buffer.from(wrapped)];
    await ask(this.#pool, rewrapSql, values);
  }
}

function wrappedOf({ subject, key_id: keyId, kek_id: kekId, wrapped }: KeyRow): WrappedKey {
  return { subject, keyId, kekId, wrapped };
}

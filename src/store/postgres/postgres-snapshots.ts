/** Snapshots in PostgreSQL, under the row security of the tenant that they belong to. */
import type pg from "pg";
import type { Snapshot } from "../../event/index.js";
import type { SigningKeyId, TenantId } from "../../kernel/index.js";
import type { SnapshotStore } from "../snapshot-port.js";
import { ask } from "./ask.js";

import { settingTenant } from "./read-statements.js";

interface SnapshotRow {
  readonly version: string;
  readonly generation: string;
  readonly event_hash: Buffer;
  readonly fold_digest: Buffer;
  readonly state: string;
  readonly key_id: string;
  readonly signature: Buffer;
}

/** $1 tenant, $2 aggregate type, $3 aggregate id. */
const readSql = {
  name: "ep_snapshot_read",
  text: settingTenant(`select n.version, n.generation, n.event_hash, n.fold_digest, n.state, n.key_id, n.signature
from eventplane.snapshots n
where n.tenant_id = $1::uuid and n.aggregate_type = $2::text and n.aggregate_id = $3::text`),
} as const;

/** $1 tenant, $2 and $3 stream, $4 version, $5 generation, $6 event hash, $7 fold digest, $8 state, $9 key, $10 signature. */
const writeSql = {
  name: "ep_snapshot_write",
  text: `select eventplane.snapshot_write($1::uuid, $2::text, $3::text, $4::bigint, $5::bigint, $6::bytea, $7::bytea,
    $8::text, $9::uuid, $10::bytea)`,
} as const;

/** The snapshots of one database, for the role `_runtime`; `read` alone also for `_edge`. */
export class PostgresSnapshots implements SnapshotStore {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async read(
    tenantId: TenantId,
    { aggregateType, aggregateId }: { readonly aggregateType: string; readonly aggregateId: string },
  ): Promise<Snapshot | undefined> {
    const [row] = await ask<SnapshotRow>(this.#pool, readSql, [tenantId, aggregateType, aggregateId]);
    if (row === undefined) return undefined;
    return {
      tenantId,
      aggregateType,
      aggregateId,
      version: Number(row.version),
      generation: Number(row.generation),
      eventHash: row.event_hash,
      foldDigest: row.fold_digest,
      stateText: row.state,
      keyId: row.key_id as SigningKeyId, // a column of UUIDs; whose it is, the signature tells
      signature: row.signature,
    };
  }

  async write(snapshot: Snapshot): Promise<void> {
    const { tenantId, aggregateType, aggregateId, version, generation, stateText, keyId } = snapshot;
    const bytes = [snapshot.eventHash, snapshot.foldDigest, snapshot.signature].map((part) => Buffer.from(part));
    const [eventHash, foldDigest, signature] = bytes;
    await ask(this.#pool, writeSql, [
      tenantId,
      aggregateType,
      aggregateId,
      version,
      generation,
      eventHash,
      foldDigest,
      stateText,
      keyId,
      signature,
    ]);
  }
}

/** Progress of replays in PostgreSQL. */
import type pg from "pg";
import type { TenantId } from "../../kernel/index.js";
import { ask, askInTenant } from "../../store/postgres/index.js";
import type { ReplayProgress, ReplayProgressStore, ReplayResults } from "../port.js";

/** $1 tenant, $2 replays. */
const progressOf = {
  name: "ep_replay_progress",
  text: `select replay_id, position, events, results, first_failure from eventplane.replays
    where tenant_id = $1::uuid and replay_id = any ($2::uuid[])`,
};

/** $1 tenant, $2 replay, $3 position, $4 events, $5 results, $6 first failure or null. */
const save = {
  name: "ep_replay_save",
  text: `insert into eventplane.replays as r (tenant_id, replay_id, position, events, results, first_failure)
    values ($1::uuid, $2::uuid, $3::bigint, $4::bigint, $5::jsonb, $6::text)
    on conflict (tenant_id, replay_id) do update set
      position = excluded.position, events = excluded.events, results = excluded.results,
      first_failure = excluded.first_failure
    where r.position <= excluded.position`,
};

interface ProgressRow {
  readonly replay_id: string;
  readonly position: string;
  readonly events: string;
  readonly results: ReplayResults;
  readonly first_failure: string | null;
}

/** The table of one database: `_runtime` notes, `_edge` reads those of the tenant that it serves. */
export class PostgresReplayProgress implements ReplayProgressStore {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async progress(tenantId: TenantId, replayIds: readonly string[]): Promise<ReadonlyMap<string, ReplayProgress>> {
    const rows = await askInTenant<ProgressRow>(this.#pool, tenantId, { ...progressOf, values: [tenantId, replayIds] });
    return new Map(rows.map((row) => [row.replay_id, decode(row)]));
  }

  async save(tenantId: TenantId, replayId: string, progress: ReplayProgress): Promise<void> {
    const { position, events, results, firstFailure } = progress;
    const values = [tenantId, replayId, position, events, JSON.stringify(results), firstFailure];
    await ask(this.#pool, save, values);
  }
}

function decode({ position, events, results, first_failure: firstFailure }: ProgressRow): ReplayProgress {
  return { position: Number(position), events: Number(events), results, firstFailure };
}

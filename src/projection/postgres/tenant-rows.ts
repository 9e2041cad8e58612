/** The bookkeeping of a tenant in a projection, as its rows say it. */
import type { Build, BuildRole, TenantProjection } from "../projection-port.js";

/** A row of the statement `builds`. */
export interface BuildRow {
  readonly build: string;
  readonly role: BuildRole;
  readonly version: number;
  readonly fingerprint: string;
  readonly log_epoch: number;
  readonly position: string;
  readonly hash: Buffer;
  readonly started_at_us: string;
}

/** A row of the statement `notes`. */
export interface NotesRow {
  readonly own_version: string;
  readonly platform_version: string;
  readonly paused: boolean;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
  readonly failure_position: string | null;
  readonly check_position: string | null;
  readonly check_live: string | null;
  readonly check_fresh: string | null;
}

/** Puts both together; a tenant without a row has nothing noted. */
export function decodeTenant(builds: readonly BuildRow[], notes: NotesRow | undefined): TenantProjection {
  const { failure_code: code = null, check_position: checked = null } = notes ?? {};
  return {
    builds: builds.map(decodeBuild),
    ownVersion: Number(notes?.own_version ?? 0),
    platformVersion: Number(notes?.platform_version ?? 0),
    isPaused: notes?.paused === true,
    failure:
      code === null
        ? undefined
        : { code, message: notes?.failure_message ?? "", position: Number(notes?.failure_position ?? 0) },
    check:
      checked === null
        ? undefined
        : { position: Number(checked), live: notes?.check_live ?? "", fresh: notes?.check_fresh ?? "" },
  };
}

function decodeBuild(row: BuildRow): Build {
  const position = Number(row.position);
  return {
    build: Number(row.build),
    role: row.role,
    version: row.version,
    fingerprint: row.fingerprint,
    cursor: position === 0 ? undefined : { logEpoch: row.log_epoch, position, hash: row.hash },
    startedAtUs: Number(row.started_at_us),
  };
}

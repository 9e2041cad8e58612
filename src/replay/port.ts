/** What a replay needs of the outside: whom it gives history to, and where it notes how far it is. */
import type { EventRow } from "../event/index.js";
import type { TenantId } from "../kernel/index.js";
import type { ReplayTargetName } from "./definition.js";

/** How often what came of it; which results there are is the target's to say. */
export type ReplayResults = Readonly<Record<string, number>>;

/** One slice of history. */
export interface ReplaySlice {
  readonly replayId: string;
  readonly tenantId: TenantId;
  /** In position order. */
  readonly rows: readonly EventRow[];
  readonly dryRun: boolean;
  readonly allowEffects: boolean;
  /** Called between steps: throws `lease_lost` when another process has taken the replay over. */
  readonly hold: () => Promise<void>;
}

/** What came of a slice. */
export interface ReplayGiven {
  /** How many of its rows, from the first on; at least one. The rest is given in the next turn. */
  readonly given: number;
  readonly results: ReplayResults;
  /** The first thing that went wrong in it, for people; no payloads. */
  readonly failure?: string | undefined;
}

/** One consumer. Given the same history again it adds nothing. */
export interface ReplayTarget {
  /** @throws EventplaneError when the system was not able to; the slice is given again */
  give(slice: ReplaySlice): Promise<ReplayGiven>;
}

/** The consumers of this process, by kind. */
export type ReplayTargets = Readonly<Record<ReplayTargetName["kind"], (name: string) => ReplayTarget | undefined>>;

/** How far a replay is. Bookkeeping: what it has come to is told by its events. */
export interface ReplayProgress {
  /** Everything up to here was looked at. */
  readonly position: number;
  /** Events of the filter that were given. */
  readonly events: number;
  readonly results: ReplayResults;
  readonly firstFailure: string | null;
}

/** Where progress is read; all that the edge needs of it. */
export interface ReplayProgressReader {
  /** By replay; those of a tenant that have begun. */
  progress(tenantId: TenantId, replayIds: readonly string[]): Promise<ReadonlyMap<string, ReplayProgress>>;
}

/** Where progress is noted. Every method throws `unavailable` when the store cannot be reached. */
export interface ReplayProgressStore extends ReplayProgressReader {
  /** Notes it, unless it is noted that the replay is further already. */
  save(tenantId: TenantId, replayId: string, progress: ReplayProgress): Promise<void>;
}

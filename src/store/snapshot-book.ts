/** Takes signed snapshots of long streams and opens those that can be believed. */
import {
  type AppDefinition,
  type EventRow,
  foldDigest,
  type KeyDirectory,
  openSnapshot,
  type Resource,
  type SnapshotFault,
  takeSnapshot,
  type Verifier,
} from "../event/index.js";
import { type Clock, isEventplaneError, limits, type Signer, type TenantId } from "../kernel/index.js";
import type { LogReader } from "./port.js";
import type { SnapshotReader, SnapshotStore } from "./snapshot-port.js";

/** What became of a snapshot. */
export type SnapshotResult = "used" | "taken" | "failed" | `refused_${SnapshotFault}`;

/** One snapshot and what became of it. */
export interface SnapshotNews {
  readonly result: SnapshotResult;
  readonly tenantId: TenantId;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly version: number;
}

/** How to make a book. */
export interface SnapshotBookOptions {
  readonly snapshots: SnapshotReader;
  /** Whoever folds as the runtime takes snapshots too; others only open them. */
  readonly keeper?: { readonly signer: Signer; readonly snapshots: SnapshotStore };
  readonly reader: LogReader;
  readonly verifier: Verifier;
  readonly directory: KeyDirectory;
  readonly app: Pick<AppDefinition, "aggregates">;
  readonly clock: Pick<Clock, "nowUs">;
  /** Told of every snapshot that was used, taken or refused. Never throws. */
  readonly onNews?: (news: SnapshotNews) => void;
}

/** Writes under way at once; a stream whose turn does not come is tried again with its next events. */
const writesMax = 4;

/**
 * A snapshot binds the state to the event that it was folded up to, and by its chain hash to the log before; it is refused
 * when the log says otherwise there, and the stream is folded from its beginning, which then replaces it.
 */
export class SnapshotBook {
  readonly #options: SnapshotBookOptions;
  readonly #writes = new Set<Promise<void>>();

  constructor(options: SnapshotBookOptions) {
    this.#options = options;
  }

  /**
   * The fold that the snapshot of a stream holds; undefined when there is none that can be believed.
   *
   * @throws EventplaneError as the reader and the verifier of the log
   */
  async open(
    tenantId: TenantId,
    stream: { readonly aggregateType: string; readonly aggregateId: string },
  ): Promise<Resource | undefined> {
    const { snapshots, reader, verifier, directory, app, clock } = this.#options;
    const snapshot = await snapshots.read(tenantId, stream);
    if (snapshot === undefined) return undefined;
    const at = { afterVersion: snapshot.version - 1, limit: 1 };
    const [row] = await reader.readStream(tenantId, stream, at);
    if (row !== undefined) verifier.verify(row);
    const opened = openSnapshot(snapshot, {
      directory,
      foldDigest: foldDigest(app.aggregates.get(stream.aggregateType)),
      nowUs: clock.nowUs(),
      row,
    });
    const isRefused = typeof opened === "string";
    this.#options.onNews?.({ ...nameOf(snapshot), result: isRefused ? `refused_${opened}` : "used" });
    return isRefused ? undefined : opened;
  }

  /**
   * Takes a snapshot when the fold has moved on far enough since the last one; it is written while others work.
   *
   * @param row the verified event at the resource's version
   * @returns the version of the last snapshot now
   */
  keep(resource: Resource, { row, last }: { readonly row: EventRow; readonly last: number }): number {
    const { keeper } = this.#options;
    if (keeper === undefined || resource.version - last < limits.snapshotEvents || this.#writes.size >= writesMax) {
      return last;
    }
    const digest = foldDigest(this.#options.app.aggregates.get(resource.aggregateType));
    const snapshot = takeSnapshot(keeper.signer, { resource, row, foldDigest: digest });
    if (snapshot.stateText.length <= limits.snapshotCharactersMax) {
      const write = this.#write(keeper.snapshots.write(snapshot), nameOf(snapshot));
      this.#writes.add(write);
      void write.then(() => this.#writes.delete(write));
    }
    return resource.version;
  }

  /** Waits until what was taken is written. */
  async settled(): Promise<void> {
    await Promise.all(this.#writes);
  }

  /** A snapshot that is not written costs a longer fold, nothing else. */
  async #write(writing: Promise<void>, name: Omit<SnapshotNews, "result">): Promise<void> {
    try {
      await writing;
      this.#options.onNews?.({ ...name, result: "taken" });
    } catch (error) {
      if (!isEventplaneError(error)) throw error;
      this.#options.onNews?.({ ...name, result: "failed" });
    }
  }
}

function nameOf({
  tenantId,
  aggregateType,
  aggregateId,
  version,
}: Omit<SnapshotNews, "result">): Omit<SnapshotNews, "result"> {
  return { tenantId, aggregateType, aggregateId, version };
}

/** Snapshots as a role of the plane sees them, with what became of each in metrics and log. */
import type { AppDefinition, KeyDirectory, Verifier } from "../event/index.js";
import type { Clock } from "../kernel/index.js";
import type { Logger, Metrics } from "../observe/index.js";
import {
  type LogReader,
  SnapshotBook,
  type SnapshotBookOptions,
  type SnapshotNews,
  type SnapshotReader,
} from "../store/index.js";

/** What a role gives. */
export interface OpenSnapshotsParts {
  readonly snapshots: SnapshotReader;
  /** Of the runtime; absent: snapshots are opened only. */
  readonly keeper?: NonNullable<SnapshotBookOptions["keeper"]>;
  readonly reader: LogReader;
  readonly verifier: Verifier;
  readonly directory: KeyDirectory;
  readonly app: AppDefinition;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, "snapshot">;
  readonly logger: Logger;
}

/** The book of a role. */
export function openSnapshots({ metrics, logger, ...parts }: OpenSnapshotsParts): SnapshotBook {
  const onNews = (news: SnapshotNews): void => {
    metrics.snapshot(news.result);
    tell(logger, news);
  };
  return new SnapshotBook({ ...parts, onNews });
}

function tell(logger: Logger, news: SnapshotNews): void {
  switch (news.result) {
    case "used":
    case "taken":
      return;
    case "failed":
      logger.warn({ ...news }, "A snapshot could not be written; the next one is taken later");
      return;
    case "refused_fold":
      logger.info({ ...news }, "A snapshot is of an aggregate that folds otherwise now; the stream is folded anew");
      return;
    default:
      logger.warn(
        { ...news },
        "A snapshot is not believed; the stream is folded from its beginning. Run evtctl verify.",
      );
  }
}

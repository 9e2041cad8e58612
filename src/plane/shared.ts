/** What the roles of one process share: the log, the keys, the doorbell, the clock. */
import { platformApp } from "../edge/index.js";
import type { AppDefinition, KeyDirectory, Verifier } from "../event/index.js";
import { type Clock, type Doorbell, type Signer, systemRandom } from "../kernel/index.js";
import type { Metrics } from "../observe/index.js";
import { type Appender, Coalescer } from "../store/index.js";
import { PostgresAppender, type PostgresReader } from "../store/postgres/index.js";
import type { DatabasePools } from "./database.js";
import { measuredAppender } from "./measured-appender.js";
import type { Signers } from "./signers.js";
import type { ThreadPool } from "./threads/thread-pool.js";
import type { StandingWatch } from "./watch-backlog.js";

/** What the parts of one plane share. */
export interface Shared {
  readonly app: AppDefinition;
  /** The same for those parts that fold and guard: without the platform's aggregates. */
  readonly folding: AppDefinition;
  readonly pools: DatabasePools;
  readonly signers: Signers;
  readonly directory: KeyDirectory;
  readonly verifier: Verifier;
  readonly logs: Logs;
  readonly reader: PostgresReader;
  readonly clock: Clock;
  readonly doorbell: Doorbell;
  readonly metrics: Metrics;
  readonly standing: StandingWatch;
  /** Undefined: the controllers run in this thread. */
  readonly threads: ThreadPool | undefined;
}

/** The app together with the platform's own aggregates: what the runtime folds and settles. */
export function withPlatform(app: AppDefinition): AppDefinition {
  return { ...app, aggregates: new Map([...app.aggregates, ...platformApp.aggregates]) };
}

export interface Logs {
  readonly edge: Coalescer;
  readonly runtime: Coalescer;
  readonly root: { readonly signer: Signer; readonly log: Coalescer } | undefined;
}

export function openLogs(options: {
  readonly pools: DatabasePools;
  readonly signers: Signers;
  readonly doorbell: Doorbell;
  readonly metrics: Metrics;
  readonly clock: Clock;
}): Logs {
  const { pools, signers, doorbell, clock } = options;
  const edgeAppender = measuredAppender(new PostgresAppender(pools.edge, "edge"), options.metrics);
  const runtimeAppender = measuredAppender(new PostgresAppender(pools.runtime, "runtime"), options.metrics);
  const log = (appender: Appender, signer: Signer): Coalescer =>
    new Coalescer({ appender, signer, doorbell, clock, random: systemRandom });
  return {
    edge: log(edgeAppender, signers.edge.signer),
    runtime: log(runtimeAppender, signers.runtime.signer),
    root: signers.root === undefined ? undefined : { signer: signers.root, log: log(edgeAppender, signers.root) },
  };
}

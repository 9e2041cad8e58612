/** What the roles of one process share: the log, the keys, the doorbell, the clock. */
import { platformApp } from "../edge/index.js";
import type { AppDefinition, KeyDirectory, Verifier } from "../event/index.js";
import { type Clock, type Doorbell, type Signer, systemRandom } from "../kernel/index.js";
import type { Metrics } from "../observe/index.js";
import type { KeyEncryptionKeys } from "../personal/index.js";
import { Coalescer } from "../store/index.js";
import { PostgresAppender } from "../store/postgres/index.js";
import type { DatabasePools } from "./database.js";
import type { Loops } from "./loops.js";
import { measuredAppender } from "./measured-appender.js";
import type { Signers } from "./signers.js";
import type { ThreadPool } from "./threads/thread-pool.js";
import type { StandingWatch } from "./watch-backlog.js";

/** What the parts of one plane share. */
export interface Shared {
  /** Of this process, as leases and the register of processes name it. */
  readonly processId: string;
  readonly app: AppDefinition;
  /** The same for those parts that fold and guard: without the platform's aggregates. */
  readonly folding: AppDefinition;
  readonly pools: DatabasePools;
  readonly signers: Signers;
  readonly directory: KeyDirectory;
  readonly verifier: Verifier;
  readonly logs: Logs;
  readonly clock: Clock;
  readonly doorbell: Doorbell;
  /** What data keys are under. */
  readonly keks: KeyEncryptionKeys;
  readonly metrics: Metrics;
  readonly standing: StandingWatch;
  /** Undefined: the controllers run in this thread. */
  readonly threads: ThreadPool | undefined;
  readonly loops: Loops;
  /** What does not work for somebody, one for each part that can tell. */
  readonly degraded: (() => readonly string[])[];
}

/** The app together with the platform's own aggregates: what the runtime folds and settles. */
export function withPlatform(app: AppDefinition): AppDefinition {
  return { ...app, aggregates: new Map([...app.aggregates, ...platformApp.aggregates]) };
}

/** The log, for each tier that the process appends as; looking at that of another tier is a fault of ours. */
export interface Logs {
  readonly edge: Coalescer;
  readonly runtime: Coalescer;
  readonly root: { readonly signer: Signer; readonly log: Coalescer } | undefined;
  close(): Promise<void>;
}

/** Opens those of the tiers whose keys are held. */
export function openLogs(options: {
  readonly pools: DatabasePools;
  readonly signers: Signers;
  readonly doorbell: Doorbell;
  readonly metrics: Metrics;
  readonly clock: Clock;
}): Logs {
  const { pools, signers, doorbell, clock } = options;
  const opened = new Map<string, Coalescer>();
  const log = (tier: "edge" | "runtime", signer: Signer): Coalescer => {
    const name = `${tier} ${signer.tier}`;
    const known = opened.get(name);
    if (known !== undefined) return known;
    const appender = measuredAppender(new PostgresAppender(pools[tier], tier), options.metrics);
    const coalescer = new Coalescer({ appender, signer, doorbell, clock, random: systemRandom });
    opened.set(name, coalescer);
    return coalescer;
  };
  return {
    get edge() {
      return log("edge", signers.of("edge"));
    },
    get runtime() {
      return log("runtime", signers.of("runtime"));
    },
    get root() {
      const { root } = signers;
      return root === undefined ? undefined : { signer: root, log: log("edge", root) };
    },
    close: async () => void (await Promise.all([...opened.values()].map((each) => each.close()))),
  };
}

/** The intakes of a process: a drainer each, with its own small pool on the application's database. */
import type { AppDefinition, IntakeDefinition } from "../event/index.js";
import { IntakeDrainer } from "../intake/index.js";
import { listenToIntake, PostgresIntakeTable } from "../intake/postgres/index.js";
import { type Clock, systemIds, systemRandom } from "../kernel/index.js";
import type { Logger, Metrics } from "../observe/index.js";
import { type IntakeEdge, IntakePublisher } from "./intake-publisher.js";
import { intakeUrl } from "./intake-url.js";
import { Loops } from "./loops.js";

/** What intakes share with the rest of the process. */
export interface IntakesParts {
  readonly app: Pick<AppDefinition, "intakes">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

interface OpenIntake {
  readonly definition: IntakeDefinition;
  readonly url: string;
  readonly table: PostgresIntakeTable;
}

/** All intakes of an application. */
export class Intakes {
  readonly #parts: IntakesParts;
  readonly #open: readonly OpenIntake[];
  readonly #loops: Loops;
  #drainers: readonly IntakeDrainer[] = [];

  /** @throws EventplaneError `config_invalid` for an intake whose database is not given */
  constructor(parts: IntakesParts) {
    this.#parts = parts;
    this.#loops = new Loops(parts.logger);
    const urls = [...(parts.app.intakes?.values() ?? [])].map((definition) => ({
      definition,
      url: intakeUrl(definition),
    }));
    this.#open = urls.map((each) => ({ ...each, table: this.#tableOf(each) }));
  }

  /** For /readyz: loops that ended although nobody stopped them. */
  get stopped(): readonly string[] {
    return this.#loops.stopped;
  }

  /** For /readyz: what cannot be drained, and what was refused. */
  get degraded(): readonly string[] {
    return this.#drainers.flatMap(({ degraded }) => degraded);
  }

  /** Begins to drain. */
  start(edge: IntakeEdge): void {
    this.#drainers = this.#open.map((open) => this.#startOne(open, edge));
  }

  /** Finishes what is under way and ends the connections. Before the edge is closed. Idempotent. */
  async close(): Promise<void> {
    await this.#loops.close();
    await Promise.all(this.#open.map(({ table }) => table.close()));
  }

  #startOne({ definition, url, table }: OpenIntake, edge: IntakeEdge): IntakeDrainer {
    const { clock, metrics } = this.#parts;
    const { name, schema, pollMs, keepAcceptedMs } = definition;
    const logger = this.#parts.logger.child({ role: "intake" });
    const publisher = new IntakePublisher(edge, definition);
    const drainer = new IntakeDrainer({
      name,
      table,
      publish: (row) => publisher.publish(row),
      clock,
      logger,
      metrics,
      pollMs,
      keepAcceptedMs,
      ids: systemIds,
      random: systemRandom,
    });
    this.#loops.start(`intake_${name}`, (signal) => drainer.run(signal));
    if (definition.listens) {
      const onNotice = (): void => drainer.wake();
      this.#loops.start(`intake_${name}_notices`, (signal) => listenToIntake({ url, schema, clock, onNotice }, signal));
    }
    return drainer;
  }

  #tableOf({ definition: { name, schema }, url }: { definition: IntakeDefinition; url: string }): PostgresIntakeTable {
    const onConnectionLost = (error: Error): void =>
      this.#parts.logger.warn({ intake: name, error }, "A connection to the database of an intake was lost");
    return new PostgresIntakeTable({ url, schema, onConnectionLost });
  }
}

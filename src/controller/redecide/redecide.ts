/**
 * History decided again: the controllers of an app, today's or a candidate's, run on the bases that the log recorded, and
 * what they decide is compared with what was decided. Nothing is written, nobody is called.
 *
 * A decision is recorded only if it made events. So what is found is what would have been decided otherwise where something
 * was decided; a controller that the log does not know has no bases.
 */
import {
  type AppDefinition,
  type DraftEvent,
  emitComponent,
  mutate,
  type Resource,
  readAsk,
  runtimeComponent,
} from "../../event/index.js";
import { assert, type Clock, EventplaneError, formatUs, type JsonValue } from "../../kernel/index.js";
import type { Logger } from "../../observe/index.js";
import type { StreamName } from "../../store/index.js";
import { describeFailure, type WorkFailure } from "../../work/index.js";
import { type LoadedResources, lookupName } from "../lookups.js";
import { type Reconciled, reconcile } from "../reconcile.js";
import { runLoading } from "../run-loading.js";
import { changesBetween, type DecisionChange } from "./decision-changes.js";
import { type RecordedEvent, RecordedFolds, type RecordedLog, type RecordedSince } from "./recorded-log.js";

/** What to decide again, and with what. */
export interface RedecideOptions {
  readonly app: AppDefinition;
  readonly log: RecordedLog;
  /** Measures how long each reconcile takes. */
  readonly clock: Clock;
  /** Default: from the beginning. */
  readonly since?: RecordedSince;
  /** Differences that are given in full; default 20. All are counted. */
  readonly differencesMax?: number;
  /** Called now and then with the position reached. */
  readonly onPosition?: (position: number) => void;
  readonly signal?: AbortSignal;
}

/** A recorded decision that would be another one. */
export interface DecisionDifference {
  /** Null where the app cannot fold the stream any more, so that nobody can decide on it. */
  readonly controller: string | null;
  readonly aggregateType: string;
  readonly aggregateId: string;
  /** The version that was decided on. */
  readonly basisVersion: number;
  /** Of the first event of the recorded decision. */
  readonly position: number;
  readonly recordedAt: string;
  readonly changes: readonly DecisionChange[];
  /** Of the controller, or of the fold. */
  readonly failure?: WorkFailure;
}

/** What came of it. */
export interface Redecided {
  /** Recorded decisions that were decided again. */
  readonly decisions: number;
  /** How many differ, and of how many resources. */
  readonly differing: { readonly decisions: number; readonly resources: number };
  /** The controllers that differ, with how many decisions of each. */
  readonly controllers: Readonly<Record<string, number>>;
  /** Controllers of recorded decisions that the app does not have, with how many decisions of each were left out. */
  readonly unknownControllers: Readonly<Record<string, number>>;
  /** The first differences, in the order of the log. */
  readonly first: readonly DecisionDifference[];
}

const differencesMaxDefault = 20;
const positionsBetweenReports = 1_000;
const silent: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore, child: () => silent };

/**
 * Decides a tenant's recorded decisions again, each on the fold of its stream up to its basis, with the recorded time, the
 * recorded chance and the effects known then. Every controller runs twice, so chance of its own is found too.
 *
 * Memory is bounded by 4,096 folds, and by the names of the resources that differ.
 *
 * @throws EventplaneError of the log's reads; `aborted`
 */
export async function redecide(options: RedecideOptions): Promise<Redecided> {
  const run = new Run(options);
  for await (const row of options.log.read(options.since ?? {})) {
    if (options.signal?.aborted) throw new EventplaneError("aborted", "Deciding again was aborted by its caller.");
    await run.take(row);
    if (row.position % positionsBetweenReports === 0) options.onPosition?.(row.position);
  }
  return run.end();
}

/** The events of one decision, as far as they have been read. */
interface Recorded {
  readonly controller: string;
  readonly basis: Resource;
  readonly rows: RecordedEvent[];
}

class Run {
  readonly #options: RedecideOptions;
  readonly #folds: RecordedFolds;
  readonly #resources = new Set<string>();
  /** Streams that the app cannot fold. */
  readonly #broken = new Set<string>();
  readonly #differing = new Map<string, number>();
  readonly #unknown = new Map<string, number>();
  readonly #first: DecisionDifference[] = [];
  #decisions = 0;
  #differences = 0;
  #open: Recorded | undefined;

  constructor(options: RedecideOptions) {
    this.#options = options;
    this.#folds = new RecordedFolds(options.log, options.app.aggregates);
  }

  async take(row: RecordedEvent): Promise<void> {
    // One append is one decision after another, each without a gap in the log.
    if (this.#open !== undefined && !belongs(row, this.#open)) await this.#close(this.#open);
    const name = `${row.aggregateType}/${row.aggregateId}`;
    if (!this.#options.app.aggregates.has(row.aggregateType) || this.#broken.has(name)) return;
    try {
      const before = await this.#folds.before(row);
      this.#note(row, before);
      this.#folds.advance(before, row);
    } catch (error) {
      if (isOfTheLog(error)) throw error;
      this.#broken.add(name);
      this.#open = undefined;
      this.#differ(row, null, { changes: [], failure: describeFailure(error, "The fold") });
    }
  }

  async end(): Promise<Redecided> {
    if (this.#open !== undefined) await this.#close(this.#open);
    return {
      decisions: this.#decisions,
      differing: { decisions: this.#differences, resources: this.#resources.size },
      controllers: Object.fromEntries(this.#differing),
      unknownControllers: Object.fromEntries(this.#unknown),
      first: this.#first,
    };
  }

  #note(row: RecordedEvent, before: Resource): void {
    if (this.#open !== undefined) {
      this.#open.rows.push(row);
      return;
    }
    const controller = controllerOf(row);
    // The rest of a decision whose beginning was not read has no basis here.
    if (controller === undefined || row.decision?.basisVersion !== before.version) return;
    if (this.#options.app.controllers.get(controller)?.watches !== row.aggregateType) {
      this.#unknown.set(controller, (this.#unknown.get(controller) ?? 0) + 1);
      return;
    }
    this.#open = { controller, basis: before, rows: [row] };
  }

  async #close(recorded: Recorded): Promise<void> {
    this.#open = undefined;
    this.#decisions += 1;
    const [first] = recorded.rows;
    assert(first !== undefined, "a recorded decision has an event");
    const again = await this.#decideAgain(recorded, first);
    if (again.changes.length > 0 || again.failure !== undefined) this.#differ(first, recorded.controller, again);
  }

  async #decideAgain(
    { controller: name, basis, rows }: Recorded,
    first: RecordedEvent,
  ): Promise<Pick<DecisionDifference, "changes" | "failure">> {
    const { app, clock } = this.#options;
    const [controller, aggregate] = [app.controllers.get(name), app.aggregates.get(basis.aggregateType)];
    assert(
      controller !== undefined && aggregate !== undefined,
      "only decisions of the app's controllers are decided again",
    );
    const now = first.decision?.now ?? "";
    let unread: unknown;
    const load = (stream: StreamName): Promise<Resource | null> =>
      this.#lookedUp(stream, first).catch((error: unknown) => {
        unread = error;
        throw error;
      });
    try {
      const options = { app, clock, logger: silent, now, checkDeterminism: true };
      const run = async (loaded: LoadedResources): Promise<Reconciled> =>
        reconcile(controller, basis, { ...options, loaded });
      const reconciled = await runLoading(name, run, load);
      const { items } = mutate.decide({ ...reconciled, resource: basis, aggregate, controller: name, now, app });
      const decided = items.map(({ event }) => event);
      return {
        changes: changesBetween(
          rows.filter(isDecided),
          decided.filter((event) => isDecided(event) && !wasNothing(event, rows)),
        ),
      };
    } catch (error) {
      if (isOfTheLog(unread)) throw unread;
      return { changes: [], failure: describeFailure(error) };
    }
  }

  /** The resource as it was looked up then; one that was not, as it was when the decision was recorded. */
  async #lookedUp(name: StreamName, { tenantId, position, decision }: RecordedEvent): Promise<Resource | null> {
    const stream = { ...name, tenantId };
    const version = decision?.lookups?.[lookupName(name)];
    const fold =
      version === undefined ? await this.#folds.until(stream, position) : await this.#folds.at(stream, version);
    return fold.version === 0 ? null : fold;
  }

  #differ(row: RecordedEvent, controller: string | null, what: Pick<DecisionDifference, "changes" | "failure">): void {
    const { aggregateType, aggregateId, position, version, recordedAtUs, decision } = row;
    this.#differences += 1;
    this.#resources.add(`${aggregateType}/${aggregateId}`);
    if (controller !== null) this.#differing.set(controller, (this.#differing.get(controller) ?? 0) + 1);
    if (this.#first.length >= (this.#options.differencesMax ?? differencesMaxDefault)) return;
    const failure =
      what.failure === undefined ? {} : { failure: { code: what.failure.code, message: what.failure.message } };
    this.#first.push({
      controller,
      aggregateType,
      aggregateId,
      basisVersion: decision?.basisVersion ?? version - 1,
      position,
      recordedAt: formatUs(recordedAtUs),
      changes: what.changes,
      ...failure,
    });
  }
}

function belongs(row: RecordedEvent, { controller, basis }: Recorded): boolean {
  const { decision } = row;
  if (decision === null || decision.basisVersion !== basis.version) return false;
  if (row.aggregateType === basis.aggregateType && row.aggregateId === basis.aggregateId) return true;
  return decision.component === emitComponent(controller) && row.causationId === basis.origin?.id;
}

/** Whose decision an event is; undefined for those of publishers, of the runtime and of workers. */
function controllerOf(row: RecordedEvent): string | undefined {
  const component = row.decision?.component;
  if (component === undefined || component === runtimeComponent) return undefined;
  if (!component.includes(":")) return component;
  return readAsk(row, JSON.parse(row.specText) as JsonValue)?.controller; // texts of events are JSON
}

/** What follows from the finalizers anyway is not compared. */
function isDecided({ decision }: DraftEvent | RecordedEvent): boolean {
  return decision?.component !== runtimeComponent;
}

/** A deletion that was emitted and had nothing to do left no event, only its id in that of the decision. */
function wasNothing({ id }: DraftEvent, rows: readonly RecordedEvent[]): boolean {
  return rows.some(({ decision }) => decision?.emits?.includes(id)) && !rows.some((row) => row.id === id);
}

/** The log could not be read; everything else is the app's. */
function isOfTheLog(error: unknown): boolean {
  return error instanceof EventplaneError && error.code !== "event_corrupt";
}

function ignore(): void {}

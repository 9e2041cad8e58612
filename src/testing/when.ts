/** What a controller decides on a given resource, and the sentences that a test says of it. */
import { AssertionError } from "node:assert";
import { isDeepStrictEqual } from "node:util";
import { type LoadedResources, lookupName, type Reconciled, reconcile } from "../controller/index.js";
import {
  type AggregateDefinition,
  type ControllerDefinition,
  type Decision,
  decisionInvalid,
  mutate,
  type Resource,
  type TypedWorker,
} from "../event/index.js";
import { type Clock, EventplaneError, type JsonObject, limits, parseUs } from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import { type AskedEffect, type Wanted, wantedLines } from "./decision-text.js";
import { pureCall } from "./pure-call.js";

/** One reconcile to be run. */
export interface WhenParts {
  readonly aggregate: AggregateDefinition;
  readonly controller: ControllerDefinition;
  readonly resource: Resource;
  /** RFC 3339. */
  readonly now: string;
  /** Other resources; those that are not among them are not there. */
  readonly loaded: LoadedResources;
}

type Decisions<Status> = Decision<Status> | readonly Decision<Status>[] | undefined;

const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };

/**
 * A decision that waits for its expectation. Everything that a reconcile wants must be expected: an ask is a call to the
 * world outside, so a test never leaves one unsaid.
 */
export class When<Status = JsonObject> {
  readonly #parts: WhenParts;
  readonly #expectedAsks: readonly AskedEffect[];

  /** Use `given(…).when(…)`. */
  constructor(parts: WhenParts, expectedAsks: readonly AskedEffect[]) {
    this.#parts = parts;
    this.#expectedAsks = expectedAsks;
  }

  /** The decisions, for assertions of one's own. @throws what the reconcile throws */
  get decisions(): readonly Decision<Status>[] {
    return this.#run().decisions as readonly Decision<Status>[]; // what the typed controller returned
  }

  /** Expects that the controller asks the worker for this, in the order of these calls. */
  asks<Input>(worker: TypedWorker<Input, unknown>, input: NoInfer<Input>): When<Status> {
    const { name } = worker.definition;
    const ask = { worker: name, input: plain(input) as JsonObject }; // workers take objects
    return new When(this.#parts, [...this.#expectedAsks, ask]);
  }

  /**
   * Expects exactly this decision, and no asks but those of `asks`. What is not decided is `undefined`.
   *
   * Not a promise: there is nothing to await.
   *
   * @throws AssertionError with `expected` and `actual` when it is another one; EventplaneError `decision_not_deterministic`
   * when the reconcile is not pure, `decision_invalid` when its decision could not be stored; else what it throws
   */
  then(expected: Decisions<Status>): void {
    if (typeof expected === "function") {
      throw new EventplaneError("usage", "given(…).when(…).then(…) is no promise: take the await away.");
    }
    const wanted: Wanted = { decisions: listed(expected), asks: this.#expectedAsks };
    const got = this.#run();
    if (isDeepStrictEqual(got, wanted)) return;
    throw new AssertionError({
      message: this.#difference(wanted, got),
      actual: got,
      expected: wanted,
      operator: "then",
    });
  }

  /**
   * Expects that the reconcile throws.
   *
   * @param like the name or the code of the error, or an expression that matches its message
   * @throws AssertionError when it throws another one or decides
   */
  thenThrows(like: string | RegExp): void {
    let got: Wanted;
    try {
      got = this.#run();
    } catch (error) {
      if (isLike(error, like)) return;
      const message = `${this.#subject()} throws ${String(error)}, which is not like ${like}.`;
      throw new AssertionError({ message, actual: error, expected: like, operator: "thenThrows" });
    }
    const message = `${this.#subject()} throws nothing like ${like}, it decides: ${wantedLines(got).join("; ")}.`;
    throw new AssertionError({ message, actual: got, expected: like, operator: "thenThrows" });
  }

  #run(): Wanted {
    const { aggregate, controller, resource, now } = this.#parts;
    const subject = `Controller ${controller.name}`;
    const closed = {
      ...controller,
      reconcile: (context) => pureCall(subject, () => controller.reconcile(context)),
    } satisfies ControllerDefinition;
    const options = { clock: frozenClock(now), logger: silent, now, checkDeterminism: true };
    const { decisions, asks } = this.#settled((loaded) => reconcile(closed, resource, { ...options, loaded }));
    // What could not be stored fails here as it would in a plane.
    mutate.decide({ resource, aggregate, controller: controller.name, decisions, asks, now });
    return {
      decisions: listed(decisions),
      asks: asks.map(({ worker, inputText }) => ({ worker, input: JSON.parse(inputText) as JsonObject })), // canonical text of an object
    };
  }

  /** Runs until all that is looked up is known, or known not to be there. */
  #settled(run: (loaded: LoadedResources) => Reconciled): Reconciled {
    const loaded = { ...this.#parts.loaded };
    for (let count = 0; count <= limits.lookupsMax; count++) {
      const reconciled = run(loaded);
      if (reconciled.missing === undefined) return reconciled;
      loaded[lookupName(reconciled.missing)] = null;
    }
    throw decisionInvalid(this.#parts.controller.name, `it looks up more than ${limits.lookupsMax} resources`);
  }

  #subject(): string {
    const { controller, resource } = this.#parts;
    const { aggregateType, aggregateId, generation, lifecycle, spec, status } = resource;
    const at = `${aggregateType}/${aggregateId} (generation ${generation}, ${lifecycle})`;
    return `Controller ${controller.name} on ${at} with spec ${JSON.stringify(spec)} and status ${JSON.stringify(status)}`;
  }

  #difference(expected: Wanted, got: Wanted): string {
    const shown = (what: string, wanted: Wanted): string =>
      `${what}${wantedLines(wanted).join(`\n${" ".repeat(what.length)}`)}`;
    const { asks } = got;
    const unsaid =
      asks.length > this.#expectedAsks.length
        ? "\n  An ask is expected with .asks(worker, input); what is known already is given with .withEffect(worker, input, outcome)."
        : "";
    return `${this.#subject()} decided otherwise.\n${shown("  expected  ", expected)}\n${shown("  got       ", got)}${unsaid}`;
  }
}

/** As a list, without members that are undefined: what would be stored. */
function listed(decisions: Decisions<unknown>): readonly Decision[] {
  const list = decisions === undefined ? [] : Array.isArray(decisions) ? decisions : [decisions];
  return plain(list) as readonly Decision[]; // checked by mutate, or typed by the test
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function isLike(error: unknown, like: string | RegExp): boolean {
  const { name, message } = error instanceof Error ? error : { name: "", message: String(error) };
  if (typeof like !== "string") return like.test(message);
  return name === like || (error instanceof EventplaneError && error.code === like);
}

function frozenClock(now: string): Clock {
  const us = parseUs(now);
  if (us === undefined)
    throw new EventplaneError("usage", "`now` of given(…) is an RFC 3339 time such as 2026-01-31T09:30:00Z.");
  return { nowUs: () => us, monotonicMs: () => 0, sleep: () => Promise.resolve() };
}

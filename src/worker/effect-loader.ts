/** What the log knows of one effect, each event verified before it is believed. */
import {
  type EffectResult,
  type EventRow,
  effectResultId,
  isJsonObject,
  readAsk,
  type Verifier,
  type WorkerDefinition,
} from "../event/index.js";
import { compileSchema, EventplaneError, type JsonObject, type JsonValue, type SchemaCheck } from "../kernel/index.js";
import type { LogReader } from "../store/index.js";
import { effectRowType, type WorkClaim } from "../work/index.js";

/** One effect. */
export interface LoadedEffect {
  readonly ask: EventRow;
  readonly input: JsonObject;
  readonly hasResult: boolean;
  /** The result that somebody gave by hand. */
  readonly resolved: EffectResult | undefined;
  /** How often somebody decided to call again. */
  readonly retries: number;
}

/** A schema is compiled once in its life. */
const inputChecks = new WeakMap<JsonObject, SchemaCheck>();

/** Why an input, opened, does not fit the worker as it is today; undefined when it does. */
export function inputMisfitOf(worker: WorkerDefinition, input: JsonObject): string | undefined {
  let check = inputChecks.get(worker.inputSchema);
  if (check === undefined) {
    check = compileSchema(worker.inputSchema, { takesMarks: "x-eventplane-personal" });
    inputChecks.set(worker.inputSchema, check);
  }
  const [misfit] = check(input);
  return misfit === undefined ? undefined : `${misfit.pointer || "/"} ${misfit.message}`;
}

/** Reads effects. */
export class EffectLoader {
  readonly #reader: LogReader;
  readonly #verifier: Verifier;

  constructor({ reader, verifier }: { readonly reader: LogReader; readonly verifier: Verifier }) {
    this.#reader = reader;
    this.#verifier = verifier;
  }

  /**
   * The effect that a claim is for.
   *
   * @throws EventplaneError `verification_failed` when its ask is missing or does not verify, `key_unknown`, `unavailable`
   */
  async load({ tenantId, aggregateId }: WorkClaim, worker: WorkerDefinition): Promise<LoadedEffect> {
    const resultId = effectResultId(tenantId, aggregateId, worker.name);
    const stream = { aggregateType: effectRowType, aggregateId };
    const [events, decisions] = await Promise.all([
      this.#reader.readByIds(tenantId, [aggregateId, resultId]),
      this.#reader.readStream(tenantId, stream),
    ]);
    for (const row of [...events, ...decisions]) this.#verifier.verify(row);
    const ask = events.find(({ id }) => id === aggregateId);
    const asked = ask === undefined ? undefined : readAsk(ask, parsed(ask));
    if (ask === undefined || asked?.worker !== worker.name) {
      throw new EventplaneError(
        "verification_failed",
        `The log has no ask ${aggregateId} of worker ${worker.name}, though its work row says so. Run evtctl verify.`,
        { details: { tenantId, effect: aggregateId } },
      );
    }
    return {
      ask,
      input: asked.input,
      hasResult: events.some(({ id }) => id === resultId),
      resolved: resolutionIn(decisions),
      retries: decisions.filter(({ type }) => type === "effect.retried").length,
    };
  }
}

/** The first one counts. */
function resolutionIn(decisions: readonly EventRow[]): EffectResult | undefined {
  const row = decisions.find(({ type }) => type === "effect.resolved");
  if (row === undefined) return undefined;
  const { ok, failed } = parsed(row);
  if (ok !== undefined && isJsonObject(ok)) return { ok };
  if (!isJsonObject(failed)) return undefined;
  return { failed: { code: textOf(failed.code), message: textOf(failed.message) } };
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}

function parsed(row: EventRow): JsonObject {
  return JSON.parse(row.specText) as JsonObject; // the store takes objects only
}

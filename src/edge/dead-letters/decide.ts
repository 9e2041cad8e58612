/**
 * Decisions on dead letters. Each is a fact in the tenant's log that the dispatcher acts on, so the decision and its effect
 * cannot part; what is decided by a filter begins with a fact that says by which, and who.
 */
import { type CausedBy, EventFactory, type SystemFactRequest, workerOfComponent } from "../../event/index.js";
import { EventplaneError, formatUs, type JsonObject, type TenantId } from "../../kernel/index.js";
import type { AppendItem, AppendOutcome } from "../../store/index.js";
import { type DeadLetter, type DeadLetterFilter, effectRowType, heldCode } from "../../work/index.js";
import { effectResolved } from "../effect-resolution.js";
import { platformApp } from "../platform/definitions.js";
import type { EdgeParts } from "../routes/context.js";

/** What is decided: try again, or give up for good. */
export type DeadLetterDecision = "redrive" | "discard";

/** A decision on all that a filter means. */
export interface DecisionByFilter {
  readonly decision: DeadLetterDecision;
  readonly filter: DeadLetterFilter;
  /** Letters that come due in a second. */
  readonly ratePerSecond: number;
}

/** What a decision by a filter would meet. */
export interface Meant {
  /** In the order in which they are decided: the oldest first. */
  readonly letters: readonly DeadLetter[];
  /** Held effects that the filter means too, and that are left alone because it does not name their code. */
  readonly heldLeft: number;
}

/** What became of it. */
export interface Decided {
  /** Aggregate id of the fact that says what was asked for; causation of all that follows. */
  readonly requestId: string;
  readonly decided: number;
  /** Letters that somebody else decided on meanwhile. */
  readonly skipped: number;
}

const factTypes = { redrive: "dead-letter.redriven", discard: "dead-letter.discarded" } as const;
const requestTypes = { redrive: "dead-letter.redrive-requested", discard: "dead-letter.discard-requested" } as const;
/** Letters that one decision may mean. */
const decidedByFilterMax = 10_000;
const appendsAtOnce = 200;
const discardedText = "An administrator discarded its dead letter.";
const discardedHeldText = "An administrator discarded it; whether the call was made, nobody knows.";

/**
 * The letters that a filter means.
 *
 * @throws EventplaneError `request_invalid` when they are more than 10,000
 */
export async function meantBy(parts: EdgeParts, tenantId: TenantId, filter: DeadLetterFilter): Promise<Meant> {
  const found = await parts.work.deadLetters(tenantId, filter, { limit: decidedByFilterMax + 1 });
  if (found.length > decidedByFilterMax) {
    const message = `More than ${decidedByFilterMax} dead letters match. Narrow the filter: by code, by component, or by time.`;
    throw new EventplaneError("request_invalid", message, { details: { max: decidedByFilterMax } });
  }
  // To call again, or to give up, what may have happened is for somebody who has looked.
  const letters = filter.code === heldCode ? found : found.filter(({ failure }) => failure.code !== heldCode);
  return { letters: letters.toReversed(), heldLeft: found.length - letters.length };
}

/** Decides on one letter. */
export async function decideLetter(
  parts: EdgeParts,
  letter: DeadLetter,
  { decision, stamp }: { readonly decision: DeadLetterDecision; readonly stamp: CausedBy },
): Promise<AppendOutcome> {
  return append(parts, letter, stamp, [{ type: factTypes[decision], spec: {} }]);
}

/**
 * Decides on letters, `ratePerSecond` of them a second; those that failed to be written, because the store was away, are
 * left: the same request again means those.
 */
export async function decideLetters(
  parts: EdgeParts,
  { letters }: Meant,
  {
    decision,
    filter,
    ratePerSecond,
    tenantId,
    stamp,
  }: DecisionByFilter & { readonly tenantId: TenantId; readonly stamp: CausedBy },
): Promise<Decided> {
  const requestId = parts.ids.uuid7();
  const spec = { filter: shown(filter), matched: letters.length, ...(decision === "redrive" ? { ratePerSecond } : {}) };
  const request = { tenantId, type: requestTypes[decision], id: requestId, aggregateId: requestId, spec };
  await parts.log.append({ tenantId, items: [factory(parts).systemFact(request, stamp)] });
  let decided = 0;
  for (let from = 0; from < letters.length; from += appendsAtOnce) {
    const outcomes = await Promise.all(
      letters.slice(from, from + appendsAtOnce).map((letter, at) => {
        const delayMs = decision === "redrive" ? delayMsOf(from + at, ratePerSecond) : 0;
        const cause = { causationId: requestId, correlationId: requestId };
        return append(parts, letter, stamp, [
          { type: factTypes[decision], spec: delayMs === 0 ? {} : { delayMs }, ...cause },
        ]);
      }),
    );
    decided += outcomes.filter(({ result }) => result !== "refused").length;
  }
  return { requestId, decided, skipped: letters.length - decided };
}

/** When the last of so many letters comes due, milliseconds from now. */
export function delayMsOf(lettersBefore: number, ratePerSecond: number): number {
  return Math.floor((lettersBefore * 1_000) / ratePerSecond);
}

type FactOfLetter = Omit<SystemFactRequest, "tenantId" | "aggregateId">;

async function append(
  parts: EdgeParts,
  letter: DeadLetter,
  stamp: CausedBy,
  facts: readonly FactOfLetter[],
): Promise<AppendOutcome> {
  const { tenantId, id, aggregateType, aggregateId, component } = letter;
  const makes = factory(parts);
  const items: AppendItem[] = facts.map(({ spec, ...fact }) =>
    makes.systemFact(
      { ...fact, tenantId, aggregateId: id, spec: { aggregateType, aggregateId, component, ...spec } },
      stamp,
    ),
  );
  const isDiscarded = facts.some(({ type }) => type === factTypes.discard);
  if (isDiscarded && aggregateType === effectRowType) items.push(await failedEffect(parts, letter, stamp));
  return parts.log.append({ tenantId, items });
}

/** Who gives up an effect tells its controller so: it has failed. */
async function failedEffect(parts: EdgeParts, letter: DeadLetter, stamp: CausedBy): Promise<AppendItem> {
  const [ask] = await parts.reader.readByIds(letter.tenantId, [letter.aggregateId]);
  if (ask === undefined) {
    const message = `The log has no ask ${letter.aggregateId}, though a dead letter says so. Run evtctl verify.`;
    throw new EventplaneError("verification_failed", message, { details: { effect: letter.aggregateId } });
  }
  const message = letter.failure.code === heldCode ? discardedHeldText : discardedText;
  const failed = { code: "discarded", message };
  return factory(parts).systemFact(effectResolved(ask, workerOfComponent(letter.component) ?? "", { failed }), stamp);
}

function factory({ ids }: EdgeParts): EventFactory {
  return new EventFactory({ app: platformApp, ids });
}

/** The filter as people gave it. */
function shown({ sinceFromUs, sinceBeforeUs, ...words }: DeadLetterFilter): JsonObject {
  return {
    ...words,
    ...(sinceFromUs === undefined ? {} : { sinceFrom: formatUs(sinceFromUs) }),
    ...(sinceBeforeUs === undefined ? {} : { sinceBefore: formatUs(sinceBeforeUs) }),
  };
}

/** What differs between the events that were recorded of a decision and those that would be made of it now. */
import { type DraftEvent, isJsonObject, jsonEqual } from "../../event/index.js";
import type { JsonObject, JsonValue } from "../../kernel/index.js";

/** One member that differs; absent where one side does not have it. */
export interface DecisionChange {
  /** Type of the event. */
  readonly event: string;
  /** JSON pointer within the event; empty when the event as a whole is made on one side only. */
  readonly member: string;
  readonly recorded?: JsonValue;
  readonly decided?: JsonValue;
}

/** More changes of one decision are left off. */
const changesMax = 16;

/** The events are compared in their order, by what they say and not by how it is written. */
export function changesBetween(
  recorded: readonly DraftEvent[],
  decided: readonly DraftEvent[],
): readonly DecisionChange[] {
  const changes: DecisionChange[] = [];
  for (let at = 0; at < Math.max(recorded.length, decided.length); at++) {
    const [before, after] = [recorded[at], decided[at]];
    const event = (before ?? after)?.type ?? "";
    const [was, is] = [
      before === undefined ? undefined : contentOf(before),
      after === undefined ? undefined : contentOf(after),
    ];
    addChanges(changes, { event, member: "", was, is });
  }
  return changes.slice(0, changesMax);
}

/** What a decision decides of an event; who caused it and when is not its own. */
function contentOf(draft: DraftEvent): JsonObject {
  return {
    kind: draft.kind,
    type: draft.type,
    stream: `${draft.aggregateType}/${draft.aggregateId}`,
    spec: JSON.parse(draft.specText) as JsonValue, // texts of events are JSON
    status: JSON.parse(draft.statusText) as JsonValue,
    finalizers: JSON.parse(draft.finalizersText) as JsonValue,
  };
}

interface Pair {
  readonly event: string;
  readonly member: string;
  readonly was: JsonValue | undefined;
  readonly is: JsonValue | undefined;
}

function addChanges(changes: DecisionChange[], { event, member, was, is }: Pair): void {
  if (isJsonObject(was) && isJsonObject(is)) {
    for (const name of new Set([...Object.keys(was), ...Object.keys(is)])) {
      const token = name.replaceAll("~", "~0").replaceAll("/", "~1");
      addChanges(changes, { event, member: `${member}/${token}`, was: own(was, name), is: own(is, name) });
    }
    return;
  }
  if (jsonEqual(was, is)) return;
  changes.push({
    event,
    member,
    ...(was === undefined ? {} : { recorded: was }),
    ...(is === undefined ? {} : { decided: is }),
  });
}

function own(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

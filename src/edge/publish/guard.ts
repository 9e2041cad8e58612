/** What an aggregate's guard says, and whether the resource that it saw is the one that the publisher meant. */
import {
  type AggregateDefinition,
  type AppendItem,
  type IntentDefinition,
  type IntentRequest,
  liftSpec,
  type Resource,
} from "../../event/index.js";
import { EventplaneError } from "../../kernel/index.js";
import { refusalError } from "./refusal-errors.js";

/** A guard of an aggregate. */
export type Guard = NonNullable<AggregateDefinition["guard"]>;

const reasonCharactersMax = 500;

/** Why the intent is refused; undefined when it may be appended to the generation that was seen. */
export function guardRefusal(
  guard: Guard,
  resource: Resource | undefined,
  {
    item,
    intent,
    definition,
  }: {
    readonly item: AppendItem;
    readonly intent: IntentRequest;
    /** Of its type: the guard sees the spec as its latest version. */
    readonly definition: IntentDefinition | undefined;
  },
): EventplaneError | undefined {
  const generation = resource?.generation ?? 0;
  if (item.expectedGeneration !== undefined && item.expectedGeneration !== generation) {
    const current = {
      version: resource?.version ?? 0,
      generation,
      lifecycle: resource?.lifecycle ?? ("none" as const),
    };
    return refusalError({ code: "wrong_expected_generation", current });
  }
  const reason = guard(resource, { type: intent.type, spec: liftSpec(definition, item.event, intent.spec) });
  return reason === undefined
    ? undefined
    : new EventplaneError("guard_refused", String(reason).slice(0, reasonCharactersMax));
}

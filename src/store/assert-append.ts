/**
 * What an append must look like before any store sees it. These are errors of our own code, not of publishers: the edge
 * has checked its input long before.
 */
import { type DraftEvent, emitterOfComponent } from "../event/index.js";
import { assert, limits, PLATFORM_TENANT_ID } from "../kernel/index.js";
import type { Append, Appender, AppendItem, LifecycleEffect } from "./port.js";

/** The runtime asks other resources for something only by the intents that its controllers emit. */
const effectsOf: Readonly<Record<Appender["tier"], readonly LifecycleEffect[]>> = {
  edge: ["creates", "updates", "deletes", "system"],
  runtime: ["derived", "finishes", "creates", "updates", "deletes"],
};
const publishedIdVersions = "478";
const derivedIdVersion = "5";
/** Where the version stands in a UUID. */
const versionAt = 14;
const uuidForm = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const aggregateTypeForm = /^[a-z][a-z0-9_-]{0,63}$/;
const aggregateIdForm = /^[A-Za-z0-9._:-]{1,128}$/;
const typeForm = /^[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+){0,7}$/;

/**
 * Checks one append against the rules of its tier: which effects, kinds and ids it may use, that every event is of its
 * tenant, the forms of ids and types, the number of events.
 *
 * @throws EventplaneError `internal` naming the rule and the event's id
 */
export function assertAppend(append: Append, tier: Appender["tier"]): void {
  const count = append.items.length;
  assert(
    count > 0 && count <= limits.eventsPerRequestMax,
    `an append has 1 to ${limits.eventsPerRequestMax} events, not ${count}`,
  );
  assert(append.lease === undefined || tier === "runtime", "only the runtime tier holds leases");
  for (const item of append.items) {
    const broken = brokenCondition(append, item, tier) ?? brokenForm(item.event) ?? brokenKind(item, tier);
    if (broken !== undefined) assert(false, `${broken} (event ${item.event.id}, ${item.effect}, ${tier} tier)`);
  }
}

function brokenCondition(
  append: Append,
  { event, effect, expectedVersion }: AppendItem,
  tier: Appender["tier"],
): string | undefined {
  if (event.tenantId !== append.tenantId) return "an event is of the tenant of its append";
  if (!effectsOf[tier].includes(effect)) return "a tier may append only its own effects";
  const isVersion =
    typeof expectedVersion !== "number" || (Number.isSafeInteger(expectedVersion) && expectedVersion > 0);
  return isVersion ? undefined : "expectedVersion is a version from 1";
}

function brokenForm(event: DraftEvent): string | undefined {
  if (!(uuidForm.test(event.id) && uuidForm.test(event.tenantId)))
    return "event and tenant ids are UUIDs in lower case";
  if (!uuidForm.test(event.correlationId)) return "a correlationId is a UUID in lower case";
  if (event.causationId !== null && !uuidForm.test(event.causationId)) return "a causationId is a UUID in lower case";
  if (!aggregateTypeForm.test(event.aggregateType)) return "an aggregateType has the form of one";
  if (!aggregateIdForm.test(event.aggregateId)) return "an aggregateId has the form of one";
  if (event.type.length > limits.typeCharactersMax || !typeForm.test(event.type)) return "a type has the form of one";
  const texts = [event.specText, event.statusText, event.finalizersText, event.causedByText];
  if (!texts.every((text) => text.startsWith("{"))) return "payloads are JSON objects without white space before them";
  const rooted = event.type === event.aggregateType || event.type.startsWith(`${event.aggregateType}.`);
  return rooted ? undefined : "a type begins with its aggregateType";
}

function brokenKind({ event, effect }: AppendItem, tier: Appender["tier"]): string | undefined {
  const idVersion = event.id.charAt(versionAt);
  if (tier === "runtime") {
    if (event.decision === null || event.source !== null) return "a derived event has a decision and no source";
    if (idVersion !== derivedIdVersion) return "the id of a derived event is of version 5";
    if (effect === "derived" || effect === "finishes")
      return event.kind === "intent" ? "a derived event that bears no spec is no intent" : undefined;
    const isEmitted = event.kind === "intent" && emitterOfComponent(event.decision.component) !== undefined;
    if (!isEmitted || event.statusText !== "{}") return "a derived event that bears a spec is an emitted intent";
    return event.tenantId === PLATFORM_TENANT_ID ? "no intent is emitted into the platform's log" : undefined;
  }
  if (event.decision !== null || event.statusText !== "{}") return "only a derived event has a decision and a status";
  if (!publishedIdVersions.includes(idVersion)) return "the id of a published event is of version 4, 7 or 8";
  if (effect === "system")
    return event.kind === "fact" && event.source === null ? undefined : "a system fact has no source";
  const bearsSpec = event.kind === "intent" ? event.source === null : event.kind === "fact" && event.source !== null;
  return bearsSpec ? undefined : "intents, and facts with a source, bear a spec; nothing else does";
}

/**
 * What an append must look like before any store sees it. These are errors of our own code, not of publishers: the edge
 * has checked its input long before.
 */
import type { DraftEvent } from "../event/index.js";
import { assert, isUuid, limits, uuidVersion } from "../kernel/index.js";
import type { Append, Appender, LifecycleEffect } from "./port.js";

const effectsOf: Readonly<Record<Appender["tier"], readonly LifecycleEffect[]>> = {
  edge: ["creates", "updates", "deletes", "system"],
  runtime: ["derived", "finishes"],
};
const publishedIdVersions: readonly number[] = [4, 7, 8];
const derivedIdVersions: readonly number[] = [5];
const aggregateTypeForm = /^[a-z][a-z0-9_-]{0,63}$/;
const aggregateIdForm = /^[A-Za-z0-9._:-]{1,128}$/;
const typeForm = /^[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+){0,7}$/;

/**
 * Checks one append against the rules of its tier: which effects and kinds it may use, that every event is of its
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
  for (const { event, effect, expectedVersion } of append.items) {
    assert(event.tenantId === append.tenantId, `event ${event.id} is of another tenant than its append`);
    assert(effectsOf[tier].includes(effect), `the ${tier} tier may not append "${effect}" (event ${event.id})`);
    assert(
      typeof expectedVersion !== "number" || (Number.isSafeInteger(expectedVersion) && expectedVersion > 0),
      `expectedVersion of event ${event.id} is a version from 1`,
    );
    assertForms(event);
    assertKind(event, effect);
  }
}

function assertForms(event: DraftEvent): void {
  assert(isUuid(event.id) && isUuid(event.tenantId), "event and tenant ids are UUIDs in lower case");
  assert(isUuid(event.correlationId), `correlationId of event ${event.id} is a UUID in lower case`);
  assert(
    event.causationId === null || isUuid(event.causationId),
    `causationId of event ${event.id} is a UUID in lower case`,
  );
  assert(aggregateTypeForm.test(event.aggregateType), `aggregateType of event ${event.id} has the form of one`);
  assert(aggregateIdForm.test(event.aggregateId), `aggregateId of event ${event.id} has the form of one`);
  assert(
    event.type.length <= limits.typeCharactersMax && typeForm.test(event.type),
    `type of event ${event.id} has the form of one`,
  );
  assert(
    event.type === event.aggregateType || event.type.startsWith(`${event.aggregateType}.`),
    `type of event ${event.id} begins with its aggregateType`,
  );
}

function assertKind(event: DraftEvent, effect: LifecycleEffect): void {
  const derived = effect === "derived" || effect === "finishes";
  const specBearing = event.kind === "intent" ? event.source === null : event.kind === "fact" && event.source !== null;
  const idVersion = uuidVersion(event.id);
  if (derived) {
    assert(event.decision !== null && event.source === null, `derived event ${event.id} has a decision and no source`);
    assert(event.kind !== "intent", `derived event ${event.id} is no intent`);
    assert(derivedIdVersions.includes(idVersion), `derived event ${event.id} has an id of version 5`);
    return;
  }
  assert(event.decision === null, `event ${event.id} has no decision, because it "${effect}"`);
  assert(event.statusText === "{}", `event ${event.id} sets no status, because nobody has decided it`);
  assert(publishedIdVersions.includes(idVersion), `event ${event.id} has an id of version 4, 7 or 8`);
  if (effect === "system")
    assert(event.kind === "fact" && event.source === null, `event ${event.id} is no system fact`);
  else assert(specBearing, `event ${event.id} bears no spec, so it is not one that "${effect}"`);
}

/**
 * Emits: what a controller makes beside its own event. An event of a name of its own on the watched stream, or an intent on
 * another resource of the same tenant (DESIGN §13.2). Names, ids and checks; mutate makes the events.
 */
import {
  EVENTPLANE_NS,
  type EventId,
  fields,
  limits,
  PLATFORM_TENANT_ID,
  sha256,
  type TenantId,
  uuid5,
  uuidBytes,
} from "../kernel/index.js";
import type { CheckedEmit } from "./decision-check.js";
import { checkDeclared } from "./declared-schema.js";
import type { AppDefinition, IntentDefinition } from "./definitions.js";
import { reservedTails, typeRoot, typeTail } from "./derived.js";
import { canonicalJson } from "./effects.js";
import { isEventType } from "./envelope.js";
import type { Resource } from "./resource.js";

const prefix = "emit:";

/** The component under which what a controller emits is made: `emit:quota`. */
export function emitComponent(controller: string): string {
  return prefix + controller;
}

/** The controller whose emits this component makes; undefined for other components. */
export function emitterOfComponent(component: string): string | undefined {
  return component.startsWith(prefix) ? component.slice(prefix.length) : undefined;
}

/** What the id of an emit is made of. */
export interface EmitIdParts {
  readonly tenantId: TenantId;
  /** Id of the spec-bearing event that opened the generation of the watched resource. */
  readonly originId: string;
  /** `emit:<controller>`. */
  readonly component: string;
  readonly type: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  /** As it is stored. */
  readonly specText: string;
}

/**
 * UUIDv5(UUIDv5(EVENTPLANE_NS, tenantId), f(origin) ‖ f(component) ‖ f(type) ‖ f(aggregateType/aggregateId) ‖ H(spec)): the
 * same emit of one generation has one id, whatever version it was decided on.
 */
export function emittedEventId(parts: EmitIdParts): EventId {
  const namespace = uuid5(EVENTPLANE_NS, uuidBytes(parts.tenantId));
  const text = (value: string): Buffer => Buffer.from(value, "utf8");
  const { component, type, aggregateType, aggregateId } = parts;
  const name = fields([
    uuidBytes(parts.originId),
    text(component),
    text(type),
    text(`${aggregateType}/${aggregateId}`),
  ]);
  return uuid5(namespace, Buffer.concat([name, sha256(parts.specText)])) as EventId; // a UUID by construction
}

/** An emit whose target and content are known to be possible. */
export interface ResolvedEmit {
  readonly id: EventId;
  readonly component: string;
  readonly type: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly specText: string;
  /** An event on the watched stream; else an intent on another one. */
  readonly isOwn: boolean;
  /** Of an intent, as far as the app is known. */
  readonly intent: IntentDefinition | undefined;
}

/** What emits are resolved with. */
export interface EmitContext {
  /** The basis. */
  readonly resource: Resource;
  readonly controller: string;
  /** Absent where a controller is tried without its app: it may then ask anything of other aggregates. */
  readonly app: Pick<AppDefinition, "aggregates"> | undefined;
  readonly fail: (why: string) => Error;
}

/**
 * What an emit comes to.
 *
 * @throws what `fail` makes of the reason why it cannot be
 */
export function resolveEmit(emit: CheckedEmit, context: EmitContext): ResolvedEmit {
  const { resource, controller, app, fail } = context;
  const { type } = emit;
  if (!isEventType(type)) throw fail(`it emits "${type}", which cannot be a type`);
  if (reservedTails.includes(typeTail(type))) throw fail(`it emits ${type}, a type that only the runtime makes`);
  const aggregateType = typeRoot(type);
  const aggregateId = emit.aggregateId ?? resource.aggregateId;
  const intent = app?.aggregates.get(aggregateType)?.intents.get(type);
  const isOwn = aggregateType === resource.aggregateType && aggregateId === resource.aggregateId;
  if (isOwn) checkOwn(type, context);
  else checkIntent(emit, { ...context, intent });
  const specText = canonicalJson(emit.spec);
  if (Buffer.byteLength(specText) > limits.eventBytesMax / 2)
    throw fail(`the spec of the ${type} that it emits has more than ${limits.eventBytesMax / 2} bytes`);
  const component = emitComponent(controller);
  const { tenantId, origin } = resource;
  const parts = { tenantId, originId: origin?.id ?? "", component, type, aggregateType, aggregateId, specText };
  return { ...parts, id: emittedEventId(parts), isOwn, intent };
}

/** An event of a name of its own: not a wish, and not the event that the controller's decision makes anyway. */
function checkOwn(type: string, { resource, app, fail }: EmitContext): void {
  const intents = app?.aggregates.get(resource.aggregateType)?.intents ?? new Map<string, IntentDefinition>();
  for (const wish of intents.keys()) {
    if (type === wish)
      throw fail(`it emits the intent ${type} to the resource that it decides on; only another may be asked`);
    if (type.startsWith(`${wish}.`)) throw fail(`it emits ${type}, which is named like the events of decisions`);
  }
}

function checkIntent(
  { type, spec }: CheckedEmit,
  { resource, app, intent, fail }: EmitContext & { readonly intent: IntentDefinition | undefined },
): void {
  // Keys, tenants and policies are administered by people.
  if (resource.tenantId === PLATFORM_TENANT_ID) throw fail(`it emits ${type} in the platform's log`);
  if (app === undefined) return;
  if (intent === undefined)
    throw fail(
      `it emits ${type}, which is no intent of the app; another aggregate is only made or changed by its intents`,
    );
  const misfit = checkDeclared(intent.schema, spec, "only");
  if (misfit !== undefined) throw fail(`the ${type} that it emits does not fit: ${misfit}`);
}

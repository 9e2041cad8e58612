/**
 * Effects: outside calls that a controller asks for and a worker makes (DESIGN §13.5). Names, keys, ids and their fold.
 *
 * Three events tell of one effect, all in the stream of the resource: the ask, made with the decision; a held unknown,
 * when nobody knows what became of a call; the result. A dead letter of it is a fourth, as of a controller.
 */
import {
  EVENTPLANE_NS,
  type EventId,
  fields,
  type JsonObject,
  type JsonValue,
  sha256,
  type TenantId,
  uuid5,
  uuidBytes,
} from "../kernel/index.js";
import { deadLetterComponent } from "./derived.js";
import type { DraftEvent } from "./event.js";
import { deepFreeze, isJsonObject } from "./merge-patch.js";
import type { Condition, EffectFailure, EffectState, Effects } from "./resource.js";

/** What an event of an effect says. */
export type EffectRole = "ask" | "result" | "unknown" | "dead";

/** How an effect ended. */
export type EffectResult = { readonly ok: JsonObject } | { readonly failed: EffectFailure };

const prefixes = { ask: "ask:", result: "effect:", unknown: "unknown:", dead: deadLetterComponent("effect:") } as const;
const roles = Object.entries(prefixes) as readonly (readonly [EffectRole, string])[]; // the keys of the table

/** The component under which an event of this role is made: `ask:billing-customer`. */
export function effectComponent(role: EffectRole, worker: string): string {
  return prefixes[role] + worker;
}

/** The worker whose results this component makes; undefined for other components. */
export function workerOfComponent(component: string): string | undefined {
  return component.startsWith(prefixes.result) ? component.slice(prefixes.result.length) : undefined;
}

/** What a component's events say of an effect; undefined for those of controllers and the runtime. */
export function effectRoleOf(component: string): EffectRole | undefined {
  return roles.find(([, prefix]) => component.startsWith(prefix))?.[0];
}

/** JSON text with members in the order of their names: the same bytes for the same value, whoever wrote it down. */
export function canonicalJson(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (!isJsonObject(value)) return JSON.stringify(value);
  const members = Object.keys(value)
    .sort()
    .flatMap((key) => (value[key] === undefined ? [] : [`${JSON.stringify(key)}:${canonicalJson(value[key])}`]));
  return `{${members.join(",")}}`;
}

/** What makes two asks of one life the same effect: controller, worker and the bytes of the input. Lower-case hex. */
export function effectKey(controller: string, worker: string, inputText: string): string {
  const parts = [Buffer.from(controller, "utf8"), Buffer.from(worker, "utf8"), sha256(inputText)];
  return sha256("eventplane.effect.v1\n", fields(parts)).toString("hex");
}

/** UUIDv5(UUIDv5(EVENTPLANE_NS, tenantId), f(ask.id) ‖ f("effect:" + worker)): of the one result, and every attempt's idempotency key. */
export function effectResultId(tenantId: TenantId, askId: string, worker: string): EventId {
  const namespace = uuid5(EVENTPLANE_NS, uuidBytes(tenantId));
  const component = Buffer.from(effectComponent("result", worker), "utf8");
  return uuid5(namespace, fields([uuidBytes(askId), component])) as EventId; // a UUID by construction
}

/** The spec of an ask, as text: the input is in it as the bytes that were hashed. */
export function askSpecText(ask: {
  readonly controller: string;
  readonly worker: string;
  readonly inputText: string;
}): string {
  return `{"controller":${JSON.stringify(ask.controller)},"worker":${JSON.stringify(ask.worker)},"input":${ask.inputText}}`;
}

/** What a verified ask asks for; undefined when the event is none. */
export function readAsk(
  event: Pick<DraftEvent, "decision">,
  spec: JsonValue,
): { readonly controller: string; readonly worker: string; readonly input: JsonObject } | undefined {
  if (event.decision === null || effectRoleOf(event.decision.component) !== "ask" || !isJsonObject(spec))
    return undefined;
  const { controller, worker, input } = spec;
  if (typeof controller !== "string" || typeof worker !== "string" || !isJsonObject(input)) return undefined;
  return effectComponent("ask", worker) === event.decision.component ? { controller, worker, input } : undefined;
}

/** The effects after one of their events. A result that comes after the life that asked for it changes nothing. */
export function foldEffects(
  effects: Effects,
  event: Pick<DraftEvent, "id" | "decision" | "causationId">,
  payload: { readonly spec: JsonObject; readonly status: JsonObject },
): Effects {
  const ask = readAsk(event, payload.spec);
  if (ask !== undefined) {
    const key = effectKey(ask.controller, ask.worker, canonicalJson(ask.input));
    const { controller, worker } = ask;
    return Object.freeze({ ...effects, [key]: Object.freeze({ id: event.id, controller, worker, state: "pending" }) });
  }
  const found = Object.entries(effects).find(([, { id }]) => id === event.causationId);
  const news = newsOf(payload.status);
  if (found === undefined || news === undefined) return effects;
  const [key, { id, controller, worker }] = found;
  return Object.freeze({ ...effects, [key]: deepFreeze({ id, controller, worker, ...news }) });
}

function newsOf({
  ok,
  failed,
  unknown,
  dead,
}: JsonObject): Pick<EffectState, "state" | "result" | "failure"> | undefined {
  if (isJsonObject(ok)) return { state: "ok", result: ok };
  if (isJsonObject(failed)) return { state: "failed", failure: failureOf(failed) };
  if (isJsonObject(unknown)) return { state: "unknown", failure: failureOf(unknown) };
  return isJsonObject(dead) ? { state: "dead", failure: failureOf(dead) } : undefined;
}

function failureOf({ code, message }: JsonObject): EffectFailure {
  return { code: typeof code === "string" ? code : "", message: typeof message === "string" ? message : "" };
}

/** A condition of a worker's effects, before the fold adds when and for which generation. */
export type EffectReport = Pick<Condition, "type" | "status" | "reason" | "message" | "component">;

/** What the resource says of a worker's effects that wait for somebody: by component. */
export function effectReports(effects: Effects, worker: string): readonly EffectReport[] {
  const standing = Object.values(effects).filter((effect) => effect.worker === worker);
  const dead = standing.filter(({ state }) => state === "dead");
  const held = standing.filter(({ state }) => state === "unknown");
  return [
    ...dead.slice(0, 1).map(({ id, failure }) => ({
      type: "Stalled",
      status: "True" as const,
      reason: "DeadLettered",
      message: `Worker ${worker} gave up ${count(dead)}, last with ${failure?.code ?? "no code"}. Redrive its dead letter or resolve effect ${id}.`,
      component: effectComponent("dead", worker),
    })),
    ...held.slice(0, 1).map(({ id, failure }) => ({
      type: "OutcomeUnknown",
      status: "True" as const,
      reason: "Held",
      message: `Nobody knows what became of ${count(held)} of worker ${worker}: ${failure?.code ?? "no code"}. Resolve or retry effect ${id}.`,
      component: effectComponent("unknown", worker),
    })),
  ];
}

function count(effects: readonly EffectState[]): string {
  return effects.length === 1 ? "an effect" : `${effects.length} effects`;
}

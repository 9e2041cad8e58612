/**
 * Names and ids of derived events (DESIGN §13.2), and what tells the classes of events apart.
 */
import { createHash } from "node:crypto";
import {
  EVENTPLANE_NS,
  type EventId,
  fields,
  i64be,
  type Random,
  type TenantId,
  uuid5,
  uuidBytes,
} from "../kernel/index.js";
import type { DraftEvent } from "./event.js";

/** The component that notes that a resource is ready or deleted. */
export const runtimeComponent = "runtime";

/** The component that notes that `controller` gave up on a resource. */
export function deadLetterComponent(controller: string): string {
  return `dead-letter:${controller}`;
}

const retiredPrefix = "retired:";

/** The component that completes what a controller that is gone has left open. */
export function retiredComponent(controller: string): string {
  return retiredPrefix + controller;
}

/** The retired controller in whose place this component speaks; undefined for other components. */
export function retiredOfComponent(component: string): string | undefined {
  return component.startsWith(retiredPrefix) ? component.slice(retiredPrefix.length) : undefined;
}

/** Last tokens that only the runtime may give to a type. */
export const reservedTails: readonly string[] = [
  "ready",
  "deleted",
  "rejected",
  "dead-lettered",
  "controller-retired",
  "effect-asked",
  "effect-succeeded",
  "effect-failed",
  "effect-unknown",
];

/** Spec-bearing events open a generation: intents, and facts from outside sources. */
export function isSpecBearing(event: Pick<DraftEvent, "kind" | "source">): boolean {
  return event.kind === "intent" || (event.kind === "fact" && event.source !== null);
}

/** The root of a type, which is the aggregate type. */
export function typeRoot(type: string): string {
  const dot = type.indexOf(".");
  return dot === -1 ? type : type.slice(0, dot);
}

/** What follows the last dot of a type. */
export function typeTail(type: string): string {
  return type.slice(type.lastIndexOf(".") + 1);
}

/** What a derived id is made of. */
export interface DerivedIdParts {
  readonly tenantId: TenantId;
  /** Id of the spec-bearing event that opened the generation. */
  readonly originId: string;
  readonly component: string;
  readonly basisVersion: number;
  readonly step: number;
}

/** UUIDv5(UUIDv5(EVENTPLANE_NS, tenantId), f(origin) ‖ f(component) ‖ i64be(V) ‖ i64be(step)): nobody else can occupy it. */
export function derivedEventId(parts: DerivedIdParts): EventId {
  const namespace = uuid5(EVENTPLANE_NS, uuidBytes(parts.tenantId));
  const name = Buffer.concat([
    fields([uuidBytes(parts.originId), Buffer.from(parts.component, "utf8")]),
    i64be(parts.basisVersion),
    i64be(parts.step),
  ]);
  return uuid5(namespace, name) as EventId; // a UUID by construction
}

/**
 * The chance that a reconcile sees: floats in [0, 1), the same ones for the same (origin, component, basis version).
 *
 * The n-th number is the first 48 bits of SHA-256("eventplane.random.v1\n" ‖ seed ‖ i64be(n)), n from 0.
 */
export function seededRandom(originId: string, component: string, basisVersion: number): Random {
  const seed = Buffer.concat([fields([uuidBytes(originId), Buffer.from(component, "utf8")]), i64be(basisVersion)]);
  let drawn = 0;
  return () => {
    const hash = createHash("sha256").update("eventplane.random.v1\n").update(seed).update(i64be(drawn++)).digest();
    return hash.readUIntBE(0, 6) / 2 ** 48;
  };
}

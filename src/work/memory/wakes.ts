/** Whom an event wakes. */
import { type EventRow, type Finalizers, isSpecBearing, runtimeComponent } from "../../event/index.js";
import type { Watch } from "../port.js";

/**
 * The components that an event wakes: those that watch its aggregate, except its maker, and those that the generation that
 * it opens waits for. Facts of the runtime, dead letters and what happens after the end of a life wake nobody. A
 * generation that no controller is expected to complete is the runtime's own.
 */
export function wakesOf(event: EventRow, watches: readonly Watch[]): readonly string[] {
  if (event.lifecycle !== "live" && event.lifecycle !== "deleting") return [];
  const maker = event.decision?.component;
  const opens = isSpecBearing(event);
  if (!opens && (maker === undefined || maker === runtimeComponent || maker.startsWith("dead-letter:"))) return [];
  const watching = watches
    .filter(({ aggregateType, component }) => aggregateType === event.aggregateType && component !== maker)
    .map(({ component }) => component);
  if (!opens) return watching;
  const expected = Object.keys(JSON.parse(event.finalizersText) as Finalizers); // the store takes objects only
  return expected.length === 0 ? [...watching, runtimeComponent] : [...new Set([...watching, ...expected])];
}

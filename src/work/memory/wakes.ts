/** Whom an event wakes. */
import {
  type EventRow,
  effectRoleOf,
  emitterOfComponent,
  type Finalizers,
  isSpecBearing,
  retiredOfComponent,
  runtimeComponent,
} from "../../event/index.js";
import type { Watch } from "../port.js";

/**
 * The components that an event wakes: those that watch its aggregate, except its maker, and those that the generation that
 * it opens waits for. Facts of the runtime, dead letters, asks and what happens after the end of a life wake nobody; what
 * became of an effect wakes its asker alone. A generation that no controller is expected to complete is the runtime's own.
 *
 * @param asker the controller that asked for the effect that the event tells of
 */
export function wakesOf(event: EventRow, watches: readonly Watch[], asker: string | undefined): readonly string[] {
  if (event.lifecycle !== "live" && event.lifecycle !== "deleting") return [];
  const maker = event.decision?.component;
  const opens = isSpecBearing(event);
  if (!opens && (maker === undefined || maker === runtimeComponent)) return [];
  const role = maker === undefined ? undefined : effectRoleOf(maker);
  if (role === "result" || role === "unknown") return asker === undefined ? [] : [asker];
  // An emit on the watched stream stands beside a decision, which wakes them.
  const isBeside = !opens && maker !== undefined && emitterOfComponent(maker) !== undefined;
  if (isBeside || role === "ask" || maker?.startsWith("dead-letter:") === true) return [];
  if (maker !== undefined && retiredOfComponent(maker) !== undefined) return [];
  const watching = watches
    .filter(({ aggregateType, component }) => aggregateType === event.aggregateType && component !== maker)
    .map(({ component }) => component);
  if (!opens) return watching;
  const expected = Object.keys(JSON.parse(event.finalizersText) as Finalizers); // the store takes objects only
  return expected.length === 0 ? [...watching, runtimeComponent] : [...new Set([...watching, ...expected])];
}

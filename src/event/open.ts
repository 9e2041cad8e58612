/**
 * The marks with which a generation begins.
 */
import type { Finalizers } from "./event.js";

/** Nobody has completed anything yet: the controllers that the generation waits for, which is expected(g) of DESIGN §13.3. */
export function open(controllerNames: readonly string[]): Finalizers {
  return Object.fromEntries(controllerNames.map((name) => [name, { completed: false, observedGeneration: 0 }]));
}

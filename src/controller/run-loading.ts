/** Runs that are suspended for what they look up, until it is loaded. */
import { decisionInvalid, type Resource } from "../event/index.js";
import { limits } from "../kernel/index.js";
import type { StreamName } from "../store/index.js";
import type { LookedUp } from "../work/index.js";
import { type LoadedResources, lookupName } from "./lookups.js";
import type { Reconciled } from "./reconcile.js";

/**
 * Runs a controller until all that it looks up is loaded.
 *
 * @param run one run with what is loaded
 * @param load a resource as it is now; null when there is none
 * @throws EventplaneError `decision_invalid` after 16 resources; whatever `run` and `load` throw
 */
export async function runLoading(
  controller: string,
  run: (loaded: LoadedResources) => Promise<Reconciled>,
  load: (name: StreamName) => Promise<Resource | null>,
): Promise<Reconciled> {
  const loaded: Record<string, Resource | null> = {};
  for (let count = 0; count <= limits.lookupsMax; count++) {
    const reconciled = await run(loaded);
    if (reconciled.missing === undefined) return reconciled;
    const found = await load(reconciled.missing);
    loaded[lookupName(reconciled.missing)] = found === null ? null : shown(found);
  }
  throw decisionInvalid(controller, `it looks up more than ${limits.lookupsMax} resources`);
}

/** Without who asked for it: where controllers run, nobody knows. */
function shown(resource: Resource): Resource {
  return Object.freeze({ ...resource, origin: null, effects: {}, emits: [] });
}

/** What was looked up, as the work table notes it. */
export function lookedUp(lookups: Reconciled["lookups"]): readonly LookedUp[] {
  return Object.entries(lookups).map(([name, version]) => {
    const slash = name.indexOf("/");
    return { aggregateType: name.slice(0, slash), aggregateId: name.slice(slash + 1), version };
  });
}

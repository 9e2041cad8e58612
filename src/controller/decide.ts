/** What one component decides on a resource, without doing anything about it. Pure but for the clock. */
import { type AppDefinition, type AppendItem, mutate, type Resource, runtimeComponent } from "../event/index.js";
import { assert, type Clock, formatUs } from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import type { ResourceLoader } from "../store/index.js";
import type { LookedUp, WorkKey } from "../work/index.js";
import type { Reconciler } from "./reconciler.js";
import { lookedUp, runLoading } from "./run-loading.js";

/** What a decision is made with. */
export interface DecideOptions {
  readonly app: AppDefinition;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly checkDeterminism: boolean;
  /** Runs the controllers of the app. */
  readonly reconciler: Reconciler;
  /** Loads what they look up. */
  readonly loader: ResourceLoader;
}

/** Events to append, and when to look again. */
export interface Decision {
  readonly items: readonly AppendItem[];
  readonly requeueAfterMs: number | null;
  /** Other resources that were looked at. */
  readonly lookups: readonly LookedUp[];
}

const nothing: Decision = { items: [], requeueAfterMs: null, lookups: [] };

/**
 * Runs the claim's component on the resource; there is nothing to decide on what has no origin, is deleted, or was
 * rejected by it in this generation.
 *
 * @throws whatever the controller throws; EventplaneError of `reconcile` and `mutate.decide`
 */
export async function decide(
  claim: WorkKey,
  resource: Resource | undefined,
  options: DecideOptions,
): Promise<Decision> {
  if (!isOpen(resource)) return nothing;
  const { app, clock, logger, checkDeterminism, reconciler, loader } = options;
  const now = formatUs(clock.nowUs());
  if (claim.component === runtimeComponent) {
    const item = mutate.ready(resource, now);
    return item === undefined ? nothing : { ...nothing, items: [item] };
  }
  if (hasRejected(resource, claim.component)) return nothing;
  const controller = app.controllers.get(claim.component);
  const aggregate = app.aggregates.get(claim.aggregateType);
  assert(
    controller !== undefined && aggregate !== undefined,
    "a claimed row names a controller and an aggregate of the app",
  );
  const log = logger.child({ tenantId: claim.tenantId, controller: controller.name });
  const call = { controller: controller.name, resource, now, checkDeterminism };
  const reconciled = await runLoading(
    controller.name,
    (loaded) => reconciler.run({ ...call, loaded }, log),
    async (name) => (await loader.load(claim.tenantId, name)) ?? null,
  );
  const decided = mutate.decide({ ...reconciled, resource, aggregate, controller: controller.name, now, app });
  return { ...decided, lookups: lookedUp(reconciled.lookups) };
}

/** Whether anything can still be decided on it. */
export function isOpen(resource: Resource | undefined): resource is Resource {
  return resource !== undefined && resource.origin !== null && resource.lifecycle !== "deleted";
}

function hasRejected(resource: Resource, controller: string): boolean {
  return resource.conditions.some(
    ({ type, component, observedGeneration }) =>
      type === "Rejected" && component === controller && observedGeneration === resource.generation,
  );
}

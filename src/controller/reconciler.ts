/** Who runs controllers: this thread, or others (`threads/`). */
import type { AppDefinition, Resource } from "../event/index.js";
import { assert, type Clock } from "../kernel/index.js";
import type { Logger } from "../observe/index.js";
import type { LoadedResources } from "./lookups.js";
import { type Reconciled, reconcile } from "./reconcile.js";

/** One call of a controller as plain data: all that its answer depends on. */
export interface ReconcileCall {
  readonly controller: string;
  /** It has an origin. */
  readonly resource: Resource;
  /** `ctx.now`, RFC 3339 UTC with microseconds. */
  readonly now: string;
  /** Calls it twice and compares. */
  readonly checkDeterminism: boolean;
  /** Other resources that it may look up. */
  readonly loaded?: LoadedResources;
}

/** Runs the controllers of one app. */
export interface Reconciler {
  /**
   * Calls the controller.
   *
   * @param logger where `ctx.log` writes
   * @throws as `reconcile`
   */
  run(call: ReconcileCall, logger: Logger): Promise<Reconciled>;
}

/** Runs controllers right here: what one does, all wait for. */
export function reconcilesHere({
  app,
  clock,
}: {
  readonly app: Pick<AppDefinition, "aggregates" | "controllers" | "workers">;
  readonly clock: Clock;
}): Reconciler {
  return {
    run: async ({ controller: name, resource, ...call }, logger) => {
      const controller = app.controllers.get(name);
      assert(controller !== undefined, "a call names a controller of the app");
      return reconcile(controller, resource, { app, clock, logger, ...call });
    },
  };
}

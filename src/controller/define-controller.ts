/**
 * `defineController`: one pure function from what is to what to do next.
 */
import {
  type ControllerDefinition,
  type Decision,
  isAggregateType,
  type ReconcileContext,
  replayerComponent,
  reservedControllerNames,
} from "../event/index.js";
import { EventplaneError, type JsonObject } from "../kernel/index.js";
import type { AnyAggregate, SpecOf, StatusOf } from "./aggregate-types.js";

/** The status that a controller of this name reports: as the aggregate declares it, any object otherwise. */
export type StatusOfController<Of, Name extends string> = Name extends keyof StatusOf<Of>
  ? StatusOf<Of>[Name]
  : JsonObject;

/** What a team writes of a controller. */
export interface ControllerConfig<Watched extends AnyAggregate, Name extends string> {
  readonly name: Name;
  readonly watches: Watched;
  /** Longest run of one reconcile, milliseconds; default 5,000. */
  readonly timeoutMs?: number;
  /** Pure and synchronous: no I/O, no clock, no identity. undefined: nothing to say. */
  readonly reconcile: (
    context: ReconcileContext<SpecOf<Watched>, Partial<StatusOf<Watched>>>,
  ) => Decision<StatusOfController<Watched, Name>> | readonly Decision<StatusOfController<Watched, Name>>[] | undefined;
}

/** A controller whose name, aggregate and status are known. */
export interface Controller<Watched extends AnyAggregate, Name extends string> extends ControllerDefinition {
  readonly name: Name;
  /** For types only; never present at run time. */
  readonly "~types"?: { readonly watches: Watched };
}

const timeoutMsDefault = 5_000;

/**
 * Declares a controller.
 *
 * @example
 * const quota = defineController({ name: "quota", watches: organization, reconcile: ({ resource }) => done({ members: limits[resource.spec.plan] }) });
 * @throws EventplaneError `config_invalid`
 */
export function defineController<const Watched extends AnyAggregate, const Name extends string>(
  config: ControllerConfig<Watched, Name>,
): Controller<Watched, Name> {
  const { name, watches, timeoutMs = timeoutMsDefault } = config;
  if (!isAggregateType(name)) {
    throw new EventplaneError(
      "config_invalid",
      `"${name}" cannot name a controller: use a-z, 0-9, _ and -, at most 64, a letter first.`,
    );
  }
  if (reservedControllerNames.includes(name) || name === replayerComponent) {
    throw new EventplaneError(
      "config_invalid",
      `No controller may be called ${name}; the runtime uses the name itself.`,
    );
  }
  if (!Number.isFinite(timeoutMs) || timeoutMs <= 0) {
    throw new EventplaneError(
      "config_invalid",
      `The timeoutMs of controller ${name} must be a number of milliseconds above 0.`,
    );
  }
  return Object.freeze({
    name,
    watches: watches.definition.name,
    timeoutMs,
    // The resource's spec and status are what the aggregate's schemas let in, so the typed function may have it.
    reconcile: config.reconcile as unknown as ControllerDefinition["reconcile"],
  });
}

/**
 * `lookup`: other resources of the tenant, as far as they are loaded. A run that asks for one which is not is suspended:
 * whoever runs it loads the resource and runs it again from the start.
 */
import {
  type AppDefinition,
  decisionInvalid,
  isAggregateId,
  type LookupRequests,
  type Resource,
  type VisibleResource,
} from "../event/index.js";
import type { StreamName } from "../store/index.js";

/** Resources by `<aggregateType>/<aggregateId>`; null: there is none of this name. */
export type LoadedResources = Readonly<Record<string, Resource | null>>;

/** How a resource is called in `decision.lookups`. */
export function lookupName({ aggregateType, aggregateId }: StreamName): string {
  return `${aggregateType}/${aggregateId}`;
}

/** A resource without what only the log knows of its last event, and what is the runtime's own. */
export function visible(resource: Resource): VisibleResource {
  const {
    origin: _origin,
    position: _position,
    updatedAt: _updatedAt,
    effects: _effects,
    emits: _emits,
    reconciles: _reconciles,
    ...shown
  } = resource;
  return Object.freeze(shown);
}

/** What one run of one controller looks up. */
export class Lookups implements LookupRequests {
  /** The versions that it saw, in the order of its calls; 0: there was none. */
  readonly seen: Record<string, number> = {};
  /** The first that was not loaded; then nothing that the run does counts. */
  missing: StreamName | undefined;
  readonly #app: Pick<AppDefinition, "aggregates"> | undefined;
  readonly #resource: Resource;
  readonly #controller: string;
  readonly #loaded: LoadedResources;

  constructor(parts: {
    /** undefined: any aggregate may be looked at. */
    readonly app: Pick<AppDefinition, "aggregates"> | undefined;
    readonly resource: Resource;
    readonly controller: string;
    readonly loaded: LoadedResources;
  }) {
    this.#app = parts.app;
    this.#resource = parts.resource;
    this.#controller = parts.controller;
    this.#loaded = parts.loaded;
  }

  get<Spec, Status>(
    aggregate: { readonly definition: { readonly name: string } },
    aggregateId: string,
  ): VisibleResource<Spec, Partial<Status>> | undefined {
    const name = { aggregateType: aggregate.definition.name, aggregateId };
    // By identity: the platform's own aggregates are nobody's to look at.
    if (this.#app !== undefined && this.#app.aggregates.get(name.aggregateType) !== aggregate.definition)
      throw decisionInvalid(
        this.#controller,
        `it looks up ${name.aggregateType}, which is not among the aggregates of defineApp`,
      );
    if (!isAggregateId(aggregateId))
      throw decisionInvalid(
        this.#controller,
        `it looks up a resource of ${name.aggregateType} under an id that cannot be one`,
      );
    const found = this.#find(name);
    // Specs and statuses are what the aggregate's schemas let in.
    return found === null ? undefined : (visible(found) as unknown as VisibleResource<Spec, Partial<Status>>);
  }

  #find(name: StreamName): Resource | null {
    const { aggregateType, aggregateId } = this.#resource;
    if (name.aggregateType === aggregateType && name.aggregateId === aggregateId) return this.#resource;
    const key = lookupName(name);
    const found = Object.hasOwn(this.#loaded, key) ? this.#loaded[key] : undefined;
    if (found === undefined) {
      this.missing ??= name;
      throw new Suspended();
    }
    this.seen[key] = found?.version ?? 0;
    return found;
  }
}

/** Ends a run early; a controller that catches it is suspended all the same. */
class Suspended extends Error {
  constructor() {
    super("This run is begun again once the resource is loaded; let the exception pass.");
    this.name = "Suspended";
  }
}

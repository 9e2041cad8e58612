/**
 * What a projection of one's own declares: its tables, and what an event of a type does to them. Only shapes;
 * `defineProjection` and the helpers that make tables live in projection/.
 */
import type { JsonObject, JsonValue } from "../kernel/index.js";
import type { Event } from "./event.js";

/** What `apply` sees of an event: no identity, no proof, no clock but the event's own. Frozen, all the way down. */
export interface ProjectionEvent<Spec = JsonObject>
  extends Pick<
    Event<Spec>,
    | "id"
    | "kind"
    | "aggregateType"
    | "aggregateId"
    | "version"
    | "position"
    | "type"
    | "schemaVersion"
    | "spec"
    | "status"
    | "correlationId"
    | "causationId"
    | "recordedAt"
  > {
  readonly source: string | null;
  readonly occurredAt: string | null;
}

/** A declared table of a projection. `acrossTenants`: operators of the platform may see it added up over all tenants. */
export type ProjectionTable =
  | { readonly kind: "counter"; readonly acrossTenants: boolean }
  | { readonly kind: "latest"; readonly schema: JsonObject }
  | { readonly kind: "documents"; readonly schema: JsonObject }
  | {
      readonly kind: "groups";
      /** Names of the values that make a group, in their order. */
      readonly by: readonly string[];
      /** Names of the numbers that are added up in each group, beside the count. */
      readonly sums: readonly string[];
      readonly acrossTenants: boolean;
    };

/** Whole numbers by key. */
export interface CounterHandle {
  /** Adds to the number of the key, which begins at 0; default 1, negative ones subtract. */
  readonly add: (key: string, by?: number) => void;
}

/** The last value of each key. */
export interface LatestHandle<Value = JsonValue> {
  readonly set: (key: string, value: Value) => void;
  readonly delete: (key: string) => void;
}

/** One JSON document of each key, which later events may look at and change. */
export interface DocumentsHandle<Value = JsonValue> {
  /** As the events before have left it; frozen. */
  readonly get: (key: string) => Value | undefined;
  readonly set: (key: string, value: Value) => void;
  /** Merges a patch (RFC 7396) into the document, which begins as `{}`. */
  readonly merge: (key: string, patch: JsonObject) => void;
  readonly delete: (key: string) => void;
}

/** Members, each in one group; count and sums of the groups follow. */
export interface GroupsHandle<By extends string = string, Sum extends string = string> {
  /** Puts the member into this group, out of the one that it was in. */
  readonly put: (
    member: string,
    group: Readonly<Record<By, string>>,
    sums?: Readonly<Partial<Record<Sum, number>>>,
  ) => void;
  readonly remove: (member: string) => void;
}

/** Any of the handles. */
export type ProjectionHandle = CounterHandle | LatestHandle | DocumentsHandle | GroupsHandle;

/** What an event does: pure and synchronous, no I/O, no clock, no random. */
export type ProjectionApply = (
  event: ProjectionEvent,
  tables: Readonly<Record<string, ProjectionHandle>>,
) => undefined | void;

/** A projection, normalized. */
export interface ProjectionDefinition {
  /** A name in SQL: its schema is `projection_<name>`. */
  readonly name: string;
  /** Raised when `apply` changes: the projection is folded anew beside the one that is read. */
  readonly version: number;
  readonly tables: ReadonlyMap<string, ProjectionTable>;
  /** By full type of the event. */
  readonly apply: ReadonlyMap<string, ProjectionApply>;
}

/** A projection of any tables. */
export interface AnyProjection {
  readonly definition: ProjectionDefinition;
}

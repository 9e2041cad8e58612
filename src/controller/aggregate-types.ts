/**
 * The types that follow from what `defineAggregate` is given.
 */
import type { AggregateDefinition, CompatibilityMode, ExpectedVersion, Upcaster } from "../event/index.js";
import type { JsonObject } from "../kernel/index.js";
import type { Infer, MergePatchOf, SchemaSource, SecretRule } from "../schema/index.js";

/** What a team writes of an intent. */
export interface IntentConfig {
  /** The first of a life: there must be no resource, or a deleted one. */
  readonly creates?: true;
  /** Begins the deletion. */
  readonly deletes?: true;
  /** The intent's spec replaces the resource's instead of being merged into it. */
  readonly replaces?: true;
  /** Folds the intent's spec into the resource's in its own way. Pure; raise schemaVersion when it changes. */
  readonly fold?: (spec: JsonObject, intentSpec: JsonObject) => JsonObject;
  readonly schema?: SchemaSource;
  /** Raised with every change of the schema. Default: that of the aggregate. */
  readonly schemaVersion?: number;
  /**
   * Steps from an older schema to the next one, by the version that each begins at: `{ 1: (spec) => … }` makes version 2 of version 1.
   * Events are lifted when they are read; what is stored stays. Pure. Without gaps from the first to the one before `schemaVersion`.
   */
  readonly upcasters?: Readonly<Record<number, Upcaster>>;
  /** What a new version must be able to do. Default: that of the aggregate. */
  readonly compatibility?: CompatibilityMode;
  /** Bytes of its spec as it is sent, from 2 to 262,144. Default: that of the aggregate. */
  readonly specBytesMax?: number;
  /** Rules of the secrets scan that its specs are not held to, where what looks like a secret is none. Default none. */
  readonly allowSecrets?: readonly SecretRule[];
  /** `any` lets the first such intent open the stream. Default `streamExists`. */
  readonly expectedVersion?: "any" | "streamExists";
}

/** What may go with an intent beside its spec. */
export interface IntentEnvelope {
  /** UUIDv4 or 7; give it to make a repeat harmless. */
  readonly id?: string;
  readonly expectedVersion?: ExpectedVersion;
  readonly expectedGeneration?: number;
  readonly causationId?: string;
  readonly correlationId?: string;
  /** RFC 3339. */
  readonly occurredAt?: string;
}

/** An intent as it is published. */
export interface IntentMessage<Type extends string = string, Spec = JsonObject> extends IntentEnvelope {
  readonly type: Type;
  readonly spec: Spec;
  readonly aggregateId?: string;
}

/** Status types by controller name. */
export type StatusTypes<Status> = { readonly [Controller in keyof Status]: Infer<Status[Controller]> };

/** The name of an intent's maker: `change-plan` → `changePlan`. */
export type MakerName<Rest extends string = string> = Rest extends `${infer Head}${"-" | "_" | "."}${infer Tail}`
  ? `${Head}${Capitalize<MakerName<Tail>>}`
  : Rest;

/** Any maker; Aggregate gives each its own parameters. */
export type IntentMaker = (...parameters: never[]) => IntentMessage;

/** The spec that an intent asks for. */
export type IntentSpec<Intent, Spec> = Intent extends { readonly schema: infer Schema extends SchemaSource }
  ? Infer<Schema>
  : Intent extends { readonly deletes: true }
    ? Readonly<Record<never, never>>
    : Intent extends { readonly creates: true } | { readonly replaces: true }
      ? Infer<Spec>
      : MergePatchOf<Infer<Spec>>;

type MakerFor<Type extends string, Intent, Spec> = Intent extends { readonly creates: true }
  ? (
      spec: IntentSpec<Intent, Spec>,
      envelope?: IntentEnvelope & { readonly aggregateId?: string },
    ) => IntentMessage<Type, IntentSpec<Intent, Spec>>
  : Intent extends { readonly deletes: true }
    ? (aggregateId: string, envelope?: IntentEnvelope) => IntentMessage<Type, IntentSpec<Intent, Spec>>
    : (
        aggregateId: string,
        spec: IntentSpec<Intent, Spec>,
        envelope?: IntentEnvelope,
      ) => IntentMessage<Type, IntentSpec<Intent, Spec>>;

/** An aggregate of any type. */
export interface AnyAggregate {
  readonly definition: AggregateDefinition;
}

/** What the types of an aggregate are; never present at run time. */
export interface AggregateTypes<Spec, Status, Message> {
  readonly spec: Spec;
  readonly status: Status;
  readonly message: Message;
}

/** An aggregate: its definition, and a maker for each of its intents. */
export type Aggregate<
  Name extends string,
  Spec extends SchemaSource,
  Status extends Readonly<Record<string, SchemaSource>>,
  Intents extends Readonly<Record<string, IntentConfig>>,
> = {
  readonly definition: AggregateDefinition;
  readonly "~types"?: AggregateTypes<
    Infer<Spec>,
    StatusTypes<Status>,
    {
      [Rest in keyof Intents & string]: IntentMessage<`${Name}.${Rest}`, IntentSpec<Intents[Rest], Spec>>;
    }[keyof Intents & string]
  >;
} & {
  readonly [Rest in keyof Intents & string as MakerName<Rest>]: MakerFor<`${Name}.${Rest}`, Intents[Rest], Spec>;
};

type TypesOf<Of> = Of extends { readonly "~types"?: infer Types } ? NonNullable<Types> : never;

/** The wanted state of an aggregate. */
export type SpecOf<Of> = TypesOf<Of> extends { readonly spec: infer Spec } ? Spec : JsonObject;
/** What its controllers report, by controller name. */
export type StatusOf<Of> = TypesOf<Of> extends { readonly status: infer Status } ? Status : JsonObject;
/** The intents that may be published to it. */
export type MessageOf<Of> = TypesOf<Of> extends { readonly message: infer Message } ? Message : never;

/** Apps for tests, in the normalized form: one aggregate `organization` and the controllers that a test gives. */
import type {
  AggregateDefinition,
  AppDefinition,
  CausedBy,
  ControllerDefinition,
  Decision,
  IntentDefinition,
  IntentEffect,
  ReconcileContext,
  WorkerDefinition,
} from "../event/index.js";

/** A controller of a test. */
export type TestReconcile = (context: ReconcileContext) => Decision | readonly Decision[] | undefined;

/** The stamp of what tests publish. */
export const testCausedBy: CausedBy = {
  principal: { type: "apiKey", id: "test" },
  via: "embedded",
  requestId: "00000000-0000-4000-8000-000000000001",
  rulingId: "00000000-0000-4000-8000-000000000002",
  policySetHash: "0".repeat(64),
  policies: ["test"],
  edge: "test",
  keyId: "00000000-0000-8000-8000-000000000003",
  at: "2026-01-01T00:00:00.000000Z",
};

function intent(aggregate: string, name: string, effect: IntentEffect): readonly [string, IntentDefinition] {
  const type = `${aggregate}.${name}`;
  const defaultExpectedVersion = effect === "creates" ? "creates" : "streamExists";
  return [type, { type, effect, fold: "merge", schemaVersion: 1, schema: {}, defaultExpectedVersion }];
}

function aggregate(name: string, change: string): AggregateDefinition {
  const intents = [
    intent(name, "create", "creates"),
    intent(name, change, "updates"),
    intent(name, "delete", "deletes"),
  ];
  return { name, specSchema: {}, statusSchemas: {}, intents: new Map(intents) };
}

const organization = aggregate("organization", "change-plan");
const project = aggregate("project", "rename");

/**
 * An app whose controllers, by name, all watch `organization`.
 *
 * @param projects controllers that watch a second aggregate, `project`, whose intents are create, rename and delete; absent:
 * there is none
 */
export function createTestApp(
  controllers: Readonly<Record<string, TestReconcile>>,
  workers: readonly WorkerDefinition[] = [],
  projects?: Readonly<Record<string, TestReconcile>>,
): AppDefinition {
  const aggregates = projects === undefined ? [organization] : [organization, project];
  return {
    version: "v1",
    aggregates: new Map(aggregates.map((definition) => [definition.name, definition])),
    controllers: new Map([...watching("organization", controllers), ...watching("project", projects ?? {})]),
    workers: new Map(workers.map((worker) => [worker.name, worker])),
    projections: new Map(),
    sources: new Map(),
  };
}

function watching(
  watches: string,
  controllers: Readonly<Record<string, TestReconcile>>,
): readonly (readonly [string, ControllerDefinition])[] {
  return Object.entries(controllers).map(([name, reconcile]) => [
    name,
    { name, watches, timeoutMs: 10_000, reconcile },
  ]);
}

/** `completed` with this status. */
export function testDone(status?: Decision["status"]): Decision {
  return status === undefined ? { outcome: "completed" } : { outcome: "completed", status };
}

/** Projections, replays and controllers. */
import type { JsonObject } from "../../kernel/index.js";
import type { projectionRequests } from "../../projection/index.js";
import { replayDefinition } from "../../replay/index.js";
import { closed, decided, each, factCodes } from "./decisions.js";
import { exampleIds, exampleReceipt, exampleTime } from "./examples.js";
import { type Answer, json, type Operations } from "./operation.js";
import { location, tenant } from "./parameters.js";
import { tableQuery } from "./reading.js";
import {
  aggregateType,
  anyObject,
  flag,
  list,
  members,
  oneOf,
  orNull,
  shape,
  text,
  uuid,
  whole,
} from "./schema-parts.js";

const failureAt = members({ code: text(), message: text(), position: whole() });
const projectionOfTenant = members({
  name: text(),
  version: whole(),
  tenantId: uuid(),
  state: oneOf(["running", "paused", "stopped", "waiting"]),
  requests: whole(),
  position: whole(),
  head: whole(),
  lagEvents: whole(),
  lagSeconds: { type: "number", minimum: 0 },
  liveVersion: orNull(whole()),
  failure: orNull(failureAt),
  fresh: orNull(members({ role: oneOf(["rebuild", "verify"]), position: whole() })),
  check: orNull(members({ position: whole(), live: text(), fresh: text(), isSame: flag() })),
});
const projectionOfAll = members({
  name: text(),
  version: whole(),
  isPaused: flag(),
  requests: whole(),
  tenants: whole(),
  lagEvents: whole(),
  stopped: list(members({ code: text(), tenants: whole() })),
  differing: whole(),
  fresh: members({ tenants: whole(), position: whole(), head: whole() }),
  waiting: whole(),
  "stoppedTenants?": list(members({ tenantId: uuid(), code: text(), message: text(), position: whole() })),
});
const projection = { anyOf: [projectionOfTenant, projectionOfAll] };
const exampleProjection: JsonObject = {
  name: "byPlan",
  version: 1,
  tenantId: exampleIds.tenant,
  state: "running",
  requests: 0,
  position: 17,
  head: 17,
  lagEvents: 0,
  lagSeconds: 0,
  liveVersion: 1,
  failure: null,
  fresh: null,
  check: null,
};
const requestSummaries: Readonly<Record<keyof typeof projectionRequests, string>> = {
  pause: "Pause a projection",
  resume: "Let a projection go on",
  reset: "Fold a projection anew in its place",
  rebuild: "Fold a projection anew beside it",
  verify: "Compare a projection with a fresh fold",
};

const projectionOperations: Operations = {
  "GET /v1/admin/projections": {
    id: "listProjections",
    tag: "Projections",
    summary: "Say how the projections stand",
    description: "Of a tenant; for a key of the platform without `tenant` of all together.",
    query: tenant,
    answers: {
      200: {
        description: "Those of the app.",
        content: json(members({ projections: list(projection) }), { projections: [exampleProjection] }),
      },
    },
    errors: [],
  },
  "GET /v1/admin/projections/:name": {
    id: "readProjection",
    tag: "Projections",
    summary: "Say how one projection stands",
    query: tenant,
    answers: { 200: { description: "How it stands.", content: json(projection, exampleProjection) } },
    errors: ["not_found"],
  },
  "GET /v1/admin/projections/:name/across-tenants": {
    id: "queryAcrossTenants",
    tag: "Projections",
    summary: "Ask a projection about all tenants together",
    description: "Needs a key of the platform. Rows of a table that is declared so, added up.",
    query: tableQuery,
    takesOtherParameters: true,
    answers: {
      200: {
        description: "The page.",
        content: json(members({ rows: list(anyObject()), next: orNull(text()) }), {
          rows: [{ plan: "team", count: 12, tenants: 3 }],
          next: null,
        }),
      },
    },
    errors: ["not_found"],
  },
  ...each(requestSummaries, (asked, summary) => ({
    [`POST /v1/admin/projections/:name/${asked}`]: {
      id: `${asked}Projection`,
      tag: "Projections",
      summary,
      query: tenant,
      answers: { 202: decided },
      errors: ["not_found", ...factCodes],
    },
  })),
};

const wantedReplay = (replayDefinition.specSchema as { readonly properties: Readonly<Record<string, JsonObject>> })
  .properties; // of an object
const replayFilter = (wantedReplay["filter"] ?? {}) as { readonly properties: Readonly<Record<string, JsonObject>> }; // as the definition has it
const exampleReplay: JsonObject = {
  id: exampleIds.other,
  tenantId: exampleIds.tenant,
  target: { kind: "controller", name: "billing" },
  filter: { aggregateType: "organization" },
  until: 17,
  ratePerSecond: 100,
  dryRun: true,
  allowEffects: false,
  wanted: "running",
  state: "pending",
  progress: { position: 0, events: 0, results: {}, firstFailure: null },
  reason: null,
  createdAt: exampleTime,
  updatedAt: exampleTime,
};
const replayed: Answer = { description: "The replay.", content: json(shape("Replay"), exampleReplay) };

const replayOperations: Operations = {
  "POST /v1/admin/replays": {
    id: "createReplay",
    tag: "Replays",
    summary: "Give history to one consumer again",
    query: tenant,
    body: json(
      members(
        {
          target: members({ controller: text() }, closed),
          "filter?": {
            ...replayFilter,
            properties: { ...replayFilter.properties, before: whole(1) },
          },
          "ratePerSecond?": wantedReplay["ratePerSecond"] ?? {},
          "dryRun?": flag(),
          "allowEffects?": flag(),
        },
        closed,
      ),
      { target: { controller: "billing" }, filter: { after: 0 }, dryRun: true },
    ),
    answers: { 201: { ...replayed, headers: location } },
    errors: ["forbidden_field", "schema_violation", "replay_target_unknown", "replays_open", "disk_full"],
  },
  "GET /v1/admin/replays": {
    id: "listReplays",
    tag: "Replays",
    summary: "List replays",
    query: tenant,
    answers: {
      200: {
        description: "The newest first; at most 100.",
        content: json(members({ replays: list(shape("Replay")) }), { replays: [exampleReplay] }),
      },
    },
    errors: [],
  },
  "GET /v1/admin/replays/:id": {
    id: "readReplay",
    tag: "Replays",
    summary: "Read one replay",
    query: tenant,
    answers: { 200: replayed },
    errors: ["not_found"],
  },
  ...each(
    { pause: "Pause a replay", resume: "Let a replay go on", cancel: "End a replay" },
    (change, summary): Operations => ({
      [`POST /v1/admin/replays/:id/${change}`]: {
        id: `${change}Replay`,
        tag: "Replays",
        summary,
        query: tenant,
        answers: { 202: replayed },
        errors: ["not_found", "replay_ended", "wrong_expected_generation", "disk_full"],
      },
    }),
  ),
};

const changeMembers = {
  controller: text(),
  change: oneOf(["backfill", "retire"]),
  tenantId: uuid(),
  resources: whole(),
  dryRun: flag(),
};
const exampleChange = { controller: "quota", change: "backfill", tenantId: exampleIds.tenant, resources: 12 };

const controllerOperations: Operations = {
  "GET /v1/admin/controllers": {
    id: "listControllers",
    tag: "Controllers",
    summary: "List controllers and what waits for them",
    query: tenant,
    answers: {
      200: {
        description: "Those of the configuration, and those of which rows are left.",
        content: json(
          members({
            controllers: list(
              members({
                name: text(),
                watches: orNull(aggregateType()),
                inConfiguration: flag(),
                waiting: whole(),
                deadLetters: whole(),
                oldestSeconds: { type: "number", minimum: 0 },
              }),
            ),
          }),
          { controllers: [] },
        ),
      },
    },
    errors: [],
  },
  ...each(
    {
      backfill: "Run a controller over the resources that there are",
      retire: "Let resources wait no longer for a controller",
    },
    (change, summary): Operations => ({
      [`POST /v1/admin/controllers/:name/${change}`]: {
        id: `${change}Controller`,
        tag: "Controllers",
        summary,
        query: tenant,
        body: json(
          members(
            {
              "dryRun?": flag(),
              ...(change === "retire" ? { "reason?": text({ minLength: 1, maxLength: 300 }) } : {}),
            },
            closed,
          ),
          { dryRun: true },
        ),
        answers: {
          200: {
            description: "How many resources it would be about.",
            content: json(members(changeMembers), { ...exampleChange, dryRun: true }),
          },
          202: {
            description: "How many resources it is about.",
            content: json(members({ ...changeMembers, receipt: shape("Receipt") }), {
              ...exampleChange,
              dryRun: false,
              receipt: exampleReceipt,
            }),
          },
        },
        errors: ["forbidden_field", "not_found", ...factCodes],
      },
    }),
  ),
};

/** By method and address. */
export const operatorOperations: Operations = {
  ...projectionOperations,
  ...replayOperations,
  ...controllerOperations,
};
